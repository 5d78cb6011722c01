//! What contradicts is refused whole, naming the position (line 1 of the storage contract).

use node_storage_contract::{BlockTime, ConflictReason, Cursor, NodeStorage, PublishedBlock, Subject, TransactionId};

use crate::StoreFactory;
use crate::assertions::{append, assert_conflict, assert_holds};
use crate::data::{
    absn, block, block_no, block_with, blocks, bytes, cursor, cursor_after, cursor_at, last_bit_flipped, osn,
    other_hash, position, slot_no, slot_of, transaction, transaction_id, transaction_of,
};
use crate::factory::open;
use crate::writes::{deliver, move_cursor};

/// A store that holds the blocks 1 to 3, and the cursor at the last of them.
async fn with_three_blocks<F: StoreFactory>(factory: &F) -> F::Store {
    let store = open(factory).await;
    append(&store, &blocks([1, 2, 3])).await;
    store
}

/// Delivers a changed block among blocks that are stored and one that is new, with the cursor at that: all are refused.
#[track_caller]
fn refuse<S: NodeStorage>(
    store: &S,
    changed: PublishedBlock,
    at: impl Into<Subject>,
    reason: ConflictReason,
) -> impl Future<Output = ()> {
    let mut delivered = blocks([1, 2, 3, 4]);
    delivered.retain(|block| block.number != changed.number);
    delivered.push(changed);
    let cursor = cursor_after(&delivered);
    let write = async move { deliver(store, &delivered, cursor).await };
    assert_conflict(store, write, at, reason)
}

/// Another hash for a stored number, be it in its last bit, below the cursor and at it.
pub async fn other_hash_for_a_number_is_a_conflict(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    let hashes =
        [1, 2, 3].map(|number| [other_hash(number), last_bit_flipped(block(number).hash)].map(|hash| (number, hash)));
    for (number, hash) in hashes.into_iter().flatten() {
        let changed = PublishedBlock { hash, ..block(number) };
        refuse(&store, changed, block_no(number), ConflictReason::OtherBlockHash).await;
    }
}

/// A fork of the cursor's block, delivered with the cursor at it, contradicts the stored cursor.
pub async fn fork_of_the_last_block_is_a_conflict(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    let fork = PublishedBlock {
        hash: other_hash(3),
        ..block(3)
    };
    let stored = cursor_at(&block(3));
    let write = deliver(&store, std::slice::from_ref(&fork), cursor_at(&fork));
    assert_conflict(&store, write, cursor_at(&fork), ConflictReason::CursorFork { stored }).await;
}

/// Another slot for a stored number, below the cursor and at it, between its neighbours' slots.
pub async fn other_slot_for_a_number_is_a_conflict(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    for (number, slot) in [(2, slot_of(2) - 1), (2, slot_of(2) + 1), (3, slot_of(3) + 1)] {
        let changed = PublishedBlock {
            slot: slot_no(slot),
            ..block(number)
        };
        refuse(&store, changed, block_no(number), ConflictReason::OtherSlot).await;
    }
}

/// Another time for a stored number, be it by one microsecond.
pub async fn other_time_for_a_number_is_a_conflict(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    for (number, micros) in [(1, 1), (2, -1), (3, 1_000_000)] {
        let changed = block(number);
        let time = BlockTime::from_unix_micros(changed.time.unix_micros() + micros).unwrap();
        let changed = PublishedBlock { time, ..changed };
        refuse(&store, changed, block_no(number), ConflictReason::OtherBlockTime).await;
    }
}

/// A stored block delivered without one of its operations: the first, the last, those of a transaction, or all.
pub async fn missing_operation_is_a_conflict(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    for (number, (transaction, operation)) in each_operation() {
        let mut changed = block(number);
        let removed = changed.transactions[transaction].operations.remove(operation);
        let absn = changed.transactions[transaction].absn;
        let at = position(number, absn.get().into(), removed.osn.get().into());
        refuse(&store, changed, at, ConflictReason::OperationMissing).await;
    }
    let mut changed = block(2);
    changed.transactions.remove(1);
    refuse(&store, changed, position(2, 5, 0), ConflictReason::OperationMissing).await;
    let changed = block_with(2, vec![]);
    refuse(&store, changed, position(2, 2, 0), ConflictReason::OperationMissing).await;
}

