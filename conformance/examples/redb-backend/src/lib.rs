//! The storage contract of a did:prism node on [redb](https://docs.rs/redb), an embedded key-value store.
//!
//! An example of a backend that is nobody's but its author's: it depends on `node-storage-contract` alone, holds no SQL, and
//! is certified by the conformance suite in `tests/certify.rs`. The chapter "Write a backend" of the book walks through it.
//!
//! Each repository of the contract has a file of its own. `engine.rs` is what the node needs besides, to offer the engine; `tables.rs` says what is stored where,
//! `encoding.rs` in which bytes.
//! What is new, known or contradictory is decided by the contract's `AppendPlan`, `IndexPlan` and `Cursor::advance`. Left to
//! this crate is to read what they ask for and to write what they answer, in one transaction.

mod cursor;
mod encoding;
mod engine;
mod error;
mod indexed_operation;
mod indexer_state;
mod open;
mod raw_operation;
mod tables;

pub use engine::RedbEngine;

use std::sync::Arc;

use node_storage_contract::{Result, StorageError};
use redb::{Database, ReadOnlyDatabase, ReadTransaction, ReadableDatabase, WriteTransaction};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::block_in_place;

use crate::error::classify;

/// A store in one redb file. Clones share the open file, and the last of them closes it.
///
/// Its methods must be called on tokio's multi-threaded runtime: they block their thread, which is told to the runtime.
#[derive(Clone)]
pub struct RedbStore(Arc<File>);

enum File {
    Reader(ReadOnlyDatabase),
    /// With the turn of a write. redb itself would block the thread of whoever comes second, and with it the one who is to end.
    Writer(Database, Mutex<()>),
}

impl RedbStore {
    /// Begins a transaction, after the writers before it.
    ///
    /// # Errors
    /// `ReadOnly` for a store opened to read.
    async fn begin_write(&self) -> Result<(MutexGuard<'_, ()>, WriteTransaction)> {
        let File::Writer(database, turn) = &*self.0 else {
            return Err(StorageError::ReadOnly);
        };
        let turn = turn.lock().await;
        let transaction = block_in_place(|| database.begin_write().map_err(classify))?;
        Ok((turn, transaction))
    }

    /// Looks at the state that the last commit left, to the end of `look`.
    fn read<T>(&self, look: impl FnOnce(&ReadTransaction) -> Result<T>) -> Result<T> {
        block_in_place(|| {
            let transaction = match &*self.0 {
                File::Reader(database) => database.begin_read(),
                File::Writer(database, _) => database.begin_read(),
            };
            look(&transaction.map_err(classify)?)
        })
    }

    /// Runs `change` in a transaction, after the writers before it, and commits where it succeeds.
    ///
    /// It blocks in place, not on another thread: there is no point at which the caller's future could be dropped and the
    /// transaction go on, so that the next read of the same caller sees what became of it.
    ///
    /// # Errors
    /// `ReadOnly` for a store opened to read; what `change` answers, and then nothing is changed.
    async fn write<T>(&self, change: impl FnOnce(&WriteTransaction) -> Result<T>) -> Result<T> {
        let (_turn, transaction) = self.begin_write().await?;
        block_in_place(|| {
            // A transaction that is dropped is rolled back.
            let answer = change(&transaction)?;
            transaction.commit().map_err(classify)?;
            Ok(answer)
        })
    }
}
