//! Whatever differs from what is stored, or expected, in one thing is told from it (lines 1, 6 and 7 of the storage contract).
//!
//! What may differ is worked out from the types, see `lens::differences`.

use std::sync::Arc;

use node_storage_contract::{
    DidSuffix, IndexEntry, IndexOutcome, LedgerBound, OperationHash, OperationPosition, PageLimit, PublishedBlock,
    PublishedOperation, PublishedTransaction, Reason, TransactionId,
};

use crate::StoreFactory;
use crate::data::{
    absn, block, block_no, block_with, blocks, bytes, cursor, cursor_after, cursor_at, did, ignored, osn, positions,
    slot_of, storage_hash, transaction_id, transaction_of,
};
use crate::lens::author::entry;
use crate::lens::differences::{self, Difference, alike_operations, with_original};
use crate::lens::handles::{Handles, same_answer};
use crate::lens::look;
use crate::lens::read::{Read, questions};
use crate::lens::write::{Chunks, End, Write};
use crate::model::Block;
use crate::streams::short;

/// The number of blocks of a large call, and of those among which one differs.
const MANY: u64 = 3_000;

/// Writes that have to be answered as the model answers them, and that change nothing.
async fn ask_each<F: StoreFactory>(handles: &Handles<'_, F>, writes: impl IntoIterator<Item = (String, Write)>) {
    let state = [Read::Cursor, Read::IndexerState];
    for (step, (what, write)) in writes.into_iter().enumerate() {
        let (_, expected) = write.expected(&handles.model).await;
        let (handle, store) = handles.writer(step);
        let answer = write.ask(store).await;
        assert!(
            same_answer(&expected, &answer),
            "{what}: the {} through {handle} answers {} instead of {}",
            write.describe(),
            short(&answer),
            short(&expected)
        );
        look(
            store,
            &state,
            &handles.model,
            &format!("after {}, where {what}", write.describe()),
        )
        .await;
    }
    handles.look().await;
}

/// The stored block with each difference: alone, and for some of them among other stored blocks and a new one.
fn deliveries<F: StoreFactory>(handles: &Handles<'_, F>, number: u64, each: usize) -> Vec<(String, Write)> {
    let content = handles.model.content();
    let stored = content.cursor.expect("blocks are stored");
    let published = |block: &Arc<Block>| block.published();
    let original = content
        .blocks
        .get(&block_no(number))
        .map(published)
        .expect("the block is stored");
    let neighbours: Vec<_> = content
        .blocks
        .values()
        .map(published)
        .filter(|other| other.number != original.number)
        .collect();
    let neighbour = neighbours.first().expect("another block is stored");
    let above = block(stored.block.get() + 1);
    let mut deliveries = Vec::new();
    for (place, Difference { what, thing }) in differences::of_block(&original, neighbour).into_iter().enumerate() {
        if place % each != 0 {
            continue;
        }
        let what = format!("of block {number}, {what}");
        if place % 3 == 0 {
            let mut among: Vec<_> = neighbours.iter().rev().take(4).cloned().collect();
            among.insert(place % 4, thing.clone());
            among.push(above.clone());
            let write = Write::Append(Some(stored), among, cursor_at(&above));
            deliveries.push((format!("{what}, among other blocks"), write));
        }
        deliveries.push((what, Write::Append(Some(stored), vec![thing], stored)));
    }
    deliveries
}

/// A block that came by an append, delivered again with any difference.
pub async fn appended_block_that_comes_otherwise_is_refused(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    let stored = blocks([3, 4, 6, 7]);
    handles
        .write(0, &Write::Append(None, stored.clone(), cursor(slot_of(9), 9)))
        .await;
    let writes = deliveries(&handles, 6, 1);
    ask_each(&handles, writes).await;
    handles.close().await;
}

/// A block that came by a load, delivered again with any difference: one of the first chunk and one of the last.
pub async fn loaded_block_that_comes_otherwise_is_refused(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    let chunks = vec![blocks([3, 4]), blocks([6]), blocks([7, 8])];
    let end = End::At(cursor(slot_of(9), 9));
    let load = Write::Load(handles.model.content().bound(), Chunks::new(chunks, end));
    handles.write(0, &load).await;
    for (number, each) in [(3, 3), (8, 1)] {
        let writes = deliveries(&handles, number, each);
        ask_each(&handles, writes).await;
    }
    handles.close().await;
}

