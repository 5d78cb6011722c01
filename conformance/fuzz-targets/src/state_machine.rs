//! The state machine of a DID, driven by a program that the input writes.

use std::collections::BTreeSet;

use did_prism::content::{DidContent, MAX_KEYS, MAX_SERVICES};
use did_prism::did::PrismDid;
use did_prism::digest::OperationHash;
use did_prism::document::DocumentStyle;
use did_prism::key::KeyUsage;
use did_prism::ledger::{BlockTime, OperationBytes, OperationIndex, OperationPosition, TransactionIndex};
use did_prism::operation::{Operation, SignedOperation};
use did_prism::proto::{self, UpdateDidAction};
use did_prism::rejection::Rejection;
use did_prism::resolution::{Resolver, Version};
use did_prism::rule::Rule;
use did_prism::state::{DidState, LedgerOperation, Replay, StorageStatus};
use prism_fixtures::message::{
    add_key, add_service, patch_context, public_key, remove_key, remove_service, service, update_service,
};
use prism_fixtures::{Identity, TestKey, assemble, block_time};
use prost::Message;

use crate::{Choices, Seed, assert_tells};

/// Operations of one program at most, so that an input takes milliseconds.
const MOST_OPERATIONS: usize = 40;

/// Whatever is published: a refused operation changes nothing, an applied one keeps the limits, a deactivation is final, and
/// replaying gives the same state, with or without what was refused.
pub fn state_machine(data: &[u8]) {
    let mut choices = Choices(data);
    let mut world = World::new();
    while !choices.is_empty() && world.operations.len() < MOST_OPERATIONS {
        world.publish(&mut choices);
    }
    world.finish();
}

struct World {
    owner: Identity,
    stranger: Identity,
    replay: Replay,
    /// Block number and places in it of the operation that comes next.
    place: (u64, u32, u32),
    operations: Vec<LedgerOperation>,
    /// Which of the operations had an effect.
    applied: Vec<bool>,
    /// References of all storage entries that the owner has created.
    entries: Vec<OperationHash>,
}

