//! The store around a model that makes it wrong.

use std::sync::{Arc, Mutex, PoisonError};

use node_storage_contract::{
    Appended, BlockHeader, BlockNo, ConflictReason, Cursor, DidSuffix, DltCursorRepo, IndexEntry, Indexed,
    IndexedOperationRepo, IndexerState, IndexerStateRepo, LedgerBound, ListedDid, LoadSource, Network, OperationHash,
    OperationId, OperationPosition, OperationRecord, PageLimit, PublishedBlock, PublishedRecord, RawOperationRepo,
    Result, StorageError, StorageOwner, Subject, TransactionId, TransactionRecord,
};

use super::conflicts::{conflict, refusal};
use super::connections::{Connection, OpenClone};
use super::list::Fault;
use super::listings::{page, published};
use super::shared::{Shared, pause};
use super::stored::{LOWEST, all_operations};
use super::{answers, deliveries, loads, lookups, writes};
use crate::expected::transaction_of;
use crate::model::{Content, ModelStore};
use crate::writes::deliver;

/// How many operations of a DID are listed, with the fault that cuts the list.
const MOST_OPERATIONS_OF_DID: usize = 200;

/// A model with at most one fault.
#[derive(Debug)]
pub struct DefectiveStore {
    inner: ModelStore,
    fault: Option<Fault>,
    shared: Arc<Shared>,
    is_reopened: bool,
    /// What this clone remembers of the cursor.
    remembered: Mutex<Remembered>,
    open: OpenClone,
}

/// What a clone remembers.
#[derive(Debug, Clone, Copy, Default)]
enum Remembered {
    #[default]
    Nothing,
    /// The cursor of that time; `None` if there was none.
    Cursor(Option<Cursor>),
}

impl Clone for DefectiveStore {
    fn clone(&self) -> Self {
        let copy = Self::new(
            self.inner.clone(),
            self.fault,
            Arc::clone(&self.shared),
            self.is_reopened,
        );
        *copy.remembered.lock().unwrap_or_else(PoisonError::into_inner) = self.remembered();
        copy
    }
}

impl DefectiveStore {
    pub(super) fn new(inner: ModelStore, fault: Option<Fault>, shared: Arc<Shared>, is_reopened: bool) -> Self {
        Self {
            inner,
            fault,
            open: OpenClone::new(&shared, fault),
            shared,
            is_reopened,
            remembered: Mutex::default(),
        }
    }

    /// The model itself.
    pub(super) const fn model(&self) -> &ModelStore {
        &self.inner
    }

