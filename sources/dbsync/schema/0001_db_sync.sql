-- The tables of cardano-db-sync that the source reads, for tests: names, types, constraints and indexes as its migrations make
-- them (https://github.com/IntersectMBO/cardano-db-sync, schema/, migration-1-0001 to migration-4-0009; columns in doc/schema.md).
-- Its foreign keys and the constraint unique_tx_metadata are gone since release 13.1, and no index begins with tx_metadata.key.

CREATE DOMAIN lovelace AS numeric(20, 0) CHECK (value >= 0 AND value <= 18446744073709551615);
CREATE DOMAIN word31type AS integer CHECK (value >= 0);
CREATE DOMAIN word63type AS bigint CHECK (value >= 0);
CREATE DOMAIN word64type AS numeric(20, 0) CHECK (value >= 0 AND value <= 18446744073709551615);
CREATE DOMAIN hash32type AS bytea CHECK (octet_length(value) = 32);

CREATE TABLE meta (
    id bigserial PRIMARY KEY,
    start_time timestamp NOT NULL,
    network_name varchar NOT NULL,
    version varchar NOT NULL,
    CONSTRAINT unique_meta UNIQUE (start_time)
);

CREATE TABLE block (
    id bigserial PRIMARY KEY,
    hash hash32type NOT NULL,
    epoch_no word31type,
    slot_no word63type,
    epoch_slot_no word31type,
    block_no word31type,
    previous_id bigint,
    slot_leader_id bigint NOT NULL,
    size word31type NOT NULL,
    time timestamp NOT NULL,
    tx_count bigint NOT NULL,
    proto_major word31type NOT NULL,
    proto_minor word31type NOT NULL,
    vrf_key varchar,
    op_cert hash32type,
    op_cert_counter word63type,
    CONSTRAINT unique_block UNIQUE (hash)
);

CREATE TABLE tx (
    id bigserial PRIMARY KEY,
    hash hash32type NOT NULL,
    block_id bigint NOT NULL,
    block_index word31type NOT NULL,
    out_sum lovelace NOT NULL,
    fee lovelace NOT NULL,
    deposit bigint,
    size word31type NOT NULL,
    invalid_before word64type,
    invalid_hereafter word64type,
    valid_contract boolean NOT NULL,
    script_size word31type NOT NULL,
    treasury_donation lovelace NOT NULL DEFAULT 0,
    CONSTRAINT unique_tx UNIQUE (hash)
);

CREATE TABLE tx_metadata (
    id bigserial PRIMARY KEY,
    key word64type NOT NULL,
    json jsonb,
    bytes bytea NOT NULL,
    tx_id bigint NOT NULL
);

CREATE INDEX idx_block_slot_no ON block (slot_no);
CREATE INDEX idx_block_block_no ON block (block_no);
CREATE INDEX idx_block_epoch_no ON block (epoch_no);
CREATE INDEX idx_block_previous_id ON block (previous_id);
CREATE INDEX idx_block_time ON block (time);
CREATE INDEX idx_block_slot_leader_id ON block (slot_leader_id);
CREATE INDEX idx_tx_block_id ON tx (block_id);
CREATE INDEX idx_tx_metadata_tx_id ON tx_metadata (tx_id);
