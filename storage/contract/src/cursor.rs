//! How far the ledger has been read.

use std::cmp::Ordering;
use std::fmt;

use did_prism::digest::BlockHash;
use did_prism::ledger::{BlockNo, SlotNo};

use crate::{BlockHeader, Conflict, ConflictReason, Result};

/// The last block that a source has delivered completely, whether or not it held operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Slot of the block.
    pub slot: SlotNo,
    /// Number of the block.
    pub block: BlockNo,
    /// Hash of the block.
    pub hash: BlockHash,
}

impl Cursor {
    /// The cursor that stands at this block.
    pub const fn at(block: &BlockHeader) -> Self {
        Self {
            slot: block.slot,
            block: block.number,
            hash: block.hash,
        }
    }

    /// Whether this is `other`, or above it in slot and number.
    pub fn is_at_or_above(self, other: Self) -> bool {
        self == other || (self.block > other.block && self.slot > other.slot)
    }

    /// What the cursor is after moving from `stored` to `self`: `Some` for a move forward, `None` where it stays, since
    /// `self` is equal or lower.
    ///
    /// # Errors
    /// `Conflict` for the same slot and number with another hash, or where slot and number do not agree on the direction.
    pub fn advance(self, stored: Option<Self>) -> Result<Option<Self>> {
        let Some(stored) = stored else { return Ok(Some(self)) };
        match (self.block.cmp(&stored.block), self.slot.cmp(&stored.slot)) {
            (Ordering::Greater, Ordering::Greater) => Ok(Some(self)),
            (Ordering::Less, Ordering::Less) => Ok(None),
            (Ordering::Equal, Ordering::Equal) if self.hash == stored.hash => Ok(None),
            (Ordering::Equal, Ordering::Equal) => Err(Conflict::error(self, ConflictReason::CursorFork { stored })),
            _ => Err(Conflict::error(self, ConflictReason::CursorOrder { stored })),
        }
    }
}

/// A store whose cursor is not where the caller of a write believes it to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the stored cursor is {}, where {} was expected; nothing was changed, read the ledger on from the stored cursor",
    Place(stored),
    Place(expected)
)]
pub struct CursorMoved {
    /// What the caller expected.
    pub expected: Option<Cursor>,
    /// What is stored.
    pub stored: Option<Cursor>,
}

impl CursorMoved {
    /// The judgement of a write that names the cursor it expects.
    ///
    /// # Errors
    /// `CursorMoved` where another one is stored.
    pub fn check(expected: Option<Cursor>, stored: Option<Cursor>) -> Result<()> {
        if expected == stored {
            Ok(())
        } else {
            Err(Box::new(Self { expected, stored }).into())
        }
    }
}

/// A cursor that may be empty, in words.
struct Place<'a>(&'a Option<Cursor>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(cursor) => cursor.fmt(f),
            None => f.write_str("empty"),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {}, block {}, hash {}", self.slot, self.block, self.hash)
    }
}