/// A stored block delivered with an operation more: in a transaction, or as a transaction.
pub async fn added_operation_is_a_conflict(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    for number in [2, 3] {
        let mut changed = block(number);
        changed.transactions[0] = transaction(number, 2, 4);
        refuse(&store, changed, position(number, 2, 3), ConflictReason::OperationAdded).await;
        let mut changed = block(number);
        changed.transactions.push(transaction(number, 9, 1));
        refuse(&store, changed, position(number, 9, 0), ConflictReason::OperationAdded).await;
    }
}

/// Each operation of the three blocks: the block's number, and the places of transaction and operation in it.
fn each_operation() -> impl Iterator<Item = (u64, (usize, usize))> {
    let places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)];
    [1, 2, 3]
        .into_iter()
        .flat_map(move |number| places.map(|place| (number, place)))
}

/// A stored block delivered with other bytes for any of its operations, be it one bit, or none.
pub async fn changed_operation_is_a_conflict(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    for (number, (transaction, operation)) in each_operation() {
        let mut changed = block(number);
        let absn = changed.transactions[transaction].absn;
        let operation = &mut changed.transactions[transaction].operations[operation];
        let mut content = operation.bytes.clone().into_vec();
        content[0] ^= 1;
        operation.bytes = bytes(content);
        let at = position(number, absn.get().into(), operation.osn.get().into());
        refuse(&store, changed, at, ConflictReason::OtherOperation).await;
    }
    let original = block(2).transactions[0].operations[1].bytes.clone().into_vec();
    let mut flipped = original.clone();
    flipped[0] ^= 1;
    let longer = [original, vec![0]].concat();
    for content in [flipped, longer, vec![]] {
        let mut changed = block(2);
        changed.transactions[0].operations[1].bytes = bytes(content);
        refuse(&store, changed, position(2, 2, 1), ConflictReason::OtherOperation).await;
    }
}

/// A stored transaction delivered under another id.
pub async fn other_transaction_id_is_a_conflict(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    for (number, place) in [(1, 0), (2, 0), (2, 1), (3, 1)] {
        let mut changed = block(number);
        let transaction = &mut changed.transactions[place];
        let at = Subject::Transaction(block_no(number), transaction.absn);
        let mut last_bit_flipped = *transaction.id.as_bytes();
        last_bit_flipped[31] ^= 1;
        transaction.id = TransactionId::new(last_bit_flipped);
        refuse(&store, changed.clone(), at, ConflictReason::OtherTransactionId).await;
        changed.transactions[place].id = transaction_id(77, 7);
        refuse(&store, changed, at, ConflictReason::OtherTransactionId).await;
    }
}

/// A block with operations below the cursor that is not stored: it was passed, or came without operations.
// edge-cases.md#o4
pub async fn unknown_block_below_the_cursor_is_a_conflict(factory: &impl StoreFactory) {
    let store = open(factory).await;
    append(&store, &[block(1), block_with(3, vec![]), block(5)]).await;
    for number in [0, 2, 3, 4] {
        let late = block(number);
        let write = deliver(&store, std::slice::from_ref(&late), cursor_at(&late));
        assert_conflict(&store, write, late.number, ConflictReason::BelowCursor).await;
    }
    let delivered = blocks([1, 4, 5, 6]);
    let write = deliver(&store, &delivered, cursor_after(&delivered));
    assert_conflict(&store, write, block_no(4), ConflictReason::BelowCursor).await;
}

/// A block at the cursor that the store holds without operations can't get some afterwards.
pub async fn block_at_the_cursor_that_grows_is_a_conflict(factory: &impl StoreFactory) {
    let store = open(factory).await;
    move_cursor(&store, cursor_at(&block(4))).await.unwrap();
    let delivered = blocks([4, 5]);
    let write = deliver(&store, &delivered, cursor_after(&delivered));
    assert_conflict(&store, write, block_no(4), ConflictReason::BelowCursor).await;
}

