//! Writes that a store has to refuse, one for each reason.

use node_storage_contract::{
    Cursor, IndexEntry, IndexOutcome, LedgerBound, OperationPosition, PublishedBlock, Reason, TransactionIndex,
};

use super::author::{Kind, entry};
use super::write::{Chunks, End, Write};
use crate::data::{
    absn, block, block_no, block_with, blocks, bytes, cursor, cursor_after, cursor_at, ignored, osn, other_hash,
    slot_no, slot_of, transaction,
};
use crate::model::{Content, ModelStore};

/// What is stored before the refusals: blocks, a cursor above them, and half of the operations indexed.
pub(crate) fn base() -> Vec<Write> {
    let stored = blocks([3, 4, 6, 7]);
    let entries = crate::data::positions(&stored).into_iter().take(10).enumerate();
    vec![
        Write::Append(None, stored.clone(), cursor_after(&stored)),
        Write::AdvanceCursor(Some(cursor_after(&stored)), cursor(slot_of(9), 9)),
        Write::Index(entries.map(|(number, position)| entry(number, position)).collect()),
    ]
}

/// Refused writes, each with what is wrong with it, on a store that holds [`base`].
pub(crate) fn refusals(model: &ModelStore) -> Vec<(&'static str, Write)> {
    let content = model.content();
    let stored = content.cursor.expect("the base has a cursor");
    let mut refused = Vec::new();
    for (what, blocks, cursor) in changed_blocks(stored).into_iter().chain(wrong_blocks(&content, stored)) {
        refused.push((what, Write::Append(Some(stored), blocks, cursor)));
    }
    let above = block(11);
    for (what, expected) in [
        ("an empty cursor is expected", None),
        ("a lower cursor is expected", Some(cursor_at(&block(7)))),
        ("a higher cursor is expected", Some(cursor_at(&above))),
        (
            "a cursor with another hash is expected",
            Some(Cursor {
                hash: other_hash(9),
                ..stored
            }),
        ),
    ] {
        refused.push((what, Write::Append(expected, vec![above.clone()], cursor_at(&above))));
        refused.push((what, Write::Append(expected, vec![block(7)], stored)));
        refused.push((what, Write::AdvanceCursor(expected, cursor_at(&above))));
        refused.push((what, Write::AdvanceCursor(expected, stored)));
    }
    let fork = Cursor {
        hash: other_hash(9),
        ..stored
    };
    let crossing = cursor(slot_of(9), 10);
    refused.push(("the cursor has another hash", Write::AdvanceCursor(Some(stored), fork)));
    refused.push((
        "the cursor raises the number alone",
        Write::AdvanceCursor(Some(stored), crossing),
    ));
    refused.extend(wrong_loads(&content, stored));
    refused.extend(wrong_batches(&content));
    refused
}

