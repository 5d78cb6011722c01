//! A store for those who have none.

use did_prism::digest::{DidSuffix, OperationHash, OperationId, TransactionId};
use did_prism::ledger::{BlockNo, OperationPosition, PublishedBlock};
use node_storage_contract::{
    Appended, BlockHeader, Cursor, DltCursorRepo, IndexEntry, Indexed, IndexedOperationRepo, IndexerState,
    IndexerStateRepo, LedgerBound, ListedDid, LoadSource, Network, OperationRecord, PageLimit, PublishedRecord,
    RawOperationRepo, Result, StorageError, StorageOwner, TransactionRecord,
};

/// Holds nothing, and takes nothing: what a source compares the ledger with where nothing was stored of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EmptyStore;

impl RawOperationRepo for EmptyStore {
    async fn append(&self, _: Option<Cursor>, _: &[PublishedBlock], _: Cursor) -> Result<Appended> {
        Err(StorageError::ReadOnly)
    }

    async fn load<L: LoadSource>(&self, _: LedgerBound, _: &mut L) -> Result<Appended, L::Error> {
        Err(StorageError::ReadOnly.into())
    }

    async fn block(&self, _: BlockNo) -> Result<Option<BlockHeader>> {
        Ok(None)
    }

    async fn operations_after(&self, _: Option<OperationPosition>, _: PageLimit) -> Result<Vec<OperationRecord>> {
        Ok(Vec::new())
    }

    async fn published_after(&self, _: Option<OperationPosition>, _: PageLimit) -> Result<Vec<PublishedRecord>> {
        Ok(Vec::new())
    }

    async fn operation(&self, _: &OperationId) -> Result<Option<OperationRecord>> {
        Ok(None)
    }

    async fn transaction(
        &self,
        _: &TransactionId,
        _: Option<OperationPosition>,
        _: PageLimit,
    ) -> Result<Option<TransactionRecord>> {
        Ok(None)
    }

    async fn bound(&self) -> Result<LedgerBound> {
        Ok(LedgerBound::default())
    }
}

impl IndexedOperationRepo for EmptyStore {
    async fn index(&self, _: &[IndexEntry]) -> Result<Indexed> {
        Err(StorageError::ReadOnly)
    }

    async fn operations_of_did(
        &self,
        _: &DidSuffix,
        _: Option<OperationPosition>,
        _: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        Ok(Vec::new())
    }

    async fn storage_owners(&self, _: &[OperationHash]) -> Result<Vec<StorageOwner>> {
        Ok(Vec::new())
    }

    async fn listed_did(&self, _: &DidSuffix) -> Result<Option<ListedDid>> {
        Ok(None)
    }

    async fn listed_dids_after(&self, _: Option<OperationPosition>, _: PageLimit) -> Result<Vec<ListedDid>> {
        Ok(Vec::new())
    }
}

impl IndexerStateRepo for EmptyStore {
    async fn indexer_state(&self) -> Result<IndexerState> {
        Ok(IndexerState::default())
    }
}

impl DltCursorRepo for EmptyStore {
    async fn cursor(&self) -> Result<Option<Cursor>> {
        Ok(None)
    }

    async fn advance_cursor(&self, _: Option<Cursor>, _: Cursor) -> Result<()> {
        Err(StorageError::ReadOnly)
    }

    async fn network(&self) -> Result<Option<Network>> {
        Ok(None)
    }
}