impl World {
    fn new() -> Self {
        let owner = Identity::new(1, 0);
        Self {
            replay: Replay::new(owner.suffix()),
            owner,
            stranger: Identity::new(1, 1),
            place: (1, 0, 0),
            operations: Vec::new(),
            applied: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Publishes the operation that the input chooses, behind all others.
    fn publish(&mut self, choices: &mut Choices<'_>) {
        let before = self.owner.clone();
        let bytes = self.operation(choices);
        match choices.byte() % 4 {
            0 => self.place = (self.place.0 + 1, 0, 0),
            1 => self.place = (self.place.0, self.place.1 + 1, 0),
            _ => self.place.2 += 1,
        }
        let Ok(bytes) = OperationBytes::try_from(bytes) else {
            return;
        };
        let (block, absn, osn) = self.place;
        let operation = LedgerOperation {
            position: OperationPosition {
                block: block.try_into().expect("a block number"),
                absn: TransactionIndex::try_from(u64::from(absn)).expect("an absn"),
                osn: OperationIndex::try_from(u64::from(osn)).expect("an osn"),
            },
            block_time: block_time(block * 7),
            bytes,
        };
        if !self.apply(&operation) {
            // The owner goes on from what the ledger says.
            self.owner = before;
        }
        self.operations.push(operation);
    }

    fn operation(&mut self, choices: &mut Choices<'_>) -> Vec<u8> {
        let kind = choices.byte();
        match kind % 20 {
            0 => self.owner.create().bytes,
            1 => {
                let count = 1 + choices.index(4);
                let actions = (0..count).map(|_| self.action(choices)).collect();
                self.owner.update(actions).bytes
            }
            2 => self.owner.rotate_key().bytes,
            3 => self.owner.deactivate().bytes,
            4 => {
                let entry = self.owner.create_entry(choices.bytes(8));
                self.entries.push(entry.hash);
                entry.bytes
            }
            5 => {
                let data = choices.bytes(8);
                let reference = self.entry(choices);
                self.owner.update_entry(reference, data).bytes
            }
            6 => {
                let reference = self.entry(choices);
                self.owner.deactivate_entry(reference).bytes
            }
            // The limits.
            7 => {
                let (first, count) = (choices.byte(), choices.index(60));
                let actions = (0..count)
                    .map(|number| added_key(usize::from(first) + number, 2))
                    .collect();
                self.owner.update(actions).bytes
            }
            8 => {
                let (first, count) = (choices.byte(), choices.index(60));
                let actions = (0..count)
                    .map(|number| added_service(usize::from(first) + number))
                    .collect();
                self.owner.update(actions).bytes
            }
            9 => self.published(choices),
            10 | 11 => damaged(self.published(choices), choices),
            12 => {
                let action = self.action(choices);
                let operation = prism_fixtures::message::update_did(
                    self.owner.last_hash().as_bytes(),
                    &self.owner.suffix().to_string(),
                    vec![action],
                );
                self.owner.sign_storage(&operation).bytes
            }
            13 => {
                // The link of any operation, or of none.
                let previous = SignedOperation::decode(&self.published(choices)).map(|signed| signed.hash);
                let previous = previous.unwrap_or(OperationHash::new([0; 32]));
                let operation = prism_fixtures::message::update_did(
                    previous.as_bytes(),
                    &self.owner.suffix().to_string(),
                    vec![self.action(choices)],
                );
                self.owner.sign(&operation).bytes
            }
            14 => self.stranger.create().bytes,
            15 => self.stranger.rotate_key().bytes,
            16 => {
                let owner = self.owner.suffix();
                let operation = prism_fixtures::message::create_storage_entry(owner.as_bytes(), choices.bytes(4), None);
                self.stranger.sign_storage(&operation).bytes
            }
            // The same operation with other fields behind those that are known, signed again.
            17 => {
                let signed = SignedOperation::decode(&self.published(choices));
                let operation = signed.map(|signed| signed.bytes).unwrap_or_default();
                let operation = [&operation[..], choices.bytes(16)].concat();
                let (key, id) = match choices.byte() % 2 {
                    0 => (self.owner.master_key(), self.owner.master_key_id()),
                    _ => (self.owner.storage_key(), Identity::STORAGE_KEY_ID.to_owned()),
                };
                assemble(&operation, &id, key.sign_high_s(&operation)).bytes
            }
            18 => {
                let operation = prism_fixtures::message::protocol_version_update("", (1, 1), 1);
                self.owner.sign(&operation).bytes
            }
            _ => choices.bytes(255).to_vec(),
        }
    }

    fn action(&self, choices: &mut Choices<'_>) -> UpdateDidAction {
        let kind = choices.byte();
        let number = choices.index(4);
        match kind % 8 {
            0 => added_key(number, i32::from(choices.byte() % 10)),
            1 => remove_key(&format!("key{number}")),
            2 => remove_key(&self.owner.master_key_id()),
            3 => added_service(number),
            4 => remove_service(&format!("service{number}")),
            5 => {
                let text = String::from_utf8_lossy(choices.bytes(24)).into_owned();
                if choices.byte().is_multiple_of(2) {
                    update_service(&format!("service{number}"), &text, "")
                } else {
                    update_service(&format!("service{number}"), "", &text)
                }
            }
            6 => {
                let first = String::from_utf8_lossy(choices.bytes(8)).into_owned();
                let second = String::from_utf8_lossy(choices.bytes(8)).into_owned();
                patch_context(&[&first, &second])
            }
            _ => UpdateDidAction { action: None },
        }
    }

    /// Something that was published, or the create of the owner.
    fn published(&self, choices: &mut Choices<'_>) -> Vec<u8> {
        let chosen = self.operations.get(choices.index(self.operations.len() + 1));
        chosen.map_or_else(
            || self.owner.create().bytes,
            |operation| operation.bytes.as_slice().to_vec(),
        )
    }

    fn entry(&self, choices: &mut Choices<'_>) -> OperationHash {
        let chosen = self.entries.get(choices.index(self.entries.len() + 1));
        chosen.copied().unwrap_or(self.owner.last_hash())
    }

    /// Applies the operation and looks at what it has changed.
    fn apply(&mut self, operation: &LedgerOperation) -> bool {
        let before = self.replay.state().cloned();
        let judgement = self.replay.apply(operation);
        let is_applied = judgement.is_ok();
        if let Err(rejection) = judgement {
            let after = self.replay.state();
            assert_eq!(after, before.as_ref(), "a refused operation has changed the DID");
            assert!(Rule::ALL.contains(&rejection.rule()));
            assert_tells(&rejection);
        } else {
            let signed = SignedOperation::decode(operation.bytes.as_slice()).expect("it was applied");
            let after = self
                .replay
                .state()
                .expect("there is a DID once an operation was applied");
            assert_change(before.as_ref(), after, &signed, operation.block_time);
            assert_state(after);
        }
        let again = self.replay.apply(operation);
        assert!(
            matches!(again, Err(Rejection::OutOfOrder { .. })),
            "a position was replayed twice"
        );
        self.applied.push(is_applied);
        is_applied
    }

    fn finish(self) {
        let state = self.replay.into_state();
        let did = self.owner.suffix();
        let all = replayed(did, self.operations.iter());
        assert_eq!(all, state, "replaying gives another state");
        let applied = self
            .operations
            .iter()
            .zip(&self.applied)
            .filter_map(|(operation, applied)| applied.then_some(operation));
        assert_eq!(replayed(did, applied), state, "refused operations make a difference");

        let resolved = |version| {
            let mut resolver = Resolver::new(&PrismDid::from(did), version);
            for operation in &self.operations {
                resolver.push(operation);
            }
            resolver.finish(DocumentStyle::Spec)
        };
        let latest = resolved(Version::Latest);
        let Some(state) = state else {
            assert_tells(&latest.expect_err("there is no DID"));
            return;
        };
        let latest = latest.expect("there is a DID");
        assert_eq!(latest.document.is_none(), state.is_deactivated());
        assert_eq!(latest.metadata.version_id, state.last_operation());
        assert_eq!(latest.metadata.deactivated, state.is_deactivated());
        assert_eq!(resolved(Version::Time(BlockTime::MAX)).as_ref(), Ok(&latest));
        assert_eq!(resolved(Version::Id(state.last_operation())).as_ref(), Ok(&latest));
        let first = resolved(Version::Id(OperationHash::from(did))).expect("a create is a version");
        assert_eq!(first.metadata.updated, None);
        assert_eq!(first.metadata.created, latest.metadata.created);
        assert_tells(&resolved(Version::Time(BlockTime::MIN)).expect_err("it was created later"));
    }
}

fn replayed<'operation>(
    did: did_prism::digest::DidSuffix,
    operations: impl Iterator<Item = &'operation LedgerOperation>,
) -> Option<DidState> {
    let mut replay = Replay::new(did);
    for operation in operations {
        let _judgement = replay.apply(operation);
    }
    replay.into_state()
}

fn added_key(number: usize, usage: i32) -> UpdateDidAction {
    let id = format!("key{number}");
    let mut key = public_key(&id, proto::KeyUsage::AuthenticationKey, &TestKey::derive(2, "key"));
    key.usage = usage;
    add_key(key)
}

fn added_service(number: usize) -> UpdateDidAction {
    add_service(service(&format!("service{number}"), "A", "https://example.com/"))
}

/// Bytes that are changed, removed or added at places that the input chooses.
fn damaged(mut bytes: Vec<u8>, choices: &mut Choices<'_>) -> Vec<u8> {
    let place = usize::from(choices.byte()) << 3 | usize::from(choices.byte() & 7);
    let byte = choices.byte();
    let place = place % bytes.len().max(1);
    match choices.byte() % 3 {
        0 if place < bytes.len() => bytes[place] ^= byte,
        1 if place < bytes.len() => drop(bytes.remove(place)),
        _ => bytes.insert(place, byte),
    }
    bytes
}

/// What one applied operation may change.
fn assert_change(before: Option<&DidState>, after: &DidState, signed: &SignedOperation, time: BlockTime) {
    let Some(before) = before else {
        assert!(matches!(signed.operation, Some(Operation::CreateDid(_))));
        assert_eq!(after.last_operation(), signed.hash);
        assert_eq!(OperationHash::from(after.did()), signed.hash);
        assert_eq!((after.created(), after.updated()), (time, None));
        return;
    };
    assert!(!before.is_deactivated(), "a deactivation is final");
    assert_eq!((after.did(), after.created()), (before.did(), before.created()));
    let is_of_storage = matches!(
        signed.operation,
        Some(
            Operation::CreateStorageEntry(_) | Operation::UpdateStorageEntry(_) | Operation::DeactivateStorageEntry(_)
        )
    );
    if is_of_storage {
        assert_eq!(after.content(), before.content());
        assert_eq!(after.last_operation(), before.last_operation());
        assert_eq!((after.updated(), after.is_deactivated()), (before.updated(), false));
        let latest = after
            .storage_entries()
            .filter(|entry| entry.latest_event == signed.hash);
        assert_eq!(latest.count(), 1, "one entry has a new last event");
    } else {
        assert_eq!(after.last_operation(), signed.hash);
        assert_eq!(after.updated(), Some(time));
        // An id is used once and for all.
        let (was, is) = (ids(before.content()), ids(after.content()));
        assert!(was.is_subset(&is), "an id was forgotten");
    }
    for entry in before.storage_entries() {
        let now = after.storage_entry(&entry.reference).expect("an entry stays");
        if entry.status == StorageStatus::Deactivated {
            assert_eq!(now, entry, "an entry that was deactivated has changed");
        }
    }
}

/// The ids that are in use or were.
fn ids(content: &DidContent) -> BTreeSet<(&'static str, String)> {
    let keys = content.keys().active().chain(content.keys().revoked());
    let services = content.services().active().chain(content.services().revoked());
    keys.map(|key| ("key", key.id().to_string()))
        .chain(services.map(|service| ("service", service.id().to_string())))
        .collect()
}

/// What holds after every operation.
fn assert_state(state: &DidState) {
    let content = state.content();
    let keys = content.keys().active().count();
    let services = content.services().active().count();
    assert!(
        keys <= MAX_KEYS && services <= MAX_SERVICES,
        "{keys} keys, {services} services"
    );
    let number = keys + services + content.keys().revoked().count() + content.services().revoked().count();
    assert_eq!(ids(content).len(), number, "an id is used twice");
    let data = state.to_did_data();
    if state.is_deactivated() {
        assert_eq!(keys + services, 0);
        assert!(data.context.is_empty() && data.storage_data.is_empty());
        assert!(
            state
                .storage_entries()
                .all(|entry| entry.status == StorageStatus::Deactivated)
        );
    } else {
        assert!(content.keys().active().any(|key| key.usage() == KeyUsage::Master));
    }
    assert_eq!((data.public_keys.len(), data.services.len()), (keys, services));
    let active = state
        .storage_entries()
        .filter(|entry| entry.status == StorageStatus::Active);
    assert_eq!(data.storage_data.len(), active.count());
    assert_eq!(proto::DidData::decode(&data.encode_to_vec()[..]), Ok(data));
}

pub(crate) fn seeds() -> Vec<Seed> {
    // Create, then: each pair is a kind with its choices, and a place.
    let programs: [&[u8]; 8] = [
        &[0, 0],
        // An update that adds a key and a service, a rotation, the deactivation.
        &[0, 0, 1, 1, 0, 0, 4, 3, 1, 0, 2, 1, 3, 2],
        // Entries: two created, one updated, the other deactivated, then the DID.
        &[0, 0, 4, 2, 7, 7, 0, 4, 0, 1, 5, 1, 9, 0, 2, 6, 1, 0, 3, 0],
        // Fifty keys and one too many, as many services.
        &[
            0, 0, 7, 0, 46, 0, 7, 100, 1, 0, 8, 0, 50, 0, 8, 100, 1, 0, 1, 0, 1, 2, 0,
        ],
        // An update of a service, a context, an action without content.
        &[
            0, 0, 1, 0, 3, 0, 0, 1, 1, 5, 0, 3, b'u', b'r', b'n', 1, 6, 0, 1, b'a', 1, b'b', 0, 1, 0, 7, 0, 1,
        ],
        // Published twice, damaged, signed with another key, linked elsewhere.
        &[0, 0, 2, 0, 9, 1, 0, 10, 1, 5, 0, 1, 0, 0, 12, 3, 1, 0, 13, 0, 3, 1, 2],
        // Of a stranger.
        &[14, 0, 15, 0, 0, 0, 15, 1, 16, 1, 9, 0, 18, 0],
        // Storage events with fields that nobody knows, and bytes.
        &[
            0, 0, 4, 1, 7, 0, 17, 1, 3, 0xba, 0x06, 0x00, 1, 0, 17, 1, 3, 0x18, 7, 0, 1, 0, 19, 2, 0xff, 0xff, 0,
        ],
    ];
    Seed::numbered(programs.map(<[u8]>::to_vec))
}
