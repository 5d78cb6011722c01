//! The storage contract on PostgreSQL, 14 or newer.
//!
//! The files lie beside those of `node-storage-sqlite`: the same functions under the same names, in the same order. Only
//! `copy.rs` has no counterpart, and each engine has its own way to be the one writer.

mod advisory_lock;
mod copy;
mod cursor;
mod engine;
mod error;
mod indexed_operation;
mod indexer_state;
mod open;
mod raw_operation;
mod schema;

pub use engine::PostgresEngine;
pub use open::PostgresOptions;

use std::sync::Arc;

use node_storage_connections::{Connections, Transaction};
use node_storage_contract::{Access, Result, StorageError};
use sqlx::{PgConnection, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Begins a transaction that writes: after waiting for a lock, each statement must see what the writer before has committed,
/// whatever the server's default.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// A store in a PostgreSQL database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct PostgresDb {
    connections: Connections<Postgres>,
    /// Lets half of the connections write at a time, so that reads find one however many writes wait for each other.
    writers: Arc<Semaphore>,
    access: Access,
}

impl PostgresDb {
    /// Begins a transaction that writes, and the permit that it needs as long as it goes on. What it locks first decides who goes first: the cursor's row for blocks and cursor
    /// moves, the watermark's for index batches.
    async fn begin_write(&self) -> Result<(OwnedSemaphorePermit, Transaction<Postgres>)> {
        self.must_be_to_write()?;
        // It is never closed.
        let permit = Arc::clone(&self.writers).acquire_owned().await;
        let permit = permit.map_err(|_closed| StorageError::Unavailable {
            retryable: false,
            detail: "the store was closed".to_owned(),
        })?;
        let transaction = self.connections.begin_with(BEGIN).await.map_err(error::classify)?;
        Ok((permit, transaction))
    }

    /// A connection that does not go back to the others, for a write that leaves it unusable where it is interrupted.
    async fn connection_to_write(&self) -> Result<PgConnection> {
        self.must_be_to_write()?;
        self.connections.take().await.map_err(error::classify)
    }

    fn must_be_to_write(&self) -> Result<()> {
        if self.access.is_write() {
            Ok(())
        } else {
            Err(StorageError::ReadOnly)
        }
    }

    /// Closes the connections. Reads and writes that have begun end first.
    pub async fn close(&self) {
        self.connections.close().await;
    }
}
