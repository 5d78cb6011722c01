//! One call may hold more than any statement takes: more rows than SQLite (32,766) or PostgreSQL (65,535) has parameters.

use node_storage_contract::{
    Appended, IndexEntry, Indexed, IndexedOperationRepo, IndexerStateRepo, ListedDid, OperationPosition,
    RawOperationRepo, StorageOwner,
};

use crate::StoreFactory;
use crate::assertions::append;
use crate::data::{
    absn, block_with, bytes, cursor_after, did, of_did, of_storage, osn, positions, storage_hash, transaction_of,
};
use crate::expected::records;
use crate::factory::open;
use crate::observe::{all_listed_dids, all_operations};

/// More than either engine has parameters of a statement.
const MANY: u64 = 70_000;

/// 70,000 operations of one transaction: stored, delivered again, indexed, listed, and looked up in one call each.
pub async fn seventy_thousand_operations_in_one_transaction(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let operations = (0..MANY).map(|index| (osn(index), bytes(index.to_be_bytes())));
    let blocks = [block_with(1, vec![transaction_of(1, absn(1), operations)])];
    let appended = append(&store, &blocks).await;
    assert_eq!(
        appended,
        Appended {
            blocks: 1,
            operations: 70_000
        }
    );
    assert_eq!(append(&store, &blocks).await, Appended::default());

    let places = positions(&blocks);
    let entries: Vec<IndexEntry> = (0..)
        .zip(&places)
        .map(|(number, at)| {
            if number % 2 == 0 {
                of_did(*at, number, true)
            } else {
                of_storage(*at, number, number)
            }
        })
        .collect();
    let indexed = store.index(&entries).await.unwrap();
    let watermark = places.last().copied();
    assert_eq!(
        indexed,
        Indexed {
            entries: 70_000,
            watermark
        }
    );
    assert_eq!(store.index(&entries).await.unwrap(), Indexed { entries: 0, watermark });

    // Compared with `==`: a difference in 70,000 records can't be read.
    assert!(
        all_operations(&store).await == records(&blocks, &entries),
        "other operations than delivered"
    );
    let listed: Vec<_> = numbered(&places, 0)
        .map(|(number, position)| ListedDid {
            did: did(number),
            position,
        })
        .collect();
    assert!(all_listed_dids(&store).await == listed, "other DIDs than listed");
    let hashes: Vec<_> = (0..MANY).rev().map(storage_hash).collect();
    let owners: Vec<_> = numbered(&places, 1)
        .map(|(number, position)| StorageOwner {
            operation_hash: storage_hash(number),
            position,
            did: did(number),
        })
        .collect();
    assert!(
        store.storage_owners(&hashes).await.unwrap() == owners,
        "other owners than indexed"
    );
}

/// Each second position from `first` on, with its number.
fn numbered(places: &[OperationPosition], first: usize) -> impl Iterator<Item = (u64, OperationPosition)> {
    (0..).zip(places.iter().copied()).skip(first).step_by(2)
}

/// 70,000 blocks, each with one transaction of one operation: stored, and delivered again, in one call each.
pub async fn seventy_thousand_blocks_in_one_call(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let blocks: Vec<_> = (1..=MANY)
        .map(|number| {
            let operation = (osn(3), bytes(number.to_be_bytes()));
            block_with(number, vec![transaction_of(number, absn(2), [operation])])
        })
        .collect();
    let appended = append(&store, &blocks).await;
    assert_eq!(
        appended,
        Appended {
            blocks: 70_000,
            operations: 70_000
        }
    );
    assert_eq!(append(&store, &blocks).await, Appended::default());
    let bound = store.bound().await.unwrap();
    assert_eq!((bound.cursor, bound.operations), (Some(cursor_after(&blocks)), 70_000));
    assert!(
        all_operations(&store).await == records(&blocks, &[]),
        "other operations than delivered"
    );
    assert_eq!(
        store.indexer_state().await.unwrap().last_stored,
        positions(&blocks).last().copied()
    );
}

/// 40 operations of 1 MiB in one call: more bytes than one statement should carry.
pub async fn forty_longest_operations_in_one_call(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let operations = (0..40_u8).map(|index| (osn(index.into()), bytes(vec![index; 1 << 20])));
    let blocks = [block_with(1, vec![transaction_of(1, absn(1), operations)])];
    append(&store, &blocks).await;
    assert!(
        all_operations(&store).await == records(&blocks, &[]),
        "other operations than delivered"
    );
    assert_eq!(append(&store, &blocks).await, Appended::default());
}
