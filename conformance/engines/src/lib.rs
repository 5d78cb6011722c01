//! Stores of our own engines for the tests beside this: a fresh database of each, through the crate that applications use.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "all of this is test code"
)]

pub mod database;
pub mod divergences;
pub mod real_data;

use std::path::Path;

use node_storage::contract::{Access, Network, Result};
use node_storage::{DbBackend, DbBackendConfig, NodeStorageBackend};
use node_storage_conformance::StoreFactory;
use sqlx::{Connection, Executor, PgConnection};
use test_databases::{Migrations, PostgresDatabase, PostgresServer, SqliteFile};

/// The migrations of an engine.
pub fn migrations(engine: &str) -> Migrations {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../migrations")
        .join(engine);
    Migrations::new(directory).unwrap()
}

/// Opens the database at this URL.
pub async fn connect(backend: DbBackend, url: &str, network: Network, access: Access) -> Result<NodeStorageBackend> {
    let config = DbBackendConfig::new(backend, Some(url), None, network).unwrap();
    NodeStorageBackend::connect(&config, access).await
}

/// A migrated SQLite file.
pub struct SqliteFactory(SqliteFile);

impl SqliteFactory {
    pub async fn new() -> Self {
        Self(SqliteFile::migrated(&migrations("sqlite")).await.unwrap())
    }
}

impl StoreFactory for SqliteFactory {
    type Store = NodeStorageBackend;

    async fn open(&self, network: Network, access: Access) -> Result<NodeStorageBackend> {
        connect(DbBackend::Sqlite, self.0.url(), network, access).await
    }

    async fn close(&self, store: NodeStorageBackend) {
        store.close().await;
    }
}

/// A migrated PostgreSQL database.
pub struct PostgresFactory(PostgresDatabase);

impl PostgresFactory {
    pub async fn new() -> Self {
        let server = PostgresServer::shared().await.unwrap();
        Self(server.database(&migrations("postgres")).await.unwrap())
    }

    /// Makes the database what it was when it was new, in a fraction of the time that a new one takes.
    pub async fn clear(&self) {
        let mut connection = PgConnection::connect(self.0.url()).await.unwrap();
        // Not TRUNCATE, which makes new files for every table and index.
        connection
            .execute(
                "DELETE FROM listed_did; DELETE FROM indexer_watermark; DELETE FROM indexed_operation;
                DELETE FROM raw_operation; DELETE FROM ledger_transaction; DELETE FROM block;
                DELETE FROM dlt_cursor; DELETE FROM network;
                INSERT INTO dlt_cursor (singleton) VALUES (1); INSERT INTO indexer_watermark (singleton) VALUES (1);",
            )
            .await
            .unwrap();
        connection.close().await.unwrap();
    }
}

impl StoreFactory for PostgresFactory {
    type Store = NodeStorageBackend;

    async fn open(&self, network: Network, access: Access) -> Result<NodeStorageBackend> {
        connect(DbBackend::Postgres, self.0.url(), network, access).await
    }

    async fn close(&self, store: NodeStorageBackend) {
        store.close().await;
    }
}
