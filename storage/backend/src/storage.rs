//! The store on whichever engine the configuration names.

use node_storage_contract::{
    Access, Appended, BlockHeader, BlockNo, Cursor, DidSuffix, DltCursorRepo, IndexEntry, Indexed,
    IndexedOperationRepo, IndexerState, IndexerStateRepo, LedgerBound, ListedDid, LoadSource, Network, OperationHash,
    OperationId, OperationPosition, OperationRecord, PageLimit, PublishedBlock, PublishedRecord, RawOperationRepo,
    Result, StorageOwner, TransactionId, TransactionRecord,
};
#[cfg(feature = "postgres")]
use node_storage_postgres::PostgresDb;
#[cfg(feature = "sqlite-backend")]
use node_storage_sqlite::SqliteDb;

use crate::config::{DbBackendConfig, Target};

/// The storage of a node, on one of the engines that are built in. Clones share one store.
#[derive(Debug, Clone)]
pub enum NodeStorageBackend {
    /// A PostgreSQL database.
    #[cfg(feature = "postgres")]
    Postgres(PostgresDb),
    /// An embedded SQLite file.
    #[cfg(feature = "sqlite-backend")]
    Sqlite(SqliteDb),
}

/// Does the same with whichever engine is behind `$self`.
macro_rules! delegate {
    ($self:ident, $store:ident => $answer:expr) => {
        match $self {
            #[cfg(feature = "postgres")]
            NodeStorageBackend::Postgres($store) => $answer,
            #[cfg(feature = "sqlite-backend")]
            NodeStorageBackend::Sqlite($store) => $answer,
        }
    };
}

impl NodeStorageBackend {
    /// Opens the store that the configuration names.
    ///
    /// On SQLite, opening for writing takes the [`WriterLease`] of the file and holds it as long as a clone exists.
    ///
    /// # Errors
    /// See `PostgresDb::open` and `SqliteDb::open`.
    pub async fn connect(config: &DbBackendConfig, access: Access) -> Result<Self> {
        match &config.target {
            #[cfg(feature = "postgres")]
            Target::Postgres(options) => PostgresDb::open(options, config.network, access)
                .await
                .map(Self::Postgres),
            #[cfg(feature = "sqlite-backend")]
            Target::Sqlite(options) => SqliteDb::open(options, config.network, access).await.map(Self::Sqlite),
        }
    }

    /// Whether the database answers and its schema is this program's.
    pub async fn check_ready(&self) -> Result<()> {
        delegate!(self, store => store.check_ready().await)
    }

    /// Closes the connections. Reads and writes that have begun end first.
    pub async fn close(&self) {
        delegate!(self, store => store.close().await);
    }
}

/// The right to be the one process that writes a store.
#[derive(Debug)]
pub enum WriterLease {
    /// A lock in the PostgreSQL database.
    #[cfg(feature = "postgres")]
    Postgres(node_storage_postgres::WriterLease),
    /// SQLite: opening for writing takes the lease of the file itself, so there is nothing to hold here.
    #[cfg(feature = "sqlite-backend")]
    WithStore,
}

impl WriterLease {
    /// Takes the lease if nobody holds it.
    pub async fn try_acquire(config: &DbBackendConfig) -> Result<Option<Self>> {
        match &config.target {
            #[cfg(feature = "postgres")]
            Target::Postgres(options) => Ok(node_storage_postgres::WriterLease::try_acquire(options)
                .await?
                .map(Self::Postgres)),
            #[cfg(feature = "sqlite-backend")]
            Target::Sqlite(_) => Ok(Some(Self::WithStore)),
        }
    }

    /// Whether the lease is still held.
    ///
    /// # Errors
    /// What cut the connection that holds it.
    pub async fn check(&mut self) -> Result<()> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(lease) => lease.check().await,
            #[cfg(feature = "sqlite-backend")]
            Self::WithStore => Ok(()),
        }
    }

    /// Gives the lease back.
    pub async fn release(self) -> Result<()> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(lease) => lease.release().await,
            #[cfg(feature = "sqlite-backend")]
            Self::WithStore => Ok(()),
        }
    }
}

impl RawOperationRepo for NodeStorageBackend {
    async fn append(&self, blocks: &[PublishedBlock], cursor: Cursor) -> Result<Appended> {
        delegate!(self, store => store.append(blocks, cursor).await)
    }

    async fn load<L: LoadSource>(&self, onto: LedgerBound, source: &mut L) -> Result<Appended, L::Error> {
        delegate!(self, store => store.load(onto, source).await)
    }

    async fn block(&self, number: BlockNo) -> Result<Option<BlockHeader>> {
        delegate!(self, store => store.block(number).await)
    }

    async fn operations_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        delegate!(self, store => store.operations_after(after, limit).await)
    }

    async fn published_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<PublishedRecord>> {
        delegate!(self, store => store.published_after(after, limit).await)
    }

    async fn operation(&self, id: &OperationId) -> Result<Option<OperationRecord>> {
        delegate!(self, store => store.operation(id).await)
    }

    async fn transaction(&self, id: &TransactionId) -> Result<Option<TransactionRecord>> {
        delegate!(self, store => store.transaction(id).await)
    }

    async fn bound(&self) -> Result<LedgerBound> {
        delegate!(self, store => store.bound().await)
    }
}

impl IndexedOperationRepo for NodeStorageBackend {
    async fn index(&self, batch: &[IndexEntry]) -> Result<Indexed> {
        delegate!(self, store => store.index(batch).await)
    }

    async fn operations_of_did(
        &self,
        did: &DidSuffix,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        delegate!(self, store => store.operations_of_did(did, after, limit).await)
    }

    async fn storage_owners(&self, hashes: &[OperationHash]) -> Result<Vec<StorageOwner>> {
        delegate!(self, store => store.storage_owners(hashes).await)
    }

    async fn listed_did(&self, did: &DidSuffix) -> Result<Option<ListedDid>> {
        delegate!(self, store => store.listed_did(did).await)
    }

    async fn listed_dids_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Result<Vec<ListedDid>> {
        delegate!(self, store => store.listed_dids_after(after, limit).await)
    }
}

impl IndexerStateRepo for NodeStorageBackend {
    async fn indexer_state(&self) -> Result<IndexerState> {
        delegate!(self, store => store.indexer_state().await)
    }
}

impl DltCursorRepo for NodeStorageBackend {
    async fn cursor(&self) -> Result<Option<Cursor>> {
        delegate!(self, store => store.cursor().await)
    }

    async fn advance_cursor(&self, cursor: Cursor) -> Result<()> {
        delegate!(self, store => store.advance_cursor(cursor).await)
    }

    async fn network(&self) -> Result<Option<Network>> {
        delegate!(self, store => store.network().await)
    }
}
