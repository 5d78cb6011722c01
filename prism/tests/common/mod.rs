//! A made-up ledger around one DID, and shorthands for creations.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a surprise in a helper fails the test that asked"
)]

pub(crate) mod cbor;

use did_prism::digest::{DidSuffix, OperationHash};
use did_prism::document::DocumentStyle;
use did_prism::proto::{DidData, KeyUsage, PrismOperation, PublicKey, Service, storage_data};
use did_prism::resolution::{EntryResolver, Resolution, Resolver, Version};
use did_prism::route::{Route, route};
use did_prism::state::{LedgerOperation, Replay, StorageData, StorageEntry, StorageStatus};
use prism_fixtures::message::{create_did, public_key};
use prism_fixtures::{Signed, TestKey, block, ledger_operations, sign};
use serde_json::Value;

/// Seed of all keys in these tests.
pub(crate) const SEED: u64 = 1;

/// The operations published so far, one block after the other, and what became of one DID.
pub(crate) struct History {
    did: DidSuffix,
    replay: Replay,
    operations: Vec<LedgerOperation>,
    next_block: u64,
}

impl History {
    /// The DID with this suffix before anything is published.
    pub(crate) fn of(did: DidSuffix) -> Self {
        Self {
            did,
            replay: Replay::new(did),
            operations: Vec::new(),
            next_block: 1,
        }
    }

    /// The DID that `create` makes, published.
    pub(crate) fn created_by(create: &Signed) -> Self {
        let mut history = Self::of(create.hash.into());
        history.applies(create);
        history
    }

    /// Publishes the operations in one transaction of a new block: which of them had an effect?
    pub(crate) fn publish_block(&mut self, operations: &[&Signed]) -> Vec<bool> {
        self.publish_transactions(&[operations])
    }

    /// Publishes transactions in a new block, 20 seconds after the one before: which operations had an effect?
    pub(crate) fn publish_transactions(&mut self, transactions: &[&[&Signed]]) -> Vec<bool> {
        let transactions = transactions
            .iter()
            .map(|operations| operations.iter().map(|signed| signed.bytes.clone()).collect::<Vec<_>>());
        let block = block(SEED, self.next_block, self.next_block * 20, transactions);
        self.next_block += 1;
        ledger_operations(&block)
            .into_iter()
            .map(|operation| self.apply(operation))
            .collect()
    }

    /// Applies one operation wherever it says that it stands.
    pub(crate) fn apply(&mut self, operation: LedgerOperation) -> bool {
        let applied = self.replay.apply(&operation).is_ok();
        self.operations.push(operation);
        applied
    }

    /// Publishes an operation in a block of its own: had it an effect?
    pub(crate) fn publish(&mut self, signed: &Signed) -> bool {
        self.publish_block(&[signed]) == [true]
    }

    /// Publishes an operation that must have an effect.
    #[track_caller]
    pub(crate) fn applies(&mut self, signed: &Signed) {
        assert!(self.publish(signed), "the operation has to be applied");
    }

    /// Publishes an operation that must be ignored and leave everything as it was.
    #[track_caller]
    pub(crate) fn ignores(&mut self, signed: &Signed) {
        let before = self.everything();
        assert!(!self.publish(signed), "the operation has to be ignored");
        assert_eq!(self.everything(), before, "an ignored operation leaves no trace");
    }

    /// The active items as the node answers them.
    pub(crate) fn did_data(&self) -> DidData {
        self.replay
            .state()
            .map(did_prism::state::DidState::to_did_data)
            .unwrap()
    }

    /// Whether the DID was ever created.
    pub(crate) fn exists(&self) -> bool {
        self.replay.state().is_some()
    }

    /// Ids of the active keys, in the order of the answer.
    pub(crate) fn key_ids(&self) -> Vec<String> {
        self.did_data().public_keys.into_iter().map(|key| key.id).collect()
    }

    /// Ids of the active services, in the order of the answer.
    pub(crate) fn service_ids(&self) -> Vec<String> {
        self.did_data().services.into_iter().map(|service| service.id).collect()
    }

    /// The storage entry with this reference, also after its end.
    pub(crate) fn entry(&self, reference: OperationHash) -> Option<StorageEntry> {
        self.replay.state()?.storage_entry(&reference).cloned()
    }

    /// The storage entry with this reference at a version.
    pub(crate) fn entry_at(&self, reference: OperationHash, version: Version) -> Option<StorageEntry> {
        let mut resolver = EntryResolver::new(self.did, reference, version);
        for operation in &self.operations {
            if resolver.push(operation).is_none() {
                assert!(resolver.is_complete());
            }
        }
        resolver.finish().ok()
    }

