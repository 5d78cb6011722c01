//! What a call may rely on when it is lent a connection, asked of SQLite files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use node_storage_connections::{Connections, Settings};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Error, Sqlite};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(10);

async fn connections(directory: &TempDir, most: u32, patience: Duration) -> Connections<Sqlite> {
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("test.db"))
        .create_if_missing(true);
    let connections: Connections<Sqlite> = Connections::new(
        options,
        &Settings {
            most,
            patience,
            kept: false,
            remote: false,
            prepare: None,
        },
    );
    let mut lent = connections.lend().await.unwrap();
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS number (value INTEGER)")
        .execute(&mut *lent)
        .await
        .unwrap();
    lent.settled();
    connections
}

async fn numbers(connections: &Connections<Sqlite>) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM number")
        .fetch_one(connections)
        .await
        .unwrap()
}

/// What only this connection sees tells it from others.
async fn mark(connections: &Connections<Sqlite>) {
    let mut lent = connections.lend().await.unwrap();
    sqlx::raw_sql("CREATE TEMPORARY TABLE mark (value INTEGER)")
        .execute(&mut *lent)
        .await
        .unwrap();
    lent.settled();
}

async fn is_marked(connections: &Connections<Sqlite>) -> bool {
    sqlx::query("SELECT value FROM mark")
        .fetch_optional(connections)
        .await
        .is_ok()
}

#[tokio::test]
async fn connection_that_ended_its_call_is_lent_again() {
    let directory = TempDir::new().unwrap();
    let connections = connections(&directory, 5, PATIENCE).await;
    mark(&connections).await;
    for _ in 0..10 {
        assert!(is_marked(&connections).await);
    }
}

#[tokio::test]
async fn transaction_that_is_dropped_is_rolled_back_before_its_connection_is_lent() {
    let directory = TempDir::new().unwrap();
    let connections = connections(&directory, 1, PATIENCE).await;
    mark(&connections).await;
    let mut transaction = connections.begin_with("BEGIN IMMEDIATE").await.unwrap();
    sqlx::query("INSERT INTO number VALUES (1)")
        .execute(&mut *transaction)
        .await
        .unwrap();
    drop(transaction);
    assert_eq!(numbers(&connections).await, 0);
    assert!(is_marked(&connections).await, "another connection was made");
    let mut transaction = connections.begin().await.unwrap();
    sqlx::query("INSERT INTO number VALUES (2)")
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(numbers(&connections).await, 1);
}

#[tokio::test]
async fn call_waits_for_a_connection_as_long_as_it_is_said() {
    let directory = TempDir::new().unwrap();
    let connections = connections(&directory, 1, Duration::from_millis(50)).await;
    let lent = connections.lend().await.unwrap();
    assert!(matches!(connections.lend().await, Err(Error::PoolTimedOut)));
    lent.settled();
    assert_eq!(numbers(&connections).await, 0);
}

#[tokio::test]
async fn closing_waits_for_calls_that_have_begun_and_refuses_later_ones() {
    let directory = TempDir::new().unwrap();
    let connections = connections(&directory, 2, PATIENCE).await;
    let lent = connections.lend().await.unwrap();
    {
        let mut closing = pin!(connections.close());
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(closing.as_mut().poll(&mut context), Poll::Pending);
        assert!(matches!(connections.lend().await, Err(Error::PoolClosed)));
        lent.settled();
        closing.await;
    }
    assert!(matches!(connections.lend().await, Err(Error::PoolClosed)));
    // Closed once more, there is nothing left to close.
    connections.close().await;
}
