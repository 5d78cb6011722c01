//! What an engine reports becomes the error of the contract that means it, on every way an engine can fail; and what ends
//! a connection, ends it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::time::Duration;

use engine_tests::database::Database;
use node_storage::contract::{Access, Cursor, MigrationError, Network, Result, StorageError};
use node_storage::postgres::PostgresOptions;
use node_storage::sqlite::{SqliteDb, SqliteOptions};
use node_storage::{DbBackend, DbBackendConfig, DltCursorRepo, NodeStorageBackend, RawOperationRepo};
use node_storage_conformance::move_cursor;
use rstest::rstest;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

const WRITE: Access = Access::Write { migrate: true };

fn cursor() -> Cursor {
    Cursor {
        slot: 20_u64.try_into().unwrap(),
        block: 1_u64.try_into().unwrap(),
        hash: prism_fixtures::block_hash(1, 1),
    }
}

/// The variant of an error, and whether the call may be repeated.
fn kind<T>(result: Result<T>) -> (&'static str, bool) {
    let Err(error) = result else { return ("none", false) };
    let name = match &error {
        StorageError::Conflict(_) => "Conflict",
        StorageError::CursorMoved(_) => "CursorMoved",
        StorageError::BoundMismatch(_) => "BoundMismatch",
        StorageError::OutOfRange(_) => "OutOfRange",
        StorageError::Corrupt { .. } => "Corrupt",
        StorageError::Unavailable { .. } => "Unavailable",
        StorageError::Busy { .. } => "Busy",
        StorageError::Migration(MigrationError::NotMigrated) => "NotMigrated",
        StorageError::Migration(_) => "Migration",
        StorageError::WrongNetwork { .. } => "WrongNetwork",
        StorageError::Foreign { .. } => "Foreign",
        StorageError::Replaced { .. } => "Replaced",
        StorageError::ReadOnly => "ReadOnly",
    };
    (name, error.is_retryable())
}

/// What PostgreSQL can answer to a statement, by SQLSTATE, and the contract's word for it.
const SQLSTATES: &[(&str, &str, bool)] = &[
    ("40001", "Busy", true),
    ("40P01", "Busy", true),
    ("55P03", "Busy", true),
    ("57014", "Unavailable", true),
    ("42P01", "NotMigrated", false),
    ("3F000", "NotMigrated", false),
    ("XX001", "Corrupt", false),
    ("XX002", "Corrupt", false),
    ("23000", "Corrupt", false),
    ("23505", "Corrupt", false),
    ("23514", "Corrupt", false),
    ("25006", "Unavailable", true),
    ("25P03", "Unavailable", true),
    ("08000", "Unavailable", true),
    ("08006", "Unavailable", true),
    ("53100", "Unavailable", true),
    ("53300", "Unavailable", true),
    ("57P01", "Unavailable", true),
    ("57P03", "Unavailable", true),
    ("22012", "Unavailable", false),
    ("42501", "Unavailable", false),
    ("42703", "Unavailable", false),
    ("55000", "Unavailable", false),
    ("XX000", "Unavailable", false),
];

#[tokio::test]
async fn postgres_errors_have_their_variant() {
    let Some(database) = Database::migrated(DbBackend::Postgres).await else {
        return;
    };
    let store = database.open(Network::Custom, WRITE).await.unwrap();
    for (code, expected, retryable) in SQLSTATES {
        let raise = format!(
            "CREATE OR REPLACE FUNCTION fail() RETURNS TRIGGER LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'of a test' USING ERRCODE = '{code}'; END $$;
             CREATE OR REPLACE TRIGGER fail BEFORE UPDATE ON dlt_cursor EXECUTE FUNCTION fail()"
        );
        database.execute(&raise).await.unwrap();
        let found = kind(move_cursor(&store, cursor()).await);
        assert_eq!(found, (*expected, *retryable), "{code}");
    }
    assert_eq!(store.cursor().await.unwrap(), None);
}

#[tokio::test]
async fn sqlite_errors_have_their_variant() {
    let Some(database) = Database::migrated(DbBackend::Sqlite).await else {
        return;
    };
    let store = database.open(Network::Custom, WRITE).await.unwrap();
    // SQLITE_CONSTRAINT_TRIGGER.
    database
        .execute("CREATE TRIGGER fail BEFORE UPDATE ON dlt_cursor BEGIN SELECT RAISE(ABORT, 'of a test'); END")
        .await
        .unwrap();
    assert_eq!(kind(move_cursor(&store, cursor()).await), ("Corrupt", false));
    // SQLITE_ERROR, of a column first and then of a table.
    database
        .execute("ALTER TABLE block RENAME COLUMN slot TO gone")
        .await
        .unwrap();
    let number = cursor().block;
    assert_eq!(kind(store.block(number).await), ("Unavailable", false));
    database
        .execute("DROP VIEW raw_operation_by_did; ALTER TABLE block RENAME TO gone")
        .await
        .unwrap();
    assert_eq!(kind(store.block(number).await), ("NotMigrated", false));
    assert_eq!(store.cursor().await.unwrap(), None);
}

