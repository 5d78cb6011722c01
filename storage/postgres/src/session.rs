//! Connections to work with: what a transaction of this program is bounded by, and which statements a session may keep.

use std::fmt;
use std::ops::{Deref, DerefMut};

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use node_storage_connections::{Lent, Transaction};
use node_storage_contract::{Result, StorageError};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Connection, Describe, Either, Execute, Executor, PgConnection, Postgres, SqlStr};

use crate::error::classify;
use crate::holder::Holder;

/// Begins a transaction that writes: after waiting for a lock, each statement must see what the writer before has committed,
/// whatever the server's default.
///
/// A wait for a lock, and a process that stands still with locks in its hands, have an end, unless the operator has set another one.
/// What is set is set for the transaction alone: a pooler would hand on a session that is left with it.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
    SELECT set_config('lock_timeout', '10s', TRUE) WHERE current_setting('lock_timeout') = '0'; \
    SELECT set_config('idle_in_transaction_session_timeout', '10s', TRUE) \
    WHERE current_setting('idle_in_transaction_session_timeout') = '0'";

/// The same for a load, which waits for its source within the transaction.
pub(crate) const BEGIN_LOAD: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
    SELECT set_config('lock_timeout', '10s', TRUE) WHERE current_setting('lock_timeout') = '0'";

/// Begins a transaction that reads all of a database, as it is at one instant.
pub(crate) const BEGIN_CHECK: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Whom a connection leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sessions {
    /// One session of the server, for as long as the connection stands.
    Own,
    /// Another session for each transaction: a pooler is between. Nothing outlives a transaction there, neither a prepared
    /// statement nor a setting, and a statement that is prepared must be executed in the same one.
    PerTransaction,
}

/// A connection that one task works with.
pub(crate) struct Session {
    held: Held,
    sessions: Sessions,
}

enum Held {
    /// Outside of transactions.
    Lent(Lent<Postgres>),
    Transaction(Transaction<Postgres>),
    /// One that nobody else uses before or after.
    Alone(PgConnection),
}

impl Session {
    /// A connection outside of transactions.
    pub(crate) fn lent(lent: Lent<Postgres>) -> Self {
        Self {
            held: Held::Lent(lent),
            // Behind a pooler a session of the server is had for a transaction only.
            sessions: Sessions::Own,
        }
    }

    /// A transaction.
    pub(crate) fn transaction(transaction: Transaction<Postgres>, sessions: Sessions) -> Self {
        Self {
            held: Held::Transaction(transaction),
            sessions,
        }
    }

    /// A connection that was lent before and is not lent again: what it has prepared is of use.
    pub(crate) fn taken(connection: PgConnection, sessions: Sessions) -> Self {
        Self {
            held: Held::Alone(connection),
            sessions,
        }
    }

    /// A connection that nobody had before, on which no statement is worth keeping.
    pub(crate) fn alone(connection: PgConnection) -> Self {
        Self {
            held: Held::Alone(connection),
            sessions: Sessions::PerTransaction,
        }
    }

    /// Begins a transaction, which ends with `COMMIT` or with the connection.
    pub(crate) async fn begin(&mut self, begin: &'static str) -> Result<()> {
        self.run(begin).await
    }

    /// Commits it.
    pub(crate) async fn commit(&mut self) -> Result<()> {
        self.run("COMMIT").await
    }

    /// Runs a statement without values and without an answer. It is not prepared.
    pub(crate) async fn run(&mut self, statement: &'static str) -> Result<()> {
        sqlx::raw_sql(statement).execute(&mut **self).await.map_err(classify)?;
        Ok(())
    }

    /// The connection, if nobody else uses it.
    pub(crate) fn into_connection(self) -> Option<PgConnection> {
        match self.held {
            Held::Alone(connection) => Some(connection),
            Held::Lent(_) | Held::Transaction(_) => None,
        }
    }

    /// Ends the connection.
    pub(crate) async fn close(self) -> Result<()> {
        match self.held {
            Held::Alone(connection) => connection.close().await.map_err(classify),
            // Rolled back and waited for by those who lend it.
            Held::Lent(_) | Held::Transaction(_) => Ok(()),
        }
    }

    /// Ends a transaction: commits what has succeeded, and rolls the rest back. Where it has waited in vain for a lock, the answer
    /// says who holds it.
    pub(crate) async fn end<T>(mut self, result: Result<T>) -> Result<T> {
        match result {
            Ok(done) => {
                if let Held::Transaction(transaction) = self.held {
                    transaction.commit().await.map_err(classify)?;
                }
                Ok(done)
            }
            Err(error) => Err(self.naming_holder(error).await),
        }
    }

    /// The error that a transaction has failed with. Where a lock was waited for in vain, whoever holds one of this store is named, if
    /// that can be found out.
    pub(crate) async fn naming_holder(&mut self, error: StorageError) -> StorageError {
        let StorageError::Busy { detail } = error else {
            return error;
        };
        // A look needs a transaction that has not failed.
        let looked = match self.run("ROLLBACK AND CHAIN").await {
            Ok(()) => Holder::of_tables(self).await,
            Err(error) => Err(error),
        };
        StorageError::Busy {
            detail: match looked {
                Ok(Some(holder)) => format!("{detail}; held by {holder}"),
                Ok(None) | Err(_) => detail,
            },
        }
    }
}

impl Deref for Session {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match &self.held {
            Held::Lent(lent) => lent,
            Held::Transaction(transaction) => transaction,
            Held::Alone(connection) => connection,
        }
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match &mut self.held {
            Held::Lent(lent) => lent,
            Held::Transaction(transaction) => transaction,
            Held::Alone(connection) => connection,
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// Statements are prepared under a name, and kept, where the session is the connection's own.
impl<'c> Executor<'c> for &'c mut Session {
    type Database = Postgres;

    fn fetch_many<'e, 'q, E>(self, query: E) -> BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>
    where
        'c: 'e,
        'q: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let connection: &mut PgConnection = match &mut self.held {
            // Sent once more where the connection was lost.
            Held::Lent(lent) => return lent.fetch_many(query),
            Held::Transaction(transaction) => transaction,
            Held::Alone(connection) => connection,
        };
        match self.sessions {
            Sessions::Own => connection.fetch_many(query),
            Sessions::PerTransaction => connection.fetch_many(Unnamed(query)),
        }
    }

    fn fetch_optional<'e, 'q, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        'q: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let connection: &mut PgConnection = match &mut self.held {
            // Sent once more where the connection was lost.
            Held::Lent(lent) => return lent.fetch_optional(query),
            Held::Transaction(transaction) => transaction,
            Held::Alone(connection) => connection,
        };
        match self.sessions {
            Sessions::Own => connection.fetch_optional(query),
            Sessions::PerTransaction => connection.fetch_optional(Unnamed(query)),
        }
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        (&mut **self).prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Postgres>>>
    where
        'c: 'e,
    {
        (&mut **self).describe(sql)
    }
}

/// A statement that is prepared without a name, and not kept.
struct Unnamed<E>(E);

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Unnamed<E> {
    fn sql(self) -> SqlStr {
        self.0.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.0.statement()
    }

    fn take_arguments(&mut self) -> std::result::Result<Option<PgArguments>, BoxDynError> {
        self.0.take_arguments()
    }

    fn persistent(&self) -> bool {
        false
    }
}
