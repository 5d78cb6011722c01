//! Opening what is not there, not ours, or held by somebody else: the errors of the contract, and files for their owner alone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use engine_tests::connect;
use engine_tests::database::Database;
use node_storage::contract::{Access, Network, StorageError};
use node_storage::sqlite::{SqliteDb, SqliteOptions, write_empty_file};
use node_storage::{DbBackend, DbBackendConfig, DltCursorRepo, NodeStorageBackend, RawOperationRepo};
use node_storage_conformance::{deliver, move_cursor};
use rstest::rstest;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use test_databases::PostgresServer;
use tokio::time::timeout;

const WRITE: Access = Access::Write { migrate: true };
const EVERY_ACCESS: [Access; 3] = [WRITE, Access::Write { migrate: false }, Access::Read];

/// Opens a file that no other process is in the way of for long.
async fn open_file(path: &Path, access: Access) -> Result<SqliteDb, StorageError> {
    let options = SqliteOptions::new(path).patience(Duration::from_millis(200));
    SqliteDb::open(&options, Network::Custom, access).await
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

async fn sqlite_with(path: &Path, statements: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn files_of_others_are_refused_and_left_as_they_are() {
    let directory = TempDir::new().unwrap();
    let text = directory.path().join("notes.txt");
    fs::write(
        &text,
        "This is a text of some length, which is not an SQLite database. ".repeat(40),
    )
    .unwrap();
    let short = directory.path().join("short");
    fs::write(&short, "short").unwrap();
    let tables = directory.path().join("tables.db");
    sqlite_with(
        &tables,
        "CREATE TABLE block (number INTEGER); INSERT INTO block VALUES (1)",
    )
    .await;
    let application = directory.path().join("application.db");
    sqlite_with(&application, "PRAGMA application_id = 252006674; CREATE TABLE a (b)").await;
    let only_marked = directory.path().join("marked.db");
    sqlite_with(&only_marked, "PRAGMA application_id = 252006674").await;
    for path in [&text, &short, &tables, &application, &only_marked] {
        let before = fs::read(path).unwrap();
        for access in EVERY_ACCESS {
            match open_file(path, access).await {
                Err(StorageError::Foreign { subject, .. }) => assert_eq!(subject, path.display().to_string()),
                Err(error) => panic!("{}: not Foreign: {error}", path.display()),
                Ok(_) => panic!("{} was opened", path.display()),
            }
        }
        assert!(fs::read(path).unwrap() == before, "{} was changed", path.display());
    }
}

#[tokio::test]
async fn directory_in_place_of_a_file_is_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("node.db");
    fs::create_dir(&path).unwrap();
    for access in EVERY_ACCESS {
        let refused = open_file(&path, access).await.err();
        assert!(matches!(refused, Some(StorageError::Foreign { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn missing_file_is_made_for_writing_and_awaited_by_readers() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a/b/node.db");
    match open_file(&path, Access::Read).await {
        Err(StorageError::Unavailable {
            retryable: true,
            detail,
        }) => {
            assert!(detail.contains(&path.display().to_string()), "{detail}");
        }
        other => panic!("not Unavailable, to be tried again: {other:?}"),
    }
    assert!(!path.parent().unwrap().exists(), "a reader makes nothing");
    let store = open_file(&path, WRITE).await.unwrap();
    store.check_ready().await.unwrap();
    open_file(&path, Access::Read)
        .await
        .unwrap()
        .check_ready()
        .await
        .unwrap();
}

#[tokio::test]
async fn directory_that_can_not_be_made_is_unavailable() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let path = file.join("node.db");
    match open_file(&path, WRITE).await {
        Err(StorageError::Unavailable {
            retryable: false,
            detail,
        }) => {
            assert!(detail.contains(&file.display().to_string()), "{detail}");
        }
        other => panic!("not Unavailable: {other:?}"),
    }
}

#[tokio::test]
async fn file_and_directory_belong_to_their_owner_alone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("data/preprod/node.db");
    let store = open_file(&path, WRITE).await.unwrap();
    move_cursor(&store, cursor()).await.unwrap();
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(path.parent().unwrap().parent().unwrap()), 0o700);
    let files: Vec<_> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(files.len() >= 3, "the file, its journal and its lock: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

fn cursor() -> node_storage::contract::Cursor {
    node_storage::contract::Cursor {
        slot: 20_u64.try_into().unwrap(),
        block: 1_u64.try_into().unwrap(),
        hash: prism_fixtures::block_hash(1, 1),
    }
}

#[tokio::test]
async fn second_writer_of_a_file_is_busy_until_the_first_is_gone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("node.db");
    let first = open_file(&path, WRITE).await.unwrap();
    match open_file(&path, WRITE).await {
        Err(error @ StorageError::Busy { .. }) => {
            assert!(error.is_retryable());
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        }
        other => panic!("not Busy: {other:?}"),
    }
    let clone = first.clone();
    drop(first);
    let still_held = open_file(&path, WRITE).await.err();
    assert!(
        matches!(still_held, Some(StorageError::Busy { .. })),
        "a clone holds it: {still_held:?}"
    );
    clone.close().await;
    drop(clone);
    open_file(&path, WRITE).await.unwrap();
}

#[tokio::test]
async fn writes_are_busy_while_somebody_else_locks_the_file() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("node.db");
    let store = open_file(&path, WRITE).await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    match move_cursor(&store, cursor()).await {
        Err(error @ StorageError::Busy { .. }) => assert!(error.is_retryable()),
        other => panic!("not Busy: {other:?}"),
    }
    assert_eq!(store.cursor().await.unwrap(), None, "reads go on");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    move_cursor(&store, cursor()).await.unwrap();
    assert_eq!(store.cursor().await.unwrap(), Some(cursor()));
}

#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn another_network_is_refused_naming_both(#[case] backend: DbBackend) {
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    let store = database.open(Network::Preprod, WRITE).await.unwrap();
    store.close().await;
    drop(store);
    for access in EVERY_ACCESS {
        match database.open(Network::Mainnet, access).await {
            Err(StorageError::WrongNetwork { stored, requested }) => {
                assert_eq!((stored, requested), (Network::Preprod, Network::Mainnet));
            }
            other => panic!("not WrongNetwork: {other:?}"),
        }
    }
}

#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn unknown_stored_network_is_damage(#[case] backend: DbBackend) {
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    database.open(Network::Custom, WRITE).await.unwrap().close().await;
    let checks = match backend {
        DbBackend::Sqlite => "PRAGMA ignore_check_constraints = ON; UPDATE network SET name = 'moon'",
        DbBackend::Postgres => {
            "ALTER TABLE network DROP CONSTRAINT network_name_check; UPDATE network SET name = 'moon'"
        }
    };
    database.execute(checks).await.unwrap();
    let refused = database.open(Network::Custom, Access::Read).await.err();
    assert!(matches!(refused, Some(StorageError::Corrupt { .. })), "{refused:?}");
}

/// A stored row that breaks the contract is damage, named, on both engines; nothing panics and nothing else is in its way.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn damaged_row_is_named(#[case] backend: DbBackend) {
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    let store = database.open(Network::Custom, WRITE).await.unwrap();
    let blocks = [prism_fixtures::block(1, 1, 20, [[vec![1], vec![2]]])];
    let cursor = node_storage::contract::Cursor::at(&(&blocks[0]).into());
    deliver(&store, &blocks, cursor).await.unwrap();
    let damage = match backend {
        DbBackend::Sqlite => "PRAGMA ignore_check_constraints = ON; UPDATE block SET block_hash = {31 bytes}",
        DbBackend::Postgres => {
            "ALTER TABLE block DROP CONSTRAINT block_block_hash_check; UPDATE block SET block_hash = {31 bytes}"
        }
    };
    database.execute(damage).await.unwrap();
    match store.block(blocks[0].number).await {
        Err(error @ StorageError::Corrupt { .. }) => {
            assert!(!error.is_retryable());
            assert!(error.to_string().contains("block 1"), "{error}");
        }
        other => panic!("not Corrupt: {other:?}"),
    }
    assert_eq!(store.bound().await.unwrap().operations, 2);
}

