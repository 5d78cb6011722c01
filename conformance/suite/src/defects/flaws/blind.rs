//! Judgements that miss something: what is delivered is made equal to what is stored before it is compared.

use std::fmt;
use std::sync::PoisonError;

use node_storage_contract::{
    BlockNo, Cursor, IndexEntry, IndexOutcome, LedgerBound, PublishedBlock, PublishedTransaction,
};

use super::store::FlawedStore;
use super::{Flaw, Method};
use crate::model::Content;

/// What is not compared of a stored block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    #[doc(hidden)]
    Hash,
    #[doc(hidden)]
    Slot,
    #[doc(hidden)]
    Time,
    #[doc(hidden)]
    Id,
    #[doc(hidden)]
    Absn,
    #[doc(hidden)]
    Osn,
    #[doc(hidden)]
    Bytes,
    #[doc(hidden)]
    Length,
    #[doc(hidden)]
    MissingOperation,
    #[doc(hidden)]
    AddedOperation,
    #[doc(hidden)]
    MissingTransaction,
    #[doc(hidden)]
    AddedTransaction,
}

/// Where it is not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Of blocks that came by a load.
    Loaded,
    /// Of blocks that were stored when the store was opened.
    Reopened,
    /// Of the thousandth block of a call and those after it.
    LateInCall,
    /// Of blocks that are not the lowest of their call.
    AmongOthers,
}

/// What is not compared of a cursor or a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorPart {
    #[doc(hidden)]
    Slot,
    #[doc(hidden)]
    Number,
    #[doc(hidden)]
    Hash,
    #[doc(hidden)]
    Absence,
    #[doc(hidden)]
    LastPosition,
    #[doc(hidden)]
    Operations,
}

/// What is not compared of an index entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryPart {
    #[doc(hidden)]
    Did,
    #[doc(hidden)]
    OperationHash,
    #[doc(hidden)]
    Listing,
    #[doc(hidden)]
    Kind,
    #[doc(hidden)]
    LetterCase,
    #[doc(hidden)]
    Blanks,
}

impl Part {
    pub(super) const ALL: [Self; 12] = [
        Self::Hash,
        Self::Slot,
        Self::Time,
        Self::Id,
        Self::Absn,
        Self::Osn,
        Self::Bytes,
        Self::Length,
        Self::MissingOperation,
        Self::AddedOperation,
        Self::MissingTransaction,
        Self::AddedTransaction,
    ];
}

impl Origin {
    pub(super) const ALL: [Self; 4] = [Self::Loaded, Self::Reopened, Self::LateInCall, Self::AmongOthers];
}

impl CursorPart {
    pub(super) const OF_A_CURSOR: [Self; 4] = [Self::Slot, Self::Number, Self::Hash, Self::Absence];
    pub(super) const OF_A_BOUND: [Self; 5] = [
        Self::Slot,
        Self::Number,
        Self::Hash,
        Self::LastPosition,
        Self::Operations,
    ];
}

impl EntryPart {
    pub(super) const ALL: [Self; 6] = [
        Self::Did,
        Self::OperationHash,
        Self::Listing,
        Self::Kind,
        Self::LetterCase,
        Self::Blanks,
    ];
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hash => "the hash",
            Self::Slot => "the slot",
            Self::Time => "the time",
            Self::Id => "the id of a transaction",
            Self::Absn => "the absn",
            Self::Osn => "the osn",
            Self::Bytes => "the content of an operation",
            Self::Length => "the length of an operation",
            Self::MissingOperation => "a missing operation",
            Self::AddedOperation => "an added operation",
            Self::MissingTransaction => "a missing transaction",
            Self::AddedTransaction => "an added transaction",
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loaded => "for blocks that were loaded",
            Self::Reopened => "for blocks that were there at the opening",
            Self::LateInCall => "behind the thousandth block of a call",
            Self::AmongOthers => "but for the lowest block of a call",
        })
    }
}

