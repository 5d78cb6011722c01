//! Writes that a store has to refuse, one for each reason.

use node_storage_contract::{
    Cursor, IndexEntry, IndexOutcome, LedgerBound, OperationPosition, PublishedBlock, PublishedTransaction, Reason,
    TransactionIndex,
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
    base_above(&Content::default(), 0)
}

/// The same once more, in blocks above this number, where something is stored already.
pub(crate) fn shifted_base(model: &ModelStore, above: u64) -> Vec<Write> {
    base_above(&model.content(), above)
}

fn base_above(content: &Content, above: u64) -> Vec<Write> {
    let stored = blocks([3, 4, 6, 7].map(|number| above + number));
    let done = content.index.len();
    // Everything that is open, and then ten more.
    let open = content.positions().into_iter().skip(done);
    let entries = open.chain(crate::data::positions(&stored).into_iter().take(10));
    let entries = (done..).zip(entries).map(|(number, position)| entry(number, position));
    vec![
        Write::Append(content.cursor, stored.clone(), cursor_after(&stored)),
        Write::AdvanceCursor(Some(cursor_after(&stored)), cursor(slot_of(above + 9), above + 9)),
        Write::Index(entries.collect()),
    ]
}

/// Refused writes, each with what is wrong with it, on a store that holds [`base`].
pub(crate) fn refusals(model: &ModelStore) -> Vec<(&'static str, Write)> {
    refusals_from(model, 0)
}

/// The same on a store whose last content is the [`shifted_base`] above this number.
pub(crate) fn refusals_from(model: &ModelStore, above: u64) -> Vec<(&'static str, Write)> {
    let content = model.content();
    let stored = content.cursor.expect("the base has a cursor");
    let mut refused = Vec::new();
    for (what, blocks, cursor) in changed_blocks(stored, above)
        .into_iter()
        .chain(wrong_blocks(&content, stored, above))
    {
        refused.push((what, Write::Append(Some(stored), blocks, cursor)));
    }
    let new = block(above + 11);
    for (what, expected) in [
        ("an empty cursor is expected", None),
        ("a lower cursor is expected", Some(cursor_at(&block(above + 7)))),
        ("a higher cursor is expected", Some(cursor_at(&new))),
        (
            "a cursor with another hash is expected",
            Some(Cursor {
                hash: other_hash(above + 9),
                ..stored
            }),
        ),
    ] {
        refused.push((what, Write::Append(expected, vec![new.clone()], cursor_at(&new))));
        refused.push((what, Write::Append(expected, vec![block(above + 7)], stored)));
        refused.push((what, Write::AdvanceCursor(expected, cursor_at(&new))));
        refused.push((what, Write::AdvanceCursor(expected, stored)));
    }
    let fork = Cursor {
        hash: other_hash(above + 9),
        ..stored
    };
    let crossing = cursor(slot_of(above + 9), above + 10);
    refused.push(("the cursor has another hash", Write::AdvanceCursor(Some(stored), fork)));
    refused.push((
        "the cursor raises the number alone",
        Write::AdvanceCursor(Some(stored), crossing),
    ));
    refused.extend(wrong_loads(&content, stored, above));
    refused.extend(wrong_batches(&content, above));
    refused
}

