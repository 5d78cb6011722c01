//! What the schema itself says: views for people, and the bounds of the contract for whoever writes past the program.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use engine_tests::database::Database;
use node_storage::contract::{DidSuffix, IndexOutcome, OperationHash, PageLimit};
use node_storage::{DbBackend, RawOperationRepo};
use rstest::rstest;
use sqlx::sqlite::SqliteError;

/// What the views answer on an engine that holds the ledger, by position and by DID.
async fn views(database: &Database) -> (Vec<String>, Vec<String>) {
    let operations = database
        .texts(
            "SELECT {hex did} || ' ' || CAST(block_number AS TEXT) || ' ' || CAST(absn AS TEXT) || ' ' || CAST(osn AS TEXT)
                 || ' ' || CAST(slot AS TEXT) || ' ' || {hex block_hash} || ' ' || CAST(block_time AS TEXT)
                 || ' ' || {hex transaction_id} || ' ' || {hex operation_id} || ' ' || {hex signed_operation}
                 || ' ' || kind || ' ' || {hex operation_hash} || ' ' || CASE WHEN lists_did THEN 'lists' ELSE '-' END
             FROM raw_operation_by_did
             ORDER BY block_number, absn, osn",
        )
        .await;
    let dids = database
        .texts(
            "SELECT {hex did} || ' ' || CAST(operation_count AS TEXT)
                 || ' ' || CAST(first_block_number AS TEXT) || ' ' || CAST(last_block_number AS TEXT)
             FROM did_stats
             ORDER BY did",
        )
        .await;
    (operations, dids)
}

/// The views show every routed operation with all that is known of it, and each DID with its counts.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn views_show_what_the_store_answers(#[case] backend: DbBackend) {
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    let store = database.filled().await;
    let mut operations = Vec::new();
    let mut dids: BTreeMap<DidSuffix, (u64, u64, u64)> = BTreeMap::new();
    for record in store.operations_after(None, PageLimit::MAX).await.unwrap() {
        let routed = |kind: &str, did: DidSuffix, hash: OperationHash, lists: &str| {
            let at = record.operation.position;
            format!(
                "{did} {} {} {} {} {} {} {} {} {} {kind} {hash} {lists}",
                at.block,
                at.absn,
                at.osn,
                record.slot,
                record.block_hash,
                record.operation.block_time.unix_micros(),
                record.transaction_id,
                record.id,
                HEXLOWER.encode(record.operation.bytes.as_slice()),
            )
        };
        let (did, row) = match record.indexing.as_ref().unwrap() {
            IndexOutcome::Did {
                did,
                operation_hash,
                lists_did,
            } => {
                let lists = if *lists_did { "lists" } else { "-" };
                (*did, routed("did", *did, *operation_hash, lists))
            }
            IndexOutcome::Storage { did, operation_hash } => (*did, routed("storage", *did, *operation_hash, "-")),
            IndexOutcome::Ignored { .. } | IndexOutcome::Undecodable { .. } => continue,
        };
        operations.push(row);
        let block = record.operation.position.block.get();
        let (count, _, last) = dids.entry(did).or_insert((0, block, block));
        *count += 1;
        *last = block;
    }
    let dids: Vec<_> = dids
        .into_iter()
        .map(|(did, (count, first, last))| format!("{did} {count} {first} {last}"))
        .collect();
    assert_eq!(views(&database).await, (operations, dids));
}

