//! What an append adds, and what it passes over (line 1 of the storage contract).

use node_storage_contract::{Appended, PublishedBlock, RawOperationRepo};

use crate::StoreFactory;
use crate::assertions::{append, assert_holds, assert_no_op, index};
use crate::data::{
    block, block_no, block_with, blocks, cursor, cursor_at, ignored, of_did, of_storage, position, slot_of,
    transaction, transaction_id,
};
use crate::factory::open;
use crate::writes::{deliver, move_cursor};

/// A new block is stored with every field, found by its number, and the cursor stands at it.
pub async fn new_block_is_stored_with_every_field(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let delivered = blocks([3]);
    let appended = append(&store, &delivered).await;
    assert_eq!(
        appended,
        Appended {
            blocks: 1,
            operations: 5
        }
    );
    assert_holds(&store, &delivered, cursor_at(&delivered[0]), &[]).await;
    let header = store.block(block_no(3)).await.unwrap();
    assert_eq!(header, Some((&delivered[0]).into()));
}

/// Blocks above the cursor are added, whether or not numbers are left out in between.
pub async fn blocks_above_the_cursor_are_added(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([1, 2, 5, 90, 1_000]);
    for delivered in &all {
        let appended = append(&store, std::slice::from_ref(delivered)).await;
        assert_eq!(
            appended,
            Appended {
                blocks: 1,
                operations: 5
            }
        );
    }
    assert_holds(&store, &all, cursor_at(&all[4]), &[]).await;
}

/// The cursor of a call may stand above its last block.
pub async fn cursor_above_the_last_block_is_stored(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let delivered = blocks([1, 2]);
    let above = cursor(slot_of(2) + 1, 3);
    deliver(&store, &delivered, above).await.unwrap();
    assert_holds(&store, &delivered, above, &[]).await;
}

/// Where the stored cursor is higher than that of a call, it stays.
pub async fn higher_stored_cursor_stays(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let delivered = blocks([1, 2]);
    append(&store, &delivered).await;
    move_cursor(&store, cursor(slot_of(9), 9)).await.unwrap();
    let again = deliver(&store, &delivered, cursor_at(&delivered[1]));
    assert_no_op(&store, again, Appended::default()).await;
}

/// A stored block delivered again with identical content is a no-op, at the cursor and below it.
// edge-cases.md#o12
pub async fn redelivered_block_is_a_no_op(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([1, 2, 3]);
    append(&store, &all).await;
    for delivered in &all {
        let again = deliver(&store, std::slice::from_ref(delivered), cursor_at(delivered));
        assert_no_op(&store, again, Appended::default()).await;
    }
    assert_no_op(&store, deliver(&store, &all, cursor_at(&all[2])), Appended::default()).await;
}

/// Stored and new blocks may come in one call: the new ones are added.
pub async fn stored_and_new_blocks_come_in_one_call(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([1, 2, 3, 4]);
    append(&store, &all[..2]).await;
    let appended = append(&store, &all).await;
    assert_eq!(
        appended,
        Appended {
            blocks: 2,
            operations: 10
        }
    );
    assert_holds(&store, &all, cursor_at(&all[3]), &[]).await;
}

/// Stored and new blocks, some of them twice, may come in any order in one call: the new ones are added.
pub async fn stored_and_new_blocks_come_in_any_order(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks(1..=6);
    append(&store, &all[..3]).await;
    let mixed = [5, 2, 4, 1, 5, 3].map(block);
    let appended = append(&store, &mixed).await;
    assert_eq!(
        appended,
        Appended {
            blocks: 2,
            operations: 10
        }
    );
    assert_holds(&store, &all[..5], cursor_at(&all[4]), &[]).await;
    let descending: Vec<_> = all.iter().rev().cloned().collect();
    append(&store, &descending).await;
    assert_holds(&store, &all, cursor_at(&all[5]), &[]).await;
}

