//! Order, repeats and operations without effect, as far as the protocol alone decides (edge-cases.md#order).

mod common;

use common::{History, SEED, creation, key, master, signed_by_master};
use did_prism::digest::OperationHash;
use did_prism::envelope::{encode_object, operations_in_object};
use did_prism::proto::KeyUsage;
use did_prism::route::{Route, route};
use prism_fixtures::message::{
    create_did, deactivate_did, empty, legacy, patch_context, public_key, service, update_did,
};
use prism_fixtures::protobuf::field;
use prism_fixtures::{Identity, Signed, assemble, sign, sign_bytes};
use prost::Message;

fn domain(id: &str) -> did_prism::proto::Service {
    service(id, "LinkedDomains", "https://example.com")
}

/// Asserts that the operation is stored and routed to no DID, and that it leaves a DID as it is wherever it stands.
#[track_caller]
fn has_no_effect(signed: &Signed) {
    assert!(matches!(route(&signed.bytes), Ok(Route::Ignored(_))), "routed nowhere");

    let mut identity = Identity::new(SEED, 0);
    let mut history = History::of(identity.suffix());
    assert_eq!(
        history.publish_block(&[signed, &identity.create(), signed]),
        [false, true, false]
    );
    history.ignores(signed);
    history.applies(&identity.add_service(domain("a")));
}

#[test]
fn o1_create_and_update_in_one_block_are_both_applied() {
    let mut identity = Identity::new(SEED, 0);
    let mut history = History::of(identity.suffix());
    assert_eq!(
        history.publish_block(&[&identity.create(), &identity.add_service(domain("a"))]),
        [true, true]
    );
    assert_eq!(history.service_ids(), ["a"]);
}

#[test]
fn o2_an_update_before_its_create_is_ignored() {
    let mut identity = Identity::new(SEED, 0);
    let mut history = History::of(identity.suffix());
    assert_eq!(
        history.publish_block(&[&identity.add_service(domain("a")), &identity.create()]),
        [false, true]
    );
    assert_eq!(history.service_ids(), Vec::<String>::new());
    assert_eq!(history.metadata()["versionId"], identity.suffix().to_string());
}

// edge-cases.md#e19
#[test]
fn o3_transactions_of_a_block_count_in_the_order_of_absn() {
    let mut identity = Identity::new(SEED, 0);
    let (create, first) = (identity.create(), identity.add_service(domain("a")));
    let second = identity.add_service(domain("b"));

    let mut history = History::of(identity.suffix());
    assert_eq!(
        history.publish_transactions(&[&[&create], &[&first], &[&second]]),
        [true; 3]
    );

    let mut reversed = History::of(identity.suffix());
    assert_eq!(
        reversed.publish_transactions(&[&[&second], &[&create], &[&first]]),
        [false, true, true]
    );
    assert_eq!(reversed.service_ids(), ["a"]);
}

#[test]
fn o3_blocks_count_before_transactions_and_transactions_before_operations() {
    let mut identity = Identity::new(SEED, 0);
    let create = identity.create();
    let updates: Vec<_> = ["a", "b", "c", "d"].map(|id| identity.add_service(domain(id))).into();
    let mut history = History::of(identity.suffix());
    assert_eq!(
        history.publish_transactions(&[&[], &[], &[&create, &updates[0]]]),
        [true; 2]
    );
    assert_eq!(
        history.publish_transactions(&[&[&updates[1], &updates[2]], &[&updates[3]]]),
        [true; 3]
    );
    assert_eq!(history.service_ids(), ["a", "b", "c", "d"]);
}

#[test]
fn o5_a_create_published_again_changes_nothing() {
    let identity = Identity::new(SEED, 0);
    let create = identity.create();
    let mut history = History::of(identity.suffix());
    assert_eq!(history.publish_block(&[&create, &create]), [true, false]);
    let created = history.metadata()["created"].clone();
    history.ignores(&create);
    assert_eq!(history.metadata()["created"], created);
}

#[test]
fn o5_a_create_published_again_after_an_update_changes_nothing() {
    let mut identity = Identity::new(SEED, 0);
    let mut history = History::created_by(&identity.create());
    history.applies(&identity.add_service(domain("a")));
    history.ignores(&identity.create());
    history.applies(&identity.add_service(domain("b")));
}

#[test]
fn o6_a_create_with_a_bad_signature_does_not_block_a_good_one() {
    let operation = create_did(vec![master()], vec![], &[]);
    let bad = sign(&operation, "master0", &key("other"));
    let good = signed_by_master(&operation);
    assert_eq!(bad.hash, good.hash);

    let mut history = History::of(good.hash.into());
    assert_eq!(history.publish_block(&[&bad]), [false]);
    assert!(!history.exists());
    history.applies(&good);
    assert_eq!(
        history.metadata()["created"],
        prism_fixtures::block_time(40).to_string(),
        "time of the second block"
    );
}

#[test]
fn o7_a_second_create_by_another_valid_signer_is_ignored() {
    let keys = vec![master(), public_key("master1", KeyUsage::MasterKey, &key("master1"))];
    let operation = create_did(keys, vec![], &[]);
    let mut history = History::created_by(&sign(&operation, "master0", &key("master0")));
    history.ignores(&sign(&operation, "master1", &key("master1")));
}

