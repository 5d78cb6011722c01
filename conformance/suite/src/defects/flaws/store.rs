//! The store around a model that makes the mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use node_storage_contract::{
    Appended, BlockHash, BlockHeader, BlockNo, Cursor, Delivery, DidSuffix, DltCursorRepo, IndexEntry, Indexed,
    IndexedOperationRepo, IndexerState, IndexerStateRepo, LedgerBound, ListedDid, LoadSource, Network, OperationHash,
    OperationId, OperationPosition, OperationRecord, PageLimit, PublishedBlock, PublishedRecord, RawOperationRepo,
    Result, StorageError, StorageOwner, TransactionId, TransactionIndex, TransactionRecord,
};

use super::{Flaw, Kept, Method, Reserved, Scope};
use crate::lens::read::{Read, Reading};
use crate::model::{Content, ModelStore};

/// How many connections a store has.
const CONNECTIONS: usize = 8;

/// What all stores of a factory share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    kept_connections: AtomicUsize,
    /// The blocks that came by a load.
    pub(super) loaded: Mutex<BTreeSet<BlockNo>>,
    /// The state before a write that was dropped, and the one after it.
    pub(super) journal: Mutex<Option<(Content, Content)>>,
    /// What refused calls have brought.
    pub(super) reserved_ids: Mutex<BTreeMap<TransactionId, (BlockNo, TransactionIndex)>>,
    pub(super) reserved_hashes: Mutex<BTreeMap<BlockNo, BlockHash>>,
    /// How many reads of the flaw's method there were.
    reads: AtomicUsize,
    /// The state whose watermark is still answered.
    pub(super) watermark_of: Mutex<Option<Content>>,
    /// What a read that was dropped has seen.
    snapshot: Mutex<Option<Content>>,
    /// How many calls were refused.
    pub(super) refusals: AtomicUsize,
}

impl Shared {
    pub(super) fn keep_a_connection(&self) {
        self.kept_connections.fetch_add(1, Ordering::Relaxed);
    }

    /// Does what was dropped, unless somebody has written since.
    pub(super) fn replay(&self, model: &ModelStore) {
        if let Some((before, after)) = lock(&self.journal).take() {
            let mut content = model.content();
            if content.bound() == before.bound() && content.index.len() == before.index.len() {
                *content = after;
            }
        }
    }

    pub(super) fn must_have_a_connection(&self) -> Result<()> {
        if self.kept_connections.load(Ordering::Relaxed) < CONNECTIONS {
            return Ok(());
        }
        Err(super::super::shared::busy())
    }
}

/// What the clones of an opening share.
#[derive(Debug, Default)]
pub(super) struct Opening {
    memory: Mutex<Memory>,
    /// The state before the last write of the flaw's method, where nothing was written after it.
    pub(super) before_last: Mutex<Option<Content>>,
    /// What was stored when it was opened.
    pub(super) found: BTreeSet<BlockNo>,
}

/// What is remembered.
#[derive(Debug, Default)]
struct Memory {
    readings: Vec<(Read, Reading)>,
    /// A state that was acknowledged and not stored.
    unwritten: Option<Content>,
}

/// A model with a flaw.
#[derive(Debug)]
pub struct FlawedStore {
    pub(super) model: ModelStore,
    pub(super) flaw: Flaw,
    pub(super) shared: Arc<Shared>,
    pub(super) opening: Arc<Opening>,
    own: Mutex<Memory>,
}

impl Clone for FlawedStore {
    fn clone(&self) -> Self {
        Self {
            model: self.model.clone(),
            flaw: self.flaw,
            shared: Arc::clone(&self.shared),
            opening: Arc::clone(&self.opening),
            own: Mutex::default(),
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets other calls run.
pub(super) async fn pause() {
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}

/// Keeps a connection where the future that holds it is dropped before its end.
pub(super) struct Held<'a>(pub(super) Option<&'a Shared>);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(shared) = self.0 {
            shared.keep_a_connection();
        }
    }
}

