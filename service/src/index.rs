//! The index worker: which stored operation belongs to which DID.

use std::collections::BTreeMap;
use std::time::Duration;

use did_prism::digest::{DidSuffix, OperationHash};
use did_prism::ledger::{BlockNo, OperationPosition, TransactionIndex};
use did_prism::operation::UndecodableOperation;
use did_prism::route::{IgnoredReason, Route, route};
use node_storage_contract::{
    IndexEntry, IndexOutcome, IndexerState, NodeStorage, PageLimit, PublishedRecord, Reason, StorageError, StorageOwner,
};
use tokio::sync::{Notify, watch};

use crate::retry::until_answered;

/// Most operations read at a time: a tenth of a megabyte as they are in practice.
const PAGE: u64 = 1_000;
/// Most bytes of operations read at a time: a thousand that fill a Cardano transaction each.
const PAGE_BYTES: u64 = 16 * 1024 * 1024;
/// Routing verifies signatures; after this many operations other tasks get their turn.
const ROUTED_AT_ONCE: usize = 32;
/// How often the worker looks for work that nobody told it of, such as what another process has stored: where it is not
/// behind, an operation that is stored is indexed after this time at the latest.
pub const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How far indexing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexProgress {
    /// What the store said last.
    pub state: IndexerState,
    /// Operations that this run has indexed.
    pub operations: u64,
    /// Whether the worker waits for a database that does not answer.
    pub waiting: bool,
}

/// Indexes what is stored, batch by batch, and waits for more.
#[derive(Debug, Default)]
pub struct IndexWorker {
    progress: watch::Sender<IndexProgress>,
}

impl IndexWorker {
    /// A worker that begins at the watermark.
    pub fn new() -> Self {
        Self::default()
    }

    /// How far the worker has come, now and whenever that changes.
    pub fn progress(&self) -> watch::Receiver<IndexProgress> {
        self.progress.subscribe()
    }

    /// Indexes for ever, woken by `stored` and every few seconds anyway. Dropping the future stops it; a batch counts as a
    /// whole or not at all.
    ///
    /// # Errors
    /// Whatever does not pass by waiting. `Ok` is never returned.
    pub async fn run<S: NodeStorage>(&self, storage: &S, stored: &Notify) -> Result<(), StorageError> {
        loop {
            self.index_all(storage).await?;
            // Being woken and waking by itself come to the same: looking.
            let _ = tokio::time::timeout(LOOK_AGAIN, stored.notified()).await;
        }
    }

    /// Indexes everything that is stored, and what is stored meanwhile, until nothing is left.
    ///
    /// # Errors
    /// Whatever does not pass by waiting.
    pub async fn index_all<S: NodeStorage>(&self, storage: &S) -> Result<IndexerState, StorageError> {
        let mut refused_at = None;
        loop {
            let on_change = |waiting| self.progress.send_modify(|progress| progress.waiting = waiting);
            let result = until_answered("indexing", on_change, async || {
                let state = storage.indexer_state().await?;
                self.progress.send_modify(|progress| progress.state = state);
                if state.is_complete() {
                    return Ok(Step::Complete(state));
                }
                match index_batch(storage, state).await {
                    // Another indexer may have moved the watermark between reading and writing. A conflict twice at the same
                    // watermark has another reason.
                    Err(StorageError::Conflict(conflict)) if refused_at != Some(state.watermark) => {
                        tracing::debug!("reading the watermark again: {conflict}");
                        refused_at = Some(state.watermark);
                        Ok(Step::Indexed(0))
                    }
                    result => result.map(Step::Indexed),
                }
            })
            .await?;
            match result {
                Step::Complete(state) => return Ok(state),
                Step::Indexed(entries) => {
                    let entries = u64::try_from(entries).unwrap_or(u64::MAX);
                    self.progress
                        .send_modify(|progress| progress.operations = progress.operations.saturating_add(entries));
                }
            }
        }
    }
}

enum Step {
    Complete(IndexerState),
    Indexed(usize),
}

/// Indexes everything that is stored, until nothing is left.
///
/// # Errors
/// Whatever does not pass by waiting.
pub async fn index_all<S: NodeStorage>(storage: &S) -> Result<IndexerState, StorageError> {
    IndexWorker::new().index_all(storage).await
}

