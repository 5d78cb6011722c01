//! Which updates change a DID, and how (edge-cases.md#update).

mod common;

use common::{History, SEED, creation, key, master};
use did_prism::digest::{DidSuffix, OperationHash};
use did_prism::document::DocumentStyle;
use did_prism::proto::{AddKeyAction, AddServiceAction, KeyUsage, PublicKey, Service, UpdateDidAction};
use did_prism::proto::{public_key::KeyData, update_did_action::Action};
use did_prism::resolution::Version;
use prism_fixtures::message::{
    action, add_key, add_service, compressed_key, patch_context, public_key, remove_key, remove_service, service,
    update_did, update_service,
};
use prism_fixtures::{ED25519_PUBLIC_KEYS, Identity, Signed, block_time, sign};
use rstest::rstest;
use serde_json::json;

/// A DID, the hash that its next operation has to link to, and the keys of everybody: each is derived from its key id.
struct Chain {
    history: History,
    did: DidSuffix,
    last: OperationHash,
}

impl Chain {
    fn created_by(create: &Signed) -> Self {
        Self {
            history: History::created_by(create),
            did: create.hash.into(),
            last: create.hash,
        }
    }

    /// A DID with the master key `master0`.
    fn new() -> Self {
        Self::created_by(&creation(vec![], vec![], &[]))
    }

    /// A DID with the master keys `master0` and `master1`.
    fn with_two_masters() -> Self {
        Self::created_by(&creation(vec![master_key("master1")], vec![], &[]))
    }

    fn update_by(&self, key_id: &str, actions: Vec<UpdateDidAction>) -> Signed {
        let operation = update_did(self.last.as_bytes(), &self.did.to_string(), actions);
        sign(&operation, key_id, &key(key_id))
    }

    #[track_caller]
    fn applies_by(&mut self, key_id: &str, actions: Vec<UpdateDidAction>) {
        let update = self.update_by(key_id, actions);
        self.history.applies(&update);
        self.last = update.hash;
        assert_eq!(self.history.metadata()["versionId"], update.hash.to_string());
    }

    #[track_caller]
    fn ignores_by(&mut self, key_id: &str, actions: Vec<UpdateDidAction>) {
        let update = self.update_by(key_id, actions);
        self.history.ignores(&update);
    }

    /// An update signed by `master0` that must be applied.
    #[track_caller]
    fn applies(&mut self, actions: Vec<UpdateDidAction>) {
        self.applies_by("master0", actions);
    }

    /// An update signed by `master0` that must be ignored.
    #[track_caller]
    fn ignores(&mut self, actions: Vec<UpdateDidAction>) {
        self.ignores_by("master0", actions);
    }
}

fn master_key(id: &str) -> PublicKey {
    public_key(id, KeyUsage::MasterKey, &key(id))
}

fn issuing_key(id: &str) -> PublicKey {
    public_key(id, KeyUsage::IssuingKey, &key(id))
}

fn domain(id: &str) -> Service {
    service(id, "LinkedDomains", "https://example.com")
}

fn any_change() -> Vec<UpdateDidAction> {
    vec![patch_context(&["https://change.example"])]
}

#[test]
fn u1_each_action_alone_has_its_effect() {
    let mut chain = Chain::new();
    chain.applies(vec![add_key(issuing_key("issuing0"))]);
    assert_eq!(chain.history.key_ids(), ["master0", "issuing0"]);
    chain.applies(vec![remove_key("issuing0")]);
    assert_eq!(chain.history.key_ids(), ["master0"]);
    chain.applies(vec![add_service(domain("domain"))]);
    assert_eq!(chain.history.service_ids(), ["domain"]);
    chain.applies(vec![update_service("domain", "Other", "https://example.org")]);
    let expected = service("domain", "Other", "https://example.org");
    assert_eq!(chain.history.did_data().services, [expected]);
    chain.applies(vec![remove_service("domain")]);
    assert_eq!(chain.history.service_ids(), Vec::<String>::new());
    chain.applies(vec![patch_context(&["https://a.example", "b"])]);
    assert_eq!(chain.history.did_data().context, ["https://a.example", "b"]);
}

