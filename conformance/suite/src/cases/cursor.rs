//! How far the ledger has been read (line 6 of the storage contract).

use node_storage_contract::{
    BlockHash, BlockNo, ConflictReason, Cursor, DltCursorRepo, NodeStorage, RawOperationRepo, SlotNo, StorageError,
};
use tokio::task::JoinSet;

use crate::StoreFactory;
use crate::assertions::{append, assert_conflict, assert_holds, assert_no_op};
use crate::data::{block_no, blocks, cursor, cursor_at, last_bit_flipped, other_hash, slot_no, slot_of};
use crate::factory::open;

/// There is no cursor before the first block, and its absence is an answer.
pub async fn cursor_is_empty_at_first(factory: &impl StoreFactory) {
    let store = open(factory).await;
    assert_eq!(store.cursor().await.unwrap(), None);
    assert_eq!(store.bound().await.unwrap().cursor, None);
}

/// The cursor moves forward without blocks, with every field.
pub async fn cursor_moves_forward_alone(factory: &impl StoreFactory) {
    let store = open(factory).await;
    for (slot, block) in [(0, 0), (1, 1), (90, 2), (1 << 40, 1 << 33)] {
        let moved = cursor(slot, block);
        store.advance_cursor(moved).await.unwrap();
        assert_holds(&store, &[], moved, &[]).await;
    }
}

/// A cursor at slot 0 and block 0 whose hash is zeros is one, and not none.
// edge-cases.md#o21
pub async fn lowest_cursor_is_a_cursor(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let lowest = Cursor {
        slot: SlotNo::MIN,
        block: BlockNo::MIN,
        hash: BlockHash::new([0; 32]),
    };
    store.advance_cursor(lowest).await.unwrap();
    assert_holds(&store, &[], lowest, &[]).await;
    let fork = Cursor {
        hash: other_hash(0),
        ..lowest
    };
    let reason = ConflictReason::CursorFork { stored: lowest };
    assert_conflict(&store, store.advance_cursor(fork), fork, reason).await;
    store.advance_cursor(cursor(1, 1)).await.unwrap();
    assert_no_op(&store, store.advance_cursor(lowest), ()).await;
}

/// The cursor takes the highest slot and number.
pub async fn cursor_takes_the_highest_values(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let highest = Cursor {
        slot: SlotNo::MAX,
        block: BlockNo::MAX,
        hash: [0xff; 32].as_slice().try_into().unwrap(),
    };
    store.advance_cursor(highest).await.unwrap();
    assert_holds(&store, &[], highest, &[]).await;
}

/// Blocks and cursor moves take turns.
pub async fn cursor_moves_with_and_without_blocks(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([2, 5]);
    store.advance_cursor(cursor(slot_of(1), 1)).await.unwrap();
    append(&store, &all[..1]).await;
    store.advance_cursor(cursor(slot_of(4), 4)).await.unwrap();
    append(&store, &all[1..]).await;
    store.advance_cursor(cursor(slot_of(6), 6)).await.unwrap();
    assert_holds(&store, &all, cursor(slot_of(6), 6), &[]).await;
}

/// An equal or lower cursor is a no-op.
pub async fn equal_or_lower_cursor_is_a_no_op(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([5]);
    append(&store, &all).await;
    let lower = Cursor {
        hash: other_hash(4),
        ..cursor(slot_of(4), 4)
    };
    for moved in [cursor_at(&all[0]), lower, cursor(0, 0)] {
        assert_no_op(&store, store.advance_cursor(moved), ()).await;
    }
}

/// The same slot and number with another hash, be it in its last bit.
pub async fn cursor_with_another_hash_is_a_conflict(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let stored = cursor(100, 5);
    store.advance_cursor(stored).await.unwrap();
    for hash in [other_hash(5), last_bit_flipped(stored.hash)] {
        let fork = Cursor { hash, ..stored };
        let reason = ConflictReason::CursorFork { stored };
        assert_conflict(&store, store.advance_cursor(fork), fork, reason).await;
    }
}

/// A move that raises one of slot and number and not the other.
pub async fn cursor_that_raises_one_of_slot_and_number_is_a_conflict(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let stored = cursor(100, 5);
    store.advance_cursor(stored).await.unwrap();
    for (slot, block) in [(101, 5), (100, 6), (99, 6), (101, 4), (99, 5), (100, 4)] {
        let moved = Cursor {
            slot: slot_no(slot),
            block: block_no(block),
            ..stored
        };
        let write = store.advance_cursor(moved);
        assert_conflict(&store, write, moved, ConflictReason::CursorOrder { stored }).await;
    }
}

/// Of concurrent moves the highest stands, in every round.
pub async fn concurrent_moves_leave_the_highest(factory: &impl StoreFactory) {
    let store = open(factory).await;
    for round in 0..25_u64 {
        let mut tasks = JoinSet::new();
        for step in 1..=8_u64 {
            let store = store.clone();
            let number = round * 8 + step;
            tasks.spawn(async move { store.advance_cursor(cursor(slot_of(number), number)).await });
        }
        while let Some(moved) = tasks.join_next().await {
            moved.unwrap().unwrap();
        }
        let highest = round * 8 + 8;
        assert_eq!(store.cursor().await.unwrap(), Some(cursor(slot_of(highest), highest)));
        assert_eq!(
            store.bound().await.unwrap().cursor,
            Some(cursor(slot_of(highest), highest))
        );
    }
}

/// Of concurrent first moves to forks of one block, one wins, and the others learn which.
pub async fn concurrent_forks_of_the_cursor_leave_one(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let mut tasks = JoinSet::new();
    for seed in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            let fork = Cursor {
                hash: prism_fixtures::block_hash(seed, 7),
                ..cursor(140, 7)
            };
            (fork, store.advance_cursor(fork).await)
        });
    }
    let outcomes = tasks.join_all().await;
    let stored = winner(&store, &outcomes).await;
    for (fork, outcome) in outcomes {
        match outcome {
            Ok(()) => assert_eq!(fork, stored),
            Err(StorageError::Conflict(conflict)) => {
                assert_eq!(conflict.at, fork.into());
                assert_eq!(conflict.reason, ConflictReason::CursorFork { stored });
            }
            Err(error) => panic!("neither won nor in conflict: {error}"),
        }
    }
}

/// The one cursor whose move was accepted, which the store must hold.
async fn winner<S: NodeStorage, E>(store: &S, outcomes: &[(Cursor, Result<(), E>)]) -> Cursor {
    let winners: Vec<_> = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).collect();
    assert_eq!(winners.len(), 1, "one fork wins");
    let (winner, _) = winners[0];
    assert_eq!(store.cursor().await.unwrap(), Some(*winner));
    *winner
}
