//! Reading db-sync as a source.

use std::fmt;
use std::time::Duration;

use dlt_source::{DltSource, Heard, Look, Looker, LookingSource, SourceError, SourceEvent, TipSender};
use node_storage_contract::Cursor;
use sqlx::postgres::PgConnection;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::DbSyncOptions;
use crate::error::classify;
use crate::query::{LookError, connect, look};

/// How many block numbers are read at a time: some 20,000 transactions, each of which is looked up in `tx_metadata`.
const WINDOW: i64 = 2_000;

/// How long connecting and reading a window may take together. A database that is not in memory reads a window in seconds.
const PATIENCE: Duration = Duration::from_mins(2);

/// Reads the database of a db-sync, over one connection.
///
/// Each look at it is one transaction, so that it sees one state of a db-sync that goes on, or back, meanwhile.
#[derive(Debug)]
pub struct DbSyncSource(LookingSource<DbSync>);

/// A db-sync, and what is known of it.
struct DbSync {
    options: DbSyncOptions,
    /// `None` before the first look, and where one failed.
    connection: Option<PgConnection>,
    window: i64,
}

impl DbSyncSource {
    /// Reads on after the cursor. Nothing is opened yet.
    pub fn new(options: DbSyncOptions, cursor: Option<Cursor>) -> Self {
        let db_sync = DbSync {
            options,
            connection: None,
            window: WINDOW,
        };
        Self(LookingSource::new(db_sync, cursor))
    }
}

impl DltSource for DbSyncSource {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        self.0.next().await
    }

    fn heard(&self) -> watch::Receiver<Heard> {
        self.0.heard()
    }
}

impl Looker for DbSync {
    async fn look(mut self, cursor: Option<Cursor>, tips: TipSender) -> (Self, Result<Look, SourceError>) {
        let connection = self.connection.take();
        let (connection, found) = look_in_time(&self.options, connection, cursor, self.window, &tips).await;
        self.connection = connection;
        // What takes too long may not with fewer blocks.
        self.window = match &found {
            Ok(_) => self.window.saturating_mul(2).min(WINDOW),
            Err(_) => (self.window / 2).max(1),
        };
        (self, found)
    }

    fn interval(&self) -> Duration {
        self.options.poll_interval
    }
}

async fn look_in_time(
    options: &DbSyncOptions,
    connection: Option<PgConnection>,
    cursor: Option<Cursor>,
    window: i64,
    tips: &TipSender,
) -> (Option<PgConnection>, Result<Look, SourceError>) {
    let looking = async {
        let mut connection = match connection {
            Some(connection) => connection,
            None => connect(options).await?,
        };
        let found = look(&mut connection, options, cursor, window, tips).await;
        match found {
            Ok(found) => Ok((Some(connection), Ok(found))),
            Err(LookError::Content(error)) => Ok((Some(connection), Err(error))),
            Err(error) => Err(error),
        }
    };
    match timeout(PATIENCE, looking).await {
        Ok(Ok(looked)) => looked,
        Ok(Err(LookError::Content(error))) => (None, Err(error)),
        Ok(Err(LookError::Driver(error))) => (None, Err(classify(&options.location(), &error))),
        Err(_) => {
            let error = SourceError::Unavailable {
                retryable: true,
                subject: options.location(),
                detail: format!("no answer within {} s", PATIENCE.as_secs()),
            };
            (None, Err(error))
        }
    }
}

impl fmt::Debug for DbSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbSync")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
