//! A server that ends its sessions: what the callers of a store notice of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use engine_tests::database::Database;
use node_storage::{DbBackend, DltCursorRepo, IndexerStateRepo, RawOperationRepo};
use node_storage_conformance::move_cursor;

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
