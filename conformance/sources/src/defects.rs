//! Wrong sources, each of which a case of the suite refuses.

use std::collections::VecDeque;

use dlt_source::{DltSource, Heard, SourceError, SourceEvent, TipSender};
use node_storage_contract::{AnyStore, BlockNo, BlockTime, Cursor, PublishedBlock};
use tokio::sync::watch;

use crate::reading::within_polls;
use crate::{Ability, ReferenceLedger, ReferenceSource, TestLedger};

/// What is wrong with a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// It begins one block below the cursor.
    BeginsBelowTheCursor,
    /// It leaves out the block after the cursor.
    LeavesOutTheBlockAfterTheCursor,
    /// It delivers nothing of a ledger that was not read yet.
    LeavesOutTheFirstBlock,
    /// It reads on from a cursor that is not on the ledger.
    PassesOverAContradiction,
    /// It says where the ledger contradicts the cursor, and not what the ledger has there.
    NamesOneSideOfAContradiction,
    /// It reports a ledger that contradicts the cursor as one that can't be read.
    CallsAContradictionUnavailable,
    /// It delivers the transactions of a block apart.
    CutsABlock,
    /// It delivers the blocks of a delivery from the last to the first.
    DeliversBlocksBackwards,
    /// It delivers the last block again with the next ones.
    RepeatsABlock,
    /// It leaves out all transactions of a block but the first.
    LeavesOutTransactions,
    /// It leaves out the last operation of a transaction.
    LeavesOutAnOperation,
    /// It leaves the fraction of a block's time out.
    CutsTimesToSeconds,
    /// It gives a transaction the place among those that are ours, and not its place in the block.
    NumbersTransactionsItself,
    /// The cursor stays at the last block with operations.
    LeavesTheCursorAtOperations,
    /// The cursor goes to the highest block, whatever was delivered.
    MovesTheCursorAhead,
    /// It delivers whatever there is at once.
    DeliversEverythingAtOnce,
    /// It has caught up before it has delivered anything.
    HasCaughtUpTooEarly,
    /// It says again and again that it has caught up.
    KeepsSayingThatItHasCaughtUp,
    /// It delivers nothing, again and again, where it should wait.
    DeliversNothingAgainAndAgain,
    /// It ends where it should wait.
    EndsWhenItHasCaughtUp,
    /// What a dropped call had read is gone.
    LosesWhatADroppedCallRead,
    /// It waits for more after the end.
    WaitsAfterTheEnd,
    /// It leaves out the block after an error that passes.
    LosesABlockAtAnError,
    /// It reports what passes as what does not.
    GivesUpAtAnErrorThatPasses,
    /// It counts the block itself among its confirmations.
    ConfirmsOneBlockTooEarly,
    /// It holds back one block more than it should.
    ConfirmsOneBlockTooLate,
    /// It delivers blocks without any confirmation.
    NeedsNoConfirmations,
    /// It does not say how high the ledger is.
    KeepsTheTipToItself,
    /// It says that the ledger is as high as what it delivered.
    TakesWhatItDeliveredForTheTip,
    /// It says once how high the ledger is.
    TellsTheFirstTipAlone,
}

/// Every defect.
pub const DEFECTS: &[Defect] = &[
    Defect::BeginsBelowTheCursor,
    Defect::LeavesOutTheBlockAfterTheCursor,
    Defect::LeavesOutTheFirstBlock,
    Defect::PassesOverAContradiction,
    Defect::NamesOneSideOfAContradiction,
    Defect::CallsAContradictionUnavailable,
    Defect::CutsABlock,
    Defect::DeliversBlocksBackwards,
    Defect::RepeatsABlock,
    Defect::LeavesOutTransactions,
    Defect::LeavesOutAnOperation,
    Defect::CutsTimesToSeconds,
    Defect::NumbersTransactionsItself,
    Defect::LeavesTheCursorAtOperations,
    Defect::MovesTheCursorAhead,
    Defect::DeliversEverythingAtOnce,
    Defect::HasCaughtUpTooEarly,
    Defect::KeepsSayingThatItHasCaughtUp,
    Defect::DeliversNothingAgainAndAgain,
    Defect::EndsWhenItHasCaughtUp,
    Defect::LosesWhatADroppedCallRead,
    Defect::WaitsAfterTheEnd,
    Defect::LosesABlockAtAnError,
    Defect::GivesUpAtAnErrorThatPasses,
    Defect::ConfirmsOneBlockTooEarly,
    Defect::ConfirmsOneBlockTooLate,
    Defect::NeedsNoConfirmations,
    Defect::KeepsTheTipToItself,
    Defect::TakesWhatItDeliveredForTheTip,
    Defect::TellsTheFirstTipAlone,
];

/// The reference ledger, read through a wrong source.
#[derive(Debug)]
pub struct DefectiveLedger {
    ledger: ReferenceLedger,
    defect: Defect,
}

