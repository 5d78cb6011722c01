//! A bulk load is stored whole, onto what it was meant for, or not at all.

use std::collections::VecDeque;

use node_storage_contract::{
    Access, Appended, BlockNo, Conflict, ConflictReason, Cursor, Delivery, DltCursorRepo, LedgerBound, LoadSource,
    NodeStorage, PublishedBlock, RawOperationRepo, StorageError, Subject,
};

use crate::StoreFactory;
use crate::assertions::{append, assert_holds, index};
use crate::cases::atomicity::interrupted_after;
use crate::data::{
    absn, all_ignored, block, block_with, blocks, cursor, cursor_after, cursor_at, ledger, other_hash, positions,
    slot_no, slot_of, transaction, transaction_of,
};
use crate::expected::{self, records};
use crate::factory::{NETWORK, open};
use crate::lens::author::Kind;
use crate::lens::handles::{Handles, same_answer};
use crate::lens::read::Read;
use crate::lens::write::{Chunks, End, Write};
use crate::model::ModelStore;
use crate::observe::{all_operations, observe};
use crate::streams::short;
use crate::writes::move_cursor;

/// Why a load of these cases failed.
#[derive(Debug)]
enum Failed {
    Store(StorageError),
    /// The source has failed on purpose, with this number.
    Source(u32),
}

impl From<StorageError> for Failed {
    fn from(error: StorageError) -> Self {
        Self::Store(error)
    }
}

/// Delivers what it was made of, in turn.
struct Script {
    deliveries: VecDeque<Result<Delivery, Failed>>,
    asked: usize,
}

impl LoadSource for Script {
    type Error = Failed;

    async fn next(&mut self) -> Result<Delivery, Failed> {
        self.asked += 1;
        // Others get their turn between two chunks, as they do while a source reads.
        tokio::task::yield_now().await;
        self.deliveries
            .pop_front()
            .expect("a source is not asked again after its end")
    }
}

/// These chunks, and then the cursor.
fn script(chunks: impl IntoIterator<Item = Vec<PublishedBlock>>, end: Option<Cursor>) -> Script {
    let chunks = chunks.into_iter().map(|blocks| Ok(Delivery::Blocks(blocks)));
    Script {
        deliveries: chunks.chain([Ok(Delivery::End(end))]).collect(),
        asked: 0,
    }
}

/// These chunks, and then a failure.
fn failing(chunks: impl IntoIterator<Item = Vec<PublishedBlock>>, number: u32) -> Script {
    let chunks = chunks.into_iter().map(|blocks| Ok(Delivery::Blocks(blocks)));
    Script {
        deliveries: chunks.chain([Err(Failed::Source(number))]).collect(),
        asked: 0,
    }
}

/// Each of these blocks as a chunk of its own.
fn one_by_one(blocks: &[PublishedBlock]) -> Vec<Vec<PublishedBlock>> {
    blocks.iter().cloned().map(|block| vec![block]).collect()
}

/// Loads chunks onto what is stored, which has to be refused as this conflict and to leave everything as it was.
async fn assert_load_conflict<S: NodeStorage>(
    store: &S,
    chunks: impl IntoIterator<Item = Vec<PublishedBlock>>,
    end: Option<Cursor>,
    at: impl Into<Subject>,
    reason: ConflictReason,
) {
    let before = observe(store).await;
    let expected = Conflict { at: at.into(), reason };
    match store.load(before.bound, &mut script(chunks, end)).await {
        Err(Failed::Store(StorageError::Conflict(conflict))) => assert_eq!(conflict, expected),
        other => panic!("no {expected:?}, but {other:?}"),
    }
    assert_eq!(observe(store).await, before, "a refused load changed the store");
}

/// A ledger that comes in several chunks into an empty store is what it holds then, with the cursor of the end.
pub async fn chunks_into_an_empty_store_are_the_ledger(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let ledger = ledger();
    let end = cursor(slot_of(1_000_000), 1_000_000);
    let chunks: Vec<Vec<_>> = ledger.chunks(3).map(<[_]>::to_vec).collect();
    let loaded = store
        .load(LedgerBound::default(), &mut script(chunks, Some(end)))
        .await
        .unwrap();
    let operations = records(&ledger, &[]).len();
    let blocks = ledger.len();
    assert_eq!(loaded, Appended { blocks, operations });
    assert_holds(&store, &ledger, end, &[]).await;
}

