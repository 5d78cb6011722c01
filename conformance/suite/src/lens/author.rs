//! Writes that a store in a given state has to accept, one after another without end.

use node_storage_contract::{IndexEntry, IndexOutcome, OperationPosition, PublishedBlock, Reason};

use super::write::{Chunks, End, Write};
use crate::data::{
    absn, block, block_with, bytes, cursor, cursor_after, ignored, of_did, of_storage, osn, slot_of, transaction_of,
};
use crate::model::{Content, ModelStore};

/// The kinds of accepted writes: each method, with little and with much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One block.
    Append,
    /// Some blocks, with the cursor above the last.
    AppendMany,
    /// A stored block again and new ones.
    AppendAgain,
    /// The cursor alone, by an append.
    AppendNothing,
    /// A block in one chunk.
    Load,
    /// Some chunks, with the cursor above the last.
    LoadMany,
    /// Some entries.
    Index,
    /// All entries there are, and the last one again.
    IndexAll,
    /// The cursor.
    Move,
    /// More blocks, and in the last of them more operations, than a chunk of a thousand has; not among [`Kind::ALL`], since it takes
    /// long.
    AppendLarge,
    /// The same by a load.
    LoadLarge,
}

/// How many blocks a large write has, and how many operations the last one.
const LARGE: u64 = 1_050;

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Append,
        Self::Index,
        Self::AppendMany,
        Self::Move,
        Self::LoadMany,
        Self::IndexAll,
        Self::AppendAgain,
        Self::Load,
        Self::AppendNothing,
    ];

    /// The write of this kind that comes next in this state. Every kind has one that changes something in any state in which
    /// something is stored and not indexed.
    pub(crate) fn next(self, model: &ModelStore) -> Write {
        let content = model.content();
        let stored = content.cursor;
        let next = stored.map_or(1, |cursor| cursor.block.get() + 1);
        match self {
            Self::Append => {
                let new = [self::new(&content, next)];
                let at = cursor_after(&new);
                Write::Append(stored, new.to_vec(), at)
            }
            Self::AppendMany => {
                let new: Vec<_> = (next..next + 8)
                    .rev()
                    .map(|number| self::new(&content, number))
                    .collect();
                Write::Append(stored, new, cursor(slot_of(next + 12), next + 12))
            }
            Self::AppendAgain => {
                let again = content.blocks.values().next_back().map(|block| block.published());
                let blocks: Vec<_> = [self::new(&content, next + 1)].into_iter().chain(again).collect();
                let at = cursor_after(&blocks);
                Write::Append(stored, blocks, at)
            }
            Self::AppendNothing => Write::Append(stored, Vec::new(), cursor(slot_of(next), next)),
            Self::Load => {
                let chunks = vec![vec![self::new(&content, next)]];
                Write::Load(content.bound(), Chunks::new(chunks, End::AtLastBlock))
            }
            Self::LoadMany => {
                let blocks: Vec<_> = (next..next + 8).map(|number| self::new(&content, number)).collect();
                let chunks = blocks.chunks(3).map(<[_]>::to_vec).collect();
                let end = End::At(cursor(slot_of(next + 12), next + 12));
                Write::Load(content.bound(), Chunks::new(chunks, end))
            }
            Self::Index => Write::Index(entries(&content, 7)),
            Self::IndexAll => {
                let mut batch = entries(&content, usize::MAX);
                batch.extend(batch.last().cloned());
                Write::Index(batch)
            }
            Self::AppendLarge => {
                let new = large(next);
                let at = cursor_after(&new);
                Write::Append(stored, new, at)
            }
            Self::LoadLarge => {
                let chunks = vec![large(next)];
                Write::Load(content.bound(), Chunks::new(chunks, End::AtLastBlock))
            }
            Self::Move => Write::AdvanceCursor(stored, cursor(slot_of(next), next)),
        }
    }
}

/// [`LARGE`] blocks of one operation, and one of that many.
fn large(first: u64) -> Vec<PublishedBlock> {
    let of = |number: u64, operations: u64| {
        let content = |index: u64| bytes([number.to_be_bytes(), index.to_be_bytes()].concat());
        let operations = (0..operations).map(|index| (osn(index), content(index)));
        block_with(number, vec![transaction_of(number, absn(1), operations)])
    };
    let small = (first..first + LARGE).map(|number| of(number, 1));
    small.chain([of(first + LARGE, LARGE)]).collect()
}

/// A block whose second transaction has an operation that was published before, if any was.
fn new(content: &Content, number: u64) -> PublishedBlock {
    let mut new = block(number);
    let known = content
        .blocks
        .values()
        .next()
        .and_then(|block| block.operations.values().next());
    let last = new
        .transactions
        .last_mut()
        .and_then(|transaction| transaction.operations.last_mut());
    if let (Some(known), Some(last)) = (known, last) {
        last.bytes = bytes(known.as_slice());
    }
    new
}

/// Entries for the next operations, of every outcome.
fn entries(content: &Content, most: usize) -> Vec<IndexEntry> {
    let watermark = content.watermark();
    let open = content
        .positions()
        .into_iter()
        .filter(|position| Some(*position) > watermark);
    let done = content.index.len();
    (done..)
        .zip(open.take(most))
        .map(|(number, position)| entry(number, position))
        .collect()
}

/// An entry whose outcome depends on its number.
pub(crate) fn entry(number: usize, position: OperationPosition) -> IndexEntry {
    let of = u64::try_from(number).expect("few entries");
    match number % 7 {
        // The same few DIDs again and again, so that their operations grow; and a DID of its own now and then.
        0 | 3 => of_did(position, of % 3, true),
        1 => of_did(position, of % 3, false),
        2 => of_storage(position, of, of % 3),
        4 => of_did(position, 1_000 + of, true),
        5 => ignored(position),
        _ => IndexEntry {
            position,
            outcome: IndexOutcome::Undecodable {
                reason: Reason::new(format!("entry {number}")),
            },
        },
    }
}
