//! Listings are keyset pages: complete, without repetition, stable while others write (lines 3 and 9 of the contract).

use node_storage_contract::{
    BlockNo, IndexOutcome, IndexedOperationRepo, NodeStorage, OperationIndex, OperationPosition, OperationRecord,
    PageLimit, PublishedBlock, PublishedRecord, RawOperationRepo, TransactionIndex,
};

use crate::StoreFactory;
use crate::assertions::{append, assert_rows, index};
use crate::data::{
    absn, block, block_with, blocks, bytes, did, ledger, limit, of_did, osn, position, positions, transaction,
    transaction_of,
};
use crate::expected::{index_entries, records};
use crate::factory::{open, open_read_only};
use crate::observe::all_operations;

/// A listing: from a position on, at most so many rows, as positions.
#[derive(Debug, Clone, Copy)]
enum Listing {
    Operations,
    Published,
    /// Those of the transaction of the first operation.
    OperationsOfTransaction,
    OperationsOfDid,
    ListedDids,
}

impl Listing {
    const ALL: [Self; 5] = [
        Self::Operations,
        Self::Published,
        Self::OperationsOfTransaction,
        Self::OperationsOfDid,
        Self::ListedDids,
    ];

    async fn page<S: NodeStorage>(
        self,
        store: &S,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Vec<OperationPosition> {
        let of_records =
            |records: Vec<OperationRecord>| records.into_iter().map(|record| record.operation.position).collect();
        match self {
            Self::Operations => of_records(store.operations_after(after, limit).await.unwrap()),
            Self::Published => {
                let published = store.published_after(after, limit).await.unwrap();
                published.into_iter().map(|record| record.operation.position).collect()
            }
            Self::OperationsOfTransaction => {
                let first = store.operations_after(None, crate::data::limit(1)).await.unwrap();
                let id = first.first().expect("an operation").transaction_id;
                let found = store.transaction(&id, after, limit).await.unwrap();
                // Wherever the page begins.
                let found = found.expect("the transaction is found");
                let own =
                    |position: &OperationPosition| (position.block, position.absn) == (found.block.number, found.absn);
                let all = all_operations(store).await;
                let count = all.iter().filter(|record| own(&record.operation.position)).count();
                assert_eq!(
                    found.operation_count,
                    u64::try_from(count).unwrap(),
                    "of the whole transaction"
                );
                of_records(found.operations)
            }
            Self::OperationsOfDid => of_records(store.operations_of_did(&did(0), after, limit).await.unwrap()),
            Self::ListedDids => {
                let listed = store.listed_dids_after(after, limit).await.unwrap();
                listed.into_iter().map(|listed| listed.position).collect()
            }
        }
    }

    /// What the listing holds, where the operations stand at these positions and [`fill`] has indexed them.
    fn of(self, positions: &[OperationPosition]) -> Vec<OperationPosition> {
        match self {
            Self::Operations | Self::Published => positions.to_vec(),
            Self::OperationsOfTransaction => {
                let transaction = |position: &OperationPosition| (position.block, position.absn);
                let first = positions.first().map(transaction);
                let own = positions.iter().filter(|position| Some(transaction(position)) == first);
                own.copied().collect()
            }
            Self::OperationsOfDid => positions.iter().copied().step_by(2).collect(),
            // DID 0 is listed at its first operation, the others at their only one.
            Self::ListedDids => {
                let others = positions.iter().copied().skip(1).step_by(2);
                positions.first().copied().into_iter().chain(others).collect()
            }
        }
    }
}

/// Stores blocks, and indexes their operations: each second one belongs to DID 0, the others to one DID each.
async fn fill<S: NodeStorage>(store: &S, blocks: &[PublishedBlock], already: usize) -> Vec<OperationPosition> {
    append(store, blocks).await;
    let positions = positions(blocks);
    let entries: Vec<_> = (already..)
        .zip(&positions)
        .map(|(number, at)| {
            of_did(
                *at,
                if number % 2 == 0 {
                    0
                } else {
                    u64::try_from(number).unwrap()
                },
                true,
            )
        })
        .collect();
    index(store, &entries).await;
    positions
}

/// Pages of any size, one after the other, are the whole listing, each row once.
pub async fn pages_of_any_size_are_the_whole_listing(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let positions = fill(&store, &blocks(1..=6), 0).await;
    for listing in Listing::ALL {
        let expected = listing.of(&positions);
        for size in [1, 2, 3, 7, 15, 16, 29, 30, 31, 10_000] {
            let mut found = Vec::new();
            loop {
                let page = listing.page(&store, found.last().copied(), limit(size)).await;
                let rest = expected.len() - found.len();
                let full = usize::try_from(size).unwrap().min(rest);
                assert_eq!(page.len(), full, "a page is full while there are rows");
                if page.is_empty() {
                    break;
                }
                found.extend(page);
            }
            assert_eq!(found, expected, "pages of {size}");
        }
    }
}

/// A page may start after a position where nothing stands: between others, before the first, after the last.
pub async fn page_starts_after_any_position(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let positions = fill(&store, &blocks(1..=4), 0).await;
    let highest = OperationPosition {
        block: BlockNo::MAX,
        absn: TransactionIndex::MAX,
        osn: OperationIndex::MAX,
    };
    let starts = [
        position(0, 0, 0),
        position(1, 2, 0),
        position(1, 2, 9),
        position(1, 3, 0),
        position(2, 0, 1 << 30),
        position(2, 1 << 30, 0),
        position(2, 1 << 30, 1 << 30),
        position(3, 5, 0),
        position(4, 5, 1),
        position(5, 0, 0),
        highest,
    ];
    for listing in Listing::ALL {
        for start in starts {
            let mut expected = listing.of(&positions);
            expected.retain(|position| *position > start);
            let found = listing.page(&store, Some(start), PageLimit::MAX).await;
            assert_eq!(found, expected, "after {start}");
        }
    }
}

/// A page after the lowest position there is, block 0, `absn` 0 and `osn` 0, begins at the next.
pub async fn page_after_the_lowest_position_begins_at_the_next(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let lowest = [
        block_with(0, vec![transaction(0, 0, 2), transaction(0, 1, 1)]),
        block(1),
    ];
    let positions = fill(&store, &lowest, 0).await;
    assert_eq!(positions[0], position(0, 0, 0));
    for listing in Listing::ALL {
        let expected = listing.of(&positions);
        assert_eq!(listing.page(&store, None, limit(1)).await, expected[..1]);
        let rest = listing.page(&store, Some(positions[0]), PageLimit::MAX).await;
        assert_eq!(rest, expected[1..]);
    }
}

/// Every row of every page, small or large, has all of its fields.
pub async fn rows_of_small_pages_are_those_of_large_ones(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let ledger = ledger();
    let entries = index_entries(&ledger);
    append(&store, &ledger).await;
    index(&store, &entries[..73]).await;
    let all = records(&ledger, &entries[..73]);
    let published: Vec<_> = all.iter().cloned().map(PublishedRecord::from).collect();
    let did = entries.iter().find_map(|entry| entry.outcome.did()).expect("a DID");
    let of_did: Vec<_> = all
        .iter()
        .filter(|record| record.indexing.as_ref().and_then(IndexOutcome::did) == Some(did))
        .cloned()
        .collect();
    assert!(of_did.len() > 2);
    for size in [1, 2, 5, 9] {
        let mut found: Vec<OperationRecord> = Vec::new();
        while found.len() < all.len() {
            let after = found.last().map(|record| record.operation.position);
            let page = store.operations_after(after, limit(size)).await.unwrap();
            assert!(!page.is_empty(), "a page that should have rows");
            found.extend(page);
        }
        assert_rows(&found, &all, "operation");
        let mut found: Vec<PublishedRecord> = Vec::new();
        while found.len() < all.len() {
            let after = found.last().map(|record| record.operation.position);
            let page = store.published_after(after, limit(size)).await.unwrap();
            assert!(!page.is_empty(), "a page that should have rows");
            found.extend(page);
        }
        assert_rows(&found, &published, "published operation");
        let mut found: Vec<OperationRecord> = Vec::new();
        while found.len() < of_did.len() {
            let after = found.last().map(|record| record.operation.position);
            let page = store.operations_of_did(&did, after, limit(size)).await.unwrap();
            assert!(!page.is_empty(), "a page that should have rows");
            found.extend(page);
        }
        assert_rows(&found, &of_did, "operation of a DID");
    }
}

/// Rows that are added between two pages neither repeat nor hide any, and those above are seen at once: through the handle that
/// writes, a clone, and one that was opened to read.
pub async fn pages_are_stable_while_others_write(factory: &impl StoreFactory) {
    const ROWS: u64 = 3;
    let store = open(factory).await;
    let mut positions = fill(&store, &blocks(1..=2), 0).await;
    let reader = open_read_only(factory).await;
    let handles = [
        ("the writer", &store),
        ("a clone", &store.clone()),
        ("a reader", &reader),
    ];
    let mut reached: [[Option<OperationPosition>; 5]; 3] = Default::default();
    for number in 3..=12 {
        for ((handle, store), reached) in handles.iter().zip(&mut reached) {
            for (listing, reached) in Listing::ALL.into_iter().zip(reached) {
                let page = listing.page(*store, *reached, limit(ROWS)).await;
                let above = listing.of(&positions).into_iter().filter(|at| Some(*at) > *reached);
                let expected: Vec<_> = above.take(3).collect();
                assert_eq!(page, expected, "{listing:?} through {handle}, after {reached:?}");
                *reached = page.last().copied().or(*reached);
            }
        }
        let added = fill(&store, &blocks([number]), positions.len()).await;
        positions.extend(added);
    }
    factory.close(reader).await;
}

/// The limits of a page are 1 and 10,000: no page number can overflow, and no call asks for everything.
pub async fn page_limit_is_1_to_10000(factory: &impl StoreFactory) {
    let store = open(factory).await;
    fill(&store, &blocks([1]), 0).await;
    for rows in [0, 10_001, 1 << 32, u64::MAX] {
        let error = PageLimit::try_from(rows).unwrap_err();
        assert_eq!((error.field, error.value), ("page limit", rows.to_string()));
    }
    for listing in Listing::ALL {
        assert_eq!(listing.page(&store, None, limit(1)).await.len(), 1);
        assert!(listing.page(&store, None, limit(10_000)).await.len() > 1);
    }
}

/// A page with a bound of bytes holds as many operations as fit, one at least, and the pages are the whole listing.
pub async fn pages_end_at_a_number_of_bytes(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let lengths = [10, 20, 30, 100, 0, 0, 70, 30, 1, 40, 61, 300, 300, 5];
    let contents: Vec<_> = (0_u8..)
        .zip(lengths)
        .map(|(number, length)| (osn(u64::from(number)), bytes(vec![number; length])))
        .collect();
    let all = [
        block_with(1, vec![transaction_of(1, absn(0), contents.clone())]),
        block_with(2, vec![transaction_of(2, absn(0), contents)]),
    ];
    append(&store, &all).await;
    let positions = positions(&all);
    let entries: Vec<_> = positions.iter().map(|at| of_did(*at, 0, true)).collect();
    index(&store, &entries).await;
    let length_at = |position: &OperationPosition| lengths[usize::try_from(position.osn.get()).unwrap()];
    for (rows, most) in [(10_000, 100), (10_000, 60), (10_000, 1), (3, 100), (10_000, 1_000_000)] {
        let limit = limit(rows).within_bytes(most);
        for listing in [
            Listing::Operations,
            Listing::Published,
            Listing::OperationsOfTransaction,
            Listing::OperationsOfDid,
        ] {
            let mut rest: &[OperationPosition] = match listing {
                Listing::OperationsOfTransaction => &positions[..lengths.len()],
                _ => &positions,
            };
            let mut after = None;
            while !rest.is_empty() {
                let page = listing.page(&store, after, limit).await;
                let mut expected = Vec::new();
                let mut bytes = 0;
                for position in rest.iter().take(usize::try_from(rows).unwrap()) {
                    bytes += length_at(position);
                    if !expected.is_empty() && bytes > usize::try_from(most).unwrap() {
                        break;
                    }
                    expected.push(*position);
                }
                assert_eq!(page, expected, "{rows} rows of {most} bytes after {after:?}");
                rest = &rest[page.len()..];
                after = page.last().copied();
            }
            assert_eq!(listing.page(&store, after, limit).await, vec![]);
        }
    }
}
