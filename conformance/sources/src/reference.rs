//! A chain in memory: a ledger with every ability, and a source of it that is written to be read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dlt_source::{BatchLimits, BlockBatch, DltSource, Heard, SourceError, SourceEvent, TipSender};
use node_storage_contract::{AnyStore, BlockNo, Cursor, PublishedBlock};
use tokio::sync::watch;

use crate::{Ability, TestLedger};

/// A chain in memory. Clones are the same chain.
#[derive(Debug, Clone, Default)]
pub struct ReferenceLedger(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    chain: Mutex<Chain>,
    /// How often the chain has changed.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Chain {
    blocks: Vec<PublishedBlock>,
    has_ended: bool,
    interruptions: usize,
}

impl Shared {
    fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Chain)) {
        change(&mut self.chain());
        self.changes.send_modify(|changes| *changes += 1);
    }
}

impl ReferenceLedger {
    /// The block with this number, if it is on the chain.
    pub(crate) fn block(&self, number: BlockNo) -> Option<PublishedBlock> {
        let chain = self.0.chain();
        chain.blocks.iter().find(|block| block.number == number).cloned()
    }

    /// The cursor at the highest block.
    pub(crate) fn tip(&self) -> Option<Cursor> {
        self.0.chain().blocks.last().map(|block| Cursor::at(&block.into()))
    }
}

impl TestLedger for ReferenceLedger {
    type Source = ReferenceSource;

    fn abilities(&self) -> &'static [Ability] {
        &[
            Ability::KeepsBlocks,
            Ability::DeliversTheHighest,
            Ability::Rereads,
            Ability::Ends,
            Ability::Confirms,
            Ability::RollsBack,
            Ability::Interrupts,
        ]
    }

    async fn publish(&self, block: &PublishedBlock) {
        self.0.change(|chain| chain.blocks.push(block.clone()));
    }

    async fn roll_back_to(&self, number: BlockNo) {
        self.0
            .change(|chain| chain.blocks.retain(|block| block.number <= number));
    }

    async fn interrupt(&self) {
        self.0.change(|chain| chain.interruptions += 1);
    }

    async fn end(&self) {
        self.0.change(|chain| chain.has_ended = true);
    }

    async fn open(
        &self,
        start: Option<Cursor>,
        confirmations: u32,
        _storage: &AnyStore,
    ) -> Result<ReferenceSource, SourceError> {
        Ok(ReferenceSource {
            shared: Arc::clone(&self.0),
            changes: self.0.changes.subscribe(),
            confirmations: u64::from(confirmations),
            last: start,
            has_told: false,
            tips: TipSender::default(),
        })
    }
}

/// A source of a [`ReferenceLedger`].
#[derive(Debug)]
pub struct ReferenceSource {
    shared: Arc<Shared>,
    changes: watch::Receiver<u64>,
    confirmations: u64,
    /// The last block that was delivered, or the cursor at which reading began.
    last: Option<Cursor>,
    /// Whether the reader knows that it has everything.
    has_told: bool,
    tips: TipSender,
}

impl ReferenceSource {
    /// What there is to say now. `None` while everything was said.
    fn look(&mut self) -> Result<Option<SourceEvent>, SourceError> {
        let mut chain = self.shared.chain();
        if chain.interruptions > 0 {
            chain.interruptions -= 1;
            return Err(SourceError::Unavailable {
                retryable: true,
                subject: "the chain in memory".to_owned(),
                detail: "it was interrupted".to_owned(),
            });
        }
        match chain.blocks.last() {
            Some(tip) => self.tips.tell(Cursor::at(&tip.into()).into()),
            None => self.tips.tell_of_life(),
        }
        let Some(confirmed) = chain
            .blocks
            .last()
            .and_then(|tip| tip.number.get().checked_sub(self.confirmations))
        else {
            return Ok(self.rest(&chain));
        };
        if let Some(last) = self.last
            && let Some(block) = chain.blocks.iter().find(|block| block.number == last.block)
            && block.hash != last.hash
        {
            return Err(SourceError::Contradiction {
                at: format!("block {}", last.block),
                detail: format!("the ledger has the hash {}, the cursor {}", block.hash, last.hash),
            });
        }
        let mut batch = BlockBatch::new(BatchLimits::default());
        let unread = chain
            .blocks
            .iter()
            .filter(|block| self.last.is_none_or(|last| block.number > last.block))
            .take_while(|block| block.number.get() <= confirmed);
        for block in unread {
            batch.push(block.clone());
            if batch.is_full() {
                break;
            }
        }
        let event = batch.take();
        if let Some(SourceEvent::Blocks { cursor, .. }) = &event {
            self.last = Some(*cursor);
            self.has_told = false;
            return Ok(event);
        }
        Ok(self.rest(&chain))
    }

    /// What there is to say where no block is left.
    fn rest(&self, chain: &Chain) -> Option<SourceEvent> {
        if chain.has_ended {
            Some(SourceEvent::End)
        } else {
            (!self.has_told).then_some(SourceEvent::CaughtUp)
        }
    }
}

impl DltSource for ReferenceSource {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        loop {
            self.changes.borrow_and_update();
            if let Some(event) = self.look()? {
                self.has_told |= event == SourceEvent::CaughtUp;
                return Ok(event);
            }
            if self.changes.changed().await.is_err() {
                return Ok(SourceEvent::End);
            }
        }
    }

    fn heard(&self) -> watch::Receiver<Heard> {
        self.tips.subscribe()
    }
}
