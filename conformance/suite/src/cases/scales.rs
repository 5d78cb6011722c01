//! Nothing is lost, mistaken or out of order at any size (lines 1, 3, 5 and 9 of the storage contract).
//!
//! The sizes are those of `lens::scales`.

use node_storage_contract::{
    Cursor, IndexEntry, IndexOutcome, OperationBytes, OperationHash, OperationPosition, PageLimit, PublishedBlock,
    PublishedTransaction,
};

use crate::StoreFactory;
use crate::data::{
    SEED, absn, block, block_no, block_with, bytes, cursor_after, cursor_at, did, ignored, limit, of_did, of_storage,
    osn, other_hash, positions, slot_no, storage_hash, transaction_of,
};
use crate::lens::handles::{Handles, same_answer};
use crate::lens::look;
use crate::lens::read::Read;
use crate::lens::scales::{BYTES, ITEMS, Limit, MANY_ITEMS, noise, numbers};
use crate::lens::write::{Chunks, End, Write};
use crate::streams::short;

/// The ways in which a call has so many things.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// In one transaction.
    Operations,
    /// In one block, with one operation each.
    Transactions,
    /// With one transaction of one operation each.
    Blocks,
}

impl Shape {
    const ALL: [Self; 3] = [Self::Operations, Self::Transactions, Self::Blocks];

    /// So many operations from this block on.
    fn of(self, first: u64, count: u64) -> Vec<PublishedBlock> {
        let content = |number: u64| bytes([first.to_be_bytes(), number.to_be_bytes()].concat());
        let single = |block, place, number| transaction_of(block, absn(place), [(osn(3), content(number))]);
        match self {
            Self::Operations => {
                let operations = (0..count).map(|number| (osn(number), content(number)));
                vec![block_with(first, vec![transaction_of(first, absn(1), operations)])]
            }
            Self::Transactions => vec![block_with(
                first,
                (0..count).map(|number| single(first, number, number)).collect(),
            )],
            Self::Blocks => (0..count)
                .map(|number| block_with(first + number, vec![single(first + number, 1, number)]))
                .collect(),
        }
    }
}

/// Asks for a write that the model refuses; the answer has to be the model's.
async fn must_be_refused<F: StoreFactory>(handles: &Handles<'_, F>, what: &str, write: &Write) {
    let (_, expected) = write.expected(&handles.model).await;
    assert!(expected.is_err(), "{what}: the model accepts it");
    let answer = write.ask(handles.writer(1).1).await;
    assert!(
        same_answer(&expected, &answer),
        "{what}: the {} answers {} instead of {}",
        write.describe(),
        short(&answer),
        short(&expected)
    );
}

/// The last operation of these blocks with other bytes.
fn with_other_end(blocks: &[PublishedBlock]) -> Vec<PublishedBlock> {
    let mut changed = blocks.to_vec();
    let last = changed.last_mut().and_then(|block| block.transactions.last_mut());
    if let Some(last) = last.and_then(|transaction| transaction.operations.last_mut()) {
        last.bytes = bytes(*b"otherwise");
    }
    changed
}

/// An entry whose outcome depends on its number: those of many DIDs, one DID, and many storage entries.
fn entry((number, position): (u64, OperationPosition)) -> IndexEntry {
    match number % 4 {
        0 => of_did(position, 10 + number, true),
        1 | 2 => of_did(position, 1, number % 2 == 1),
        _ => of_storage(position, number, 2),
    }
}