/// Statements that break a bound of the contract or a key. `{absn}` is that of a stored transaction of block 1.
const OUT_OF_RANGE: &[&str] = &[
    "INSERT INTO block VALUES (-1, 1000, {32 bytes}, 0)",
    "INSERT INTO block VALUES (1000, -1, {32 bytes}, 0)",
    "INSERT INTO block VALUES (1000, 1000, {31 bytes}, 0)",
    "INSERT INTO block VALUES (1000, 1000, {33 bytes}, 0)",
    "INSERT INTO block VALUES (1000, 1000, {32 bytes}, -62135596800000001)",
    "INSERT INTO block VALUES (1000, 1000, {32 bytes}, 253402300800000000)",
    "INSERT INTO block VALUES (1000, 1000, NULL, 0)",
    "INSERT INTO block VALUES (1000, NULL, {32 bytes}, 0)",
    "INSERT INTO block VALUES (1000, 1000, {32 bytes}, NULL)",
    "INSERT INTO block VALUES (1, 1000, {32 bytes}, 0)",
    "INSERT INTO block VALUES (1000, 20, {32 bytes}, 0)",
    "INSERT INTO block VALUES (9223372036854775808, 1000, {32 bytes}, 0)",
    "INSERT INTO block VALUES (1000, 'x', {32 bytes}, 0)",
    "INSERT INTO ledger_transaction VALUES (1, -1, {32 bytes})",
    "INSERT INTO ledger_transaction VALUES (1, 2147483648, {32 bytes})",
    "INSERT INTO ledger_transaction VALUES (1, 1000, {31 bytes})",
    "INSERT INTO ledger_transaction VALUES (999, 1000, {32 bytes})",
    "INSERT INTO raw_operation VALUES (1, {absn}, -1, {32 bytes}, {1 bytes})",
    "INSERT INTO raw_operation VALUES (1, {absn}, 2147483648, {32 bytes}, {1 bytes})",
    "INSERT INTO raw_operation VALUES (1, {absn}, 1000, {31 bytes}, {1 bytes})",
    "INSERT INTO raw_operation VALUES (1, {absn}, 1000, {32 bytes}, {1048577 bytes})",
    "INSERT INTO raw_operation VALUES (1, {absn}, 1000, {32 bytes}, NULL)",
    "INSERT INTO raw_operation VALUES (1, 999999, 1000, {32 bytes}, {1 bytes})",
    "INSERT INTO raw_operation VALUES (1, {absn}, 0, {32 bytes}, {1 bytes})",
    "UPDATE dlt_cursor SET slot = -1",
    "UPDATE dlt_cursor SET block_number = -1",
    "UPDATE dlt_cursor SET block_hash = {31 bytes}",
    "UPDATE dlt_cursor SET block_hash = NULL",
    "UPDATE dlt_cursor SET slot = NULL, block_number = NULL",
    "INSERT INTO dlt_cursor (singleton) VALUES (1)",
    "INSERT INTO dlt_cursor (singleton) VALUES (2)",
    "INSERT INTO network VALUES (2, 'custom')",
    "INSERT INTO network VALUES (1, 'custom')",
    "UPDATE network SET name = 'Mainnet'",
    "INSERT INTO indexer_watermark (singleton) VALUES (2)",
    "UPDATE indexer_watermark SET osn = NULL",
    "UPDATE indexer_watermark SET block_number = 999",
    "UPDATE indexed_operation SET kind = 'other' WHERE kind = 'did'",
    "UPDATE indexed_operation SET did = NULL WHERE kind = 'did'",
    "UPDATE indexed_operation SET did = {31 bytes} WHERE kind = 'did'",
    "UPDATE indexed_operation SET operation_hash = NULL WHERE kind = 'storage'",
    "UPDATE indexed_operation SET operation_hash = {33 bytes} WHERE kind = 'storage'",
    "UPDATE indexed_operation SET lists_did = TRUE WHERE kind = 'storage'",
    "UPDATE indexed_operation SET ignored_reason = 'x' WHERE kind = 'did'",
    "UPDATE indexed_operation SET ignored_reason = NULL WHERE kind = 'ignored'",
    "UPDATE indexed_operation SET ignored_reason = '' WHERE kind = 'ignored'",
    "UPDATE indexed_operation SET did = {32 bytes} WHERE kind = 'ignored'",
    "UPDATE indexed_operation SET block_number = 999 WHERE kind = 'ignored'",
    "UPDATE listed_did SET did = {31 bytes}",
    "UPDATE listed_did SET block_number = 999",
    "DELETE FROM raw_operation",
    "DELETE FROM block",
];

/// Statements of the same kind whose values are at the bounds.
const IN_RANGE: &[&str] = &[
    "INSERT INTO block VALUES (9223372036854775807, 9223372036854775807, {32 bytes}, 253402300799999999)",
    "INSERT INTO block VALUES (0, 0, {32 bytes}, -62135596800000000)",
    "INSERT INTO ledger_transaction VALUES (1, 2147483647, {32 bytes})",
    "INSERT INTO raw_operation VALUES (1, 2147483647, 2147483647, {32 bytes}, {1048576 bytes})",
    "INSERT INTO raw_operation VALUES (1, 2147483647, 0, {32 bytes}, {0 bytes})",
    "UPDATE dlt_cursor SET slot = 0, block_number = 0",
    "UPDATE dlt_cursor SET slot = NULL, block_number = NULL, block_hash = NULL",
];

/// Whether a constraint or a column's type refused a statement, and not its wording.
fn is_refused_by_the_schema(result: &Result<(), sqlx::Error>) -> bool {
    let Err(sqlx::Error::Database(error)) = result else {
        return false;
    };
    let code = error.code().unwrap();
    match error.try_downcast_ref::<SqliteError>() {
        // SQLITE_CONSTRAINT and SQLITE_MISMATCH, in the low byte of an extended code.
        Some(_) => matches!(code.parse::<u32>().unwrap() & 0xff, 19 | 20),
        // Integrity constraint violations, and values that a type can't hold.
        None => code.starts_with("23") || code.starts_with("22"),
    }
}

/// The schema holds the bounds of the contract, for whoever writes past the program.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn schema_refuses_rows_outside_the_ranges(#[case] backend: DbBackend) {
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    database.filled().await.close().await;
    let absn = database
        .texts("SELECT CAST(min(absn) AS TEXT) FROM ledger_transaction WHERE block_number = 1")
        .await
        .remove(0);
    for statement in OUT_OF_RANGE {
        let statement = statement.replace("{absn}", &absn);
        let refused = database.execute(&statement).await;
        assert!(is_refused_by_the_schema(&refused), "{statement}: {refused:?}");
    }
    for statement in IN_RANGE {
        let accepted = database.execute(statement).await;
        assert!(accepted.is_ok(), "{statement}: {accepted:?}");
    }
}