#[test]
fn u2_an_update_links_to_the_last_operation() {
    let mut chain = Chain::new();
    let created = *chain.last.as_bytes();
    chain.applies(vec![add_service(domain("a"))]);
    let last = *chain.last.as_bytes();
    let id = chain.did.to_string();
    for (name, previous) in [
        ("all zero", vec![0; 32]),
        ("31 bytes", last[..31].to_vec()),
        ("33 bytes", [&last[..], &[0]].concat()),
        ("empty", vec![]),
        ("an older operation", created.to_vec()),
        ("hexadecimal text", chain.last.to_string().into_bytes()),
    ] {
        let update = sign(&update_did(&previous, &id, any_change()), "master0", &key("master0"));
        let before = chain.history.did_data();
        assert!(!chain.history.publish(&update), "{name}");
        assert_eq!(chain.history.did_data(), before, "{name}");
    }
    chain.applies(any_change());
}

#[test]
fn u3_u4_a_failed_update_does_not_move_the_chain() {
    let mut chain = Chain::new();
    let before = chain.last;
    let failed = chain.update_by("master0", vec![remove_service("unknown")]);
    chain.history.ignores(&failed);

    chain.last = failed.hash;
    chain.ignores(any_change());
    chain.last = before;
    chain.applies(any_change());
}

#[test]
fn u5_storage_events_are_no_link_of_the_did() {
    let mut identity = Identity::new(SEED, 0);
    let mut history = History::created_by(&identity.create());
    let entry = identity.create_entry(b"data");
    history.applies(&entry);
    let id = identity.suffix().to_string();
    history.ignores(&identity.sign(&update_did(entry.hash.as_bytes(), &id, any_change())));
    history.applies(&identity.update(any_change()));
}

#[test]
fn u6_the_id_is_the_suffix_of_the_did() {
    let identity = Identity::new(SEED, 0);
    let other = Identity::new(SEED, 1);
    let mut history = History::created_by(&identity.create());
    let suffix = identity.suffix().to_string();
    for id in [
        identity.did(),
        suffix.to_uppercase(),
        OperationHash::of(b"nobody").to_string(),
        other.suffix().to_string(),
        String::new(),
        format!("{suffix} "),
        suffix[1..].to_owned(),
    ] {
        history.ignores(&identity.sign(&update_did(identity.last_hash().as_bytes(), &id, any_change())));
    }
    history.applies(&identity.sign(&update_did(identity.last_hash().as_bytes(), &suffix, any_change())));
}

#[test]
fn u7_updates_without_actions_or_with_an_incomplete_action_are_ignored() {
    let mut chain = Chain::new();
    chain.ignores(vec![]);
    let valid = || add_service(domain("a"));
    for incomplete in [
        UpdateDidAction { action: None },
        action(Action::AddKey(AddKeyAction { key: None })),
        action(Action::AddService(AddServiceAction { service: None })),
        remove_key(""),
        remove_service(""),
        update_service("", "", "https://example.com"),
    ] {
        chain.ignores(vec![incomplete.clone()]);
        chain.ignores(vec![valid(), incomplete.clone()]);
        chain.ignores(vec![incomplete, valid()]);
    }
    chain.applies(vec![valid()]);
}

