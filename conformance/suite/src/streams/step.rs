//! The steps of a stream, as plain data.
//!
//! A step says what to do relative to what is stored when it comes: "the third stored block again", "two numbers above the
//! cursor". That keeps a stream meaningful when steps before it are taken away. `Debug` writes a value as Rust source, but for
//! the `vec!` before its lists; [`super::to_test_source`] adds that.

use std::fmt;

pub use super::vocabulary::Operation;

/// One call of the store, its reopening, its backup, or a move into another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// New blocks above the stored cursor.
    Append {
        /// The blocks, from the lowest on.
        blocks: Vec<Block>,
        /// How they are arranged.
        order: Order,
        /// The cursor, seen from the last block.
        cursor: Place,
    },
    /// Stored blocks again, unchanged, and perhaps new ones in the same call.
    Redeliver {
        /// Which stored blocks, from the lowest on; numbers above the last begin again at 0.
        stored: Vec<usize>,
        /// New blocks beside them.
        new: Vec<Block>,
        /// How they are arranged.
        order: Order,
        /// The cursor, seen from the last block.
        cursor: Place,
    },
    /// A stored block again, changed, and perhaps new ones in the same call.
    Fork {
        /// Which stored block.
        stored: usize,
        /// What is different.
        change: Change,
        /// New blocks beside it.
        new: Vec<Block>,
        /// The cursor, seen from the last block.
        cursor: Place,
    },
    /// New blocks that contradict themselves or what is stored.
    Contradict {
        /// The blocks, from the lowest on.
        blocks: Vec<Block>,
        /// What is wrong with them.
        flaw: Flaw,
    },
    /// The cursor alone, seen from the stored one.
    MoveCursor(Place),
    /// New blocks, or the cursor alone where there are none, from somebody who may be mistaken about the stored cursor.
    Mistake {
        /// The blocks, from the lowest on.
        blocks: Vec<Block>,
        /// The cursor that is expected.
        belief: Belief,
    },
    /// A batch of index entries.
    Index {
        /// The first operation of the batch, seen from the first one that is not indexed.
        from: i8,
        /// How many operations.
        length: usize,
        /// What they are said to be, taken in turn.
        outcomes: Vec<Outcome>,
        /// What is wrong with the batch.
        flaw: Option<BatchFlaw>,
        /// How the entries are arranged.
        order: Order,
    },
    /// Everything that is stored is indexed as the node does it.
    IndexAll,
    /// A question.
    Read(Question),
    /// The store is closed and opened again.
    Reopen,
    /// The store is backed up. That archive is the base of moves that follow.
    BackUp,
    /// What the store holds is restored into a new store, from a full archive, or from the last backup and an increment to it;
    /// there the stream goes on.
    Move,
}

/// A new block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// How far its number stands above the one before, at least 1.
    pub number_gap: u64,
    /// How far its slot stands above the one before, at least 1.
    pub slot_gap: u64,
    /// Its time.
    pub time: Time,
    /// Its transactions.
    pub transactions: Vec<Transaction>,
}

/// The time of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// That of its slot.
    OfSlot,
    /// The earliest.
    Earliest,
    /// A microsecond before 1970.
    BeforeEpoch,
    /// The latest.
    Latest,
}

/// A transaction of a new block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its index in the block; those above the highest are the highest.
    pub absn: u64,
    /// Its operations by their indexes.
    pub operations: Vec<(u64, Operation)>,
}

/// The arrangement of blocks, transactions, operations or entries in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By position.
    Ascending,
    /// Backwards.
    Descending,
    /// Every second one, then the others.
    Alternating,
}

/// A place of the cursor, seen from a block or from another cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// There.
    There,
    /// Number and slot are higher by this and that.
    Ahead(u64, u64),
    /// Number and slot are lower by one.
    Behind,
    /// There, with another hash.
    OtherFork,
    /// A higher number with the same slot.
    NumberAhead,
    /// A higher slot with the same number.
    SlotAhead,
    /// A higher number with a lower slot.
    Crossing,
    /// At the stored cursor, or there if that is higher.
    Kept,
    /// The highest number and slot.
    Highest,
}

/// The cursor that somebody expects to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belief {
    /// An empty one.
    Empty,
    /// This one, seen from the stored one.
    At(Place),
    /// That of the last block of the call, as if it had been stored.
    AtLastBlock,
    /// That of this stored block.
    AtStored(usize),
}

/// What a block delivered again differs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The hash.
    Hash,
    /// The slot, higher by one.
    LaterSlot,
    /// The slot, lower by one.
    EarlierSlot,
    /// The time.
    BlockTime,
    /// The last operation is missing.
    Less,
    /// There is one operation more.
    More(Operation),
    /// The last operation has other bytes.
    Bytes(Operation),
    /// The last transaction has another id.
    Id,
    /// All transactions are missing.
    Bare,
    /// In the difference of this number, of all that a block may have: those of every part, and of what is moved between two
    /// parts. Numbers above the last begin again at 0.
    Any(usize),
}

