//! The sync worker: from the source into the store.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use did_prism::ledger::PublishedBlock;
use dlt_source::{AnySource, DltSource, Heard, SourceConfig, SourceError, SourceEvent};
use node_storage_contract::{AnyStore, Cursor, DltCursorRepo, RawOperationRepo, StorageError};
use tokio::sync::{Notify, watch};

use crate::retry::{BackOff, until_answered};

/// An append that takes longer waits for something. Most take milliseconds.
const SLOW_APPEND: Duration = Duration::from_secs(5);

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
    /// Whether the store does not take what is delivered: it fails for a reason that passes, or has not answered for some time.
    pub store_waits: bool,
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

/// How long to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncUntil {
    /// Until the source ends, which those that follow a chain never do.
    End,
    /// Until the source has delivered all that there is for now.
    CaughtUp,
}

impl SyncUntil {
    fn is_reached(self, phase: SyncPhase) -> bool {
        match self {
            Self::End => phase == SyncPhase::Ended,
            Self::CaughtUp => matches!(phase, SyncPhase::Ended | SyncPhase::CaughtUp),
        }
    }
}

/// Why syncing stopped. The cursor stands after the last delivery that was stored completely.
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
pub struct SyncWorker<'a> {
    config: &'a dyn SourceConfig,
    /// `None` where the source has to be opened at the stored cursor.
    reading: Option<Reading>,
    /// The pauses between two openings of the source without a delivery that was stored.
    back_off: BackOff,
    progress: watch::Sender<SyncProgress>,
    /// What the sources have said of their ledger, whichever of them was open.
    heard: watch::Sender<Heard>,
}

/// A source that is being read.
#[derive(Debug)]
struct Reading {
    source: AnySource,
    /// The cursor that is stored, as far as the worker knows.
    stored: Option<Cursor>,
    /// Delivered and not known to be stored.
    pending: Option<(Vec<PublishedBlock>, Cursor)>,
}

impl<'a> SyncWorker<'a> {
    /// A worker that reads this source.
    pub fn new(config: &'a dyn SourceConfig) -> Self {
        Self {
            config,
            reading: None,
            back_off: BackOff::new(),
            progress: watch::Sender::default(),
            heard: watch::Sender::default(),
        }
    }

    /// How far the worker has come, now and whenever that changes.
    pub fn progress(&self) -> watch::Receiver<SyncProgress> {
        self.progress.subscribe()
    }

    /// What the source has heard of its ledger, now and whenever that changes.
    pub fn heard(&self) -> watch::Receiver<Heard> {
        self.heard.subscribe()
    }

