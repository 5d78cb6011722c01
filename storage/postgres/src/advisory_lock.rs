//! The right to be the one writer of a database.

use node_storage_contract::Result;
use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::PostgresOptions;
use crate::error::classify;

/// Names the lock among the advisory locks of the database: "NPRI", as in the SQLite application id, and a number of its own.
const WRITER_LOCK: i64 = 0x4E50_5249_0000_0001;

/// The right to be the one writer of a database: a session-level advisory lock on a connection of its own.
///
/// It keeps two indexers from doing the same work. It is not what keeps the data right: the contract's row locks do that.
#[derive(Debug)]
pub(crate) struct AdvisoryLock {
    connection: PgConnection,
}

impl AdvisoryLock {
    /// Takes the lease if nobody holds it.
    pub(crate) async fn try_acquire(options: &PostgresOptions) -> Result<Option<Self>> {
        let mut connection = options.connect_options().connect().await.map_err(classify)?;
        let acquired = sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "acquired!""#, WRITER_LOCK)
            .fetch_one(&mut connection)
            .await
            .map_err(classify)?;
        if acquired {
            return Ok(Some(Self { connection }));
        }
        connection.close().await.map_err(classify)?;
        Ok(None)
    }

    /// Asks the server whether the connection, and with it the lease, is still there.
    pub(crate) async fn check(&mut self) -> Result<()> {
        self.connection.ping().await.map_err(classify)
    }

    /// Gives the lease back.
    pub(crate) async fn release(mut self) -> Result<()> {
        // The server would unlock on its own, but only some time after the connection is closed.
        sqlx::query_scalar!("SELECT pg_advisory_unlock($1)", WRITER_LOCK)
            .fetch_one(&mut self.connection)
            .await
            .map_err(classify)?;
        self.connection.close().await.map_err(classify)
    }
}
