//! What reading costs: the plans of the statements, on databases that are made up.

use std::path::Path;
use std::time::Instant;

use did_prism::envelope::{encode_metadata, encode_object};
use dlt_source::{DltSource, SourceEvent};
use node_storage_contract::Network;
use prism_fixtures::Identity;
use serde_json::Value;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, Row};
use test_databases::{Migrations, PostgresDatabase, PostgresServer};

use crate::query::{BLOCK_UP_TO, FIRST_METADATA, NO_JIT, PAGE};
use crate::{DbSyncOptions, DbSyncSource};

/// A database with so many blocks of so many transactions, a fifth of which have metadata, and one in 500 ours.
async fn database(blocks: i64, transactions: i64) -> PostgresDatabase {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let server = PostgresServer::shared().await.unwrap();
    let database = server.database(&Migrations::new(schema).unwrap()).await.unwrap();
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    // Statistics come when a test asks for them.
    for table in ["block", "tx", "tx_metadata"] {
        let quiet = format!("ALTER TABLE {table} SET (autovacuum_enabled = off)");
        connection.execute(AssertSqlSafe(quiet)).await.unwrap();
    }
    connection
        .execute("INSERT INTO meta (start_time, network_name, version) VALUES ('2017-09-23 21:44:51', 'mainnet', '13')")
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO block (hash, epoch_no, slot_no, block_no, slot_leader_id, size, time, tx_count, proto_major, proto_minor) \
         SELECT sha256(('block ' || n)::bytea), n / 21600, n * 20, n, 1, 1000, timestamp '2022-09-12' + n * interval '20 s', $2, \
         9, 0 FROM generate_series(0, $1 - 1) n",
    )
    .bind(blocks)
    .bind(transactions)
    .execute(&mut connection)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO tx (hash, block_id, block_index, out_sum, fee, deposit, size, valid_contract, script_size) \
         SELECT sha256(('tx ' || b.id || ' ' || i)::bytea), b.id, i, 0, 0, 0, 300, true, 0 \
         FROM block b, generate_series(0, $1 - 1) i ORDER BY b.id, i",
    )
    .bind(transactions)
    .execute(&mut connection)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO tx_metadata (key, json, bytes, tx_id) \
         SELECT CASE WHEN id % 500 = 0 THEN 21325 ELSE 674 END, '{}', \
         CASE WHEN id % 500 = 0 THEN $1 ELSE decode(repeat('a0', 200), 'hex') END, id FROM tx WHERE id % 5 = 0 ORDER BY id",
    )
    .bind(encode_metadata(&encode_object(&[Identity::new(1, 1).create().bytes])))
    .execute(&mut connection)
    .await
    .unwrap();
    database
}

/// The plan of a statement with these values, executed, as the source executes it.
async fn plan(connection: &mut PgConnection, statement: &str, values: &[i64]) -> Value {
    let mut transaction = connection.begin().await.unwrap();
    transaction.execute(NO_JIT).await.unwrap();
    let statement = (1..)
        .zip(values)
        .fold(statement.to_owned(), |statement, (index, value)| {
            statement.replace(&format!("${index}"), &format!("{value}::int8"))
        });
    let explain = format!("EXPLAIN (ANALYZE, FORMAT JSON) {statement}");
    let row = transaction.fetch_one(AssertSqlSafe(explain)).await.unwrap();
    let plan: sqlx::types::Json<Value> = row.get(0);
    plan.0[0]["Plan"].clone()
}

/// The nodes of a plan that read a table or an index.
fn scans(node: &Value) -> Vec<&Value> {
    let below = node["Plans"].as_array().into_iter().flatten().flat_map(scans);
    let is_scan = node["Node Type"].as_str().is_some_and(|name| name.contains("Scan"));
    below.chain(is_scan.then_some(node)).collect()
}

/// The rows that a node has looked at.
fn touched(node: &Value) -> f64 {
    let number = |name: &str| node[name].as_f64().unwrap_or_default();
    (number("Actual Rows") + number("Rows Removed by Filter")) * number("Actual Loops")
}

/// Asserts that nothing is read from one end to the other, and no more rows than these.
fn assert_reads(plan: &Value, rows: f64) {
    for scan in scans(plan) {
        let name = scan["Node Type"].as_str().unwrap();
        let goes_through_an_index = name.contains("Index") && scan["Index Cond"].is_string();
        // A bitmap of pages that an index below has named; the one row of a minimum.
        let is_given = name == "Bitmap Heap Scan" || name == "Subquery Scan" || name == "Result";
        assert!(
            goes_through_an_index || is_given,
            "{name} reads without a condition on an index: {plan:#}"
        );
    }
    let read: f64 = scans(plan).into_iter().map(touched).sum();
    assert!(
        read <= rows,
        "{read} rows were read in place of at most {rows}: {plan:#}"
    );
}

#[tokio::test]
async fn postgres_reads_through_the_indexes_of_db_sync_with_and_without_statistics() {
    let database = database(20_000, 5).await;
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    for statistics in [false, true] {
        if statistics {
            connection.execute("ANALYZE").await.unwrap();
        }
        for number in [i64::MAX, 7_000] {
            assert_reads(&plan(&mut connection, BLOCK_UP_TO, &[number]).await, 1.0);
        }
        assert_reads(&plan(&mut connection, FIRST_METADATA, &[]).await, 5.0);
        // 500 blocks with their 2,500 transactions and 500 entries; a bitmap counts twice.
        let read = plan(&mut connection, PAGE, &[9_000, 9_500, 1_000]).await;
        assert_reads(&read, 2.0 * 3_500.0);
        // The last blocks, as they come.
        assert_reads(&plan(&mut connection, PAGE, &[19_997, 19_999, 1_000]).await, 2.0 * 14.0);
    }
}

/// `cargo test -p dlt-source-dbsync -- --ignored --nocapture large` prints what a large database costs.
#[tokio::test]
#[ignore = "makes a database of 2 GB; prints times"]
async fn postgres_of_a_large_db_sync() {
    const BLOCKS: i64 = 500_000;
    let database = database(BLOCKS, 10).await;
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    for (made, preparation) in [
        ("nothing", ""),
        ("statistics", "ANALYZE"),
        ("index", "CREATE INDEX ON tx_metadata (tx_id) WHERE key = 21325"),
    ] {
        connection.execute(preparation).await.unwrap();
        let read = plan(&mut connection, PAGE, &[200_000, 202_000, 1_000]).await;
        assert_reads(&read, 2.0 * 26_000.0);
        let began = Instant::now();
        let options = DbSyncOptions::new(database.url(), Network::Mainnet).unwrap();
        let mut source = DbSyncSource::new(options, None);
        let (mut found, mut deliveries) = (0, 0);
        while let SourceEvent::Blocks { blocks, .. } = source.next().await.unwrap() {
            deliveries += 1;
            found += blocks.len();
        }
        println!(
            "with {made}: {BLOCKS} blocks, {} transactions; {found} blocks of ours in {deliveries} deliveries, {:.1?}",
            BLOCKS * 10,
            began.elapsed()
        );
    }
}
