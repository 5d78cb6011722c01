//! The end of a DID (edge-cases.md#deactivate).

mod common;

use common::{History, SEED, creation, key, signed_by_master};
use did_prism::did::{LongFormDid, PrismDid};
use did_prism::digest::OperationHash;
use did_prism::document::DocumentStyle;
use did_prism::proto::KeyUsage;
use did_prism::resolution::Version;
use did_prism::state::StorageStatus;
use prism_fixtures::message::{deactivate_did, patch_context, public_key, remove_key, service, update_did};
use prism_fixtures::{Identity, block_time, sign};
use serde_json::json;

/// A DID with a service and a storage entry, after three blocks.
fn alive() -> (Identity, History, OperationHash) {
    let mut identity = Identity::new(SEED, 0);
    let mut history = History::created_by(&identity.create());
    history.applies(&identity.add_service(service("a", "LinkedDomains", "https://example.com")));
    let entry = identity.create_entry(b"data");
    history.applies(&entry);
    (identity, history, entry.hash)
}

/// The same DID, deactivated in its fourth block.
fn deactivated() -> (Identity, History, OperationHash) {
    let (mut identity, mut history, entry) = alive();
    history.applies(&identity.deactivate());
    (identity, history, entry)
}

#[test]
fn d1_a_deactivated_did_has_no_document_and_keeps_its_metadata() {
    let (identity, history, _) = deactivated();
    for style in [DocumentStyle::Spec, DocumentStyle::Minimal] {
        let resolution = history.resolve(&identity.did(), Version::Latest, style).unwrap();
        assert!(resolution.document.is_none());
        assert_eq!(
            serde_json::to_value(resolution.metadata).unwrap(),
            json!({
                "created": block_time(20).to_rfc3339_seconds(),
                "updated": block_time(80).to_rfc3339_seconds(),
                "versionId": identity.last_hash().to_string(),
                "deactivated": true,
            })
        );
    }
}

#[test]
fn d2_a_deactivation_needs_link_and_master_key_like_an_update() {
    let mut identity = Identity::new(SEED, 0);
    let mut history = History::created_by(&identity.create());
    let created = identity.last_hash();
    history.applies(&identity.rotate_key());
    let (last, id) = (identity.last_hash(), identity.suffix().to_string());
    let operation = deactivate_did(last.as_bytes(), &id);

    for previous in [&created.as_bytes()[..], &[0; 32], &last.as_bytes()[..31], b""] {
        history.ignores(&identity.sign(&deactivate_did(previous, &id)));
    }
    history.ignores(&sign(&operation, "master0", &identity.key("master0")));
    history.ignores(&sign(&operation, "unknown", identity.master_key()));
    history.ignores(&sign(&operation, Identity::ISSUING_KEY_ID, &identity.issuing_key()));
    history.ignores(&sign(&operation, Identity::STORAGE_KEY_ID, identity.storage_key()));
    history.ignores(&sign(&operation, &identity.master_key_id(), &key("stranger")));
    for id in [identity.did(), id.to_uppercase(), String::new()] {
        history.ignores(&identity.sign(&deactivate_did(last.as_bytes(), &id)));
    }
    history.applies(&identity.sign(&operation));
}

#[test]
fn d3_nothing_follows_a_deactivation() {
    let (mut identity, mut history, entry) = deactivated();
    let id = identity.suffix().to_string();
    let (mut before, _, _) = alive();
    history.ignores(&before.update(vec![patch_context(&["https://a.example"])]));
    history.ignores(&identity.sign(&update_did(
        identity.last_hash().as_bytes(),
        &id,
        vec![patch_context(&["https://a.example"])],
    )));
    history.ignores(&identity.sign(&deactivate_did(identity.last_hash().as_bytes(), &id)));
    history.ignores(&identity.create_entry(b"new"));
    history.ignores(&identity.update_entry(entry, b"changed"));
    history.ignores(&identity.deactivate_entry(entry));
}

#[test]
fn d4_the_creation_published_again_does_not_bring_the_did_back() {
    let (identity, mut history, _) = deactivated();
    history.ignores(&identity.create());
    assert_eq!(history.metadata()["deactivated"], true);
}

#[test]
fn d5_a_did_with_revoked_keys_is_deactivated_like_any_other() {
    let create = creation(
        vec![public_key("issuing0", KeyUsage::IssuingKey, &key("issuing0"))],
        vec![],
        &[],
    );
    let mut history = History::created_by(&create);
    let id = create.hash.to_string();
    let update = signed_by_master(&update_did(create.hash.as_bytes(), &id, vec![remove_key("issuing0")]));
    history.applies(&update);
    history.applies(&signed_by_master(&deactivate_did(update.hash.as_bytes(), &id)));
    assert_eq!(history.metadata()["deactivated"], true);
}

#[test]
fn d6_the_data_of_a_deactivated_did_are_empty_lists() {
    let (identity, history, _) = deactivated();
    let data = history.did_data();
    assert_eq!(data.id, identity.suffix().to_string());
    assert!(data.public_keys.is_empty());
    assert!(data.services.is_empty());
    assert!(data.storage_data.is_empty());
}

#[test]
fn d7_the_long_form_of_a_deactivated_did_is_deactivated_too() {
    let (identity, history, _) = deactivated();
    let encoded = data_encoding::BASE64URL_NOPAD.encode(&identity.create_operation());
    let long_form = format!("{}:{encoded}", identity.did());
    assert!(matches!(
        long_form.parse::<PrismDid>(),
        Ok(PrismDid::LongForm(LongFormDid { .. }))
    ));
    let resolution = history
        .resolve(&long_form, Version::Latest, DocumentStyle::Spec)
        .unwrap();
    assert!(resolution.document.is_none());
    let metadata = serde_json::to_value(resolution.metadata).unwrap();
    assert_eq!(metadata["deactivated"], true);
    assert_eq!(metadata["canonicalId"], identity.did());
    assert_eq!(metadata["versionId"], identity.last_hash().to_string());
}

#[test]
fn d8_storage_entries_end_with_their_did() {
    let (_, history, entry) = deactivated();
    assert_eq!(history.entry_data(entry), None);
    assert_eq!(history.entry(entry).unwrap().status, StorageStatus::Deactivated);
    let (_, before, entry) = alive();
    assert_eq!(before.entry_bytes(entry), Some(b"data".to_vec()));
}

#[test]
fn d9_a_did_may_be_created_and_deactivated_in_one_block() {
    let mut identity = Identity::new(SEED, 0);
    let mut history = History::of(identity.suffix());
    assert_eq!(
        history.publish_block(&[&identity.create(), &identity.deactivate()]),
        [true, true]
    );
    let metadata = history.metadata();
    assert_eq!(metadata["deactivated"], true);
    assert_eq!(metadata["created"], metadata["updated"]);
}

#[test]
fn d10_a_deactivation_that_names_another_did_has_no_effect_on_either() {
    let identity = Identity::new(SEED, 0);
    let other = Identity::new(SEED, 1);
    let (mut history, mut others) = (
        History::created_by(&identity.create()),
        History::created_by(&other.create()),
    );
    let crossed = identity.sign(&deactivate_did(
        identity.last_hash().as_bytes(),
        &other.suffix().to_string(),
    ));
    history.ignores(&crossed);
    others.ignores(&crossed);
}