    /// What the active storage entry with this reference holds; the state and the DID data have to agree. DID data does not
    /// tell data of an unknown kind from none.
    #[track_caller]
    pub(crate) fn entry_data(&self, reference: OperationHash) -> Option<StorageData> {
        let active = self
            .entry(reference)
            .filter(|entry| entry.status == StorageStatus::Active)
            .map(|entry| entry.data);
        let answered = self
            .did_data()
            .storage_data
            .into_iter()
            .find(|data| data.init_operation_hash == reference.as_bytes())
            .map(|data| match data.data {
                None => StorageData::Absent,
                Some(storage_data::Data::Bytes(bytes)) => StorageData::Bytes(bytes),
                Some(storage_data::Data::Ipfs(content_id)) => StorageData::Ipfs(content_id),
                Some(storage_data::Data::StatusListEntry(entry)) => StorageData::StatusList(entry),
            });
        let shown = active.clone().map(|data| match data {
            StorageData::Unknown => StorageData::Absent,
            known => known,
        });
        assert_eq!(shown, answered);
        active
    }

    /// The plain bytes in the active storage entry with this reference.
    #[track_caller]
    pub(crate) fn entry_bytes(&self, reference: OperationHash) -> Option<Vec<u8>> {
        match self.entry_data(reference)? {
            StorageData::Bytes(bytes) => Some(bytes),
            other => panic!("{other:?} are no plain bytes"),
        }
    }

    /// Resolves `did` after everything that was published.
    pub(crate) fn resolve(&self, did: &str, version: Version, style: DocumentStyle) -> Option<Resolution> {
        let did = did.parse().unwrap();
        let mut resolver = Resolver::new(&did, version);
        for operation in &self.operations {
            resolver.push(operation);
        }
        resolver.finish(style).ok()
    }

    /// The document of `did` after everything that was published.
    pub(crate) fn document_of(&self, did: &str, style: DocumentStyle) -> Value {
        let resolution = self.resolve(did, Version::Latest, style).unwrap();
        serde_json::to_value(resolution.document.unwrap()).unwrap()
    }

    /// The document of the canonical DID in the default style.
    pub(crate) fn document(&self) -> Value {
        let resolution = self.latest(DocumentStyle::Spec).unwrap();
        serde_json::to_value(resolution.document.unwrap()).unwrap()
    }

    /// The metadata of the canonical DID.
    pub(crate) fn metadata(&self) -> Value {
        serde_json::to_value(self.latest(DocumentStyle::Spec).unwrap().metadata).unwrap()
    }

    /// Everything that can be observed: DID data, storage entries, document and metadata.
    fn everything(&self) -> (Option<DidData>, Vec<StorageEntry>, Option<(Value, Value)>) {
        let resolved = self.latest(DocumentStyle::Spec).map(|resolution| {
            let document = serde_json::to_value(resolution.document).unwrap();
            (document, serde_json::to_value(resolution.metadata).unwrap())
        });
        let state = self.replay.state();
        let entries = state.map(|state| state.storage_entries().cloned().collect());
        (
            self.exists().then(|| self.did_data()),
            entries.unwrap_or_default(),
            resolved,
        )
    }

    fn latest(&self, style: DocumentStyle) -> Option<Resolution> {
        self.resolve(&format!("did:prism:{}", self.did), Version::Latest, style)
    }
}

/// The key of this name.
pub(crate) fn key(label: &str) -> TestKey {
    TestKey::derive(SEED, label)
}

/// The master key `master0`, which signs every creation made here.
pub(crate) fn master() -> PublicKey {
    public_key("master0", KeyUsage::MasterKey, &key("master0"))
}

/// The creation of a DID with the master key `master0`, these other keys, services and contexts, signed by `master0`.
pub(crate) fn creation(other_keys: Vec<PublicKey>, services: Vec<Service>, context: &[&str]) -> Signed {
    let mut keys = vec![master()];
    keys.extend(other_keys);
    signed_by_master(&create_did(keys, services, context))
}

/// `operation` signed by `master0`.
pub(crate) fn signed_by_master(operation: &PrismOperation) -> Signed {
    sign(operation, "master0", &key("master0"))
}

/// Whether this creation makes its DID. The state machine and the index have to agree.
#[track_caller]
pub(crate) fn creates(create: &Signed) -> bool {
    let did = DidSuffix::from(create.hash);
    let mut history = History::of(did);
    let created = history.publish(create);
    assert_eq!(history.exists(), created);
    let expected = Route::Did {
        did,
        operation_hash: create.hash,
        lists_did: created,
    };
    assert_eq!(
        route(&create.bytes).unwrap(),
        expected,
        "the index lists what the state machine accepts"
    );
    created
}
