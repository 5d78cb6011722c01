//! Why an operation has no effect.

use crate::content::{InvalidContent, NotActive};
use crate::key::KeyUsage;
use crate::ledger::OperationPosition;
use crate::operation::UndecodableOperation;
pub use crate::update::InvalidAction;

/// Why an operation has no effect on the DID it was replayed for. The state, its last operation hash included, is as it
/// was; operations that follow are judged against that. [`Rejection::rule`] names the rule, `Display` says how it is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It does not decode.
    #[error(transparent)]
    Undecodable(#[from] UndecodableOperation),
    /// It stands at or below an operation that was replayed before; replay in ascending order.
    #[error("operation at {position} was replayed after that at {last}")]
    OutOfOrder {
        /// Where it stands.
        position: OperationPosition,
        /// The last position that was replayed.
        last: OperationPosition,
    },
    /// No operation, one of the old protocol, or one of an unknown kind.
    #[error("no operation")]
    NoOperation,
    /// Only `SYSTEM_UPDATE_DID` could sign a protocol version update, and that DID was never published.
    #[error("protocol version update")]
    ProtocolVersionUpdate,
    /// It names another DID.
    #[error("operation belongs to another DID")]
    OtherDid,
    /// A create of a DID that is on the ledger already.
    #[error("DID was created before")]
    AlreadyCreated,
    /// An operation on a DID that no valid create stands before.
    #[error("DID was not created before")]
    NotCreated,
    /// An operation on a DID that was deactivated before.
    #[error("DID was deactivated before")]
    Deactivated,
    /// The content that the operation gives the DID breaks a rule.
    #[error(transparent)]
    Content(#[from] InvalidContent),
    /// `previous_operation_hash` is not the hash of the DID's last operation.
    #[error("previous operation hash is not that of the DID's last operation")]
    PreviousOperation,
    /// An update without actions.
    #[error("update has no actions")]
    NoActions,
    /// An action of an update breaks a rule.
    #[error("action {index}: {reason}")]
    Action {
        /// Which action, counted from 0.
        index: usize,
        /// The rule.
        reason: InvalidAction,
    },
    /// `signed_with` names no key that the DID has or had.
    #[error("signer: {0}")]
    UnknownSigner(NotActive),
    /// `signed_with` names a key that was revoked before.
    #[error("signer: the key {0:?} was revoked before")]
    RevokedSigner(String),
    /// `signed_with` names a key that does not sign operations of this kind.
    #[error("signer is a {found} key, {needed} is needed")]
    SignerUsage {
        /// The usage that the key has.
        found: KeyUsage,
        /// The usage that it needs.
        needed: KeyUsage,
    },
    /// The signature is not strict DER, or not one of the named key over the operation.
    #[error("signature does not verify")]
    Signature,
    /// A storage create that was applied before.
    #[error("storage entry was created before")]
    StorageEntryExists,
    /// `previous_event_hash` is not the hash of the last event of a storage entry of the DID that was not deactivated.
    #[error("previous event hash is not that of the last event of a storage entry that was not deactivated")]
    PreviousEvent,
}