#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn store_without_its_schema_is_not_ready(#[case] backend: DbBackend) {
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    let store = database.open(Network::Custom, WRITE).await.unwrap();
    store.check_ready().await.unwrap();
    database.execute("DROP TABLE _sqlx_migrations").await.unwrap();
    assert_eq!(kind(store.check_ready().await), ("NotMigrated", false));
}

#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn closed_store_answers_no_clone(#[case] backend: DbBackend) {
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    let store = database.open(Network::Custom, WRITE).await.unwrap();
    let clone = store.clone();
    store.close().await;
    assert_eq!(kind(clone.cursor().await).0, "Unavailable");
    assert_eq!(kind(move_cursor(&clone, cursor()).await).0, "Unavailable");
}

#[tokio::test]
async fn writer_that_waits_for_another_goes_on_when_that_one_is_gone() {
    let directory = TempDir::new().unwrap();
    let options = SqliteOptions::new(directory.path().join("node.db"));
    let first = SqliteDb::open(&options, Network::Custom, WRITE).await.unwrap();
    // The second is polled first, and finds the file held.
    let (second, ()) = tokio::join!(SqliteDb::open(&options, Network::Custom, WRITE), async {
        first.close().await;
        drop(first);
    });
    second.unwrap();
}

/// A call takes its place behind other writers before it knows whether it has something to write: one that reads first could
/// be refused when it turns to writing.
#[tokio::test]
async fn call_of_sqlite_that_writes_nothing_waits_for_other_writers_too() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("node.db");
    let options = SqliteOptions::new(&path).patience(Duration::from_millis(200));
    let store = SqliteDb::open(&options, Network::Custom, WRITE).await.unwrap();
    move_cursor(&store, cursor()).await.unwrap();
    let file = SqliteConnectOptions::new().filename(&path);
    let mut other = SqliteConnection::connect_with(&file).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    assert_eq!(kind(move_cursor(&store, cursor()).await), ("Busy", true));
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    move_cursor(&store, cursor()).await.unwrap();
}

#[tokio::test]
async fn lease_of_postgres_that_was_cut_is_noticed() {
    let Some(database) = Database::migrated(DbBackend::Postgres).await else {
        return;
    };
    let config = DbBackendConfig::new(DbBackend::Postgres, Some(database.url()), None, Network::Custom).unwrap();
    let (_store, mut lease) = config.open_as_writer(false).await.unwrap().unwrap();
    lease.check().await.unwrap();
    // Waits until the server's process has ended.
    let ended = database
        .texts(
            "SELECT pg_terminate_backend(pid, 60000)::TEXT FROM pg_locks
             WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await;
    assert_eq!(ended, ["true"]);
    assert_eq!(kind(lease.check().await).0, "Unavailable");
    assert!(lease.regain().await.unwrap().is_ok(), "nobody else has taken it");
    lease.check().await.unwrap();
}

/// A session that still lives on the server's side must not keep the lock from the process that has it.
#[tokio::test]
async fn lease_of_postgres_is_let_go_before_it_is_taken_again() {
    let Some(database) = Database::migrated(DbBackend::Postgres).await else {
        return;
    };
    let config = DbBackendConfig::new(DbBackend::Postgres, Some(database.url()), None, Network::Custom).unwrap();
    let (_store, mut lease) = config.open_as_writer(false).await.unwrap().unwrap();
    // The server notices the end of the old session a moment later.
    let regained = tokio::time::timeout(Duration::from_secs(20), async {
        while lease.regain().await.unwrap().is_err() {
            tokio::task::yield_now().await;
        }
    });
    assert!(regained.await.is_ok(), "the old session keeps the lock");
    lease.check().await.unwrap();
    assert!(config.open_as_writer(false).await.unwrap().is_err(), "it is held");
}

#[test]
fn postgres_options_show_where_and_not_the_password() {
    let options = PostgresOptions::new("postgres://user:secret@db.example:5433/node").unwrap();
    let shown = format!("{options:?}");
    assert_eq!(shown, "PostgresOptions(PostgreSQL at db.example:5433, database node)");
    let error = PostgresOptions::new("postgres://user:secret@[/node").unwrap_err();
    assert!(!error.contains("secret"), "{error}");
}

/// A store whose waiting for locks the server cuts is busy, and works when the lock is gone.
#[tokio::test]
async fn postgres_store_is_busy_while_its_row_is_locked() {
    let Some(database) = Database::migrated(DbBackend::Postgres).await else {
        return;
    };
    let mut url: url::Url = database.url().parse().unwrap();
    url.query_pairs_mut().append_pair("options", "-c lock_timeout=50ms");
    let config = DbBackendConfig::new(DbBackend::Postgres, Some(url.as_str()), None, Network::Custom).unwrap();
    let config = config.connect_timeout(Duration::from_mins(1));
    let store = NodeStorageBackend::connect(&config, WRITE).await.unwrap();
    let mut other = PgConnection::connect(database.url()).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT 1 FROM dlt_cursor FOR UPDATE")
        .execute(&mut other)
        .await
        .unwrap();
    assert_eq!(kind(move_cursor(&store, cursor()).await), ("Busy", true));
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    move_cursor(&store, cursor()).await.unwrap();
}
