//! Everything that a model holds, read through the contract. Several kinds of defects compute their answers from it.

use std::future::Future;

use node_storage_contract::{
    BlockNo, OperationIndex, OperationPosition, OperationRecord, PageLimit, RawOperationRepo, Result, TransactionIndex,
};

use crate::model::ModelStore;

/// The lowest position.
pub(super) const LOWEST: OperationPosition = OperationPosition {
    block: BlockNo::MIN,
    absn: TransactionIndex::MIN,
    osn: OperationIndex::MIN,
};

/// Returns every stored operation, by position.
pub(super) async fn all_operations(store: &ModelStore) -> Result<Vec<OperationRecord>> {
    all(
        |record: &OperationRecord| record.operation.position,
        |after, limit| store.operations_after(after, limit),
    )
    .await
}

/// Returns every row that `read` reads, page by page.
pub(super) async fn all<Row, Page: Future<Output = Result<Vec<Row>>>>(
    position: impl Fn(&Row) -> OperationPosition,
    read: impl Fn(Option<OperationPosition>, PageLimit) -> Page,
) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let page = read(rows.last().map(&position), PageLimit::MAX).await?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows.extend(page);
    }
}