/// One number twice in a call with different content, each kind of difference.
pub async fn number_twice_with_different_content_is_a_conflict(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    let original = block(4);
    let later = BlockTime::from_unix_micros(original.time.unix_micros() + 1).unwrap();
    let at_block = Subject::Block(block_no(4));
    let variants = [
        (
            PublishedBlock {
                hash: other_hash(4),
                ..block(4)
            },
            at_block,
            ConflictReason::OtherBlockHash,
        ),
        (
            PublishedBlock {
                slot: slot_no(slot_of(4) + 1),
                ..block(4)
            },
            at_block,
            ConflictReason::OtherSlot,
        ),
        (
            PublishedBlock {
                time: later,
                ..block(4)
            },
            at_block,
            ConflictReason::OtherBlockTime,
        ),
        (
            block_with(4, vec![transaction(4, 2, 3)]),
            position(4, 5, 0).into(),
            ConflictReason::OperationMissing,
        ),
        (
            block_with(4, vec![transaction(4, 2, 3), transaction(4, 5, 3)]),
            position(4, 5, 2).into(),
            ConflictReason::OperationAdded,
        ),
    ];
    for (other, at, reason) in variants {
        let delivered = [original.clone(), other];
        let cursor = cursor_at(&original);
        assert_conflict(&store, deliver(&store, &delivered, cursor), at, reason).await;
    }
}

/// One absn twice in a block with different content, and one osn twice in a transaction.
pub async fn index_twice_with_different_content_is_a_conflict(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let mut other_id = transaction(1, 2, 1);
    other_id.id = transaction_id(9, 9);
    let twice = |first, second| block_with(1, vec![first, second]);
    let changed = transaction_of(1, absn(2), [(osn(0), bytes(*b"other"))]);
    let both = transaction_of(1, absn(2), [(osn(0), bytes(*b"one")), (osn(0), bytes(*b"other"))]);
    let variants = [
        (
            twice(transaction(1, 2, 1), other_id),
            Subject::Transaction(block_no(1), absn(2)),
            ConflictReason::OtherTransactionId,
        ),
        (
            twice(transaction(1, 2, 1), changed),
            position(1, 2, 0).into(),
            ConflictReason::OtherOperation,
        ),
        (
            twice(transaction(1, 2, 1), transaction(1, 2, 2)),
            position(1, 2, 1).into(),
            ConflictReason::OperationAdded,
        ),
        (
            block_with(1, vec![both]),
            position(1, 2, 0).into(),
            ConflictReason::OtherOperation,
        ),
    ];
    for (delivered, at, reason) in variants {
        let write = deliver(&store, std::slice::from_ref(&delivered), cursor_at(&delivered));
        assert_conflict(&store, write, at, reason).await;
    }
}

/// A transaction id at a second position within a call: in its block, and in another.
pub async fn transaction_id_twice_in_a_call_is_a_conflict(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    let id = transaction_id(4, 2);
    let elsewhere = ConflictReason::TransactionElsewhere {
        id,
        block: block_no(4),
        absn: absn(2),
    };
    let mut same_block = block(4);
    same_block.transactions[1].id = id;
    let write = deliver(&store, std::slice::from_ref(&same_block), cursor_at(&same_block));
    assert_conflict(&store, write, Subject::Transaction(block_no(4), absn(5)), elsewhere).await;
    let mut other_block = block(5);
    other_block.transactions[0].id = id;
    let delivered = [other_block, block(4)];
    let write = deliver(&store, &delivered, cursor_after(&delivered));
    assert_conflict(&store, write, Subject::Transaction(block_no(5), absn(2)), elsewhere).await;
}

/// A transaction id that is stored at another position.
pub async fn stored_transaction_id_elsewhere_is_a_conflict(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    let mut second = block(5);
    second.transactions[1].id = transaction_id(2, 5);
    let delivered = [block(4), second];
    let reason = ConflictReason::TransactionElsewhere {
        id: transaction_id(2, 5),
        block: block_no(2),
        absn: absn(5),
    };
    let write = deliver(&store, &delivered, cursor_after(&delivered));
    assert_conflict(&store, write, Subject::Transaction(block_no(5), absn(5)), reason).await;
}

/// Nothing of a refused call is known afterwards: its blocks may come with other content, its transactions elsewhere.
// edge-cases.md#o13
pub async fn content_of_a_refused_call_is_forgotten(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    let stored = [1, 2, 3].map(block);
    let changed = PublishedBlock {
        hash: other_hash(2),
        ..block(2)
    };
    let delivered = [block(4), block(5), changed];
    let write = deliver(&store, &delivered, cursor_after(&delivered));
    assert_conflict(&store, write, block_no(2), ConflictReason::OtherBlockHash).await;
    let other = PublishedBlock {
        hash: other_hash(4),
        slot: slot_no(slot_of(4) + 1),
        transactions: block(5).transactions,
        ..block(4)
    };
    let far = PublishedBlock {
        transactions: block(4).transactions,
        ..block(6)
    };
    let all = [&stored[..], &[other, far]].concat();
    append(&store, &all).await;
    assert_holds(&store, &all, cursor_after(&all), &[]).await;
}

