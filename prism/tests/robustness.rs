//! Unusual encodings, hostile bytes, protocol version updates (edge-cases.md#robustness).

mod common;

use common::cbor;
use common::{History, SEED, creates, creation, key, master};
use did_prism::did::PrismDid;
use did_prism::digest::{DidSuffix, OperationHash};
use did_prism::document::DocumentStyle;
use did_prism::envelope::{
    METADATA_LABEL, encode_metadata, encode_object, metadata_in_auxiliary_data, operations_in_json,
    operations_in_metadata, operations_in_object,
};
use did_prism::ledger::{BlockTime, OperationBytes};
use did_prism::operation::SignedOperation;
use did_prism::proto::KeyUsage;
use did_prism::resolution::{Resolver, Version};
use did_prism::route::{Route, route};
use prism_fixtures::message::{
    create_did, deactivate_did, patch_context, protocol_version_update, public_key, service, update_did,
};
use prism_fixtures::protobuf::{field, number_field, over_long_number_field};
use prism_fixtures::{Identity, Signed, block, ledger_operations, sign_bytes};
use proptest::prelude::*;
use prost::Message;
use rstest::rstest;

fn signed(operation: &[u8]) -> Signed {
    sign_bytes(operation, "master0", &key("master0"))
}

#[rstest]
#[case::plausible((2, 0), 1_000_000)]
#[case::effective_at_once((2, 0), 0)]
#[case::effective_before((2, 0), -1)]
#[case::same_version((1, 0), 1_000_000)]
#[case::negative((-1, -1), i32::MIN)]
fn y1_y2_a_protocol_version_update_counts_and_has_no_effect(#[case] version: (i32, i32), #[case] effective: i32) {
    let mut identity = Identity::new(SEED, 0);
    let update = identity.sign(&protocol_version_update(
        &identity.suffix().to_string(),
        version,
        effective,
    ));
    assert!(matches!(route(&update.bytes), Ok(Route::Ignored(_))));

    let object = encode_object(&[update.bytes.clone(), identity.create().bytes]);
    assert_eq!(
        operations_in_object(&object).unwrap()[1].osn.get(),
        1,
        "it takes up its index"
    );

    let mut history = History::created_by(&identity.create());
    history.ignores(&update);
    history.applies(&identity.update(vec![patch_context(&["https://a.example"])]));
}

#[test]
fn y4_deep_json_is_rejected() {
    for deep in [
        "[".repeat(300),
        "[".repeat(150) + &"]".repeat(150),
        r#"{"a":"#.repeat(60),
        "[{\"a\":".repeat(50),
    ] {
        let create = creation(vec![], vec![service("a", "A", &deep)], &[]);
        assert!(!creates(&create), "{deep}");
        let create = creation(vec![], vec![service("a", &deep, "urn:x:y")], &[]);
        assert!(!creates(&create), "{deep}");
    }
}

#[test]
fn y4_deep_cbor_and_protobuf_end_no_stack() {
    let deep_value = [&[0xa1, 0x19, 0x02, 0xa2][..], &vec![0x81; 100_000], &[0x00]].concat();
    assert_eq!(
        operations_in_metadata(&deep_value).ok().flatten(),
        None,
        "label 674 alone"
    );
    // Groups in groups, which protobuf once had, and messages in messages.
    for opening in [0x0b, 0x23, 0x0a] {
        decode_everything(&vec![opening; 100_000]);
    }
}

#[test]
fn y4_lengths_that_promise_more_than_there_is_are_errors() {
    let huge = [0xff; 8];
    // The header of a byte string, text, array or map of 2^64-1 items.
    for major in [0x5b, 0x7b, 0x9b, 0xbb] {
        let lying = [&[major][..], &huge].concat();
        for c in [lying.clone(), cbor::array(std::slice::from_ref(&lying))] {
            let entry = cbor::map(&[(cbor::text("v"), cbor::uint(1)), (cbor::text("c"), c)]);
            assert!(operations_in_metadata(&cbor::map(&[(cbor::uint(METADATA_LABEL), entry)])).is_err());
        }
        assert!(operations_in_metadata(&lying).is_err());
        assert!(metadata_in_auxiliary_data(&lying).is_err());
    }
    let field_of_two_gigabytes = [0x22, 0xff, 0xff, 0xff, 0xff, 0x07];
    assert!(operations_in_object(&field_of_two_gigabytes).is_err());
}

