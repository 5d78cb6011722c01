//! The storage contract on an embedded SQLite file.
//!
//! The files lie beside those of `node-storage-postgres`: the same functions under the same names, in the same order.

mod cursor;
mod empty_file;
mod engine;
mod error;
mod file_identity;
mod indexed_operation;
mod indexer_state;
mod lock_file;
mod maintenance;
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

use file_identity::FileIdentity;
use lock_file::LockFile;

/// A store in an SQLite file. Clones share its connections: one that writes, and several that read.
#[derive(Debug, Clone)]
pub struct SqliteDb {
    writer: Option<Writer>,
    reader: Connections<Sqlite>,
    file: Arc<FileIdentity>,
}

/// The one connection that writes, and the lock file that makes this process the only one to have such a connection.
#[derive(Debug, Clone)]
struct Writer {
    connection: Connections<Sqlite>,
    lease: Arc<LockFile>,
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

    /// Commits, so that what is acknowledged stands in a file that others find: nothing is committed into one that was seen to
    /// be gone, and nothing is acknowledged that was committed into one that went meanwhile.
    async fn commit(&self, transaction: Transaction<Sqlite>) -> Result<()> {
        self.check_files()?;
        transaction.commit().await.map_err(error::classify)?;
        self.check_files()
    }

    /// Makes sure that the files of the store are those that were opened.
    ///
    /// # Errors
    /// `Replaced` where one of them was deleted or replaced, `Unavailable` where that can't be told just now.
    fn check_files(&self) -> Result<()> {
        self.file.check()?;
        match &self.writer {
            Some(writer) => {
                writer.lease.check()?;
                // It is there as long as a connection is open, and what is committed stands in it first.
                self.file.check_log()
            }
            None => Ok(()),
        }
    }

    /// Closes the connections. Reads and writes that have begun end first.
    pub async fn close(&self) {
        self.reader.close().await;
        if let Some(writer) = &self.writer {
            writer.connection.close().await;
        }
    }
}
