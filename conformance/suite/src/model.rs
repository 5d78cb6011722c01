//! The reference model: a store in memory, written to be read rather than to be fast.
//!
//! It keeps what was delivered and answers every question by looking at all of it. It shares no judgement with the backends
//! (it does not use `AppendPlan`, `IndexPlan` or `Cursor::advance`), so that it can be their oracle.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use node_storage_contract::{
    Access, Appended, BlockHeader, BlockNo, BoundMismatch, Conflict, ConflictReason, Cursor, CursorMoved, Delivery,
    DidSuffix, DltCursorRepo, IndexEntry, IndexOutcome, Indexed, IndexedOperationRepo, IndexerState, IndexerStateRepo,
    LedgerBound, LedgerOperation, ListedDid, LoadSource, Network, OperationBytes, OperationHash, OperationId,
    OperationIndex, OperationPosition, OperationRecord, PageLimit, PublishedBlock, PublishedOperation, PublishedRecord,
    PublishedTransaction, RawOperationRepo, Result, StorageError, StorageOwner, Subject, TransactionId,
    TransactionIndex, TransactionRecord,
};

use crate::StoreFactory;

/// The store that every backend must behave like. Clones share one store.
#[derive(Debug, Clone)]
pub struct ModelStore {
    shared: Arc<Shared>,
    access: Access,
}

/// What the handles of one model share.
#[derive(Debug, Default)]
struct Shared {
    content: Mutex<Content>,
    /// Held by one write at a time, a load as long as its source delivers.
    turn: tokio::sync::Mutex<()>,
}

impl Shared {
    fn content(&self) -> MutexGuard<'_, Content> {
        // Content is replaced as a whole, so a panic elsewhere can't leave it half written.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) network: Option<Network>,
    pub(crate) cursor: Option<Cursor>,
    /// Shared with copies, which are many.
    pub(crate) blocks: BTreeMap<BlockNo, Arc<Block>>,
    /// The lowest position of each operation.
    pub(crate) ids: BTreeMap<OperationId, OperationPosition>,
    pub(crate) index: BTreeMap<OperationPosition, IndexOutcome>,
}

/// A block, its transactions and operations by their indexes; those without operations are not kept.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) header: BlockHeader,
    pub(crate) transactions: BTreeMap<TransactionIndex, TransactionId>,
    pub(crate) operations: BTreeMap<(TransactionIndex, OperationIndex), OperationBytes>,
}

/// The factory of one [`ModelStore`], which it keeps while that is closed.
#[derive(Debug, Clone, Default)]
pub struct Model(Arc<Shared>);

impl Model {
    /// A model of its own with what is stored in this one now.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::default();
        copy.become_copy_of(self);
        copy
    }

    /// Holds what another model holds, as a database that goes back to a snapshot does under those who have it open.
    pub fn become_copy_of(&self, other: &Self) {
        let content = other.0.content().clone();
        *self.0.content() = content;
    }
}

impl StoreFactory for Model {
    type Store = ModelStore;

    async fn open(&self, network: Network, access: Access) -> Result<ModelStore> {
        let store = ModelStore {
            shared: Arc::clone(&self.0),
            access,
        };
        let mut content = store.content();
        match content.network {
            Some(stored) if stored != network => {
                return Err(StorageError::WrongNetwork {
                    stored,
                    requested: network,
                });
            }
            None if access.is_write() => content.network = Some(network),
            Some(_) | None => {}
        }
        drop(content);
        Ok(store)
    }
}

impl ModelStore {
    pub(crate) fn content(&self) -> MutexGuard<'_, Content> {
        self.shared.content()
    }

    /// The turn of a write: other writes wait until it is dropped.
    pub(crate) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.shared.turn.lock().await
    }

    async fn write<T>(&self, change: impl FnOnce(&mut Content) -> Result<T>) -> Result<T> {
        self.must_be_writable()?;
        let _turn = self.turn().await;
        self.change(change)
    }

    /// Changes a copy of the content and keeps it if that succeeds: the model's transaction.
    fn change<T>(&self, change: impl FnOnce(&mut Content) -> Result<T>) -> Result<T> {
        let mut content = self.content();
        let mut changed = content.clone();
        let answer = change(&mut changed)?;
        *content = changed;
        Ok(answer)
    }

    pub(crate) fn must_be_writable(&self) -> Result<()> {
        if self.access.is_write() {
            Ok(())
        } else {
            Err(StorageError::ReadOnly)
        }
    }
}

