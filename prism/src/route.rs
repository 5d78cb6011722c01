//! Which DID an operation belongs to.

use std::fmt;

use crate::digest::{DidSuffix, OperationHash};
use crate::operation::{Operation, SignedOperation, UndecodableOperation};
use crate::state::judge_create;

/// Where an operation has to be replayed. Routing looks at one operation alone; only replaying judges it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// A create, update or deactivation, unjudged, at the DID that it creates or names.
    Did {
        /// The DID.
        did: DidSuffix,
        /// The operation's hash.
        operation_hash: OperationHash,
        /// Whether it makes the DID listable: a create that keeps every rule that one operation alone can keep,
        /// signature included.
        lists_did: bool,
    },
    /// The create of a storage entry, unjudged, at the DID that it names.
    StorageCreate {
        /// The owner of the entry.
        did: DidSuffix,
        /// The operation's hash: the reference of the entry.
        operation_hash: OperationHash,
    },
    /// The update or deactivation of a storage entry. Its owner is that of the storage operation it follows, which must
    /// stand at a lower position; if none does, it is ignored for good.
    StorageChange {
        /// The storage operation that it follows.
        predecessor: OperationHash,
        /// The operation's hash.
        operation_hash: OperationHash,
    },
    /// An operation that cannot have an effect on any DID.
    Ignored(IgnoredReason),
}

/// Why an operation belongs to no DID. `Display` is a short text that stays: an index keeps it, and
/// [`IgnoredReason::from_text`] reads it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IgnoredReason {
    /// Missing, of the old protocol, or of an unknown kind.
    NoOperation,
    /// A protocol version update.
    ProtocolVersionUpdate,
    /// The `id` of an update or deactivation is not a DID suffix.
    InvalidDidId,
    /// The `did_prism_hash` of a storage create is not 32 bytes long.
    InvalidStorageOwner,
    /// The `previous_event_hash` of a storage update or deactivation is not 32 bytes long.
    InvalidPreviousEvent,
    /// No storage operation that a storage update or deactivation follows stands before it. Only an index knows that.
    UnknownPreviousEvent,
}

impl IgnoredReason {
    const ALL: [Self; 6] = [
        Self::NoOperation,
        Self::ProtocolVersionUpdate,
        Self::InvalidDidId,
        Self::InvalidStorageOwner,
        Self::InvalidPreviousEvent,
        Self::UnknownPreviousEvent,
    ];

    /// The reason with this text; none for a text of another version.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.text() == text)
    }

    fn text(self) -> &'static str {
        match self {
            Self::NoOperation => "no operation",
            Self::ProtocolVersionUpdate => "protocol version update",
            Self::InvalidDidId => "DID id is not 64 lowercase hexadecimal digits",
            Self::InvalidStorageOwner => "storage owner is not a 32-byte hash",
            Self::InvalidPreviousEvent => "previous event is not a 32-byte hash",
            Self::UnknownPreviousEvent => "no storage operation that it follows stands before it",
        }
    }
}

impl fmt::Display for IgnoredReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// Routes the bytes of a `SignedPrismOperation`.
pub fn route(signed_operation: &[u8]) -> Result<Route, UndecodableOperation> {
    let signed = SignedOperation::decode(signed_operation)?;
    let operation_hash = signed.hash;
    let named_did = |id: &str| match id.parse() {
        Ok(did) => Route::Did {
            did,
            operation_hash,
            lists_did: false,
        },
        Err(_) => Route::Ignored(IgnoredReason::InvalidDidId),
    };
    let change = |previous_event_hash: &[u8]| match OperationHash::try_from(previous_event_hash) {
        Ok(predecessor) => Route::StorageChange {
            predecessor,
            operation_hash,
        },
        Err(_) => Route::Ignored(IgnoredReason::InvalidPreviousEvent),
    };
    Ok(match &signed.operation {
        None => Route::Ignored(IgnoredReason::NoOperation),
        Some(Operation::CreateDid(create)) => Route::Did {
            did: DidSuffix::from(operation_hash),
            operation_hash,
            lists_did: judge_create(&signed, create).is_ok(),
        },
        Some(Operation::UpdateDid(update)) => named_did(&update.id),
        Some(Operation::DeactivateDid(deactivate)) => named_did(&deactivate.id),
        Some(Operation::CreateStorageEntry(create)) => match DidSuffix::try_from(create.did_prism_hash.as_slice()) {
            Ok(did) => Route::StorageCreate { did, operation_hash },
            Err(_) => Route::Ignored(IgnoredReason::InvalidStorageOwner),
        },
        Some(Operation::UpdateStorageEntry(update)) => change(&update.previous_event_hash),
        Some(Operation::DeactivateStorageEntry(deactivate)) => change(&deactivate.previous_event_hash),
        Some(Operation::ProtocolVersionUpdate(_)) => Route::Ignored(IgnoredReason::ProtocolVersionUpdate),
    })
}