/// Blocks of long ago, the first and one in between, indexed and after the store was opened again, with any difference.
pub async fn block_of_long_ago_that_comes_otherwise_is_refused(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    for number in 1..=60 {
        let expected = handles.model.content().cursor;
        let new = vec![block(number)];
        let at = cursor_after(&new);
        handles.write(1, &Write::Append(expected, new, at)).await;
    }
    let places: Vec<_> = handles.model.content().positions().into_iter().take(200).collect();
    let entries = places.into_iter().enumerate().map(|(number, at)| entry(number, at));
    handles.write(2, &Write::Index(entries.collect())).await;
    handles.reopen().await;
    for (number, each) in [(1, 2), (30, 5), (60, 7)] {
        let writes = deliveries(&handles, number, each);
        ask_each(&handles, writes).await;
    }
    handles.close().await;
}

/// Thousands of stored blocks come again in one call, one of which differs: the first, the last, or one between.
pub async fn one_of_thousands_that_comes_otherwise_is_refused(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    let many: Vec<_> = (1..=MANY).map(small_block).collect();
    let stored = cursor_after(&many);
    handles.write(0, &Write::Append(None, many.clone(), stored)).await;
    let mut writes = Vec::new();
    let last = many.len() - 1;
    let places = [last, 0, 999, 1_000, last - 1, 2_047, 2_048];
    let each = differences::of_block(&many[last], &many[0]).len();
    for (step, number) in (0..each).step_by(2).enumerate() {
        let place = places[step % places.len()];
        let other = differences::of_block(&many[place], &many[(place + 1) % many.len()]);
        let Some(Difference { what, thing }) = other.into_iter().nth(number) else {
            continue;
        };
        let mut changed = many.clone();
        changed[place] = thing;
        writes.push((
            format!("of block {place} of {MANY}, {what}"),
            Write::Append(Some(stored), changed, stored),
        ));
    }
    ask_each(&handles, writes).await;
    handles.close().await;
}

/// A block of one operation.
fn small_block(number: u64) -> PublishedBlock {
    let operation = (osn(1), bytes(number.to_be_bytes()));
    block_with(number, vec![transaction_of(number, absn(2), [operation])])
}

/// A new block comes twice in one call, once with any difference.
pub async fn block_that_comes_twice_otherwise_is_refused(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    let stored = blocks([3, 4]);
    let at = cursor_after(&stored);
    handles.write(0, &Write::Append(None, stored, at)).await;
    let new = block(6);
    let writes: Vec<_> = differences::of_block(&new, &block(7))
        .into_iter()
        .enumerate()
        .map(|(place, Difference { what, thing })| {
            let mut delivered = vec![new.clone(), thing];
            if place % 2 == 0 {
                delivered.insert(1, block(8));
            }
            let cursor = cursor_after(&delivered);
            let write = Write::Append(Some(at), delivered, cursor);
            (format!("a block comes twice, and the second time {what}"), write)
        })
        .collect();
    ask_each(&handles, writes).await;
    handles.close().await;
}

/// Writes that expect a cursor that differs from the stored one in anything.
pub async fn any_other_expected_cursor_is_refused(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    let stored = blocks([3, 300]);
    let at = cursor(slot_of(70_000), 70_000);
    handles.write(0, &Write::Append(None, stored, at)).await;
    let above = cursor(slot_of(70_001), 70_001);
    let mut writes = Vec::new();
    for Difference { what, thing } in differences::of_expected(Some(at)) {
        let what = format!("of the expected cursor, {what}");
        writes.push((what.clone(), Write::AdvanceCursor(thing, above)));
        writes.push((what.clone(), Write::Append(thing, Vec::new(), above)));
        writes.push((
            what.clone(),
            Write::Append(thing, vec![block(70_001)], cursor_at(&block(70_001))),
        ));
        writes.push((what, Write::Append(thing, vec![block(300)], at)));
    }
    ask_each(&handles, writes).await;
    handles.close().await;
}