fn refuse<T>(at: impl Into<Subject>, reason: ConflictReason) -> Result<T> {
    Err(StorageError::Conflict(Conflict { at: at.into(), reason }))
}

impl Block {
    pub(crate) fn delivered(block: &PublishedBlock) -> Result<Self> {
        let mut known = Self {
            header: block.into(),
            transactions: BTreeMap::new(),
            operations: BTreeMap::new(),
        };
        for transaction in block
            .transactions
            .iter()
            .filter(|transaction| !transaction.operations.is_empty())
        {
            let absn = transaction.absn;
            let mut own = BTreeMap::new();
            for operation in &transaction.operations {
                let other = own.insert((absn, operation.osn), operation.bytes.clone());
                if other.is_some_and(|other| other != operation.bytes) {
                    return refuse(known.position((absn, operation.osn)), ConflictReason::OtherOperation);
                }
            }
            match known.transactions.insert(absn, transaction.id) {
                None => known.operations.extend(own),
                Some(other) if other != transaction.id => {
                    return refuse(
                        Subject::Transaction(block.number, absn),
                        ConflictReason::OtherTransactionId,
                    );
                }
                Some(_) => {
                    let before = known.operations.iter().filter(|((of, _), _)| *of == absn);
                    let before = before.map(|(key, bytes)| (*key, bytes.clone())).collect();
                    known.compare_operations(&own, &before)?;
                }
            }
        }
        Ok(known)
    }

    /// The block as it could have been delivered.
    pub(crate) fn published(&self) -> PublishedBlock {
        let transactions = self.transactions.iter().map(|(absn, id)| PublishedTransaction {
            absn: *absn,
            id: *id,
            operations: self
                .operations
                .iter()
                .filter(|((of, _), _)| of == absn)
                .map(|((_, osn), bytes)| PublishedOperation {
                    osn: *osn,
                    bytes: bytes.clone(),
                })
                .collect(),
        });
        PublishedBlock {
            number: self.header.number,
            slot: self.header.slot,
            hash: self.header.hash,
            time: self.header.time,
            transactions: transactions.collect(),
        }
    }

    fn position(&self, (absn, osn): (TransactionIndex, OperationIndex)) -> OperationPosition {
        OperationPosition {
            block: self.header.number,
            absn,
            osn,
        }
    }

    /// Refuses a delivered block that is not the one known under its number.
    fn must_equal(&self, known: &Self) -> Result<()> {
        let (own, other) = (&self.header, &known.header);
        if own.hash != other.hash {
            return refuse(own.number, ConflictReason::OtherBlockHash);
        }
        if own.slot != other.slot {
            return refuse(own.number, ConflictReason::OtherSlot);
        }
        if own.time != other.time {
            return refuse(own.number, ConflictReason::OtherBlockTime);
        }
        self.compare_operations(&self.operations, &known.operations)?;
        for (absn, id) in &self.transactions {
            if known.transactions.get(absn) != Some(id) {
                return refuse(
                    Subject::Transaction(own.number, *absn),
                    ConflictReason::OtherTransactionId,
                );
            }
        }
        Ok(())
    }

    fn compare_operations(
        &self,
        delivered: &BTreeMap<(TransactionIndex, OperationIndex), OperationBytes>,
        known: &BTreeMap<(TransactionIndex, OperationIndex), OperationBytes>,
    ) -> Result<()> {
        let keys: BTreeSet<_> = delivered.keys().chain(known.keys()).collect();
        for key in keys {
            match (delivered.get(key), known.get(key)) {
                (Some(delivered), Some(known)) if delivered == known => {}
                (Some(_), Some(_)) => return refuse(self.position(*key), ConflictReason::OtherOperation),
                (Some(_), None) => return refuse(self.position(*key), ConflictReason::OperationAdded),
                (None, _) => return refuse(self.position(*key), ConflictReason::OperationMissing),
            }
        }
        Ok(())
    }
}

