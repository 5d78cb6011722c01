//! The rules that an operation can break, each under a name that stays (protocol.md#rules).

use std::fmt;

use crate::content::InvalidContent;
use crate::item_id::InvalidItemId;
use crate::key::InvalidKey;
use crate::rejection::{InvalidAction, Rejection};
use crate::route::IgnoredReason;
use crate::service::{InvalidService, InvalidServiceEndpoint, InvalidServiceType};

/// Makes the enumeration and its texts out of one list: what a rule says, its name here, its name for others, and the
/// sections of the book that state it.
macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident = $token:literal in $($section:literal),+;)+) => {
        /// A rule that an operation breaks. `Display` writes the token.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Rule {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Rule {
            /// All rules, in the order of the book.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name for programs, in snake case. It is never used for anything else.
            pub const fn token(self) -> &'static str {
                match self {
                    $(Self::$name => $token,)+
                }
            }

            /// When an operation breaks it, for people.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// The anchors of the sections of docs/src/reference/protocol.md that state it, at least one.
            pub const fn sections(self) -> &'static [&'static str] {
                match self {
                    $(Self::$name => &[$($section),+],)+
                }
            }
        }
    };
}

rules! {
    /// The bytes are no signed operation.
    Undecodable = "undecodable" in "decoding";
    /// There is no operation in it, or one of a kind that this version of the protocol does not have.
    NoOperation = "no_operation" in "decoding";
    /// It announces a version of the protocol, which nobody can sign.
    ProtocolVersionUpdate = "protocol_version_update" in "protocol-version";
    /// The `id` of an update or deactivation is not 64 lowercase hexadecimal digits.
    DidIdSyntax = "did_id_syntax" in "routing";
    /// The `did_prism_hash` of the create of a storage entry is not 32 bytes.
    StorageOwnerSyntax = "storage_owner_syntax" in "routing";
    /// The `previous_event_hash` of a storage event is not 32 bytes.
    PreviousEventSyntax = "previous_event_syntax" in "routing";
    /// No storage event with the hash `previous_event_hash` stands before it.
    PreviousEventUnknown = "previous_event_unknown" in "routing", "storage-entries";
    /// It belongs to no DID, for a reason that only the version of the node that indexed it knows.
    Other = "other" in "routing";
    /// It names another DID than the one that it was replayed for.
    OtherDid = "other_did" in "routing";
    /// It was replayed after an operation that stands at the same or a higher position.
    OutOfOrder = "out_of_order" in "order";

    /// The DID of a create exists already.
    AlreadyCreated = "already_created" in "create";
    /// The DID does not exist: no valid create stands before it.
    NotCreated = "not_created" in "update", "deactivate", "storage-entries";
    /// The DID was deactivated before.
    Deactivated = "deactivated" in "update", "deactivate", "storage-entries";
    /// `previous_operation_hash` is not the last operation hash of the DID.
    PreviousOperationHash = "previous_operation_hash" in "update", "deactivate";
    /// `previous_event_hash` is not the hash of the latest valid event of an entry of the DID that is not deactivated.
    PreviousEventHash = "previous_event_hash" in "storage-entries";
    /// The create of a storage entry that was created already.
    StorageEntryExists = "storage_entry_exists" in "storage-entries";

    /// `signed_with` is the id of no key that the DID has or had.
    SignerUnknown = "signer_unknown" in "create", "update", "deactivate", "storage-entries";
    /// `signed_with` is the id of a key that was revoked before.
    SignerRevoked = "signer_revoked" in "update", "deactivate", "storage-entries";
    /// The key that `signed_with` names has another usage than MASTER, or than VDR for a storage event.
    SignerUsage = "signer_usage" in "create", "update", "deactivate", "storage-entries";
    /// The signature is not strict DER, or not one of the named key over the operation as found.
    Signature = "signature" in "signatures";

    /// A create without `did_data`.
    DidDataMissing = "did_data_missing" in "create";
    /// No MASTER key would be active.
    NoMasterKey = "no_master_key" in "create", "update";
    /// More than 50 keys would be active.
    TooManyKeys = "too_many_keys" in "create", "update";
    /// More than 50 services would be active.
    TooManyServices = "too_many_services" in "create", "update";
    /// The id of a key or service is in use, or was before.
    DuplicateId = "duplicate_id" in "create", "update";
    /// A context is listed twice.
    DuplicateContext = "duplicate_context" in "contexts";

    /// The id of a key or service is empty, or no RFC 3986 fragment.
    IdSyntax = "id_syntax" in "ids";
    /// The id of a key or service has more than 50 characters.
    IdTooLong = "id_too_long" in "ids";
    /// The usage of a key is none of the numbers 1 to 8.
    KeyUsageUnknown = "key_usage_unknown" in "keys";
    /// A key has neither `ec_key_data` nor `compressed_ec_key_data`.
    KeyDataMissing = "key_data_missing" in "keys";
    /// The curve of a key is none that its field may have.
    KeyCurve = "key_curve" in "keys";
    /// The data of a key are of another length than the protocol fixes, or no point of the curve.
    KeyPoint = "key_point" in "keys";
    /// A MASTER or VDR key is not on secp256k1.
    SigningKeyCurve = "signing_key_curve" in "keys";
    /// A service type is neither a name nor a compact list of names.
    ServiceTypeSyntax = "service_type_syntax" in "service-types";
    /// A service type has more than 100 characters.
    ServiceTypeTooLong = "service_type_too_long" in "service-types";
    /// A service endpoint is neither an absolute URI, a JSON object, nor a JSON array of these.
    ServiceEndpointSyntax = "service_endpoint_syntax" in "service-endpoints";
    /// A service endpoint has more than 300 characters.
    ServiceEndpointTooLong = "service_endpoint_too_long" in "service-endpoints";

    /// An update without actions.
    NoActions = "no_actions" in "update";
    /// An action is none of the six that the protocol has.
    ActionMissing = "action_missing" in "update";
    /// `add_key` without a key, or `add_service` without a service.
    ActionIncomplete = "action_incomplete" in "update";
    /// The key or service to remove or change is not active.
    NotActive = "not_active" in "update";
    /// `update_service` has neither a type nor an endpoint.
    ServiceUnchanged = "service_unchanged" in "update";
    /// `patch_context` clears a context that is empty.
    ContextUnchanged = "context_unchanged" in "update";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.token())
    }
}