/// Stores, compares and indexes so many operations by one call each, and leaves nothing open.
async fn walk<F: StoreFactory>(handles: &mut Handles<'_, F>, shape: Shape, count: u64, of: Limit) {
    let what = format!("{count} {shape:?} (around {}, {})", of.at, of.of);
    let stored = handles.model.content().cursor;
    let new = shape.of(stored.map_or(1, |cursor| cursor.block.get() + 1), count);
    let at = cursor_after(&new);
    handles.write(0, &Write::Append(stored, new.clone(), at)).await;
    // All of it again: nothing, unless its last operation is another one.
    handles.write(1, &Write::Append(Some(at), new.clone(), at)).await;
    must_be_refused(handles, &what, &Write::Append(Some(at), with_other_end(&new), at)).await;
    let places = positions(&new);
    let number = handles.model.content().index.len();
    let entries: Vec<_> = (u64::try_from(number).expect("few entries")..)
        .zip(places.iter().copied())
        .map(entry)
        .collect();
    let mut disputed = entries.clone();
    disputed.extend(entries.last().map(|last| ignored(last.position)));
    must_be_refused(handles, &what, &Write::Index(disputed)).await;
    if let Some((last, others)) = entries.split_last()
        && !others.is_empty()
    {
        let beyond = OperationPosition {
            block: block_no(at.block.get() + 1),
            ..last.position
        };
        let gap = [others, &[ignored(beyond)]].concat();
        must_be_refused(handles, &what, &Write::Index(gap)).await;
    }
    handles.write(2, &Write::Index(entries.clone())).await;
    handles.write(0, &Write::Index(entries)).await;
    let (first, last) = (places.first().copied(), places.last().copied());
    let page = PageLimit::try_from(count).unwrap_or(PageLimit::MAX);
    let mut reads = vec![
        Read::Bound,
        Read::IndexerState,
        Read::Operations(first, page),
        Read::Published(first, page),
        Read::Operations(last, page),
        Read::OperationsOfDid(did(1), first, page),
        Read::ListedDids(first, page),
    ];
    reads.extend(
        new.first()
            .into_iter()
            .chain(new.last())
            .flat_map(|block| block.transactions.first().into_iter().chain(block.transactions.last()))
            .map(|transaction| Read::Transaction(transaction.id, None, PageLimit::MAX)),
    );
    reads.extend(new.last().map(|block| Read::Block(block.number)));
    let (handle, store) = handles.nth(usize::try_from(count).expect("a small count"));
    look(
        store,
        &reads,
        &handles.model,
        &format!("after {what}, through {handle}"),
    )
    .await;
}

/// Calls of every number of operations, transactions and blocks around every limit of `ITEMS`: stored, delivered again, refused
/// where the last differs, indexed, and listed.
pub async fn calls_around_every_limit_are_stored_compared_and_indexed(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    let mut shapes = Shape::ALL.into_iter().cycle();
    for of in ITEMS {
        for count in of.around() {
            let shape = shapes.next().expect("a cycle has no end");
            walk(&mut handles, shape, count, of).await;
        }
        // So that each limit meets each shape at another place.
        shapes.next();
    }
    handles.look().await;
    handles.close().await;
}

/// A store of so many operations, a third of them of one DID, another third listed.
async fn filled<F: StoreFactory>(factory: &F, count: u64) -> Handles<'_, F> {
    let mut handles = Handles::open(factory).await;
    let parts = (1..).zip((0..count).step_by(700));
    let blocks: Vec<_> = parts
        .flat_map(|(number, done)| Shape::Operations.of(number, (count - done).min(700)))
        .collect();
    let at = cursor_after(&blocks);
    handles.write(0, &Write::Append(None, blocks.clone(), at)).await;
    let entries = (0..).zip(positions(&blocks)).map(entry).collect();
    handles.write(1, &Write::Index(entries)).await;
    handles
}

/// Pages of every size around every limit, of every listing, from the first row and from one in between.
pub async fn pages_around_every_limit_are_full(factory: &impl StoreFactory) {
    let handles = filled(factory, 2_200 * 4).await;
    let places: Vec<_> = handles.model.content().positions().into_iter().collect();
    let between = places.get(places.len() / 7).copied();
    let mut reads = Vec::new();
    for (place, rows) in ITEMS.into_iter().flat_map(Limit::around).enumerate() {
        let after = if place % 2 == 0 { None } else { between };
        let page = limit(rows.max(1));
        // Whole records take longer to compare than half of them.
        if place % 3 == 0 {
            reads.push(Read::Operations(after, page));
        }
        reads.push(Read::Published(after, page));
        reads.push(Read::OperationsOfDid(did(1), after, page));
        reads.push(Read::ListedDids(after, page));
    }
    let (handle, store) = handles.writer(0);
    look(store, &reads, &handles.model, &format!("through {handle}")).await;
    handles.close().await;
}

/// Hashes of every number around every limit in one look-up: known and unknown ones, some twice, in an order of their own.
pub async fn any_number_of_hashes_is_looked_up_in_one_call(factory: &impl StoreFactory) {
    let handles = filled(factory, 4_200).await;
    let known: Vec<OperationHash> = handles
        .model
        .content()
        .index
        .values()
        .filter_map(|outcome| match outcome {
            IndexOutcome::Storage { operation_hash, .. } => Some(*operation_hash),
            _ => None,
        })
        .collect();
    let unknown = (0..).map(|number| storage_hash(1_000_000 + number));
    // Known ones are rare, so that one that is left out is the last of its kind, wherever it is.
    let mut pool: Vec<OperationHash> = Vec::new();
    for (known, unknown) in known.iter().zip(unknown) {
        pool.extend([unknown, *known]);
    }
    let mut reads = Vec::new();
    for count in ITEMS.into_iter().flat_map(Limit::around) {
        let count = usize::try_from(count).expect("a small count");
        let mut hashes: Vec<_> = pool.iter().cycle().take(count).copied().collect();
        // The last one is known and in no other place.
        if let (Some(last), Some(only)) = (hashes.last_mut(), known.last()) {
            *last = *only;
        }
        reads.push(Read::StorageOwners(hashes.clone()));
        hashes.reverse();
        hashes.extend(hashes.clone());
        reads.push(Read::StorageOwners(hashes));
    }
    reads.push(Read::StorageOwners(Vec::new()));
    let (handle, store) = handles.writer(1);
    look(store, &reads, &handles.model, &format!("through {handle}")).await;
    handles.close().await;
}

