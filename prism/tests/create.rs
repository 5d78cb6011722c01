//! Which creations make a DID (edge-cases.md#create).

mod common;

use common::{History, creates, creation, key, master, signed_by_master};
use did_prism::proto::{KeyUsage, PrismOperation, PublicKey, prism_operation};
use prism_fixtures::message::{compressed_key, create_did, public_key, service};
use prism_fixtures::{ED25519_PUBLIC_KEYS, Signed, assemble, sign, x25519_public_key};
use prost::Message;
use rstest::rstest;
use serde_json::Value;

/// The eight usages, each with the list of the document that names its keys.
const USAGES: [(KeyUsage, Option<&str>); 8] = [
    (KeyUsage::MasterKey, None),
    (KeyUsage::IssuingKey, Some("assertionMethod")),
    (KeyUsage::KeyAgreementKey, Some("keyAgreement")),
    (KeyUsage::AuthenticationKey, Some("authentication")),
    (KeyUsage::RevocationKey, None),
    (KeyUsage::CapabilityInvocationKey, Some("capabilityInvocation")),
    (KeyUsage::CapabilityDelegationKey, Some("capabilityDelegation")),
    (KeyUsage::VdrKey, None),
];

/// A creation with one more key.
fn with_key(other_key: PublicKey) -> Signed {
    creation(vec![other_key], vec![], &[])
}

/// A creation of the DID with the master key alone, signed by it.
fn plain() -> PrismOperation {
    create_did(vec![master()], vec![], &[])
}

#[test]
fn c1_a_single_master_key_makes_a_did_with_an_empty_document() {
    let create = creation(vec![], vec![], &[]);
    assert!(creates(&create));
    let history = History::created_by(&create);
    let document = history.document();
    for list in ["verificationMethod", "authentication", "assertionMethod", "service"] {
        assert_eq!(document[list], Value::Array(vec![]), "{list}");
    }
    assert_eq!(history.key_ids(), ["master0"]);
}

#[test]
fn c2_a_creation_without_keys_or_without_master_key_is_rejected() {
    assert!(!creates(&signed_by_master(&create_did(vec![], vec![], &[]))));
    for (usage, _) in USAGES.into_iter().filter(|(usage, _)| *usage != KeyUsage::MasterKey) {
        let only = vec![public_key("master0", usage, &key("master0"))];
        assert!(!creates(&signed_by_master(&create_did(only, vec![], &[]))), "{usage:?}");
    }
}

#[test]
fn other_usages_take_every_curve() {
    let x25519 = x25519_public_key(1, "other");
    for (usage, list) in USAGES {
        if !matches!(usage, KeyUsage::MasterKey | KeyUsage::VdrKey) {
            for (curve, data) in [("Ed25519", &ED25519_PUBLIC_KEYS[0]), ("X25519", &x25519)] {
                let create = with_key(compressed_key("other", usage, curve, data));
                assert!(creates(&create), "{usage:?} {curve}");
                if list.is_some() {
                    let document = History::created_by(&create).document();
                    let jwk = &document["verificationMethod"][0]["publicKeyJwk"];
                    let x = data_encoding::BASE64URL_NOPAD.encode(data);
                    assert_eq!(*jwk, serde_json::json!({"kty": "OKP", "crv": curve, "x": x}));
                }
            }
        }
    }
}