impl fmt::Display for CursorPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slot => "the slot",
            Self::Number => "the number",
            Self::Hash => "the hash",
            Self::Absence => "the absence",
            Self::LastPosition => "the last position",
            Self::Operations => "the number of operations",
        })
    }
}

impl fmt::Display for EntryPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Did => "the DIDs",
            Self::OperationHash => "the hashes",
            Self::Listing => "the listing",
            Self::Kind => "the kinds",
            Self::LetterCase => "the letter case",
            Self::Blanks => "the blanks",
        })
    }
}

impl FlawedStore {
    /// The delivered blocks as the store takes them.
    pub(super) fn blind_to(&self, content: &Content, delivered: &[PublishedBlock]) -> Vec<PublishedBlock> {
        let mut blocks = delivered.to_vec();
        let Flaw::BlindTo(part, origin) = self.flaw else {
            return blocks;
        };
        let lowest = delivered.iter().map(|block| block.number).min();
        for (place, block) in blocks.iter_mut().enumerate() {
            let is_unseen = match origin {
                Origin::Loaded => self.is_loaded(block.number),
                Origin::Reopened => self.opening.found.contains(&block.number),
                Origin::LateInCall => place >= 1_000,
                Origin::AmongOthers => Some(block.number) != lowest,
            };
            if let Some(stored) = content.blocks.get(&block.number).filter(|_| is_unseen) {
                part.heal(block, &stored.published());
            }
        }
        blocks
    }

    fn is_loaded(&self, number: BlockNo) -> bool {
        let loaded = self.shared.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.contains(&number)
    }

    /// The expected cursor as the store takes it.
    pub(super) fn expected_of(
        &self,
        method: Method,
        expected: Option<Cursor>,
        stored: Option<Cursor>,
    ) -> Option<Cursor> {
        match self.flaw {
            Flaw::BlindToExpected(flawed, CursorPart::Absence) if flawed == method && expected.is_none() => stored,
            Flaw::BlindToExpected(flawed, part) if flawed == method => part.heal(expected, stored),
            _ => expected,
        }
    }

    /// What a load is put onto, as the store takes it.
    pub(super) fn bound_of(&self, onto: LedgerBound) -> LedgerBound {
        let Flaw::BlindToBound(part) = self.flaw else {
            return onto;
        };
        let stored = self.model.content().bound();
        match part {
            CursorPart::LastPosition => LedgerBound {
                last: stored.last,
                ..onto
            },
            CursorPart::Operations => LedgerBound {
                operations: stored.operations,
                ..onto
            },
            part => LedgerBound {
                cursor: part.heal(onto.cursor, stored.cursor),
                ..onto
            },
        }
    }

    /// The entries of a batch without those that are taken for another one's repetition.
    pub(super) fn blind_to_entries(&self, batch: &[IndexEntry]) -> Vec<IndexEntry> {
        let Flaw::BlindToEntry(part) = self.flaw else {
            return batch.to_vec();
        };
        let mut kept: Vec<IndexEntry> = Vec::new();
        for entry in batch {
            let is_known =
                |known: &IndexEntry| known.position == entry.position && part.equates(&known.outcome, &entry.outcome);
            if !kept.iter().any(is_known) {
                kept.push(entry.clone());
            }
        }
        kept
    }
}

impl Part {
    /// Makes the block equal to the stored one in this.
    fn heal(self, block: &mut PublishedBlock, stored: &PublishedBlock) {
        match self {
            Self::Hash => block.hash = stored.hash,
            Self::Slot => block.slot = stored.slot,
            Self::Time => block.time = stored.time,
            Self::MissingTransaction => {
                let is_there =
                    |known: &PublishedTransaction| block.transactions.iter().any(|other| other.absn == known.absn);
                let missing: Vec<_> = stored
                    .transactions
                    .iter()
                    .filter(|known| !is_there(known))
                    .cloned()
                    .collect();
                block.transactions.extend(missing);
            }
            Self::AddedTransaction => block
                .transactions
                .retain(|transaction| stored.transactions.iter().any(|known| known.absn == transaction.absn)),
            Self::Absn => {
                for transaction in &mut block.transactions {
                    if let Some(known) = stored.transactions.iter().find(|known| known.id == transaction.id) {
                        transaction.absn = known.absn;
                    }
                }
            }
            _ => {
                for transaction in &mut block.transactions {
                    if let Some(known) = stored.transactions.iter().find(|known| known.absn == transaction.absn) {
                        self.heal_transaction(transaction, known);
                    }
                }
            }
        }
    }

