//! DIDs as text, and what they resolve to (edge-cases.md#resolution).
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a surprise in a helper fails the test that asked"
)]

mod common;

use common::{History, SEED, key, master};
use data_encoding::BASE64URL_NOPAD;
use did_prism::did::{DidError, PrismDid};
use did_prism::digest::OperationHash;
use did_prism::document::DocumentStyle;
use did_prism::proto::KeyUsage;
use did_prism::resolution::Version;
use prism_fixtures::message::{create_did, public_key, remove_key, service, update_did};
use prism_fixtures::{Identity, assemble};
use prost::Message;
use rstest::rstest;
use serde_json::json;

/// The long form whose suffix fits these bytes, whatever they are.
fn long_form(operation: &[u8]) -> String {
    format!(
        "did:prism:{}:{}",
        OperationHash::of(operation),
        BASE64URL_NOPAD.encode(operation)
    )
}

fn valid_operation() -> Vec<u8> {
    create_did(vec![master()], vec![], &[]).encode_to_vec()
}

#[track_caller]
fn is_invalid(did: &str) {
    let parsed = did.parse::<PrismDid>();
    assert!(
        matches!(parsed, Err(DidError::InvalidDid { .. })),
        "{did:?} is {parsed:?}"
    );
}

#[test]
fn i1_a_canonical_did_has_64_lowercase_hexadecimal_digits() {
    let suffix = "9b5118411248d9663b6ab15128fba8106511230ff654e7514cdcc4ce919bde9b";
    let did = format!("did:prism:{suffix}");
    let parsed: PrismDid = did.parse().unwrap();
    assert_eq!(parsed, PrismDid::Canonical(suffix.parse().unwrap()));
    assert_eq!(
        (parsed.to_string(), parsed.canonical(), parsed.suffix().to_string()),
        (did.clone(), did.clone(), suffix.to_owned())
    );

    for wrong in [
        format!("did:prism:{}", &suffix[1..]),
        format!("{did}0"),
        format!("did:prism:{}", suffix.to_uppercase()),
        format!("did:prism:{}G{}", &suffix[..10], &suffix[11..]),
        format!("did:PRISM:{suffix}"),
        format!("DID:prism:{suffix}"),
        format!("{did}:"),
        format!("{did}:::"),
        format!("{did}:a:b"),
        format!("{did}\n"),
        format!("{did} "),
        format!(" {did}"),
        format!("{did}\0"),
        format!("did:prism::{suffix}"),
        suffix.to_owned(),
        "did:prism:".to_owned(),
        "did:prism".to_owned(),
        "did:prism:xyz".to_owned(),
    ] {
        is_invalid(&wrong);
    }
}

#[test]
fn a_long_form_is_kept_as_it_was_asked_for() {
    let operation = valid_operation();
    let did = long_form(&operation);
    let parsed: PrismDid = did.parse().unwrap();
    assert!(matches!(parsed, PrismDid::LongForm(_)));
    assert_eq!(parsed.to_string(), did);
    assert_eq!(parsed.suffix(), OperationHash::of(&operation).into());
    assert_eq!(
        parsed.canonical(),
        format!("did:prism:{}", OperationHash::of(&operation))
    );
}

#[test]
fn i2_the_state_of_a_long_form_is_base64url_without_padding() {
    // Endpoints of growing length until the encoding ends in two and in three digits, where padding would stand.
    let operations: Vec<_> = (0..3)
        .map(|length| {
            let services = vec![service("a", "A", &format!("urn:x:{}", "y".repeat(length)))];
            create_did(vec![master()], services, &[]).encode_to_vec()
        })
        .collect();
    for operation in &operations {
        let did = long_form(operation);
        assert!(did.parse::<PrismDid>().is_ok());
        let digits = BASE64URL_NOPAD.encode(operation).len();
        match digits % 4 {
            0 => is_invalid(&format!("{did}A")),
            partial => {
                is_invalid(&format!("{did}{}", "=".repeat(4 - partial)));
                // The last digit has bits that no byte takes up; they have to be zero.
                let mut other_spelling = did.clone();
                let last = other_spelling.pop().unwrap();
                other_spelling.push(char::from(u8::try_from(last).unwrap() + 1));
                is_invalid(&other_spelling);
            }
        }
        is_invalid(&format!("{did}="));
        is_invalid(&format!("{did}\n"));
        is_invalid(&format!("{did} "));
    }
    let prefix = format!("did:prism:{}", OperationHash::of(&operations[0]));
    for state in ["+", "ab+d", "a", "abcde", "ab.d", "äbcd", ""] {
        is_invalid(&format!("{prefix}:{state}"));
    }
    // A slash begins the path of a DID URL.
    for state in ["/", "ab/d"] {
        assert!(format!("{prefix}:{state}").parse::<PrismDid>().is_err());
    }
}

