-- 25,000 blocks of one transaction with 4 operations each; half of them are indexed, with every outcome.

INSERT INTO block (block_number, slot, block_hash, block_time)
WITH RECURSIVE numbers AS (
    SELECT 1 AS n
    UNION ALL
    SELECT n + 1 FROM numbers
    WHERE n < 25000
)

SELECT
    n,
    20 * n,
    unhex(printf('%064x', n)),
    1577836800000000 + 20000000 * n
FROM numbers;

INSERT INTO ledger_transaction (block_number, absn, transaction_id)
SELECT
    block_number,
    0,
    block_hash
FROM block;

INSERT INTO raw_operation (block_number, absn, osn, operation_id, signed_operation)
WITH RECURSIVE numbers AS (
    SELECT 0 AS k
    UNION ALL
    SELECT k + 1 FROM numbers
    WHERE k < 3
)

SELECT
    block.block_number,
    0,
    numbers.k,
    unhex(printf('%064x', 4 * block.block_number + numbers.k)),
    zeroblob(250)
FROM block CROSS JOIN numbers;

INSERT INTO indexed_operation (block_number, absn, osn, kind, did, operation_hash, lists_did, ignored_reason)
SELECT
    block_number,
    absn,
    osn,
    CASE osn WHEN 0 THEN 'did' WHEN 1 THEN 'storage' WHEN 2 THEN 'ignored' ELSE 'undecodable' END,
    CASE WHEN osn < 2 THEN unhex(printf('%064x', block_number)) END,
    CASE WHEN osn < 2 THEN operation_id END,
    osn = 0,
    CASE WHEN osn >= 2 THEN 'a test' END
FROM raw_operation
WHERE block_number <= 12500;

INSERT INTO listed_did (did, block_number, absn, osn)
SELECT
    did,
    block_number,
    absn,
    osn
FROM indexed_operation
WHERE lists_did = 1;

UPDATE indexer_watermark SET block_number = 12500, absn = 0, osn = 3;

UPDATE dlt_cursor SET slot = 500000, block_number = 25000, block_hash = unhex(printf('%064x', 25000));