impl Content {
    pub(crate) fn append(
        &mut self,
        expected: Option<Cursor>,
        delivered: &[PublishedBlock],
        cursor: Cursor,
    ) -> Result<Appended> {
        let blocks = in_order(delivered)?;
        judge_call(&blocks, cursor)?;
        self.must_stand_at(expected)?;
        let before = self.cursor;
        self.move_cursor(cursor)?;
        self.add_all(blocks, before, true)
    }

    /// Adds blocks to what stands up to `before`. Only a delivery that may repeat itself may hold what is known.
    fn add_all(&mut self, blocks: BTreeMap<BlockNo, Block>, before: Option<Cursor>, repeats: bool) -> Result<Appended> {
        let known_transactions = self.transactions();
        let mut appended = Appended::default();
        for (number, block) in blocks {
            if let Some(before) = before {
                let known_here = number == before.block;
                match number.cmp(&before.block) == block.header.slot.cmp(&before.slot) {
                    false if known_here => return refuse(number, ConflictReason::OtherSlot),
                    false => return refuse(number, ConflictReason::SlotOrder),
                    true if known_here && block.header.hash != before.hash => {
                        return refuse(number, ConflictReason::OtherBlockHash);
                    }
                    true => {}
                }
            }
            let known = self.blocks.get(&number).filter(|_| repeats);
            if let Some(known) = known {
                block.must_equal(known)?;
            } else if !block.operations.is_empty() {
                if before.is_some_and(|before| number <= before.block) {
                    return refuse(number, ConflictReason::BelowCursor);
                }
                for (absn, id) in &block.transactions {
                    if let Some((other, other_absn)) = known_transactions.get(id) {
                        return refuse(
                            Subject::Transaction(number, *absn),
                            ConflictReason::TransactionElsewhere {
                                id: *id,
                                block: *other,
                                absn: *other_absn,
                            },
                        );
                    }
                }
                appended.blocks += 1;
                appended.operations += block.operations.len();
                self.add(block);
            }
        }
        Ok(appended)
    }

    pub(crate) fn add(&mut self, block: Block) {
        for (key, bytes) in &block.operations {
            self.ids.entry(bytes.id()).or_insert(block.position(*key));
        }
        self.blocks.insert(block.header.number, Arc::new(block));
    }

    /// Takes over all chunks of a load, each above the one before, and then its cursor.
    pub(crate) fn load(&mut self, chunks: &[Vec<PublishedBlock>], cursor: Option<Cursor>) -> Result<Appended> {
        let mut loaded = Appended::default();
        let mut reached = self.cursor;
        let mut delivered = None;
        for chunk in chunks {
            let blocks = in_order(chunk)?;
            let Some(last) = blocks.values().next_back().map(|block| Cursor::at(&block.header)) else {
                continue;
            };
            judge_call(&blocks, last)?;
            let added = self.add_all(blocks, reached, false)?;
            loaded.blocks += added.blocks;
            loaded.operations += added.operations;
            if reached.is_none_or(|reached| last.block > reached.block) {
                reached = Some(last);
                delivered = Some(last);
            }
        }
        match (cursor, delivered) {
            (None, None) => {}
            (None, Some(last)) => self.cursor = Some(last),
            (Some(cursor), Some(last))
                if cursor != last && (cursor.block <= last.block || cursor.slot <= last.slot) =>
            {
                return refuse(cursor, ConflictReason::CursorBelowBlocks { last: last.block });
            }
            (Some(cursor), _) => self.move_cursor(cursor)?,
        }
        Ok(loaded)
    }

    pub(crate) fn bound(&self) -> LedgerBound {
        LedgerBound {
            cursor: self.cursor,
            last: self.last_position(),
            operations: self.blocks.values().map(|block| count(block.operations.len())).sum(),
        }
    }

    pub(crate) fn must_stand_at(&self, expected: Option<Cursor>) -> Result<()> {
        let stored = self.cursor;
        if stored == expected {
            return Ok(());
        }
        Err(Box::new(CursorMoved { expected, stored }).into())
    }

