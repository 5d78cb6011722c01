-- One block of one transaction with 4,000 operations, all of one DID.

INSERT INTO block (block_number, slot, block_hash, block_time)
VALUES (5000, 100000, decode(lpad('1388', 64, '0'), 'hex'), 1577936800000000);

INSERT INTO ledger_transaction (block_number, absn, transaction_id)
VALUES (5000, 0, decode(lpad('1388', 64, '0'), 'hex'));

INSERT INTO raw_operation (block_number, absn, osn, operation_id, signed_operation)
SELECT
    5000,
    0,
    k,
    decode(lpad(to_hex(5000 + k), 64, '0'), 'hex'),
    decode(repeat('00', 250), 'hex')
FROM generate_series(0, 3999) AS k;

INSERT INTO indexed_operation (block_number, absn, osn, kind, did, operation_hash, lists_did)
SELECT
    block_number,
    absn,
    osn,
    'did',
    decode(lpad('1388', 64, '0'), 'hex'),
    operation_id,
    osn = 0
FROM raw_operation;

INSERT INTO listed_did (did, block_number, absn, osn)
SELECT
    did,
    block_number,
    absn,
    osn
FROM indexed_operation
WHERE lists_did;

UPDATE indexer_watermark SET block_number = 5000, absn = 0, osn = 3999;

UPDATE dlt_cursor
SET slot = 100000, block_number = 5000, block_hash = decode(lpad('1388', 64, '0'), 'hex');