#[test]
fn u8_only_an_active_master_key_signs() {
    let mut chain = Chain::created_by(&creation(
        [
            KeyUsage::IssuingKey,
            KeyUsage::KeyAgreementKey,
            KeyUsage::AuthenticationKey,
            KeyUsage::RevocationKey,
            KeyUsage::CapabilityInvocationKey,
            KeyUsage::CapabilityDelegationKey,
            KeyUsage::VdrKey,
        ]
        .map(|usage| public_key(usage.as_str_name(), usage, &key(usage.as_str_name())))
        .into_iter()
        .chain([master_key("master1")])
        .collect(),
        vec![],
        &[],
    ));
    for key_id in chain.history.key_ids() {
        if !key_id.starts_with("master") {
            chain.ignores_by(&key_id, any_change());
        }
    }
    chain.ignores_by("unknown", any_change());
    chain.ignores_by("", any_change());
    let wrong_key = update_did(chain.last.as_bytes(), &chain.did.to_string(), any_change());
    chain.history.ignores(&sign(&wrong_key, "master0", &key("master1")));

    chain.applies_by("master0", vec![remove_key("master1")]);
    chain.ignores_by("master1", any_change());
    chain.applies_by("master0", any_change());
}

#[test]
fn u9_a_signing_key_may_remove_itself_while_another_master_stays() {
    let mut chain = Chain::with_two_masters();
    chain.applies_by("master0", vec![remove_key("master0")]);
    chain.ignores_by("master0", any_change());
    chain.applies_by("master1", any_change());
}

#[test]
fn u10_the_last_master_key_stays() {
    let mut chain = Chain::created_by(&creation(vec![issuing_key("issuing0")], vec![], &[]));
    chain.ignores(vec![remove_key("master0")]);
    chain.ignores(vec![remove_key("master0"), add_key(issuing_key("issuing1"))]);
    chain.applies(any_change());
}

#[rstest]
#[case::removed_first(vec![remove_key("master0"), add_key(master_key("master1"))])]
#[case::added_first(vec![add_key(master_key("master1")), remove_key("master0")])]
fn u10_the_last_master_key_may_be_replaced_in_one_update(#[case] actions: Vec<UpdateDidAction>) {
    let mut chain = Chain::new();
    chain.applies(actions);
    assert_eq!(chain.history.key_ids(), ["master1"]);
    chain.ignores_by("master0", any_change());
    chain.applies_by("master1", any_change());
}

#[test]
fn u11_a_master_key_added_by_an_update_does_not_sign_it() {
    let mut chain = Chain::new();
    chain.ignores_by("master1", vec![add_key(master_key("master1"))]);
    chain.applies_by("master0", vec![add_key(master_key("master1"))]);
    chain.applies_by("master1", any_change());
}

#[test]
fn u12_revoked_master_keys_do_not_count_as_the_one_that_stays() {
    let mut chain = Chain::with_two_masters();
    chain.applies(vec![remove_key("master1")]);
    chain.ignores(vec![remove_key("master0")]);
    let mut both_at_once = Chain::with_two_masters();
    both_at_once.ignores(vec![remove_key("master0"), remove_key("master1")]);
}

#[test]
fn u13_a_failing_action_rolls_back_the_ones_before_it() {
    let mut chain = Chain::created_by(&creation(vec![issuing_key("issuing0")], vec![domain("a")], &["c"]));
    for failing in [
        add_key(issuing_key("issuing0")),
        add_key(issuing_key("issuing1")),
        add_key(compressed_key(
            "x",
            KeyUsage::MasterKey,
            "Ed25519",
            &ED25519_PUBLIC_KEYS[0],
        )),
        add_service(domain("a")),
        patch_context(&["d", "d"]),
    ] {
        chain.ignores(vec![
            add_key(issuing_key("issuing1")),
            remove_key("issuing0"),
            remove_service("a"),
            patch_context(&["d"]),
            failing,
        ]);
    }
    chain.applies(vec![add_key(issuing_key("issuing1"))]);
}

#[test]
fn u14_u22_the_id_of_a_removed_key_or_service_is_never_used_again() {
    let mut chain = Chain::created_by(&creation(vec![issuing_key("issuing0")], vec![domain("a")], &[]));
    chain.ignores(vec![remove_key("issuing0"), add_key(issuing_key("issuing0"))]);
    chain.ignores(vec![remove_service("a"), add_service(domain("a"))]);
    chain.ignores(vec![
        add_key(issuing_key("new")),
        remove_key("new"),
        add_key(issuing_key("new")),
    ]);

    chain.applies(vec![remove_key("issuing0"), remove_service("a")]);
    chain.ignores(vec![add_key(issuing_key("issuing0"))]);
    chain.ignores(vec![add_service(domain("a"))]);
    // Keys and services are separate name spaces.
    chain.applies(vec![add_key(issuing_key("a")), add_service(domain("issuing0"))]);
}

