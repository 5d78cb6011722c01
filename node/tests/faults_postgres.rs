//! What becomes of PostgreSQL, of the way to it and of the processes beside it, and what a node does then.

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Database, Running, Signal, append, blocks, lines, within, write_lines};
use fault_proxy::{FaultProxy, Opened};
use node_storage::DbBackend;
use rstest::rstest;
use sqlx::{Connection, PgConnection};

/// A killed writer is followed by the one that stands by within this time.
const AFTER_A_KILL: Duration = Duration::from_secs(2);
/// A writer that has vanished, or stands still.
const AFTER_SILENCE: Duration = Duration::from_secs(15);
/// What the server has heard of only by its own time-outs.
const PATIENCE: Duration = Duration::from_secs(30);

async fn fresh() -> Option<Database> {
    Database::fresh(DbBackend::Postgres).await
}

/// A ledger file with the first blocks, and the lines of those that follow.
fn ledger(database: &Database, first: usize) -> (PathBuf, Vec<String>) {
    let path = database.path("ledger.jsonl");
    let lines = lines(&blocks(1, 200));
    write_lines(&path, &lines[..2 * first]);
    (path, lines[2 * first..].to_vec())
}

/// The program that reads the first block of a ledger, and has written it.
fn writer(database: &Database, ledger: &Path) -> Running {
    let node = Running::start(database.indexer(ledger, &["--follow"]));
    node.wait_for("writing");
    node.wait_until_ready(200);
    node
}

async fn execute(connection: &mut PgConnection, statements: &str) {
    let statements = sqlx::AssertSqlSafe(statements.to_owned());
    sqlx::raw_sql(statements).execute(connection).await.unwrap();
}

fn cursor(database: &Database) -> Option<u64> {
    database.status()["cursor"]["block_number"].as_u64()
}

/// The connection that the lease hangs on stalls, and only that: the server knows nothing of it and keeps the lock.
#[rstest]
#[case::indexer("indexer")]
#[case::dev("dev")]
#[tokio::test]
async fn a_writer_whose_lease_stalls_takes_it_from_itself(#[case] command: &str) {
    let Some(database) = fresh().await else { return };
    let proxy = FaultProxy::before(database.server_address());
    let behind = database.at(proxy.address());
    let (ledger, more) = ledger(&database, 2);
    let node = match command {
        "dev" => Running::start(behind.node(&["dev", "--port", "0"])),
        _ => Running::start(behind.indexer(&ledger, &["--follow"])),
    };
    node.wait_for("writing");
    node.wait_until_ready(200);
    assert_eq!(proxy.silence("pg_try_advisory"), 1, "the lease has one connection");
    within(PATIENCE, "writing again", || {
        node.told().contains("writing again").then_some(())
    });
    assert!(!node.told().contains("another process"), "{}", node.told());
    node.wait_until_ready(200);
    if command == "indexer" {
        append(&ledger, &(more.join("\n") + "\n"));
        database.wait_for_block(100);
    }
    node.signal(Signal::TERM);
    assert_eq!(node.end().code, Some(0));
}

#[tokio::test]
async fn a_killed_writer_is_followed_within_2_seconds() {
    let Some(database) = fresh().await else { return };
    let (ledger, _) = ledger(&database, 2);
    let first = writer(&database, &ledger);
    let second = Running::start(database.indexer(&ledger, &["--follow"]));
    second.wait_for("standing by");
    first.kill();
    within(AFTER_A_KILL, "the second writes", || {
        second.told().contains("writing PostgreSQL").then_some(())
    });
}

#[tokio::test]
async fn a_writer_that_stands_still_is_followed_within_15_seconds_and_stands_by_when_it_goes_on() {
    let Some(database) = fresh().await else { return };
    let (ledger, more) = ledger(&database, 2);
    let first = writer(&database, &ledger);
    let second = Running::start(database.indexer(&ledger, &["--follow"]));
    second.wait_for("standing by");
    first.signal(Signal::STOP);
    within(AFTER_SILENCE, "the second writes", || {
        second.told().contains("writing PostgreSQL").then_some(())
    });
    append(&ledger, &(more.join("\n") + "\n"));
    database.wait_for_block(150);
    first.signal(Signal::CONT);
    first.wait_for("standing by");
    first.wait_until_ready(200);
    second.signal(Signal::TERM);
    assert_eq!(second.end().code, Some(0));
    first.wait_for("writing again");
    assert_eq!(database.content().await.blocks(), (1..=199).collect::<Vec<_>>());
}

