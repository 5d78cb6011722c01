//! The schema and its migrations: the same on both engines, applied step by step, and refused where they are not ours.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::fs;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use engine_tests::database::Database;
use engine_tests::migrations;
use node_storage::contract::{
    Access, IndexEntry, IndexOutcome, MigrationError, Network, PageLimit, Reason, StorageError,
};
use node_storage::{
    DbBackend, DltCursorRepo, IndexedOperationRepo, IndexerStateRepo, NodeStorageBackend, RawOperationRepo,
};
use rstest::rstest;
use sqlx::migrate::Migrator;

const MIGRATE: Access = Access::Write { migrate: true };
const SKIP: Access = Access::Write { migrate: false };

/// Version and name of each migration of an engine.
async fn versions(backend: DbBackend) -> Vec<(i64, String)> {
    let directory = migrations(backend.name()).directory().to_owned();
    let migrator = Migrator::new(directory).await.unwrap();
    migrator
        .iter()
        .map(|migration| (migration.version, migration.description.to_string()))
        .collect()
}

async fn latest_version() -> i64 {
    versions(DbBackend::Sqlite).await.last().unwrap().0
}

#[track_caller]
fn assert_refused(opened: Result<NodeStorageBackend, StorageError>, expected: &MigrationError) {
    match opened {
        Err(StorageError::Migration(error)) => assert_eq!(error, *expected),
        Err(error) => panic!("not Migration: {error}"),
        Ok(_) => panic!("opened, not {expected:?}"),
    }
}

#[tokio::test]
async fn both_engines_have_the_same_versions_under_the_same_names() {
    let names = |backend: DbBackend| {
        let directory = migrations(backend.name()).directory().to_owned();
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(DbBackend::Sqlite), names(DbBackend::Postgres));
    let versions_of_sqlite = versions(DbBackend::Sqlite).await;
    assert_eq!(versions_of_sqlite, versions(DbBackend::Postgres).await);
    for (expected, (version, _)) in (1..).zip(&versions_of_sqlite) {
        assert_eq!(*version, expected, "versions are 1, 2, 3, …");
    }
}

/// Each version is applied to a database that has content, and the store of the program then reads, indexes and goes on.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn migrations_keep_the_content_of_every_version(#[case] backend: DbBackend) {
    let Some(database) = Database::empty(backend).await else {
        return;
    };
    database.migrate_to(1).await;
    database
        .execute(
            "INSERT INTO block (block_number, slot, block_hash, block_time) VALUES (7, 140, {32 bytes}, -1);
             INSERT INTO ledger_transaction (block_number, absn, transaction_id) VALUES (7, 2, {32 bytes});
             INSERT INTO raw_operation (block_number, absn, osn, operation_id, signed_operation)
             VALUES (7, 2, 3, {32 bytes}, {5 bytes});
             UPDATE dlt_cursor SET slot = 141, block_number = 8, block_hash = {32 bytes}",
        )
        .await
        .unwrap();
    for version in 2..=latest_version().await {
        database.migrate_to(version).await;
    }
    let store = database.open(Network::Custom, MIGRATE).await.unwrap();
    let cursor = store.cursor().await.unwrap().unwrap();
    assert_eq!(
        (cursor.slot.get(), cursor.block.get(), cursor.hash.as_slice()),
        (141, 8, &[0; 32][..])
    );
    let operations = store.operations_after(None, PageLimit::MAX).await.unwrap();
    assert_eq!(operations.len(), 1);
    let operation = &operations[0];
    assert_eq!(operation.operation.bytes.as_slice(), &[0; 5]);
    assert_eq!(operation.operation.block_time.unix_micros(), -1);
    assert_eq!(operation.indexing, None);
    let entry = IndexEntry {
        position: operation.operation.position,
        outcome: IndexOutcome::Ignored {
            reason: Reason::new("a test"),
        },
    };
    store.index(&[entry]).await.unwrap();
    assert!(store.indexer_state().await.unwrap().is_complete());
}

/// Opening for writing brings a database of any version up to date, and the same database is then opened as it is.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn opening_for_writing_migrates_from_any_version(#[case] backend: DbBackend) {
    for version in 0..=latest_version().await {
        let Some(database) = Database::empty(backend).await else {
            return;
        };
        if version > 0 {
            database.migrate_to(version).await;
        }
        let store = database.filled().await;
        store.check_ready().await.unwrap();
        store.close().await;
        drop(store);
        for access in [SKIP, Access::Read, MIGRATE] {
            let store = database.open(Network::Custom, access).await.unwrap();
            assert_eq!(store.bound().await.unwrap().operations, 100);
            store.close().await;
        }
    }
}

/// Without leave to migrate, a database that has no schema, or an older one, is refused and left as it is.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn outdated_schema_is_refused_where_migrating_is_not_allowed(#[case] backend: DbBackend) {
    let Some(database) = Database::empty(backend).await else {
        return;
    };
    for access in [SKIP, Access::Read] {
        assert_refused(
            database.open(Network::Custom, access).await,
            &MigrationError::NotMigrated,
        );
    }
    let required = latest_version().await;
    for found in 1..required {
        database.migrate_to(found).await;
        for access in [SKIP, Access::Read] {
            let opened = database.open(Network::Custom, access).await;
            assert_refused(opened, &MigrationError::Outdated { found, required });
        }
        assert_eq!(applied(&database).await.len(), usize::try_from(found).unwrap());
        assert_eq!(database.texts("SELECT name FROM network").await, Vec::<String>::new());
    }
}