/// Operations of every size around every limit of `BYTES`, and up to the longest, which no compression makes shorter; each once
/// more with another last byte. They come by an append and by a load, and are found by their ids.
pub async fn values_around_every_size_come_back(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    let longest = u64::try_from(OperationBytes::MAX_LENGTH).expect("a length");
    let sizes: Vec<u64> = BYTES
        .into_iter()
        .flat_map(Limit::around)
        .chain([longest - 1, longest])
        .collect();
    let operations = |first: u64, sizes: &[u64]| -> PublishedBlock {
        let both = (0..).zip(sizes).flat_map(|(number, size)| {
            let one = noise(*size, first + number);
            let mut other = one.clone();
            if let Some(last) = other.last_mut() {
                *last ^= 1;
            }
            [one, other]
        });
        let operations = (0..).map(osn).zip(both.map(bytes));
        block_with(first, vec![transaction_of(first, absn(1), operations)])
    };
    for (part, sizes) in (1..).zip(sizes.chunks(9)) {
        let expected = handles.model.content().cursor;
        let block = operations(part * 1_000, sizes);
        let at = cursor_at(&block);
        let write = if part % 2 == 0 {
            Write::Append(expected, vec![block.clone()], at)
        } else {
            let bound = handles.model.content().bound();
            Write::Load(bound, Chunks::new(vec![vec![block.clone()]], End::AtLastBlock))
        };
        handles.write(0, &write).await;
        handles
            .write(1, &Write::Append(Some(at), vec![block.clone()], at))
            .await;
        let what = format!("operations of {sizes:?} bytes");
        let mut swapped = block.clone();
        if let Some(transaction) = swapped.transactions.last_mut() {
            let last = transaction.operations.len() - 1;
            transaction.operations[last].bytes = transaction.operations[last - 1].bytes.clone();
        }
        must_be_refused(&handles, &what, &Write::Append(Some(at), vec![swapped], at)).await;
        let mut reads: Vec<_> = block
            .transactions
            .iter()
            .flat_map(|transaction| &transaction.operations)
            .map(|operation| Read::Operation(operation.bytes.id()))
            .collect();
        reads.push(Read::Published(None, limit(3)));
        reads.extend(
            block
                .transactions
                .first()
                .map(|transaction| Read::Transaction(transaction.id, None, PageLimit::MAX)),
        );
        let (handle, store) = handles.writer(2);
        look(
            store,
            &reads,
            &handles.model,
            &format!("after {what}, through {handle}"),
        )
        .await;
    }
    handles.reopen().await;
    let store = handles.writer(0).1;
    let all = [Read::Bound, Read::Published(None, PageLimit::MAX)];
    look(store, &all, &handles.model, "after opening again").await;
    handles.close().await;
}

/// Blocks at every number around every power of two, whose transactions and operations are at such indexes, keep value and order:
/// in every listing, for every page, in the watermark and the last indexed block.
pub async fn numbers_around_every_width_keep_value_and_order(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    let indexes = numbers(31);
    // The highest number would leave no room for a cursor above it.
    let all: Vec<_> = numbers(63)
        .into_iter()
        .filter(|number| *number < u64::MAX >> 1)
        .collect();
    let slots = all.clone();
    let blocks: Vec<_> = all
        .iter()
        .zip(slots)
        .enumerate()
        .map(|(place, (number, slot))| {
            let at = |step: usize| indexes[(place + step) % indexes.len()];
            let (one, other) = (at(0), at(17));
            let operations = [at(1), at(2)].map(|index| (osn(index), bytes(format!("{number} {one} {index}"))));
            let transactions: Vec<PublishedTransaction> = vec![
                transaction_of(*number, absn(one), operations),
                transaction_of(*number, absn(other), [(osn(at(5)), bytes(format!("{number} {other}")))]),
            ];
            PublishedBlock {
                slot: slot_no(slot),
                ..block_with(*number, transactions)
            }
        })
        .collect();
    for some in blocks.chunks(7) {
        let expected = handles.model.content().cursor;
        let at = cursor_after(some);
        let mut turned = some.to_vec();
        turned.reverse();
        handles.write(0, &Write::Append(expected, turned, at)).await;
    }
    let places = positions(&blocks);
    for (number, some) in (0..).zip(places.chunks(11)) {
        let entries: Vec<_> = (number * 11..).zip(some.iter().copied()).map(entry).collect();
        handles.write(1, &Write::Index(entries)).await;
        let (handle, store) = handles.writer(2);
        let lens = format!("after {}, through {handle}", handles.last);
        look(store, &[Read::IndexerState], &handles.model, &lens).await;
    }
    let mut reads = vec![Read::Bound, Read::Cursor];
    for after in &places {
        reads.push(Read::Published(Some(*after), limit(2)));
        reads.push(Read::ListedDids(Some(*after), limit(2)));
        reads.push(Read::OperationsOfDid(did(1), Some(*after), limit(2)));
    }
    reads.extend(blocks.iter().map(|block| Read::Block(block.number)));
    reads.push(Read::Operations(None, PageLimit::MAX));
    let (handle, store) = handles.writer(0);
    look(store, &reads, &handles.model, &format!("through {handle}")).await;
    handles.reopen().await;
    handles.look().await;
    handles.close().await;
}

