//! Refusals that are not those of the contract.

use node_storage_contract::{Conflict, ConflictReason, StorageError, Subject};

use super::list::Fault;

/// A conflict.
pub(super) fn conflict(at: impl Into<Subject>, reason: ConflictReason) -> StorageError {
    StorageError::Conflict(Conflict { at: at.into(), reason })
}

/// Returns what the fault makes of the refusal of a call whose first block is `first`; `None` if it ignores the refusal.
pub(super) fn refusal(fault: Option<Fault>, error: StorageError, first: Option<Subject>) -> Option<StorageError> {
    let StorageError::Conflict(found) = error else {
        return Some(error);
    };
    match fault {
        Some(fault) if fault == ignored_with(found.reason) => None,
        Some(Fault::NamesFirstBlockInConflict) => Some(conflict(first.unwrap_or(found.at), found.reason)),
        Some(Fault::ConflictIsDamage) => Some(StorageError::corrupt(
            "the database",
            "a unique constraint was violated",
        )),
        Some(Fault::ConflictIsRetryable) => Some(StorageError::Unavailable {
            retryable: true,
            detail: "a unique constraint was violated".to_owned(),
        }),
        _ => Some(found.into()),
    }
}

/// Returns the fault that ignores conflicts for this reason.
const fn ignored_with(reason: ConflictReason) -> Fault {
    match reason {
        ConflictReason::OtherBlockHash => Fault::IgnoresOtherBlockHash,
        ConflictReason::OtherSlot => Fault::IgnoresOtherSlot,
        ConflictReason::OtherBlockTime => Fault::IgnoresOtherBlockTime,
        ConflictReason::OtherTransactionId => Fault::IgnoresOtherTransactionId,
        ConflictReason::OtherOperation => Fault::IgnoresOtherOperation,
        ConflictReason::OperationMissing => Fault::IgnoresMissingOperation,
        ConflictReason::OperationAdded => Fault::IgnoresAddedOperation,
        ConflictReason::BelowCursor => Fault::IgnoresBlockBelowCursor,
        ConflictReason::SlotOrder => Fault::IgnoresSlotOrder,
        ConflictReason::TransactionElsewhere { .. } => Fault::IgnoresTransactionElsewhere,
        ConflictReason::CursorBelowBlocks { .. } => Fault::IgnoresCursorBelowBlocks,
        ConflictReason::CursorFork { .. } => Fault::IgnoresCursorFork,
        ConflictReason::CursorOrder { .. } => Fault::IgnoresCursorOrder,
        ConflictReason::UnknownPosition => Fault::IgnoresUnknownPosition,
        ConflictReason::IndexGap => Fault::IgnoresIndexGap,
        ConflictReason::IndexedTwice => Fault::IgnoresEntryTwice,
    }
}