/// Indexes one batch above the watermark of `state`: a page, cut where a transaction ends. Answers with how many entries it added.
async fn index_batch<S: NodeStorage>(storage: &S, state: IndexerState) -> Result<usize, StorageError> {
    let limit = batch_limit()?;
    let page = async |after| storage.published_after(after, limit).await;
    let routed = whole_transactions(state.watermark, limit, page).await?;
    let entries = with_owners(storage, routed).await?;
    let indexed = storage.index(&entries).await?;
    Ok(indexed.entries)
}

fn batch_limit() -> Result<PageLimit, StorageError> {
    Ok(PageLimit::try_from(PAGE)?.within_bytes(PAGE_BYTES))
}

/// The entries of these operations, which are in ledger order, where everything below them is indexed.
///
/// # Errors
/// As [`storage_owners`](node_storage_contract::IndexedOperationRepo::storage_owners).
pub(crate) async fn entries_of<S: NodeStorage>(
    storage: &S,
    operations: impl Iterator<Item = (OperationPosition, &[u8])>,
) -> Result<Vec<IndexEntry>, StorageError> {
    let routed = operations
        .map(|(position, bytes)| Routed::new(position, bytes))
        .collect();
    with_owners(storage, routed).await
}

/// The entries of a batch, whose owners from before it are looked up.
async fn with_owners<S: NodeStorage>(storage: &S, routed: Vec<Routed>) -> Result<Vec<IndexEntry>, StorageError> {
    let predecessors = predecessors(&routed);
    let owners = if predecessors.is_empty() {
        Vec::new()
    } else {
        storage.storage_owners(&predecessors).await?
    };
    Ok(entries(routed, &owners))
}

/// The operations above `after`, about a page of them: never a part of a transaction, so that an interruption leaves all of
/// its operations indexed or none. What is kept of an operation is short, so that one page of bytes stands in memory at a time,
/// however long a transaction is.
async fn whole_transactions(
    after: Option<OperationPosition>,
    limit: PageLimit,
    page: impl AsyncFn(Option<OperationPosition>) -> Result<Vec<PublishedRecord>, StorageError>,
) -> Result<Vec<Routed>, StorageError> {
    let mut routed: Vec<Routed> = Vec::new();
    let mut after = after;
    loop {
        let mut page = page(after).await?;
        let bytes: usize = page.iter().map(|record| record.operation.bytes.as_slice().len()).sum();
        // Blocks are stored whole: what stands at the end of the last page has ended.
        let is_last = limit.has_room(page.len(), u64::try_from(bytes).unwrap_or(u64::MAX));
        let is_cut = !is_last && cut_at_transaction(routed.last().map(|routed| routed.position), &mut page);
        for chunk in page.chunks(ROUTED_AT_ONCE) {
            routed.extend(
                chunk
                    .iter()
                    .map(|record| Routed::new(record.operation.position, record.operation.bytes.as_slice())),
            );
            tokio::task::yield_now().await;
        }
        if is_last || is_cut {
            return Ok(routed);
        }
        after = routed.last().map(|routed| routed.position);
    }
}

/// Removes the last transaction of a page, which may have further operations. `false`, with nothing removed, where there is no
/// other before it, neither on the page nor at `before`, the last position of the pages before.
fn cut_at_transaction(before: Option<OperationPosition>, page: &mut Vec<PublishedRecord>) -> bool {
    let Some(last) = page.last().map(|record| transaction_of(record.operation.position)) else {
        return false;
    };
    match page
        .iter()
        .rposition(|record| transaction_of(record.operation.position) != last)
    {
        Some(end) => {
            page.truncate(end + 1);
            true
        }
        None if before.is_some_and(|before| transaction_of(before) != last) => {
            page.clear();
            true
        }
        None => false,
    }
}

fn transaction_of(position: OperationPosition) -> (BlockNo, TransactionIndex) {
    (position.block, position.absn)
}

/// An operation, routed by itself.
struct Routed {
    position: OperationPosition,
    route: Result<Route, UndecodableOperation>,
}

impl Routed {
    fn new(position: OperationPosition, bytes: &[u8]) -> Self {
        Self {
            position,
            route: route(bytes),
        }
    }
}

/// The storage operations whose owners have to be looked up, each once.
fn predecessors(routed: &[Routed]) -> Vec<OperationHash> {
    let mut predecessors: Vec<_> = routed
        .iter()
        .filter_map(|routed| match &routed.route {
            Ok(Route::StorageChange { predecessor, .. }) => Some(*predecessor),
            _ => None,
        })
        .collect();
    predecessors.sort_unstable();
    predecessors.dedup();
    predecessors
}