/// Numbers ascend where slots do not, within a call.
pub async fn slots_that_do_not_ascend_within_a_call_are_a_conflict(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    for slot in [slot_of(5), slot_of(5) + 1] {
        let early = PublishedBlock {
            slot: slot_no(slot),
            ..block(4)
        };
        let delivered = [early, block(5)];
        let write = deliver(&store, &delivered, cursor_after(&delivered));
        assert_conflict(&store, write, block_no(5), ConflictReason::SlotOrder).await;
    }
    // Blocks without operations store nothing, and are no excuse.
    let empty = PublishedBlock {
        slot: slot_no(slot_of(5)),
        ..block_with(4, vec![])
    };
    let delivered = [empty, block(5)];
    let write = deliver(&store, &delivered, cursor_after(&delivered));
    assert_conflict(&store, write, block_no(5), ConflictReason::SlotOrder).await;
}

/// A block above the cursor by its number and not by its slot, or the other way round.
pub async fn block_whose_slot_contradicts_the_cursor_is_a_conflict(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    let far = cursor(slot_of(9), 9);
    for slot in [slot_of(3), slot_of(3) - 1] {
        let above = PublishedBlock {
            slot: slot_no(slot),
            ..block(4)
        };
        let write = deliver(&store, std::slice::from_ref(&above), far);
        assert_conflict(&store, write, block_no(4), ConflictReason::SlotOrder).await;
    }
    for slot in [slot_of(3), slot_of(3) + 1] {
        let below = PublishedBlock {
            slot: slot_no(slot),
            ..block(2)
        };
        let write = deliver(&store, std::slice::from_ref(&below), far);
        assert_conflict(&store, write, block_no(2), ConflictReason::SlotOrder).await;
    }
    let above = PublishedBlock {
        slot: slot_no(slot_of(2)),
        ..block(4)
    };
    let stored = cursor_at(&block(3));
    let write = deliver(&store, std::slice::from_ref(&above), cursor_at(&above));
    assert_conflict(&store, write, cursor_at(&above), ConflictReason::CursorOrder { stored }).await;
}

/// A cursor below the last block of its call, by number, by slot, or by its hash.
pub async fn cursor_below_the_last_block_is_a_conflict(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    let delivered = [block(4), block_with(5, vec![])];
    let at_last = cursor_after(&delivered);
    let reason = ConflictReason::CursorBelowBlocks { last: block_no(5) };
    for below in [
        cursor_at(&block(3)),
        cursor_at(&block(4)),
        Cursor {
            slot: slot_no(slot_of(5) - 1),
            ..at_last
        },
        Cursor {
            slot: slot_no(slot_of(5) + 1),
            ..at_last
        },
        Cursor {
            block: block_no(6),
            ..at_last
        },
        Cursor {
            hash: other_hash(5),
            ..at_last
        },
    ] {
        assert_conflict(&store, deliver(&store, &delivered, below), below, reason).await;
    }
}

/// The cursor of a call that contradicts the stored one refuses its blocks too.
pub async fn cursor_that_contradicts_the_stored_one_refuses_the_blocks(factory: &impl StoreFactory) {
    let store = with_three_blocks(factory).await;
    move_cursor(&store, cursor(slot_of(9), 9)).await.unwrap();
    let stored = cursor(slot_of(9), 9);
    let fork = Cursor {
        hash: other_hash(9),
        ..stored
    };
    let known = blocks([3]);
    let write = deliver(&store, &known, fork);
    assert_conflict(&store, write, fork, ConflictReason::CursorFork { stored }).await;
    let askew = Cursor {
        block: block_no(10),
        ..stored
    };
    let write = deliver(&store, &known, askew);
    assert_conflict(&store, write, askew, ConflictReason::CursorOrder { stored }).await;
    let write = deliver(&store, &[], fork);
    assert_conflict(&store, write, fork, ConflictReason::CursorFork { stored }).await;
    let write = deliver(&store, &[], askew);
    assert_conflict(&store, write, askew, ConflictReason::CursorOrder { stored }).await;
}