#[test]
fn u15_nothing_is_removed_twice() {
    let mut chain = Chain::created_by(&creation(vec![issuing_key("issuing0")], vec![domain("a")], &[]));
    chain.ignores(vec![remove_key("issuing0"), remove_key("issuing0")]);
    chain.ignores(vec![remove_service("a"), remove_service("a")]);
    chain.applies(vec![remove_key("issuing0"), remove_service("a")]);
    chain.ignores(vec![remove_key("issuing0")]);
    chain.ignores(vec![remove_service("a")]);
}

#[test]
fn u16_removing_what_never_was_fails_the_whole_update() {
    let mut chain = Chain::created_by(&creation(vec![issuing_key("issuing0")], vec![domain("a")], &[]));
    for unknown in [
        remove_key("unknown"),
        remove_service("unknown"),
        remove_key("a"),
        remove_service("issuing0"),
    ] {
        chain.ignores(vec![unknown.clone()]);
        chain.ignores(vec![add_service(domain("b")), unknown]);
    }
}

/// A DID with 50 active keys and 50 active services.
fn full() -> Chain {
    let keys = (1..50).map(|index| issuing_key(&format!("key{index}"))).collect();
    let services = (0..50).map(|index| domain(&format!("service{index}"))).collect();
    Chain::created_by(&creation(keys, services, &[]))
}

#[test]
fn u17_the_limit_of_fifty_counts_active_items() {
    let mut chain = full();
    chain.ignores(vec![add_key(issuing_key("new"))]);
    chain.ignores(vec![add_service(domain("new"))]);

    chain.applies(vec![remove_key("key1"), remove_service("service1")]);
    chain.applies(vec![add_key(issuing_key("new")), add_service(domain("new"))]);
    assert_eq!(
        (chain.history.key_ids().len(), chain.history.service_ids().len()),
        (50, 50)
    );
    chain.ignores(vec![add_key(issuing_key("newer"))]);
    chain.ignores(vec![add_service(domain("newer"))]);
}

#[test]
fn u18_the_limit_of_fifty_counts_at_the_end_of_an_update() {
    let mut chain = full();
    chain.applies(vec![add_key(issuing_key("new")), remove_key("key1")]);
    chain.applies(vec![add_service(domain("new")), remove_service("service1")]);
    chain.ignores(vec![
        add_key(issuing_key("a")),
        add_key(issuing_key("b")),
        remove_key("key2"),
    ]);
}