/// The entries of a batch in ledger order. `stored` are owners known before the batch.
fn entries(routed: Vec<Routed>, stored: &[StorageOwner]) -> Vec<IndexEntry> {
    let mut owners = Owners::new(stored);
    routed
        .into_iter()
        .map(|Routed { position, route }| IndexEntry {
            position,
            outcome: match route {
                Ok(Route::Did {
                    did,
                    operation_hash,
                    lists_did,
                }) => IndexOutcome::Did {
                    did,
                    operation_hash,
                    lists_did,
                },
                Ok(Route::StorageCreate { did, operation_hash }) => owners.routed(position, did, operation_hash),
                Ok(Route::StorageChange {
                    predecessor,
                    operation_hash,
                }) => match owners.below(position, &predecessor) {
                    Some(did) => owners.routed(position, did, operation_hash),
                    None => IndexOutcome::Ignored {
                        reason: Reason::new(IgnoredReason::UnknownPreviousEvent),
                    },
                },
                Ok(Route::Ignored(reason)) => IndexOutcome::Ignored {
                    reason: Reason::new(reason),
                },
                Err(undecodable) => IndexOutcome::Undecodable {
                    reason: Reason::new(undecodable),
                },
            },
        })
        .collect()
}

/// Owners of storage operations: those stored before, and those of the batch as it is walked through.
struct Owners(BTreeMap<OperationHash, (OperationPosition, DidSuffix)>);

impl Owners {
    fn new(stored: &[StorageOwner]) -> Self {
        Self(
            stored
                .iter()
                .map(|owner| (owner.operation_hash, (owner.position, owner.did)))
                .collect(),
        )
    }

    /// The owner of a storage operation, if it stands below `position`.
    fn below(&self, position: OperationPosition, hash: &OperationHash) -> Option<DidSuffix> {
        let (stands, did) = self.0.get(hash)?;
        (*stands < position).then_some(*did)
    }

    /// The outcome of a storage operation of `did`, which those behind it may follow.
    fn routed(&mut self, position: OperationPosition, did: DidSuffix, operation_hash: OperationHash) -> IndexOutcome {
        let known = self.0.entry(operation_hash).or_insert((position, did));
        // Another indexer may have stored a higher position than this one meanwhile.
        if position < known.0 {
            *known = (position, did);
        }
        IndexOutcome::Storage { did, operation_hash }
    }
}

#[cfg(test)]
mod tests {
    use did_prism::ledger::PublishedBlock;
    use prism_fixtures::{Identity, block, ledger_operations};

    use super::*;

    fn records(block: &PublishedBlock) -> Vec<PublishedRecord> {
        ledger_operations(block)
            .into_iter()
            .map(|operation| PublishedRecord {
                id: operation.bytes.id(),
                slot: block.slot,
                block_hash: block.hash,
                transaction_id: prism_fixtures::transaction_id(1, block.number.get(), operation.position.absn.get()),
                operation,
            })
            .collect()
    }

    fn routed(operations: &[Vec<u8>]) -> Vec<Routed> {
        let block = block(1, 10, 200, [operations.iter().cloned()]);
        let routed = |record: &PublishedRecord| {
            let operation = &record.operation;
            Routed::new(operation.position, operation.bytes.as_slice())
        };
        records(&block).iter().map(routed).collect()
    }

    fn outcomes(routed: Vec<Routed>, stored: &[StorageOwner]) -> Vec<IndexOutcome> {
        entries(routed, stored).into_iter().map(|entry| entry.outcome).collect()
    }

    #[test]
    fn a_storage_change_finds_the_owner_of_an_earlier_operation_of_the_batch() {
        let mut identity = Identity::new(1, 1);
        let create = identity.create_entry(b"one");
        let update = identity.update_entry(create.hash, b"two");
        let end = identity.deactivate_entry(create.hash);
        let outcomes = outcomes(routed(&[create.bytes, update.bytes, end.bytes]), &[]);
        let expected = [create.hash, update.hash, end.hash].map(|operation_hash| IndexOutcome::Storage {
            did: identity.suffix(),
            operation_hash,
        });
        assert_eq!(outcomes, expected);
    }

