//! The sync worker: from the source into the store.

use did_prism::ledger::PublishedBlock;
use dlt_source::{DltSource, SourceError, SourceEvent};
use node_storage_contract::{Cursor, NodeStorage, StorageError};
use tokio::sync::{Notify, watch};

use crate::retry::until_answered;

/// How far syncing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SyncProgress {
    /// The cursor after the last delivery of the source; `None` before the first one of this run.
    pub cursor: Option<Cursor>,
    /// Blocks with operations that this run has added.
    pub blocks: u64,
    /// Operations that this run has added.
    pub operations: u64,
    /// What the worker is doing.
    pub phase: SyncPhase,
}

/// What the sync worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyncPhase {
    /// Reading and storing.
    #[default]
    Reading,
    /// Waiting for a source or a database that does not answer.
    Waiting,
    /// Waiting for the source to have more.
    CaughtUp,
    /// The source has ended.
    Ended,
}

/// Why syncing stopped. The cursor stands behind the last delivery that was stored completely.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The source can't go on.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store refused a delivery, or can't be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Reads a source and appends what it delivers. No delivery is ever skipped: the next one is read after it was stored.
#[derive(Debug)]
pub struct SyncWorker<D> {
    source: D,
    /// Delivered and not known to be stored.
    pending: Option<(Vec<PublishedBlock>, Cursor)>,
    progress: watch::Sender<SyncProgress>,
}

impl<D: DltSource> SyncWorker<D> {
    /// A worker that reads this source from where it stands.
    pub fn new(source: D) -> Self {
        Self {
            source,
            pending: None,
            progress: watch::Sender::default(),
        }
    }

    /// How far the worker has come, now and whenever that changes.
    pub fn progress(&self) -> watch::Receiver<SyncProgress> {
        self.progress.subscribe()
    }

    /// Works until the source ends. `stored` is notified of everything that was appended.
    ///
    /// What passes (an unreachable or busy database or source) is waited for, as long as it takes. Dropping the future stops the
    /// worker between or inside transactions, each of which then counts as a whole or not at all; running it again goes on with
    /// the same delivery, which the store recognizes where it had been stored. After the source has ended it returns at once.
    ///
    /// # Errors
    /// Whatever does not pass by waiting. Nothing of the delivery in question is stored then.
    pub async fn run<S: NodeStorage>(&mut self, storage: &S, stored: &Notify) -> Result<(), SyncError> {
        while self.progress.borrow().phase != SyncPhase::Ended {
            self.append_pending(storage, stored).await?;
            let Self { source, progress, .. } = self;
            let event = until_answered("reading the ledger", phase_of(progress), async || source.next().await).await?;
            match event {
                SourceEvent::Blocks { blocks, cursor } => {
                    self.set_phase(SyncPhase::Reading);
                    self.pending = Some((blocks, cursor));
                }
                SourceEvent::CaughtUp => self.set_phase(SyncPhase::CaughtUp),
                SourceEvent::End => self.set_phase(SyncPhase::Ended),
            }
        }
        Ok(())
    }

    async fn append_pending<S: NodeStorage>(&mut self, storage: &S, stored: &Notify) -> Result<(), SyncError> {
        let Some((blocks, cursor)) = &self.pending else {
            return Ok(());
        };
        let cursor = *cursor;
        let appended = until_answered("storing blocks", phase_of(&self.progress), async || {
            storage.append(blocks, cursor).await
        })
        .await?;
        self.pending = None;
        self.progress.send_modify(|progress| {
            progress.cursor = Some(cursor);
            progress.blocks = progress.blocks.saturating_add(count(appended.blocks));
            progress.operations = progress.operations.saturating_add(count(appended.operations));
        });
        stored.notify_one();
        Ok(())
    }

    fn set_phase(&self, phase: SyncPhase) {
        self.progress.send_modify(|progress| progress.phase = phase);
    }
}

/// Publishes that the worker waits, and that it reads again.
fn phase_of(progress: &watch::Sender<SyncProgress>) -> impl FnMut(bool) {
    |waiting| {
        progress.send_modify(|progress| {
            progress.phase = if waiting {
                SyncPhase::Waiting
            } else {
                SyncPhase::Reading
            };
        });
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
