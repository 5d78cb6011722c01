//! Storage entries against a model of their rules that shares nothing with the state machine: it knows what is true of an
//! operation, not its bytes, and keeps every state there was.
//!
//! Random sequences of operations of two DIDs and their entries; every entry, refused ones included, is resolved at every
//! `versionTime` and every `versionId`, and its events are listed (the cases of storage entries in any combination).
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a surprise in a helper fails the test that asked"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use did_prism::digest::{DidSuffix, OperationHash};
use did_prism::ledger::{BlockNo, BlockTime, OperationBytes, OperationIndex, OperationPosition, TransactionIndex};
use did_prism::proto::{KeyUsage, PrismOperation, StatusListEntry};
use did_prism::resolution::{EntryLinks, EntryResolver, Version};
use did_prism::route::{Route, route};
use did_prism::state::{LedgerOperation, StorageData, StorageEntry, StorageStatus};
use prism_fixtures::message::{
    EntryData, add_key, create_storage_entry, deactivate_storage_entry, public_key, remove_key, update_storage_entry,
};
use prism_fixtures::protobuf::{field, number_field, with_event_fields};
use prism_fixtures::{Identity, Signed, assemble, sign_bytes};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngSeed, TestRunner};

const SEED: u64 = 25;
/// Blocks are 400 ms apart, so that two or three fall into one second.
const BLOCK_MICROS: i64 = 400_000;
/// Ids of the two VDR keys of each DID; the second one may be removed.
const STORAGE_KEYS: [&str; 2] = ["vdr0", "vdr1"];

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// A new block begins.
    Block,
    CreateDid(usize),
    RemoveSecondKey(usize),
    DeactivateDid(usize),
    Create {
        owner: usize,
        event: Event,
    },
    Change {
        link: Link,
        deactivates: bool,
        event: Event,
    },
    /// An operation that was published before, again.
    Again(Index),
}

/// What storage events have in common.
#[derive(Debug, Clone)]
struct Event {
    data: Data,
    fields: Fields,
    /// Whether the owner signs, and not the other DID.
    by_owner: bool,
    key_id: &'static str,
    signature_is_right: bool,
}

#[derive(Debug, Clone, Copy)]
enum Data {
    Absent,
    Empty,
    Bytes,
    Ipfs,
    StatusList,
}

/// Fields beyond those of the message.
#[derive(Debug, Clone, Copy)]
enum Fields {
    None,
    Metadata,
    /// A number from 3 to 49.
    Validation,
    /// The validation field of other storage events, reserved in this one.
    ForeignValidation,
    /// A data kind of the future, in the place of a known one.
    UnknownData,
    /// A data kind of the future, and bytes after it.
    UnknownDataThenBytes,
}

#[derive(Debug, Clone)]
enum Link {
    /// The last event of one of the entries.
    Latest(Index),
    /// Any operation that was published.
    Any(Index),
    Unknown,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Block),
        1 => (0..2_usize).prop_map(Step::CreateDid),
        1 => (0..2_usize).prop_map(Step::RemoveSecondKey),
        1 => (0..2_usize).prop_map(Step::DeactivateDid),
        5 => (0..2_usize, event()).prop_map(|(owner, event)| Step::Create { owner, event }),
        12 => (link(), prop::bool::weighted(0.2), event())
            .prop_map(|(link, deactivates, event)| Step::Change { link, deactivates, event }),
        2 => any::<Index>().prop_map(Step::Again),
    ]
}