    fn remembered(&self) -> Remembered {
        *self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the cursor that is stored now.
    pub(super) fn remember(&self) {
        if self.fault == Some(Fault::ClonesRememberTheCursor) {
            let cursor = self.inner.content().cursor;
            *self.remembered.lock().unwrap_or_else(PoisonError::into_inner) = Remembered::Cursor(cursor);
        }
    }

    /// Does the work of a call after others had their turn.
    async fn call<T: Send>(&self, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.open.must_be_open()?;
        let connection = Connection::take(&self.shared, self.fault).await?;
        self.shared.take_turns().await;
        let answer = work.await;
        connection.give_back(&answer);
        answer
    }

    /// Does the work of one transaction: on a copy of the content, which is kept if the work succeeds. The fault changes this.
    async fn write<T: Send>(
        &self,
        fault: Fault,
        kind: Kind,
        change: impl FnOnce(&mut Content) -> Result<T> + Send,
    ) -> Result<T> {
        if let Err(refused) = self.inner.must_be_writable() {
            match (fault, kind) {
                (Fault::ReadersMayMoveTheCursor, Kind::Cursor) | (Fault::ReadersMayIndex, Kind::Index) => {}
                (Fault::ReadersRefuseChangesAlone, _) => return self.answer_unchanged(change),
                (Fault::ReadOnlyIsUnavailable, _) => {
                    return Err(StorageError::Unavailable {
                        retryable: false,
                        detail: "attempt to write a readonly database".to_owned(),
                    });
                }
                _ => return Err(refused),
            }
        }
        let was_read_before = fault == Fault::WritesWhatItReadBefore
            || matches!(
                (fault, kind),
                (Fault::LosesConcurrentAppends, Kind::Append)
                    | (Fault::LosesConcurrentBatches, Kind::Index)
                    | (Fault::LosesConcurrentCursorMoves, Kind::Cursor)
            );
        let turn = if was_read_before {
            None
        } else {
            Some(self.inner.turn().await)
        };
        let before = self.inner.content().clone();
        if was_read_before {
            pause().await;
        }
        let mut changed = before.clone();
        let answer = change(&mut changed);
        let commits = matches!(
            fault,
            Fault::CommitsRefusedWrites | Fault::RefusedCallMovesCursor | Fault::RefusedBatchIsIndexedUpToItsConflict
        );
        if answer.is_err() && !commits {
            return answer;
        }
        if let Some(shown) = writes::uncommitted(fault, &before, &changed) {
            *self.inner.content() = shown;
            pause().await;
        }
        *self.inner.content() = changed;
        drop(turn);
        answer
    }

    /// Accepts a write without effect in a store that was opened to read, and refuses any other.
    fn answer_unchanged<T>(&self, change: impl FnOnce(&mut Content) -> Result<T>) -> Result<T> {
        let mut changed = self.inner.content().clone();
        let before = (changed.cursor, changed.blocks.len(), changed.index.len());
        match change(&mut changed) {
            Ok(answer) if before == (changed.cursor, changed.blocks.len(), changed.index.len()) => Ok(answer),
            Ok(_) => Err(StorageError::ReadOnly),
            Err(error) => Err(error),
        }
    }

    /// Returns these records with the fault.
    fn records(&self, stored: Vec<OperationRecord>) -> Result<Vec<OperationRecord>> {
        let Some(fault) = self.fault else { return Ok(stored) };
        stored
            .into_iter()
            .map(|record| answers::record(fault, record))
            .collect()
    }

    /// Returns the records of a page with the fault.
    fn page_of_records(&self, stored: Vec<OperationRecord>, limit: PageLimit) -> Result<Vec<OperationRecord>> {
        let mut rows = self.records(stored)?;
        let is_full = u32::try_from(rows.len()) == Ok(limit.get());
        if let Some(last) = rows.last_mut().filter(|_| is_full)
            && self.fault == Some(Fault::LastRowOfFullPageIsUnindexed)
        {
            last.indexing = None;
        }
        if let ([alone], Some(most)) = (rows.as_slice(), limit.bytes())
            && self.fault == Some(Fault::PageEndsBeforeLongOperation)
            && alone.operation.bytes.as_slice().len() > usize::try_from(most).unwrap_or(usize::MAX)
        {
            rows.clear();
        }
        Ok(rows)
    }

    async fn append_with(
        &self,
        fault: Fault,
        expected: Option<Cursor>,
        delivered: &[PublishedBlock],
        cursor: Cursor,
    ) -> Result<Appended> {
        let blocks = {
            let content = self.inner.content();
            deliveries::changed(fault, &content, delivered)?
        };
        let after_last = blocks.iter().max_by_key(|block| block.number).map(at);
        match fault {
            Fault::PassesOverCallsWithoutBlocks if blocks.is_empty() => return Ok(Appended::default()),
            Fault::LosesCallAfterConflict if self.shared.notes(|notes| std::mem::take(&mut notes.was_refused)) => {
                return Ok(Appended::default());
            }
            Fault::StoresBlockByBlock => return self.append_one_by_one(expected, blocks, cursor).await,
            _ => {}
        }
        self.must_not_be_remembered(fault, &blocks)?;
        let cursor = match (fault, after_last) {
            (Fault::LowersCursorToLastBlock, Some(last)) => last,
            (Fault::CutsCallsAt65535Blocks | Fault::StopsAtStoredBlockAfterNewOnes, Some(last))
                if blocks.len() < delivered.len() =>
            {
                last
            }
            _ => cursor,
        };
        let fault_within = match fault {
            Fault::ForgetsBlocksOnReopening
            | Fault::ForgetsTransactionIdsOnReopening
            | Fault::ForgetsCursorHashOnReopening
                if !self.is_reopened =>
            {
                None
            }
            fault => Some(fault),
        };
        let work = |content: &mut Content| match fault_within {
            Some(fault) => writes::append(fault, content, expected, blocks.clone(), cursor),
            None => content.append(expected, &blocks, cursor),
        };
        let appended = self.write(fault, Kind::Append, work).await;
        let Ok(appended) = appended else {
            self.note_refusal(&blocks);
            if fault == Fault::StoresRestOfRefusedCall {
                // Some of them are refused again; that is no matter here.
                for block in &blocks {
                    let _ = deliver(&self.inner, std::slice::from_ref(block), at(block)).await;
                }
            }
            return appended;
        };
        let delivered = blocks.iter().flat_map(positions).collect::<Vec<_>>();
        let again = delivered.len() - appended.operations.min(delivered.len());
        let counts_again = fault == Fault::CountsRedeliveredBlocks;
        let answer = Appended {
            blocks: if counts_again { blocks.len() } else { appended.blocks },
            operations: if counts_again {
                delivered.len()
            } else {
                appended.operations
            },
        };
        self.shared.notes(|notes| {
            notes.delivered.extend(delivered);
            notes.again += again;
        });
        Ok(answer)
    }

    /// Notes what was refused, for the faults that do not forget it.
    fn note_refusal(&self, blocks: &[PublishedBlock]) {
        self.shared.notes(|notes| {
            notes.was_refused = true;
            for block in blocks {
                notes.refused_operations += positions(block).count();
                notes.refused_blocks.insert(block.number, block.clone());
                for transaction in &block.transactions {
                    notes
                        .refused_transactions
                        .insert(transaction.id, (block.number, transaction.absn));
                }
            }
        });
    }

    /// Refuses what contradicts a refused call, if the fault takes that call for stored.
    fn must_not_be_remembered(&self, fault: Fault, blocks: &[PublishedBlock]) -> Result<()> {
        self.shared.notes(|notes| {
            for block in blocks {
                let refused = notes.refused_blocks.get(&block.number);
                if fault == Fault::RemembersRefusedBlocks && refused.is_some_and(|refused| refused != block) {
                    return Err(conflict(block.number, ConflictReason::OtherBlockHash));
                }
                for transaction in &block.transactions {
                    let place = (block.number, transaction.absn);
                    if fault == Fault::RemembersRefusedTransactionIds
                        && let Some((block, absn)) = notes.refused_transactions.get(&transaction.id)
                        && (*block, *absn) != place
                    {
                        return Err(conflict(
                            Subject::Transaction(place.0, place.1),
                            ConflictReason::TransactionElsewhere {
                                id: transaction.id,
                                block: *block,
                                absn: *absn,
                            },
                        ));
                    }
                }
            }
            Ok(())
        })
    }

    async fn append_one_by_one(
        &self,
        expected: Option<Cursor>,
        mut blocks: Vec<PublishedBlock>,
        cursor: Cursor,
    ) -> Result<Appended> {
        blocks.sort_by_key(|block| block.number);
        self.inner.content().must_stand_at(expected)?;
        let mut sum = Appended::default();
        for block in &blocks {
            let appended = deliver(&self.inner, std::slice::from_ref(block), at(block)).await?;
            sum.blocks += appended.blocks;
            sum.operations += appended.operations;
            pause().await;
        }
        deliver(&self.inner, &[], cursor).await?;
        Ok(sum)
    }

    /// Returns the number of operations with the fault.
    fn counted(&self, fault: Fault, mut operations: u64) -> u64 {
        let (again, refused) = self.shared.notes(|notes| (notes.again, notes.refused_operations));
        let more = match fault {
            Fault::BoundCountsRedelivered => again,
            Fault::BoundCountsRefused => refused,
            _ => 0,
        };
        operations += u64::try_from(more).unwrap_or(u64::MAX);
        if fault == Fault::ForgetsCountOnReopening && self.is_reopened {
            operations = 0;
        }
        operations
    }

    /// Returns what the fault answers to a write that was refused.
    fn refused<T>(&self, error: StorageError, first: Option<Subject>, ignored: T) -> Result<T> {
        refusal(self.fault, error, first).map_or(Ok(ignored), Err)
    }
}

/// What a transaction changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Append,
    Index,
    Cursor,
}