    /// Works until the source ends, or `until` says otherwise. `stored` is notified of everything that was appended.
    ///
    /// The source is opened at the stored cursor. It is opened anew where that cursor turns out to be another one than the
    /// worker left there: the database went back, or another process has written.
    ///
    /// What passes (an unreachable or busy database or source) is waited for, as long as it takes. Dropping the future stops the
    /// worker between or inside transactions, each of which then counts as a whole or not at all; running it again goes on with
    /// the same delivery, which the store recognizes where it had been stored. After the source has ended it returns at once.
    ///
    /// # Errors
    /// Whatever does not pass by waiting. Nothing of the delivery in question is stored then.
    pub async fn run(&mut self, storage: &AnyStore, stored: &Notify, until: SyncUntil) -> Result<(), SyncError> {
        set_store_waits(&self.progress, false);
        while !until.is_reached(self.progress.borrow().phase) {
            let reading = match &mut self.reading {
                Some(reading) => reading,
                closed => closed.insert(open(self.config, storage, &self.progress).await?),
            };
            match append_pending(reading, storage, &self.progress).await {
                Ok(true) => {
                    self.back_off = BackOff::new();
                    stored.notify_one();
                }
                Ok(false) => {}
                Err(StorageError::CursorMoved(moved)) => {
                    tracing::warn!("reading the ledger again from the stored cursor: {moved}");
                    self.reading = None;
                    tokio::time::sleep(self.back_off.next()).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            match next_event(&mut reading.source, &self.progress, &self.heard).await? {
                SourceEvent::Blocks { blocks, cursor } => {
                    set_phase(&self.progress, SyncPhase::Reading);
                    reading.pending = Some((blocks, cursor));
                }
                SourceEvent::CaughtUp => set_phase(&self.progress, SyncPhase::CaughtUp),
                SourceEvent::End => set_phase(&self.progress, SyncPhase::Ended),
            }
        }
        Ok(())
    }
}

/// Opens the source at the stored cursor.
async fn open(
    config: &dyn SourceConfig,
    storage: &AnyStore,
    progress: &watch::Sender<SyncProgress>,
) -> Result<Reading, SyncError> {
    let what = "reading the cursor";
    let stored = until_answered(what, phase_of(progress), async || storage.cursor().await).await?;
    Ok(Reading {
        source: open_at(config, stored, storage, progress).await?,
        stored,
        pending: None,
    })
}

/// Opens the source at a cursor.
pub(crate) async fn open_at(
    config: &dyn SourceConfig,
    cursor: Option<Cursor>,
    storage: &AnyStore,
    progress: &watch::Sender<SyncProgress>,
) -> Result<AnySource, SourceError> {
    until_answered("opening the ledger", phase_of(progress), async || {
        config.open(cursor, storage.clone()).await
    })
    .await
}

/// Waits for what the source has to say, and passes on what it hears meanwhile.
pub(crate) async fn next_event(
    source: &mut AnySource,
    progress: &watch::Sender<SyncProgress>,
    heard_by_all: &watch::Sender<Heard>,
) -> Result<SourceEvent, SourceError> {
    let heard = source.heard();
    let reading_on = until_answered("reading the ledger", phase_of(progress), async || source.next().await);
    let event = tokio::select! {
        biased;
        never = pass_on(heard.clone(), heard_by_all) => match never {},
        event = reading_on => event?,
    };
    let now = *heard.borrow();
    if now.at.is_some() {
        heard_by_all.send_replace(now);
    }
    Ok(event)
}

/// Passes on what a source hears while it is read.
async fn pass_on(mut from: watch::Receiver<Heard>, to: &watch::Sender<Heard>) -> Infallible {
    loop {
        let heard = *from.borrow_and_update();
        // A source that was opened again has heard nothing yet, and the ledger is as high as it was.
        if heard.at.is_some() {
            to.send_replace(heard);
        }
        if from.changed().await.is_err() {
            return pending().await;
        }
    }
}

/// Stores what was delivered. Answers whether there was anything.
async fn append_pending(
    reading: &mut Reading,
    storage: &AnyStore,
    progress: &watch::Sender<SyncProgress>,
) -> Result<bool, StorageError> {
    let Some((blocks, cursor)) = &reading.pending else {
        return Ok(false);
    };
    let cursor = *cursor;
    let append = async |expected| {
        let storing = until_answered("storing blocks", phase_of_storing(progress), async || {
            storage.append(expected, blocks, cursor).await
        });
        tokio::pin!(storing);
        let answer = if let Ok(answer) = tokio::time::timeout(SLOW_APPEND, &mut storing).await {
            answer
        } else {
            set_store_waits(progress, true);
            storing.await
        };
        set_store_waits(progress, false);
        answer
    };
    let appended = match append(reading.stored).await {
        // This delivery was stored, and the answer was lost. Delivering it again makes certain of it.
        Err(StorageError::CursorMoved(moved)) if moved.stored == Some(cursor) => append(moved.stored).await?,
        answer => answer?,
    };
    // A source may deliver the block of the stored cursor once more, with the cursor at it.
    if let Ok(Some(moved)) = cursor.advance(reading.stored) {
        reading.stored = Some(moved);
    }
    reading.pending = None;
    progress.send_modify(|progress| {
        progress.cursor = Some(cursor);
        progress.blocks = progress.blocks.saturating_add(count(appended.blocks));
        progress.operations = progress.operations.saturating_add(count(appended.operations));
    });
    Ok(true)
}

fn set_phase(progress: &watch::Sender<SyncProgress>, phase: SyncPhase) {
    progress.send_modify(|progress| progress.phase = phase);
}

fn set_store_waits(progress: &watch::Sender<SyncProgress>, waits: bool) {
    progress.send_if_modified(|progress| std::mem::replace(&mut progress.store_waits, waits) != waits);
}

/// The same as [`phase_of`], for a wait for the store.
fn phase_of_storing(progress: &watch::Sender<SyncProgress>) -> impl FnMut(bool) {
    let mut phase = phase_of(progress);
    move |waiting| {
        phase(waiting);
        set_store_waits(progress, waiting);
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
