//! DIDs as they stand in a request, above all the long form, which carries a whole operation.

use did_prism::content::{DidContent, MAX_KEYS, MAX_SERVICES};
use did_prism::did::{DidError, LongFormDid, PrismDid};
use did_prism::digest::{DidSuffix, OperationHash, sha256};
use did_prism::document::{DidDocument, DocumentStyle};
use did_prism::item_id::ItemId;
use did_prism::key::KeyUsage;
use did_prism::proto::ProtoCreateDid;
use did_prism::proto::proto_create_did::DidCreationData;
use did_prism::resolution::{Resolver, Version};
use prism_fixtures::message::{create_did, public_key, service};
use prism_fixtures::{Identity, TestKey};
use prost::Message;

use crate::{Seed, assert_tells};

/// A DID that is read is written as it was, resolves without a ledger only in its long form, and to a content that keeps every
/// limit.
pub fn long_form(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        did_text(text);
    }
    // The same bytes as the operation that a long form carries.
    match LongFormDid::of_create(data) {
        Ok(long_form) => {
            assert_eq!(long_form.suffix(), DidSuffix::new(sha256(data)));
            let text = long_form.to_string();
            assert_eq!(text.parse(), Ok(PrismDid::LongForm(long_form)), "{text}");
            did_text(&text);
        }
        Err(error) => assert_tells(&error),
    }
}

fn did_text(text: &str) {
    let parsed = text.parse::<PrismDid>();
    assert_eq!(parsed, text.parse::<PrismDid>(), "the same text, parsed twice");
    let is_url = text.contains(['/', '?', '#']);
    let did = match parsed {
        Ok(did) => did,
        Err(error) => {
            assert_tells(&error);
            assert!(is_url || !matches!(error, DidError::InvalidDidUrl { .. }), "{error}");
            return;
        }
    };
    assert!(!is_url, "a DID URL was taken for a DID");
    assert_eq!(did.to_string(), text, "each DID has one text");
    assert_eq!(did.canonical().parse(), Ok(PrismDid::Canonical(did.suffix())));
    for part in ["/a", "?a=b", "#a"] {
        let error = format!("{text}{part}").parse::<PrismDid>().expect_err("a DID URL");
        assert!(matches!(error, DidError::InvalidDidUrl { .. }), "{error}");
    }
    unpublished(&did);
}

/// Without a ledger, a long form stands for what it carries, and a canonical DID for nothing.
fn unpublished(did: &PrismDid) {
    for style in [DocumentStyle::Spec, DocumentStyle::Minimal] {
        let resolution = Resolver::new(did, Version::Latest).finish(style);
        let PrismDid::LongForm(long_form) = did else {
            assert_tells(&resolution.expect_err("nothing is published"));
            continue;
        };
        content(long_form);
        let resolution = resolution.expect("a long form stands for itself");
        assert_eq!(resolution.metadata.version_id, OperationHash::from(did.suffix()));
        assert_eq!(resolution.metadata.created, None);
        assert_eq!(
            resolution.document.as_ref(),
            Some(&DidDocument::new(did, long_form.content(), style))
        );
        let json = serde_json::to_value(&resolution.document).expect("a document is JSON");
        assert_eq!(json["id"], did.to_string());
    }
}

fn content(long_form: &LongFormDid) {
    let content = long_form.content();
    assert!(content.keys().active().count() <= MAX_KEYS);
    assert!(content.services().active().count() <= MAX_SERVICES);
    assert!(content.keys().active().any(|key| key.usage() == KeyUsage::Master));
    let ids = content.keys().active().map(|key| key.id().as_str());
    for id in ids.chain(content.services().active().map(|service| service.id().as_str())) {
        assert!((1..=ItemId::MAX_LENGTH).contains(&id.chars().count()), "{id:?}");
    }
    // What the read side serves is the same content again.
    let data = long_form.to_did_data();
    let create = ProtoCreateDid {
        did_data: Some(DidCreationData {
            public_keys: data.public_keys,
            services: data.services,
            context: data.context,
        }),
    };
    assert_eq!(DidContent::created_by(&create).as_ref(), Ok(content));
}

pub(crate) fn seeds() -> Vec<Seed> {
    use did_prism::proto::KeyUsage;

    let identity = Identity::new(3, 0);
    let services = vec![
        service("a", "LinkedDomains", "https://example.com/"),
        service("b", r#"["A","B"]"#, r#"["urn:x:y",{"a":[1]}]"#),
    ];
    let key = TestKey::derive(3, "long form");
    let keys = vec![
        public_key("m", KeyUsage::MasterKey, &key),
        prism_fixtures::message::uncompressed_public_key("i", KeyUsage::IssuingKey, &key),
        prism_fixtures::message::compressed_key(
            "a",
            KeyUsage::AuthenticationKey,
            "Ed25519",
            &prism_fixtures::ED25519_PUBLIC_KEYS[0],
        ),
        prism_fixtures::message::compressed_key(
            "k",
            KeyUsage::KeyAgreementKey,
            "X25519",
            &prism_fixtures::x25519_public_key(3, "k"),
        ),
    ];
    let rich = create_did(keys, services, &["https://example.com/v1"]).encode_to_vec();
    let long_form = LongFormDid::of_create(&rich).expect("a valid create");
    vec![
        Seed::new("canonical", identity.did()),
        Seed::new("create", identity.create_operation()),
        Seed::new("create-rich", rich),
        Seed::new("long-form-rich", long_form.to_string()),
        Seed::new("other-method", "did:web:example.com%3A80:a"),
        Seed::new("url", format!("{}#key-1", identity.did())),
    ]
}
