//! Resolving a DID: from its operations to a document and its metadata (protocol.md#resolution, protocol.md#versions,
//! protocol.md#metadata). Resolving a storage entry, from the operations of its owner (protocol.md#storage-entries).

mod storage_entry;

pub use storage_entry::{EntryLinks, EntryNotFound, EntryResolver};

use serde::{Serialize, Serializer};

use crate::did::PrismDid;
use crate::digest::{DidSuffix, OperationHash};
use crate::document::{DidDocument, DocumentStyle};
use crate::ledger::BlockTime;
use crate::rejection::Rejection;
use crate::state::{DidState, LedgerOperation, Replay};

/// Which version of a DID, or of a storage entry, is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The state after all operations.
    Latest,
    /// `versionId`: the state right after the operation with this hash. The operations of a DID make versions of the DID,
    /// those of a storage entry of the entry; of either, only those that had an effect.
    Id(OperationHash),
    /// `versionTime`: the state after every operation whose block time, floored to the second, is not later.
    Time(BlockTime),
}

/// The DID, or the version of it that is asked for, does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// The DID is not on the ledger, and its canonical form says nothing about its content.
    #[error("{did} is not published")]
    Did {
        /// The DID.
        did: String,
    },
    /// No version has this id.
    #[error("{did} has no version {version_id}")]
    VersionId {
        /// The canonical DID.
        did: String,
        /// The id asked for.
        version_id: OperationHash,
    },
    /// The DID was published later, or never.
    #[error("{did} was not published at {version_time}")]
    VersionTime {
        /// The canonical DID.
        did: String,
        /// The time asked for.
        version_time: BlockTime,
    },
}

/// A resolved DID.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// The document; none if the DID is deactivated.
    pub document: Option<DidDocument>,
    /// The document's metadata.
    pub metadata: DocumentMetadata,
}

/// DID document metadata. Serialized without null members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentMetadata {
    /// Block time of the create, `YYYY-MM-DDThh:mm:ssZ`; none if the DID is not published.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "seconds")]
    pub created: Option<BlockTime>,
    /// Block time of the last update or of the deactivation; none if there was neither (DID Resolution, "updated": "omitted
    /// if an Update operation has never been performed").
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "seconds")]
    pub updated: Option<BlockTime>,
    /// Hash of the last operation on the DID; that of its create, which is its suffix, if it is not published.
    #[serde(serialize_with = "text")]
    pub version_id: OperationHash,
    /// Whether the DID is deactivated.
    pub deactivated: bool,
    /// The canonical form, if the long form of a published DID was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical_id: Option<String>,
}

/// Replays operations until the version that is asked for is reached.
#[derive(Debug, Clone)]
struct VersionReplay {
    version: Version,
    replay: Replay,
    /// Further operations do not matter.
    reached: bool,
}

impl VersionReplay {
    fn new(did: DidSuffix, version: Version) -> Self {
        Self {
            version,
            replay: Replay::new(did),
            reached: false,
        }
    }

    /// Judges the next operation; none if it comes after the version. `version_id` is that of the state that it leaves.
    fn push(
        &mut self,
        operation: &LedgerOperation,
        version_id: impl FnOnce(&DidState) -> Option<OperationHash>,
    ) -> Option<Result<(), Rejection>> {
        if let Version::Time(time) = self.version
            && operation.block_time.floor_to_second() > time
        {
            self.reached = true;
        }
        if self.reached {
            return None;
        }
        let judgement = self.replay.apply(operation);
        if let Version::Id(asked_for) = self.version {
            self.reached = self.replay.state().and_then(version_id) == Some(asked_for);
        }
        Some(judgement)
    }

    /// The state at the version; none before the DID was created, and if no version has the id.
    fn state(&self) -> Option<&DidState> {
        match self.version {
            Version::Id(_) if !self.reached => None,
            Version::Latest | Version::Id(_) | Version::Time(_) => self.replay.state(),
        }
    }
}

/// Resolves one DID from its operations.
#[derive(Debug, Clone)]
pub struct Resolver {
    did: PrismDid,
    replay: VersionReplay,
}

impl Resolver {
    /// Starts before the first operation of `did`.
    pub fn new(did: &PrismDid, version: Version) -> Self {
        Self {
            did: did.clone(),
            replay: VersionReplay::new(did.suffix(), version),
        }
    }

    /// Takes the next operation of the DID, in ascending position. Those without effect are passed over.
    pub fn push(&mut self, operation: &LedgerOperation) {
        // A rejected operation leaves the state alone, and it is the state alone that matters here.
        let _judgement = self.replay.push(operation, |state| Some(state.last_operation()));
    }