#[test]
fn u19_update_service_changes_what_it_gives() {
    let mut chain = Chain::created_by(&creation(vec![], vec![domain("a"), domain("removed")], &[]));
    chain.applies(vec![remove_service("removed")]);

    chain.applies(vec![update_service("a", "TypeOnly", "")]);
    assert_eq!(
        chain.history.did_data().services,
        [service("a", "TypeOnly", "https://example.com")]
    );
    chain.applies(vec![update_service("a", "", "https://endpoint-only.example")]);
    assert_eq!(
        chain.history.did_data().services,
        [service("a", "TypeOnly", "https://endpoint-only.example")]
    );
    chain.applies(vec![update_service("a", r#"["Both"]"#, r#"{"uri":"both"}"#)]);
    assert_eq!(
        chain.history.did_data().services,
        [service("a", r#"["Both"]"#, r#"{"uri":"both"}"#)]
    );

    chain.ignores(vec![update_service("a", "", "")]);
    chain.ignores(vec![update_service("unknown", "Type", "https://example.com")]);
    chain.ignores(vec![update_service("unknown", "", "")]);
    chain.ignores(vec![update_service("removed", "Type", "")]);
}

#[test]
fn u19_update_service_keeps_the_rules_of_types_and_endpoints() {
    let mut chain = Chain::created_by(&creation(vec![], vec![domain("a")], &[]));
    let too_long = "a".repeat(101);
    for service_type in [" ", "Linked@Domains", "[]", "Linked\tDomains", &too_long] {
        chain.ignores(vec![update_service("a", service_type, "")]);
        chain.ignores(vec![update_service("a", service_type, "https://example.org")]);
    }
    let too_long = format!("https://example.com/{}", "a".repeat(281));
    for endpoint in [" ", "foo", "[]", "{", &too_long] {
        chain.ignores(vec![update_service("a", "", endpoint)]);
        chain.ignores(vec![update_service("a", "Type", endpoint)]);
    }
}

#[test]
fn added_keys_and_services_keep_the_rules_of_a_creation() {
    let mut chain = Chain::new();
    let mut without_data = issuing_key("a");
    without_data.key_data = None;
    let mut unknown_usage = issuing_key("a");
    unknown_usage.usage = 9;
    let mut no_usage = issuing_key("a");
    no_usage.usage = 0;
    let mut truncated = issuing_key("a");
    if let Some(KeyData::CompressedEcKeyData(data)) = &mut truncated.key_data {
        data.data.pop();
    }
    let too_long = "a".repeat(51);
    for key in [
        without_data,
        unknown_usage,
        no_usage,
        truncated,
        issuing_key(""),
        issuing_key("a b"),
        issuing_key(&too_long),
        compressed_key("a", KeyUsage::IssuingKey, "P-256", &key("a").compressed()),
        compressed_key("a", KeyUsage::VdrKey, "Ed25519", &ED25519_PUBLIC_KEYS[0]),
    ] {
        chain.ignores(vec![add_key(key)]);
    }
    for service in [
        domain(""),
        domain("a#b"),
        domain(&too_long),
        service("a", "", "https://example.com"),
        service("a", "Type", ""),
        service("a", "a.b", "https://example.com"),
        service("a", "Type", "[]"),
    ] {
        chain.ignores(vec![add_service(service)]);
    }
}

#[test]
fn u20_a_changed_service_shows_no_trace_of_its_old_value() {
    let mut chain = Chain::created_by(&creation(vec![], vec![domain("a"), domain("b")], &[]));
    chain.applies(vec![update_service("a", "Changed", r#"["https://example.org"]"#)]);
    let did = format!("did:prism:{}", chain.did);
    assert_eq!(
        chain.history.document()["service"],
        json!([
            {"id": format!("{did}#a"), "type": "Changed", "serviceEndpoint": ["https://example.org"]},
            {"id": format!("{did}#b"), "type": "LinkedDomains", "serviceEndpoint": "https://example.com"},
        ])
    );
    let services = chain.history.did_data().services;
    assert_eq!(
        services,
        [service("a", "Changed", r#"["https://example.org"]"#), domain("b")]
    );
}

#[test]
fn u21_patch_context_replaces_the_whole_list() {
    let mut chain = Chain::created_by(&creation(vec![], vec![], &["a", "b"]));
    chain.applies(vec![patch_context(&["c", "a"])]);
    assert_eq!(chain.history.did_data().context, ["c", "a"]);
    chain.ignores(vec![patch_context(&["c", "c"])]);
    chain.ignores(vec![patch_context(&["", ""])]);
    chain.applies(vec![patch_context(&[])]);
    assert_eq!(chain.history.did_data().context, Vec::<String>::new());
    chain.ignores(vec![patch_context(&[])]);
    chain.applies(vec![patch_context(&["https://www.w3.org/ns/did/v1"])]);
}

#[test]
fn u21_the_context_is_judged_as_the_actions_before_left_it() {
    let mut chain = Chain::new();
    chain.ignores(vec![patch_context(&[]), patch_context(&["a"])]);
    chain.applies(vec![patch_context(&["a"]), patch_context(&[]), patch_context(&["b"])]);
    assert_eq!(chain.history.did_data().context, ["b"]);
}

#[rstest]
#[case::service(vec![update_service("a", "LinkedDomains", "https://example.com")])]
#[case::context(vec![patch_context(&["https://a.example"])])]
fn u23_an_update_that_sends_the_same_value_again_is_applied(#[case] actions: Vec<UpdateDidAction>) {
    let mut chain = Chain::created_by(&creation(vec![], vec![domain("a")], &["https://a.example"]));
    let document = chain.history.document();
    chain.applies(actions);
    assert_eq!(chain.history.document(), document);
    assert_eq!(chain.history.metadata()["versionId"], chain.last.to_string());
    assert_eq!(chain.history.metadata()["updated"], block_time(40).to_rfc3339_seconds());
}

#[test]
fn u24_updated_is_the_time_of_the_last_operation_that_was_applied() {
    let mut chain = Chain::created_by(&creation(vec![], vec![domain("a")], &[]));
    assert_eq!(chain.history.metadata()["created"], block_time(20).to_rfc3339_seconds());
    assert_eq!(chain.history.metadata().get("updated"), None, "nothing was updated yet");

    for (slot, actions) in [
        (40, vec![update_service("a", "", "https://example.org")]),
        (60, vec![patch_context(&["https://a.example"])]),
        (80, vec![add_key(issuing_key("issuing0"))]),
        (100, vec![remove_service("a")]),
    ] {
        chain.applies(actions);
        assert_eq!(
            chain.history.metadata()["updated"],
            block_time(slot).to_rfc3339_seconds()
        );
        assert_eq!(chain.history.metadata()["created"], block_time(20).to_rfc3339_seconds());
    }
    chain.ignores(vec![remove_service("a")]);
    assert_eq!(
        chain.history.metadata()["updated"],
        block_time(100).to_rfc3339_seconds()
    );
}

#[test]
fn u25_three_chained_updates_in_one_block_are_all_applied() {
    let mut identity = Identity::new(SEED, 0);
    let mut history = History::created_by(&identity.create());
    let updates = ["a", "b", "c"].map(|id| identity.add_service(domain(id)));
    assert_eq!(
        history.publish_block(&[&updates[0], &updates[1], &updates[2]]),
        [true; 3]
    );
    assert_eq!(history.service_ids(), ["a", "b", "c"]);
}

#[test]
fn u26_of_two_updates_with_the_same_link_the_first_wins() {
    let mut chain = Chain::with_two_masters();
    let first = chain.update_by("master0", vec![add_service(domain("first"))]);
    let second = chain.update_by("master1", vec![add_service(domain("second"))]);
    assert_eq!(chain.history.publish_block(&[&first, &second]), [true, false]);
    assert_eq!(chain.history.service_ids(), ["first"]);
    chain.history.ignores(&second);
    chain.history.ignores(&first);
}

#[test]
fn revoked_keys_leave_the_document_and_others_keep_their_order() {
    let keys = ["a", "b", "c"].map(issuing_key).to_vec();
    let mut chain = Chain::created_by(&creation(keys, vec![], &[]));
    chain.applies(vec![remove_key("b"), add_key(issuing_key("d")), remove_key("a")]);
    assert_eq!(chain.history.key_ids(), ["master0", "c", "d"]);
    let did = format!("did:prism:{}", chain.did);
    let minimal = chain
        .history
        .resolve(&did, Version::Latest, DocumentStyle::Minimal)
        .unwrap()
        .document;
    let minimal = serde_json::to_value(minimal).unwrap();
    assert_eq!(
        minimal["assertionMethod"],
        json!([format!("{did}#c"), format!("{did}#d")])
    );
    assert_eq!(
        chain.history.did_data().public_keys,
        [master(), issuing_key("c"), issuing_key("d")]
    );
}
