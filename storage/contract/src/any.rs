//! A store without its type: what an application holds, and what the conformance suite is compiled for.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use did_prism::digest::{DidSuffix, OperationHash, OperationId, TransactionId};
use did_prism::ledger::{BlockNo, OperationPosition, PublishedBlock};

use crate::{
    Access, Appended, BlockHeader, Cursor, Delivery, DltCursorRepo, IndexEntry, Indexed, IndexedOperationRepo,
    IndexerState, IndexerStateRepo, LedgerBound, ListedDid, LoadSource, Network, NodeStorage, OperationRecord,
    PageLimit, PublishedRecord, RawOperationRepo, Result, StorageError, StorageOwner, TransactionRecord,
};

/// A future on the heap, whose type is not known.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a method of the contract answers in time.
type Answer<'a, T, E = StorageError> = BoxFuture<'a, Result<T, E>>;

/// What an application does with an open store besides reading and writing it.
pub trait Connection: Send + Sync + 'static {
    /// Whether the database answers and its schema is this program's.
    fn check_ready(&self) -> impl Future<Output = Result<()>> + Send;

    /// Closes what the store and its clones hold open. Reads and writes that have begun end first.
    fn close(&self) -> impl Future<Output = ()> + Send;

    /// Checks the database by the engine's own means: files, indexes and references between rows. It reads all of it, as it is at one
    /// instant, and changes nothing.
    ///
    /// # Errors
    /// Why it could not be looked at. What is wrong is no error but a finding.
    fn check_engine(&self) -> impl Future<Output = Result<EngineCheck>> + Send;

    /// Removes everything that indexing has made of the operations, and the watermark, in one transaction: the state in which nothing
    /// has been indexed yet.
    fn clear_index(&self) -> impl Future<Output = Result<()>> + Send;

    /// Does what keeps look-ups fast and the database small, beside those who read and write. With `rewrite`, the database is also
    /// written anew without free space, for which there has to be room and others may have to wait. Answers with what was done, a line
    /// each, for people.
    fn optimize(&self, rewrite: bool) -> impl Future<Output = Result<Vec<String>>> + Send;
}

/// What an engine has looked at by its own means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EngineCheck {
    /// What was looked at, a line each, for people.
    pub looked_at: Vec<String>,
    /// What could not be looked at, and what would allow it.
    pub passed_over: Vec<String>,
    /// What is wrong, a line each. There may be more of the kind.
    pub findings: Vec<String>,
}