/// What follows is loaded onto what is stored, which keeps its index entries; indexing and appending go on behind it.
pub async fn what_follows_is_loaded_onto_what_is_stored(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks(1..=9);
    append(&store, &all[..3]).await;
    let entries = all_ignored(&positions(&all));
    let indexed = positions(&all[..3]).len();
    index(&store, &entries[..indexed]).await;
    let onto = store.bound().await.unwrap();
    let end = cursor_after(&all[..8]);
    let mut source = script(one_by_one(&all[3..8]), Some(end));
    assert_eq!(store.load(onto, &mut source).await.unwrap().blocks, 5);
    assert_holds(&store, &all[..8], end, &entries[..indexed]).await;
    append(&store, &all).await;
    index(&store, &entries).await;
    assert_holds(&store, &all, cursor_after(&all), &entries).await;
}

/// The order of blocks, transactions and operations within a chunk does not matter, and what has no operations stores nothing.
pub async fn order_within_a_chunk_does_not_matter(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let stored = blocks([1, 3, 4]);
    let mut chunk = vec![block_with(5, vec![transaction(5, 1, 0)]), block_with(2, vec![])];
    chunk.extend(stored.iter().rev().cloned());
    for block in &mut chunk {
        block.transactions.reverse();
        for transaction in &mut block.transactions {
            transaction.operations.reverse();
        }
    }
    let end = cursor_at(&chunk[0]);
    let mut source = script([chunk], None);
    let loaded = store.load(LedgerBound::default(), &mut source).await.unwrap();
    assert_eq!(loaded.blocks, 3);
    assert_holds(&store, &stored, end, &[]).await;
}

/// A load may bring nothing, or the cursor alone; without one it stays at the last block, or where it was.
pub async fn load_may_bring_the_cursor_alone_or_nothing(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let nothing = LedgerBound::default();
    let loaded = store.load(nothing, &mut script([], None)).await.unwrap();
    assert_eq!(loaded, Appended::default());
    assert_eq!(store.bound().await.unwrap(), nothing);
    let moved = cursor(5, 5);
    store.load(nothing, &mut script([vec![]], Some(moved))).await.unwrap();
    assert_eq!(store.cursor().await.unwrap(), Some(moved));
    let onto = store.bound().await.unwrap();
    store.load(onto, &mut script([], None)).await.unwrap();
    store.load(onto, &mut script([], Some(moved))).await.unwrap();
    assert_eq!(store.bound().await.unwrap(), onto);
    let all = blocks([6]);
    store.load(onto, &mut script([all.clone()], None)).await.unwrap();
    assert_holds(&store, &all, cursor_at(&all[0]), &[]).await;
}

/// A load is meant for one state of the store: any other is refused, naming both, before the source is asked for anything.
pub async fn store_that_holds_something_else_is_refused_naming_both(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks(1..=4);
    append(&store, &all[..2]).await;
    let found = store.bound().await.unwrap();
    let others = [
        LedgerBound::default(),
        LedgerBound {
            operations: found.operations - 1,
            ..found
        },
        LedgerBound {
            cursor: Some(cursor(slot_of(3), 3)),
            ..found
        },
        LedgerBound { cursor: None, ..found },
        LedgerBound {
            last: positions(&all[..1]).last().copied(),
            ..found
        },
    ];
    let before = observe(&store).await;
    for onto in others {
        let mut source = script([all[2..].to_vec()], None);
        match store.load(onto, &mut source).await {
            Err(Failed::Store(StorageError::BoundMismatch(mismatch))) => {
                assert_eq!((mismatch.expected, mismatch.found), (onto, found));
            }
            other => panic!("not refused, but {other:?}"),
        }
        assert_eq!(source.asked, 0);
    }
    assert_eq!(observe(&store).await, before);
}

