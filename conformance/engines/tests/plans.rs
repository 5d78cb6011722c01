//! No hot query's cost grows with the database: the engines' own plans for every statement of the engine crates, as sqlx's
//! committed metadata has them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::fs;
use std::path::Path;

use engine_tests::database::Database;
use node_storage::contract::{
    Access, Cursor, DidSuffix, IndexEntry, IndexOutcome, Network, OperationHash, OperationId, OperationPosition,
    PublishedBlock, Reason, TransactionId,
};
use node_storage::{DbBackend, IndexedOperationRepo, RawOperationRepo};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};

/// The tables that grow with the ledger.
const GROWING: [&str; 5] = [
    "block",
    "ledger_transaction",
    "raw_operation",
    "indexed_operation",
    "listed_did",
];

/// Blocks of the database whose plans are read, each of one transaction with 4 operations: so many that reading any of its
/// tables whole costs more than looking up a page of rows. The second half is not indexed.
const BLOCKS: u64 = 20_000;

/// The most rows that a query may touch in that database, joins included. A page of 50 operations touches some 200.
const MOST_ROWS: f64 = 1_000.0;

/// The bytes of one operation in the middle of the database.
const KNOWN: &[u8] = b"operation 5000 0 0";

/// The queries that are read once and not while the node works, with the reason.
const NOT_HOT: &[(&str, &str)] = &[
    (
        "(SELECT count(*) FROM raw_operation)",
        "the bound counts every row, as its contract says",
    ),
    (
        "_sqlx_migrations",
        "read at the start; as many rows as there are versions",
    ),
    ("sqlite_schema", "read at the start; as many rows as there are tables"),
];

/// The texts of an engine's static statements that read, with the types of their parameters.
fn queries(backend: DbBackend) -> Vec<(String, Vec<String>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../storage")
        .join(backend.name())
        .join(".sqlx");
    let mut queries = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let metadata: Value = serde_json::from_str(&fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap();
        let text = metadata["query"].as_str().unwrap().trim();
        let reads = text.starts_with("SELECT") || text.starts_with("WITH");
        if !reads || NOT_HOT.iter().any(|(part, _)| text.contains(part)) {
            continue;
        }
        let types = metadata["describe"]["parameters"]["Left"].as_array();
        let types = types
            .into_iter()
            .flatten()
            .map(|name| name.as_str().unwrap().to_owned());
        queries.push((text.to_owned(), types.collect()));
    }
    assert!(
        queries.len() >= 14,
        "the statements of {backend} are read from its metadata"
    );
    queries
}

/// A database in which one hash is the id of an operation and of a transaction, a DID, and a storage operation's hash.
async fn filled(backend: DbBackend) -> Option<Database> {
    let database = Database::migrated(backend).await?;
    let store = database
        .open(Network::Custom, Access::Write { migrate: true })
        .await
        .unwrap();
    let known = *OperationId::of(KNOWN).as_bytes();
    let blocks: Vec<PublishedBlock> = (1..=BLOCKS)
        .map(|number| {
            let operations = (0..4).map(|osn| format!("operation {number} 0 {osn}").into_bytes());
            let mut block = prism_fixtures::block(1, number, number * 20, [operations]);
            if number == 5_000 {
                block.transactions[0].id = TransactionId::new(known);
            }
            block
        })
        .collect();
    store
        .append(&blocks, Cursor::at(&blocks.last().unwrap().into()))
        .await
        .unwrap();
    let entries: Vec<IndexEntry> = blocks
        .iter()
        .flat_map(prism_fixtures::ledger_operations)
        .filter(|operation| operation.position.block.get() <= BLOCKS / 2)
        .map(|operation| entry(operation.position, known))
        .collect();
    store.index(&entries).await.unwrap();
    store.close().await;
    Some(database)
}

