//! What a test gets from the shared PostgreSQL server.

#![allow(clippy::unwrap_used, reason = "all of this is test code")]

mod common;

use std::future::Future;
use std::thread;

use common::{TIME_BUILT, count, execute, exists, migrations, migrations_of_one_table, unique};
use futures_util::future::join_all;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use test_databases::{Error, PostgresServer};

/// A test without a runtime of its own.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

#[tokio::test]
async fn a_database_has_what_the_migrations_made() {
    let server = PostgresServer::shared().await.unwrap();
    let database = server.database(&migrations("postgres")).await.unwrap();
    assert_eq!(
        count(database.url(), "SELECT count(*) FROM account WHERE name = 'first'").await,
        1
    );
    assert_eq!(
        count(database.url(), "SELECT count(*) FROM _sqlx_migrations WHERE success").await,
        2
    );
}

#[tokio::test]
async fn databases_of_the_same_migrations_are_isolated() {
    let server = PostgresServer::shared().await.unwrap();
    let one = server.database(&migrations("postgres")).await.unwrap();
    let other = server.database(&migrations("postgres")).await.unwrap();
    execute(one.url(), "DELETE FROM account").await.unwrap();
    assert_eq!(count(one.url(), "SELECT count(*) FROM account").await, 0);
    assert_eq!(count(other.url(), "SELECT count(*) FROM account").await, 1);
}

#[tokio::test]
async fn an_empty_database_has_no_table() {
    let server = PostgresServer::shared().await.unwrap();
    let database = server.empty_database().await.unwrap();
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
    assert_eq!(count(database.url(), tables).await, 0);
}

#[tokio::test]
async fn the_template_is_built_once_by_concurrent_tests_of_a_process() {
    let server = PostgresServer::shared().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let table = unique("concurrent");
    let migrations = migrations_of_one_table(directory.path(), &table);

    let databases = join_all((0..8).map(|_| server.database(&migrations))).await;

    let mut times_built = Vec::new();
    for database in &databases {
        times_built.push(count(database.as_ref().unwrap().url(), TIME_BUILT).await);
    }
    times_built.dedup();
    assert_eq!(times_built.len(), 1);
}

#[test]
fn tests_in_threads_with_runtimes_of_their_own_share_the_server() {
    let urls: Vec<String> = thread::scope(|scope| {
        let one_test = || {
            block_on(async {
                let server = PostgresServer::shared().await.unwrap();
                let database = server.database(&migrations("postgres")).await.unwrap();
                assert_eq!(count(database.url(), "SELECT count(*) FROM account").await, 1);
                server.url().to_owned()
            })
        };
        let tests: Vec<_> = (0..4).map(|_| scope.spawn(one_test)).collect();
        tests.into_iter().map(|test| test.join().unwrap()).collect()
    });
    assert!(urls.windows(2).all(|pair| pair[0] == pair[1]), "{urls:?}");
}

#[tokio::test]
async fn a_database_is_dropped_after_success_even_while_connected() {
    let server = PostgresServer::shared().await.unwrap();
    let database = server.database(&migrations("postgres")).await.unwrap();
    let name = database.name().to_owned();
    let _connection = PgConnection::connect(database.url()).await.unwrap();
    assert!(exists(server, &name).await);
    drop(database);
    assert!(!exists(server, &name).await);
}

#[test]
fn a_database_is_dropped_outside_a_runtime_too() {
    let server = block_on(PostgresServer::shared()).unwrap();
    let database = block_on(server.empty_database()).unwrap();
    let name = database.name().to_owned();
    drop(database);
    assert!(!block_on(exists(server, &name)));
}

#[test]
fn a_database_stays_after_a_panic() {
    let server = block_on(PostgresServer::shared()).unwrap();
    let database = block_on(server.database(&migrations("postgres"))).unwrap();
    let (name, url) = (database.name().to_owned(), database.url().to_owned());

    let failing_test = thread::spawn(move || {
        let _database = database;
        panic!("this panic is what the test is about");
    });
    failing_test.join().unwrap_err();

    assert_eq!(block_on(count(&url, "SELECT count(*) FROM account")), 1);
    block_on(execute(server.url(), &format!("DROP DATABASE {name}"))).unwrap();
}

#[tokio::test]
async fn a_half_built_template_is_built_anew() {
    let server = PostgresServer::shared().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let table = unique("half_built");
    let migrations = migrations_of_one_table(directory.path(), &table);
    let template = server.template_name(&migrations);
    // What a process leaves that ends after CREATE DATABASE: no table, no mark.
    execute(server.url(), &format!("CREATE DATABASE {template}"))
        .await
        .unwrap();

    let database = server.database(&migrations).await.unwrap();

    assert_eq!(count(database.url(), &format!("SELECT count(*) FROM {table}")).await, 0);
}

#[tokio::test]
async fn a_template_that_was_dropped_is_built_anew() {
    let server = PostgresServer::shared().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let table = unique("dropped");
    let migrations = migrations_of_one_table(directory.path(), &table);
    drop(server.database(&migrations).await.unwrap());
    let template = server.template_name(&migrations);
    execute(server.url(), &format!("ALTER DATABASE {template} IS_TEMPLATE false"))
        .await
        .unwrap();
    execute(server.url(), &format!("DROP DATABASE {template}"))
        .await
        .unwrap();

    let database = server.database(&migrations).await.unwrap();

    assert_eq!(count(database.url(), &format!("SELECT count(*) FROM {table}")).await, 0);
}

#[tokio::test]
async fn a_migration_that_fails_is_an_error_and_leaves_no_template() {
    let server = PostgresServer::shared().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("0001_wrong.sql"),
        "CREATE TABLE a (b no_such_type);",
    )
    .unwrap();
    let migrations = test_databases::Migrations::new(directory.path()).unwrap();

    let error = server.database(&migrations).await.unwrap_err();

    assert!(matches!(error, Error::Migration { .. }), "{error}");
    assert!(error.to_string().contains("no_such_type"), "{error}");
    assert!(!exists(server, &server.template_name(&migrations)).await);
}