#[test]
fn y5_a_message_field_that_occurs_twice_is_merged() {
    let data = |keys: Vec<_>, context: &[&str]| {
        let operation = create_did(keys, vec![], context).encode_to_vec();
        // Without the headers of `create_did` and `did_data`, each of one or two bytes.
        let create = without_header(&operation);
        without_header(create).to_vec()
    };
    let (with_key, with_context) = (data(vec![master()], &["a"]), data(vec![], &["b"]));
    let create = [field(1, &with_key), field(1, &with_context)].concat();
    let create = signed(&field(1, &create));
    assert!(creates(&create));
    assert_eq!(History::created_by(&create).did_data().context, ["a", "b"]);

    // The field of the operation itself, too: both occurrences are one creation.
    let create = signed(&[field(1, &field(1, &with_key)), field(1, &field(1, &with_context))].concat());
    assert!(creates(&create));
    assert_eq!(History::created_by(&create).did_data().context, ["a", "b"]);
}

/// The content of a message with a single length-delimited field of a number below 16.
fn without_header(message: &[u8]) -> &[u8] {
    let header = if message[1] < 0x80 { 2 } else { 3 };
    &message[header..]
}

#[test]
fn y5_an_operation_in_two_pieces_is_the_pieces_one_after_the_other() {
    let whole = create_did(vec![master()], vec![], &["a"]).encode_to_vec();
    let rest = field(1, &field(1, &field(4, b"b")));
    let operation = [whole.clone(), rest.clone()].concat();
    let signature = key("master0").sign(&operation);
    let in_two_pieces = [
        field(3, &whole),
        field(1, b"master0"),
        field(2, &signature),
        field(3, &rest),
    ]
    .concat();
    let create = Signed {
        bytes: in_two_pieces,
        hash: OperationHash::of(&operation),
    };
    assert!(creates(&create));
    assert_eq!(History::created_by(&create).did_data().context, ["a", "b"]);
}

#[test]
fn y5_of_a_key_id_that_occurs_twice_the_last_counts() {
    let operation = create_did(vec![master()], vec![], &[]).encode_to_vec();
    let signature = key("master0").sign(&operation);
    let with_key_ids = |first: &[u8], last: &[u8]| Signed {
        bytes: [
            field(1, first),
            field(2, &signature),
            field(3, &operation),
            field(1, last),
        ]
        .concat(),
        hash: OperationHash::of(&operation),
    };
    assert!(creates(&with_key_ids(b"unknown", b"master0")));
    assert!(!creates(&with_key_ids(b"master0", b"unknown")));
}

#[test]
fn y5_a_field_of_another_wire_type_is_an_unknown_field() {
    let known = create_did(vec![master()], vec![], &["a"]).encode_to_vec();
    // `create_did` as a number, and a number for a context, beside the right ones.
    let operation = [number_field(1, 7), known, field(1, &field(1, &number_field(4, 7)))].concat();
    let signature = key("master0").sign(&operation);
    let bytes = [
        number_field(1, 7),
        field(3, &operation),
        field(2, &signature),
        field(1, b"master0"),
    ]
    .concat();
    let create = Signed {
        bytes,
        hash: OperationHash::of(&operation),
    };
    assert!(creates(&create));
    assert_eq!(History::created_by(&create).did_data().context, ["a"]);
}

#[test]
fn y6_of_two_operations_in_one_the_last_counts() {
    let mut identity = Identity::new(SEED, 0);
    let mut history = History::created_by(&identity.create());
    let suffix = identity.suffix().to_string();
    let create = create_did(vec![master()], vec![], &[]).encode_to_vec();
    let update = update_did(identity.last_hash().as_bytes(), &suffix, vec![patch_context(&["a"])]).encode_to_vec();

    let update_last = sign_bytes(&[&create[..], &update].concat(), "master0", identity.master_key());
    assert!(matches!(route(&update_last.bytes), Ok(Route::Did { did, .. }) if did == identity.suffix()));
    history.applies(&update_last);
    assert_eq!(history.did_data().context, ["a"]);

    let create_last = signed(&[&update[..], &create].concat());
    assert!(creates(&create_last));
    history.ignores(&create_last);
    history.ignores(&identity.update(vec![patch_context(&["b"])]));
}