/// A connection that is taken as long as this is held.
pub(super) struct Taken<'a>(&'a Shared);

impl<'a> Taken<'a> {
    pub(super) fn of(shared: &'a Shared) -> Self {
        shared.keep_a_connection();
        Self(shared)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.kept_connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Leaves a state to the next read where the future that holds this is dropped.
struct Snapshot<'a>(&'a Shared, Option<Content>);

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        if let Some(content) = self.1.take() {
            *lock(&self.0.snapshot) = Some(content);
        }
    }
}

impl FlawedStore {
    pub(super) fn new(model: ModelStore, flaw: Flaw, shared: Arc<Shared>) -> Self {
        let opening = Opening {
            found: model.content().blocks.keys().copied().collect(),
            ..Opening::default()
        };
        Self {
            model,
            flaw,
            shared,
            opening: Arc::new(opening),
            own: Mutex::default(),
        }
    }

    pub(super) fn close(&self) {
        self.write_what_is_unwritten();
        if let Some(before) = lock(&self.opening.before_last).take() {
            *self.model.content() = before;
        }
        if self.flaw == Flaw::Keeps(Kept::ClosedReader) && self.model.must_be_writable().is_err() {
            self.shared.keep_a_connection();
        }
    }

    fn memory(&self, scope: Scope) -> std::sync::MutexGuard<'_, Memory> {
        lock(if scope == Scope::Handle {
            &self.own
        } else {
            &self.opening.memory
        })
    }

    /// Stores what this opening or clone has acknowledged and not stored yet.
    pub(super) fn write_what_is_unwritten(&self) {
        for scope in [Scope::Handle, Scope::Opening] {
            if let Some(content) = self.memory(scope).unwritten.take() {
                *self.model.content() = content;
            }
        }
    }

    /// Acknowledges a state that nobody else sees.
    pub(super) fn hold_back(&self, scope: Scope, after: Content) {
        self.memory(scope).unwritten = Some(after);
    }

    /// Another write makes what is remembered here void.
    pub(super) fn forget(&self) {
        self.memory(Scope::Handle).readings.clear();
        self.memory(Scope::Opening).readings.clear();
    }

    /// The state that this handle sees.
    pub(super) async fn seen(&self) -> ModelStore {
        let snapshot = lock(&self.shared.snapshot).take();
        if let Some(content) = snapshot {
            return crate::lens::write::of_content(content).await;
        }
        let Flaw::Late(_, scope) = self.flaw else {
            return self.model.clone();
        };
        let unwritten = self.memory(scope).unwritten.clone();
        match unwritten {
            Some(content) => crate::lens::write::of_content(content).await,
            None => self.model.clone(),
        }
    }

    async fn ask(&self, read: Read) -> Result<Reading> {
        self.shared.must_have_a_connection()?;
        if self.flaw == Flaw::Keeps(Kept::SomeReads(read.method()))
            && self.shared.reads.fetch_add(1, Ordering::Relaxed) % 100 == 99
        {
            self.shared.keep_a_connection();
        }
        let read_method = read.method();
        let keeps = self.flaw == Flaw::Keeps(Kept::DroppedRead(read_method));
        let mut held = Held(keeps.then_some(&*self.shared));
        let leaves = self.flaw == Flaw::LeavesSnapshot(read.method());
        let mut snapshot = Snapshot(&self.shared, leaves.then(|| self.model.content().clone()));
        pause().await;
        snapshot.1 = None;
        let reading = match self.flaw {
            Flaw::Stale(method, scope) if method == read.method() => self.remembered(read, scope).await,
            _ => self.read(read).await,
        };
        if let Flaw::Keeps(Kept::DroppedLongRead(method, rows)) = self.flaw
            && method == read_method
            && reading.as_ref().is_ok_and(|reading| reading.rows() > rows)
        {
            held.0 = Some(&self.shared);
            pause().await;
        }
        held.0 = None;
        reading
    }

    async fn remembered(&self, read: Read, scope: Scope) -> Result<Reading> {
        let known = self
            .memory(scope)
            .readings
            .iter()
            .find(|(known, _)| *known == read)
            .cloned();
        if let Some((_, reading)) = known {
            return Ok(reading);
        }
        let reading = self.read(read.clone()).await?;
        if scope != Scope::NotFound || super::read::is_nothing(&reading) {
            self.memory(scope).readings.push((read, reading.clone()));
        }
        Ok(reading)
    }

    /// A write: the answer of `change`, which makes the new state out of the old one, and that state stored as the flaw does it.
    async fn perform<T>(&self, method: Method, change: impl Fn(&mut Content) -> Result<T>) -> Result<T> {
        self.shared.must_have_a_connection()?;
        let keeps = self.flaw == Flaw::Keeps(Kept::DroppedWrite(method));
        let mut held = Held(keeps.then_some(&*self.shared));
        if matches!(self.flaw, Flaw::Stale(_, Scope::VoidEarly)) {
            self.forget();
        }
        pause().await;
        let answer = match self.model.must_be_writable() {
            Ok(()) => self.store(method, change).await,
            Err(refusal) => {
                if self.flaw == Flaw::Keeps(Kept::WriteToReader) {
                    self.shared.keep_a_connection();
                }
                Err(refusal)
            }
        };
        held.0 = None;
        if answer.is_err()
            && self.flaw == Flaw::Keeps(Kept::RefusedWrite(method))
            && self.model.must_be_writable().is_ok()
        {
            self.shared.keep_a_connection();
        }
        answer
    }
}

