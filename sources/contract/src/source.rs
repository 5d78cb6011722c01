//! Where blocks come from.

use std::fmt;
use std::future::Future;

use node_storage_contract::{BoxFuture, Cursor, PublishedBlock};

use tokio::sync::watch;

use crate::{Heard, SourceError};

/// A reader of the ledger, made for one position (the stored cursor) and read from there on.
///
/// Block by block it delivers everything that is to be stored, in ascending order and never a part of a block. Whatever it
/// holds back (blocks with too few confirmations, a block that may still grow) is its own business.
pub trait DltSource: Send {
    /// The next part of the ledger.
    ///
    /// Dropping the future loses nothing: what has not been delivered comes with the next call. After a
    /// [retryable](SourceError::is_retryable) error it may be called again, and goes on with what would have come. After any
    /// other error it is not called again. After [`SourceEvent::End`] it answers `End`.
    ///
    /// # Errors
    /// `Contradiction`, naming both, where the ledger has another block than the cursor, or than what is stored.
    /// `Malformed` and `Unavailable` as [`SourceError`] says.
    fn next(&mut self) -> impl Future<Output = Result<SourceEvent, SourceError>> + Send;

    /// What the source has heard of its ledger. The tip is known when the source has caught up, at the latest, unless the ledger has
    /// no block. It is told anew whenever the ledger answers while [`DltSource::next`] is awaited.
    fn heard(&self) -> watch::Receiver<Heard>;
}

/// What a source has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceEvent {
    /// Whole blocks, ascending, as many as a [`BlockBatch`](crate::BlockBatch) takes; blocks without operations may be among
    /// them, and there may be none where only the cursor moves. Each delivery moves the cursor, but for the first one, which
    /// may bring the block of the cursor at which reading began once more.
    Blocks {
        /// The blocks.
        blocks: Vec<PublishedBlock>,
        /// The last block that has been read completely, at the last of `blocks` or above.
        cursor: Cursor,
    },
    /// Everything that there is for now has been delivered. The next call waits for more; this is said once until there is.
    CaughtUp,
    /// Nothing will follow.
    End,
}

/// The source of any kind.
pub struct AnySource(Box<dyn ErasedSource>);

impl AnySource {
    /// This source, without its type.
    pub fn new<D: DltSource + 'static>(source: D) -> Self {
        Self(Box::new(source))
    }
}

impl DltSource for AnySource {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        self.0.next().await
    }

    fn heard(&self) -> watch::Receiver<Heard> {
        self.0.heard()
    }
}

impl fmt::Debug for AnySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnySource").finish_non_exhaustive()
    }
}

trait ErasedSource: Send {
    fn next(&mut self) -> BoxFuture<'_, Result<SourceEvent, SourceError>>;
    fn heard(&self) -> watch::Receiver<Heard>;
}

impl<D: DltSource> ErasedSource for D {
    fn next(&mut self) -> BoxFuture<'_, Result<SourceEvent, SourceError>> {
        Box::pin(DltSource::next(self))
    }

    fn heard(&self) -> watch::Receiver<Heard> {
        DltSource::heard(self)
    }
}
