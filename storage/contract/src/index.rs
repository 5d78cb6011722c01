//! The judgement of an index batch.

use std::collections::BTreeMap;
use std::fmt;

use did_prism::digest::{DidSuffix, OperationHash};
use did_prism::ledger::OperationPosition;

use crate::{Conflict, ConflictReason, Result};

/// Why an operation belongs to no DID: 1…200 characters, none of them a control character, so that every engine can
/// store it and a log line can show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// The longest reason, in characters.
    pub const MAX_LENGTH: usize = 200;

    /// The text, with control characters replaced and cut to the longest length.
    pub fn new(text: impl fmt::Display) -> Self {
        let text: String = text
            .to_string()
            .chars()
            .map(|character| {
                if character.is_control() {
                    char::REPLACEMENT_CHARACTER
                } else {
                    character
                }
            })
            .take(Self::MAX_LENGTH)
            .collect();
        Self(if text.is_empty() { "unknown".to_owned() } else { text })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What indexing made of one stored operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexOutcome {
    /// A create, update or deactivation, routed to the DID it names, whether or not it is valid.
    Did {
        /// The DID.
        did: DidSuffix,
        /// Hash of the operation.
        operation_hash: OperationHash,
        /// Whether it is a create that passes every rule, so that its DID is listed.
        lists_did: bool,
    },
    /// An operation on a storage entry, routed to the owner of the entry, whether or not it is valid.
    Storage {
        /// The owner.
        did: DidSuffix,
        /// Hash of the operation.
        operation_hash: OperationHash,
    },
    /// An operation that belongs to no DID.
    Ignored {
        /// Why.
        reason: Reason,
    },
    /// Bytes that are no operation.
    Undecodable {
        /// What is wrong with them.
        reason: Reason,
    },
}

impl IndexOutcome {
    /// The DID that the operation is routed to.
    pub const fn did(&self) -> Option<DidSuffix> {
        match self {
            Self::Did { did, .. } | Self::Storage { did, .. } => Some(*did),
            Self::Ignored { .. } | Self::Undecodable { .. } => None,
        }
    }
}

/// The outcome for the operation at one position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    /// The position.
    pub position: OperationPosition,
    /// What indexing made of the operation there.
    pub outcome: IndexOutcome,
}

/// The entries of one call by position, each position once.
///
/// A backend makes the plan, opens its write transaction, locks and reads the watermark, reads the stored positions from
/// the first entry to the last and the one after the watermark, and writes what [`IndexPlan::against`] answers.
#[derive(Debug)]
pub struct IndexPlan<'a> {
    entries: BTreeMap<OperationPosition, &'a IndexOutcome>,
}

impl<'a> IndexPlan<'a> {
    /// Brings the entries of one call into order.
    ///
    /// # Errors
    /// `Conflict` for two different entries of one position.
    pub fn new(batch: &'a [IndexEntry]) -> Result<Self> {
        let mut entries: BTreeMap<OperationPosition, &'a IndexOutcome> = BTreeMap::new();
        for entry in batch {
            if let Some(other) = entries.insert(entry.position, &entry.outcome)
                && *other != entry.outcome
            {
                return Err(Conflict::error(entry.position, ConflictReason::IndexedTwice));
            }
        }
        Ok(Self { entries })
    }

    /// First and last position of the batch; `None` for an empty one, which does nothing.
    pub fn span(&self) -> Option<(OperationPosition, OperationPosition)> {
        let (first, _) = self.entries.first_key_value()?;
        let (last, _) = self.entries.last_key_value()?;
        Some((*first, *last))
    }

    /// One more than the batch has positions: as many stored positions as are needed to judge it.
    pub fn positions_needed(&self) -> i64 {
        i64::try_from(self.entries.len()).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// The entries to add, by position: all above the watermark.
    ///
    /// `stored` are the stored positions within [`IndexPlan::span`] in order, up to [`IndexPlan::positions_needed`];
    /// `next` is the lowest stored position above the watermark.
    ///
    /// # Errors
    /// `Conflict` where the batch leaves a stored operation out, or names a position where none is stored.
    pub fn against(
        &self,
        watermark: Option<OperationPosition>,
        stored: &[OperationPosition],
        next: Option<OperationPosition>,
    ) -> Result<Vec<(OperationPosition, &'a IndexOutcome)>> {
        let mut stored = stored.iter().copied().peekable();
        for position in self.entries.keys() {
            match stored.next_if(|stored| stored <= position) {
                Some(found) if found == *position => {}
                Some(skipped) => return Err(Conflict::error(skipped, ConflictReason::IndexGap)),
                None => return Err(Conflict::error(*position, ConflictReason::UnknownPosition)),
            }
        }
        let new: Vec<_> = self
            .entries
            .iter()
            .filter(|(position, _)| watermark.is_none_or(|watermark| **position > watermark))
            .map(|(position, outcome)| (*position, *outcome))
            .collect();
        match (new.first(), next) {
            (Some((first, _)), Some(next)) if next < *first => Err(Conflict::error(next, ConflictReason::IndexGap)),
            _ => Ok(new),
        }
    }
}