    // edge-cases.md#v8
    #[test]
    fn a_storage_change_before_the_operation_it_follows_is_ignored_for_good() {
        let mut identity = Identity::new(1, 1);
        let create = identity.create_entry(b"one");
        let update = identity.update_entry(create.hash, b"two");
        let outcomes = outcomes(routed(&[update.bytes, create.bytes]), &[]);
        assert!(matches!(
            outcomes.as_slice(),
            [IndexOutcome::Ignored { .. }, IndexOutcome::Storage { .. }]
        ));
    }

    #[test]
    fn a_stored_owner_counts_only_from_a_lower_position() {
        let mut identity = Identity::new(1, 1);
        let create = identity.create_entry(b"one");
        let update = identity.update_entry(create.hash, b"two");
        let routed = || routed(std::slice::from_ref(&update.bytes));
        assert_eq!(predecessors(&routed()), [create.hash]);
        let position = routed().first().unwrap().position;
        let stored = |block: u64| StorageOwner {
            operation_hash: create.hash,
            position: OperationPosition {
                block: block.try_into().unwrap(),
                ..position
            },
            did: identity.suffix(),
        };
        assert!(matches!(
            outcomes(routed(), &[stored(9)]).as_slice(),
            [IndexOutcome::Storage { .. }]
        ));
        assert!(matches!(
            outcomes(routed(), &[stored(10)]).as_slice(),
            [IndexOutcome::Ignored { .. }]
        ));
    }

    // edge-cases.md#o13
    #[test]
    fn bytes_that_are_no_operation_are_undecodable_and_do_not_stop_the_batch() {
        let identity = Identity::new(1, 1);
        let outcomes = outcomes(routed(&[vec![0xff], identity.create().bytes]), &[]);
        assert!(matches!(
            outcomes.as_slice(),
            [
                IndexOutcome::Undecodable { .. },
                IndexOutcome::Did { lists_did: true, .. }
            ]
        ));
    }

    // edge-cases.md#o15
    #[test]
    fn a_full_page_is_cut_where_its_last_transaction_begins() {
        let block = block(1, 1, 20, [vec![vec![0], vec![1]], vec![vec![2], vec![3]]]);
        let mut page = records(&block);
        page.pop();
        assert!(cut_at_transaction(None, &mut page));
        assert_eq!(page.len(), 2);
        let first = page.first().map(|record| record.operation.position);
        for before in [None, first] {
            assert!(
                !cut_at_transaction(before, &mut page),
                "a single transaction has to be read to its end"
            );
            assert_eq!(page.len(), 2);
        }
        let below = first.map(|first| OperationPosition {
            block: BlockNo::MIN,
            ..first
        });
        assert!(cut_at_transaction(below, &mut page));
        assert!(page.is_empty(), "the transaction of the pages before has ended");
    }

    /// 40 operations of 1 MiB each, in one transaction or in one each: 16 MiB of them stand in memory at a time.
    #[tokio::test]
    async fn a_batch_reads_a_bounded_number_of_bytes_at_a_time_and_whole_transactions() {
        const MIB: usize = 1024 * 1024;
        let operations: Vec<Vec<u8>> = (0..40).map(|number| vec![number; MIB]).collect();
        let in_one = block(1, 1, 20, [operations.clone()]);
        let in_one_each = block(1, 1, 20, operations.into_iter().map(|operation| [operation]));
        let limit = batch_limit().unwrap();
        for (block, expected) in [(in_one, 40), (in_one_each, 15)] {
            let stored = records(&block);
            let most = std::sync::atomic::AtomicUsize::new(0);
            let page = async |after: Option<OperationPosition>| {
                let rest = stored.iter().filter(|record| Some(record.operation.position) > after);
                let length =
                    |record: &&PublishedRecord| u64::try_from(record.operation.bytes.as_slice().len()).unwrap();
                let rows = limit.rows_of(rest.clone().map(|record| length(&record)));
                let page: Vec<_> = rest.take(rows).cloned().collect();
                most.fetch_max(rows * MIB, std::sync::atomic::Ordering::Relaxed);
                Ok(page)
            };
            let routed = whole_transactions(None, limit, page).await.unwrap();
            assert_eq!(
                routed.len(),
                expected,
                "the last transaction may have further operations"
            );
            assert_eq!(most.into_inner(), 16 * MIB);
        }
    }
}