/// Returns the cursor at a block.
fn at(block: &PublishedBlock) -> Cursor {
    Cursor::at(&block.into())
}

fn positions(block: &PublishedBlock) -> impl Iterator<Item = OperationPosition> {
    block.transactions.iter().flat_map(|transaction| {
        let operations = transaction.operations.iter();
        operations.map(|operation| OperationPosition {
            block: block.number,
            absn: transaction.absn,
            osn: operation.osn,
        })
    })
}

impl RawOperationRepo for DefectiveStore {
    async fn append(&self, expected: Option<Cursor>, blocks: &[PublishedBlock], cursor: Cursor) -> Result<Appended> {
        let work = async {
            let appended = match self.fault {
                Some(fault) => self.append_with(fault, expected, blocks, cursor).await,
                None => self.inner.append(expected, blocks, cursor).await,
            };
            self.remember();
            appended
        };
        let first = blocks.first().map(|block| block.number.into());
        let answer = self.call(work).await;
        answer.or_else(|error| self.refused(error, first, Appended::default()))
    }

    async fn load<L: LoadSource>(&self, onto: LedgerBound, source: &mut L) -> Result<Appended, L::Error> {
        self.open.must_be_open()?;
        let connection = Connection::take(&self.shared, self.fault).await?;
        self.shared.take_turns().await;
        let answer = match self.fault {
            Some(fault) => loads::load(fault, &self.inner, onto, source).await,
            None => self.inner.load(onto, source).await,
        };
        self.remember();
        connection.give_back(&answer);
        answer
    }

