//! Pages with wrong rows, or with rows in the wrong order.

use std::future::Future;

use node_storage_contract::{
    OperationIndex, OperationPosition, OperationRecord, PageLimit, PublishedRecord, Result, TransactionIndex,
};

use super::list::Fault;
use super::shared::Shared;
use super::stored::{LOWEST, all};

/// Returns a page of the rows that `read` reads, with the fault.
pub(super) async fn page<Row, Page: Future<Output = Result<Vec<Row>>>>(
    fault: Fault,
    shared: &Shared,
    (after, limit): (Option<OperationPosition>, PageLimit),
    position: impl Fn(&Row) -> OperationPosition,
    read: impl Fn(Option<OperationPosition>, PageLimit) -> Page,
) -> Result<Vec<Row>> {
    let size = usize::try_from(limit.get()).unwrap_or(usize::MAX);
    let (position, read) = (&position, &read);
    let from = |start: OperationPosition| async move {
        let mut rows = all(position, read).await?;
        rows.retain(|row| position(row) >= start);
        rows.truncate(size);
        Ok(rows)
    };
    let mut rows = match (fault, after) {
        (Fault::PageRepeatsItsStart, Some(after)) => return from(after).await,
        (Fault::StartsOverAfterHighestIndex, Some(after)) if after.osn == OperationIndex::MAX => {
            let osn = OperationIndex::MIN;
            return from(OperationPosition { osn, ..after }).await;
        }
        (Fault::TakesLowestPositionForNone, Some(LOWEST)) => return read(None, limit).await,
        (Fault::PageHoldsAtMost9999, _) => {
            let most = PageLimit::try_from(u64::from(limit.get()).min(9_999)).unwrap_or(limit);
            return read(after, most).await;
        }
        (Fault::PageHoldsAtMost1000, _) => {
            let most = PageLimit::try_from(u64::from(limit.get()).min(1_000)).unwrap_or(limit);
            return read(after, most).await;
        }
        (Fault::PageBeginsAtNextTransaction, Some(after)) => {
            let osn = OperationIndex::MAX;
            return read(Some(OperationPosition { osn, ..after }), limit).await;
        }
        (Fault::PageHoldsOneMore, _) => {
            let one_more = PageLimit::try_from(u64::from(limit.get()) + 1).unwrap_or(limit);
            return read(after, one_more).await;
        }
        (Fault::PageIgnoresItsBytes, _) => {
            let unbounded = PageLimit::try_from(u64::from(limit.get())).unwrap_or(limit);
            return read(after, unbounded).await;
        }
        (Fault::PageHoldsOneByteMore, _) => {
            let one_more = limit.bytes().map(|bytes| limit.within_bytes(bytes + 1));
            return read(after, one_more.unwrap_or(limit)).await;
        }
        (Fault::PageBeginsAtNextBlock, Some(after)) => {
            let (absn, osn) = (TransactionIndex::MAX, OperationIndex::MAX);
            return read(Some(OperationPosition { absn, osn, ..after }), limit).await;
        }
        _ => read(after, limit).await?,
    };
    match fault {
        Fault::PageHoldsOneLess if rows.len() == size => {
            rows.pop();
        }
        Fault::PageSkipsItsFirstRow if after.is_some() && !rows.is_empty() => {
            rows.remove(0);
        }
        Fault::ListsInOrderOfDelivery => {
            let delivered = shared.notes(|notes| notes.delivered.clone());
            rows.sort_by_key(|row| delivered.iter().position(|at| *at == position(row)));
        }
        Fault::ListsInTextOrder => rows.sort_by_key(|row| position(row).to_string()),
        _ => {}
    }
    Ok(rows)
}

/// Returns a page of published operations, with the fault.
pub(super) fn published(fault: Option<Fault>, page: Vec<OperationRecord>) -> Vec<PublishedRecord> {
    let slot = page.first().map(|record| record.slot);
    page.into_iter()
        .filter(|record| fault != Some(Fault::PublishedPageLacksIndexed) || record.indexing.is_none())
        .map(|record| {
            let mut published = PublishedRecord::from(record);
            if let (Some(Fault::PublishedRowsShareTheirSlot), Some(slot)) = (fault, slot) {
                published.slot = slot;
            }
            published
        })
        .collect()
}
