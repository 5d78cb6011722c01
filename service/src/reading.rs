//! Reading a ledger without a store: from its beginning up to where it ends for now.

use did_prism::ledger::PublishedBlock;
use dlt_source::{Heard, SourceConfig, SourceError, SourceEvent};
use node_storage_contract::{AnyStore, Cursor};
use tokio::sync::watch;

use crate::empty::EmptyStore;
use crate::sync::{SyncPhase, SyncProgress, next_event, open_at};

/// Reads a source from the beginning.
#[derive(Debug)]
pub struct LedgerReader<'a> {
    config: &'a dyn SourceConfig,
    progress: watch::Sender<SyncProgress>,
    heard: watch::Sender<Heard>,
}

impl<'a> LedgerReader<'a> {
    /// A reader of this source.
    pub fn new(config: &'a dyn SourceConfig) -> Self {
        Self {
            config,
            progress: watch::Sender::default(),
            heard: watch::Sender::default(),
        }
    }

    /// How far the reader has come, now and whenever that changes.
    pub fn progress(&self) -> watch::Receiver<SyncProgress> {
        self.progress.subscribe()
    }

    /// What the source has heard of its ledger, now and whenever that changes.
    pub fn heard(&self) -> watch::Receiver<Heard> {
        self.heard.subscribe()
    }

    /// Reads until the source ends, or has delivered all that there is for now, and hands each delivery on. Answers the last block that
    /// was read completely; `None` where there was none.
    ///
    /// What passes, such as a source that does not answer, is waited for, as long as it takes.
    ///
    /// # Errors
    /// Whatever does not pass by waiting, and what `take` answers.
    pub async fn read<E: From<SourceError>>(
        &self,
        mut take: impl AsyncFnMut(Vec<PublishedBlock>) -> Result<(), E>,
    ) -> Result<Option<Cursor>, E> {
        let store = AnyStore::new(EmptyStore);
        let mut source = open_at(self.config, None, &store, &self.progress).await?;
        loop {
            match next_event(&mut source, &self.progress, &self.heard).await? {
                SourceEvent::Blocks { blocks, cursor } => {
                    let size = size(&blocks);
                    take(blocks).await?;
                    self.progress.send_modify(|progress| {
                        progress.phase = SyncPhase::Reading;
                        progress.cursor = Some(cursor);
                        progress.blocks = progress.blocks.saturating_add(size.0);
                        progress.operations = progress.operations.saturating_add(size.1);
                    });
                }
                SourceEvent::CaughtUp | SourceEvent::End => return Ok(self.progress.borrow().cursor),
            }
        }
    }
}

/// How many blocks have operations, and how many those are.
fn size(blocks: &[PublishedBlock]) -> (u64, u64) {
    let counts = blocks.iter().map(|block| {
        let operations: usize = block.transactions.iter().map(|one| one.operations.len()).sum();
        u64::try_from(operations).unwrap_or(u64::MAX)
    });
    counts
        .filter(|operations| *operations > 0)
        .fold((0, 0), |(blocks, sum), operations| (blocks + 1, sum + operations))
}