    async fn block(&self, number: BlockNo) -> Result<Option<BlockHeader>> {
        self.call(async {
            let found = self.inner.block(number).await?;
            match self.fault {
                Some(fault) => found.map(|found| answers::header(fault, found)).transpose(),
                None => Ok(found),
            }
        })
        .await
    }

    async fn operations_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        self.call(async {
            let read = |after, limit| self.inner.operations_after(after, limit);
            let rows = match self.fault {
                Some(fault) => page(fault, &self.shared, (after, limit), position_of, read).await?,
                None => read(after, limit).await?,
            };
            self.page_of_records(rows, limit)
        })
        .await
    }

    async fn published_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<PublishedRecord>> {
        let page = self.operations_after(after, limit).await?;
        Ok(published(self.fault, page))
    }

    async fn operation(&self, id: &OperationId) -> Result<Option<OperationRecord>> {
        self.call(async {
            let Some(fault) = self.fault else {
                return self.inner.operation(id).await;
            };
            let found = lookups::operation(fault, &self.inner, id).await?;
            found.map(|found| answers::record(fault, found)).transpose()
        })
        .await
    }

    async fn transaction(
        &self,
        id: &TransactionId,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Option<TransactionRecord>> {
        self.call(async {
            let Some(fault) = self.fault else {
                return self.inner.transaction(id, after, limit).await;
            };
            let known = match fault {
                Fault::ComparesTransactionIdsByPrefix => lookups::first_with_prefix(&self.inner, id),
                _ => None,
            };
            let id = known.as_ref().unwrap_or(id);
            let Some(found) = lookups::transaction(fault, &self.inner, id, (after, limit)).await? else {
                return Ok(None);
            };
            let read = |after, limit| async move {
                let page = self.inner.transaction(id, after, limit).await?;
                Ok(page.map_or_else(Vec::new, |page| page.operations))
            };
            let stored = match fault {
                Fault::PageIgnoresItsBytes | Fault::PageHoldsOneByteMore => {
                    page(fault, &self.shared, (after, limit), position_of, read).await?
                }
                _ => found.operations,
            };
            let operations = self.page_of_records(stored, limit)?;
            // Its block and place are those of its operations, as the fault has them.
            Ok(Some(match transaction_of(operations) {
                Some(changed) => TransactionRecord {
                    operation_count: found.operation_count,
                    ..changed
                },
                None => TransactionRecord {
                    operations: Vec::new(),
                    ..found
                },
            }))
        })
        .await
    }

    async fn bound(&self) -> Result<LedgerBound> {
        self.call(async {
            let Some(fault) = self.fault else {
                return self.inner.bound().await;
            };
            let before = self.inner.bound().await?;
            let mut bound = before;
            if fault == Fault::ReadsBoundInParts {
                pause().await;
                bound.operations = self.inner.bound().await?.operations;
            }
            if fault == Fault::CountsDistinctOperations {
                let mut ids: Vec<_> = all_operations(&self.inner)
                    .await?
                    .iter()
                    .map(|record| record.id)
                    .collect();
                ids.sort();
                ids.dedup();
                bound.operations = u64::try_from(ids.len()).unwrap_or(u64::MAX);
            }
            if fault == Fault::BoundNamesLastDelivered {
                bound.last = self.shared.notes(|notes| notes.delivered.last().copied());
            }
            bound.operations = self.counted(fault, bound.operations);
            bound.cursor = answers::cursor(fault, bound.cursor)?;
            Ok(bound)
        })
        .await
    }
}