/// A schema that is newer than the program, or that another text made, is refused by every opening, and left as it is.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn newer_or_changed_schema_is_refused(#[case] backend: DbBackend) {
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    let supported = latest_version().await;
    database
        .execute(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9000, 'of the future', TRUE, {48 bytes}, 1)",
        )
        .await
        .unwrap();
    let before = applied(&database).await;
    for access in [MIGRATE, SKIP, Access::Read] {
        let opened = database.open(Network::Custom, access).await;
        assert_refused(opened, &MigrationError::Newer { found: 9000, supported });
    }
    database
        .execute(
            "DELETE FROM _sqlx_migrations WHERE version = 9000;
             UPDATE _sqlx_migrations SET checksum = {48 bytes} WHERE version = 1",
        )
        .await
        .unwrap();
    for access in [MIGRATE, SKIP, Access::Read] {
        let opened = database.open(Network::Custom, access).await;
        assert_refused(opened, &MigrationError::Changed { version: 1 });
    }
    assert_eq!(applied(&database).await.len(), before.len() - 1);
    assert_eq!(database.texts("SELECT name FROM network").await, Vec::<String>::new());
}

/// A step that fails, here because somebody else has made a table of its name, is undone as a whole, and the version before
/// goes on working for the program that knows it.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn failed_migration_leaves_the_version_before(#[case] backend: DbBackend) {
    let Some(database) = Database::empty(backend).await else {
        return;
    };
    database.migrate_to(1).await;
    let before = applied(&database).await;
    database.execute("CREATE TABLE listed_did (did INTEGER)").await.unwrap();
    let opened = database.open(Network::Custom, MIGRATE).await;
    assert!(opened.is_err(), "a migration that can't run is refused");
    assert_eq!(applied(&database).await, before);
    let undone = database
        .execute("INSERT INTO indexer_watermark (singleton) VALUES (1)")
        .await;
    assert!(undone.is_err(), "no table of the failed step is there");
    database.execute("DROP TABLE listed_did").await.unwrap();
    let store = database.filled().await;
    assert!(store.indexer_state().await.unwrap().is_complete());
}

/// Wherever an opening is dropped while it migrates, each version is there as a whole or not at all.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn interrupted_migration_leaves_a_version(#[case] backend: DbBackend) {
    let latest = usize::try_from(latest_version().await).unwrap();
    let mut polls = 0;
    loop {
        let Some(database) = Database::empty(backend).await else {
            return;
        };
        let opened = poll_at_most(polls, database.open(Network::Custom, MIGRATE)).await;
        let is_finished = opened.is_some();
        if let Some(store) = opened {
            store.unwrap().close().await;
        }
        let store = database.filled().await;
        assert_eq!(applied(&database).await.len(), latest);
        assert!(store.indexer_state().await.unwrap().is_complete());
        store.close().await;
        if is_finished {
            break;
        }
        // A whole opening takes about fifty polls on SQLite, and a thousand on PostgreSQL.
        polls += 1 + polls / 2;
    }
    assert!(polls > 0, "some openings were interrupted");
}

/// Polls a future so often, and drops it where it is not ready by then.
async fn poll_at_most<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// Openings that find an old schema at the same time migrate it once; each of them then has the store.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn openings_that_migrate_at_once_do_it_once(#[case] backend: DbBackend) {
    let Some(database) = Database::empty(backend).await else {
        return;
    };
    let open = async || {
        let store = database.open(Network::Custom, MIGRATE).await.unwrap();
        store.check_ready().await.unwrap();
        // On SQLite the others wait for this.
        store.close().await;
    };
    tokio::join!(open(), open(), open(), open());
    let latest = usize::try_from(latest_version().await).unwrap();
    assert_eq!(applied(&database).await.len(), latest);
}

/// The applied migrations, with their checksums.
async fn applied(database: &Database) -> Vec<String> {
    let rows = "SELECT CAST(version AS TEXT) || ' ' || {hex checksum} FROM _sqlx_migrations ORDER BY version";
    database.texts(rows).await
}

#[tokio::test]
async fn sqlite_file_says_whose_it_is_and_of_which_version() {
    let Some(database) = Database::migrated(DbBackend::Sqlite).await else {
        return;
    };
    let pragma = async |name: &str| {
        let rows = database
            .texts(&format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"))
            .await;
        rows[0].parse::<i64>().unwrap()
    };
    assert_eq!(pragma("user_version").await, latest_version().await);
    assert_eq!(pragma("application_id").await, i64::from(u32::from_be_bytes(*b"NPRI")));
}

#[test]
fn migrations_have_no_statement_that_reads_a_clock() {
    for engine in ["sqlite", "postgres"] {
        for entry in fs::read_dir(migrations(engine).directory()).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap().to_lowercase();
            for clock in ["now()", "current_timestamp", "current_time", "datetime(", "timestamptz"] {
                assert!(!text.contains(clock), "{}: {clock}", path.display());
            }
        }
    }
}