/// Opens a PostgreSQL URL, with so much patience.
async fn open_postgres(url: &str, patience: Duration) -> Result<NodeStorageBackend, StorageError> {
    let config = DbBackendConfig::new(DbBackend::Postgres, Some(url), None, Network::Custom).unwrap();
    NodeStorageBackend::connect(&config.connect_timeout(patience), WRITE).await
}

#[tokio::test]
async fn unreachable_postgres_is_unavailable_and_may_come_back() {
    let started = Instant::now();
    // Port 1 is reserved, and nothing listens there.
    match open_postgres("postgres://user:secret@127.0.0.1:1/node", Duration::from_millis(600)).await {
        Err(error @ StorageError::Unavailable { retryable: true, .. }) => {
            let text = format!("{error} {error:?}");
            assert!(text.contains("127.0.0.1:1") && !text.contains("secret"), "{text}");
            // What the last attempt met, and not that there was no time for one more.
            assert!(text.contains("refused"), "{text}");
        }
        other => panic!("not Unavailable: {other:?}"),
    }
    assert!(started.elapsed() >= Duration::from_millis(250), "it is tried once");
}

#[tokio::test]
async fn refused_log_in_and_missing_database_are_unavailable_for_good() {
    if !node_storage_conformance::is_chosen("postgres") {
        return;
    }
    let server = PostgresServer::shared().await.unwrap();
    let mut wrong_user: url::Url = server.url().parse().unwrap();
    wrong_user.set_username("nobody_has_this_name").unwrap();
    wrong_user.set_password(Some("secret")).unwrap();
    let mut wrong_database: url::Url = server.url().parse().unwrap();
    wrong_database.set_path("no_database_has_this_name");
    for url in [wrong_user, wrong_database] {
        // Nobody waits for what does not change.
        let opened = timeout(
            Duration::from_mins(1),
            open_postgres(url.as_str(), Duration::from_hours(1)),
        );
        match opened.await.unwrap() {
            Err(error @ StorageError::Unavailable { retryable: false, .. }) => {
                assert!(!error.to_string().contains("secret"), "{error}");
            }
            other => panic!("not Unavailable for good: {other:?}"),
        }
    }
}