/// Returns the position of a record.
const fn position_of(record: &OperationRecord) -> OperationPosition {
    record.operation.position
}

impl IndexedOperationRepo for DefectiveStore {
    async fn index(&self, batch: &[IndexEntry]) -> Result<Indexed> {
        let answer = self
            .call(async {
                match self.fault {
                    Some(fault) => {
                        let work = |content: &mut Content| writes::index(fault, content, batch.to_vec());
                        self.write(fault, Kind::Index, work).await
                    }
                    None => self.inner.index(batch).await,
                }
            })
            .await;
        match answer {
            Ok(indexed) => Ok(indexed),
            Err(error) => {
                let watermark = self.inner.indexer_state().await?.watermark;
                let first = batch.first().map(|entry| entry.position.into());
                self.refused(error, first, Indexed { entries: 0, watermark })
            }
        }
    }

    async fn operations_of_did(
        &self,
        did: &DidSuffix,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        self.call(async {
            let known = match self.fault {
                Some(Fault::ComparesDidsByPrefix) => lookups::first_did_with_prefix(&self.inner, did),
                _ => None,
            };
            let did = known.as_ref().unwrap_or(did);
            let read = |after, limit| self.inner.operations_of_did(did, after, limit);
            let mut rows = match self.fault {
                Some(fault) => page(fault, &self.shared, (after, limit), position_of, read).await?,
                None => read(after, limit).await?,
            };
            match self.fault {
                Some(Fault::ListsOperationsOfDidBackward) => rows.reverse(),
                Some(Fault::HidesStorageOperationsOfDid) => rows.retain(lookups::is_no_storage_operation),
                Some(Fault::CutsOperationsOfDidAt200) => {
                    let all = read(None, PageLimit::MAX).await?;
                    if let Some(last) = all.get(MOST_OPERATIONS_OF_DID) {
                        rows.retain(|row| position_of(row) < position_of(last));
                    }
                }
                _ => {}
            }
            self.page_of_records(rows, limit)
        })
        .await
    }

    async fn storage_owners(&self, hashes: &[OperationHash]) -> Result<Vec<StorageOwner>> {
        self.call(async {
            match self.fault {
                Some(fault) => lookups::storage_owners(fault, &self.inner, hashes).await,
                None => self.inner.storage_owners(hashes).await,
            }
        })
        .await
    }

    async fn listed_did(&self, did: &DidSuffix) -> Result<Option<ListedDid>> {
        self.call(async {
            let found = self.inner.listed_did(did).await?;
            let Some(fault) = self.fault else { return Ok(found) };
            if let Some(listed) = lookups::listed_dids(fault, &self.inner).await? {
                return Ok(listed.into_iter().find(|listed| listed.did == *did));
            }
            match (fault, found) {
                (Fault::FindsListedDidAtLatestCreate, Some(found)) => {
                    Ok(Some(lookups::latest_create(&self.inner, found)))
                }
                (Fault::ComparesDidsByPrefix, None) => match lookups::first_did_with_prefix(&self.inner, did) {
                    Some(did) => self.inner.listed_did(&did).await,
                    None => Ok(None),
                },
                (Fault::NotFoundIsAnError, None) => Err(StorageError::corrupt("the DID", "it is not listed")),
                (Fault::AnswersUnknownWithFirst, None) => {
                    let first = self.inner.listed_dids_after(None, PageLimit::MAX).await?;
                    Ok(first.into_iter().next())
                }
                _ => Ok(found),
            }
        })
        .await
    }