/// The cursor is to move, alone, with an append of nothing and with a load of nothing, to what differs from it in anything: it is
/// refused, or nothing changes.
pub async fn any_other_cursor_is_refused_or_changes_nothing(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    let stored = blocks([3, 300]);
    let at = cursor(slot_of(70_000), 70_000);
    handles.write(0, &Write::Append(None, stored, at)).await;
    let bound = handles.model.content().bound();
    let last = cursor_at(&block(300));
    let others = differences::of_cursor(&at)
        .into_iter()
        .chain(differences::of_cursor(&last));
    let mut writes = Vec::new();
    for Difference { what, thing } in others {
        // Higher in both, it would move.
        if thing.block <= at.block || thing.slot <= at.slot {
            let what = format!("of the cursor that is to be stored, {what}");
            writes.push((what.clone(), Write::AdvanceCursor(Some(at), thing)));
            writes.push((what.clone(), Write::Append(Some(at), Vec::new(), thing)));
            writes.push((what, Write::Load(bound, Chunks::new(Vec::new(), End::At(thing)))));
        }
    }
    ask_each(&handles, writes).await;
    handles.close().await;
}

/// Loads onto what differs from what is stored in anything: from nothing, from a cursor alone, and from blocks below one.
pub async fn any_other_bound_is_refused_by_a_load(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    let cursors = [cursor(slot_of(2), 2), cursor(slot_of(70_000), 70_000)];
    let writes = [
        Write::AdvanceCursor(None, cursors[0]),
        Write::Append(Some(cursors[0]), blocks([3, 300]), cursors[1]),
    ];
    for step in 0..=writes.len() {
        let bound = handles.model.content().bound();
        let mut others = differences::of_bound(&bound);
        others.extend(cursors.map(|cursor| Difference {
            what: format!("the cursor is at block {}", cursor.block.get()),
            thing: LedgerBound {
                cursor: Some(cursor),
                ..bound
            },
        }));
        let loads: Vec<_> = others
            .into_iter()
            .filter(|Difference { thing, .. }| *thing != bound)
            .map(|Difference { what, thing }| {
                let chunks = Chunks::new(vec![vec![block(70_001)]], End::AtLastBlock);
                (
                    format!("of what the load is put onto, {what}"),
                    Write::Load(thing, chunks),
                )
            })
            .collect();
        ask_each(&handles, loads.clone()).await;
        for (what, load) in loads {
            assert_eq!(
                load.chunks_asked_for(),
                0,
                "{what}: the source is asked before the store is judged"
            );
        }
        if let Some(write) = writes.get(step) {
            handles.write(step, write).await;
        }
    }
    handles.close().await;
}

/// The outcomes that a batch may name.
fn outcomes() -> [IndexOutcome; 4] {
    let reason = || Reason::new("the operation, Ähnlich wie die anderen, ends here");
    [
        IndexOutcome::Did {
            did: did(1),
            operation_hash: storage_hash(1),
            lists_did: true,
        },
        IndexOutcome::Storage {
            did: did(1),
            operation_hash: storage_hash(1),
        },
        IndexOutcome::Ignored { reason: reason() },
        IndexOutcome::Undecodable { reason: reason() },
    ]
}

/// A batch says two things of one operation, which differ in anything: of an open operation, of one between others, and of an
/// indexed one.
pub async fn two_entries_with_any_difference_are_a_conflict(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    let stored = blocks([3, 4, 6]);
    let at = cursor_after(&stored);
    handles.write(0, &Write::Append(None, stored.clone(), at)).await;
    let places = positions(&stored);
    let done = places.iter().take(4).copied().map(ignored).collect();
    handles.write(1, &Write::Index(done)).await;
    let mut writes = Vec::new();
    for outcome in outcomes() {
        for (step, Difference { what, thing }) in differences::of_outcome(&outcome).into_iter().enumerate() {
            let mut batch: Vec<_> = places.iter().skip(4).take(5).copied().map(ignored).collect();
            let place = step % batch.len();
            batch[place].outcome = outcome.clone();
            let other = IndexEntry {
                outcome: thing,
                ..batch[place].clone()
            };
            batch.insert(step % 3, other);
            writes.push((
                format!("a batch says two things of an operation, where {what}"),
                Write::Index(batch),
            ));
        }
    }
    ask_each(&handles, writes).await;
    handles.close().await;
}