/// What is wrong with new blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// The last block comes a second time, changed.
    Twice(Change),
    /// The last block has the slot of the one before, or of the stored cursor.
    SameSlot,
    /// The last transaction has the id of the first one.
    SameId,
    /// The last transaction has the id of this stored one.
    StoredId(usize),
    /// The first block stands below the stored cursor, at the highest number where none is stored.
    Below,
    /// The cursor stands elsewhere, seen from the last block.
    Cursor(Place),
}

/// What an entry says of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// What the node's indexer says of its bytes.
    Routed,
    /// The creation of this DID.
    Lists(usize),
    /// Another operation of this DID.
    OfDid(usize),
    /// A storage operation of this DID, with the hash of this number.
    OfStorage(usize, usize),
    /// Of no DID, with a reason as long as can be.
    NoDid,
    /// Undecodable, with a reason beyond ASCII.
    NoMessage,
}

/// What is wrong with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchFlaw {
    /// This entry is left out.
    LeftOut(usize),
    /// There is an entry more, for the next `osn` above this entry that is free.
    Unknown(usize),
    /// There is an entry more, for the highest position.
    UnknownHighest,
    /// This entry comes twice, which is no contradiction.
    Repeated(usize),
    /// This entry comes twice, with another outcome.
    Disputed(usize),
}

/// A question, whose answer changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A page of operations.
    Page(After, u64),
    /// The same as it was published.
    PublishedPage(After, u64),
    /// A page of a DID's operations.
    DidPage(usize, After, u64),
    /// A page of listed DIDs.
    ListedPage(After, u64),
    /// The block with this number.
    Number(u64),
    /// The operation with the id of these bytes.
    IdOf(Operation),
    /// This stored transaction, with a page of its operations.
    StoredTransaction(usize, After, u64),
    /// A transaction that is not stored.
    UnknownTransaction,
    /// This DID.
    Did(usize),
    /// The owners of all storage operations, and of hashes that nothing has, some of them repeated.
    Owners,
    /// The network.
    NetworkName,
}

/// The position above which a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// From the first on.
    Start,
    /// Above this stored operation.
    Stored(usize),
    /// Above the place right below this stored operation, where nothing needs to be stored.
    JustBelow(usize),
    /// Above the highest position.
    End,
}

impl Step {
    /// Every [`Step::kind`].
    pub const KINDS: [&'static str; 12] = [
        "append",
        "redeliver",
        "fork",
        "contradict",
        "move cursor",
        "mistake",
        "index",
        "index all",
        "read",
        "reopen",
        "back up",
        "move",
    ];

    /// Whether new blocks, or the cursor, stand at the highest numbers there are.
    pub(super) fn takes_the_highest(&self) -> bool {
        let (blocks, place) = match self {
            Self::Append { blocks, cursor, .. } => (blocks.as_slice(), Some(*cursor)),
            Self::Redeliver { new, cursor, .. } | Self::Fork { new, cursor, .. } => (new.as_slice(), Some(*cursor)),
            Self::Contradict { blocks, flaw } => match flaw {
                Flaw::Cursor(place) => (blocks.as_slice(), Some(*place)),
                _ => (blocks.as_slice(), None),
            },
            Self::MoveCursor(place) => (&[][..], Some(*place)),
            Self::Mistake { blocks, .. } => (blocks.as_slice(), None),
            Self::Index { .. } | Self::IndexAll | Self::Read(_) | Self::Reopen | Self::BackUp | Self::Move => {
                return false;
            }
        };
        let highest = |block: &Block| block.number_gap == u64::MAX || block.slot_gap == u64::MAX;
        place == Some(Place::Highest) || blocks.iter().any(highest)
    }

    /// The kind of the step.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Append { .. } => "append",
            Self::Redeliver { .. } => "redeliver",
            Self::Fork { .. } => "fork",
            Self::Contradict { .. } => "contradict",
            Self::MoveCursor(_) => "move cursor",
            Self::Mistake { .. } => "mistake",
            Self::Index { .. } => "index",
            Self::IndexAll => "index all",
            Self::Read(_) => "read",
            Self::Reopen => "reopen",
            Self::BackUp => "back up",
            Self::Move => "move",
        }
    }
}

/// The Rust expression that makes the step, given `use node_storage_conformance::streams::literals::*;`.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing in a step is a text, so that every bracket opens a list.
        f.write_str(&format!("{self:?}").replace('[', "vec!["))
    }
}
