//! Documents: members, contexts, keys and order (edge-cases.md#resolution).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a surprise in a helper fails the test that asked"
)]

mod common;

use common::{History, SEED, creates, creation, key};
use data_encoding::BASE64URL_NOPAD;
use did_prism::document::DocumentStyle;
use did_prism::proto::KeyUsage;
use did_prism::resolution::Version;
use prism_fixtures::message::{add_service, compressed_key, public_key, service, uncompressed_public_key, update_did};
use prism_fixtures::{ED25519_PUBLIC_KEYS, Identity, TestKey};
use serde_json::{Value, json};

const BASE: &str = "https://www.w3.org/ns/did/v1";
const JWS_2020: &str = "https://w3id.org/security/suites/jws-2020/v1";
const DIDCOMM: &str = "https://didcomm.org/messaging/contexts/v2";
const DID_CONFIGURATION: &str = "https://identity.foundation/.well-known/did-configuration/v1";

fn assert_no_nulls(value: &Value) {
    match value {
        Value::Null => panic!("a null member"),
        Value::Array(items) => items.iter().for_each(assert_no_nulls),
        Value::Object(members) => members.values().for_each(assert_no_nulls),
        _ => {}
    }
}

#[test]
fn i12_documents_have_no_null_members() {
    let other_keys = vec![
        public_key("a", KeyUsage::IssuingKey, &key("a")),
        compressed_key("b", KeyUsage::AuthenticationKey, "Ed25519", &ED25519_PUBLIC_KEYS[0]),
        compressed_key("c", KeyUsage::KeyAgreementKey, "X25519", &[9; 32]),
    ];
    for create in [
        creation(vec![], vec![], &[]),
        creation(other_keys, vec![service("s", "S", "urn:x:y")], &["c"]),
    ] {
        let history = History::created_by(&create);
        let did = format!("did:prism:{}", create.hash);
        for style in [DocumentStyle::Spec, DocumentStyle::Minimal] {
            assert_no_nulls(&history.document_of(&did, style));
        }
        assert_no_nulls(&history.metadata());
    }
}