impl DefectiveLedger {
    /// A ledger whose source has this defect.
    pub fn new(defect: Defect) -> Self {
        Self {
            ledger: ReferenceLedger::default(),
            defect,
        }
    }

    /// The cursor at which the wrong source begins.
    fn start(&self, start: Option<Cursor>) -> Option<Cursor> {
        let start = start?;
        match self.defect {
            Defect::BeginsBelowTheCursor => {
                let below = |steps: u64| BlockNo::try_from(start.block.get().checked_sub(steps)?).ok();
                let block = self.ledger.block(below(2)?)?;
                Some(Cursor::at(&(&block).into()))
            }
            Defect::PassesOverAContradiction => {
                let block = self.ledger.block(start.block)?;
                Some(Cursor::at(&(&block).into()))
            }
            _ => Some(start),
        }
    }
}

impl TestLedger for DefectiveLedger {
    type Source = DefectiveSource;

    fn abilities(&self) -> &'static [Ability] {
        self.ledger.abilities()
    }

    async fn publish(&self, block: &PublishedBlock) {
        self.ledger.publish(block).await;
    }

    async fn roll_back_to(&self, number: BlockNo) {
        self.ledger.roll_back_to(number).await;
    }

    async fn interrupt(&self) {
        self.ledger.interrupt().await;
    }

    async fn end(&self) {
        self.ledger.end().await;
    }

    async fn open(
        &self,
        start: Option<Cursor>,
        confirmations: u32,
        storage: &AnyStore,
    ) -> Result<DefectiveSource, SourceError> {
        let confirmations = match self.defect {
            Defect::ConfirmsOneBlockTooEarly => confirmations.saturating_sub(1),
            Defect::ConfirmsOneBlockTooLate => confirmations + 1,
            Defect::NeedsNoConfirmations => 0,
            _ => confirmations,
        };
        let source = self.ledger.open(self.start(start), confirmations, storage).await?;
        Ok(DefectiveSource {
            source,
            ledger: self.ledger.clone(),
            defect: self.defect,
            start,
            waiting: (self.defect == Defect::HasCaughtUpTooEarly)
                .then_some(SourceEvent::CaughtUp)
                .into_iter()
                .collect(),
            last: None,
            has_failed: false,
            has_ended: false,
            has_caught_up: false,
            tips: TipSender::default(),
        })
    }
}

/// A source with a defect.
#[derive(Debug)]
pub struct DefectiveSource {
    source: ReferenceSource,
    ledger: ReferenceLedger,
    defect: Defect,
    start: Option<Cursor>,
    /// What comes before the source is asked again.
    waiting: VecDeque<SourceEvent>,
    /// The block that was delivered last, and the cursor after it.
    last: Option<(PublishedBlock, Cursor)>,
    has_failed: bool,
    has_ended: bool,
    has_caught_up: bool,
    /// What it says of the tip, where that is wrong.
    tips: TipSender,
}

impl DltSource for DefectiveSource {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        if let Some(event) = self.waiting.pop_front() {
            return Ok(event);
        }
        if self.has_ended && self.defect == Defect::WaitsAfterTheEnd {
            return Ok(SourceEvent::CaughtUp);
        }
        if self.has_caught_up && self.defect == Defect::KeepsSayingThatItHasCaughtUp {
            return Ok(SourceEvent::CaughtUp);
        }
        if self.has_caught_up
            && self.defect == Defect::DeliversNothingAgainAndAgain
            && let Some((_, cursor)) = self.last
        {
            let blocks = Vec::new();
            return Ok(SourceEvent::Blocks { blocks, cursor });
        }
        loop {
            let answer = self.source.next().await;
            self.tell_wrongly();
            if self.defect == Defect::LosesWhatADroppedCallRead {
                tokio::task::yield_now().await;
            }
            match answer {
                Ok(SourceEvent::Blocks { mut blocks, mut cursor }) => {
                    while self.defect == Defect::DeliversEverythingAtOnce {
                        match within_polls(self.source.next(), 1).await {
                            Some(Ok(SourceEvent::Blocks {
                                blocks: more,
                                cursor: after,
                            })) => {
                                blocks.extend(more);
                                cursor = after;
                            }
                            other => {
                                self.waiting.extend(other.and_then(Result::ok));
                                break;
                            }
                        }
                    }
                    if let Some(event) = self.deliver(blocks, cursor) {
                        return Ok(event);
                    }
                }
                Ok(SourceEvent::CaughtUp) if self.defect == Defect::EndsWhenItHasCaughtUp => {
                    return Ok(SourceEvent::End);
                }
                Ok(event) => {
                    self.has_ended |= event == SourceEvent::End;
                    self.has_caught_up |= event == SourceEvent::CaughtUp;
                    return Ok(event);
                }
                Err(error) => return Err(self.fail(error)),
            }
        }
    }

    fn heard(&self) -> watch::Receiver<Heard> {
        match self.defect {
            Defect::KeepsTheTipToItself | Defect::TakesWhatItDeliveredForTheTip | Defect::TellsTheFirstTipAlone => {
                self.tips.subscribe()
            }
            _ => self.source.heard(),
        }
    }
}