    async fn listed_dids_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Result<Vec<ListedDid>> {
        self.call(async {
            let read = |after, limit| self.inner.listed_dids_after(after, limit);
            let Some(fault) = self.fault else {
                return read(after, limit).await;
            };
            if let Some(mut listed) = lookups::listed_dids(fault, &self.inner).await? {
                listed.retain(|listed| after.is_none_or(|after| listed.position > after));
                listed.truncate(usize::try_from(limit.get()).unwrap_or(usize::MAX));
                return Ok(listed);
            }
            page(
                fault,
                &self.shared,
                (after, limit),
                |listed: &ListedDid| listed.position,
                read,
            )
            .await
        })
        .await
    }
}

impl IndexerStateRepo for DefectiveStore {
    async fn indexer_state(&self) -> Result<IndexerState> {
        self.call(async {
            let mut state = self.inner.indexer_state().await?;
            match self.fault {
                Some(Fault::LastIndexedIsBlockOfWatermark) => {
                    state.last_indexed_block = match state.watermark {
                        Some(watermark) => self.inner.block(watermark.block).await?,
                        None => None,
                    };
                }
                Some(Fault::LastIndexedIsLastStored) => {
                    state.last_indexed_block = match state.last_stored {
                        Some(last) => self.inner.block(last.block).await?,
                        None => None,
                    };
                }
                Some(Fault::LastStoredIsWatermark) => state.last_stored = state.watermark,
                Some(Fault::TakesNoWatermarkForLowest) if state.watermark.is_none() => {
                    state.watermark = Some(LOWEST);
                }
                Some(Fault::TakesLowestWatermarkForNone) if state.watermark == Some(LOWEST) => state.watermark = None,
                Some(Fault::ForgetsWatermarkOnReopening) if self.is_reopened => state.watermark = None,
                Some(Fault::ReadsStateInParts) => {
                    pause().await;
                    state.last_indexed_block = self.inner.indexer_state().await?.last_indexed_block;
                }
                _ => {}
            }
            if let (Some(fault), Some(block)) = (self.fault, state.last_indexed_block) {
                state.last_indexed_block = Some(answers::header(fault, block)?);
            }
            Ok(state)
        })
        .await
    }
}

impl DltCursorRepo for DefectiveStore {
    async fn cursor(&self) -> Result<Option<Cursor>> {
        self.call(async {
            let cursor = match self.remembered() {
                Remembered::Cursor(remembered) => remembered,
                Remembered::Nothing => self.inner.cursor().await?,
            };
            self.fault.map_or(Ok(cursor), |fault| answers::cursor(fault, cursor))
        })
        .await
    }

    async fn advance_cursor(&self, expected: Option<Cursor>, cursor: Cursor) -> Result<()> {
        let work = async {
            let moved = match self.fault {
                Some(Fault::ForgetsCursorHashOnReopening) if !self.is_reopened => {
                    self.inner.advance_cursor(expected, cursor).await
                }
                Some(fault) => {
                    let work = |content: &mut Content| writes::move_cursor(fault, content, expected, cursor);
                    self.write(fault, Kind::Cursor, work).await
                }
                None => self.inner.advance_cursor(expected, cursor).await,
            };
            self.remember();
            moved
        };
        let answer = self.call(work).await;
        answer.or_else(|error| self.refused(error, Some(cursor.into()), ()))
    }

    async fn network(&self) -> Result<Option<Network>> {
        self.call(async {
            match self.fault {
                Some(Fault::HidesNetwork) => Ok(None),
                Some(Fault::TakesPreprodForPreview) => {
                    let stored = self.inner.network().await?;
                    Ok(stored.map(|stored| match stored {
                        Network::Preprod => Network::Preview,
                        stored => stored,
                    }))
                }
                _ => self.inner.network().await,
            }
        })
        .await
    }
}