impl EngineCheck {
    /// Takes over what was found by looking at `what`. That a part of the database can't be read because it is damaged is a finding.
    ///
    /// # Errors
    /// Every other error.
    pub fn look_at(&mut self, what: &str, found: Result<Vec<String>>) -> Result<()> {
        self.looked_at.push(what.to_owned());
        match found {
            Ok(findings) => self.findings.extend(findings),
            Err(StorageError::Corrupt { subject, detail }) => self.findings.push(format!("{subject}: {detail}")),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Notes what could not be looked at.
    pub fn pass_over(&mut self, what: String) {
        self.passed_over.push(what);
    }
}

/// How a store is reached.
pub trait Connect {
    /// Opens the store.
    fn connect(&self, access: Access) -> BoxFuture<'_, Result<AnyStore>>;
}

/// The store of any backend. A clone of it is a clone of that store.
///
/// It is the one delegation of the contract that is written by hand: each call costs a box for its future, which is lost
/// beside the database's own work (`just bench lookups` measures it).
pub struct AnyStore {
    store: Box<dyn ErasedStore>,
    /// `None` where the store came without one.
    connection: Option<Arc<dyn ErasedConnection>>,
}

impl AnyStore {
    /// This store, without its type. There is nothing to close: what it holds open ends when its last clone is dropped.
    pub fn new<S: NodeStorage>(store: S) -> Self {
        Self {
            store: Box::new(store),
            connection: None,
        }
    }

    /// This store, without its type, with the [`Connection`] that it has.
    pub fn connected<S: NodeStorage + Connection>(store: S) -> Self {
        Self {
            connection: Some(Arc::new(store.clone())),
            store: Box::new(store),
        }
    }

    /// Opens the store that the configuration names.
    ///
    /// # Errors
    /// `Unavailable` where it can't be reached, `Busy` where another process is the writer, `Foreign` where the place belongs
    /// to another application, `Migration` for a schema that is not this program's, `WrongNetwork` for a store of another network.
    pub async fn connect(config: &(impl Connect + ?Sized), access: Access) -> Result<Self> {
        config.connect(access).await
    }

    /// The store as the type that it has.
    ///
    /// # Errors
    /// This store, where it has another type.
    pub fn downcast<S: NodeStorage>(self) -> std::result::Result<S, Self> {
        if self.store.as_any().is::<S>() {
            match self.store.into_any().downcast() {
                Ok(store) => Ok(*store),
                Err(_) => unreachable!("the type was checked"),
            }
        } else {
            Err(self)
        }
    }

    /// Whether the database answers and its schema is this program's. A store without a [`Connection`] of its own is asked
    /// for its network.
    pub async fn check_ready(&self) -> Result<()> {
        match &self.connection {
            Some(connection) => connection.check_ready().await,
            None => DltCursorRepo::network(self).await.map(drop),
        }
    }

    /// Closes what the store and its clones hold open. Reads and writes that have begun end first.
    pub async fn close(&self) {
        if let Some(connection) = &self.connection {
            connection.close().await;
        }
    }

    /// Checks the database by the engine's own means; see [`Connection::check_engine`]. A store without a [`Connection`] of its own has
    /// none.
    pub async fn check_engine(&self) -> Result<EngineCheck> {
        match &self.connection {
            Some(connection) => connection.check_engine().await,
            None => Ok(EngineCheck::default()),
        }
    }

    /// Removes everything that indexing has made; see [`Connection::clear_index`].
    ///
    /// # Errors
    /// `ReadOnly` for a store that was opened to read, or that has no [`Connection`] of its own.
    pub async fn clear_index(&self) -> Result<()> {
        match &self.connection {
            Some(connection) => connection.clear_index().await,
            None => Err(StorageError::ReadOnly),
        }
    }

    /// Does what keeps look-ups fast and the database small; see [`Connection::optimize`].
    ///
    /// # Errors
    /// `ReadOnly` for a store that was opened to read.
    pub async fn optimize(&self, rewrite: bool) -> Result<Vec<String>> {
        match &self.connection {
            Some(connection) => connection.optimize(rewrite).await,
            None => Ok(Vec::new()),
        }
    }
}

impl Clone for AnyStore {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone_store(),
            connection: self.connection.clone(),
        }
    }
}

impl fmt::Debug for AnyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyStore").finish_non_exhaustive()
    }
}

trait ErasedConnection: Send + Sync {
    fn check_ready(&self) -> Answer<'_, ()>;
    fn close(&self) -> BoxFuture<'_, ()>;
    fn check_engine(&self) -> Answer<'_, EngineCheck>;
    fn clear_index(&self) -> Answer<'_, ()>;
    fn optimize(&self, rewrite: bool) -> Answer<'_, Vec<String>>;
}

impl<C: Connection> ErasedConnection for C {
    fn check_ready(&self) -> Answer<'_, ()> {
        Box::pin(Connection::check_ready(self))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(Connection::close(self))
    }

    fn check_engine(&self) -> Answer<'_, EngineCheck> {
        Box::pin(Connection::check_engine(self))
    }

    fn clear_index(&self) -> Answer<'_, ()> {
        Box::pin(Connection::clear_index(self))
    }

    fn optimize(&self, rewrite: bool) -> Answer<'_, Vec<String>> {
        Box::pin(Connection::optimize(self, rewrite))
    }
}

impl RawOperationRepo for AnyStore {
    async fn append(&self, expected: Option<Cursor>, blocks: &[PublishedBlock], cursor: Cursor) -> Result<Appended> {
        self.store.append(expected, blocks, cursor).await
    }

    async fn load<L: LoadSource>(&self, onto: LedgerBound, source: &mut L) -> Result<Appended, L::Error> {
        let mut source = WithoutError { source, error: None };
        match self.store.load(onto, &mut source).await {
            Ok(appended) => Ok(appended),
            Err(Stopped::ByStore(error)) => Err(error.into()),
            Err(Stopped::BySource) => match source.error {
                Some(error) => Err(error),
                None => unreachable!("only a source makes this, and keeps its error"),
            },
        }
    }

