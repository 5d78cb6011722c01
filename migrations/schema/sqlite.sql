CREATE TABLE block (
    block_number INTEGER NOT NULL PRIMARY KEY CHECK (block_number >= 0),
    slot INTEGER NOT NULL UNIQUE CHECK (slot >= 0),
    block_hash BLOB NOT NULL CHECK (length(block_hash) = 32),
    -- Microseconds since 1970-01-01T00:00:00Z.
    block_time INTEGER NOT NULL CHECK (block_time BETWEEN -62135596800000000 AND 253402300799999999)
) STRICT;

CREATE VIEW did_stats AS
SELECT
    did,
    count(*) AS operation_count,
    min(block_number) AS first_block_number,
    max(block_number) AS last_block_number
FROM indexed_operation
WHERE did IS NOT NULL
GROUP BY did;

CREATE TABLE dlt_cursor (
    singleton INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
    slot INTEGER CHECK (slot >= 0),
    block_number INTEGER CHECK (block_number >= 0),
    block_hash BLOB CHECK (length(block_hash) = 32),
    CHECK (
        (slot IS NULL AND block_number IS NULL AND block_hash IS NULL)
        OR (slot IS NOT NULL AND block_number IS NOT NULL AND block_hash IS NOT NULL)
    )
) STRICT;

CREATE TABLE indexed_operation (
    block_number INTEGER NOT NULL,
    absn INTEGER NOT NULL,
    osn INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('did', 'storage', 'ignored', 'undecodable')),
    did BLOB CHECK (length(did) = 32),
    operation_hash BLOB CHECK (length(operation_hash) = 32),
    -- A create that passes every rule.
    lists_did INTEGER NOT NULL CHECK (lists_did IN (0, 1)),
    ignored_reason TEXT CHECK (length(ignored_reason) BETWEEN 1 AND 200),
    PRIMARY KEY (block_number, absn, osn),
    FOREIGN KEY (block_number, absn, osn) REFERENCES raw_operation (block_number, absn, osn),
    CHECK (
        (
            kind IN ('did', 'storage')
            AND did IS NOT NULL AND operation_hash IS NOT NULL AND ignored_reason IS NULL
        )
        OR (
            kind IN ('ignored', 'undecodable')
            AND did IS NULL AND operation_hash IS NULL AND ignored_reason IS NOT NULL
        )
    ),
    CHECK (kind = 'did' OR lists_did = 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX indexed_operation_by_did ON indexed_operation (did, block_number, absn, osn)
WHERE did IS NOT NULL;

CREATE INDEX indexed_operation_by_storage_hash ON indexed_operation (operation_hash, block_number, absn, osn)
WHERE kind = 'storage';

CREATE TABLE indexer_watermark (
    singleton INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
    block_number INTEGER,
    absn INTEGER,
    osn INTEGER,
    CHECK (
        (block_number IS NULL AND absn IS NULL AND osn IS NULL)
        OR (block_number IS NOT NULL AND absn IS NOT NULL AND osn IS NOT NULL)
    ),
    FOREIGN KEY (block_number, absn, osn) REFERENCES raw_operation (block_number, absn, osn)
) STRICT;

CREATE TABLE ledger_transaction (
    block_number INTEGER NOT NULL REFERENCES block (block_number),
    absn INTEGER NOT NULL CHECK (absn BETWEEN 0 AND 2147483647),
    transaction_id BLOB NOT NULL UNIQUE CHECK (length(transaction_id) = 32),
    PRIMARY KEY (block_number, absn)
) STRICT, WITHOUT ROWID;

CREATE TABLE listed_did (
    did BLOB NOT NULL PRIMARY KEY CHECK (length(did) = 32),
    block_number INTEGER NOT NULL,
    absn INTEGER NOT NULL,
    osn INTEGER NOT NULL,
    UNIQUE (block_number, absn, osn),
    FOREIGN KEY (block_number, absn, osn) REFERENCES indexed_operation (block_number, absn, osn)
) STRICT, WITHOUT ROWID;

CREATE TABLE network (
    singleton INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
    name TEXT NOT NULL CHECK (name IN ('mainnet', 'preprod', 'preview', 'custom'))
) STRICT;

CREATE TABLE raw_operation (
    block_number INTEGER NOT NULL,
    absn INTEGER NOT NULL,
    osn INTEGER NOT NULL CHECK (osn BETWEEN 0 AND 2147483647),
    operation_id BLOB NOT NULL CHECK (length(operation_id) = 32),
    signed_operation BLOB NOT NULL CHECK (length(signed_operation) <= 1048576),
    PRIMARY KEY (block_number, absn, osn),
    FOREIGN KEY (block_number, absn) REFERENCES ledger_transaction (block_number, absn)
) STRICT;

CREATE INDEX raw_operation_by_id ON raw_operation (operation_id, block_number, absn, osn);

CREATE VIEW raw_operation_by_did AS
SELECT
    indexed_operation.did,
    raw_operation.block_number,
    raw_operation.absn,
    raw_operation.osn,
    block.slot,
    block.block_hash,
    block.block_time,
    ledger_transaction.transaction_id,
    raw_operation.operation_id,
    raw_operation.signed_operation,
    indexed_operation.kind,
    indexed_operation.operation_hash,
    indexed_operation.lists_did
FROM indexed_operation
INNER JOIN raw_operation
    ON
        indexed_operation.block_number = raw_operation.block_number
        AND indexed_operation.absn = raw_operation.absn
        AND indexed_operation.osn = raw_operation.osn
INNER JOIN ledger_transaction
    ON
        raw_operation.block_number = ledger_transaction.block_number
        AND raw_operation.absn = ledger_transaction.absn
INNER JOIN block ON raw_operation.block_number = block.block_number
WHERE indexed_operation.did IS NOT NULL;
