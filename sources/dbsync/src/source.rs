//! Reading db-sync as a source.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dlt_source::{BatchLimits, BlockBatch, DltSource, Heard, SourceError, SourceEvent, TipSender};
use node_storage_contract::{BoxFuture, Cursor};
use sqlx::postgres::PgConnection;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::DbSyncOptions;
use crate::error::classify;
use crate::query::{Look, LookError, connect, look};

/// How many block numbers are read at a time: some 20,000 transactions, each of which is looked up in `tx_metadata`.
const WINDOW: i64 = 2_000;

/// How long connecting and reading a window may take together. A database that is not in memory reads a window in seconds.
const PATIENCE: Duration = Duration::from_mins(2);

/// Reads the database of a db-sync, over one connection.
///
/// Each look at it is one transaction, so that it sees one state of a db-sync that goes on, or back, meanwhile.
pub struct DbSyncSource {
    options: Arc<DbSyncOptions>,
    /// After the last delivery, or where reading began.
    cursor: Option<Cursor>,
    /// Read and not yet delivered.
    batch: BlockBatch,
    /// How far the blocks in the batch reach; delivered with the last of them.
    end: Option<Cursor>,
    connection: Option<PgConnection>,
    /// The look that is under way. A call that is dropped leaves it here.
    looking: Option<BoxFuture<'static, Looked>>,
    window: i64,
    /// When to look again, if the reader knows that it has everything.
    waits_until: Option<Instant>,
    tips: TipSender,
}

/// What a look found, and the connection, if it can be used again.
type Looked = (Option<PgConnection>, Result<Look, SourceError>);

impl DbSyncSource {
    /// Reads on after the cursor. Nothing is opened yet.
    pub fn new(options: DbSyncOptions, cursor: Option<Cursor>) -> Self {
        Self {
            options: Arc::new(options),
            cursor,
            batch: BlockBatch::new(BatchLimits::default()),
            end: None,
            connection: None,
            looking: None,
            window: WINDOW,
            waits_until: None,
            tips: TipSender::default(),
        }
    }

    /// The next delivery of what was read.
    fn take(&mut self) -> Option<SourceEvent> {
        let (blocks, cursor) = match (self.batch.take(), self.end) {
            (Some(SourceEvent::Blocks { blocks, cursor }), _) if !self.batch.is_empty() => (blocks, cursor),
            (Some(SourceEvent::Blocks { blocks, .. }), Some(end)) => (blocks, end),
            (_, Some(end)) => (Vec::new(), end),
            (_, None) => return None,
        };
        if self.batch.is_empty() {
            self.end = None;
        }
        self.cursor = Some(cursor);
        self.waits_until = None;
        Some(SourceEvent::Blocks { blocks, cursor })
    }

    /// Looks at what follows the cursor.
    async fn look(&mut self) -> Result<Look, SourceError> {
        let Self {
            options,
            connection,
            looking,
            tips,
            ..
        } = self;
        let (cursor, window) = (self.cursor, self.window);
        let look = looking.get_or_insert_with(|| {
            let (options, connection, tips) = (Arc::clone(options), connection.take(), tips.clone());
            Box::pin(async move { look_in_time(&options, connection, cursor, window, &tips).await })
        });
        let (connection, found) = look.await;
        self.looking = None;
        self.connection = connection;
        // What takes too long may not with fewer blocks.
        self.window = match &found {
            Ok(_) => self.window.saturating_mul(2).min(WINDOW),
            Err(_) => (self.window / 2).max(1),
        };
        found
    }
}

async fn look_in_time(
    options: &DbSyncOptions,
    connection: Option<PgConnection>,
    cursor: Option<Cursor>,
    window: i64,
    tips: &TipSender,
) -> Looked {
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

impl DltSource for DbSyncSource {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        loop {
            if let Some(event) = self.take() {
                return Ok(event);
            }
            if let Some(instant) = self.waits_until.filter(|_| self.looking.is_none()) {
                sleep_until(instant).await;
            }
            match self.look().await {
                Ok(Look::Page(page)) => {
                    for block in page.blocks {
                        self.batch.push(block);
                    }
                    self.end = Some(page.end);
                }
                Ok(Look::Nothing) => {
                    let had_told = self.waits_until.is_some();
                    self.waits_until = Some(Instant::now() + self.options.poll_interval);
                    if !had_told {
                        return Ok(SourceEvent::CaughtUp);
                    }
                }
                Err(error) => {
                    // The reader thinks that it waits for db-sync, so that it has to be told once more.
                    self.waits_until = None;
                    return Err(error);
                }
            }
        }
    }

    fn heard(&self) -> watch::Receiver<Heard> {
        self.tips.subscribe()
    }
}

impl fmt::Debug for DbSyncSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbSyncSource")
            .field("options", &self.options)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}
