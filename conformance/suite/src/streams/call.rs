//! A call of a store, and its answer.

use node_storage_archive::ArchiveError;
use node_storage_contract::{
    Appended, BlockHeader, BlockNo, Cursor, DidSuffix, IndexEntry, Indexed, IndexerState, ListedDid, Network,
    NodeStorage, OperationHash, OperationId, OperationPosition, OperationRecord, PageLimit, PublishedBlock,
    PublishedRecord, Result, StorageOwner, TransactionId, TransactionRecord,
};

use super::moving::Archive;

/// What a step asks of a store.
#[derive(Debug)]
pub(super) enum Call {
    Append(Vec<PublishedBlock>, Cursor),
    AdvanceCursor(Cursor),
    Index(Vec<IndexEntry>),
    IndexAll,
    Read(Read),
    Reopen,
    BackUp,
    Move,
}

/// A call that changes nothing.
#[derive(Debug)]
pub(super) enum Read {
    Operations(Option<OperationPosition>, PageLimit),
    Published(Option<OperationPosition>, PageLimit),
    OperationsOfDid(DidSuffix, Option<OperationPosition>, PageLimit),
    ListedDids(Option<OperationPosition>, PageLimit),
    Block(BlockNo),
    Operation(OperationId),
    Transaction(TransactionId),
    ListedDid(DidSuffix),
    StorageOwners(Vec<OperationHash>),
    Network,
}

/// What a store answers to a call.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Done,
    Appended(Appended),
    Indexed(Indexed),
    State(IndexerState),
    Operations(Vec<OperationRecord>),
    Published(Vec<PublishedRecord>),
    Operation(Option<OperationRecord>),
    Transaction(Option<TransactionRecord>),
    Block(Option<BlockHeader>),
    ListedDids(Vec<ListedDid>),
    ListedDid(Option<ListedDid>),
    Owners(Vec<StorageOwner>),
    Network(Option<Network>),
    Archive(Archive),
}

impl Call {
    /// Asks a store. Reopening and moving are for whoever has the factory, and are answered at once.
    pub(super) async fn ask<S: NodeStorage>(&self, store: &S) -> Result<Answer> {
        match self {
            Self::Append(blocks, cursor) => store.append(blocks, *cursor).await.map(Answer::Appended),
            Self::AdvanceCursor(cursor) => store.advance_cursor(*cursor).await.map(|()| Answer::Done),
            Self::Index(batch) => store.index(batch).await.map(Answer::Indexed),
            Self::IndexAll => node_service::index::index_all(store).await.map(Answer::State),
            Self::Read(read) => read.ask(store).await,
            Self::Reopen | Self::Move => Ok(Answer::Done),
            Self::BackUp => match Archive::of(store, None).await {
                Ok(archive) => Ok(Answer::Archive(archive)),
                Err(ArchiveError::Storage(error)) => Err(error),
                Err(error) => panic!("no archive is made of it: {error}"),
            },
        }
    }
}

impl Read {
    async fn ask<S: NodeStorage>(&self, store: &S) -> Result<Answer> {
        match self {
            Self::Operations(after, limit) => store.operations_after(*after, *limit).await.map(Answer::Operations),
            Self::Published(after, limit) => store.published_after(*after, *limit).await.map(Answer::Published),
            Self::OperationsOfDid(did, after, limit) => store
                .operations_of_did(did, *after, *limit)
                .await
                .map(Answer::Operations),
            Self::ListedDids(after, limit) => store.listed_dids_after(*after, *limit).await.map(Answer::ListedDids),
            Self::Block(number) => store.block(*number).await.map(Answer::Block),
            Self::Operation(id) => store.operation(id).await.map(Answer::Operation),
            Self::Transaction(id) => store.transaction(id).await.map(Answer::Transaction),
            Self::ListedDid(did) => store.listed_did(did).await.map(Answer::ListedDid),
            Self::StorageOwners(hashes) => store.storage_owners(hashes).await.map(Answer::Owners),
            Self::Network => store.network().await.map(Answer::Network),
        }
    }
}