impl RawOperationRepo for FlawedStore {
    async fn append(&self, expected: Option<Cursor>, blocks: &[PublishedBlock], cursor: Cursor) -> Result<Appended> {
        self.perform(Method::Append, |content| {
            self.append_to(content, expected, blocks, cursor)
        })
        .await
    }

    async fn load<L: LoadSource>(&self, onto: LedgerBound, source: &mut L) -> Result<Appended, L::Error> {
        if self.model.must_be_writable().is_err() {
            return Ok(self.perform(Method::Load, |_| Ok(Appended::default())).await?);
        }
        self.shared.must_have_a_connection()?;
        let keeps = self.flaw == Flaw::Keeps(Kept::DroppedWrite(Method::Load));
        let mut held = Held(keeps.then_some(&*self.shared));
        let keeps_refused = self.flaw == Flaw::Keeps(Kept::RefusedWrite(Method::Load));
        let keeps_failed = self.flaw == Flaw::Keeps(Kept::FailedSource);
        let answer = self.load_from(onto, source).await;
        held.0 = None;
        match answer {
            Ok(loaded) => Ok(loaded),
            Err(Refused::ByStore(refusal)) => {
                if keeps_refused {
                    self.shared.keep_a_connection();
                }
                Err(refusal.into())
            }
            Err(Refused::BySource(failure)) => {
                if keeps_failed {
                    self.shared.keep_a_connection();
                }
                Err(failure)
            }
        }
    }

    async fn block(&self, number: BlockNo) -> Result<Option<BlockHeader>> {
        match self.ask(Read::Block(number)).await? {
            Reading::Block(block) => Ok(block),
            other => wrong(&other),
        }
    }

