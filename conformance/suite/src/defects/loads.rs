//! Loads that store something else than their source delivers, or that are accepted by the wrong store.

use std::collections::BTreeSet;

use node_storage_contract::{
    Appended, BlockNo, ConflictReason, Cursor, Delivery, LedgerBound, LoadSource, PublishedBlock, RawOperationRepo,
    Result, StorageError, TransactionId,
};

use super::conflicts::conflict;
use super::list::Fault;
use crate::model::{Content, ModelStore};

/// How many operations of a transaction are loaded, with the fault that cuts them.
const MOST_OPERATIONS: usize = 65_535;

/// Loads with the fault.
pub(super) async fn load<L: LoadSource>(
    fault: Fault,
    model: &ModelStore,
    onto: LedgerBound,
    source: &mut L,
) -> Result<Appended, L::Error> {
    match model.must_be_writable() {
        Err(_) if fault == Fault::ReadersMayLoad => return Ok(Appended::default()),
        writable => writable?,
    }
    let found = model.bound().await?;
    let onto = match fault {
        Fault::LoadsOntoAnything => found,
        Fault::LoadComparesCountsAlone if onto.operations == found.operations => found,
        Fault::LoadReplacesWhatIsStored if onto == found => {
            let mut content = model.content();
            *content = Content {
                network: content.network,
                ..Content::default()
            };
            LedgerBound::default()
        }
        _ => onto,
    };
    let mut altered = Altered::new(fault, model, source);
    match fault {
        Fault::LoadAsksBeforeItJudges => altered.asked = Some(altered.source.next().await?),
        Fault::LoadsChunkByChunk if onto == found => return load_one_by_one(model, source).await,
        _ => {}
    }
    let loaded = model.load(onto, &mut altered).await;
    if let Some(failure) = altered.failure {
        return Err(failure);
    }
    if fault == Fault::LoadWithoutCursorLeavesTheOldOne && altered.ended_without_cursor {
        model.content().cursor = found.cursor;
    }
    loaded
}

/// Loads each chunk in a transaction of its own.
async fn load_one_by_one<L: LoadSource>(model: &ModelStore, source: &mut L) -> Result<Appended, L::Error> {
    let mut sum = Appended::default();
    loop {
        let delivery = source.next().await?;
        let is_end = matches!(delivery, Delivery::End(_));
        let loaded = model.load(model.bound().await?, &mut Single(Some(delivery))).await?;
        sum.blocks += loaded.blocks;
        sum.operations += loaded.operations;
        if is_end {
            return Ok(sum);
        }
    }
}

/// One delivery, and then the end.
struct Single(Option<Delivery>);

impl LoadSource for Single {
    type Error = StorageError;

    async fn next(&mut self) -> Result<Delivery> {
        Ok(self.0.take().unwrap_or(Delivery::End(None)))
    }
}

/// What the source delivers, as the fault changes it.
struct Altered<'a, L: LoadSource> {
    fault: Fault,
    source: &'a mut L,
    /// What the fault asked for too early.
    asked: Option<Delivery>,
    chunks: usize,
    reached: Option<BlockNo>,
    transactions: BTreeSet<TransactionId>,
    failure: Option<L::Error>,
    ended_without_cursor: bool,
}

impl<'a, L: LoadSource> Altered<'a, L> {
    fn new(fault: Fault, model: &ModelStore, source: &'a mut L) -> Self {
        let content = model.content();
        let stored = content.blocks.values();
        Self {
            fault,
            source,
            asked: None,
            chunks: 0,
            reached: content.cursor.map(|cursor| cursor.block),
            transactions: stored.flat_map(|block| block.transactions.values().copied()).collect(),
            failure: None,
            ended_without_cursor: false,
        }
    }

    fn blocks(&mut self, mut blocks: Vec<PublishedBlock>) -> Result<Vec<PublishedBlock>> {
        self.chunks += 1;
        match self.fault {
            Fault::LoadsFirstChunkAlone if self.chunks > 1 => blocks.clear(),
            Fault::LoadRefusesUnorderedChunks => {
                let unordered = blocks.windows(2).find(|pair| pair[0].number > pair[1].number);
                if let Some(pair) = unordered {
                    return Err(conflict(pair[1].number, ConflictReason::SlotOrder));
                }
            }
            Fault::LoadPassesOverKnownBlocks => {
                blocks.retain(|block| self.reached.is_none_or(|reached| block.number > reached));
                self.reached = blocks.iter().map(|block| block.number).max().max(self.reached);
            }
            Fault::LoadPassesOverKnownTransactions => {
                for block in &mut blocks {
                    let known = &mut self.transactions;
                    block.transactions.retain(|transaction| known.insert(transaction.id));
                }
            }
            Fault::LoadCutsTransactionsAt65535Operations => {
                for transaction in blocks.iter_mut().flat_map(|block| &mut block.transactions) {
                    transaction.operations.truncate(MOST_OPERATIONS);
                }
            }
            _ => {}
        }
        Ok(blocks)
    }

    fn end(&mut self, cursor: Option<Cursor>) -> Option<Cursor> {
        self.ended_without_cursor = cursor.is_none();
        match self.fault {
            Fault::LoadEndsAtLastBlock => None,
            Fault::LoadForgetsCursorAlone if self.chunks == 0 => None,
            _ => cursor,
        }
    }
}

impl<L: LoadSource> LoadSource for Altered<'_, L> {
    type Error = L::Error;

    async fn next(&mut self) -> Result<Delivery, L::Error> {
        let delivery = match self.asked.take() {
            Some(asked) => Ok(asked),
            None => self.source.next().await,
        };
        match delivery {
            Ok(Delivery::Blocks(blocks)) => Ok(Delivery::Blocks(self.blocks(blocks)?)),
            Ok(Delivery::End(cursor)) => Ok(Delivery::End(self.end(cursor))),
            Err(failure) if self.fault == Fault::LoadKeepsWhatCameBeforeAFailure => {
                self.failure = Some(failure);
                Ok(Delivery::End(None))
            }
            Err(failure) => Err(failure),
        }
    }
}