impl DefectiveSource {
    /// Says something wrong of the tip.
    fn tell_wrongly(&self) {
        let told = self.tips.subscribe().borrow().tip;
        let tip = self.source.heard().borrow().tip;
        match (self.defect, tip) {
            (Defect::TellsTheFirstTipAlone, Some(tip)) if told.is_none() => self.tips.tell(tip),
            _ => self.tips.tell_of_life(),
        }
    }

    /// What is delivered in place of these blocks; `None` for nothing.
    fn deliver(&mut self, mut blocks: Vec<PublishedBlock>, mut cursor: Cursor) -> Option<SourceEvent> {
        self.has_caught_up = false;
        let is_first = self.last.is_none();
        let repeated = self.last.take();
        self.last = blocks.last().cloned().map(|block| (block, cursor));
        if self.defect == Defect::TakesWhatItDeliveredForTheTip {
            self.tips.tell(cursor.into());
        }
        match self.defect {
            Defect::LeavesOutTheBlockAfterTheCursor if is_first && self.start.is_some() => drop(blocks.remove(0)),
            Defect::LeavesOutTheFirstBlock if is_first && self.start.is_none() => drop(blocks.remove(0)),
            Defect::LosesABlockAtAnError if self.has_failed => drop(blocks.remove(0)),
            Defect::CutsABlock => self.cut(&mut blocks, cursor),
            Defect::DeliversBlocksBackwards => blocks.reverse(),
            Defect::RepeatsABlock => {
                if let Some((block, _)) = repeated {
                    blocks.insert(0, block);
                }
            }
            Defect::LeavesOutTransactions => blocks.iter_mut().for_each(|block| block.transactions.truncate(1)),
            Defect::LeavesOutAnOperation => {
                for transaction in blocks.iter_mut().flat_map(|block| &mut block.transactions) {
                    if transaction.operations.len() > 1 {
                        transaction.operations.pop();
                    }
                }
            }
            Defect::CutsTimesToSeconds => {
                for block in &mut blocks {
                    let micros = block.time.unix_micros();
                    block.time = BlockTime::from_unix_micros(micros - micros.rem_euclid(1_000_000)).expect("in range");
                }
            }
            Defect::NumbersTransactionsItself => {
                for block in &mut blocks {
                    for (index, transaction) in (0_u64..).zip(&mut block.transactions) {
                        transaction.absn = index.try_into().expect("in range");
                    }
                }
            }
            Defect::LeavesTheCursorAtOperations => {
                let has_operations =
                    |block: &&PublishedBlock| block.transactions.iter().any(|one| !one.operations.is_empty());
                let last = blocks.iter().rfind(has_operations)?;
                cursor = Cursor::at(&last.into());
                blocks.retain(|block| block.number <= cursor.block);
            }
            Defect::MovesTheCursorAhead => cursor = self.ledger.tip().unwrap_or(cursor),
            _ => {}
        }
        self.has_failed = false;
        Some(SourceEvent::Blocks { blocks, cursor })
    }

    /// Delivers the first transaction of the last block now, and the rest later.
    fn cut(&mut self, blocks: &mut [PublishedBlock], cursor: Cursor) {
        let Some(last) = blocks.last_mut().filter(|block| block.transactions.len() > 1) else {
            return;
        };
        let rest = PublishedBlock {
            transactions: last.transactions.split_off(1),
            ..last.clone()
        };
        self.waiting.push_back(SourceEvent::Blocks {
            blocks: vec![rest],
            cursor,
        });
    }

    fn fail(&mut self, error: SourceError) -> SourceError {
        self.has_failed = true;
        match (self.defect, error) {
            (Defect::NamesOneSideOfAContradiction, SourceError::Contradiction { at, detail }) => {
                let detail = detail
                    .split_once(", ")
                    .map_or(detail.clone(), |(_, cursor)| cursor.to_owned());
                SourceError::Contradiction { at, detail }
            }
            (Defect::CallsAContradictionUnavailable, SourceError::Contradiction { at, detail }) => {
                SourceError::Unavailable {
                    retryable: false,
                    subject: at,
                    detail,
                }
            }
            (Defect::GivesUpAtAnErrorThatPasses, SourceError::Unavailable { subject, detail, .. }) => {
                SourceError::Unavailable {
                    retryable: false,
                    subject,
                    detail,
                }
            }
            (_, error) => error,
        }
    }
}