/// What was indexed of a block, and the watermark, are as before when the block is delivered again.
pub async fn redelivered_block_keeps_what_was_indexed(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([1, 2]);
    append(&store, &all[..1]).await;
    let entries = [
        of_did(position(1, 2, 0), 1, true),
        of_storage(position(1, 2, 1), 1, 1),
        ignored(position(1, 2, 2)),
    ];
    index(&store, &entries).await;
    let again = deliver(&store, &all[..1], cursor_at(&all[0]));
    assert_no_op(&store, again, Appended::default()).await;
    append(&store, &all).await;
    assert_holds(&store, &all, cursor_at(&all[1]), &entries).await;
}

/// A block without operations stores nothing but the cursor, above the cursor, at it, and below it.
pub async fn block_without_operations_stores_nothing(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let delivered = blocks([5]);
    append(&store, &delivered).await;
    let empty = |number| block_with(number, vec![]);
    let above = [empty(7)];
    let appended = append(&store, &above).await;
    assert_eq!(appended, Appended::default());
    assert_holds(&store, &delivered, cursor_at(&above[0]), &[]).await;
    for number in [7, 6, 2] {
        let block = empty(number);
        let again = deliver(&store, std::slice::from_ref(&block), cursor_at(&block));
        assert_no_op(&store, again, Appended::default()).await;
        assert_eq!(store.block(block.number).await.unwrap(), None, "block {number}");
    }
}

/// A transaction without operations stores nothing, and is no difference between two deliveries of a block.
pub async fn transaction_without_operations_stores_nothing(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let full = block(4);
    let with_empty = PublishedBlock {
        transactions: [full.transactions.clone(), vec![transaction(4, 9, 0)]].concat(),
        ..full.clone()
    };
    let appended = append(&store, std::slice::from_ref(&with_empty)).await;
    assert_eq!(
        appended,
        Appended {
            blocks: 1,
            operations: 5
        }
    );
    assert_holds(&store, std::slice::from_ref(&full), cursor_at(&full), &[]).await;
    assert_eq!(
        store
            .transaction(&transaction_id(4, 9), None, crate::data::limit(1))
            .await
            .unwrap(),
        None
    );
    for delivered in [full, with_empty] {
        let again = deliver(&store, std::slice::from_ref(&delivered), cursor_at(&delivered));
        assert_no_op(&store, again, Appended::default()).await;
    }
    let only_empty = block_with(5, vec![transaction(5, 0, 0), transaction(5, 1, 0)]);
    append(&store, std::slice::from_ref(&only_empty)).await;
    assert_eq!(store.block(only_empty.number).await.unwrap(), None);
}

/// A call without blocks moves the cursor alone.
// edge-cases.md#o19
pub async fn call_without_blocks_moves_the_cursor(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let first = cursor(40, 2);
    assert_eq!(deliver(&store, &[], first).await.unwrap(), Appended::default());
    assert_holds(&store, &[], first, &[]).await;
    for equal_or_lower in [first, cursor(39, 1), cursor(0, 0)] {
        assert_no_op(&store, deliver(&store, &[], equal_or_lower), Appended::default()).await;
    }
    let higher = cursor(41, 3);
    assert_eq!(deliver(&store, &[], higher).await.unwrap(), Appended::default());
    assert_holds(&store, &[], higher, &[]).await;
}

/// What comes twice in one call with identical content is stored once.
pub async fn identical_content_twice_in_a_call_is_stored_once(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let once = block(1);
    let mut twice = once.clone();
    let first = twice.transactions[0].clone();
    twice.transactions[0].operations.extend(first.operations);
    twice.transactions.extend(once.transactions.clone());
    let appended = append(&store, &[twice, once.clone()]).await;
    assert_eq!(
        appended,
        Appended {
            blocks: 1,
            operations: 5
        }
    );
    assert_holds(&store, std::slice::from_ref(&once), cursor_at(&once), &[]).await;
}