#[test]
fn c5_all_usages_at_once_show_where_they_belong() {
    let others = USAGES[1..]
        .iter()
        .map(|(usage, _)| public_key(usage.as_str_name(), *usage, &key(usage.as_str_name())))
        .collect();
    let create = creation(others, vec![], &[]);
    assert!(creates(&create));
    let history = History::created_by(&create);
    let document = history.document();
    let did = document["id"].as_str().unwrap();
    let mut visible = Vec::new();
    for (usage, list) in USAGES {
        if let Some(list) = list {
            let reference = format!("{did}#{}", usage.as_str_name());
            assert_eq!(document[list], serde_json::json!([reference]), "{list}");
            visible.push(reference);
        }
    }
    let methods = document["verificationMethod"].as_array().unwrap();
    let ids: Vec<_> = methods.iter().map(|method| method["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids, visible,
        "the usages of the document, in the order in which the keys were added"
    );
    assert_eq!(history.did_data().public_keys.len(), 8);
}

#[rstest]
#[case(50, true)]
#[case(51, false)]
fn c7_fifty_keys_are_accepted_fifty_one_rejected(#[case] count: usize, #[case] accepted: bool) {
    let others = (1..count)
        .map(|index| public_key(&format!("key{index}"), KeyUsage::AuthenticationKey, &key("other")))
        .collect();
    assert_eq!(creates(&creation(others, vec![], &[])), accepted);
}

#[test]
fn c7_master_revocation_and_vdr_keys_count_among_the_fifty() {
    for usage in [KeyUsage::MasterKey, KeyUsage::RevocationKey, KeyUsage::VdrKey] {
        let others = |count| {
            (1..count)
                .map(|index| public_key(&format!("key{index}"), usage, &key("other")))
                .collect::<Vec<_>>()
        };
        assert!(creates(&creation(others(50), vec![], &[])), "{usage:?}");
        assert!(!creates(&creation(others(51), vec![], &[])), "{usage:?}");
    }
}

#[rstest]
#[case(50, true)]
#[case(51, false)]
fn c8_fifty_services_are_accepted_fifty_one_rejected(#[case] count: usize, #[case] accepted: bool) {
    let services = (0..count)
        .map(|index| service(&format!("service{index}"), "LinkedDomains", "https://example.com"))
        .collect();
    assert_eq!(creates(&creation(vec![], services, &[])), accepted);
}

/// Ids of keys (edge-cases.md#c9) and of services (edge-cases.md#c10): a non-empty URI fragment of at most 50 characters.
const IDS: [(&str, bool); 31] = [
    ("a", true),
    ("master-1._~", true),
    ("!$&'()*+,;=:@/?", true),
    ("%20", true),
    ("%C3%A9", true),
    ("%aF", true),
    ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", true),
    ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%20", true),
    ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
    ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa%20", false),
    ("", false),
    (" ", false),
    ("master 0", false),
    (" a", false),
    ("a ", false),
    ("a\n", false),
    ("a\t", false),
    ("a\0", false),
    ("#a", false),
    ("a#b", false),
    ("%zz", false),
    ("%2", false),
    ("%", false),
    ("é", false),
    ("日本", false),
    ("a\"b", false),
    ("a<b", false),
    ("a[0]", false),
    ("a\\b", false),
    ("a^b", false),
    ("a|b{c}`", false),
];

#[test]
fn c9_key_ids_are_uri_fragments_of_at_most_fifty_characters() {
    for (id, accepted) in IDS {
        let create = with_key(public_key(id, KeyUsage::AuthenticationKey, &key("other")));
        assert_eq!(creates(&create), accepted, "{id:?}");
    }
}

#[test]
fn c9_the_signing_key_may_have_any_valid_id() {
    for (id, accepted) in IDS {
        let keys = vec![public_key(id, KeyUsage::MasterKey, &key("master0"))];
        let create = sign(&create_did(keys, vec![], &[]), id, &key("master0"));
        assert_eq!(creates(&create), accepted, "{id:?}");
    }
}

#[test]
fn c10_service_ids_are_uri_fragments_of_at_most_fifty_characters() {
    for (id, accepted) in IDS {
        let create = creation(vec![], vec![service(id, "LinkedDomains", "https://example.com")], &[]);
        assert_eq!(creates(&create), accepted, "{id:?}");
    }
}

#[test]
fn c11_repeated_key_or_service_ids_are_rejected() {
    assert!(!creates(&with_key(public_key(
        "master0",
        KeyUsage::IssuingKey,
        &key("other")
    ))));
    assert!(!creates(&with_key(master())), "the same key twice");
    let other = |id| public_key(id, KeyUsage::IssuingKey, &key("other"));
    assert!(!creates(&creation(
        vec![other("a"), other("b"), other("a")],
        vec![],
        &[]
    )));
    let service = |id, endpoint| service(id, "LinkedDomains", endpoint);
    let services = vec![service("a", "https://example.com"), service("a", "https://example.org")];
    assert!(!creates(&creation(vec![], services, &[])));
}

#[test]
fn c11_ids_that_differ_in_case_or_escape_are_different_ids() {
    let other = |id| public_key(id, KeyUsage::IssuingKey, &key("other"));
    assert!(creates(&creation(
        vec![other("a"), other("A"), other("%61")],
        vec![],
        &[]
    )));
}

#[test]
fn c12_a_key_and_a_service_may_share_an_id() {
    let services = vec![service("master0", "LinkedDomains", "https://example.com")];
    assert!(creates(&creation(vec![], services, &[])));
}

#[rstest]
#[case::none(&[], true)]
#[case::empty_text(&[""], true)]
#[case::base(&["https://www.w3.org/ns/did/v1"], true)]
#[case::no_uri(&["not a URI"], true)]
#[case::not_ascii(&["ünicode"], true)]
#[case::two(&["https://a.example", "https://b.example"], true)]
#[case::repeated(&["https://a.example", "https://a.example"], false)]
#[case::repeated_later(&["https://a.example", "b", "https://a.example"], false)]
#[case::empty_text_repeated(&["", ""], false)]
fn c13_contexts_are_any_texts_without_repeats(#[case] context: &[&str], #[case] accepted: bool) {
    assert_eq!(creates(&creation(vec![], vec![], context)), accepted);
}

#[test]
fn c14_the_signing_key_has_to_be_a_master_key_of_the_creation() {
    let others: Vec<_> = USAGES[1..]
        .iter()
        .map(|(usage, _)| public_key(usage.as_str_name(), *usage, &key("other")))
        .collect();
    let mut keys = vec![master()];
    keys.extend(others);
    let operation = create_did(keys, vec![], &[]);
    let too_long = "m".repeat(51);
    for unknown in [
        "nobody",
        "",
        " master0",
        "MASTER0",
        "did:prism:x#master0",
        "#master0",
        &too_long,
    ] {
        assert!(!creates(&sign(&operation, unknown, &key("master0"))), "{unknown:?}");
    }
    for (usage, _) in &USAGES[1..] {
        assert!(
            !creates(&sign(&operation, usage.as_str_name(), &key("other"))),
            "{usage:?}"
        );
    }
    assert!(creates(&sign(&operation, "master0", &key("master0"))));
}

#[test]
fn c15_a_signature_by_another_private_key_is_rejected() {
    assert!(!creates(&sign(&plain(), "master0", &key("other"))));
}

#[test]
fn c16_a_signature_over_other_bytes_is_rejected() {
    let operation = plain().encode_to_vec();
    let digest = did_prism::digest::sha256(&operation);
    let whole = signed_by_master(&plain()).bytes;
    let unsigned = assemble(&operation, "master0", vec![]).bytes;
    for wrong in [
        &digest[..],
        &did_prism::digest::sha256(&digest),
        &whole,
        &unsigned,
        &operation[1..],
        b"",
    ] {
        assert!(!creates(&assemble(&operation, "master0", key("master0").sign(wrong))));
    }
}

#[test]
fn c17_signatures_with_high_s_are_accepted() {
    for index in 0..8 {
        let services = vec![service(
            &format!("service{index}"),
            "LinkedDomains",
            "https://example.com",
        )];
        let operation = create_did(vec![master()], services, &[]).encode_to_vec();
        let (low, high) = (key("master0").sign(&operation), key("master0").sign_high_s(&operation));
        assert_ne!(low, high);
        assert!(creates(&assemble(&operation, "master0", low)));
        assert!(creates(&assemble(&operation, "master0", high)));
    }
}

#[test]
fn c18_der_with_short_r_and_with_leading_zero_is_accepted() {
    let operation = plain().encode_to_vec();
    // DER is 0x30, length, 0x02, length of r, r, …
    let short = key("master0").sign_until(&operation, |r| r[0] == 0 && (1..0x80).contains(&r[1]));
    assert_eq!(short[3], 31);
    let padded = key("master0").sign_until(&operation, |r| r[0] >= 0x80);
    assert_eq!((short[2], padded[3], padded[4]), (2, 33, 0));
    for signature in [short, padded] {
        assert!(creates(&assemble(&operation, "master0", signature)));
    }
}

#[test]
fn c18_other_encodings_of_a_right_signature_are_rejected() {
    let operation = plain().encode_to_vec();
    let der = key("master0").sign(&operation);
    let trailing = [der.clone(), vec![0]].concat();
    let mut length_too_long = der.clone();
    length_too_long[1] += 1;
    let truncated = der[..der.len() - 1].to_vec();
    // r with a leading zero that it does not need: 31 bytes, written as 32.
    let short = key("master0").sign_until(&operation, |r| r[0] == 0 && (1..0x80).contains(&r[1]));
    let over_padded = [&[0x30, short[1] + 1, 0x02, 32, 0], &short[4..]].concat();
    for (name, signature) in [
        ("trailing byte", trailing),
        ("wrong length", length_too_long),
        ("truncated", truncated),
        ("needless zero", over_padded),
        ("64 raw bytes", key("master0").sign_compact(&operation).to_vec()),
        ("empty", vec![]),
        ("one byte", vec![0x30]),
        ("zeros", vec![0x30, 6, 2, 1, 0, 2, 1, 0]),
    ] {
        assert!(!creates(&assemble(&operation, "master0", signature)), "{name}");
    }
}

#[test]
fn c19_a_creation_without_did_data_is_rejected() {
    let operation = PrismOperation {
        operation: Some(prism_operation::Operation::CreateDid(
            did_prism::proto::ProtoCreateDid { did_data: None },
        )),
    };
    assert!(!creates(&signed_by_master(&operation)));
}

#[test]
fn c25_any_master_key_of_the_creation_may_sign() {
    let keys = vec![master(), public_key("master1", KeyUsage::MasterKey, &key("master1"))];
    let operation = create_did(keys, vec![], &[]);
    assert!(creates(&sign(&operation, "master1", &key("master1"))));
    assert!(!creates(&sign(&operation, "master1", &key("master0"))));
}