#[test]
fn i3_the_state_of_a_long_form_is_the_creation_with_the_hash_of_its_suffix() {
    let operation = valid_operation();
    let other = create_did(vec![master()], vec![], &["other"]).encode_to_vec();
    is_invalid(&format!(
        "did:prism:{}:{}",
        OperationHash::of(&other),
        BASE64URL_NOPAD.encode(&operation)
    ));

    let identity = Identity::new(SEED, 0);
    let update = update_did(&[0; 32], &identity.suffix().to_string(), vec![remove_key("master0")]).encode_to_vec();
    is_invalid(&long_form(&update));
    is_invalid(&long_form(&[]));
    is_invalid(&long_form(b"not protobuf"));
    // The signed operation in place of the operation.
    is_invalid(&long_form(&identity.create().bytes));
}

#[test]
fn i3_unknown_fields_in_the_state_are_part_of_what_is_hashed() {
    let operation = [valid_operation(), prism_fixtures::protobuf::field(1000, b"unknown")].concat();
    let did = long_form(&operation);
    assert_eq!(
        did.parse::<PrismDid>().unwrap().suffix(),
        OperationHash::of(&operation).into()
    );
    assert_eq!(
        History::of(OperationHash::of(&operation).into()).document_of(&did, DocumentStyle::Spec)["id"],
        did
    );
}

#[test]
fn i4_a_long_form_keeps_the_rules_of_a_creation() {
    let issuing = |id: &str| public_key(id, KeyUsage::IssuingKey, &key("other"));
    let domain = |id: &str| service(id, "LinkedDomains", "https://example.com");
    let numbered = |count: usize| (0..count).map(|index| format!("id{index}")).collect::<Vec<_>>();
    let keys = |count: usize| {
        [
            vec![master()],
            numbered(count - 1).iter().map(|id| issuing(id)).collect(),
        ]
        .concat()
    };
    let services = |count| numbered(count).iter().map(|id| domain(id)).collect::<Vec<_>>();
    for (name, operation) in [
        ("51 keys", create_did(keys(51), vec![], &[])),
        ("no keys", create_did(vec![], vec![], &[])),
        ("no master key", create_did(vec![issuing("a")], vec![], &[])),
        ("51 services", create_did(vec![master()], services(51), &[])),
        ("repeated key id", create_did(vec![master(), master()], vec![], &[])),
        (
            "repeated service id",
            create_did(vec![master()], vec![domain("a"), domain("a")], &[]),
        ),
        ("repeated context", create_did(vec![master()], vec![], &["a", "a"])),
        (
            "bad service type",
            create_did(vec![master()], vec![service("a", "a.b", "urn:x:y")], &[]),
        ),
        (
            "bad endpoint",
            create_did(vec![master()], vec![service("a", "A", "foo")], &[]),
        ),
        ("bad key id", create_did(vec![master(), issuing("a b")], vec![], &[])),
    ] {
        let parsed = long_form(&operation.encode_to_vec()).parse::<PrismDid>();
        assert!(matches!(parsed, Err(DidError::InvalidDid { .. })), "{name}");
    }
    assert!(
        long_form(&create_did(keys(50), services(50), &[]).encode_to_vec())
            .parse::<PrismDid>()
            .is_ok()
    );
}

#[test]
fn i5_an_unpublished_long_form_resolves_to_its_own_state() {
    let keys = vec![master(), public_key("issuing0", KeyUsage::IssuingKey, &key("issuing0"))];
    let services = vec![service("domain", "LinkedDomains", "https://example.com")];
    let operation = create_did(keys, services, &[]).encode_to_vec();
    let hash = OperationHash::of(&operation);
    let did = long_form(&operation);
    let history = History::of(hash.into());

    let document = history.document_of(&did, DocumentStyle::Spec);
    let issuing = format!("{did}#issuing0");
    assert_eq!(document["id"], did);
    assert_eq!(document["controller"], did);
    assert_eq!(document["verificationMethod"][0]["id"], issuing);
    assert_eq!(document["verificationMethod"][0]["controller"], did);
    assert_eq!(document["assertionMethod"], json!([issuing]));
    assert_eq!(document["service"][0]["id"], format!("{did}#domain"));

    let metadata = history
        .resolve(&did, Version::Latest, DocumentStyle::Spec)
        .unwrap()
        .metadata;
    let metadata = serde_json::to_value(metadata).unwrap();
    assert_eq!(metadata["versionId"], hash.to_string());
    for absent in ["created", "updated", "canonicalId"] {
        assert_eq!(metadata.get(absent), None, "{absent}");
    }
    assert_ne!(metadata.get("deactivated"), Some(&json!(true)));
}

