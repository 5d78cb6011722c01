//! The operations of streams: few enough that one is published twice, and follows another, in most of them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use did_prism::route::{Route, route};
use node_storage_contract::{DidSuffix, IndexOutcome, OperationBytes, OperationHash, Reason};
use prism_fixtures::{Identity, assemble, message, sign_bytes};

use crate::data::{SEED, bytes};
use crate::lens::scales::{self, Limit};

/// One operation, valid or not, by its name. A number is that of a DID; numbers above the highest begin again at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// No bytes at all.
    NoBytes,
    /// Bytes that are no protobuf message, different ones for each number.
    Noise(u8),
    /// The creation of a DID.
    Create(usize),
    /// The creation of a DID with a signature that does not verify.
    WrongSignature(usize),
    /// The creation of a DID without its last byte.
    CutOff(usize),
    /// An update that adds a service, the second operation of a DID.
    AddService(usize),
    /// An update that replaces the master key, the third operation of a DID.
    RotateKey(usize),
    /// The deactivation, the fourth operation of a DID.
    Deactivate(usize),
    /// The creation of a storage entry.
    CreateEntry(usize),
    /// An update of that storage entry.
    UpdateEntry(usize),
    /// The end of that storage entry.
    DeactivateEntry(usize),
    /// A storage entry's update that follows nothing.
    LooseEntry(usize),
    /// An update of what is no DID suffix.
    NoSuffix(usize),
    /// The announcement of a protocol version.
    ProtocolVersion(usize),
    /// An operation of no kind.
    NoKind(usize),
    /// An operation of the old protocol.
    Legacy(usize),
    /// 70,000 zero bytes: longer than a Cardano transaction and than 16 bits can count.
    Long,
    /// Bytes that no compression makes shorter, of the length of this number: one less than a limit that stores have, the limit, or
    /// one more. Numbers above the last begin again at 0.
    Sized(usize),
}

/// The longest of [`Operation::Sized`]: beyond it, a stream is about little else, and takes long.
const LONGEST_SIZED: u64 = 70_000;

/// How many DIDs there are.
pub(super) const DIDS: usize = 3;

static SIGNED: LazyLock<BTreeMap<Operation, Vec<u8>>> = LazyLock::new(|| (0..DIDS).flat_map(of_identity).collect());

/// Owners of the storage operations by hash, wherever they are published.
static OWNERS: LazyLock<BTreeMap<OperationHash, DidSuffix>> = LazyLock::new(|| {
    let creations = (0..DIDS).filter_map(|did| match route(&SIGNED[&Operation::CreateEntry(did)]) {
        Ok(Route::StorageCreate { did, operation_hash }) => Some((operation_hash, did)),
        _ => None,
    });
    let mut owners: BTreeMap<_, _> = creations.collect();
    for of in [Operation::UpdateEntry, Operation::DeactivateEntry] {
        for did in 0..DIDS {
            if let Ok(Route::StorageChange {
                predecessor,
                operation_hash,
            }) = route(&SIGNED[&of(did)])
                && let Some(owner) = owners.get(&predecessor).copied()
            {
                owners.insert(operation_hash, owner);
            }
        }
    }
    owners
});

fn identity(did: usize) -> Identity {
    let number = u64::try_from(did % DIDS).expect("there are few DIDs");
    Identity::new(SEED, number)
}

fn of_identity(did: usize) -> Vec<(Operation, Vec<u8>)> {
    let mut identity = identity(did);
    let create = identity.create().bytes;
    let cut = create.split_last().map_or_else(Vec::new, |(_, rest)| rest.to_vec());
    let wrong = assemble(&identity.create_operation(), "master0", vec![7; 70]).bytes;
    let no_suffix = message::update_did(identity.last_hash().as_bytes(), "no suffix", vec![]);
    let version = message::protocol_version_update(&identity.did(), (1, 1), 7);
    let add = identity
        .add_service(message::service("service", "Type", "https://service.example/"))
        .bytes;
    let rotate = identity.rotate_key().bytes;
    let entry = identity.create_entry(b"first");
    let update = identity.update_entry(entry.hash, b"second").bytes;
    let end = identity.deactivate_entry(entry.hash).bytes;
    let loose = message::deactivate_storage_entry(&[9; 32]);
    let deactivate = identity.deactivate().bytes;
    vec![
        (Operation::Create(did), create),
        (Operation::WrongSignature(did), wrong),
        (Operation::CutOff(did), cut),
        (Operation::AddService(did), add),
        (Operation::RotateKey(did), rotate),
        (Operation::Deactivate(did), deactivate),
        (Operation::CreateEntry(did), entry.bytes),
        (Operation::UpdateEntry(did), update),
        (Operation::DeactivateEntry(did), end),
        (Operation::LooseEntry(did), identity.sign_storage(&loose).bytes),
        (Operation::NoSuffix(did), identity.sign(&no_suffix).bytes),
        (Operation::ProtocolVersion(did), identity.sign(&version).bytes),
        (Operation::NoKind(did), identity.sign(&message::empty()).bytes),
        (
            Operation::Legacy(did),
            sign_bytes(&message::legacy(3), "master0", identity.master_key()).bytes,
        ),
    ]
}