    async fn operations_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        match self.ask(Read::Operations(after, limit)).await? {
            Reading::Operations(page) => Ok(page),
            other => wrong(&other),
        }
    }

    async fn published_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<PublishedRecord>> {
        match self.ask(Read::Published(after, limit)).await? {
            Reading::Published(page) => Ok(page),
            other => wrong(&other),
        }
    }

    async fn operation(&self, id: &OperationId) -> Result<Option<OperationRecord>> {
        match self.ask(Read::Operation(*id)).await? {
            Reading::Operation(record) => Ok(record),
            other => wrong(&other),
        }
    }

    async fn transaction(
        &self,
        id: &TransactionId,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Option<TransactionRecord>> {
        match self.ask(Read::Transaction(*id, after, limit)).await? {
            Reading::Transaction(record) => Ok(record),
            other => wrong(&other),
        }
    }

    async fn bound(&self) -> Result<LedgerBound> {
        match self.ask(Read::Bound).await? {
            Reading::Bound(bound) => Ok(bound),
            other => wrong(&other),
        }
    }
}

impl IndexedOperationRepo for FlawedStore {
    async fn index(&self, batch: &[IndexEntry]) -> Result<Indexed> {
        self.perform(Method::Index, |content| self.index_in(content, batch))
            .await
    }

    async fn operations_of_did(
        &self,
        did: &DidSuffix,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        match self.ask(Read::OperationsOfDid(*did, after, limit)).await? {
            Reading::Operations(page) => Ok(page),
            other => wrong(&other),
        }
    }

    async fn storage_owners(&self, hashes: &[OperationHash]) -> Result<Vec<StorageOwner>> {
        match self.ask(Read::StorageOwners(hashes.to_vec())).await? {
            Reading::Owners(owners) => Ok(owners),
            other => wrong(&other),
        }
    }

    async fn listed_did(&self, did: &DidSuffix) -> Result<Option<ListedDid>> {
        match self.ask(Read::ListedDid(*did)).await? {
            Reading::ListedDid(listed) => Ok(listed),
            other => wrong(&other),
        }
    }

    async fn listed_dids_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Result<Vec<ListedDid>> {
        match self.ask(Read::ListedDids(after, limit)).await? {
            Reading::ListedDids(page) => Ok(page),
            other => wrong(&other),
        }
    }
}

impl IndexerStateRepo for FlawedStore {
    async fn indexer_state(&self) -> Result<IndexerState> {
        match self.ask(Read::IndexerState).await? {
            Reading::IndexerState(state) => Ok(state),
            other => wrong(&other),
        }
    }
}

impl DltCursorRepo for FlawedStore {
    async fn cursor(&self) -> Result<Option<Cursor>> {
        match self.ask(Read::Cursor).await? {
            Reading::Cursor(cursor) => Ok(cursor),
            other => wrong(&other),
        }
    }

    async fn advance_cursor(&self, expected: Option<Cursor>, cursor: Cursor) -> Result<()> {
        self.perform(Method::AdvanceCursor, |content| {
            self.advance_in(content, expected, cursor)
        })
        .await
    }

    async fn network(&self) -> Result<Option<Network>> {
        match self.ask(Read::Network).await? {
            Reading::Network(network) => Ok(network),
            other => wrong(&other),
        }
    }
}

fn wrong<T>(reading: &Reading) -> Result<T> {
    unreachable!("a read answers its own reading, not {reading:?}")
}

/// Who ended a load.
enum Refused<E> {
    ByStore(StorageError),
    BySource(E),
}

impl<E> From<StorageError> for Refused<E> {
    fn from(refusal: StorageError) -> Self {
        Self::ByStore(refusal)
    }
}

impl FlawedStore {
    /// Keeps what a refused call has brought.
    pub(super) fn reserve(&self, method: Method, blocks: &[PublishedBlock]) {
        match self.flaw {
            Flaw::Reserves(flawed, Reserved::Ids) if flawed == method => {
                let content = self.model.content();
                let mut reserved = lock(&self.shared.reserved_ids);
                for block in blocks
                    .iter()
                    .filter(|block| !content.blocks.contains_key(&block.number))
                {
                    for transaction in &block.transactions {
                        reserved
                            .entry(transaction.id)
                            .or_insert((block.number, transaction.absn));
                    }
                }
            }
            Flaw::Reserves(flawed, Reserved::Hashes) if flawed == method => {
                let content = self.model.content();
                let new = blocks
                    .iter()
                    .filter(|block| !content.blocks.contains_key(&block.number));
                lock(&self.shared.reserved_hashes).extend(new.map(|block| (block.number, block.hash)));
            }
            _ => {}
        }
    }

