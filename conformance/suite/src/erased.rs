//! Factories and stores without their types, so that the cases are compiled once and not for each backend.

use std::any::Any;
use std::pin::Pin;

use node_storage_contract::{
    Access, Appended, BlockHeader, BlockNo, Cursor, Delivery, DidSuffix, DltCursorRepo, IndexEntry, Indexed,
    IndexedOperationRepo, IndexerState, IndexerStateRepo, LedgerBound, ListedDid, LoadSource, Network, NodeStorage,
    OperationHash, OperationId, OperationPosition, OperationRecord, PageLimit, PublishedBlock, PublishedRecord,
    RawOperationRepo, Result, StorageError, StorageOwner, TransactionId, TransactionRecord,
};

use crate::StoreFactory;

/// What a method of the contract answers in time.
type Answer<'a, T, E = StorageError> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// The factory of any backend.
pub struct AnyFactory<'a>(Box<dyn ErasedFactory + 'a>);

impl<'a> AnyFactory<'a> {
    /// This factory, without its type.
    pub fn new<F: StoreFactory + 'a>(factory: F) -> Self {
        Self(Box::new(factory))
    }
}

impl StoreFactory for AnyFactory<'_> {
    type Store = AnyStore;

    async fn open(&self, network: Network, access: Access) -> Result<AnyStore> {
        self.0.open(network, access).await
    }

    async fn close(&self, store: AnyStore) {
        self.0.close(store).await;
    }
}

trait ErasedFactory: Sync {
    fn open(&self, network: Network, access: Access) -> Answer<'_, AnyStore>;
    fn close(&self, store: AnyStore) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl<F: StoreFactory> ErasedFactory for F {
    fn open(&self, network: Network, access: Access) -> Answer<'_, AnyStore> {
        Box::pin(async move {
            let store = StoreFactory::open(self, network, access).await?;
            Ok(AnyStore(Box::new(store)))
        })
    }

    fn close(&self, store: AnyStore) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let store = store.0.into_any().downcast::<F::Store>();
        let store = store.expect("a factory closes what it has opened");
        Box::pin(StoreFactory::close(self, *store))
    }
}

/// The store of any backend. A clone of it is a clone of that store.
pub struct AnyStore(Box<dyn ErasedStore>);

impl Clone for AnyStore {
    fn clone(&self) -> Self {
        Self(self.0.clone_store())
    }
}

impl RawOperationRepo for AnyStore {
    async fn append(&self, blocks: &[PublishedBlock], cursor: Cursor) -> Result<Appended> {
        self.0.append(blocks, cursor).await
    }

    async fn load<L: LoadSource>(&self, onto: LedgerBound, source: &mut L) -> Result<Appended, L::Error> {
        let mut source = WithoutError { source, error: None };
        match self.0.load(onto, &mut source).await {
            Ok(appended) => Ok(appended),
            Err(Stopped::ByStore(error)) => Err(error.into()),
            Err(Stopped::BySource) => Err(source.error.expect("the source has said why it can't deliver")),
        }
    }

    async fn block(&self, number: BlockNo) -> Result<Option<BlockHeader>> {
        self.0.block(number).await
    }

    async fn operations_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        self.0.operations_after(after, limit).await
    }

    async fn published_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<PublishedRecord>> {
        self.0.published_after(after, limit).await
    }

    async fn operation(&self, id: &OperationId) -> Result<Option<OperationRecord>> {
        self.0.operation(id).await
    }

    async fn transaction(&self, id: &TransactionId) -> Result<Option<TransactionRecord>> {
        self.0.transaction(id).await
    }

    async fn bound(&self) -> Result<LedgerBound> {
        self.0.bound().await
    }
}

impl IndexedOperationRepo for AnyStore {
    async fn index(&self, batch: &[IndexEntry]) -> Result<Indexed> {
        self.0.index(batch).await
    }

    async fn operations_of_did(
        &self,
        did: &DidSuffix,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        self.0.operations_of_did(did, after, limit).await
    }

    async fn storage_owners(&self, hashes: &[OperationHash]) -> Result<Vec<StorageOwner>> {
        self.0.storage_owners(hashes).await
    }

    async fn listed_did(&self, did: &DidSuffix) -> Result<Option<ListedDid>> {
        self.0.listed_did(did).await
    }

    async fn listed_dids_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Result<Vec<ListedDid>> {
        self.0.listed_dids_after(after, limit).await
    }
}

impl IndexerStateRepo for AnyStore {
    async fn indexer_state(&self) -> Result<IndexerState> {
        self.0.indexer_state().await
    }
}

impl DltCursorRepo for AnyStore {
    async fn cursor(&self) -> Result<Option<Cursor>> {
        self.0.cursor().await
    }

    async fn advance_cursor(&self, cursor: Cursor) -> Result<()> {
        self.0.advance_cursor(cursor).await
    }

    async fn network(&self) -> Result<Option<Network>> {
        self.0.network().await
    }
}

/// The contract as a trait that can be a `dyn`: every future is boxed, and a load knows nothing of its source's errors.
trait ErasedStore: Send + Sync {
    fn clone_store(&self) -> Box<dyn ErasedStore>;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;

    fn append<'a>(&'a self, blocks: &'a [PublishedBlock], cursor: Cursor) -> Answer<'a, Appended>;
    fn load<'a>(&'a self, onto: LedgerBound, source: &'a mut (dyn ErasedSource + 'a)) -> Answer<'a, Appended, Stopped>;
    fn block(&self, number: BlockNo) -> Answer<'_, Option<BlockHeader>>;
    fn operations_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Answer<'_, Vec<OperationRecord>>;
    fn published_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Answer<'_, Vec<PublishedRecord>>;
    fn operation<'a>(&'a self, id: &'a OperationId) -> Answer<'a, Option<OperationRecord>>;
    fn transaction<'a>(&'a self, id: &'a TransactionId) -> Answer<'a, Option<TransactionRecord>>;
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
    fn advance_cursor(&self, cursor: Cursor) -> Answer<'_, ()>;
    fn network(&self) -> Answer<'_, Option<Network>>;
}

impl<S: NodeStorage> ErasedStore for S {
    fn clone_store(&self) -> Box<dyn ErasedStore> {
        Box::new(self.clone())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn append<'a>(&'a self, blocks: &'a [PublishedBlock], cursor: Cursor) -> Answer<'a, Appended> {
        Box::pin(RawOperationRepo::append(self, blocks, cursor))
    }

    fn load<'a>(&'a self, onto: LedgerBound, source: &'a mut (dyn ErasedSource + 'a)) -> Answer<'a, Appended, Stopped> {
        Box::pin(async move { RawOperationRepo::load(self, onto, &mut AnySource(source)).await })
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

    fn transaction<'a>(&'a self, id: &'a TransactionId) -> Answer<'a, Option<TransactionRecord>> {
        Box::pin(RawOperationRepo::transaction(self, id))
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

    fn advance_cursor(&self, cursor: Cursor) -> Answer<'_, ()> {
        Box::pin(DltCursorRepo::advance_cursor(self, cursor))
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
struct AnySource<'a>(&'a mut dyn ErasedSource);

impl LoadSource for AnySource<'_> {
    type Error = Stopped;

    async fn next(&mut self) -> Result<Delivery, Stopped> {
        self.0.next().await
    }
}