/// What a batch says of indexed operations is passed over, whatever it is, and what was said before stays.
pub async fn what_is_indexed_stays_whatever_comes_again(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    let stored = blocks([3, 4, 6]);
    let at = cursor_after(&stored);
    handles.write(0, &Write::Append(None, stored.clone(), at)).await;
    let places = positions(&stored);
    let said: Vec<_> = places
        .iter()
        .take(8)
        .zip(outcomes().into_iter().cycle())
        .map(|(position, outcome)| IndexEntry {
            position: *position,
            outcome,
        })
        .collect();
    handles.write(1, &Write::Index(said.clone())).await;
    let mut writes = Vec::new();
    for (place, entry) in said.iter().enumerate().take(4) {
        for Difference { what, thing } in differences::of_outcome(&entry.outcome) {
            let mut again = said.clone();
            again[place].outcome = thing;
            writes.push((
                format!("an indexed operation comes again, where {what}"),
                Write::Index(again),
            ));
        }
    }
    ask_each(&handles, writes).await;
    handles.close().await;
}

/// Operations, ids, hashes, DIDs and reasons that differ in one thing are stored, and each is found as what it is.
pub async fn what_differs_in_anything_is_kept_apart(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    let operations = alike_operations("An operation, once more than Once.");
    let ids = with_original(
        transaction_id(1, 1).as_bytes(),
        differences::of_digest(transaction_id(1, 1).as_bytes()),
    );
    let many = transaction_of(1, absn(1), (0..).map(osn).zip(operations));
    let few = (2..).zip(&ids).skip(1).map(|(place, id)| PublishedTransaction {
        absn: absn(place),
        id: TransactionId::new(*id),
        operations: vec![PublishedOperation {
            osn: osn(0),
            bytes: bytes(place.to_be_bytes()),
        }],
    });
    // One operation for each entry that follows.
    let enough = transaction_of(
        2,
        absn(1),
        (0..200).map(|index| (osn(index), bytes(index.to_be_bytes()))),
    );
    let first = block_with(1, [many].into_iter().chain(few).collect());
    let stored = vec![first, block_with(2, vec![enough])];
    let at = cursor_after(&stored);
    handles.write(0, &Write::Append(None, stored.clone(), at)).await;
    let of_dids = with_original(did(1).as_bytes(), differences::of_digest(did(1).as_bytes()));
    let hashes = with_original(
        storage_hash(1).as_bytes(),
        differences::of_digest(storage_hash(1).as_bytes()),
    );
    let reason = Reason::new("the operation, Ähnlich wie die anderen, ends here");
    let longest = Reason::new("Lorem ".repeat(40));
    let mut outcomes: Vec<IndexOutcome> = Vec::new();
    outcomes.extend(of_dids.iter().map(|did| IndexOutcome::Did {
        did: DidSuffix::new(*did),
        operation_hash: storage_hash(7),
        lists_did: true,
    }));
    outcomes.extend(of_dids.iter().zip(&hashes).map(|(did, hash)| IndexOutcome::Storage {
        did: DidSuffix::new(*did),
        operation_hash: OperationHash::new(*hash),
    }));
    for reason in [reason, longest] {
        let reasons = with_original(&reason, differences::of_reason(&reason));
        outcomes.extend(reasons.iter().cloned().map(|reason| IndexOutcome::Ignored { reason }));
        outcomes.extend(reasons.into_iter().map(|reason| IndexOutcome::Undecodable { reason }));
    }
    let entries: Vec<_> = positions(&stored)
        .into_iter()
        .zip(outcomes)
        .map(|(position, outcome)| IndexEntry { position, outcome })
        .collect();
    handles.write(1, &Write::Index(entries)).await;
    let reads = all_of(&handles);
    let (handle, store) = handles.writer(0);
    look(store, &reads, &handles.model, &format!("through {handle}")).await;
    handles.reopen().await;
    handles.look().await;
    handles.close().await;
}

/// Every stored thing by its key, in addition to the questions that are asked of any state.
fn all_of<F: StoreFactory>(handles: &Handles<'_, F>) -> Vec<Read> {
    let content = handles.model.content();
    let mut reads = questions(&content);
    let records = content
        .positions()
        .into_iter()
        .filter_map(|at: OperationPosition| content.record(at));
    for record in records {
        reads.push(Read::Operation(record.id));
        reads.push(Read::Transaction(record.transaction_id, None, PageLimit::MAX));
        match record.indexing {
            Some(IndexOutcome::Did { did, .. }) => reads.push(Read::ListedDid(did)),
            Some(IndexOutcome::Storage { operation_hash, .. }) => {
                reads.push(Read::StorageOwners(vec![operation_hash]));
            }
            _ => {}
        }
    }
    reads
}
