//! What is stored is found, indexed or not, and what is not is an answer (lines 4, 7 and 11 of the storage contract).

use node_storage_contract::{
    BlockHeader, IndexOutcome, IndexedOperationRepo, OperationHash, OperationId, RawOperationRepo, StorageOwner,
    TransactionId, TransactionRecord,
};

use crate::StoreFactory;
use crate::assertions::{append, index};
use crate::data::{
    absn, all_ignored, block, block_with, blocks, bytes, cursor, did, ignored, limit, of_did, of_storage, osn,
    position, positions, storage_hash, transaction_id, transaction_of,
};
use crate::expected::{index_entries, records};
use crate::factory::open;

/// Nothing is found in an empty store, and that is no error.
pub async fn nothing_is_found_in_an_empty_store(factory: &impl StoreFactory) {
    let store = open(factory).await;
    assert_eq!(store.block(block(1).number).await.unwrap(), None);
    assert_eq!(store.operation(&OperationId::of(b"x")).await.unwrap(), None);
    assert_eq!(store.transaction(&TransactionId::new([1; 32])).await.unwrap(), None);
    assert_eq!(store.operations_after(None, limit(10)).await.unwrap(), vec![]);
    assert_eq!(store.operations_of_did(&did(1), None, limit(10)).await.unwrap(), vec![]);
    assert_eq!(store.listed_did(&did(1)).await.unwrap(), None);
    assert_eq!(store.listed_dids_after(None, limit(10)).await.unwrap(), vec![]);
    assert_eq!(store.storage_owners(&[storage_hash(1)]).await.unwrap(), vec![]);
}

/// What was never stored is not found beside what was.
pub async fn unknown_is_not_found_beside_known(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([1, 2, 3]);
    append(&store, &all).await;
    let entries: Vec<_> = positions(&all).into_iter().map(|at| of_did(at, 1, true)).collect();
    index(&store, &entries).await;
    assert_eq!(store.block(cursor(0, 4).block).await.unwrap(), None);
    assert_eq!(store.operation(&OperationId::of(b"unknown")).await.unwrap(), None);
    assert_eq!(store.transaction(&transaction_id(4, 4)).await.unwrap(), None);
    assert_eq!(store.operations_of_did(&did(2), None, limit(10)).await.unwrap(), vec![]);
    assert_eq!(store.listed_did(&did(2)).await.unwrap(), None);
    assert_eq!(store.storage_owners(&[storage_hash(2)]).await.unwrap(), vec![]);
}

/// An operation is found by its id before it is indexed, and after, whatever indexing made of it.
pub async fn operation_is_found_by_id_indexed_or_not(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let ledger = crate::data::ledger();
    append(&store, &ledger).await;
    let entries = index_entries(&ledger);
    let kinds: [fn(&IndexOutcome) -> bool; 4] = [
        |outcome| matches!(outcome, IndexOutcome::Did { .. }),
        |outcome| matches!(outcome, IndexOutcome::Storage { .. }),
        |outcome| matches!(outcome, IndexOutcome::Ignored { .. }),
        |outcome| matches!(outcome, IndexOutcome::Undecodable { .. }),
    ];
    for kind in kinds {
        assert!(
            entries.iter().any(|entry| kind(&entry.outcome)),
            "the ledger has every outcome"
        );
    }
    for indexed in [&[][..], &entries[..50], &entries] {
        index(&store, indexed).await;
        let mut expected = records(&ledger, indexed);
        // Found at its lowest position, where it was published several times.
        expected.reverse();
        let by_id: std::collections::HashMap<_, _> = expected.into_iter().map(|record| (record.id, record)).collect();
        for (id, record) in by_id {
            assert_eq!(store.operation(&id).await.unwrap(), Some(record));
        }
    }
}