    fn heal_transaction(self, transaction: &mut PublishedTransaction, stored: &PublishedTransaction) {
        match self {
            Self::Id => transaction.id = stored.id,
            Self::Osn => {
                for operation in &mut transaction.operations {
                    if let Some(known) = stored.operations.iter().find(|known| known.bytes == operation.bytes) {
                        operation.osn = known.osn;
                    }
                }
            }
            Self::Bytes | Self::Length => {
                for operation in &mut transaction.operations {
                    let known = stored.operations.iter().find(|known| known.osn == operation.osn);
                    let is_unseen = |known: &[u8], found: &[u8]| {
                        if self == Self::Bytes {
                            known.len() == found.len()
                        } else {
                            known.starts_with(found) || found.starts_with(known)
                        }
                    };
                    if let Some(known) = known
                        && is_unseen(known.bytes.as_slice(), operation.bytes.as_slice())
                    {
                        operation.bytes = known.bytes.clone();
                    }
                }
            }
            Self::MissingOperation => {
                let operations = &mut transaction.operations;
                for known in &stored.operations {
                    if !operations.iter().any(|operation| operation.osn == known.osn) {
                        operations.push(known.clone());
                    }
                }
            }
            Self::AddedOperation => transaction
                .operations
                .retain(|operation| stored.operations.iter().any(|known| known.osn == operation.osn)),
            _ => {}
        }
    }
}

impl CursorPart {
    /// Makes the cursor equal to the stored one in this.
    fn heal(self, cursor: Option<Cursor>, stored: Option<Cursor>) -> Option<Cursor> {
        let (Some(cursor), Some(stored)) = (cursor, stored) else {
            return cursor;
        };
        Some(match self {
            Self::Slot => Cursor {
                slot: stored.slot,
                ..cursor
            },
            Self::Number => Cursor {
                block: stored.block,
                ..cursor
            },
            Self::Hash => Cursor {
                hash: stored.hash,
                ..cursor
            },
            Self::Absence | Self::LastPosition | Self::Operations => cursor,
        })
    }
}

impl EntryPart {
    /// Whether two outcomes differ in this alone, or not at all.
    fn equates(self, one: &IndexOutcome, other: &IndexOutcome) -> bool {
        use IndexOutcome::{Did, Ignored, Storage, Undecodable};
        let fold = |text: &str| match self {
            Self::LetterCase => text.to_lowercase(),
            Self::Blanks => text.trim().to_owned(),
            _ => text.to_owned(),
        };
        match (one, other) {
            (
                Did {
                    did,
                    operation_hash,
                    lists_did,
                },
                Did {
                    did: other_did,
                    operation_hash: other_hash,
                    lists_did: other_listing,
                },
            ) => {
                (did == other_did || self == Self::Did)
                    && (operation_hash == other_hash || self == Self::OperationHash)
                    && (lists_did == other_listing || self == Self::Listing)
            }
            (
                Storage { did, operation_hash },
                Storage {
                    did: other_did,
                    operation_hash: other_hash,
                },
            ) => {
                (did == other_did || self == Self::Did) && (operation_hash == other_hash || self == Self::OperationHash)
            }
            (Ignored { reason }, Ignored { reason: other })
            | (Undecodable { reason }, Undecodable { reason: other }) => fold(reason.as_str()) == fold(other.as_str()),
            (Ignored { reason }, Undecodable { reason: other })
            | (Undecodable { reason }, Ignored { reason: other }) => self == Self::Kind && reason == other,
            _ => false,
        }
    }
}