    /// Whether no further operation can change the answer.
    pub fn is_complete(&self) -> bool {
        self.replay.reached
    }

    /// The answer, once all operations were taken.
    ///
    /// As long as a DID is not published, its long form resolves to the content that it carries, without timestamps. That
    /// is so for every time before it was published, and for the version id of its create.
    pub fn finish(self, style: DocumentStyle) -> Result<Resolution, NotFound> {
        match (self.replay.state(), &self.did) {
            (Some(state), did) => Ok(published(did, state, style)),
            (None, PrismDid::LongForm(long_form)) if self.encoded_state_is_asked_for() => Ok(Resolution {
                document: Some(DidDocument::new(&self.did, long_form.content(), style)),
                metadata: DocumentMetadata {
                    created: None,
                    updated: None,
                    version_id: OperationHash::from(long_form.suffix()),
                    deactivated: false,
                    canonical_id: None,
                },
            }),
            _ => Err(self.not_found()),
        }
    }

    fn encoded_state_is_asked_for(&self) -> bool {
        match self.replay.version {
            Version::Latest | Version::Time(_) => true,
            Version::Id(version_id) => version_id == OperationHash::from(self.did.suffix()),
        }
    }

    fn not_found(&self) -> NotFound {
        let did = self.did.canonical();
        match self.replay.version {
            Version::Latest => NotFound::Did { did },
            Version::Id(version_id) => NotFound::VersionId { did, version_id },
            Version::Time(version_time) => NotFound::VersionTime { did, version_time },
        }
    }
}

fn published(did: &PrismDid, state: &DidState, style: DocumentStyle) -> Resolution {
    Resolution {
        document: (!state.is_deactivated()).then(|| DidDocument::new(did, state.content(), style)),
        metadata: DocumentMetadata {
            created: Some(state.created()),
            updated: state.updated(),
            version_id: state.last_operation(),
            deactivated: state.is_deactivated(),
            canonical_id: match did {
                PrismDid::Canonical(_) => None,
                PrismDid::LongForm(_) => Some(did.canonical()),
            },
        },
    }
}

// serde hands over a reference to the field.
#[allow(clippy::ref_option)]
fn seconds<S: Serializer>(time: &Option<BlockTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(BlockTime::to_rfc3339_seconds).serialize(serializer)
}

