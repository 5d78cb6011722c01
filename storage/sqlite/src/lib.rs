//! The storage contract on an embedded SQLite file.
//!
//! The files lie beside those of `node-storage-postgres`: the same functions under the same names, in the same order.

mod cursor;
mod empty_file;
mod engine;
mod error;
mod indexed_operation;
mod indexer_state;
mod lock_file;
mod open;
mod raw_operation;
mod schema;
mod url;

pub use empty_file::write_empty_file;
pub use engine::SqliteEngine;
pub use open::SqliteOptions;

use std::sync::Arc;

use node_storage_connections::{Connections, Transaction};
use node_storage_contract::{Result, StorageError};
use sqlx::Sqlite;

use lock_file::LockFile;

/// A store in an SQLite file. Clones share its connections: one that writes, and several that read.
#[derive(Debug, Clone)]
pub struct SqliteDb {
    writer: Option<Writer>,
    reader: Connections<Sqlite>,
}

/// The one connection that writes, and the lock file that makes this process the only one to have such a connection.
#[derive(Debug, Clone)]
struct Writer {
    connection: Connections<Sqlite>,
    _lease: Arc<LockFile>,
}

impl SqliteDb {
    /// Begins a transaction that writes, behind any other.
    async fn begin_write(&self) -> Result<Transaction<Sqlite>> {
        let writer = self.writer.as_ref().ok_or(StorageError::ReadOnly)?;
        // Without IMMEDIATE, a transaction that reads first could fail when it turns to writing.
        writer
            .connection
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(error::classify)
    }

    /// Closes the connections. Reads and writes that have begun end first.
    pub async fn close(&self) {
        self.reader.close().await;
        if let Some(writer) = &self.writer {
            writer.connection.close().await;
        }
    }
}
