//! What a test gets as an SQLite database.

#![allow(clippy::unwrap_used, reason = "all of this is test code")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use common::migrations;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};
use test_databases::{Error, Migrations, SqliteFile};

async fn count(file: &SqliteFile, query: &str) -> i64 {
    let mut connection = SqliteConnection::connect(file.url()).await.unwrap();
    sqlx::query_scalar(AssertSqlSafe(query))
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_file_has_what_the_migrations_made() {
    let file = SqliteFile::migrated(&migrations("sqlite")).await.unwrap();
    assert_eq!(
        count(&file, "SELECT count(*) FROM account WHERE name = 'first'").await,
        1
    );
    assert_eq!(
        count(&file, "SELECT count(*) FROM _sqlx_migrations WHERE success").await,
        2
    );
}

#[tokio::test]
async fn files_of_the_same_migrations_are_isolated() {
    let one = SqliteFile::migrated(&migrations("sqlite")).await.unwrap();
    let other = SqliteFile::migrated(&migrations("sqlite")).await.unwrap();
    let mut connection = SqliteConnection::connect(one.url()).await.unwrap();
    sqlx::query("DELETE FROM account")
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(count(&one, "SELECT count(*) FROM account").await, 0);
    assert_eq!(count(&other, "SELECT count(*) FROM account").await, 1);
}

#[tokio::test]
async fn an_empty_file_has_no_table() {
    let file = SqliteFile::empty().unwrap();
    assert_eq!(fs::metadata(file.path()).unwrap().len(), 0);
    assert_eq!(count(&file, "SELECT count(*) FROM sqlite_master").await, 0);
}

#[tokio::test]
async fn migrations_that_switch_to_write_ahead_logging_give_a_complete_file() {
    let directory = tempfile::tempdir().unwrap();
    let migration =
        "-- no-transaction\nPRAGMA journal_mode = WAL; CREATE TABLE t (id integer); INSERT INTO t VALUES (1);";
    fs::write(directory.path().join("0001_wal.sql"), migration).unwrap();
    let file = SqliteFile::migrated(&Migrations::new(directory.path()).unwrap())
        .await
        .unwrap();
    assert_eq!(fs::read_dir(file.path().parent().unwrap()).unwrap().count(), 1);
    assert_eq!(count(&file, "SELECT count(*) FROM t").await, 1);
}

#[tokio::test]
async fn only_the_owner_can_read_a_file() {
    let file = SqliteFile::migrated(&migrations("sqlite")).await.unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(file.path()), 0o600);
    assert_eq!(mode(file.path().parent().unwrap()), 0o700);
}

#[test]
fn a_file_is_removed_after_success() {
    let file = SqliteFile::empty().unwrap();
    let directory = file.path().parent().unwrap().to_owned();
    drop(file);
    assert!(!directory.exists());
}

#[test]
fn a_file_stays_after_a_panic() {
    let file = SqliteFile::empty().unwrap();
    let path = file.path().to_owned();
    let failing_test = thread::spawn(move || {
        let _file = file;
        panic!("this panic is what the test is about");
    });
    failing_test.join().unwrap_err();
    assert!(path.exists());
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[tokio::test]
async fn a_migration_that_fails_is_an_error_that_names_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("0001_wrong.sql"), "CREATE TABBLE a (b integer);").unwrap();
    let error = SqliteFile::migrated(&Migrations::new(directory.path()).unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Migration { engine: "SQLite", .. }), "{error}");
    assert!(
        error.to_string().contains(directory.path().to_str().unwrap()),
        "{error}"
    );
}