    async fn load_from<L: LoadSource>(&self, onto: LedgerBound, source: &mut L) -> Result<Appended, Refused<L::Error>> {
        let onto = self.bound_of(onto);
        let is_judged_early = self.flaw == Flaw::JudgedEarly(Method::Load);
        if is_judged_early {
            self.model.content().must_hold(onto)?;
            pause().await;
        }
        let turn = self.turn_of(Method::Load).await?;
        self.write_what_is_unwritten();
        if !is_judged_early {
            self.model.content().must_hold(onto)?;
        }
        let base = self.model.content().clone();
        let mut chunks: Vec<Vec<PublishedBlock>> = Vec::new();
        let mut flushed = 0;
        let cursor = loop {
            match source.next().await.map_err(Refused::BySource)? {
                Delivery::Blocks(blocks) => {
                    chunks.push(blocks);
                    self.forget_ids(&base, &mut chunks);
                    let mut judged = base.clone();
                    let judgement = judged.load(&chunks, None);
                    if let Flaw::FlushesLoads(operations) = self.flaw
                        && let Ok(loaded) = &judgement
                        && loaded.operations - flushed >= operations
                    {
                        flushed = loaded.operations;
                        *self.model.content() = judged;
                    }
                    if judgement.is_err() {
                        let blocks: Vec<_> = chunks.iter().flatten().cloned().collect();
                        self.reserve(Method::Load, &blocks);
                    }
                    judgement?;
                }
                Delivery::End(cursor) => break cursor,
            }
        };
        let numbers = chunks.iter().flatten().map(|block| block.number);
        lock(&self.shared.loaded).extend(numbers);
        if self.flaw == Flaw::LowersCursor && chunks.is_empty() && cursor.is_some() {
            self.model.content().cursor = cursor;
            return Ok(Appended::default());
        }
        if matches!(self.flaw, Flaw::FlushesLoads(_)) {
            *self.model.content() = base.clone();
        }
        let brings_nothing = chunks.iter().flatten().all(|block| {
            let mut operations = block
                .transactions
                .iter()
                .flat_map(|transaction| &transaction.operations);
            operations.next().is_none()
        });
        let cursor = match cursor {
            None if self.flaw == Flaw::LoadOfNothingStays && brings_nothing => {
                chunks.clear();
                base.cursor
            }
            cursor => cursor,
        };
        let loaded = self
            .install(Method::Load, |content| content.load(&chunks, cursor))
            .await?;
        drop(turn);
        Ok(loaded)
    }

    /// Leaves out of the last chunk what the flaw has forgotten of chunks before.
    fn forget_ids(&self, base: &Content, chunks: &mut [Vec<PublishedBlock>]) {
        let Flaw::LoadForgetsIds(remembered) = self.flaw else {
            return;
        };
        let Some((last, before)) = chunks.split_last_mut() else {
            return;
        };
        let ids = |chunks: &[Vec<PublishedBlock>]| -> BTreeSet<TransactionId> {
            let blocks = chunks.iter().flatten();
            blocks
                .flat_map(|block| block.transactions.iter().map(|transaction| transaction.id))
                .collect()
        };
        let (forgotten, known) = before.split_at(before.len().saturating_sub(remembered));
        let (forgotten, mut known) = (ids(forgotten), ids(known));
        known.extend(
            base.blocks
                .values()
                .flat_map(|block| block.transactions.values().copied()),
        );
        for block in last {
            block.transactions.retain(|transaction| {
                let id = &transaction.id;
                !forgotten.contains(id) || known.contains(id)
            });
        }
    }
}
