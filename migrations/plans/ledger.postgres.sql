-- 25,000 blocks of one transaction with 4 operations each; half of them are indexed, with every outcome.

INSERT INTO block (block_number, slot, block_hash, block_time)
SELECT
    n,
    20 * n,
    decode(lpad(to_hex(n), 64, '0'), 'hex'),
    1577836800000000 + 20000000 * n
FROM generate_series(1::BIGINT, 25000) AS n;

INSERT INTO ledger_transaction (block_number, absn, transaction_id)
SELECT
    n,
    0,
    decode(lpad(to_hex(n), 64, '0'), 'hex')
FROM generate_series(1::BIGINT, 25000) AS n;

INSERT INTO raw_operation (block_number, absn, osn, operation_id, signed_operation)
SELECT
    n,
    0,
    k,
    decode(lpad(to_hex(4 * n + k), 64, '0'), 'hex'),
    decode(repeat('00', 250), 'hex')
FROM generate_series(1::BIGINT, 25000) AS n, generate_series(0, 3) AS k;

INSERT INTO indexed_operation (block_number, absn, osn, kind, did, operation_hash, lists_did, ignored_reason)
SELECT
    n,
    0,
    k,
    (ARRAY['did', 'storage', 'ignored', 'undecodable'])[k + 1],
    CASE WHEN k < 2 THEN decode(lpad(to_hex(n), 64, '0'), 'hex') END,
    CASE WHEN k < 2 THEN decode(lpad(to_hex(4 * n + k), 64, '0'), 'hex') END,
    k = 0,
    CASE WHEN k >= 2 THEN 'a test' END
FROM generate_series(1::BIGINT, 12500) AS n, generate_series(0, 3) AS k;

INSERT INTO listed_did (did, block_number, absn, osn)
SELECT
    did,
    block_number,
    absn,
    osn
FROM indexed_operation
WHERE lists_did;

UPDATE indexer_watermark SET block_number = 12500, absn = 0, osn = 3;

UPDATE dlt_cursor
SET slot = 500000, block_number = 25000, block_hash = decode(lpad(to_hex(25000), 64, '0'), 'hex');
