//! Ranges are the contract's, not the engine's (line 5 of the storage contract).

use node_storage_contract::{
    Appended, BlockHash, BlockNo, BlockTime, DidSuffix, IndexEntry, IndexOutcome, IndexedOperationRepo,
    IndexerStateRepo, LedgerBound, OperationBytes, OperationHash, OperationIndex, OperationPosition, OutOfRange,
    PageLimit, PublishedBlock, RawOperationRepo, SlotNo, StorageError, TransactionId, TransactionIndex,
};

use crate::StoreFactory;
use crate::assertions::{append, assert_holds, assert_no_op, index};
use crate::data::{all_ignored, bytes, cursor_at, limit, of_did, positions, transaction_of};
use crate::factory::open;
use crate::writes::deliver;

/// A block in which every number is the highest.
fn highest_block() -> PublishedBlock {
    let highest = transaction_of(
        1,
        TransactionIndex::MAX,
        [
            (OperationIndex::MAX, bytes(*b"last")),
            (OperationIndex::MIN, bytes(*b"first")),
        ],
    );
    let mut lowest = transaction_of(
        1,
        TransactionIndex::MIN,
        [(OperationIndex::MAX, bytes(*b"lowest absn"))],
    );
    lowest.id = TransactionId::new([0xff; 32]);
    PublishedBlock {
        number: BlockNo::MAX,
        slot: SlotNo::MAX,
        hash: BlockHash::new([0xff; 32]),
        time: BlockTime::MAX,
        transactions: vec![highest, lowest],
    }
}

/// A block in which every number is the lowest.
fn lowest_block() -> PublishedBlock {
    let mut transaction = transaction_of(0, TransactionIndex::MIN, [(OperationIndex::MIN, bytes([]))]);
    transaction.id = TransactionId::new([0; 32]);
    PublishedBlock {
        number: BlockNo::MIN,
        slot: SlotNo::MIN,
        hash: BlockHash::new([0; 32]),
        time: BlockTime::MIN,
        transactions: vec![transaction],
    }
}

/// The lowest and the highest value of every field come back as they were delivered.
pub async fn lowest_and_highest_values_are_stored(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let blocks = [lowest_block(), highest_block()];
    append(&store, &blocks).await;
    assert_holds(&store, &blocks, cursor_at(&blocks[1]), &[]).await;
    assert_no_op(
        &store,
        deliver(&store, &blocks, cursor_at(&blocks[1])),
        Appended::default(),
    )
    .await;
}

/// Indexing reaches the highest position, and the highest block is then the last indexed one.
pub async fn highest_position_is_indexed(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let blocks = [lowest_block(), highest_block()];
    append(&store, &blocks).await;
    let entries = all_ignored(&positions(&blocks));
    index(&store, &entries).await;
    let state = store.indexer_state().await.unwrap();
    assert_eq!(state.last_indexed_block.map(|block| block.number), Some(BlockNo::MAX));
    assert!(state.is_complete());
    assert_holds(&store, &blocks, cursor_at(&blocks[1]), &entries).await;
}

/// Nothing follows the highest position.
pub async fn page_after_the_highest_position_is_empty(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let blocks = [highest_block()];
    append(&store, &blocks).await;
    let all = positions(&blocks);
    let entries: Vec<_> = all.iter().map(|position| of_did(*position, 1, true)).collect();
    index(&store, &entries).await;
    let highest = OperationPosition {
        block: BlockNo::MAX,
        absn: TransactionIndex::MAX,
        osn: OperationIndex::MAX,
    };
    assert_eq!(all.last(), Some(&highest));
    assert_eq!(store.operations_after(Some(highest), limit(10)).await.unwrap(), vec![]);
    assert_eq!(store.listed_dids_after(Some(highest), limit(10)).await.unwrap(), vec![]);
    let did = crate::data::did(1);
    assert_eq!(
        store.operations_of_did(&did, Some(highest), limit(10)).await.unwrap(),
        vec![]
    );
    assert_eq!(store.operations_of_did(&did, None, limit(10)).await.unwrap().len(), 3);
}

/// Hashes of zeros and of ones are hashes like any other.
pub async fn hashes_of_zeros_and_ones_are_stored(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let blocks = [lowest_block(), highest_block()];
    append(&store, &blocks).await;
    let hashes = [[0; 32], [0xff; 32], [0x80; 32], [0; 32]];
    let entries: Vec<_> = positions(&blocks)
        .into_iter()
        .zip(hashes)
        .zip([true, false, false, false])
        .map(|((position, hash), lists)| IndexEntry {
            position,
            outcome: if lists {
                IndexOutcome::Did {
                    did: DidSuffix::new(hash),
                    operation_hash: OperationHash::new(hash),
                    lists_did: true,
                }
            } else {
                IndexOutcome::Storage {
                    did: DidSuffix::new(hash),
                    operation_hash: OperationHash::new(hash),
                }
            },
        })
        .collect();
    index(&store, &entries).await;
    assert_holds(&store, &blocks, cursor_at(&blocks[1]), &entries).await;
}

/// A value outside is refused when it is made, as `OutOfRange` that names field and value, before a store sees it.
pub async fn values_outside_are_refused_naming_field_and_value(factory: &impl StoreFactory) {
    let beyond_63_bits = 1_u64 << 63;
    let beyond_31_bits = 1_u64 << 31;
    let refusals: [(Option<OutOfRange>, &str, String); 9] = [
        (
            SlotNo::try_from(beyond_63_bits).err(),
            "slot",
            beyond_63_bits.to_string(),
        ),
        (SlotNo::try_from(-1_i64).err(), "slot", "-1".to_owned()),
        (BlockNo::try_from(u64::MAX).err(), "block number", u64::MAX.to_string()),
        (BlockNo::try_from(i64::MIN).err(), "block number", i64::MIN.to_string()),
        (
            TransactionIndex::try_from(beyond_31_bits).err(),
            "absn",
            beyond_31_bits.to_string(),
        ),
        (
            OperationIndex::try_from(beyond_31_bits).err(),
            "osn",
            beyond_31_bits.to_string(),
        ),
        (OperationIndex::try_from(-1_i32).err(), "osn", "-1".to_owned()),
        (
            OperationBytes::try_from(vec![0; OperationBytes::MAX_LENGTH + 1]).err(),
            "operation length in bytes",
            "1048577".to_owned(),
        ),
        (PageLimit::try_from(10_001_u64).err(), "page limit", "10001".to_owned()),
    ];
    for (refusal, field, value) in refusals {
        let error = StorageError::from(refusal.expect("a value out of range"));
        match &error {
            StorageError::OutOfRange(error) => assert_eq!((error.field, &error.value), (field, &value)),
            other => panic!("not OutOfRange: {other}"),
        }
        assert!(
            error.to_string().contains(field) && error.to_string().contains(&value),
            "{error}"
        );
    }
    let store = open(factory).await;
    assert_eq!(store.bound().await.unwrap(), LedgerBound::default());
}