fn text<S: Serializer>(hash: &OperationHash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(hash)
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use secp256k1::{PublicKey, SecretKey, ecdsa};

    use super::*;
    use crate::did::LongFormDid;
    use crate::digest::sha256;
    use crate::ledger::{BlockNo, OperationIndex, OperationPosition, TransactionIndex};
    use crate::proto;
    use crate::proto::prism_operation::Operation;
    use crate::proto::{CompressedEcKeyData, KeyUsage, ProtoCreateDid, ProtoUpdateDid, UpdateDidAction};

    /// A create, an update in the next second and another in the same block as that.
    struct Example {
        long_form: PrismDid,
        hashes: [OperationHash; 3],
        operations: [LedgerOperation; 3],
    }

    fn example() -> Example {
        let secret = SecretKey::from_secret_bytes([7; 32]).unwrap();
        let create = encoded(Operation::CreateDid(ProtoCreateDid {
            did_data: Some(proto::proto_create_did::DidCreationData {
                public_keys: vec![proto::PublicKey {
                    id: "master0".to_owned(),
                    usage: KeyUsage::MasterKey.into(),
                    key_data: Some(proto::public_key::KeyData::CompressedEcKeyData(CompressedEcKeyData {
                        curve: "secp256k1".to_owned(),
                        data: PublicKey::from_secret_key(&secret).serialize().to_vec(),
                    })),
                }],
                services: vec![],
                context: vec![],
            }),
        }));
        let update = |previous: &[u8], context: &str| {
            encoded(Operation::UpdateDid(ProtoUpdateDid {
                previous_operation_hash: sha256(previous).to_vec(),
                id: OperationHash::of(&create).to_string(),
                actions: vec![UpdateDidAction {
                    action: Some(proto::update_did_action::Action::PatchContext(
                        proto::PatchContextAction {
                            context: vec![context.to_owned()],
                        },
                    )),
                }],
            }))
        };
        let first = update(&create, "first");
        let second = update(&first, "second");
        Example {
            long_form: PrismDid::LongForm(LongFormDid::of_create(&create).unwrap()),
            hashes: [&create, &first, &second].map(|operation| OperationHash::of(operation)),
            operations: [
                published(&secret, create, 10, 0, "2024-01-01T00:00:10.9Z"),
                published(&secret, first, 11, 0, "2024-01-01T00:00:11Z"),
                published(&secret, second, 11, 1, "2024-01-01T00:00:11Z"),
            ],
        }
    }

    fn encoded(operation: Operation) -> Vec<u8> {
        proto::PrismOperation {
            operation: Some(operation),
        }
        .encode_to_vec()
    }

    fn published(secret: &SecretKey, operation: Vec<u8>, block: u64, osn: u64, time: &str) -> LedgerOperation {
        let digest = secp256k1::Message::from_digest(sha256(&operation));
        let signed = proto::SignedPrismOperation {
            signed_with: "master0".to_owned(),
            signature: ecdsa::sign(digest, secret).serialize_der().to_vec(),
            operation: vec![operation],
        };
        LedgerOperation {
            position: OperationPosition {
                block: BlockNo::try_from(block).unwrap(),
                absn: TransactionIndex::MIN,
                osn: OperationIndex::try_from(osn).unwrap(),
            },
            block_time: time.parse().unwrap(),
            bytes: signed.encode_to_vec().try_into().unwrap(),
        }
    }

    /// The version's user context, `created`, `updated` and whether it has a canonical id; or none.
    fn resolved(did: &PrismDid, version: Version, operations: &[LedgerOperation]) -> Option<String> {
        let mut resolver = Resolver::new(did, version);
        for operation in operations {
            resolver.push(operation);
        }
        let Resolution { document, metadata } = resolver.finish(DocumentStyle::Minimal).ok()?;
        let second =
            |time: Option<BlockTime>| time.map_or("-".to_owned(), |time| time.to_rfc3339_seconds()[17..19].to_owned());
        Some(format!(
            "{} created {} updated {} {}",
            document?.context.get(1).map_or("encoded", String::as_str),
            second(metadata.created),
            second(metadata.updated),
            if metadata.canonical_id.is_some() {
                "published"
            } else {
                "as asked"
            },
        ))
    }

    #[test]
    fn every_version_of_a_did_is_found_by_its_id_and_by_its_time() {
        let Example {
            long_form,
            hashes,
            operations,
        } = example();
        let canonical = PrismDid::Canonical(long_form.suffix());
        let at = |second: &str| Version::Time(format!("2024-01-01T00:00:{second}Z").parse().unwrap());
        for (version, expected) in [
            (Version::Latest, Some("second created 10 updated 11 as asked")),
            (Version::Id(hashes[0]), Some("encoded created 10 updated - as asked")),
            (Version::Id(hashes[1]), Some("first created 10 updated 11 as asked")),
            (Version::Id(hashes[2]), Some("second created 10 updated 11 as asked")),
            (Version::Id(OperationHash::new([0; 32])), None),
            (at("09"), None),
            // The block's time is floored: what happened at 10.9 belongs to second 10.
            (at("10"), Some("encoded created 10 updated - as asked")),
            (at("10.95"), Some("encoded created 10 updated - as asked")),
            // A block counts as a whole.
            (at("11"), Some("second created 10 updated 11 as asked")),
        ] {
            assert_eq!(
                resolved(&canonical, version, &operations).as_deref(),
                expected,
                "{version:?}"
            );
        }
        assert_eq!(resolved(&canonical, Version::Latest, &[]), None);
    }

    #[test]
    fn a_long_form_stands_for_its_encoded_state_until_it_is_published() {
        let Example {
            long_form,
            hashes,
            operations,
        } = example();
        let at = |second: &str| Version::Time(format!("2024-01-01T00:00:{second}Z").parse().unwrap());
        let encoded = Some("encoded created - updated - as asked");
        for (version, expected) in [
            (Version::Latest, encoded),
            (Version::Id(hashes[0]), encoded),
            (Version::Id(hashes[1]), None),
            (at("59"), encoded),
        ] {
            assert_eq!(resolved(&long_form, version, &[]).as_deref(), expected, "{version:?}");
            // An update without its create changes nothing.
            assert_eq!(
                resolved(&long_form, version, &operations[1..]).as_deref(),
                expected,
                "{version:?}"
            );
        }
        for (version, expected) in [
            (Version::Latest, Some("second created 10 updated 11 published")),
            (Version::Id(hashes[0]), Some("encoded created 10 updated - published")),
            (at("09"), encoded),
            (at("10"), Some("encoded created 10 updated - published")),
        ] {
            assert_eq!(
                resolved(&long_form, version, &operations).as_deref(),
                expected,
                "{version:?}"
            );
        }
    }
}