/// The host has gone, or the network between: no end of a connection arrives, on either side.
#[tokio::test]
async fn a_writer_that_vanished_is_followed_within_15_seconds_and_is_not_ready() {
    let Some(database) = fresh().await else { return };
    let (ledger, more) = ledger(&database, 2);
    let proxy = FaultProxy::before(database.server_address());
    let first = writer(&database.at(proxy.address()), &ledger);
    let second = Running::start(database.indexer(&ledger, &["--follow"]));
    second.wait_for("standing by");
    proxy.when_opened(Opened::Silent);
    assert!(proxy.silence("") >= 2);
    within(AFTER_SILENCE, "the second writes", || {
        second.told().contains("writing PostgreSQL").then_some(())
    });
    assert_eq!(first.get("/readyz").0, 503, "{}", first.told());
    append(&ledger, &(more.join("\n") + "\n"));
    database.wait_for_block(150);
    proxy.heal();
    first.wait_for("standing by");
    first.wait_until_ready(200);
}

/// A process that stands still within a transaction holds the row of the cursor, which every writer locks first.
#[tokio::test]
async fn a_transaction_that_its_process_left_open_does_not_stop_the_next_writer() {
    let Some(database) = fresh().await else { return };
    let (ledger, more) = ledger(&database, 2);
    let first = writer(&database, &ledger);
    database.wait_for_block(1);
    let mut other = PgConnection::connect(&database.url).await.unwrap();
    // The cursor is locked first, then this table is written.
    execute(&mut other, "BEGIN; LOCK TABLE block IN EXCLUSIVE MODE").await;
    append(&ledger, &(more.join("\n") + "\n"));
    let waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'block'::regclass AND NOT granted";
    let mut look = PgConnection::connect(&database.url).await.unwrap();
    loop {
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut look).await.unwrap();
        if waiting > 0 {
            break;
        }
    }
    first.signal(Signal::STOP);
    execute(&mut other, "ROLLBACK").await;
    let second = Running::start(database.indexer(&ledger, &["--follow"]));
    within(AFTER_SILENCE, "the second writes", || {
        second.told().contains("writing PostgreSQL").then_some(())
    });
    within(AFTER_SILENCE, "the blocks are stored", || {
        (cursor(&database) >= Some(150)).then_some(())
    });
}

/// Somebody else's transaction, which no time-out of ours ends.
#[tokio::test]
async fn a_lock_that_is_waited_for_is_told_once_with_its_holder() {
    let Some(database) = fresh().await else { return };
    let (ledger, more) = ledger(&database, 2);
    let node = writer(&database, &ledger);
    database.wait_for_block(1);
    let mut other = PgConnection::connect(&database.url).await.unwrap();
    execute(
        &mut other,
        "SET application_name = 'somebody else'; BEGIN; SELECT slot FROM dlt_cursor FOR UPDATE",
    )
    .await;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut other)
        .await
        .unwrap();
    append(&ledger, &(more.join("\n") + "\n"));
    node.wait_until_ready(503);
    node.wait_for("somebody else");
    let told = node.told();
    let holder: Vec<_> = told.lines().filter(|line| line.contains("somebody else")).collect();
    assert_eq!(holder.len(), 1, "{told}");
    assert!(holder[0].contains(&format!("process {pid}")), "{}", holder[0]);
    assert!(holder[0].contains("idle in transaction"), "{}", holder[0]);
    execute(&mut other, "ROLLBACK").await;
    database.wait_for_block(150);
    node.wait_until_ready(200);
    let told = node.told();
    assert_eq!(told.matches("somebody else").count(), 1, "{told}");
}