    pub(crate) fn must_hold(&self, expected: LedgerBound) -> Result<()> {
        let found = self.bound();
        if found == expected {
            return Ok(());
        }
        Err(Box::new(BoundMismatch { expected, found }).into())
    }

    /// Where each stored transaction stands.
    fn transactions(&self) -> BTreeMap<TransactionId, (BlockNo, TransactionIndex)> {
        let places = self.blocks.iter().flat_map(|(number, block)| {
            let transactions = block.transactions.iter();
            transactions.map(|(absn, id)| (*id, (*number, *absn)))
        });
        places.collect()
    }

    pub(crate) fn move_cursor(&mut self, cursor: Cursor) -> Result<()> {
        let Some(stored) = self.cursor else {
            self.cursor = Some(cursor);
            return Ok(());
        };
        let order = (cursor.block.cmp(&stored.block), cursor.slot.cmp(&stored.slot));
        if order == (Ordering::Greater, Ordering::Greater) {
            self.cursor = Some(cursor);
        } else if order.0 != order.1 {
            return refuse(cursor, ConflictReason::CursorOrder { stored });
        } else if order.0 == Ordering::Equal && cursor.hash != stored.hash {
            return refuse(cursor, ConflictReason::CursorFork { stored });
        }
        Ok(())
    }

    pub(crate) fn index(&mut self, batch: &[IndexEntry]) -> Result<Indexed> {
        let mut entries: BTreeMap<OperationPosition, &IndexOutcome> = BTreeMap::new();
        for entry in batch {
            if entries
                .insert(entry.position, &entry.outcome)
                .is_some_and(|other| *other != entry.outcome)
            {
                return refuse(entry.position, ConflictReason::IndexedTwice);
            }
        }
        let stored = self.positions();
        let watermark = self.watermark();
        if let (Some(first), Some(last)) = (entries.keys().next(), entries.keys().next_back()) {
            for position in stored
                .range(*first..=*last)
                .chain(entries.keys())
                .collect::<BTreeSet<_>>()
            {
                if !stored.contains(position) {
                    return refuse(*position, ConflictReason::UnknownPosition);
                }
                if !entries.contains_key(position) {
                    return refuse(*position, ConflictReason::IndexGap);
                }
            }
            let next = stored
                .iter()
                .find(|position| watermark.is_none_or(|watermark| **position > watermark));
            if let Some(next) = next.filter(|next| *next < first) {
                return refuse(*next, ConflictReason::IndexGap);
            }
        }
        let mut added = 0;
        for (position, outcome) in entries {
            if watermark.is_none_or(|watermark| position > watermark) {
                self.index.insert(position, outcome.clone());
                added += 1;
            }
        }
        Ok(Indexed {
            entries: added,
            watermark: self.watermark(),
        })
    }

    /// The positions of all operations, ascending.
    fn all_positions(&self) -> impl Iterator<Item = OperationPosition> {
        let blocks = self.blocks.values();
        blocks.flat_map(|block| block.operations.keys().map(|key| block.position(*key)))
    }

    fn last_position(&self) -> Option<OperationPosition> {
        let mut blocks = self.blocks.values().rev();
        blocks.find_map(|block| block.operations.keys().next_back().map(|key| block.position(*key)))
    }

    pub(crate) fn positions(&self) -> BTreeSet<OperationPosition> {
        self.all_positions().collect()
    }

    pub(crate) fn watermark(&self) -> Option<OperationPosition> {
        self.index.keys().next_back().copied()
    }

    /// The operation at this position.
    pub(crate) fn record(&self, position: OperationPosition) -> Option<OperationRecord> {
        let block = self.blocks.get(&position.block)?;
        let bytes = block.operations.get(&(position.absn, position.osn))?;
        Some(OperationRecord {
            operation: LedgerOperation {
                position,
                block_time: block.header.time,
                bytes: bytes.clone(),
            },
            id: bytes.id(),
            slot: block.header.slot,
            block_hash: block.header.hash,
            transaction_id: *block.transactions.get(&position.absn)?,
            indexing: self.index.get(&position).cloned(),
        })
    }

