//! `versionId` and `versionTime` (protocol.md#versions).
#![allow(clippy::unwrap_used, reason = "a surprise in a helper fails the test that asked")]

mod common;

use common::{History, SEED, creation};
use data_encoding::BASE64URL_NOPAD;
use did_prism::digest::OperationHash;
use did_prism::document::DocumentStyle;
use did_prism::ledger::BlockTime;
use did_prism::resolution::{Resolution, Version};
use prism_fixtures::message::{service, update_service};
use prism_fixtures::{Identity, Signed, block_time};
use serde_json::{Value, json};

/// A DID created in slot 20, with services `a` and `b` added in one block in slot 40, an ignored update in slot 60, a
/// storage entry in slot 80, and deactivated in slot 100.
struct Story {
    did: String,
    long_form: String,
    history: History,
    create: Signed,
    add_a: Signed,
    add_b: Signed,
    ignored: Signed,
    entry: Signed,
    deactivation: Signed,
}

fn story() -> Story {
    let mut identity = Identity::new(SEED, 0);
    let domain = |id| service(id, "LinkedDomains", "https://example.com");
    let create = identity.create();
    let mut history = History::created_by(&create);
    let (add_a, add_b) = (identity.add_service(domain("a")), identity.add_service(domain("b")));
    assert_eq!(history.publish_block(&[&add_a, &add_b]), [true, true]);
    let ignored = identity.clone().update(vec![update_service("a", "", "")]);
    history.ignores(&ignored);
    let entry = identity.create_entry(b"data");
    history.applies(&entry);
    let deactivation = identity.deactivate();
    history.applies(&deactivation);
    Story {
        did: identity.did(),
        long_form: format!(
            "{}:{}",
            identity.did(),
            BASE64URL_NOPAD.encode(&identity.create_operation())
        ),
        history,
        create,
        add_a,
        add_b,
        ignored,
        entry,
        deactivation,
    }
}

impl Story {
    fn at(&self, version: Version) -> Option<Resolution> {
        self.history.resolve(&self.did, version, DocumentStyle::Spec)
    }
}

/// Ids of the services, without the DID; none for a deactivated DID.
fn services(resolution: &Resolution) -> Option<Vec<String>> {
    let document = serde_json::to_value(resolution.document.as_ref()?).unwrap();
    let id = |service: &Value| service["id"].as_str().unwrap().rsplit('#').next().unwrap().to_owned();
    Some(document["service"].as_array().unwrap().iter().map(id).collect())
}

fn metadata(resolution: &Resolution) -> Value {
    serde_json::to_value(&resolution.metadata).unwrap()
}

#[test]
fn a_version_id_selects_the_state_after_that_operation_also_inside_a_block() {
    let story = story();
    for (operation, expected) in [
        (&story.create, &[][..]),
        (&story.add_a, &["a"]),
        (&story.add_b, &["a", "b"]),
    ] {
        let resolution = story.at(Version::Id(operation.hash)).unwrap();
        assert_eq!(services(&resolution).unwrap(), expected);
        assert_eq!(metadata(&resolution)["versionId"], operation.hash.to_string());
    }
    let created = story.at(Version::Id(story.create.hash)).unwrap();
    assert_eq!(metadata(&created)["created"], block_time(20).to_rfc3339_seconds());
    assert_eq!(metadata(&created).get("updated"), None);

    let ended = story.at(Version::Id(story.deactivation.hash)).unwrap();
    assert_eq!(services(&ended), None);
    assert_eq!(metadata(&ended)["deactivated"], true);
}

#[test]
fn operations_that_did_not_move_the_did_are_no_version() {
    let story = story();
    for hash in [story.ignored.hash, story.entry.hash, OperationHash::of(b"unknown")] {
        assert!(story.at(Version::Id(hash)).is_none());
    }
}

#[test]
fn a_version_time_selects_the_state_after_the_last_block_up_to_that_second() {
    let story = story();
    let at = |slot: u64| story.at(Version::Time(block_time(slot)));
    assert!(at(19).is_none(), "not created yet");
    for (slot, expected) in [
        (20, &[][..]),
        (39, &[]),
        (40, &["a", "b"]),
        (60, &["a", "b"]),
        (99, &["a", "b"]),
    ] {
        assert_eq!(services(&at(slot).unwrap()).unwrap(), expected, "slot {slot}");
    }
    assert_eq!(services(&at(100).unwrap()), None);
    assert_eq!(
        metadata(&at(1000).unwrap())["versionId"],
        story.deactivation.hash.to_string()
    );
    assert_eq!(
        metadata(&at(90).unwrap())["updated"],
        block_time(40).to_rfc3339_seconds()
    );
    assert!(story.at(Version::Time(BlockTime::MIN)).is_none());
    assert!(story.at(Version::Time(BlockTime::MAX)).is_some());
}

#[test]
fn block_times_are_floored_to_the_second_before_they_are_compared() {
    let identity = Identity::new(SEED, 0);
    let mut block = prism_fixtures::block(SEED, 1, 20, [[identity.create().bytes]]);
    block.time = BlockTime::from_unix_micros(block_time(20).unix_micros() + 999_999).unwrap();
    let mut history = History::of(identity.suffix());
    for operation in prism_fixtures::ledger_operations(&block) {
        assert!(history.apply(operation));
    }
    let at = |slot| history.resolve(&identity.did(), Version::Time(block_time(slot)), DocumentStyle::Spec);
    assert!(at(19).is_none());
    assert!(at(20).is_some());
}

#[test]
fn the_encoded_state_of_a_long_form_is_its_version_before_it_was_published() {
    let story = story();
    let at = |version| story.history.resolve(&story.long_form, version, DocumentStyle::Spec);

    let before = at(Version::Time(block_time(19))).unwrap();
    assert_eq!(services(&before).unwrap(), Vec::<String>::new());
    assert_eq!(metadata(&before).get("created"), None);
    assert_eq!(metadata(&before).get("canonicalId"), None);
    assert_eq!(metadata(&before)["versionId"], story.create.hash.to_string());

    let published = at(Version::Time(block_time(20))).unwrap();
    assert_eq!(metadata(&published)["created"], block_time(20).to_rfc3339_seconds());
    assert_eq!(metadata(&published)["canonicalId"], story.did);
    let by_id = at(Version::Id(story.create.hash)).unwrap();
    assert_eq!(metadata(&by_id), metadata(&published));
    assert!(at(Version::Id(OperationHash::of(b"unknown"))).is_none());
}

#[test]
fn the_only_version_of_an_unpublished_long_form_is_its_encoded_state() {
    let create = creation(vec![], vec![], &[]);
    let operation = prism_fixtures::message::create_did(vec![common::master()], vec![], &[]);
    let encoded = BASE64URL_NOPAD.encode(&prost::Message::encode_to_vec(&operation));
    let did = format!("did:prism:{}:{encoded}", create.hash);
    let history = History::of(create.hash.into());
    for version in [
        Version::Latest,
        Version::Id(create.hash),
        Version::Time(BlockTime::MIN),
        Version::Time(BlockTime::MAX),
    ] {
        let resolution = history.resolve(&did, version, DocumentStyle::Spec).unwrap();
        assert_eq!(metadata(&resolution)["versionId"], create.hash.to_string());
        assert_eq!(serde_json::to_value(&resolution.document).unwrap()["id"], json!(did));
    }
    assert!(
        history
            .resolve(&did, Version::Id(OperationHash::of(b"unknown")), DocumentStyle::Spec)
            .is_none()
    );
}