#[test]
fn y7_the_bytes_as_found_are_hashed_and_verified() {
    // Every message backwards, numbers longer than they need to be.
    let master_key = [
        field(
            9,
            &[field(2, &key("master0").compressed()), field(1, b"secp256k1")].concat(),
        ),
        over_long_number_field(2, 1),
        field(1, b"master0"),
    ]
    .concat();
    let create = field(1, &field(1, &[field(4, b"context"), field(2, &master_key)].concat()));
    let signature = key("master0").sign(&create);
    let backwards = Signed {
        bytes: [field(3, &create), field(2, &signature), field(1, b"master0")].concat(),
        hash: OperationHash::of(&create),
    };
    assert!(creates(&backwards));

    let mut history = History::created_by(&backwards);
    let suffix = DidSuffix::from(backwards.hash).to_string();
    let actions = patch_context(&["a"]).encode_to_vec();
    let update = [
        field(3, &actions),
        field(2, suffix.as_bytes()),
        field(1, backwards.hash.as_bytes()),
    ]
    .concat();
    let update = signed(&field(2, &update));
    history.applies(&update);
    assert_eq!(history.metadata()["versionId"], update.hash.to_string());
    history.applies(&signed(
        &deactivate_did(update.hash.as_bytes(), &suffix).encode_to_vec(),
    ));

    let signature_over_the_usual_encoding = {
        let usual = create_did(vec![master()], vec![], &["context"]).encode_to_vec();
        prism_fixtures::assemble(&create, "master0", key("master0").sign(&usual))
    };
    assert!(!creates(&signature_over_the_usual_encoding));
}

#[test]
fn y8_text_that_is_not_utf_8_makes_the_object_undecodable() {
    let invalid_context = field(1, &field(1, &field(4, &[0xc3, 0x28])));
    let invalid_key_id = [
        field(1, &[0xff]),
        field(3, &create_did(vec![master()], vec![], &[]).encode_to_vec()),
    ]
    .concat();
    for bytes in [signed(&invalid_context).bytes, invalid_key_id] {
        assert!(SignedOperation::decode(&bytes).is_err());
        assert!(route(&bytes).is_err());
        let good = creation(vec![], vec![], &[]).bytes;
        assert!(operations_in_object(&encode_object(&[good, bytes.clone()])).is_err());
        let undecodable = Signed {
            hash: OperationHash::of(&bytes),
            bytes,
        };
        let identity = Identity::new(SEED, 0);
        History::created_by(&identity.create()).ignores(&undecodable);
    }
}

#[test]
fn y9_the_usage_of_a_key_is_read_as_protobuf_reads_enumerations() {
    let create = |usage: Vec<u8>| {
        let compressed = [field(1, b"secp256k1"), field(2, &key("master0").compressed())].concat();
        let key = [field(1, b"master0"), usage, field(9, &compressed)].concat();
        creates(&signed(&field(1, &field(1, &field(2, &key)))))
    };
    assert!(create(number_field(2, 1)));
    assert!(create(over_long_number_field(2, 1)), "over-long, still 1");
    assert!(
        create([number_field(2, 5), number_field(2, 1)].concat()),
        "the last of two"
    );
    // An enumeration is an int32: of a longer number the low 32 bits count.
    assert!(create(number_field(2, (1 << 32) | 1)));
    for other in [u64::MAX, u64::MAX << 31, 1 << 32, 9] {
        assert!(!create(number_field(2, other)), "{other}");
    }
}

#[rstest]
fn y10_any_block_time_is_answered(
    #[values(BlockTime::MIN.unix_micros(), -1, 0, 1, BlockTime::MAX.unix_micros())] micros: i64,
) {
    let identity = Identity::new(SEED, 0);
    let mut block = block(SEED, 1, 20, [[identity.create().bytes]]);
    block.time = BlockTime::from_unix_micros(micros).unwrap();
    let mut history = History::of(identity.suffix());
    for operation in ledger_operations(&block) {
        assert!(history.apply(operation));
    }
    assert_eq!(history.metadata()["created"], block.time.to_rfc3339_seconds());
    assert!(
        history
            .resolve(&identity.did(), Version::Time(block.time), DocumentStyle::Spec)
            .is_some()
    );
}

/// Feeds bytes to every decoder that takes bytes. What comes out does not matter, as long as something does.
fn decode_everything(bytes: &[u8]) {
    let _ = operations_in_metadata(bytes);
    let _ = operations_in_object(bytes);
    let _ = metadata_in_auxiliary_data(bytes);
    let _ = SignedOperation::decode(bytes);
    let _ = route(bytes);
    replay(bytes);
    let _ = String::from_utf8_lossy(bytes).parse::<PrismDid>();
}

