//! Which refusals have one cause only.
//!
//! Where a call contradicts what is stored, or itself, in several ways, the contract orders some of them and leaves others open;
//! `refused::lowest_of_several_contradictions_is_named` asks for the order.
//! Where it does so in one way, every store names that one, at the same place. What is said here is on the safe side.

use node_storage_contract::Cursor;

use super::step::{BatchFlaw, Block, Change, Flaw, Place, Step};

/// Numbers and slots that a step needs above the stored cursor, so that none of its blocks is cut off at the highest.
const ROOM: u64 = 1_000;

impl Step {
    /// Whether the step, coming at this stored cursor, can be refused for one reason only, at one place.
    pub(super) fn is_one_contradiction(&self, stored: Option<Cursor>) -> bool {
        let (number, slot) = stored.map_or((0, 0), |cursor| (cursor.block.get(), cursor.slot.get()));
        let has_room = |blocks: &[Block]| {
            let (numbers, slots) = blocks.iter().fold((number, slot), |(numbers, slots), block| {
                (
                    numbers.saturating_add(block.number_gap),
                    slots.saturating_add(block.slot_gap),
                )
            });
            numbers.max(slots) < i64::MAX.unsigned_abs() - ROOM
        };
        match self {
            Self::Append { blocks, cursor, .. } => has_room(blocks) && cursor.is_there_or_above(),
            Self::Redeliver { new, cursor, .. } => has_room(new) && cursor.is_there_or_above(),
            // A cursor above a low block may contradict the stored one.
            Self::Fork {
                change, new, cursor, ..
            } => has_room(new) && new.is_empty() && change.is_single() && matches!(cursor, Place::There | Place::Kept),
            Self::Contradict { blocks, flaw } => {
                has_room(blocks)
                    && match flaw {
                        Flaw::Twice(change) => change.is_single(),
                        // A single block contradicts the stored cursor, and so does the cursor at it.
                        Flaw::SameSlot => blocks.len() > 1,
                        Flaw::SameId | Flaw::StoredId(_) => true,
                        // No slot is below 0.
                        Flaw::Below => slot > 0,
                        // Other wrong cursors may contradict the stored one too.
                        Flaw::Cursor(place) => *place == Place::OtherFork,
                    }
            }
            Self::Index { from, flaw, .. } => match flaw {
                None => *from <= 1,
                Some(BatchFlaw::LeftOut(_) | BatchFlaw::Repeated(_) | BatchFlaw::Disputed(_)) => *from <= 0,
                // Between the batch and what is not stored, operations may be left out.
                Some(BatchFlaw::Unknown(_) | BatchFlaw::UnknownHighest) => false,
            },
            // The blocks contradict nothing, so that only the expected cursor can.
            Self::Mistake { blocks, .. } => has_room(blocks),
            Self::MoveCursor(_) | Self::IndexAll | Self::Read(_) | Self::Reopen | Self::BackUp | Self::Move => true,
        }
    }
}

impl Place {
    const fn is_there_or_above(self) -> bool {
        matches!(self, Self::There | Self::Kept | Self::Ahead(..))
    }
}

impl Change {
    /// Whether it is about one field or operation that nothing else of the call depends on.
    const fn is_single(self) -> bool {
        match self {
            Self::BlockTime | Self::Less | Self::More(_) | Self::Bytes(_) | Self::Id => true,
            // The cursor and the order of slots depend on these, and there may be several transactions.
            Self::Hash | Self::LaterSlot | Self::EarlierSlot | Self::Bare | Self::Any(_) => false,
        }
    }
}
