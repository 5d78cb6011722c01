//! Bulk loading: content that comes as a whole, chunk by chunk, or not at all.

use std::fmt;
use std::future::Future;

use did_prism::ledger::PublishedBlock;

use crate::append::{Addition, AppendPlan, StoredBlocks};
use crate::{BlockHeader, Conflict, ConflictReason, Cursor, LedgerBound, Result, StorageError};

/// What a load brings into a store, pulled chunk by chunk.
///
/// A chunk is a `Vec` of whole blocks; the store holds one of them at a time, so the source decides how much memory a load takes.
pub trait LoadSource: Send {
    /// Why the source can't deliver what it should; [`load`](crate::RawOperationRepo::load) hands it on unchanged.
    type Error: From<StorageError> + Send;

    /// The next chunk, or the end. Not asked again after the end or an error.
    ///
    /// A source that verifies what it delivers answers with the end only once it is certain of all of it: that is what the store
    /// commits on.
    fn next(&mut self) -> impl Future<Output = Result<Delivery, Self::Error>> + Send;
}

/// One answer of a [`LoadSource`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Blocks above those of the chunks before.
    Blocks(Vec<PublishedBlock>),
    /// That was all. The cursor stands at the last block delivered or above; `None` leaves it there, or where it stood.
    End(Option<Cursor>),
}

/// A store that does not hold what a load was to be put onto.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the database holds {}, where {} was expected; nothing was changed, load into a database that holds that",
    Extent(found),
    Extent(expected)
)]
pub struct BoundMismatch {
    /// What the store was to hold.
    pub expected: LedgerBound,
    /// What it holds.
    pub found: LedgerBound,
}

/// A bound in words.
struct Extent<'a>(&'a LedgerBound);

impl fmt::Display for Extent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self.0 == LedgerBound::default() {
            return f.write_str("nothing");
        }
        write!(f, "{} operations", self.0.operations)?;
        if let Some(last) = self.0.last {
            write!(f, " up to {last}")?;
        }
        match self.0.cursor {
            Some(cursor) => write!(f, " and the cursor {cursor}"),
            None => f.write_str(" and no cursor"),
        }
    }
}

/// The judgement of a load: each chunk against what was stored before and what came in the chunks before.
///
/// A backend opens its write transaction, locks the cursor, reads its bound under that lock, makes the plan, and then, in the one
/// transaction, writes what [`LoadPlan::add`] answers to each chunk and in the end what [`LoadPlan::end`] answers.
#[derive(Debug)]
pub struct LoadPlan {
    stored: Option<Cursor>,
    delivered: Option<Cursor>,
}

impl LoadPlan {
    /// A load onto a store that holds `found` and has to hold `expected`.
    ///
    /// # Errors
    /// `BoundMismatch` where they differ.
    pub fn new(expected: LedgerBound, found: LedgerBound) -> Result<Self> {
        if found != expected {
            return Err(Box::new(BoundMismatch { expected, found }).into());
        }
        Ok(Self {
            stored: found.cursor,
            delivered: None,
        })
    }

    /// What is to be written of the next chunk. Its cursor is none: that moves at the end.
    ///
    /// Nothing may come a second time, not even unchanged, but within one chunk.
    ///
    /// # Errors
    /// `Conflict` for contradictions within the chunk, and for a block with operations that does not stand above the stored cursor
    /// and the chunks before.
    pub fn add<'a>(&mut self, blocks: &'a [PublishedBlock]) -> Result<Addition<'a>> {
        let Some(last) = blocks.iter().max_by_key(|block| block.number) else {
            return Ok(Addition::default());
        };
        let last = Cursor::at(&BlockHeader::from(last));
        let reached = self.delivered.or(self.stored);
        let addition = AppendPlan::new(blocks, last)?.additions(reached, &StoredBlocks::default())?;
        if reached.is_none_or(|reached| last.block > reached.block) {
            self.delivered = Some(last);
        }
        Ok(addition)
    }

    /// Where the cursor moves at the end, if it does.
    ///
    /// # Errors
    /// `Conflict` for a cursor below the last block that was delivered, or one that [`Cursor::advance`] refuses.
    pub fn end(self, cursor: Option<Cursor>) -> Result<Option<Cursor>> {
        match (cursor, self.delivered) {
            (None, delivered) => Ok(delivered),
            (Some(cursor), Some(last)) if !cursor.is_at_or_above(last) => Err(Conflict::error(
                cursor,
                ConflictReason::CursorBelowBlocks { last: last.block },
            )),
            (Some(cursor), _) => cursor.advance(self.stored),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(operations: u64) -> LedgerBound {
        LedgerBound {
            operations,
            ..LedgerBound::default()
        }
    }

    #[test]
    fn a_mismatch_names_what_is_there_and_what_was_expected() {
        let error = LoadPlan::new(bound(0), bound(7)).unwrap_err().to_string();
        assert_eq!(
            error,
            "the database holds 7 operations and no cursor, where nothing was expected; nothing was changed, load into a database \
             that holds that"
        );
    }
}