#[test]
fn o8_an_operation_without_content_takes_up_its_index() {
    let create = creation(vec![], vec![], &[]);
    let object = encode_object(&[field(1, b"master0"), create.bytes.clone()]);
    let operations = operations_in_object(&object).unwrap();
    assert_eq!(operations.len(), 2);
    assert!(matches!(route(operations[0].bytes.as_slice()), Ok(Route::Ignored(_))));
    assert_eq!(operations[1].osn.get(), 1);
    assert_eq!(operations[1].bytes.as_slice(), create.bytes);

    has_no_effect(&signed_by_master(&empty()));
    has_no_effect(&Signed {
        bytes: vec![],
        hash: OperationHash::of(&[]),
    });
}

#[test]
fn o9_operations_of_the_old_protocol_are_skipped() {
    for number in [3, 4] {
        has_no_effect(&sign_bytes(&legacy(number), "master0", &key("master0")));
    }
}

#[test]
fn o10_operations_of_an_unknown_kind_are_skipped() {
    for number in [10, 15, 16, 1000] {
        has_no_effect(&sign_bytes(&field(number, b"\x0a\x01a"), "master0", &key("master0")));
    }
}

#[test]
fn o11_unknown_fields_of_an_update_are_tolerated_and_hashed() {
    let identity = Identity::new(SEED, 0);
    let mut history = History::created_by(&identity.create());

    let add_service = update_did(
        identity.last_hash().as_bytes(),
        &identity.suffix().to_string(),
        vec![patch_context(&["https://a.example"])],
    );
    let unknown_outside = [
        field(50, b"unknown"),
        add_service.encode_to_vec(),
        field(51, b"unknown"),
    ]
    .concat();
    let first = sign_bytes(&unknown_outside, "master0", identity.master_key());
    history.applies(&first);
    assert_eq!(
        history.metadata()["versionId"],
        OperationHash::of(&unknown_outside).to_string()
    );

    // The next update links to the bytes as found, and has an unknown field itself, inside the update.
    let mut inner = next_update(&first, &identity);
    inner.extend(field(90, b"unknown"));
    let second = sign_bytes(&field(2, &inner), "master0", identity.master_key());
    history.applies(&second);
    assert_eq!(history.did_data().context, ["https://b.example"]);
    assert_eq!(history.metadata()["versionId"], second.hash.to_string());
}

/// The serialized `ProtoUpdateDID` that follows `previous`.
fn next_update(previous: &Signed, identity: &Identity) -> Vec<u8> {
    did_prism::proto::ProtoUpdateDid {
        previous_operation_hash: previous.hash.as_bytes().to_vec(),
        id: identity.suffix().to_string(),
        actions: vec![patch_context(&["https://b.example"])],
    }
    .encode_to_vec()
}

#[test]
fn operations_are_routed_to_the_did_they_name() {
    let mut identity = Identity::new(SEED, 0);
    let did = identity.suffix();
    let update = identity.add_service(domain("a"));
    let deactivation = identity.deactivate();
    for signed in [update, deactivation] {
        let expected = Route::Did {
            did,
            operation_hash: signed.hash,
            lists_did: false,
        };
        assert_eq!(route(&signed.bytes).unwrap(), expected);
    }
    let entry = identity.create_entry(b"data");
    assert_eq!(
        route(&entry.bytes).unwrap(),
        Route::StorageCreate {
            did,
            operation_hash: entry.hash
        }
    );
    for change in [
        identity.update_entry(entry.hash, b"new"),
        identity.clone().deactivate_entry(entry.hash),
    ] {
        assert!(
            matches!(route(&change.bytes).unwrap(), Route::StorageChange { operation_hash, .. } if operation_hash == change.hash)
        );
    }
}

#[test]
fn operations_are_routed_unjudged() {
    let identity = Identity::new(SEED, 0);
    let did = identity.suffix();
    for nonsense in [
        update_did(&[], &did.to_string(), vec![]),
        deactivate_did(&[1, 2], &did.to_string()),
    ] {
        let signed = assemble(&nonsense.encode_to_vec(), "", vec![]);
        let expected = Route::Did {
            did,
            operation_hash: signed.hash,
            lists_did: false,
        };
        assert_eq!(route(&signed.bytes).unwrap(), expected);
    }
}

#[test]
fn operations_that_name_no_did_are_ignored() {
    let identity = Identity::new(SEED, 0);
    let suffix = identity.suffix().to_string();
    for id in [
        "",
        "abc",
        &suffix[1..],
        &suffix.to_uppercase(),
        &identity.did(),
        &format!("{suffix}0"),
        &"g".repeat(64),
    ] {
        let actions = vec![patch_context(&["https://a.example"])];
        for names_no_did in [update_did(&[0; 32], id, actions), deactivate_did(&[0; 32], id)] {
            let signed = identity.sign(&names_no_did);
            assert!(matches!(route(&signed.bytes), Ok(Route::Ignored(_))), "{id:?}");
        }
    }
    for length in [0, 31, 33, 64] {
        let hash = vec![1; length];
        for names_nothing in [
            prism_fixtures::message::create_storage_entry(&hash, &[], Some(b"data"[..].into())),
            prism_fixtures::message::update_storage_entry(&hash, Some(b"data"[..].into())),
            prism_fixtures::message::deactivate_storage_entry(&hash),
        ] {
            let signed = identity.sign_storage(&names_nothing);
            assert!(
                matches!(route(&signed.bytes), Ok(Route::Ignored(_))),
                "hash of {length} bytes"
            );
        }
    }
}