impl Rejection {
    /// The rule that the operation breaks. `Display` of the rejection says how.
    pub fn rule(&self) -> Rule {
        match self {
            Self::Undecodable(_) => Rule::Undecodable,
            Self::OutOfOrder { .. } => Rule::OutOfOrder,
            Self::NoOperation => Rule::NoOperation,
            Self::ProtocolVersionUpdate => Rule::ProtocolVersionUpdate,
            Self::OtherDid => Rule::OtherDid,
            Self::AlreadyCreated => Rule::AlreadyCreated,
            Self::NotCreated => Rule::NotCreated,
            Self::Deactivated => Rule::Deactivated,
            Self::Content(reason) => reason.into(),
            Self::PreviousOperation => Rule::PreviousOperationHash,
            Self::NoActions => Rule::NoActions,
            Self::Action { reason, .. } => reason.into(),
            Self::UnknownSigner(_) => Rule::SignerUnknown,
            Self::RevokedSigner(_) => Rule::SignerRevoked,
            Self::SignerUsage { .. } => Rule::SignerUsage,
            Self::Signature => Rule::Signature,
            Self::StorageEntryExists => Rule::StorageEntryExists,
            Self::PreviousEvent => Rule::PreviousEventHash,
        }
    }
}

impl IgnoredReason {
    /// The rule that keeps the operation from belonging to a DID.
    pub fn rule(self) -> Rule {
        match self {
            Self::NoOperation => Rule::NoOperation,
            Self::ProtocolVersionUpdate => Rule::ProtocolVersionUpdate,
            Self::InvalidDidId => Rule::DidIdSyntax,
            Self::InvalidStorageOwner => Rule::StorageOwnerSyntax,
            Self::InvalidPreviousEvent => Rule::PreviousEventSyntax,
            Self::UnknownPreviousEvent => Rule::PreviousEventUnknown,
        }
    }
}

impl From<&InvalidContent> for Rule {
    fn from(reason: &InvalidContent) -> Self {
        match reason {
            InvalidContent::MissingDidData => Self::DidDataMissing,
            InvalidContent::NoMasterKey => Self::NoMasterKey,
            InvalidContent::TooManyKeys => Self::TooManyKeys,
            InvalidContent::TooManyServices => Self::TooManyServices,
            InvalidContent::Key { reason, .. } => reason.into(),
            InvalidContent::Service { reason, .. } => reason.into(),
            InvalidContent::DuplicateId(_) => Self::DuplicateId,
            InvalidContent::DuplicateContext(_) => Self::DuplicateContext,
        }
    }
}

impl From<&InvalidAction> for Rule {
    fn from(reason: &InvalidAction) -> Self {
        match reason {
            InvalidAction::Missing => Self::ActionMissing,
            InvalidAction::MissingKey | InvalidAction::MissingService => Self::ActionIncomplete,
            InvalidAction::Key(reason) => reason.into(),
            InvalidAction::Service(reason) => reason.into(),
            InvalidAction::DuplicateId(_) => Self::DuplicateId,
            InvalidAction::NotActive(_) => Self::NotActive,
            InvalidAction::ServiceUnchanged => Self::ServiceUnchanged,
            InvalidAction::ContextUnchanged => Self::ContextUnchanged,
            InvalidAction::Context(reason) => reason.into(),
        }
    }
}

impl From<&InvalidKey> for Rule {
    fn from(reason: &InvalidKey) -> Self {
        match reason {
            InvalidKey::Id(reason) => reason.into(),
            InvalidKey::Usage(_) => Self::KeyUsageUnknown,
            InvalidKey::MissingKeyData => Self::KeyDataMissing,
            InvalidKey::Curve { .. } => Self::KeyCurve,
            InvalidKey::Point(_) => Self::KeyPoint,
            InvalidKey::SignerCurve(_) => Self::SigningKeyCurve,
        }
    }
}

impl From<&InvalidService> for Rule {
    fn from(reason: &InvalidService) -> Self {
        match reason {
            InvalidService::Id(reason) => reason.into(),
            InvalidService::Type(InvalidServiceType::TooLong) => Self::ServiceTypeTooLong,
            InvalidService::Type(InvalidServiceType::Syntax(_)) => Self::ServiceTypeSyntax,
            InvalidService::Endpoint(InvalidServiceEndpoint::TooLong) => Self::ServiceEndpointTooLong,
            InvalidService::Endpoint(InvalidServiceEndpoint::Syntax(_)) => Self::ServiceEndpointSyntax,
        }
    }
}

impl From<&InvalidItemId> for Rule {
    fn from(reason: &InvalidItemId) -> Self {
        match reason {
            InvalidItemId::Empty | InvalidItemId::NotAFragment(_) => Self::IdSyntax,
            InvalidItemId::TooLong => Self::IdTooLong,
        }
    }
}
