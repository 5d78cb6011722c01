//! A server that ends its sessions: what the callers of a store notice of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::time::{Duration, Instant};

use engine_tests::database::Database;
use fault_proxy::{FaultProxy, Opened};
use node_storage::{DbBackend, DltCursorRepo, IndexerStateRepo, RawOperationRepo};
use node_storage_conformance::move_cursor;
use node_storage_connections::{Connections, Settings};
use sqlx::Postgres;
use url::Url;

/// Ends every session of the database but the one that says so.
const END_SESSIONS: &str = "SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity \
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";

#[tokio::test(flavor = "multi_thread")]
async fn calls_do_not_notice_that_the_postgres_server_ended_their_sessions() {
    let Some(database) = Database::migrated(DbBackend::Postgres).await else {
        return;
    };
    let store = database.filled().await;
    let cursor = store.cursor().await.unwrap();
    let number = cursor.unwrap().block;
    for _ in 0..5 {
        let (read, state) = tokio::join!(store.cursor(), store.indexer_state());
        assert_eq!(read.unwrap(), cursor);
        assert!(state.unwrap().last_stored.is_some());
        database.execute(END_SESSIONS).await.unwrap();
        assert_eq!(store.cursor().await.unwrap(), cursor);
        assert!(store.block(number).await.unwrap().is_some());
        database.execute(END_SESSIONS).await.unwrap();
        move_cursor(&store, cursor.unwrap()).await.unwrap();
    }
}

fn connections(url: &str, patience: Duration) -> Connections<Postgres> {
    let settings = Settings {
        most: 1,
        patience,
        kept: false,
        remote: true,
        prepare: None,
    };
    Connections::new(url.parse().unwrap(), &settings)
}

async fn one(connections: &Connections<Postgres>) -> sqlx::Result<i32> {
    sqlx::query_scalar("SELECT 1").fetch_one(connections).await
}

/// A connection that was used a moment ago is not asked whether it is there: what is sent on it finds out.
#[tokio::test]
async fn what_finds_its_connection_lost_is_sent_once_more() {
    let Some(database) = Database::migrated(DbBackend::Postgres).await else {
        return;
    };
    let connections = connections(database.url(), Duration::from_secs(30));
    for _ in 0..2 {
        assert_eq!(one(&connections).await.unwrap(), 1);
        database.execute(END_SESSIONS).await.unwrap();
    }
    assert_eq!(one(&connections).await.unwrap(), 1);
    database.execute(END_SESSIONS).await.unwrap();
    let transaction = connections.begin().await.unwrap();
    transaction.commit().await.unwrap();
}

/// A server that answers on another connection is at work.
#[tokio::test]
async fn statement_that_takes_longer_than_the_patience_is_waited_for() {
    let Some(database) = Database::migrated(DbBackend::Postgres).await else {
        return;
    };
    let connections = connections(database.url(), Duration::from_secs(2));
    let slow = sqlx::query("SELECT pg_sleep(3)").fetch_all(&connections).await.unwrap();
    assert_eq!(slow.len(), 1);
    assert_eq!(one(&connections).await.unwrap(), 1);
}

/// Standing connections are not answered, and new ones are accepted and not answered either.
#[tokio::test]
async fn read_and_beginning_that_nobody_answers_end_within_the_patience() {
    const PATIENCE: Duration = Duration::from_secs(2);
    let Some(database) = Database::migrated(DbBackend::Postgres).await else {
        return;
    };
    let mut url = Url::parse(database.url()).unwrap();
    let server = url.socket_addrs(|| None).unwrap()[0];
    let proxy = FaultProxy::before(server);
    url.set_ip_host(proxy.address().ip()).unwrap();
    url.set_port(Some(proxy.address().port())).unwrap();
    for begins in [false, true] {
        let connections = connections(url.as_str(), PATIENCE);
        assert_eq!(one(&connections).await.unwrap(), 1);
        proxy.silence("");
        proxy.when_opened(Opened::Silent);
        let asked = Instant::now();
        let answer = if begins {
            connections.begin().await.map(drop)
        } else {
            one(&connections).await.map(drop)
        };
        let took = asked.elapsed();
        let error = answer.unwrap_err();
        assert!(matches!(error, sqlx::Error::Io(_)), "{error}");
        assert!(took < PATIENCE, "{took:?}");
        proxy.heal();
        assert_eq!(one(&connections).await.unwrap(), 1, "another connection is made");
    }
}