    async fn block(&self, number: BlockNo) -> Result<Option<BlockHeader>> {
        self.store.block(number).await
    }

    async fn operations_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        self.store.operations_after(after, limit).await
    }

    async fn published_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<PublishedRecord>> {
        self.store.published_after(after, limit).await
    }

    async fn operation(&self, id: &OperationId) -> Result<Option<OperationRecord>> {
        self.store.operation(id).await
    }

    async fn transaction(
        &self,
        id: &TransactionId,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Option<TransactionRecord>> {
        self.store.transaction(id, after, limit).await
    }

    async fn bound(&self) -> Result<LedgerBound> {
        self.store.bound().await
    }
}

impl IndexedOperationRepo for AnyStore {
    async fn index(&self, batch: &[IndexEntry]) -> Result<Indexed> {
        self.store.index(batch).await
    }

    async fn operations_of_did(
        &self,
        did: &DidSuffix,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        self.store.operations_of_did(did, after, limit).await
    }

    async fn storage_owners(&self, hashes: &[OperationHash]) -> Result<Vec<StorageOwner>> {
        self.store.storage_owners(hashes).await
    }

    async fn listed_did(&self, did: &DidSuffix) -> Result<Option<ListedDid>> {
        self.store.listed_did(did).await
    }

    async fn listed_dids_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Result<Vec<ListedDid>> {
        self.store.listed_dids_after(after, limit).await
    }
}

impl IndexerStateRepo for AnyStore {
    async fn indexer_state(&self) -> Result<IndexerState> {
        self.store.indexer_state().await
    }
}

impl DltCursorRepo for AnyStore {
    async fn cursor(&self) -> Result<Option<Cursor>> {
        self.store.cursor().await
    }

    async fn advance_cursor(&self, expected: Option<Cursor>, cursor: Cursor) -> Result<()> {
        self.store.advance_cursor(expected, cursor).await
    }

    async fn network(&self) -> Result<Option<Network>> {
        self.store.network().await
    }
}

/// The contract as a trait that can be a `dyn`: every future is boxed, and a load knows nothing of its source's errors.
trait ErasedStore: Send + Sync {
    fn clone_store(&self) -> Box<dyn ErasedStore>;
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;

    fn append<'a>(
        &'a self,
        expected: Option<Cursor>,
        blocks: &'a [PublishedBlock],
        cursor: Cursor,
    ) -> Answer<'a, Appended>;
    fn load<'a>(&'a self, onto: LedgerBound, source: &'a mut (dyn ErasedSource + 'a)) -> Answer<'a, Appended, Stopped>;
    fn block(&self, number: BlockNo) -> Answer<'_, Option<BlockHeader>>;
    fn operations_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Answer<'_, Vec<OperationRecord>>;
    fn published_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Answer<'_, Vec<PublishedRecord>>;
    fn operation<'a>(&'a self, id: &'a OperationId) -> Answer<'a, Option<OperationRecord>>;
    fn transaction<'a>(
        &'a self,
        id: &'a TransactionId,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Answer<'a, Option<TransactionRecord>>;
    fn bound(&self) -> Answer<'_, LedgerBound>;

    fn index<'a>(&'a self, batch: &'a [IndexEntry]) -> Answer<'a, Indexed>;
    fn operations_of_did<'a>(
        &'a self,
        did: &'a DidSuffix,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Answer<'a, Vec<OperationRecord>>;
    fn storage_owners<'a>(&'a self, hashes: &'a [OperationHash]) -> Answer<'a, Vec<StorageOwner>>;
    fn listed_did<'a>(&'a self, did: &'a DidSuffix) -> Answer<'a, Option<ListedDid>>;
    fn listed_dids_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Answer<'_, Vec<ListedDid>>;

    fn indexer_state(&self) -> Answer<'_, IndexerState>;

    fn cursor(&self) -> Answer<'_, Option<Cursor>>;
    fn advance_cursor(&self, expected: Option<Cursor>, cursor: Cursor) -> Answer<'_, ()>;
    fn network(&self) -> Answer<'_, Option<Network>>;
}