#[test]
fn i12_an_empty_document_has_its_members_in_order() {
    let create = creation(vec![], vec![], &[]);
    let history = History::created_by(&create);
    let did = format!("did:prism:{}", create.hash);
    let lists = [
        "verificationMethod",
        "authentication",
        "assertionMethod",
        "keyAgreement",
        "capabilityInvocation",
        "capabilityDelegation",
        "service",
    ]
    .map(|list| format!(r#","{list}":[]"#))
    .concat();
    let written = |style| {
        let resolution = history.resolve(&did, Version::Latest, style).unwrap();
        serde_json::to_string(&resolution.document).unwrap()
    };
    assert_eq!(
        written(DocumentStyle::Spec),
        format!(r#"{{"@context":["{BASE}"],"id":"{did}","controller":"{did}"{lists}}}"#)
    );
    assert_eq!(
        written(DocumentStyle::Minimal),
        format!(r#"{{"@context":["{BASE}"],"id":"{did}"{lists}}}"#)
    );
}

#[test]
fn i13_times_are_utc_without_fraction() {
    let mut identity = Identity::new(SEED, 0);
    let mut history = History::of(identity.suffix());
    let update = identity.add_service(service("a", "A", "urn:x:y"));
    let mut block = prism_fixtures::block(SEED, 1, 20, [[identity.create().bytes, update.bytes]]);
    block.time = "2024-02-29T23:59:59.999999+02:00".parse().unwrap();
    for operation in prism_fixtures::ledger_operations(&block) {
        assert!(history.apply(operation));
    }
    assert_eq!(history.metadata()["created"], "2024-02-29T21:59:59Z");
    assert_eq!(history.metadata()["updated"], "2024-02-29T21:59:59Z");
}

/// The `@context` of a DID with these services and contexts, in both styles.
fn contexts(with_method: bool, service_types: &[&str], context: &[&str]) -> (Value, Value) {
    let keys = if with_method {
        vec![public_key("a", KeyUsage::IssuingKey, &key("a"))]
    } else {
        vec![]
    };
    let services = (0..)
        .zip(service_types)
        .map(|(index, service_type)| service(&format!("service{index}"), service_type, "https://example.com"));
    let create = creation(keys, services.collect(), context);
    let history = History::created_by(&create);
    let did = format!("did:prism:{}", create.hash);
    let context = |style| history.document_of(&did, style)["@context"].clone();
    (context(DocumentStyle::Spec), context(DocumentStyle::Minimal))
}

#[test]
fn i14_automatic_contexts_appear_with_what_they_describe() {
    assert_eq!(contexts(false, &[], &[]).0, json!([BASE]));
    assert_eq!(contexts(true, &[], &[]).0, json!([BASE, JWS_2020]));
    assert_eq!(contexts(false, &["DIDCommMessaging"], &[]).0, json!([BASE, DIDCOMM]));
    assert_eq!(
        contexts(false, &["LinkedDomains"], &[]).0,
        json!([BASE, DID_CONFIGURATION])
    );
    assert_eq!(contexts(false, &["Other"], &[]).0, json!([BASE]));
    // Whichever service comes first, and also as one type of several.
    for types in [
        &["DIDCommMessaging", "LinkedDomains"][..],
        &["LinkedDomains", "DIDCommMessaging"],
        &["LinkedDomains", r#"["Other","DIDCommMessaging"]"#, "DIDCommMessaging"],
    ] {
        let (spec, minimal) = contexts(true, types, &["https://user.example"]);
        assert_eq!(
            spec,
            json!([BASE, JWS_2020, DIDCOMM, DID_CONFIGURATION, "https://user.example"])
        );
        assert_eq!(minimal, json!([BASE, "https://user.example"]));
    }
}

#[test]
fn i14_a_key_without_verification_method_adds_no_context() {
    let keys = vec![
        public_key("revocation0", KeyUsage::RevocationKey, &key("revocation0")),
        public_key("vdr0", KeyUsage::VdrKey, &key("vdr0")),
    ];
    let document = History::created_by(&creation(keys, vec![], &[])).document();
    assert_eq!(document["@context"], json!([BASE]));
}

#[test]
fn i14_the_spec_style_names_no_context_twice_and_the_minimal_style_keeps_what_was_written() {
    let user = [BASE, "https://user.example", JWS_2020];
    let (spec, minimal) = contexts(true, &[], &user);
    assert_eq!(spec, json!([BASE, JWS_2020, "https://user.example"]));
    assert_eq!(minimal, json!([BASE, BASE, "https://user.example", JWS_2020]));
}

#[test]
fn i15_master_revocation_and_vdr_keys_are_never_in_the_document() {
    let mut keys = vec![];
    for usage in [KeyUsage::MasterKey, KeyUsage::RevocationKey, KeyUsage::VdrKey] {
        keys.push(public_key(
            &format!("hidden{}", usage.as_str_name()),
            usage,
            &key("hidden"),
        ));
        keys.push(uncompressed_public_key(
            &format!("hidden-too{}", usage.as_str_name()),
            usage,
            &key("hidden"),
        ));
    }
    let history = History::created_by(&creation(keys, vec![], &[]));
    let document = history.document().to_string();
    assert!(
        !document.contains("hidden") && !document.contains("master0"),
        "{document}"
    );
    assert_eq!(history.did_data().public_keys.len(), 7);
}

#[test]
fn i16_jwk_coordinates_keep_leading_zero_bytes() {
    let starts_with_zero = |coordinate: fn(&TestKey) -> [u8; 32]| {
        (0..10_000_u32)
            .map(|index| key(&format!("key {index}")))
            .find(|key| coordinate(key)[0] == 0)
            .unwrap()
    };
    for key in [starts_with_zero(TestKey::x), starts_with_zero(TestKey::y)] {
        let other_keys = vec![
            public_key("compressed", KeyUsage::IssuingKey, &key),
            uncompressed_public_key("coordinates", KeyUsage::IssuingKey, &key),
        ];
        let document = History::created_by(&creation(other_keys, vec![], &[])).document();
        for method in document["verificationMethod"].as_array().unwrap() {
            for (name, coordinate) in [("x", key.x()), ("y", key.y())] {
                let written = method["publicKeyJwk"][name].as_str().unwrap();
                assert_eq!(written.len(), 43);
                assert_eq!(BASE64URL_NOPAD.decode(written.as_bytes()).unwrap(), coordinate);
            }
        }
    }
}

#[test]
fn i17_keys_and_services_stand_in_the_order_in_which_they_were_added() {
    let ids = ["z", "b", "y", "a", "x"];
    let keys = ids.map(|id| public_key(id, KeyUsage::IssuingKey, &key(id))).to_vec();
    let services = ids.map(|id| service(id, "S", "urn:x:y")).to_vec();
    let create = creation(keys, services, &[]);
    assert!(creates(&create));
    let mut history = History::created_by(&create);
    let update = update_did(
        create.hash.as_bytes(),
        &create.hash.to_string(),
        vec![
            add_service(service("c", "S", "urn:x:y")),
            add_service(service("A", "S", "urn:x:y")),
        ],
    );
    history.applies(&common::signed_by_master(&update));
    assert_eq!(history.key_ids(), ["master0", "z", "b", "y", "a", "x"]);
    assert_eq!(history.service_ids(), ["z", "b", "y", "a", "x", "c", "A"]);
    let did = format!("did:prism:{}", create.hash);
    let references = |ids: &[&str]| ids.iter().map(|id| format!("{did}#{id}")).collect::<Vec<_>>();
    let document = history.document();
    assert_eq!(document["assertionMethod"], json!(references(&ids)));
    let in_document: Vec<_> = document["service"]
        .as_array()
        .unwrap()
        .iter()
        .map(|service| service["id"].clone())
        .collect();
    assert_eq!(
        json!(in_document),
        json!(references(&["z", "b", "y", "a", "x", "c", "A"]))
    );
}