/// A delivery, and its cursor, with what is wrong.
type WrongBlocks = (&'static str, Vec<PublishedBlock>, Cursor);

/// Stored blocks that come again otherwise.
fn changed_blocks(stored: Cursor) -> Vec<WrongBlocks> {
    let changed = |change: &dyn Fn(&mut PublishedBlock)| {
        let mut changed = block(6);
        change(&mut changed);
        vec![changed]
    };
    vec![
        (
            "a stored block has another hash",
            changed(&|block| block.hash = other_hash(6)),
            stored,
        ),
        (
            "a stored block has another slot",
            changed(&|block| block.slot = slot_no(slot_of(6) + 1)),
            stored,
        ),
        (
            "a stored block has another time",
            changed(&|changed| changed.time = block(7).time),
            stored,
        ),
        (
            "a stored transaction has another id",
            changed(&|changed| changed.transactions[0].id = block(11).transactions[0].id),
            stored,
        ),
        (
            "a stored operation has other bytes",
            changed(&|block| block.transactions[1].operations[1].bytes = bytes([7])),
            stored,
        ),
        (
            "a stored operation is missing",
            changed(&|block| drop(block.transactions[0].operations.remove(1))),
            stored,
        ),
        (
            "a stored block has an operation more",
            changed(&|block| {
                let mut more = block.transactions[1].operations[1].clone();
                more.osn = osn(9);
                block.transactions[1].operations.push(more);
            }),
            stored,
        ),
        ("a stored block comes empty", vec![block_with(6, vec![])], stored),
    ]
}

/// New blocks that contradict what is stored or themselves.
fn wrong_blocks(content: &Content, stored: Cursor) -> Vec<WrongBlocks> {
    let above = block(11);
    let at_above = cursor_at(&above);
    let known_id = content
        .blocks
        .values()
        .next()
        .and_then(|block| block.transactions.values().next());
    let mut elsewhere = above.clone();
    let mut twice = above.clone();
    if let (Some(id), Some(first)) = (known_id, elsewhere.transactions.first_mut()) {
        first.id = *id;
    }
    if let [first, second] = twice.transactions.as_mut_slice() {
        second.id = first.id;
    }
    let mut disputed = above.clone();
    disputed.hash = other_hash(11);
    vec![
        ("a block below the cursor is not stored", vec![block(5)], stored),
        ("the block at the cursor has operations now", vec![block(9)], stored),
        (
            "a number rises and the slot does not",
            vec![PublishedBlock {
                slot: slot_no(slot_of(8)),
                ..above.clone()
            }],
            cursor(slot_of(12), 12),
        ),
        (
            "two blocks of the call have one slot",
            {
                let next = PublishedBlock {
                    slot: above.slot,
                    ..block(12)
                };
                vec![above.clone(), next]
            },
            cursor(slot_of(12), 12),
        ),
        ("one number comes twice", vec![above.clone(), disputed], at_above),
        ("a transaction id stands elsewhere", vec![elsewhere], at_above),
        ("a transaction id comes twice in the call", vec![twice], at_above),
        (
            "the cursor is below the blocks",
            vec![above.clone()],
            cursor(slot_of(10), 10),
        ),
        (
            "the cursor has another hash than the last block",
            vec![above.clone()],
            Cursor {
                hash: other_hash(11),
                ..at_above
            },
        ),
        (
            "the cursor of the call has another hash",
            vec![],
            Cursor {
                hash: other_hash(9),
                ..stored
            },
        ),
        (
            "the cursor of the call raises the slot alone",
            vec![],
            cursor(slot_of(10), 9),
        ),
    ]
}

fn wrong_loads(content: &Content, stored: Cursor) -> Vec<(&'static str, Write)> {
    let onto = content.bound();
    let load = |onto, chunks: Vec<Vec<PublishedBlock>>, end| Write::Load(onto, Chunks::new(chunks, end));
    let chunks = || vec![vec![block(11)], blocks([12, 13])];
    let fewer = LedgerBound {
        operations: onto.operations - 1,
        ..onto
    };
    let other_fork = LedgerBound {
        cursor: Some(Cursor {
            hash: other_hash(9),
            ..stored
        }),
        ..onto
    };
    let known_id = content
        .blocks
        .values()
        .next()
        .and_then(|block| block.transactions.values().next());
    let mut elsewhere = block(13);
    if let (Some(id), Some(first)) = (known_id, elsewhere.transactions.first_mut()) {
        first.id = *id;
    }
    vec![
        (
            "a load is onto an empty store",
            load(LedgerBound::default(), chunks(), End::AtLastBlock),
        ),
        (
            "a load is onto fewer operations",
            load(fewer, chunks(), End::AtLastBlock),
        ),
        (
            "a load is onto another fork",
            load(other_fork, chunks(), End::AtLastBlock),
        ),
        ("the source of a load fails", load(onto, chunks(), End::Failure)),
        ("the source of a load fails at once", load(onto, vec![], End::Failure)),
        (
            "a load brings a stored block",
            load(onto, vec![vec![block(7)]], End::AtLastBlock),
        ),
        (
            "a load descends",
            load(onto, vec![vec![block(12)], vec![block(11)]], End::AtLastBlock),
        ),
        (
            "a load brings a known transaction id",
            load(onto, vec![vec![block(11)], vec![elsewhere]], End::AtLastBlock),
        ),
        (
            "the cursor of a load is below its blocks",
            load(onto, chunks(), End::At(cursor(slot_of(12), 12))),
        ),
        (
            "the cursor of a load has another hash",
            load(
                onto,
                vec![],
                End::At(Cursor {
                    hash: other_hash(9),
                    ..stored
                }),
            ),
        ),
    ]
}

fn wrong_batches(content: &Content) -> Vec<(&'static str, Write)> {
    let positions: Vec<OperationPosition> = content.positions().into_iter().collect();
    let done = content.index.len();
    let run = |from: usize, to: usize| -> Vec<IndexEntry> {
        let run = positions.iter().enumerate().take(to).skip(from);
        run.map(|(number, position)| entry(number, *position)).collect()
    };
    let mut gap = run(done, done + 4);
    gap.remove(1);
    let mut disputed = run(done, done + 3);
    let mut other = disputed[1].clone();
    other.outcome = IndexOutcome::Ignored {
        reason: Reason::new("disputed"),
    };
    disputed.push(other);
    let mut unknown = run(done, done + 3);
    unknown.push(ignored(OperationPosition {
        absn: TransactionIndex::MAX,
        ..positions[done + 2]
    }));
    let beyond = ignored(OperationPosition {
        block: block_no(99),
        absn: absn(0),
        osn: osn(0),
    });
    let mut all_and_more = run(done, positions.len());
    all_and_more.push(beyond.clone());
    vec![
        ("a batch leaves an operation out", Write::Index(gap)),
        (
            "a batch leaves the next operation out",
            Write::Index(run(done + 1, done + 3)),
        ),
        ("a batch says two things of an operation", Write::Index(disputed)),
        ("a batch names a position where nothing is", Write::Index(unknown)),
        ("a batch names a position above all", Write::Index(all_and_more)),
        ("a batch names a position above all alone", Write::Index(vec![beyond])),
    ]
}

/// Deliveries that contradict in several blocks: the lowest of them is named.
pub(crate) fn several() -> Vec<(&'static str, Vec<PublishedBlock>)> {
    let change = |number: u64, change: &dyn Fn(&mut PublishedBlock)| {
        let mut changed = block(number);
        change(&mut changed);
        changed
    };
    let hash = |number| change(number, &|block| block.hash = other_hash(number));
    let less = |number| change(number, &|block| drop(block.transactions.pop()));
    let time = |number| change(number, &|changed| changed.time = block(number + 1).time);
    let late = block(5);
    let known_id = |number: u64| {
        block_with(
            number,
            vec![node_storage_contract::PublishedTransaction {
                absn: absn(1),
                ..transaction(3, 2, 1)
            }],
        )
    };
    vec![
        ("hash below time", vec![hash(3), time(6)]),
        ("time below hash", vec![time(3), hash(6)]),
        ("missing below hash", vec![less(4), hash(6)]),
        ("hash, late, missing", vec![hash(4), late.clone(), less(6)]),
        ("late below hash", vec![late.clone(), hash(6)]),
        ("missing below late", vec![less(4), late.clone()]),
        ("late below a known transaction id", vec![late, known_id(11)]),
        ("missing below a known transaction id", vec![less(7), known_id(12)]),
    ]
}

/// A write that is accepted on [`base`].
pub(crate) fn accepted(model: &ModelStore, number: usize) -> Write {
    Kind::ALL[number % Kind::ALL.len()].next(model)
}