impl<S: NodeStorage> ErasedStore for S {
    fn clone_store(&self) -> Box<dyn ErasedStore> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn append<'a>(
        &'a self,
        expected: Option<Cursor>,
        blocks: &'a [PublishedBlock],
        cursor: Cursor,
    ) -> Answer<'a, Appended> {
        Box::pin(RawOperationRepo::append(self, expected, blocks, cursor))
    }

    fn load<'a>(&'a self, onto: LedgerBound, source: &'a mut (dyn ErasedSource + 'a)) -> Answer<'a, Appended, Stopped> {
        Box::pin(async move { RawOperationRepo::load(self, onto, &mut AnyLoadSource(source)).await })
    }

    fn block(&self, number: BlockNo) -> Answer<'_, Option<BlockHeader>> {
        Box::pin(RawOperationRepo::block(self, number))
    }

    fn operations_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Answer<'_, Vec<OperationRecord>> {
        Box::pin(RawOperationRepo::operations_after(self, after, limit))
    }

    fn published_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Answer<'_, Vec<PublishedRecord>> {
        Box::pin(RawOperationRepo::published_after(self, after, limit))
    }

    fn operation<'a>(&'a self, id: &'a OperationId) -> Answer<'a, Option<OperationRecord>> {
        Box::pin(RawOperationRepo::operation(self, id))
    }

    fn transaction<'a>(
        &'a self,
        id: &'a TransactionId,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Answer<'a, Option<TransactionRecord>> {
        Box::pin(RawOperationRepo::transaction(self, id, after, limit))
    }

    fn bound(&self) -> Answer<'_, LedgerBound> {
        Box::pin(RawOperationRepo::bound(self))
    }

    fn index<'a>(&'a self, batch: &'a [IndexEntry]) -> Answer<'a, Indexed> {
        Box::pin(IndexedOperationRepo::index(self, batch))
    }

    fn operations_of_did<'a>(
        &'a self,
        did: &'a DidSuffix,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Answer<'a, Vec<OperationRecord>> {
        Box::pin(IndexedOperationRepo::operations_of_did(self, did, after, limit))
    }

    fn storage_owners<'a>(&'a self, hashes: &'a [OperationHash]) -> Answer<'a, Vec<StorageOwner>> {
        Box::pin(IndexedOperationRepo::storage_owners(self, hashes))
    }

    fn listed_did<'a>(&'a self, did: &'a DidSuffix) -> Answer<'a, Option<ListedDid>> {
        Box::pin(IndexedOperationRepo::listed_did(self, did))
    }

    fn listed_dids_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Answer<'_, Vec<ListedDid>> {
        Box::pin(IndexedOperationRepo::listed_dids_after(self, after, limit))
    }

    fn indexer_state(&self) -> Answer<'_, IndexerState> {
        Box::pin(IndexerStateRepo::indexer_state(self))
    }

    fn cursor(&self) -> Answer<'_, Option<Cursor>> {
        Box::pin(DltCursorRepo::cursor(self))
    }

    fn advance_cursor(&self, expected: Option<Cursor>, cursor: Cursor) -> Answer<'_, ()> {
        Box::pin(DltCursorRepo::advance_cursor(self, expected, cursor))
    }

    fn network(&self) -> Answer<'_, Option<Network>> {
        Box::pin(DltCursorRepo::network(self))
    }
}

/// Who ended a load before its end.
enum Stopped {
    ByStore(StorageError),
    /// The source keeps its error.
    BySource,
}

impl From<StorageError> for Stopped {
    fn from(error: StorageError) -> Self {
        Self::ByStore(error)
    }
}

trait ErasedSource: Send {
    fn next(&mut self) -> Answer<'_, Delivery, Stopped>;
}

/// A source that hands its error to nobody.
struct WithoutError<'a, L: LoadSource> {
    source: &'a mut L,
    error: Option<L::Error>,
}

impl<L: LoadSource> ErasedSource for WithoutError<'_, L> {
    fn next(&mut self) -> Answer<'_, Delivery, Stopped> {
        Box::pin(async move {
            self.source.next().await.map_err(|error| {
                self.error = Some(error);
                Stopped::BySource
            })
        })
    }
}

/// A source that a store of any type takes.
struct AnyLoadSource<'a>(&'a mut dyn ErasedSource);

impl LoadSource for AnyLoadSource<'_> {
    type Error = Stopped;

    async fn next(&mut self) -> Result<Delivery, Stopped> {
        self.0.next().await
    }
}