/// Every fourth operation belongs to a DID, every fourth to a storage entry, each to one of its own but for the known one.
fn entry(position: OperationPosition, known: [u8; 32]) -> IndexEntry {
    let is_known = position.block.get() == 5_000;
    let own = *OperationHash::of(position.to_string().as_bytes()).as_bytes();
    let hash = if is_known { known } else { own };
    let outcome = match position.osn.get() % 4 {
        0 => IndexOutcome::Did {
            did: DidSuffix::new(hash),
            operation_hash: OperationHash::new(own),
            lists_did: true,
        },
        1 => IndexOutcome::Storage {
            did: DidSuffix::new(hash),
            operation_hash: OperationHash::new(hash),
        },
        2 => IndexOutcome::Ignored {
            reason: Reason::new("a test"),
        },
        _ => IndexOutcome::Undecodable {
            reason: Reason::new("a test"),
        },
    };
    IndexEntry { position, outcome }
}

#[tokio::test]
async fn sqlite_searches_an_index_for_every_hot_query() {
    let Some(database) = filled(DbBackend::Sqlite).await else {
        return;
    };
    let mut connection = SqliteConnection::connect(database.url()).await.unwrap();
    for statistics in ["SELECT 1", "ANALYZE"] {
        sqlx::raw_sql(statistics).execute(&mut connection).await.unwrap();
        for (query, _) in queries(DbBackend::Sqlite) {
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
            let rows = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
            let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
            let mut above = "";
            for step in &plan {
                let grows = GROWING
                    .iter()
                    .any(|table| step.strip_prefix("SCAN ").is_some_and(|rest| rest.starts_with(table)));
                // The key walked from its end, for one row.
                let last_row = above == "MATERIALIZE last_operation" && step.contains("USING COVERING INDEX");
                let sorts = step == "USE TEMP B-TREE FOR ORDER BY" && !sorts_what_was_asked_for(&query);
                let builds = step.contains("AUTOMATIC");
                assert!(
                    !(grows && !last_row || sorts || builds),
                    "{step}, after {statistics}:\n{query}\n{plan:#?}"
                );
                above = step;
            }
        }
    }
    connection.close().await.unwrap();
}

/// Queries that look up a list of hashes, and sort what they find.
fn sorts_what_was_asked_for(query: &str) -> bool {
    query.contains("unhex(value)")
}

#[tokio::test]
async fn postgres_touches_few_rows_for_every_hot_query() {
    let Some(database) = filled(DbBackend::Postgres).await else {
        return;
    };
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql("ANALYZE").execute(&mut connection).await.unwrap();
    let middle = Run {
        after: [4_999, 0, 3],
        last: [5_011, 0, 3],
        limit: 50,
        may_scan: false,
    };
    assert_few_rows_are_touched(&mut connection, &middle, MOST_ROWS).await;
    connection.close().await.unwrap();
}

/// What a table's rows have in common is guessed until statistics exist, and a page of a large transaction is where a wrong
/// guess costs most: each of its rows could be looked up among all of the transaction's.
#[tokio::test]
async fn postgres_touches_few_rows_of_a_large_transaction_before_statistics_exist() {
    let Some(database) = Database::migrated(DbBackend::Postgres).await else {
        return;
    };
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    let without_statistics = GROWING.map(|table| format!("ALTER TABLE {table} SET (autovacuum_enabled = off);"));
    let without_statistics = AssertSqlSafe(without_statistics.concat());
    sqlx::raw_sql(without_statistics)
        .execute(&mut connection)
        .await
        .unwrap();
    let store = database
        .open(Network::Custom, Access::Write { migrate: true })
        .await
        .unwrap();
    let operations = (0..4_000).map(|osn| format!("operation {osn}").into_bytes());
    let block = prism_fixtures::block(1, 1, 20, [operations]);
    store
        .append(std::slice::from_ref(&block), Cursor::at(&(&block).into()))
        .await
        .unwrap();
    let did = *OperationId::of(KNOWN).as_bytes();
    let entries: Vec<_> = prism_fixtures::ledger_operations(&block)
        .into_iter()
        .map(|operation| IndexEntry {
            position: operation.position,
            outcome: IndexOutcome::Did {
                did: DidSuffix::new(did),
                operation_hash: OperationHash::of(operation.position.to_string().as_bytes()),
                lists_did: true,
            },
        })
        .collect();
    store.index(&entries).await.unwrap();
    store.close().await;
    let page = Run {
        after: [1, 0, 99],
        last: [1, 0, 1_099],
        limit: 1_000,
        may_scan: true,
    };
    // A few parts of each row, read and joined; where the guess is wrong, a thousand times as many.
    assert_few_rows_are_touched(&mut connection, &page, 40_000.0).await;
    connection.close().await.unwrap();
}

