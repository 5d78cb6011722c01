//! How far the ledger has been read (line 6 of the storage contract).

use node_storage_contract::{
    BlockHash, BlockNo, ConflictReason, Cursor, CursorMoved, DltCursorRepo, NodeStorage, RawOperationRepo, SlotNo,
    StorageError,
};
use tokio::task::JoinSet;

use crate::StoreFactory;
use crate::assertions::{append, assert_conflict, assert_holds, assert_moved, assert_no_op};
use crate::data::{
    block, block_no, block_with, blocks, cursor, cursor_at, last_bit_flipped, other_hash, position, slot_no, slot_of,
};
use crate::factory::open;
use crate::writes::move_cursor;

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
        move_cursor(&store, moved).await.unwrap();
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
    move_cursor(&store, lowest).await.unwrap();
    assert_holds(&store, &[], lowest, &[]).await;
    let fork = Cursor {
        hash: other_hash(0),
        ..lowest
    };
    let reason = ConflictReason::CursorFork { stored: lowest };
    assert_conflict(&store, move_cursor(&store, fork), fork, reason).await;
    move_cursor(&store, cursor(1, 1)).await.unwrap();
    assert_no_op(&store, move_cursor(&store, lowest), ()).await;
}

/// The cursor takes the highest slot and number.
pub async fn cursor_takes_the_highest_values(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let highest = Cursor {
        slot: SlotNo::MAX,
        block: BlockNo::MAX,
        hash: [0xff; 32].as_slice().try_into().unwrap(),
    };
    move_cursor(&store, highest).await.unwrap();
    assert_holds(&store, &[], highest, &[]).await;
}

/// Blocks and cursor moves take turns.
pub async fn cursor_moves_with_and_without_blocks(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([2, 5]);
    move_cursor(&store, cursor(slot_of(1), 1)).await.unwrap();
    append(&store, &all[..1]).await;
    move_cursor(&store, cursor(slot_of(4), 4)).await.unwrap();
    append(&store, &all[1..]).await;
    move_cursor(&store, cursor(slot_of(6), 6)).await.unwrap();
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
        assert_no_op(&store, move_cursor(&store, moved), ()).await;
    }
}

/// The same slot and number with another hash, be it in its last bit.
pub async fn cursor_with_another_hash_is_a_conflict(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let stored = cursor(100, 5);
    move_cursor(&store, stored).await.unwrap();
    for hash in [other_hash(5), last_bit_flipped(stored.hash)] {
        let fork = Cursor { hash, ..stored };
        let reason = ConflictReason::CursorFork { stored };
        assert_conflict(&store, move_cursor(&store, fork), fork, reason).await;
    }
}

