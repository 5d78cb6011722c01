-- What the ledger published, and how far it has been read.

-- "NPRI": tells a database of this program from other SQLite files.
PRAGMA application_id = 1313886793;

CREATE TABLE network (
    singleton INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
    name TEXT NOT NULL CHECK (name IN ('mainnet', 'preprod', 'preview', 'custom'))
) STRICT;

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

INSERT INTO dlt_cursor (singleton) VALUES (1);

CREATE TABLE block (
    block_number INTEGER NOT NULL PRIMARY KEY CHECK (block_number >= 0),
    slot INTEGER NOT NULL UNIQUE CHECK (slot >= 0),
    block_hash BLOB NOT NULL CHECK (length(block_hash) = 32),
    -- Microseconds since 1970-01-01T00:00:00Z.
    block_time INTEGER NOT NULL CHECK (block_time BETWEEN -62135596800000000 AND 253402300799999999)
) STRICT;

CREATE TABLE ledger_transaction (
    block_number INTEGER NOT NULL REFERENCES block (block_number),
    absn INTEGER NOT NULL CHECK (absn BETWEEN 0 AND 2147483647),
    transaction_id BLOB NOT NULL UNIQUE CHECK (length(transaction_id) = 32),
    PRIMARY KEY (block_number, absn)
) STRICT, WITHOUT ROWID;

-- With a rowid, unlike its neighbours: operations are long, and long rows make a clustered key slow to search.
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

PRAGMA user_version = 1;