/// The cursor goes from each number around a power of two to the next; what expects the one before is refused.
pub async fn cursors_around_every_width_are_ordered(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    let mut before: Option<Cursor> = None;
    for number in numbers(63) {
        let at = Cursor {
            slot: slot_no(number),
            block: block_no(number),
            hash: prism_fixtures::block_hash(SEED, number),
        };
        handles.write(0, &Write::AdvanceCursor(before, at)).await;
        let fork = Cursor {
            hash: other_hash(number),
            ..at
        };
        let what = format!("the cursor is at {number}");
        must_be_refused(&handles, &what, &Write::AdvanceCursor(Some(at), fork)).await;
        must_be_refused(&handles, &what, &Write::AdvanceCursor(before, at)).await;
        if let Some(before) = before {
            // A lower one changes nothing.
            handles.write(1, &Write::AdvanceCursor(Some(at), before)).await;
            let crossing = Cursor {
                slot: before.slot,
                ..at
            };
            must_be_refused(&handles, &what, &Write::AdvanceCursor(Some(at), crossing)).await;
        }
        let (handle, store) = handles.nth(usize::try_from(number % 97).expect("a small number"));
        look(
            store,
            &[Read::Cursor],
            &handles.model,
            &format!("{what}, through {handle}"),
        )
        .await;
        before = Some(at);
    }
    handles.look().await;
    handles.close().await;
}

/// What is wrong stands last in a call of thousands: in an append, a load and an index batch.
pub async fn contradiction_last_in_a_call_of_any_size_is_found(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    for (of, shape) in MANY_ITEMS.into_iter().zip(Shape::ALL.into_iter().cycle()) {
        let what = format!("{} {shape:?} ({})", of.at, of.of);
        let stored = handles.model.content().cursor;
        let first = stored.map_or(1, |cursor| cursor.block.get() + 1);
        let new = shape.of(first, of.at);
        let at = cursor_after(&new);
        // A transaction id that the call, or the store, has at another place.
        let mut repeated = new.clone();
        let above = block(at.block.get() + 1);
        repeated.push(above.clone());
        let known = match handles.model.content().blocks.values().next() {
            Some(known) => known.transactions.values().next().copied(),
            None => new
                .first()
                .and_then(|block| block.transactions.first())
                .map(|known| known.id),
        };
        let last = repeated.last_mut().and_then(|block| block.transactions.last_mut());
        if let (Some(known), Some(last)) = (known, last) {
            last.id = known;
        }
        must_be_refused(
            &handles,
            &what,
            &Write::Append(stored, repeated.clone(), cursor_at(&above)),
        )
        .await;
        let bound = handles.model.content().bound();
        let load = |blocks: Vec<PublishedBlock>, end| Write::Load(bound, Chunks::new(vec![blocks], end));
        must_be_refused(&handles, &what, &load(repeated, End::AtLastBlock)).await;
        must_be_refused(&handles, &what, &load(new.clone(), End::Failure)).await;
        handles.write(0, &load(new.clone(), End::AtLastBlock)).await;
        must_be_refused(&handles, &what, &Write::Append(Some(at), with_other_end(&new), at)).await;
        let entries: Vec<_> = (u64::try_from(handles.model.content().index.len()).expect("few entries")..)
            .zip(positions(&new))
            .map(entry)
            .collect();
        let mut gap = entries.clone();
        if let Some(last) = gap.last_mut() {
            last.position.osn = osn(u64::from(last.position.osn.get()) + 1);
        }
        must_be_refused(&handles, &what, &Write::Index(gap)).await;
        handles.write(1, &Write::Index(entries)).await;
    }
    handles.look().await;
    handles.close().await;
}