/// Applies these bytes as an operation before and after the creation of a DID, and resolves it.
fn replay(bytes: &[u8]) {
    let identity = Identity::new(SEED, 0);
    let Ok(operation) = OperationBytes::try_from(bytes.to_vec()) else {
        return;
    };
    let bytes = operation.into_vec();
    let block = block(SEED, 1, 20, [[bytes.clone(), identity.create().bytes, bytes]]);
    let mut resolver = Resolver::new(&PrismDid::Canonical(identity.suffix()), Version::Latest);
    for operation in ledger_operations(&block) {
        resolver.push(&operation);
    }
    assert!(resolver.finish(DocumentStyle::Spec).is_ok());
}

/// Valid material to start from: what fuzzing from nothing would hardly reach.
fn valid_operations() -> Vec<Vec<u8>> {
    let mut identity = Identity::new(SEED, 0);
    let entry = identity.create_entry(b"data");
    let issuing = public_key("a", KeyUsage::IssuingKey, &key("a"));
    vec![
        creation(
            vec![issuing],
            vec![service("a", r#"["A","B"]"#, r#"["urn:x:y",{"a":[1]}]"#)],
            &["c"],
        )
        .bytes,
        identity.add_service(service("a", "A", "https://example.com")).bytes,
        identity.rotate_key().bytes,
        entry.bytes,
        identity.update_entry(entry.hash, b"new").bytes,
        identity.deactivate_entry(entry.hash).bytes,
        identity.deactivate().bytes,
    ]
}

/// Valid bytes of every layer, some of which are then replaced, cut out or inserted.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let operations = valid_operations();
    let object = encode_object(&operations);
    let metadata = encode_metadata(&object);
    let alonzo = cbor::tag(259, &cbor::map(&[(cbor::uint(0), metadata.clone())]));
    let mut sources = operations;
    sources.extend([object, metadata, alonzo]);
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..8);
    (prop::sample::select(sources), damage).prop_map(|(mut bytes, damage)| {
        for (place, byte, kind) in damage {
            let place = place.index(bytes.len().max(1));
            match kind {
                0 if place < bytes.len() => bytes[place] = byte,
                1 if place < bytes.len() => drop(bytes.remove(place)),
                _ => bytes.insert(place.min(bytes.len()), byte),
            }
        }
        bytes
    })
}

/// Any JSON value, including some that are nearly an envelope.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<i64>().prop_map(Into::into),
        "(0x)?[0-9a-fA-F]{0,20}".prop_map(Into::into),
        "\\PC{0,10}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec(("[cv]", inner), 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    // A fixed seed: the same cases in every run.
    #![proptest_config(ProptestConfig {
        cases: 512,
        rng_seed: prop::test_runner::RngSeed::Fixed(METADATA_LABEL),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn y3_random_bytes_make_no_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        decode_everything(&bytes);
    }

    #[test]
    fn y3_damaged_bytes_make_no_decoder_panic(bytes in damaged()) {
        decode_everything(&bytes);
    }

    #[test]
    fn y3_random_operations_with_a_right_signature_make_no_rule_panic(bytes in damaged()) {
        replay(&signed(&bytes).bytes);
        replay(&sign_bytes(&bytes, "master0", Identity::new(SEED, 0).master_key()).bytes);
    }

    #[test]
    fn y3_random_json_makes_no_decoder_panic(entry in json()) {
        let _ = operations_in_json(&entry);
    }

    #[test]
    fn y3_random_text_makes_no_parser_panic(text in "\\PC*", rest in "[A-Za-z0-9_:/?#%=-]{0,150}") {
        for text in [text, format!("did:prism:{rest}"), format!("did:{rest}"), rest] {
            let _ = text.parse::<PrismDid>();
            let _ = text.parse::<DocumentStyle>();
        }
    }

    #[test]
    fn y3_random_services_make_no_rule_panic(service_type in "\\PC{0,110}", endpoint in "[\\[\\]{}\":,a-z0-9 \\\\]{0,40}") {
        let create = creation(vec![], vec![service("a", "A", &endpoint), service("b", &service_type, &endpoint)], &[]);
        creates(&create);
    }
}