#[tokio::test]
async fn concurrent_first_openings_of_postgres_agree_on_one_network() {
    let Some(database) = Database::empty(DbBackend::Postgres).await else {
        return;
    };
    let url = database.url();
    let open = |network| connect(DbBackend::Postgres, url, network, WRITE);
    let [mainnet, preprod, preview, custom] = Network::ALL;
    let outcomes: [_; 4] = tokio::join!(open(mainnet), open(preprod), open(preview), open(custom)).into();
    let opened: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    assert_eq!(opened.len(), 1, "{outcomes:?}");
    let winner = opened[0].network().await.unwrap().unwrap();
    for (network, outcome) in Network::ALL.into_iter().zip(&outcomes) {
        match outcome {
            Ok(_) => assert_eq!(network, winner),
            Err(StorageError::WrongNetwork { stored, requested }) => {
                assert_eq!((*stored, *requested), (winner, network));
            }
            Err(error) => panic!("neither opened nor WrongNetwork: {error}"),
        }
    }
}

#[tokio::test]
async fn postgres_has_one_writer_at_a_time() {
    let Some(database) = Database::migrated(DbBackend::Postgres).await else {
        return;
    };
    let config = DbBackendConfig::new(DbBackend::Postgres, Some(database.url()), None, Network::Custom).unwrap();
    let (_store, mut first) = config
        .open_as_writer(false)
        .await
        .unwrap()
        .expect("nobody is the writer");
    let other = config
        .open_as_writer(false)
        .await
        .unwrap()
        .expect_err("there is a writer");
    let holder = other.describe("it");
    assert!(
        holder.contains("process ") && holder.contains("neoprism-node"),
        "the holder is not named: {holder}"
    );
    first.check().await.unwrap();
    first.release().await.unwrap();
    let second = config.open_as_writer(false).await.unwrap();
    assert!(second.is_ok(), "it was given back");
}

#[tokio::test]
async fn empty_files_are_the_same_bytes_each_time() {
    let directory = TempDir::new().unwrap();
    let [one, other] = ["one.db", "other.db"].map(|name| directory.path().join(name));
    write_empty_file(&one).await.unwrap();
    write_empty_file(&other).await.unwrap();
    assert!(fs::read(&one).unwrap() == fs::read(&other).unwrap(), "the bytes differ");
    let mut names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["one.db", "other.db"]);

    // What is there is not written over.
    match write_empty_file(&one).await {
        Err(StorageError::Unavailable { retryable, detail }) => {
            assert!(!retryable && detail.contains("one.db"), "{detail}");
        }
        result => panic!("not Unavailable: {result:?}"),
    }
    assert!(
        fs::read(&one).unwrap() == fs::read(&other).unwrap(),
        "the file was changed"
    );
}

#[tokio::test]
async fn empty_file_is_a_current_database_and_becomes_one_of_the_network_that_opens_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("empty.db");
    write_empty_file(&path).await.unwrap();
    for access in [Access::Read, Access::Write { migrate: false }] {
        let store = open_file(&path, access).await.unwrap();
        assert_eq!(store.bound().await.unwrap().operations, 0);
        assert_eq!(store.cursor().await.unwrap(), None);
        store.close().await;
    }
    let options = SqliteOptions::new(&path);
    match SqliteDb::open(&options, Network::Mainnet, Access::Read).await {
        Err(StorageError::WrongNetwork { stored, .. }) => assert_eq!(stored, Network::Custom),
        result => panic!("not WrongNetwork: {:?}", result.map(drop)),
    }
}
