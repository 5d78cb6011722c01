//! How far indexing has come (line 8 of the storage contract).

use node_storage_contract::{Indexed, IndexedOperationRepo, IndexerState, IndexerStateRepo, NodeStorage};

use crate::StoreFactory;
use crate::assertions::{append, assert_holds, assert_no_op, index};
use crate::data::{
    all_ignored, block, block_no, block_with, blocks, cursor, cursor_at, positions, slot_of, transaction,
};
use crate::factory::open;
use crate::writes::deliver;

async fn last_indexed<S: NodeStorage>(store: &S) -> Option<u64> {
    let state = store.indexer_state().await.unwrap();
    state.last_indexed_block.map(|block| block.number.get())
}

/// An empty store has no watermark, no last operation and no indexed block, and is complete.
pub async fn state_of_an_empty_store_is_empty(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let state = store.indexer_state().await.unwrap();
    assert_eq!(state, IndexerState::default());
    assert!(state.is_complete());
}

/// Stored and not indexed: there is a last operation and nothing else.
pub async fn stored_blocks_are_not_indexed_yet(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([1, 4]);
    append(&store, &all).await;
    let state = store.indexer_state().await.unwrap();
    let expected = IndexerState {
        last_stored: positions(&all).last().copied(),
        ..IndexerState::default()
    };
    assert_eq!(state, expected);
    assert!(!state.is_complete());
}

/// At every watermark, the last indexed block is the highest whose operations all stand at or below it, with all fields.
pub async fn last_indexed_block_is_the_highest_complete_one(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([1, 2, 9, 10]);
    append(&store, &all).await;
    let places = positions(&all);
    for (count, batch) in (1..).zip(all_ignored(&places).chunks(1)) {
        index(&store, batch).await;
        let state = store.indexer_state().await.unwrap();
        assert_eq!(state.watermark, Some(places[count - 1]));
        assert_eq!(state.last_stored, places.last().copied());
        let complete = (count / 5).checked_sub(1).map(|index| (&all[index]).into());
        assert_eq!(state.last_indexed_block, complete, "after {count} operations");
        assert_eq!(state.is_complete(), count == places.len());
    }
}

/// A watermark at the lowest position there is, block 0, `absn` 0 and `osn` 0, is one.
pub async fn lowest_position_is_a_watermark(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = [block_with(0, vec![transaction(0, 0, 2)])];
    append(&store, &all).await;
    let entries = all_ignored(&positions(&all));
    index(&store, &entries[..1]).await;
    assert_holds(&store, &all, cursor_at(&all[0]), &entries[..1]).await;
    let watermark = Some(positions(&all)[0]);
    assert_no_op(&store, store.index(&[]), Indexed { entries: 0, watermark }).await;
    index(&store, &entries).await;
    assert_holds(&store, &all, cursor_at(&all[0]), &entries).await;
    assert_eq!(last_indexed(&store).await, Some(0));
}

/// A block that is stored above an indexed one does not change which is the last indexed.
pub async fn new_block_does_not_change_the_last_indexed_one(factory: &impl StoreFactory) {
    let store = open(factory).await;
    append(&store, &blocks([3])).await;
    index(&store, &all_ignored(&positions(&blocks([3])))).await;
    assert_eq!(last_indexed(&store).await, Some(3));
    append(&store, &blocks([7])).await;
    assert_eq!(last_indexed(&store).await, Some(3));
    index(&store, &all_ignored(&positions(&blocks([7]))[..4])).await;
    assert_eq!(last_indexed(&store).await, Some(3));
}

/// Blocks without operations are not stored, so none of them is the last indexed one.
pub async fn block_without_operations_is_never_the_last_indexed(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let delivered = [block(2), block_with(3, vec![])];
    deliver(&store, &delivered, cursor(slot_of(8), 8)).await.unwrap();
    index(&store, &all_ignored(&positions(&delivered))).await;
    assert_eq!(last_indexed(&store).await, Some(2));
    let state = store.indexer_state().await.unwrap();
    assert_eq!(state.last_stored.map(|last| last.block), Some(block_no(2)));
}