/// An operation published several times is found at its lowest position, also where the higher one is indexed alike.
pub async fn operation_published_twice_is_found_at_its_lowest_position(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let same = bytes(*b"published twice");
    let at = |block: u64, transaction: u64, operation: u64| {
        transaction_of(block, absn(transaction), [(osn(operation), same.clone())])
    };
    let all = [
        block_with(9, vec![at(9, 10, 4), at(9, 9, 11)]),
        block_with(10, vec![at(10, 0, 0)]),
        block_with(100, vec![at(100, 0, 0)]),
    ];
    append(&store, &all).await;
    let found = || async { store.operation(&same.id()).await.unwrap().expect("the operation") };
    assert_eq!(found().await.operation.position, position(9, 9, 11));
    index(
        &store,
        &[ignored(position(9, 9, 11)), of_did(position(9, 10, 4), 1, true)],
    )
    .await;
    assert_eq!(found().await.operation.position, position(9, 9, 11));
    assert_eq!(found().await.indexing, Some(ignored(position(9, 9, 11)).outcome));
}

/// A transaction is found by its id with its block, its absn and all of its operations, indexed or not.
pub async fn transaction_is_found_with_all_operations(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let many = (0..1_500_u64)
        .rev()
        .map(|index| (osn(index * 3), bytes(format!("of many, {index}"))));
    let all = [
        block(6),
        block_with(
            7,
            vec![
                transaction_of(7, absn(40), many),
                transaction_of(7, absn(41), [(osn(2), bytes(*b"x"))]),
            ],
        ),
    ];
    append(&store, &all).await;
    let entries = all_ignored(&positions(&all));
    for indexed in [&[][..], &entries[..700]] {
        index(&store, indexed).await;
        for block in &all {
            for transaction in &block.transactions {
                let operations: Vec<_> = records(&all, indexed)
                    .into_iter()
                    .filter(|record| record.transaction_id == transaction.id)
                    .collect();
                let expected = TransactionRecord {
                    id: transaction.id,
                    block: BlockHeader::from(block),
                    absn: transaction.absn,
                    operations,
                };
                assert_eq!(store.transaction(&transaction.id).await.unwrap(), Some(expected));
            }
        }
    }
}

/// The owner of a storage operation is found by its hash, at its lowest position, each hash once and by position.
pub async fn storage_owners_are_found_at_their_lowest_positions(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([1, 2, 3]);
    append(&store, &all).await;
    let places = positions(&all);
    let entries = [
        of_storage(places[0], 5, 50),
        of_storage(places[1], 3, 30),
        of_storage(places[2], 5, 51),
        ignored(places[3]),
        of_storage(places[4], 4, 30),
        of_storage(places[5], 3, 31),
        of_did(places[6], 7, true),
    ];
    index(&store, &entries).await;
    let owner = |hash, place: usize, owner| StorageOwner {
        operation_hash: storage_hash(hash),
        position: places[place],
        did: did(owner),
    };
    let asked = [3, 4, 5, 6, 3, 5].map(storage_hash);
    let expected = vec![owner(5, 0, 50), owner(3, 1, 30), owner(4, 4, 30)];
    assert_eq!(store.storage_owners(&asked).await.unwrap(), expected);
    assert_eq!(
        store.storage_owners(&[storage_hash(4)]).await.unwrap(),
        vec![owner(4, 4, 30)]
    );
    assert_eq!(store.storage_owners(&[]).await.unwrap(), vec![]);
}

/// The hash of an operation of a DID names no storage entry.
pub async fn operations_of_a_did_are_no_storage_owners(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([1]);
    append(&store, &all).await;
    let place = positions(&all)[0];
    let entry = of_did(place, 1, true);
    index(&store, std::slice::from_ref(&entry)).await;
    let IndexOutcome::Did { operation_hash, .. } = entry.outcome else {
        panic!("an operation of a DID")
    };
    assert_eq!(store.storage_owners(&[operation_hash]).await.unwrap(), vec![]);
    assert_eq!(
        store.storage_owners(&[OperationHash::from(did(1))]).await.unwrap(),
        vec![]
    );
}
