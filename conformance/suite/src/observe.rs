//! Everything that a store answers.

use std::collections::{BTreeMap, BTreeSet};

use node_storage_contract::{
    BlockHeader, BlockNo, Cursor, DidSuffix, IndexOutcome, IndexerState, LedgerBound, ListedDid, NodeStorage,
    OperationPosition, OperationRecord, PageLimit, PublishedRecord, Result, StorageOwner, TransactionId,
    TransactionRecord,
};

/// Everything that a store answers about what it holds: two stores with equal observations can't be told apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Observation {
    pub(crate) cursor: Option<Cursor>,
    pub(crate) bound: LedgerBound,
    pub(crate) state: IndexerState,
    /// All operations, by position.
    pub(crate) operations: Vec<OperationRecord>,
    /// The same as it was published.
    pub(crate) published: Vec<PublishedRecord>,
    /// What is found under the number of each operation's block, and under numbers near it, by number.
    pub(crate) blocks: Vec<BlockHeader>,
    /// The transaction of each operation, by position.
    pub(crate) transactions: Vec<TransactionRecord>,
    /// What is found under the id of each operation, by position.
    pub(crate) by_id: Vec<OperationRecord>,
    /// The operations of each DID that one is routed to.
    pub(crate) of_dids: Vec<(DidSuffix, Vec<OperationRecord>)>,
    /// What is found under the hash of each storage operation, by position.
    pub(crate) storage_owners: Vec<StorageOwner>,
    /// All listed DIDs, by position.
    pub(crate) listed_dids: Vec<ListedDid>,
    /// What is found under each DID that an operation is routed to, by position.
    pub(crate) found_dids: Vec<ListedDid>,
}

/// Numbers of the blocks that have operations, and of those around them, at the beginning and above the cursor: where a refused block could have left
/// its header behind.
fn numbers_to_ask(operations: &[OperationRecord], cursor: Option<Cursor>) -> BTreeSet<BlockNo> {
    let above = cursor.map_or(0, |cursor| cursor.block.get());
    let stored = operations.iter().map(|record| record.operation.position.block.get());
    stored
        .chain(cursor.map(|cursor| cursor.block.get()))
        .flat_map(|number| number.saturating_sub(2)..=number.saturating_add(2))
        .chain(0..16)
        .chain(above..above.saturating_add(12))
        .filter_map(|number| BlockNo::try_from(number).ok())
        .collect()
}

/// Asks everything. Nobody else may write meanwhile.
pub(crate) async fn observe<S: NodeStorage>(store: &S) -> Observation {
    let operations = all_operations(store).await;
    let cursor = store.cursor().await.expect("the cursor is read");
    let mut blocks = Vec::new();
    for number in numbers_to_ask(&operations, cursor) {
        blocks.extend(store.block(number).await.expect("a block is looked up by its number"));
    }
    let mut transactions: Vec<TransactionRecord> = Vec::new();
    for record in &operations {
        if transactions.last().is_none_or(|last| last.id != record.transaction_id) {
            let found = whole_transaction(store, &record.transaction_id).await;
            transactions.push(found.expect("it is stored"));
        }
    }
    let mut by_id: BTreeMap<OperationPosition, OperationRecord> = BTreeMap::new();
    for record in &operations {
        let found = store
            .operation(&record.id)
            .await
            .expect("an operation is found by its id");
        let found = found.expect("the operation is stored");
        by_id.insert(found.operation.position, found);
    }
    let dids: BTreeSet<DidSuffix> = operations
        .iter()
        .filter_map(|record| record.indexing.as_ref()?.did())
        .collect();
    let mut of_dids = Vec::new();
    let mut found_dids = Vec::new();
    for did in dids {
        of_dids.push((did, all_operations_of(store, &did).await));
        found_dids.extend(store.listed_did(&did).await.expect("a DID is looked up"));
    }
    found_dids.sort_by_key(|listed| listed.position);
    let hashes: BTreeSet<_> = operations
        .iter()
        .filter_map(|record| match &record.indexing {
            Some(IndexOutcome::Storage { operation_hash, .. }) => Some(*operation_hash),
            _ => None,
        })
        .collect();
    let hashes: Vec<_> = hashes.into_iter().collect();
    Observation {
        cursor,
        bound: store.bound().await.expect("the bound can be read"),
        state: store.indexer_state().await.expect("the indexer's state can be read"),
        blocks,
        transactions,
        by_id: by_id.into_values().collect(),
        of_dids,
        storage_owners: store.storage_owners(&hashes).await.expect("owners can be read"),
        listed_dids: all_listed_dids(store).await,
        found_dids,
        published: all_published(store).await,
        operations,
    }
}

/// Every stored operation, by position.
pub(crate) async fn all_operations<S: NodeStorage>(store: &S) -> Vec<OperationRecord> {
    all_pages(
        |record: &OperationRecord| record.operation.position,
        async |after| store.operations_after(after, PageLimit::MAX).await,
    )
    .await
}

/// Every stored operation as it was published, by position.
async fn all_published<S: NodeStorage>(store: &S) -> Vec<PublishedRecord> {
    all_pages(
        |record: &PublishedRecord| record.operation.position,
        async |after| store.published_after(after, PageLimit::MAX).await,
    )
    .await
}

/// Every operation of a DID, by position.
pub(crate) async fn all_operations_of<S: NodeStorage>(store: &S, did: &DidSuffix) -> Vec<OperationRecord> {
    all_pages(
        |record: &OperationRecord| record.operation.position,
        async |after| store.operations_of_did(did, after, PageLimit::MAX).await,
    )
    .await
}

/// The transaction with this id and all of its operations, by position.
pub(crate) async fn whole_transaction<S: NodeStorage>(store: &S, id: &TransactionId) -> Option<TransactionRecord> {
    let page = async |after| store.transaction(id, after, PageLimit::MAX).await;
    let first = page(None).await.expect("a transaction is found by its id")?;
    let operations = all_pages(
        |record: &OperationRecord| record.operation.position,
        async |after| {
            let found = page(after).await?.expect("it is stored");
            let header = |of: &TransactionRecord| (of.id, of.block, of.absn, of.operation_count);
            assert_eq!(
                header(&found),
                header(&first),
                "the transaction is the same on each page"
            );
            Ok(found.operations)
        },
    )
    .await;
    Some(TransactionRecord { operations, ..first })
}

/// Every listed DID, by position.
pub(crate) async fn all_listed_dids<S: NodeStorage>(store: &S) -> Vec<ListedDid> {
    all_pages(
        |listed: &ListedDid| listed.position,
        async |after| store.listed_dids_after(after, PageLimit::MAX).await,
    )
    .await
}

/// Reads page after page until one is empty.
async fn all_pages<Row>(
    position: impl Fn(&Row) -> OperationPosition,
    page: impl AsyncFn(Option<OperationPosition>) -> Result<Vec<Row>>,
) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let after = rows.last().map(&position);
        let page = page(after).await.expect("a page can be read");
        let Some(first) = page.first() else { return rows };
        // Otherwise pages that repeat would never end.
        assert!(
            after < Some(position(first)),
            "a page starts above the position it was asked from"
        );
        rows.extend(page);
    }
}