impl Operation {
    /// The bytes that are published.
    pub(super) fn bytes(self) -> OperationBytes {
        match self {
            Self::NoBytes => bytes([]),
            Self::Noise(number) => bytes([0xff, 0x00, number]),
            Self::Long => bytes(vec![0; 70_000]),
            Self::Sized(number) => {
                let lengths: Vec<_> = scales::BYTES
                    .into_iter()
                    .flat_map(Limit::around)
                    .filter(|length| *length <= LONGEST_SIZED)
                    .collect();
                let length = number.checked_rem(lengths.len()).and_then(|number| lengths.get(number));
                bytes(scales::noise(length.copied().unwrap_or_default(), 0))
            }
            signed => bytes(SIGNED.get(&signed.with_known_did()).cloned().unwrap_or_default()),
        }
    }

    fn with_known_did(self) -> Self {
        let known = |did: usize| did % DIDS;
        match self {
            Self::Create(did) => Self::Create(known(did)),
            Self::WrongSignature(did) => Self::WrongSignature(known(did)),
            Self::CutOff(did) => Self::CutOff(known(did)),
            Self::AddService(did) => Self::AddService(known(did)),
            Self::RotateKey(did) => Self::RotateKey(known(did)),
            Self::Deactivate(did) => Self::Deactivate(known(did)),
            Self::CreateEntry(did) => Self::CreateEntry(known(did)),
            Self::UpdateEntry(did) => Self::UpdateEntry(known(did)),
            Self::DeactivateEntry(did) => Self::DeactivateEntry(known(did)),
            Self::LooseEntry(did) => Self::LooseEntry(known(did)),
            Self::NoSuffix(did) => Self::NoSuffix(known(did)),
            Self::ProtocolVersion(did) => Self::ProtocolVersion(known(did)),
            Self::NoKind(did) => Self::NoKind(known(did)),
            Self::Legacy(did) => Self::Legacy(known(did)),
            other @ (Self::NoBytes | Self::Noise(_) | Self::Long | Self::Sized(_)) => other,
        }
    }
}

/// What the node's indexer would make of an operation, were the storage operation it follows published before it.
pub(super) fn routed(operation: &[u8]) -> IndexOutcome {
    match route(operation) {
        Ok(Route::Did {
            did,
            operation_hash,
            lists_did,
        }) => IndexOutcome::Did {
            did,
            operation_hash,
            lists_did,
        },
        Ok(Route::StorageCreate { did, operation_hash }) => IndexOutcome::Storage { did, operation_hash },
        Ok(Route::StorageChange {
            predecessor,
            operation_hash,
        }) => match OWNERS.get(&predecessor) {
            Some(did) => IndexOutcome::Storage {
                did: *did,
                operation_hash,
            },
            None => IndexOutcome::Ignored {
                reason: Reason::new("follows nothing"),
            },
        },
        Ok(Route::Ignored(reason)) => IndexOutcome::Ignored {
            reason: Reason::new(reason),
        },
        Err(undecodable) => IndexOutcome::Undecodable {
            reason: Reason::new(undecodable),
        },
    }
}

/// The suffix of the DID with this number.
pub(super) fn suffix(did: usize) -> DidSuffix {
    identity(did).suffix()
}

/// Hashes of the storage operations of all DIDs.
pub(super) fn storage_hashes() -> Vec<OperationHash> {
    OWNERS.keys().copied().collect()
}