/// Whatever a source has delivered before it fails, nothing of it is stored, and its error comes out as it is.
pub async fn failing_source_stores_nothing(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks(1..=6);
    append(&store, &all[..2]).await;
    let before = observe(&store).await;
    for (number, chunks) in (0..).zip(0..=4) {
        let mut source = failing(one_by_one(&all[2..2 + chunks]), number);
        match store.load(before.bound, &mut source).await {
            Err(Failed::Source(failed)) => assert_eq!(failed, number),
            other => panic!("no failure of the source, but {other:?}"),
        }
        assert_eq!(observe(&store).await, before, "after {chunks} chunks");
    }
    store
        .load(before.bound, &mut script(one_by_one(&all[2..]), None))
        .await
        .unwrap();
    assert_holds(&store, &all, cursor_after(&all), &[]).await;
}

/// A block stands above the stored cursor and the chunks before it, or it is refused, also where it is the same again.
pub async fn block_that_does_not_ascend_is_a_conflict(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks(1..=6);
    append(&store, &all[..3]).await;
    let below = |block: &PublishedBlock| (block.number, ConflictReason::BelowCursor);
    for (chunks, wrong) in [
        (vec![vec![all[2].clone()]], &all[2]),
        (vec![vec![all[4].clone()], vec![all[3].clone()]], &all[3]),
        (vec![vec![all[4].clone()], vec![all[4].clone()]], &all[4]),
    ] {
        let (at, reason) = below(wrong);
        assert_load_conflict(&store, chunks, None, at, reason).await;
    }
    // A block in two parts, each with one of its transactions.
    let (mut first, mut second) = (all[4].clone(), all[4].clone());
    first.transactions.truncate(1);
    second.transactions.remove(0);
    let (at, reason) = below(&second);
    assert_load_conflict(&store, [vec![first], vec![second]], None, at, reason).await;
    let twisted = PublishedBlock {
        slot: slot_no(slot_of(4)),
        ..all[4].clone()
    };
    let at = twisted.number;
    assert_load_conflict(
        &store,
        [vec![all[3].clone()], vec![twisted]],
        None,
        at,
        ConflictReason::SlotOrder,
    )
    .await;
}

/// Two different blocks of one number are a conflict, within a chunk and between two.
pub async fn two_forks_of_a_block_are_a_conflict(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let one = block(4);
    let other = PublishedBlock {
        hash: other_hash(4),
        ..one.clone()
    };
    let at: BlockNo = one.number;
    let reason = ConflictReason::OtherBlockHash;
    assert_load_conflict(&store, [vec![one.clone(), other.clone()]], None, at, reason).await;
    assert_load_conflict(&store, [vec![one], vec![other]], None, at, reason).await;
}

/// A transaction id stands at one position: in the chunk, in the chunks before it, and in what is stored.
pub async fn transaction_id_at_a_second_position_is_a_conflict(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let stored = blocks([1]);
    append(&store, &stored).await;
    let new = blocks([2, 3]);
    for original in [&stored[0], &new[0]] {
        let known = &original.transactions[1];
        let mut again = transaction(9, 7, 2);
        again.id = known.id;
        let reason = ConflictReason::TransactionElsewhere {
            id: known.id,
            block: original.number,
            absn: known.absn,
        };
        let repeating = block_with(9, vec![transaction(9, 1, 1), again]);
        let at = Subject::Transaction(repeating.number, absn(7));
        let chunks = [new.clone(), vec![repeating.clone()]];
        assert_load_conflict(&store, chunks, None, at, reason).await;
        if original.number == new[0].number {
            let together = [new.clone(), vec![repeating]].concat();
            assert_load_conflict(&store, [together], None, at, reason).await;
        }
    }
}

/// A cursor below the last block, or one that contradicts the stored one, refuses everything.
pub async fn cursor_that_contradicts_the_blocks_is_a_conflict(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks(1..=4);
    append(&store, &all[..2]).await;
    let stored = cursor_at(&all[1]);
    let below = cursor(slot_of(3), 3);
    let last = all[3].number;
    let reason = ConflictReason::CursorBelowBlocks { last };
    assert_load_conflict(&store, one_by_one(&all[2..]), Some(below), below, reason).await;
    let forked = Cursor {
        hash: other_hash(4),
        ..cursor_at(&all[3])
    };
    assert_load_conflict(&store, one_by_one(&all[2..]), Some(forked), forked, reason).await;
    let forked = Cursor {
        hash: other_hash(2),
        ..stored
    };
    assert_load_conflict(&store, [], Some(forked), forked, ConflictReason::CursorFork { stored }).await;
}

