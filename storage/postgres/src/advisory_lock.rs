//! The right to be the one writer of a database.

use node_storage_contract::Result;
use sqlx::Connection;

use crate::PostgresOptions;
use crate::error::classify;
use crate::holder::Holder;
use crate::session::Session;

/// Names the lock among the advisory locks of the database: "NPRI", as in the SQLite application id, and a number of its own.
const WRITER_LOCK: i64 = 0x4E50_5249_0000_0001;

/// Begins the transaction that the lock lives in. The server ends it, and with it the lock, where it hears nothing for so long:
/// the process stands still, or its host is gone. It is asked for the lock every second.
const BEGIN: &str = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '8s'";

/// The right to be the one writer of a database: an advisory lock of a transaction that stays open, on a connection of its own.
///
/// Such a lock ends with its transaction, and so with the connection. A session-level one would stay behind in the session of a
/// pooler, and could be bounded by `idle_session_timeout` only, which is newer. The transaction reads no table and keeps no
/// snapshot, so that it holds up neither vacuum nor a change of the schema.
///
/// It keeps two indexers from doing the same work. It is not what keeps the data right: the contract's row locks do that.
#[derive(Debug)]
pub(crate) struct AdvisoryLock {
    connection: Session,
    /// Which process of the server holds it.
    pub(crate) server: ServerProcess,
}

/// A process of the server, which serves one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerProcess {
    pid: i32,
    started: Option<String>,
}

impl ServerProcess {
    /// Whether it is the one that holds something.
    pub(crate) fn is(&self, holder: &Holder) -> bool {
        (self.pid, &self.started) == (holder.pid, &holder.started)
    }
}

/// What came of trying to take the lock.
pub(crate) enum Attempt {
    Taken(AdvisoryLock),
    /// Somebody has it: whoever that is, unless it has let go meanwhile.
    Held(Option<Holder>),
}

impl AdvisoryLock {
    /// Takes the lease if nobody holds it. The session of an `own` earlier lock that still holds it is ended on the server: its
    /// connection was given up, and the server may not know.
    pub(crate) async fn try_acquire(options: &PostgresOptions, own: Option<&ServerProcess>) -> Result<Attempt> {
        let mut connection = Session::alone(options.connect().await?);
        sqlx::raw_sql(BEGIN).execute(&mut connection).await.map_err(classify)?;
        let row = sqlx::query!(
            r#"
            SELECT
                pg_try_advisory_xact_lock($1) AS "acquired!",
                pg_backend_pid() AS "pid!",
                (SELECT backend_start::TEXT FROM pg_stat_get_activity(pg_backend_pid())) AS started
            "#,
            WRITER_LOCK
        );
        let row = row.fetch_one(&mut connection).await.map_err(classify)?;
        if row.acquired {
            let server = ServerProcess {
                pid: row.pid,
                started: row.started,
            };
            return Ok(Attempt::Taken(Self { connection, server }));
        }
        let holder = Holder::of_advisory_lock(&mut connection, WRITER_LOCK).await?;
        if let (Some(own), Some(holder)) = (own, &holder)
            && own.is(holder)
        {
            sqlx::query_scalar!("SELECT pg_terminate_backend($1)", own.pid)
                .fetch_one(&mut connection)
                .await
                .map_err(classify)?;
        }
        connection.close().await?;
        Ok(Attempt::Held(holder))
    }

    /// Asks the server whether the connection, and with it the lease, is still there.
    pub(crate) async fn check(&mut self) -> Result<()> {
        self.connection.ping().await.map_err(classify)
    }

    /// Gives the lease back.
    pub(crate) async fn release(mut self) -> Result<()> {
        // The server would unlock on its own, but only some time after the connection is closed.
        sqlx::raw_sql("COMMIT")
            .execute(&mut self.connection)
            .await
            .map_err(classify)?;
        self.connection.close().await
    }
}
