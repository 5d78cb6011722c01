//! A source that looks at the ledger again and again: a database, or a service that is asked.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use node_storage_contract::{BoxFuture, Cursor, PublishedBlock};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::{BatchLimits, BlockBatch, DltSource, Heard, SourceError, SourceEvent, TipSender};

/// What looks at a ledger. It moves into each look, and comes back with what was found.
pub trait Looker: Send + Sized + 'static {
    /// Looks at what follows the cursor, and tells how high the ledger is. A look that was begun is ended, however often the call that
    /// waits for it is dropped.
    fn look(
        self,
        cursor: Option<Cursor>,
        tips: TipSender,
    ) -> impl Future<Output = (Self, Result<Look, SourceError>)> + Send;

    /// How long to wait before looking again, where a look found nothing.
    fn interval(&self) -> Duration;
}

/// What a look found.
#[derive(Debug)]
pub enum Look {
    /// More of the ledger.
    Page(Page),
    /// Nothing is confirmed above the cursor.
    Nothing,
}

/// Whole blocks, ascending, all that have operations up to `end`.
#[derive(Debug)]
pub struct Page {
    /// The blocks.
    pub blocks: Vec<PublishedBlock>,
    /// The last block that was read completely, at the last of `blocks` or above.
    pub end: Cursor,
}

/// What looked, and what it found.
type Looked<L> = (L, Result<Look, SourceError>);

/// The source that a [`Looker`] makes.
pub struct LookingSource<L> {
    /// `None` while it looks.
    looker: Option<L>,
    /// The look that is under way. A call that is dropped leaves it here.
    looking: Option<BoxFuture<'static, Looked<L>>>,
    /// After the last delivery, or where reading began.
    cursor: Option<Cursor>,
    /// Read and not yet delivered.
    batch: BlockBatch,
    /// How far the blocks in the batch reach; delivered with the last of them.
    end: Option<Cursor>,
    /// When to look again, if the reader knows that it has everything.
    waits_until: Option<Instant>,
    tips: TipSender,
}

impl<L: Looker> LookingSource<L> {
    /// Reads on after the cursor. Nothing is looked at yet.
    pub fn new(looker: L, cursor: Option<Cursor>) -> Self {
        Self {
            looker: Some(looker),
            looking: None,
            cursor,
            batch: BlockBatch::new(BatchLimits::default()),
            end: None,
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

    /// Looks at what follows the cursor, or goes on with the look that was begun. Answers how long to wait after it, too.
    async fn look(&mut self) -> (Duration, Result<Look, SourceError>) {
        if let Some(looker) = self.looker.take() {
            self.looking = Some(Box::pin(looker.look(self.cursor, self.tips.clone())));
        }
        let Some(looking) = &mut self.looking else {
            // The look before has panicked, and whoever looked is gone.
            let broken = SourceError::Unavailable {
                retryable: false,
                subject: "the ledger".to_owned(),
                detail: "reading it broke off".to_owned(),
            };
            return (Duration::ZERO, Err(broken));
        };
        let (looker, found) = looking.await;
        self.looking = None;
        let interval = looker.interval();
        self.looker = Some(looker);
        (interval, found)
    }
}

impl<L: Looker> DltSource for LookingSource<L> {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        loop {
            if let Some(event) = self.take() {
                return Ok(event);
            }
            if let Some(instant) = self.waits_until.filter(|_| self.looking.is_none()) {
                sleep_until(instant).await;
            }
            match self.look().await {
                (_, Ok(Look::Page(Page { blocks, end }))) => {
                    for block in blocks {
                        self.batch.push(block);
                    }
                    self.end = Some(end);
                }
                (interval, Ok(Look::Nothing)) => {
                    let had_told = self.waits_until.is_some();
                    self.waits_until = Some(Instant::now() + interval);
                    if !had_told {
                        return Ok(SourceEvent::CaughtUp);
                    }
                }
                (_, Err(error)) => {
                    // The reader thinks that it waits for the ledger, so that it has to be told once more.
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

impl<L: fmt::Debug> fmt::Debug for LookingSource<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookingSource")
            .field("looker", &self.looker)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}