/// Nobody sees anything of a load before its end.
pub async fn readers_see_nothing_of_a_load_before_its_end(factory: &impl StoreFactory) {
    struct Looking<'a, S> {
        script: Script,
        store: &'a S,
        before: LedgerBound,
    }
    impl<S: NodeStorage> LoadSource for Looking<'_, S> {
        type Error = Failed;

        async fn next(&mut self) -> Result<Delivery, Failed> {
            assert_eq!(self.store.bound().await.unwrap(), self.before);
            self.script.next().await
        }
    }

    let store = open(factory).await;
    let all = blocks(1..=5);
    append(&store, &all[..1]).await;
    let before = store.bound().await.unwrap();
    let mut source = Looking {
        script: script(one_by_one(&all[1..]), None),
        store: &store,
        before,
    };
    store.load(before, &mut source).await.unwrap();
    assert_holds(&store, &all, cursor_after(&all), &[]).await;
}

/// A store opened to read refuses a load.
pub async fn store_opened_to_read_refuses_a_load(factory: &impl StoreFactory) {
    let writer = open(factory).await;
    factory.close(writer).await;
    let store = factory.open(NETWORK, Access::Read).await.unwrap();
    let loaded = store
        .load(LedgerBound::default(), &mut script([blocks([1])], None))
        .await;
    assert!(
        matches!(loaded, Err(Failed::Store(StorageError::ReadOnly))),
        "{loaded:?}"
    );
}

/// More than a statement takes, in one chunk.
pub async fn seventy_thousand_operations_come_in_one_chunk(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let operations = (0..70_000_u64).map(|index| (crate::data::osn(index), crate::data::bytes(index.to_be_bytes())));
    let large = [block_with(3, vec![transaction_of(3, absn(1), operations)])];
    let loaded = store
        .load(LedgerBound::default(), &mut script([large.to_vec()], None))
        .await
        .unwrap();
    assert_eq!(loaded.operations, 70_000);
    // Compared with `==`: a difference in 70,000 records can't be read.
    assert!(all_operations(&store).await == records(&large, &[]));
}

/// A load that is dropped at any of its steps has stored everything or nothing, and the next call goes through.
pub async fn dropped_load_is_stored_whole_or_not_at_all(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let mut stored = blocks([1]);
    append(&store, &stored).await;
    for steps in 1..10_000_usize {
        let first = 10 * u64::try_from(steps).unwrap();
        let delivered = blocks(first..first + 3);
        let before = expected::observation(&stored, cursor_after(&stored), &[]).bound;
        let mut source = script(one_by_one(&delivered), None);
        let outcome = interrupted_after(steps, store.load(before, &mut source)).await;
        let with_delivered = [stored.as_slice(), delivered.as_slice()].concat();
        let after = expected::observation(&with_delivered, cursor_after(&delivered), &[]).bound;
        // What was dropped may still be ending; a write waits for it, so that what is read behind that stays.
        move_cursor(&store, cursor_after(&stored)).await.unwrap();
        let found = store.bound().await.unwrap();
        assert!(found == before || found == after, "{found:?} after {steps} steps");
        append(&store, &delivered).await;
        stored = with_delivered;
        assert_eq!(store.bound().await.unwrap(), after);
        if let Some(outcome) = outcome {
            outcome.unwrap();
            assert_holds(&store, &stored, cursor_after(&stored), &[]).await;
            return;
        }
    }
    panic!("a load does not end within 10,000 steps");
}

/// What a chunk of a load may be.
#[derive(Debug, Clone, Copy)]
enum Chunk {
    Nothing,
    /// A block without transactions.
    Empty,
    /// A block whose transaction has no operations.
    Hollow,
    Block,
    /// A block, and an empty one before it that comes after it.
    Unordered,
}

impl Chunk {
    const WITHOUT_OPERATIONS: [Self; 3] = [Self::Nothing, Self::Empty, Self::Hollow];
    const ALL: [Self; 5] = [Self::Nothing, Self::Empty, Self::Hollow, Self::Block, Self::Unordered];

