-- What the ledger published, and how far it has been read.

CREATE TABLE network (
    singleton SMALLINT PRIMARY KEY CHECK (singleton = 1),
    name TEXT NOT NULL CHECK (name IN ('mainnet', 'preprod', 'preview', 'custom'))
);

CREATE TABLE dlt_cursor (
    singleton SMALLINT PRIMARY KEY CHECK (singleton = 1),
    slot BIGINT CHECK (slot >= 0),
    block_number BIGINT CHECK (block_number >= 0),
    block_hash BYTEA CHECK (octet_length(block_hash) = 32),
    CHECK (
        (slot IS NULL AND block_number IS NULL AND block_hash IS NULL)
        OR (slot IS NOT NULL AND block_number IS NOT NULL AND block_hash IS NOT NULL)
    )
);

INSERT INTO dlt_cursor (singleton) VALUES (1);

CREATE TABLE block (
    block_number BIGINT PRIMARY KEY CHECK (block_number >= 0),
    slot BIGINT NOT NULL UNIQUE CHECK (slot >= 0),
    block_hash BYTEA NOT NULL CHECK (octet_length(block_hash) = 32),
    -- Microseconds since 1970-01-01T00:00:00Z.
    block_time BIGINT NOT NULL CHECK (block_time BETWEEN -62135596800000000 AND 253402300799999999)
);

CREATE TABLE ledger_transaction (
    block_number BIGINT NOT NULL REFERENCES block (block_number),
    absn INTEGER NOT NULL CHECK (absn >= 0),
    transaction_id BYTEA NOT NULL UNIQUE CHECK (octet_length(transaction_id) = 32),
    PRIMARY KEY (block_number, absn)
);

CREATE TABLE raw_operation (
    block_number BIGINT NOT NULL,
    absn INTEGER NOT NULL,
    osn INTEGER NOT NULL CHECK (osn >= 0),
    operation_id BYTEA NOT NULL CHECK (octet_length(operation_id) = 32),
    signed_operation BYTEA NOT NULL CHECK (octet_length(signed_operation) <= 1048576),
    PRIMARY KEY (block_number, absn, osn),
    FOREIGN KEY (block_number, absn) REFERENCES ledger_transaction (block_number, absn)
);

CREATE INDEX raw_operation_by_id ON raw_operation (operation_id, block_number, absn, osn);