/// A move that raises one of slot and number and not the other.
pub async fn cursor_that_raises_one_of_slot_and_number_is_a_conflict(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let stored = cursor(100, 5);
    move_cursor(&store, stored).await.unwrap();
    for (slot, block) in [(101, 5), (100, 6), (99, 6), (101, 4), (99, 5), (100, 4)] {
        let moved = Cursor {
            slot: slot_no(slot),
            block: block_no(block),
            ..stored
        };
        let write = move_cursor(&store, moved);
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
            tasks.spawn(async move { move_cursor(&store, cursor(slot_of(number), number)).await });
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
            (fork, move_cursor(&store, fork).await)
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

/// What somebody may expect of a store whose cursor is `stored`, and is not so.
fn mistakes(stored: Option<Cursor>) -> Vec<Option<Cursor>> {
    let Some(stored) = stored else {
        return vec![Some(cursor(0, 0)), Some(cursor(slot_of(4), 4))];
    };
    let (slot, block) = (stored.slot.get(), stored.block.get());
    let places = [
        (slot - 1, block - 1),
        (slot + 1, block + 1),
        (slot + 1, block),
        (slot, block + 1),
    ];
    let elsewhere = places.map(|(slot, block)| Cursor {
        slot: slot_no(slot),
        block: block_no(block),
        ..stored
    });
    let hashes = [other_hash(block), last_bit_flipped(stored.hash)];
    let forks = hashes.map(|hash| Cursor { hash, ..stored });
    let others = elsewhere.into_iter().chain(forks).chain([cursor(0, 0)]);
    [None].into_iter().chain(others.map(Some)).collect()
}

/// A write that expects another cursor than the stored one is refused naming both, whatever it would change.
pub async fn write_that_expects_another_cursor_is_refused_naming_both(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let known = block(3);
    let new = block(9);
    let above = cursor(slot_of(8), 8);
    for stored in [None, Some(cursor_at(&known)), Some(cursor(slot_of(5), 5))] {
        if let Some(stored) = stored {
            append(&store, std::slice::from_ref(&known)).await;
            move_cursor(&store, stored).await.unwrap();
        }
        for expected in mistakes(stored) {
            let moved = CursorMoved { expected, stored };
            let one = std::slice::from_ref(&new);
            assert_moved(&store, store.append(expected, one, cursor_at(&new)), moved).await;
            assert_moved(&store, store.append(expected, &[], above), moved).await;
            assert_moved(&store, store.advance_cursor(expected, above), moved).await;
            let Some(stored) = stored else { continue };
            let again = std::slice::from_ref(&known);
            assert_moved(&store, store.append(expected, again, stored), moved).await;
            assert_moved(&store, store.append(expected, &[], stored), moved).await;
            assert_moved(&store, store.advance_cursor(expected, stored), moved).await;
            assert_moved(&store, store.advance_cursor(expected, cursor(1, 1)), moved).await;
        }
    }
    let stored = store.cursor().await.unwrap();
    store
        .append(stored, std::slice::from_ref(&new), cursor_at(&new))
        .await
        .unwrap();
    assert_holds(&store, &[known, new.clone()], cursor_at(&new), &[]).await;
}

/// A call that contradicts itself is refused for that, whatever it expects. A mistake about the cursor comes before everything
/// that contradicts what is stored.
pub async fn expected_cursor_is_judged_after_the_call_and_before_the_store(factory: &impl StoreFactory) {
    let store = open(factory).await;
    append(&store, &blocks([3, 6])).await;
    let stored = store.cursor().await.unwrap();
    for expected in mistakes(stored) {
        let twice = [block(7), block_with(7, vec![])];
        let conflict = store.append(expected, &twice, cursor_at(&twice[0]));
        assert_conflict(&store, conflict, position(7, 2, 0), ConflictReason::OperationMissing).await;
        let (last, below) = (block_no(8), cursor(slot_of(7), 7));
        let above = [block(8)];
        let conflict = store.append(expected, &above, below);
        assert_conflict(&store, conflict, below, ConflictReason::CursorBelowBlocks { last }).await;
        let moved = CursorMoved { expected, stored };
        let late = [block(4)];
        assert_moved(&store, store.append(expected, &late, cursor(slot_of(7), 7)), moved).await;
        let changed = [block_with(3, vec![])];
        assert_moved(&store, store.append(expected, &changed, cursor_at(&block(6))), moved).await;
        let fork = Cursor {
            hash: other_hash(6),
            ..cursor_at(&block(6))
        };
        assert_moved(&store, store.append(expected, &[], fork), moved).await;
        assert_moved(&store, store.advance_cursor(expected, fork), moved).await;
    }
}

/// Of several writers that expect the same cursor one is accepted, and the others learn what is stored after it.
pub async fn of_writers_with_one_expectation_one_is_accepted(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let mut expected = None;
    for round in 0..20_u64 {
        let mut tasks = JoinSet::new();
        for number in round * 8 + 1..=round * 8 + 8 {
            let store = store.clone();
            let (block, cursor) = (block(number), cursor_at(&block(number)));
            tasks.spawn(async move {
                let write = match number % 2 {
                    0 => store.append(expected, &[block], cursor).await.map(drop),
                    _ => store.advance_cursor(expected, cursor).await,
                };
                (cursor, write)
            });
        }
        let outcomes = tasks.join_all().await;
        let stored = Some(winner(&store, &outcomes).await);
        for (_, outcome) in outcomes {
            match outcome {
                Ok(()) => {}
                Err(StorageError::CursorMoved(moved)) => assert_eq!(*moved, CursorMoved { expected, stored }),
                Err(error) => panic!("neither accepted nor told of the cursor: {error}"),
            }
        }
        expected = stored;
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