    /// The blocks from this number on.
    fn blocks(self, first: u64) -> Vec<PublishedBlock> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Empty => vec![block_with(first, Vec::new())],
            Self::Hollow => vec![block_with(first, vec![transaction(first, 1, 0)])],
            Self::Block => vec![block(first)],
            Self::Unordered => vec![block(first + 1), block_with(first, Vec::new())],
        }
    }
}

/// No chunk, each of these, and each two of them.
fn up_to_two(chunks: &[Chunk]) -> Vec<Vec<Chunk>> {
    let one = chunks.iter().map(|chunk| vec![*chunk]);
    let two = chunks
        .iter()
        .flat_map(|first| chunks.iter().map(|second| vec![*first, *second]));
    [Vec::new()].into_iter().chain(one).chain(two).collect()
}

/// Chunks of every shape, with every end: into a store that holds nothing, then a cursor, then blocks too.
pub async fn loads_of_every_shape_end_as_they_have_to(factory: &impl StoreFactory) {
    let state = [Read::Cursor, Read::Bound, Read::IndexerState];
    let mut handles = Handles::open(factory).await;
    let shapes = up_to_two(&Chunk::WITHOUT_OPERATIONS)
        .into_iter()
        .chain(up_to_two(&Chunk::ALL));
    for (step, shape) in shapes.enumerate() {
        let last = |model: &ModelStore| model.content().cursor.map_or(0, |cursor| cursor.block.get());
        for end in [End::Failure, End::AtLastBlock, End::At(cursor(slot_of(9), 9))] {
            let first = last(&handles.model) + 1;
            let chunks = (0..).zip(&shape).map(|(place, chunk)| chunk.blocks(first + 10 * place));
            let end = match end {
                End::At(_) => End::At(cursor(slot_of(first + 30), first + 30)),
                other => other,
            };
            let onto = handles.model.content().bound();
            let load = Write::Load(onto, Chunks::new(chunks.collect(), end));
            let (_, expected) = load.expected(&handles.model).await;
            handles.last = format!("a load of {shape:?}, which ends {end:?}");
            if expected.is_ok() {
                handles.write(step, &load).await;
            } else {
                let answer = load.ask(handles.writer(step).1).await;
                assert!(
                    same_answer(&expected, &answer),
                    "{} answers {} instead of {}",
                    handles.last,
                    short(&answer),
                    short(&expected)
                );
            }
            handles.glance(&state).await;
        }
    }
    handles.look().await;
    handles.close().await;
}

/// A transaction that came any number of chunks before is a conflict, and so is one that is stored.
pub async fn transaction_of_any_earlier_chunk_is_a_conflict(factory: &impl StoreFactory) {
    const CHUNKS: u64 = 40;
    let mut handles = Handles::open(factory).await;
    let stored = Kind::AppendMany.next(&handles.model);
    handles.write(0, &stored).await;
    let stored_id = stored.blocks()[0].transactions[0].id;
    let bound = handles.model.content().bound();
    let first = bound.cursor.map_or(0, |cursor| cursor.block.get()) + 1;
    let right: Vec<_> = (first..first + CHUNKS).map(|number| vec![block(number)]).collect();
    let earlier = [0, 1, 2, 20, 37, 38].map(|chunk| right[chunk][0].transactions[0].id);
    for (step, id) in earlier.into_iter().chain([stored_id]).enumerate() {
        let mut chunks = right.clone();
        let last = chunks.last_mut().and_then(|blocks| blocks[0].transactions.last_mut());
        last.expect("a block has transactions").id = id;
        let load = Write::Load(bound, Chunks::new(chunks, End::AtLastBlock));
        let (_, expected) = load.expected(&handles.model).await;
        let answer = load.ask(handles.writer(step).1).await;
        assert!(
            same_answer(&expected, &answer),
            "the last of {CHUNKS} chunks has a transaction that came before: the answer is {} instead of {}",
            short(&answer),
            short(&expected)
        );
        handles.glance(&[Read::Cursor, Read::Bound]).await;
    }
    handles
        .write(1, &Write::Load(bound, Chunks::new(right, End::AtLastBlock)))
        .await;
    handles.look().await;
    handles.close().await;
}