/// The positions that a query is asked for.
struct Run {
    after: [i64; 3],
    last: [i64; 3],
    limit: i64,
    /// Whether a table may be read whole, since it has one row.
    may_scan: bool,
}

/// Runs every hot query and counts the rows that its plan touches.
async fn assert_few_rows_are_touched(connection: &mut PgConnection, run: &Run, most: f64) {
    for (query, types) in queries(DbBackend::Postgres) {
        let prepare = AssertSqlSafe(format!("DEALLOCATE ALL; PREPARE hot AS {query}"));
        sqlx::raw_sql(prepare).execute(&mut *connection).await.unwrap();
        let explain = format!("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE hot{}", arguments(&types, run));
        // A prepared statement may get another plan after its fifth execution.
        for _ in 0..8 {
            let explain = sqlx::raw_sql(AssertSqlSafe(explain.as_str()));
            let row = explain.fetch_one(&mut *connection).await.unwrap();
            let plan: Value = serde_json::from_str(row.try_get_raw(0).unwrap().as_str().unwrap()).unwrap();
            let plan = &plan[0]["Plan"];
            let scans = !run.may_scan && scans_a_growing_table(plan);
            assert!(!scans, "a sequential scan:\n{query}\n{plan:#}");
            let touched = rows_touched(plan);
            assert!(touched <= most, "{touched} rows touched:\n{query}\n{plan:#}");
        }
    }
}

/// Values of these types: numbers are positions, and a limit behind them.
fn arguments(types: &[String], run: &Run) -> String {
    let known = OperationId::of(KNOWN);
    let block = run.after[0];
    let numbers = types.iter().filter(|name| *name == "Int8").count();
    let last: &[i64] = if numbers == 7 { &run.last } else { &[] };
    let mut numbers = run.after.iter().chain(last).chain([&run.limit]);
    let arguments: Vec<String> = types
        .iter()
        .map(|name| match name.as_str() {
            "Int8" => numbers.next().unwrap().to_string(),
            "Int8Array" => format!("'{{{block}, {}}}'", block + 1),
            "Bytea" => format!("'\\x{known}'"),
            "ByteaArray" => format!("'{{\\\\x{known}, \\\\x00}}'"),
            other => panic!("no value of type {other}"),
        })
        .collect();
    if arguments.is_empty() {
        String::new()
    } else {
        format!("({})", arguments.join(", "))
    }
}

fn children(plan: &Value) -> impl Iterator<Item = &Value> {
    plan["Plans"].as_array().into_iter().flatten()
}

fn scans_a_growing_table(plan: &Value) -> bool {
    let scans = plan["Node Type"] == "Seq Scan"
        && plan["Relation Name"]
            .as_str()
            .is_some_and(|name| GROWING.contains(&name));
    scans || children(plan).any(scans_a_growing_table)
}

/// Rows that the nodes of a plan have answered with or looked at in vain.
fn rows_touched(plan: &Value) -> f64 {
    let number = |name: &str| plan[name].as_f64().unwrap_or(0.0);
    let rows: f64 = [
        "Actual Rows",
        "Rows Removed by Filter",
        "Rows Removed by Join Filter",
        "Rows Removed by Index Recheck",
    ]
    .map(number)
    .into_iter()
    .sum();
    rows * number("Actual Loops") + children(plan).map(rows_touched).sum::<f64>()
}
