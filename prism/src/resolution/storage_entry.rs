//! Resolving a storage entry: from the operations of its owner to its state and its events (Cardano PRISM VDR Specification).

use std::collections::HashSet;

use super::{Version, VersionReplay};
use crate::digest::{DidSuffix, OperationHash};
use crate::ledger::BlockTime;
use crate::rejection::Rejection;
use crate::route::{Route, route};
use crate::state::{LedgerOperation, StorageEntry};

/// The storage entry, or the version of it that is asked for, does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryNotFound {
    /// No valid create has this hash.
    #[error("no storage entry was created by an operation with this hash")]
    Entry,
    /// No version has this id.
    #[error("no event {version_id} of a storage entry with this hash took effect")]
    VersionId {
        /// The id asked for.
        version_id: OperationHash,
    },
    /// The entry was created later, or never.
    #[error("no storage entry with this hash existed at {version_time}")]
    VersionTime {
        /// The time asked for.
        version_time: BlockTime,
    },
}

impl EntryNotFound {
    /// What is wrong with an entry that does not exist at this version.
    pub fn at(version: Version) -> Self {
        match version {
            Version::Latest => Self::Entry,
            Version::Id(version_id) => Self::VersionId { version_id },
            Version::Time(version_time) => Self::VersionTime { version_time },
        }
    }
}

/// Resolves one storage entry from the operations of its owner.
#[derive(Debug, Clone)]
pub struct EntryResolver {
    reference: OperationHash,
    replay: VersionReplay,
}

impl EntryResolver {
    /// Starts before the first operation of `owner`, whose entry `reference` names.
    pub fn new(owner: DidSuffix, reference: OperationHash, version: Version) -> Self {
        Self {
            reference,
            replay: VersionReplay::new(owner, version),
        }
    }

    /// Judges the next operation of the owner, in ascending position; none if it comes after the version that is asked for.
    pub fn push(&mut self, operation: &LedgerOperation) -> Option<Result<(), Rejection>> {
        self.replay.push(operation, |state| {
            state.storage_entry(&self.reference).map(|entry| entry.latest_event)
        })
    }

    /// Whether no further operation can change the answer.
    pub fn is_complete(&self) -> bool {
        self.replay.reached
    }

    /// The entry at that version, once all operations were taken.
    pub fn finish(&self) -> Result<StorageEntry, EntryNotFound> {
        let entry = self
            .replay
            .state()
            .and_then(|state| state.storage_entry(&self.reference));
        entry.cloned().ok_or_else(|| EntryNotFound::at(self.replay.version))
    }
}

/// Tells the events of one storage entry from the other operations of its owner: every publication of its create, and
/// every operation that links to one of its events at a lower position. All of them count, valid or not.
#[derive(Debug, Clone)]
pub struct EntryLinks {
    reference: OperationHash,
    events: HashSet<OperationHash>,
}

impl EntryLinks {
    /// Starts before the first operation of the owner.
    pub fn new(reference: OperationHash) -> Self {
        Self {
            reference,
            events: HashSet::new(),
        }
    }

    /// Whether the next operation of the owner, in ascending position, is an event of the entry.
    pub fn follow(&mut self, operation: &LedgerOperation) -> bool {
        let event = match route(operation.bytes.as_slice()) {
            Ok(Route::StorageCreate { operation_hash, .. }) if operation_hash == self.reference => operation_hash,
            Ok(Route::StorageChange {
                predecessor,
                operation_hash,
            }) if self.events.contains(&predecessor) => operation_hash,
            _ => return false,
        };
        self.events.insert(event);
        true
    }
}