#[test]
fn i6_a_published_long_form_resolves_to_the_present_state() {
    let mut identity = Identity::new(SEED, 0);
    let mut history = History::created_by(&identity.create());
    history.applies(&identity.add_service(service("domain", "LinkedDomains", "https://example.com")));
    let did = long_form(&identity.create_operation());

    let document = history.document_of(&did, DocumentStyle::Spec);
    assert_eq!(document["id"], did);
    assert_eq!(document["service"][0]["id"], format!("{did}#domain"));
    let metadata = history
        .resolve(&did, Version::Latest, DocumentStyle::Spec)
        .unwrap()
        .metadata;
    assert_eq!(serde_json::to_value(metadata).unwrap(), {
        let mut expected = history.metadata();
        expected["canonicalId"] = json!(identity.did());
        expected
    });
    assert_eq!(
        history.metadata().get("canonicalId"),
        None,
        "nobody asked for the long form"
    );
}

#[test]
fn i7_the_canonical_form_of_an_unpublished_did_is_not_found() {
    let identity = Identity::new(SEED, 0);
    let history = History::of(identity.suffix());
    assert!(
        history
            .resolve(&identity.did(), Version::Latest, DocumentStyle::Spec)
            .is_none()
    );
}

#[test]
fn i8_a_long_form_whose_publications_are_all_invalid_is_unpublished() {
    let operation = valid_operation();
    let hash = OperationHash::of(&operation);
    let mut history = History::of(hash.into());
    for signature in [vec![], key("other").sign(&operation)] {
        assert!(!history.publish(&assemble(&operation, "master0", signature)));
    }
    let canonical = format!("did:prism:{hash}");
    assert!(
        history
            .resolve(&canonical, Version::Latest, DocumentStyle::Spec)
            .is_none()
    );
    let did = long_form(&operation);
    let resolution = history.resolve(&did, Version::Latest, DocumentStyle::Spec).unwrap();
    assert!(resolution.document.is_some());
    let metadata = serde_json::to_value(resolution.metadata).unwrap();
    assert_eq!(metadata.get("created"), None);
    assert_eq!(metadata.get("canonicalId"), None);
}

#[rstest]
fn i9_what_is_no_did_is_invalid(
    #[values(
        "",
        "did",
        "did:",
        "did::",
        "did:prism",
        "did::abc",
        "did:example",
        "did:example:",
        "not-a-did",
        "http://example.com",
        "did:exa mple:abc",
        "did:Example:abc",
        "did:web:exa mple",
        "did:web:abc:",
        "did%3Aweb%3Aabc",
        ":did:web:abc",
        "DID:web:abc"
    )]
    text: &str,
) {
    is_invalid(text);
}

#[rstest]
#[case("did:web:example.com", "web")]
#[case("did:unsupported:123456789abcdefghi", "unsupported")]
#[case("did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH", "key")]
#[case("did:example:a:b:%20c", "example")]
#[case("did:prism2:abc", "prism2")]
#[case("did:0:a", "0")]
fn i9_other_methods_are_not_supported(#[case] did: &str, #[case] expected: &str) {
    let parsed = did.parse::<PrismDid>();
    assert!(
        matches!(&parsed, Err(DidError::MethodNotSupported { method }) if method == expected),
        "{parsed:?}"
    );
}

#[test]
fn i9_a_did_url_is_no_did() {
    let operation = valid_operation();
    let canonical = format!("did:prism:{}", OperationHash::of(&operation));
    for did in [canonical, long_form(&operation)] {
        for rest in ["/", "/path", "?", "?versionId=1", "#", "#key-1", "/path?query#fragment"] {
            let parsed = format!("{did}{rest}").parse::<PrismDid>();
            assert!(
                matches!(parsed, Err(DidError::InvalidDidUrl { .. })),
                "{rest} is {parsed:?}"
            );
        }
    }
}

#[test]
fn i10_percent_encoding_is_none_of_the_did() {
    let did = format!("did:prism:{}", OperationHash::of(&valid_operation()));
    is_invalid(&did.replace(':', "%3A"));
    is_invalid(&did.replace(':', "%253A"));
    for rest in ["%23", "%23key-1", "%3F", "%2F", "%00"] {
        is_invalid(&format!("{did}{rest}"));
    }
}

#[test]
fn i11_a_long_form_of_fifty_keys_and_fifty_services_resolves() {
    let keys = (1..50).map(|index| public_key(&format!("key{index}"), KeyUsage::IssuingKey, &key("other")));
    let keys = std::iter::once(master()).chain(keys).collect();
    let endpoint = format!("https://example.com/{}", "x".repeat(280));
    let services = (0..50)
        .map(|index| service(&format!("service{index}"), "LinkedDomains", &endpoint))
        .collect();
    let operation = create_did(keys, services, &[]).encode_to_vec();
    let did = long_form(&operation);
    assert!(did.len() > 20_000);
    let document = History::of(OperationHash::of(&operation).into()).document_of(&did, DocumentStyle::Spec);
    assert_eq!(document["verificationMethod"].as_array().unwrap().len(), 49);
    assert_eq!(document["service"].as_array().unwrap().len(), 50);
}