fn link() -> impl Strategy<Value = Link> {
    prop_oneof![
        8 => any::<Index>().prop_map(Link::Latest),
        2 => any::<Index>().prop_map(Link::Any),
        1 => Just(Link::Unknown),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let fields = prop_oneof![
        6 => Just(Fields::None),
        1 => Just(Fields::Metadata),
        1 => Just(Fields::Validation),
        1 => Just(Fields::ForeignValidation),
        1 => Just(Fields::UnknownData),
        1 => Just(Fields::UnknownDataThenBytes),
    ];
    let key_id = prop_oneof![
        5 => Just("vdr0"),
        3 => Just("vdr1"),
        1 => select(vec!["master0", "issuing0", "nobody"]),
    ];
    let data = select(vec![
        Data::Absent,
        Data::Empty,
        Data::Bytes,
        Data::Ipfs,
        Data::StatusList,
    ]);
    (
        data,
        fields,
        prop::bool::weighted(0.95),
        key_id,
        prop::bool::weighted(0.95),
    )
        .prop_map(|(data, fields, by_owner, key_id, signature_is_right)| Event {
            data,
            fields,
            by_owner,
            key_id,
            signature_is_right,
        })
}

/// The rules, over facts.
#[derive(Debug, Clone, Default)]
struct Model {
    dids: BTreeMap<usize, ModelDid>,
    entries: Vec<ModelEntry>,
}

#[derive(Debug, Clone)]
struct ModelDid {
    storage_keys: BTreeSet<&'static str>,
    deactivated: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct ModelEntry {
    owner: usize,
    reference: OperationHash,
    last: OperationHash,
    content: Content,
    status: StorageStatus,
}

#[derive(Debug, Clone, PartialEq)]
enum Content {
    None,
    Bytes(Vec<u8>),
    Ipfs(String),
    StatusList(i64),
    Unknown,
}

/// What is true of an operation.
#[derive(Debug, Clone)]
enum Fact {
    CreateDid(usize),
    RemoveSecondKey(usize),
    DeactivateDid(usize),
    Event {
        /// The owner that a create names, or the event that a change follows.
        target: Target,
        content: Content,
        deactivates: bool,
        has_unknown_validation: bool,
        signer: usize,
        key_id: &'static str,
        signature_is_right: bool,
    },
}

#[derive(Debug, Clone, Copy)]
enum Target {
    Owner(usize),
    Previous(OperationHash),
}

impl Model {
    /// Applies an operation. The entry on which it took effect as an event, by its reference.
    fn apply(&mut self, hash: OperationHash, fact: &Fact) -> Option<OperationHash> {
        match fact {
            Fact::CreateDid(did) => {
                self.dids.entry(*did).or_insert(ModelDid {
                    storage_keys: STORAGE_KEYS.into(),
                    deactivated: false,
                });
                None
            }
            Fact::RemoveSecondKey(did) => {
                self.dids.get_mut(did)?.storage_keys.remove(STORAGE_KEYS[1]);
                None
            }
            Fact::DeactivateDid(did) => {
                self.dids.get_mut(did)?.deactivated = true;
                for entry in self.entries.iter_mut().filter(|entry| entry.owner == *did) {
                    entry.status = StorageStatus::Deactivated;
                }
                None
            }
            Fact::Event {
                target,
                content,
                deactivates,
                has_unknown_validation,
                signer,
                key_id,
                signature_is_right,
            } => {
                let index = match target {
                    Target::Owner(_) => None,
                    // Ended entries have no further events.
                    Target::Previous(previous) => Some(
                        self.entries
                            .iter()
                            .position(|entry| entry.last == *previous && entry.status != StorageStatus::Deactivated)?,
                    ),
                };
                let owner = match (target, index) {
                    (Target::Owner(owner), _) => *owner,
                    (Target::Previous(_), index) => self.entries[index?].owner,
                };
                let did = self.dids.get(&owner)?;
                let is_signed = *signer == owner && did.storage_keys.contains(key_id) && *signature_is_right;
                if did.deactivated || !is_signed {
                    return None;
                }
                let index = match index {
                    Some(index) => index,
                    None if self.entries.iter().any(|entry| entry.reference == hash) => return None,
                    None => {
                        self.entries.push(ModelEntry {
                            owner,
                            reference: hash,
                            last: hash,
                            content: Content::None,
                            status: StorageStatus::Active,
                        });
                        self.entries.len() - 1
                    }
                };
                let entry = &mut self.entries[index];
                entry.last = hash;
                if !deactivates {
                    entry.content = content.clone();
                }
                entry.status = match entry.status {
                    _ if *has_unknown_validation => StorageStatus::Unsupported,
                    StorageStatus::Active if *deactivates => StorageStatus::Deactivated,
                    status => status,
                };
                Some(entry.reference)
            }
        }
    }

    fn entry(&self, reference: OperationHash) -> Option<&ModelEntry> {
        self.entries.iter().find(|entry| entry.reference == reference)
    }
}

/// One published operation.
struct Published {
    operation: LedgerOperation,
    signed: Signed,
    fact: Fact,
    /// The entry on which it took effect as an event.
    effect_on: Option<OperationHash>,
    /// The model after it.
    after: Model,
}

/// A ledger that is written step by step.
struct Story {
    identities: [Identity; 2],
    block: u64,
    next_in_block: u32,
    published: Vec<Published>,
    model: Model,
}

impl Story {
    fn new() -> Self {
        let mut story = Self {
            identities: [Identity::new(SEED, 0), Identity::new(SEED, 1)],
            block: 1,
            next_in_block: 0,
            published: Vec::new(),
            model: Model::default(),
        };
        story.create_did(0);
        story
    }

    fn publish(&mut self, signed: Signed, fact: Fact) {
        let operation = LedgerOperation {
            position: OperationPosition {
                block: BlockNo::try_from(self.block).unwrap(),
                absn: TransactionIndex::MIN,
                osn: OperationIndex::try_from(u64::from(self.next_in_block)).unwrap(),
            },
            block_time: block_time(self.block),
            bytes: OperationBytes::try_from(signed.bytes.clone()).unwrap(),
        };
        self.next_in_block += 1;
        let effect_on = self.model.apply(signed.hash, &fact);
        self.published.push(Published {
            operation,
            signed,
            fact,
            effect_on,
            after: self.model.clone(),
        });
    }

    fn create_did(&mut self, did: usize) {
        let identity = &mut self.identities[did];
        let create = identity.create();
        let mut operations = vec![create];
        if !self.model.dids.contains_key(&did) {
            let key = public_key(STORAGE_KEYS[1], KeyUsage::VdrKey, &identity.key(STORAGE_KEYS[1]));
            operations.push(identity.update(vec![add_key(key)]));
        }
        for operation in operations {
            self.publish(operation, Fact::CreateDid(did));
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Block => {
                self.block += 1;
                self.next_in_block = 0;
            }
            Step::CreateDid(did) => self.create_did(*did),
            Step::RemoveSecondKey(did) => {
                let alive = self
                    .model
                    .dids
                    .get(did)
                    .is_some_and(|did| !did.deactivated && did.storage_keys.contains(STORAGE_KEYS[1]));
                if alive {
                    let update = self.identities[*did].update(vec![remove_key(STORAGE_KEYS[1])]);
                    self.publish(update, Fact::RemoveSecondKey(*did));
                }
            }
            Step::DeactivateDid(did) => {
                if self.model.dids.get(did).is_some_and(|did| !did.deactivated) {
                    let deactivation = self.identities[*did].deactivate();
                    self.publish(deactivation, Fact::DeactivateDid(*did));
                }
            }
            Step::Create { owner, event } => {
                let nonce = self.published.len().to_be_bytes();
                let suffix = self.identities[*owner].suffix();
                let operation = create_storage_entry(suffix.as_bytes(), &nonce, self.data(event));
                self.publish_event(&operation, Target::Owner(*owner), 2, false, *owner, event);
            }
            Step::Change {
                link,
                deactivates,
                event,
            } => {
                let previous = match link {
                    Link::Latest(index) if !self.model.entries.is_empty() => index.get(&self.model.entries).last,
                    Link::Latest(_) | Link::Unknown => OperationHash::of(b"unknown"),
                    Link::Any(index) => index.get(&self.published).signed.hash,
                };
                let operation = if *deactivates {
                    deactivate_storage_entry(previous.as_bytes())
                } else {
                    update_storage_entry(previous.as_bytes(), self.data(event))
                };
                let followed = self.model.entries.iter().find(|entry| entry.last == previous);
                let owner = followed.map_or(0, |entry| entry.owner);
                self.publish_event(&operation, Target::Previous(previous), 1, *deactivates, owner, event);
            }
            Step::Again(index) => {
                let again = index.get(&self.published);
                // Only a create of a DID and storage events are that simple to judge a second time.
                if matches!(again.fact, Fact::Event { .. }) {
                    let (signed, fact) = (again.signed.clone(), again.fact.clone());
                    self.publish(signed, fact);
                }
            }
        }
    }

    fn data(&self, event: &Event) -> Option<EntryData> {
        let number = self.published.len();
        match event.data {
            Data::Absent => None,
            Data::Empty => Some(EntryData::Bytes(Vec::new())),
            Data::Bytes => Some(EntryData::Bytes(number.to_be_bytes().to_vec())),
            Data::Ipfs => Some(EntryData::Ipfs(number.to_string())),
            Data::StatusList => Some(EntryData::StatusList(StatusListEntry {
                state: i64::try_from(number).unwrap(),
                name: String::new(),
                details: String::new(),
            })),
        }
    }

    fn publish_event(
        &mut self,
        operation: &PrismOperation,
        target: Target,
        foreign_validation: u32,
        deactivates: bool,
        owner: usize,
        event: &Event,
    ) {
        let unique = field(99, &self.published.len().to_be_bytes());
        let fields = match event.fields {
            Fields::None => Vec::new(),
            Fields::Metadata => [field(50, b"nonce"), number_field(99, 1)].concat(),
            Fields::Validation => field([3, 20, 49][self.published.len() % 3], b"validation"),
            Fields::ForeignValidation => field(foreign_validation, &[7; 32]),
            Fields::UnknownData => field(103, b"future"),
            Fields::UnknownDataThenBytes => [field(103, b"future"), field(100, b"bytes")].concat(),
        };
        let bytes = with_event_fields(operation, &[unique, fields].concat());

        let content = match (event.fields, self.data(event)) {
            (Fields::UnknownData, _) => Content::Unknown,
            (Fields::UnknownDataThenBytes, _) => Content::Bytes(b"bytes".to_vec()),
            (_, None) => Content::None,
            (_, Some(EntryData::Bytes(bytes))) => Content::Bytes(bytes),
            (_, Some(EntryData::Ipfs(content_id))) => Content::Ipfs(content_id),
            (_, Some(EntryData::StatusList(entry))) => Content::StatusList(entry.state),
        };
        let signing_did = if event.by_owner { owner } else { 1 - owner };
        let key = self.identities[signing_did].key(event.key_id);
        let signed = if event.signature_is_right {
            sign_bytes(&bytes, event.key_id, &key)
        } else {
            assemble(&bytes, event.key_id, key.sign(b"something else"))
        };
        let fact = Fact::Event {
            target,
            content,
            deactivates,
            has_unknown_validation: matches!(event.fields, Fields::Validation | Fields::ForeignValidation),
            signer: signing_did,
            key_id: event.key_id,
            signature_is_right: event.signature_is_right,
        };
        self.publish(signed, fact);
    }

    /// What the model knows of an entry at a version.
    fn expected(&self, reference: OperationHash, version: Version) -> Option<&ModelEntry> {
        let at = match version {
            Version::Latest => self.published.last(),
            Version::Time(time) => self.published.iter().rfind(|published| {
                let micros = published.operation.block_time.unix_micros();
                micros - micros.rem_euclid(1_000_000) <= time.unix_micros()
            }),
            Version::Id(hash) => self
                .published
                .iter()
                .find(|published| published.effect_on == Some(reference) && published.signed.hash == hash),
        };
        at?.after.entry(reference)
    }

    /// Positions of the events of an entry, and whether each took effect.
    fn expected_events(&self, reference: OperationHash) -> Vec<(OperationPosition, bool)> {
        let mut hashes = BTreeSet::new();
        let mut events = Vec::new();
        for published in &self.published {
            let belongs = match &published.fact {
                Fact::Event {
                    target: Target::Owner(_),
                    ..
                } => published.signed.hash == reference,
                Fact::Event {
                    target: Target::Previous(previous),
                    ..
                } => hashes.contains(previous),
                _ => false,
            };
            if belongs {
                hashes.insert(published.signed.hash);
                events.push((published.operation.position, published.effect_on == Some(reference)));
            }
        }
        events
    }
}

fn block_time(block: u64) -> BlockTime {
    let start = prism_fixtures::block_time(20).unix_micros();
    BlockTime::from_unix_micros(start + i64::try_from(block).unwrap() * BLOCK_MICROS).unwrap()
}

/// The operations of each DID and the owner of each storage operation, as a node indexes them.
#[derive(Default)]
struct NodeIndex {
    operations: HashMap<DidSuffix, Vec<LedgerOperation>>,
    owners: HashMap<OperationHash, DidSuffix>,
}

impl NodeIndex {
    fn of(published: &[Published]) -> Self {
        let mut index = Self::default();
        for Published { operation, .. } in published {
            let (did, event) = match route(operation.bytes.as_slice()).unwrap() {
                Route::Did { did, .. } => (Some(did), None),
                Route::StorageCreate { did, operation_hash } => (Some(did), Some(operation_hash)),
                Route::StorageChange {
                    predecessor,
                    operation_hash,
                } => (index.owners.get(&predecessor).copied(), Some(operation_hash)),
                Route::Ignored(_) => (None, None),
            };
            let Some(did) = did else { continue };
            index.operations.entry(did).or_default().push(operation.clone());
            if let Some(event) = event {
                index.owners.entry(event).or_insert(did);
            }
        }
        index
    }

    fn resolve(&self, reference: OperationHash, version: Version) -> Option<StorageEntry> {
        let owner = self.owners.get(&reference)?;
        let mut resolver = EntryResolver::new(*owner, reference, version);
        for operation in &self.operations[owner] {
            let _judgement = resolver.push(operation);
        }
        resolver.finish().ok()
    }

    fn events(&self, reference: OperationHash) -> Vec<(OperationPosition, bool)> {
        let Some(owner) = self.owners.get(&reference) else {
            return Vec::new();
        };
        let mut resolver = EntryResolver::new(*owner, reference, Version::Latest);
        let mut links = EntryLinks::new(reference);
        let mut events = Vec::new();
        for operation in &self.operations[owner] {
            let judgement = resolver.push(operation).unwrap();
            if links.follow(operation) {
                events.push((operation.position, judgement.is_ok()));
            }
        }
        events
    }
}

fn as_model(owner: usize, entry: StorageEntry) -> ModelEntry {
    ModelEntry {
        owner,
        reference: entry.reference,
        last: entry.latest_event,
        content: match entry.data {
            StorageData::Absent => Content::None,
            StorageData::Bytes(bytes) => Content::Bytes(bytes),
            StorageData::Ipfs(content_id) => Content::Ipfs(content_id),
            StorageData::StatusList(entry) => Content::StatusList(entry.state),
            StorageData::Unknown => Content::Unknown,
        },
        status: entry.status,
    }
}

/// What was seen at some version of some entry, in all sequences: a model that is never asked proves nothing.
#[derive(Debug, Default)]
struct Seen {
    statuses: BTreeSet<&'static str>,
    contents: BTreeSet<&'static str>,
    /// Changes that took effect on an unsupported entry.
    changes_of_unsupported: usize,
    /// Unsupported entries that ended with their DID.
    ended_unsupported: usize,
    refused_events: usize,
    /// Versions at which an entry is not there.
    absent: usize,
}

impl Seen {
    fn entry(&mut self, entry: Option<&ModelEntry>) {
        let Some(entry) = entry else {
            self.absent += 1;
            return;
        };
        self.statuses.insert(match entry.status {
            StorageStatus::Active => "active",
            StorageStatus::Deactivated => "deactivated",
            StorageStatus::Unsupported => "unsupported",
        });
        self.contents.insert(match &entry.content {
            Content::None => "none",
            Content::Bytes(bytes) if bytes.is_empty() => "empty",
            Content::Bytes(_) => "bytes",
            Content::Ipfs(_) => "ipfs",
            Content::StatusList(_) => "status list",
            Content::Unknown => "unknown",
        });
    }

    fn story(&mut self, story: &Story) {
        for pair in story.published.windows(2) {
            let [before, after] = pair else { continue };
            self.refused_events += usize::from(matches!(after.fact, Fact::Event { .. }) && after.effect_on.is_none());
            for was in &before.after.entries {
                let is = after.after.entry(was.reference).unwrap();
                if was.status == StorageStatus::Unsupported {
                    self.changes_of_unsupported += usize::from(after.effect_on == Some(was.reference));
                    self.ended_unsupported += usize::from(is.status == StorageStatus::Deactivated);
                }
            }
        }
    }
}

fn check(steps: &[Step], seen: &mut Seen) -> Result<(), TestCaseError> {
    let mut story = Story::new();
    for step in steps {
        story.take(step);
    }
    seen.story(&story);
    let index = NodeIndex::of(&story.published);

    let mut versions = vec![Version::Latest];
    let second = 1_000_000;
    let end = block_time(story.block).unix_micros() + 2 * second;
    let mut time = block_time(0).unix_micros() - second;
    while time < end {
        versions.push(Version::Time(BlockTime::from_unix_micros(time).unwrap()));
        time += second / 2;
    }
    let hashes: BTreeSet<_> = story.published.iter().map(|published| published.signed.hash).collect();
    versions.extend(hashes.iter().copied().map(Version::Id));

    let creates: BTreeSet<_> = story
        .published
        .iter()
        .filter(|published| {
            matches!(
                published.fact,
                Fact::Event {
                    target: Target::Owner(_),
                    ..
                }
            )
        })
        .map(|published| published.signed.hash)
        .collect();
    for reference in creates {
        for version in &versions {
            let expected = story.expected(reference, *version);
            seen.entry(expected);
            let found = index.resolve(reference, *version);
            let owner = expected.map_or(0, |entry| entry.owner);
            let found = found.map(|entry| as_model(owner, entry));
            prop_assert_eq!(found.as_ref(), expected, "{} at {:?}", reference, version);
        }
        prop_assert_eq!(
            index.events(reference),
            story.expected_events(reference),
            "events of {}",
            reference
        );
    }
    // Only a create makes an entry.
    for published in &story.published {
        if let Fact::Event {
            target: Target::Previous(_),
            ..
        } = published.fact
        {
            prop_assert!(index.resolve(published.signed.hash, Version::Latest).is_none());
            prop_assert_eq!(index.events(published.signed.hash), vec![]);
        }
    }
    Ok(())
}

#[test]
fn every_entry_is_what_the_model_says_at_every_version() {
    // A fixed seed: the same cases in every run.
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(SEED),
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let seen = RefCell::new(Seen::default());
    let result = runner.run(&prop::collection::vec(step(), 1..40), |steps| {
        check(&steps, &mut seen.borrow_mut())
    });
    result.unwrap_or_else(|error| panic!("{error}"));

    let seen = seen.into_inner();
    assert_eq!(seen.statuses.len(), 3, "{seen:?}");
    assert_eq!(seen.contents.len(), 6, "{seen:?}");
    for count in [
        seen.changes_of_unsupported,
        seen.ended_unsupported,
        seen.refused_events,
        seen.absent,
    ] {
        assert!(count >= 5, "{seen:?}");
    }
}
