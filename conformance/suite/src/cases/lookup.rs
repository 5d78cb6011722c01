//! What is stored is found, indexed or not, and what is not is an answer (lines 4, 7 and 11 of the storage contract).

use node_storage_contract::{
    BlockHash, BlockHeader, DidSuffix, IndexEntry, IndexOutcome, IndexedOperationRepo, NodeStorage, OperationHash,
    OperationId, RawOperationRepo, StorageOwner, TransactionId, TransactionRecord,
};

use crate::StoreFactory;
use crate::assertions::{append, assert_holds, index};
use crate::data::{
    absn, all_ignored, block, block_with, blocks, bytes, cursor, cursor_after, did, ignored, limit, of_did, of_storage,
    osn, position, positions, storage_hash, transaction, transaction_id, transaction_of,
};
use crate::expected::{index_entries, records};
use crate::factory::open;
use crate::observe::whole_transaction;

/// What is found under the id of a transaction.
async fn transaction_with<S: NodeStorage>(store: &S, id: TransactionId) -> Option<TransactionRecord> {
    store.transaction(&id, None, limit(10)).await.unwrap()
}

/// Nothing is found in an empty store, and that is no error.
// edge-cases.md#o22
pub async fn nothing_is_found_in_an_empty_store(factory: &impl StoreFactory) {
    let store = open(factory).await;
    assert_eq!(store.block(block(1).number).await.unwrap(), None);
    assert_eq!(store.operation(&OperationId::of(b"x")).await.unwrap(), None);
    assert_eq!(transaction_with(&store, TransactionId::new([1; 32])).await, None);
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
    assert_eq!(transaction_with(&store, transaction_id(4, 4)).await, None);
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
                    operation_count: u64::try_from(operations.len()).unwrap(),
                    operations,
                };
                assert_eq!(whole_transaction(&store, &transaction.id).await, Some(expected));
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

/// Hashes that differ in one byte, in the case of a letter, or behind a zero are different hashes.
pub async fn hashes_that_differ_in_one_byte_are_different(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let ending_in = |first: u8, last: u8| {
        let mut hash = [first; 32];
        hash[31] = last;
        hash
    };
    let mut behind_zero = [0; 32];
    behind_zero[30] = 1;
    let hashes = [
        [7; 32],
        ending_in(7, 8),
        ending_in(0, 1),
        ending_in(0, 2),
        behind_zero,
        [b'A'; 32],
        [b'a'; 32],
    ];
    let unknown = [ending_in(7, 9), ending_in(0, 3), ending_in(b'A', b'a')];
    let all: Vec<_> = (1..)
        .zip(hashes)
        .map(|(number, hash)| {
            let mut block = block_with(number, vec![transaction(number, 4, 2)]);
            block.hash = BlockHash::new(hash);
            block.transactions[0].id = TransactionId::new(hash);
            block
        })
        .collect();
    append(&store, &all).await;
    let outcomes = hashes.into_iter().flat_map(|hash| {
        let (did, operation_hash) = (DidSuffix::new(hash), OperationHash::new(hash));
        let of_did = IndexOutcome::Did {
            did,
            operation_hash,
            lists_did: true,
        };
        [of_did, IndexOutcome::Storage { did, operation_hash }]
    });
    let entries: Vec<_> = positions(&all)
        .into_iter()
        .zip(outcomes)
        .map(|(position, outcome)| IndexEntry { position, outcome })
        .collect();
    index(&store, &entries).await;
    assert_holds(&store, &all, cursor_after(&all), &entries).await;
    for (place, hash) in hashes.into_iter().enumerate() {
        let owner = StorageOwner {
            operation_hash: OperationHash::new(hash),
            position: entries[place * 2 + 1].position,
            did: DidSuffix::new(hash),
        };
        assert_eq!(
            store.storage_owners(&[OperationHash::new(hash)]).await.unwrap(),
            vec![owner]
        );
    }
    for hash in unknown {
        assert_eq!(transaction_with(&store, TransactionId::new(hash)).await, None);
        assert_eq!(store.listed_did(&DidSuffix::new(hash)).await.unwrap(), None);
        assert_eq!(store.storage_owners(&[OperationHash::new(hash)]).await.unwrap(), vec![]);
        let operations = store.operations_of_did(&DidSuffix::new(hash), None, limit(10)).await;
        assert_eq!(operations.unwrap(), vec![]);
    }
}

/// An id of a transaction that is also that of an operation finds each where it is asked for, and neither as the other.
pub async fn equal_ids_of_a_transaction_and_an_operation_are_kept_apart(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let (both, alone) = (bytes(*b"id of both"), bytes(*b"id of an operation"));
    let mut all = blocks([1, 2]);
    all[0].transactions[0].id = TransactionId::new(*both.id().as_bytes());
    all[1].transactions[1].operations[0].bytes = both.clone();
    all[1].transactions[1].operations[1].bytes = alone.clone();
    append(&store, &all).await;
    let found = store.operation(&both.id()).await.unwrap().expect("the operation");
    assert_eq!(found.operation.position, position(2, 5, 0));
    let id = all[0].transactions[0].id;
    let found = transaction_with(&store, id).await.expect("the transaction");
    assert_eq!((found.block.number, found.operations.len()), (all[0].number, 3));
    let of_operation = TransactionId::new(*alone.id().as_bytes());
    assert_eq!(transaction_with(&store, of_operation).await, None);
    let of_transaction = OperationId::new(*all[0].transactions[1].id.as_bytes());
    assert_eq!(store.operation(&of_transaction).await.unwrap(), None);
}

/// The hash of an operation of a DID names no storage entry.
// edge-cases.md#v18
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