    fn listed(&self) -> Vec<ListedDid> {
        let mut seen = BTreeSet::new();
        let mut listed = Vec::new();
        for (position, outcome) in &self.index {
            if let IndexOutcome::Did {
                did, lists_did: true, ..
            } = outcome
                && seen.insert(*did)
            {
                listed.push(ListedDid {
                    did: *did,
                    position: *position,
                });
            }
        }
        listed
    }
}

/// The blocks by number, those that come twice being equal.
fn in_order(delivered: &[PublishedBlock]) -> Result<BTreeMap<BlockNo, Block>> {
    let mut blocks: BTreeMap<BlockNo, Block> = BTreeMap::new();
    for block in delivered {
        let block = Block::delivered(block)?;
        match blocks.get(&block.header.number) {
            Some(known) => block.must_equal(known)?,
            None => {
                blocks.insert(block.header.number, block);
            }
        }
    }
    Ok(blocks)
}

/// Contradictions within one call.
fn judge_call(blocks: &BTreeMap<BlockNo, Block>, cursor: Cursor) -> Result<()> {
    let mut last: Option<&Block> = None;
    let mut transactions: BTreeMap<TransactionId, (BlockNo, TransactionIndex)> = BTreeMap::new();
    for block in blocks.values() {
        if last.is_some_and(|last| last.header.slot >= block.header.slot) {
            return refuse(block.header.number, ConflictReason::SlotOrder);
        }
        last = Some(block);
    }
    for block in blocks.values() {
        for (absn, id) in &block.transactions {
            if let Some((other, other_absn)) = transactions.insert(*id, (block.header.number, *absn)) {
                return refuse(
                    Subject::Transaction(block.header.number, *absn),
                    ConflictReason::TransactionElsewhere {
                        id: *id,
                        block: other,
                        absn: other_absn,
                    },
                );
            }
        }
    }
    let Some(last) = last.map(|block| block.header) else {
        return Ok(());
    };
    let at_last = cursor.block == last.number && cursor.slot == last.slot && cursor.hash == last.hash;
    let above_last = cursor.block > last.number && cursor.slot > last.slot;
    if at_last || above_last {
        return Ok(());
    }
    refuse(cursor, ConflictReason::CursorBelowBlocks { last: last.number })
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

/// The number of rows of a page.
fn rows(limit: PageLimit) -> usize {
    usize::try_from(limit.get()).unwrap_or(usize::MAX)
}

/// The first of these operations that stand above `after`, as many as the limit admits.
fn page(
    content: &Content,
    positions: impl Iterator<Item = OperationPosition>,
    after: Option<OperationPosition>,
    limit: PageLimit,
) -> Vec<OperationRecord> {
    let above = positions.filter(|position| is_above(*position, after));
    let mut page = Vec::new();
    let mut bytes = 0;
    for record in above.filter_map(|position| content.record(position)) {
        bytes += u64::try_from(record.operation.bytes.as_slice().len()).unwrap_or(u64::MAX);
        let is_too_long = limit.bytes().is_some_and(|most| bytes > most);
        if page.len() == rows(limit) || is_too_long && !page.is_empty() {
            break;
        }
        page.push(record);
    }
    page
}

fn is_above(position: OperationPosition, after: Option<OperationPosition>) -> bool {
    after.is_none_or(|after| position > after)
}

impl RawOperationRepo for ModelStore {
    async fn append(&self, expected: Option<Cursor>, blocks: &[PublishedBlock], cursor: Cursor) -> Result<Appended> {
        self.write(|content| content.append(expected, blocks, cursor)).await
    }

    async fn load<L: LoadSource>(&self, onto: LedgerBound, source: &mut L) -> Result<Appended, L::Error> {
        self.must_be_writable()?;
        let _turn = self.turn().await;
        self.content().must_hold(onto)?;
        let mut chunks = Vec::new();
        let cursor = loop {
            match source.next().await? {
                Delivery::Blocks(blocks) => {
                    chunks.push(blocks);
                    // What contradicts is refused before the source is asked for more.
                    self.content().clone().load(&chunks, None)?;
                }
                Delivery::End(cursor) => break cursor,
            }
        };
        Ok(self.change(|content| content.load(&chunks, cursor))?)
    }

    async fn block(&self, number: BlockNo) -> Result<Option<BlockHeader>> {
        Ok(self.content().blocks.get(&number).map(|block| block.header))
    }

    async fn operations_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        let content = self.content();
        Ok(page(&content, content.all_positions(), after, limit))
    }

    async fn published_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<PublishedRecord>> {
        let page = self.operations_after(after, limit).await?;
        Ok(page.into_iter().map(Into::into).collect())
    }

    async fn operation(&self, id: &OperationId) -> Result<Option<OperationRecord>> {
        let content = self.content();
        Ok(content.ids.get(id).and_then(|lowest| content.record(*lowest)))
    }

    async fn transaction(
        &self,
        id: &TransactionId,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Option<TransactionRecord>> {
        let content = self.content();
        let Some((block, absn)) = content.transactions().get(id).copied() else {
            return Ok(None);
        };
        let Some(stored) = content.blocks.get(&block) else {
            return Ok(None);
        };
        let own = || stored.operations.keys().filter(|(of, _)| *of == absn);
        Ok(Some(TransactionRecord {
            id: *id,
            block: stored.header,
            absn,
            operation_count: u64::try_from(own().count()).unwrap_or(u64::MAX),
            operations: page(&content, own().map(|key| stored.position(*key)), after, limit),
        }))
    }

    async fn bound(&self) -> Result<LedgerBound> {
        Ok(self.content().bound())
    }
}

impl IndexedOperationRepo for ModelStore {
    async fn index(&self, batch: &[IndexEntry]) -> Result<Indexed> {
        self.write(|content| content.index(batch)).await
    }

    async fn operations_of_did(
        &self,
        did: &DidSuffix,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        let content = self.content();
        let of_did = content.index.iter().filter(|(_, outcome)| outcome.did() == Some(*did));
        Ok(page(&content, of_did.map(|(position, _)| *position), after, limit))
    }

    async fn storage_owners(&self, hashes: &[OperationHash]) -> Result<Vec<StorageOwner>> {
        let mut wanted: BTreeSet<_> = hashes.iter().copied().collect();
        let content = self.content();
        let owners = content.index.iter().filter_map(|(position, outcome)| match outcome {
            IndexOutcome::Storage { did, operation_hash } if wanted.remove(operation_hash) => Some(StorageOwner {
                operation_hash: *operation_hash,
                position: *position,
                did: *did,
            }),
            _ => None,
        });
        Ok(owners.collect())
    }

    async fn listed_did(&self, did: &DidSuffix) -> Result<Option<ListedDid>> {
        let content = self.content();
        let mut entries = content.index.iter();
        let first = entries.find(
            |(_, outcome)| matches!(outcome, IndexOutcome::Did { did: named, lists_did: true, .. } if named == did),
        );
        Ok(first.map(|(position, _)| ListedDid {
            did: *did,
            position: *position,
        }))
    }

    async fn listed_dids_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Result<Vec<ListedDid>> {
        let listed = self.content().listed().into_iter();
        let page = listed.filter(|listed| is_above(listed.position, after));
        Ok(page.take(rows(limit)).collect())
    }
}

impl IndexerStateRepo for ModelStore {
    async fn indexer_state(&self) -> Result<IndexerState> {
        let content = self.content();
        let watermark = content.watermark();
        let mut complete = content.blocks.values().filter(|block| {
            let last = block.operations.keys().next_back().map(|key| block.position(*key));
            last <= watermark
        });
        Ok(IndexerState {
            watermark,
            last_stored: content.last_position(),
            last_indexed_block: complete.next_back().map(|block| block.header),
        })
    }
}

impl DltCursorRepo for ModelStore {
    async fn cursor(&self) -> Result<Option<Cursor>> {
        Ok(self.content().cursor)
    }

    async fn advance_cursor(&self, expected: Option<Cursor>, cursor: Cursor) -> Result<()> {
        self.write(|content| {
            content.must_stand_at(expected)?;
            content.move_cursor(cursor)
        })
        .await
    }

    async fn network(&self) -> Result<Option<Network>> {
        Ok(self.content().network)
    }
}