/// A delivery, and its cursor, with what is wrong.
type WrongBlocks = (&'static str, Vec<PublishedBlock>, Cursor);

/// Stored blocks that come again otherwise.
fn changed_blocks(stored: Cursor, above: u64) -> Vec<WrongBlocks> {
    let changed = |change: &dyn Fn(&mut PublishedBlock)| {
        let mut changed = block(above + 6);
        change(&mut changed);
        vec![changed]
    };
    vec![
        (
            "a stored block has another hash",
            changed(&|block| block.hash = other_hash(above + 6)),
            stored,
        ),
        (
            "a stored block has another slot",
            changed(&|block| block.slot = slot_no(slot_of(above + 6) + 1)),
            stored,
        ),
        (
            "a stored block has another time",
            changed(&|changed| changed.time = block(above + 7).time),
            stored,
        ),
        (
            "a stored transaction has another id",
            changed(&|changed| changed.transactions[0].id = block(above + 11).transactions[0].id),
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
        (
            "a stored block comes empty",
            vec![block_with(above + 6, vec![])],
            stored,
        ),
    ]
}

/// New blocks that contradict what is stored or themselves.
fn wrong_blocks(content: &Content, stored: Cursor, above: u64) -> Vec<WrongBlocks> {
    let new = block(above + 11);
    let at_new = cursor_at(&new);
    let known_id = content
        .blocks
        .values()
        .next()
        .and_then(|block| block.transactions.values().next());
    let mut elsewhere = new.clone();
    let mut twice = new.clone();
    if let (Some(id), Some(first)) = (known_id, elsewhere.transactions.first_mut()) {
        first.id = *id;
    }
    let mut last_elsewhere = block(above + 12);
    if let (Some(id), Some(last)) = (known_id, last_elsewhere.transactions.last_mut()) {
        last.id = *id;
    }
    if let [first, second] = twice.transactions.as_mut_slice() {
        second.id = first.id;
    }
    let mut disputed = new.clone();
    disputed.hash = other_hash(above + 11);
    vec![
        ("a block below the cursor is not stored", vec![block(above + 5)], stored),
        (
            "the block at the cursor has operations now",
            vec![block(above + 9)],
            stored,
        ),
        (
            "a number rises and the slot does not",
            vec![PublishedBlock {
                slot: slot_no(slot_of(above + 8)),
                ..new.clone()
            }],
            cursor(slot_of(above + 12), above + 12),
        ),
        (
            "two blocks of the call have one slot",
            {
                let next = PublishedBlock {
                    slot: new.slot,
                    ..block(above + 12)
                };
                vec![new.clone(), next]
            },
            cursor(slot_of(above + 12), above + 12),
        ),
        ("one number comes twice", vec![new.clone(), disputed], at_new),
        ("a transaction id stands elsewhere", vec![elsewhere], at_new),
        (
            "the last transaction id of several blocks stands elsewhere",
            vec![new.clone(), last_elsewhere.clone()],
            cursor_at(&last_elsewhere),
        ),
        ("a transaction id comes twice in the call", vec![twice], at_new),
        (
            "the cursor is below the blocks",
            vec![new.clone()],
            cursor(slot_of(above + 10), above + 10),
        ),
        (
            "the cursor has another hash than the last block",
            vec![new.clone()],
            Cursor {
                hash: other_hash(above + 11),
                ..at_new
            },
        ),
        (
            "the cursor of the call has another hash",
            vec![],
            Cursor {
                hash: other_hash(above + 9),
                ..stored
            },
        ),
        (
            "the cursor of the call raises the slot alone",
            vec![],
            cursor(slot_of(above + 10), above + 9),
        ),
    ]
}

fn wrong_loads(content: &Content, stored: Cursor, above: u64) -> Vec<(&'static str, Write)> {
    let onto = content.bound();
    let load = |onto, chunks: Vec<Vec<PublishedBlock>>, end| Write::Load(onto, Chunks::new(chunks, end));
    let chunks = || vec![vec![block(above + 11)], blocks([above + 12, above + 13])];
    let fewer = LedgerBound {
        operations: onto.operations - 1,
        ..onto
    };
    let other_fork = LedgerBound {
        cursor: Some(Cursor {
            hash: other_hash(above + 9),
            ..stored
        }),
        ..onto
    };
    let known_id = content
        .blocks
        .values()
        .next()
        .and_then(|block| block.transactions.values().next());
    let mut elsewhere = block(above + 13);
    if let (Some(id), Some(last)) = (known_id, elsewhere.transactions.last_mut()) {
        last.id = *id;
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
            load(onto, vec![vec![block(above + 7)]], End::AtLastBlock),
        ),
        (
            "a load descends",
            load(
                onto,
                vec![vec![block(above + 12)], vec![block(above + 11)]],
                End::AtLastBlock,
            ),
        ),
        (
            "a load brings a known transaction id",
            load(onto, vec![vec![block(above + 11)], vec![elsewhere]], End::AtLastBlock),
        ),
        (
            "the cursor of a load is below its blocks",
            load(onto, chunks(), End::At(cursor(slot_of(above + 12), above + 12))),
        ),
        (
            "the cursor of a load has another hash",
            load(
                onto,
                vec![],
                End::At(Cursor {
                    hash: other_hash(above + 9),
                    ..stored
                }),
            ),
        ),
    ]
}

fn wrong_batches(content: &Content, above: u64) -> Vec<(&'static str, Write)> {
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
        block: block_no(above + 99),
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

/// An accepted write that brings what a refused one brought, otherwise: its transactions in another block and at other places, and
/// another block under the number of its first new one. `None` where it brought no block.
pub(crate) fn otherwise(model: &ModelStore, refused: &Write) -> Option<Write> {
    let content = model.content();
    let cursor = content.cursor?;
    let blocks = refused.blocks();
    let new = blocks.iter().filter(|block| block.number > cursor.block);
    let first = new
        .map(|block| block.number.get())
        .min()
        .unwrap_or(cursor.block.get() + 1);
    let is_stored = |id| {
        content
            .blocks
            .values()
            .any(|block| block.transactions.values().any(|known| *known == id))
    };
    let mut brought: Vec<PublishedTransaction> = Vec::new();
    for transaction in blocks.iter().flat_map(|block| &block.transactions) {
        if !is_stored(transaction.id) && !brought.iter().any(|known| known.id == transaction.id) {
            brought.push(PublishedTransaction {
                absn: absn(100 + u64::try_from(brought.len()).ok()?),
                ..transaction.clone()
            });
        }
    }
    // A number that is refused for its slot, or twice, is a good one with a hash and a time of its own.
    let other = PublishedBlock {
        slot: slot_no(slot_of(first) + 3),
        hash: other_hash(first),
        ..block_with(first, vec![transaction(first + 1_000_000, 7, 2)])
    };
    let elsewhere = block_with(first + 30, brought);
    let at = cursor_at(&elsewhere);
    (!blocks.is_empty()).then(|| Write::Append(Some(cursor), vec![other, elsewhere], at))
}

/// Writes that know the cursor and contradict what was stored last; a judgement that was made before that was stored accepts them.
pub(crate) fn contradictions(model: &ModelStore) -> Vec<Write> {
    let content = model.content();
    let (Some(cursor), Some(last)) = (content.cursor, content.blocks.values().next_back()) else {
        return Vec::new();
    };
    let next = cursor.block.get() + 1;
    let last = last.published();
    // A transaction of the last block once more, in another one.
    let mut elsewhere = block(next);
    if let (Some(known), Some(new)) = (last.transactions.first(), elsewhere.transactions.last_mut()) {
        new.id = known.id;
    }
    let mut changed = last.clone();
    if let Some(operation) = changed
        .transactions
        .last_mut()
        .and_then(|last| last.operations.last_mut())
    {
        operation.bytes = bytes(*b"otherwise");
    }
    let mut less = last.clone();
    drop(less.transactions.pop());
    let load = |block: PublishedBlock| Write::Load(content.bound(), Chunks::new(vec![vec![block]], End::AtLastBlock));
    // Everything up to the last operation but for the one before it.
    let open = content.positions().into_iter().skip(content.index.len());
    let mut gap: Vec<_> = open
        .enumerate()
        .map(|(number, position)| entry(number, position))
        .collect();
    if gap.len() > 1 {
        gap.remove(gap.len() - 2);
    }
    let fork = Cursor {
        hash: other_hash(cursor.block.get()),
        ..cursor
    };
    vec![
        Write::Append(Some(cursor), vec![elsewhere.clone()], cursor_at(&elsewhere)),
        Write::Append(Some(cursor), vec![changed], cursor),
        Write::Append(Some(cursor), vec![less], cursor),
        Write::Append(Some(cursor), vec![last.clone()], fork),
        load(elsewhere),
        load(last),
        Write::Index(gap),
        Write::AdvanceCursor(Some(cursor), fork),
    ]
}

/// A write that is accepted on [`base`].
pub(crate) fn accepted(model: &ModelStore, number: usize) -> Write {
    Kind::ALL[number % Kind::ALL.len()].next(model)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use node_storage_contract::{Conflict, ConflictReason, StorageError};

    use super::*;
    use crate::lens::differences;
    use crate::lens::write::copy;
    use crate::model::Model;

    /// A reason that is added does not compile before it is named here, and then the test asks for a refusal of that reason.
    const fn name(reason: ConflictReason) -> &'static str {
        match reason {
            ConflictReason::OtherBlockHash => "OtherBlockHash",
            ConflictReason::OtherSlot => "OtherSlot",
            ConflictReason::OtherBlockTime => "OtherBlockTime",
            ConflictReason::OtherTransactionId => "OtherTransactionId",
            ConflictReason::OtherOperation => "OtherOperation",
            ConflictReason::OperationMissing => "OperationMissing",
            ConflictReason::OperationAdded => "OperationAdded",
            ConflictReason::BelowCursor => "BelowCursor",
            ConflictReason::SlotOrder => "SlotOrder",
            ConflictReason::TransactionElsewhere { .. } => "TransactionElsewhere",
            ConflictReason::CursorBelowBlocks { .. } => "CursorBelowBlocks",
            ConflictReason::CursorFork { .. } => "CursorFork",
            ConflictReason::CursorOrder { .. } => "CursorOrder",
            ConflictReason::UnknownPosition => "UnknownPosition",
            ConflictReason::IndexGap => "IndexGap",
            ConflictReason::IndexedTwice => "IndexedTwice",
        }
    }

    #[tokio::test]
    async fn every_reason_of_a_conflict_is_reached_from_a_state_with_content() {
        let model = crate::factory::open(&Model::default()).await;
        for write in base() {
            write.ask(&model).await.unwrap();
        }
        let mut reached = BTreeSet::new();
        let mut kinds = BTreeSet::new();
        for (what, write) in refusals(&model) {
            match write.ask(&copy(&model).await).await {
                Err(StorageError::Conflict(Conflict { reason, .. })) => drop(reached.insert(name(reason))),
                Err(StorageError::CursorMoved(_)) => drop(kinds.insert("CursorMoved")),
                Err(StorageError::BoundMismatch(_)) => drop(kinds.insert("BoundMismatch")),
                Err(StorageError::Corrupt { .. }) => drop(kinds.insert("the source's own")),
                other => panic!("{what}: {other:?}"),
            }
        }
        assert_eq!(reached.len(), 16, "{reached:?}");
        assert_eq!(
            kinds,
            BTreeSet::from(["BoundMismatch", "CursorMoved", "the source's own"])
        );
        // The differences of a block reach everything that a stored block may contradict.
        let mut of_block = BTreeSet::new();
        let stored = model.content().cursor;
        for difference in differences::of_block(&block(6), &block(7)) {
            let write = Write::Append(stored, vec![difference.thing], stored.unwrap());
            if let Err(StorageError::Conflict(Conflict { reason, .. })) = write.ask(&copy(&model).await).await {
                of_block.insert(name(reason));
            }
        }
        for reason in [
            "OtherBlockHash",
            "OtherSlot",
            "OtherBlockTime",
            "OtherTransactionId",
            "OtherOperation",
            "OperationMissing",
            "OperationAdded",
        ] {
            assert!(of_block.contains(reason), "{reason} is not among {of_block:?}");
        }
    }
}
