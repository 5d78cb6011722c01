//! The storage contract on PostgreSQL, 14 or newer.
//!
//! The files lie beside those of `node-storage-sqlite`: the same functions under the same names, in the same order. What has no
//! counterpart there is about a server: `copy.rs`, `holder.rs` and `session.rs`. Each engine has its own way to be the one writer.

mod advisory_lock;
mod copy;
mod cursor;
mod engine;
mod error;
mod holder;
mod indexed_operation;
mod indexer_state;
mod maintenance;
mod open;
mod raw_operation;
mod schema;
mod session;

pub use engine::PostgresEngine;
pub use open::PostgresOptions;

use std::sync::Arc;

use node_storage_connections::Connections;
use node_storage_contract::{Access, PageLimit, Result, StorageError};
use sqlx::Postgres;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::session::{BEGIN, BEGIN_LOAD, Session, Sessions};

/// A store in a PostgreSQL database. Clones share its connections.
#[derive(Debug, Clone)]
pub struct PostgresDb {
    options: PostgresOptions,
    connections: Connections<Postgres>,
    sessions: Sessions,
    /// Lets half of the connections write at a time, so that reads find one however many writes wait for each other.
    writers: Arc<Semaphore>,
    access: Access,
}

impl PostgresDb {
    /// A session to read with, one statement at a time.
    async fn read(&self) -> Result<Session> {
        match self.sessions {
            Sessions::Own => {
                let lent = self.connections.lend().await;
                lent.map(Session::lent).map_err(|error| self.options.connecting(error))
            }
            Sessions::PerTransaction => self.read_in_transaction().await,
        }
    }

    /// A session to read with, in which one statement follows another on the same server, however connections are pooled.
    async fn read_in_transaction(&self) -> Result<Session> {
        let transaction = self.connections.begin().await;
        transaction
            .map(|transaction| Session::transaction(transaction, self.sessions))
            .map_err(|error| self.options.connecting(error))
    }

    /// A session to read a page with. One with a bound of bytes takes two statements, which one server has to answer.
    async fn read_page(&self, limit: PageLimit) -> Result<Session> {
        match limit.bytes() {
            None => self.read().await,
            Some(_) => self.read_in_transaction().await,
        }
    }

    /// Begins a transaction that writes, and the permit that it needs as long as it goes on. What it locks first decides who goes
    /// first: the cursor's row for blocks and cursor moves, the watermark's for index batches.
    async fn begin_write(&self) -> Result<(OwnedSemaphorePermit, Session)> {
        self.must_be_to_write()?;
        // It is never closed.
        let permit = Arc::clone(&self.writers).acquire_owned().await;
        let permit = permit.map_err(|_closed| StorageError::Unavailable {
            retryable: false,
            detail: "the store was closed".to_owned(),
        })?;
        let transaction = self.connections.begin_with(BEGIN).await;
        let transaction = transaction.map_err(|error| self.options.connecting(error))?;
        Ok((permit, Session::transaction(transaction, self.sessions)))
    }

    /// Begins a load on a connection that does not go back to the others: interrupted, it is unusable.
    async fn begin_load(&self) -> Result<Session> {
        self.must_be_to_write()?;
        let connection = self.connections.take().await;
        let mut session = Session::taken(
            connection.map_err(|error| self.options.connecting(error))?,
            self.sessions,
        );
        session.begin(BEGIN_LOAD).await?;
        Ok(session)
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
