//! Storage entries (edge-cases.md#storage-entries).

mod common;

use common::{History, SEED, creation, key, master, signed_by_master};
use did_prism::digest::{DidSuffix, OperationHash};
use did_prism::proto::{KeyUsage, PrismOperation, StatusListEntry};
use did_prism::resolution::Version;
use did_prism::state::{StorageData, StorageStatus};
use prism_fixtures::message::{
    EntryData, add_key, create_storage_entry, deactivate_storage_entry, patch_context, public_key, remove_key,
    update_did, update_storage_entry,
};
use prism_fixtures::protobuf::{field, number_field, with_event_fields};
use prism_fixtures::{Identity, Signed, assemble, block_time, sign, sign_bytes};
use prost::Message;

fn published() -> (Identity, History) {
    let identity = Identity::new(SEED, 0);
    let history = History::created_by(&identity.create());
    (identity, history)
}

fn data(text: &str) -> EntryData {
    EntryData::from(text.as_bytes())
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// A DID with a master key and these VDR keys, each derived from its id.
fn with_storage_keys(ids: &[&str]) -> (DidSuffix, OperationHash, History) {
    let keys = ids
        .iter()
        .map(|id| public_key(id, KeyUsage::VdrKey, &key(id)))
        .collect();
    let create = creation(keys, vec![], &[]);
    (create.hash.into(), create.hash, History::created_by(&create))
}

#[test]
fn v1_an_entry_is_created_changed_and_ended() {
    let (mut identity, mut history) = published();
    let create = identity.create_entry(b"first");
    history.applies(&create);
    assert_eq!(history.entry_bytes(create.hash), Some(bytes("first")));
    let entry = history.entry(create.hash).unwrap();
    assert_eq!(
        (entry.reference, entry.latest_event, entry.status),
        (create.hash, create.hash, StorageStatus::Active)
    );

    let update = identity.update_entry(create.hash, b"second");
    history.applies(&update);
    assert_eq!(history.entry_bytes(create.hash), Some(bytes("second")));
    let entry = history.entry(create.hash).unwrap();
    assert_eq!(
        (entry.reference, entry.latest_event, entry.status),
        (create.hash, update.hash, StorageStatus::Active)
    );
    assert_eq!(
        history.did_data().storage_data[0].prev_operation_hash,
        update.hash.as_bytes()
    );

    let end = identity.deactivate_entry(create.hash);
    history.applies(&end);
    assert_eq!(history.entry_bytes(create.hash), None);
    let entry = history.entry(create.hash).unwrap();
    assert_eq!(
        (entry.reference, entry.latest_event, entry.status),
        (create.hash, end.hash, StorageStatus::Deactivated)
    );
}

/// Each event in turn is offered with every wrong signature before the right one is applied.
#[test]
fn v2_only_an_active_vdr_key_of_the_owner_signs() {
    let (identity, mut history) = published();
    let other = Identity::new(SEED, 1);
    let create = create_storage_entry(identity.suffix().as_bytes(), b"1", Some(data("first")));
    let create_hash = OperationHash::of(&create.encode_to_vec());
    let update = update_storage_entry(create_hash.as_bytes(), Some(data("second")));
    let update_hash = OperationHash::of(&update.encode_to_vec());
    let end = deactivate_storage_entry(update_hash.as_bytes());
    for event in [create, update, end] {
        for wrong in [
            identity.sign(&event),
            sign(&event, Identity::ISSUING_KEY_ID, &identity.issuing_key()),
            sign(
                &event,
                Identity::AUTHENTICATION_KEY_ID,
                &identity.key(Identity::AUTHENTICATION_KEY_ID),
            ),
            sign(&event, "unknown", identity.storage_key()),
            sign(&event, "", identity.storage_key()),
            sign(&event, Identity::STORAGE_KEY_ID, other.storage_key()),
            sign(&event, Identity::STORAGE_KEY_ID, identity.master_key()),
            assemble(&event.encode_to_vec(), Identity::STORAGE_KEY_ID, vec![]),
        ] {
            history.ignores(&wrong);
        }
        history.applies(&identity.sign_storage(&event));
    }
}

#[test]
fn v2_a_removed_vdr_key_does_not_sign() {
    let (mut identity, mut history) = published();
    history.applies(&identity.update(vec![remove_key(Identity::STORAGE_KEY_ID)]));
    history.ignores(&identity.create_entry(b"data"));
}

#[test]
fn v3_a_vdr_key_signs_from_its_position_on() {
    let (did, created, mut history) = with_storage_keys(&[]);
    let entry = |nonce: &[u8]| {
        sign(
            &create_storage_entry(did.as_bytes(), nonce, Some(data("data"))),
            "vdr0",
            &key("vdr0"),
        )
    };
    let add = vec![add_key(public_key("vdr0", KeyUsage::VdrKey, &key("vdr0")))];
    let add = signed_by_master(&update_did(created.as_bytes(), &did.to_string(), add));

    let (too_early, in_time) = (entry(b"1"), entry(b"2"));
    assert_eq!(
        history.publish_block(&[&too_early, &add, &in_time]),
        [false, true, true]
    );
    assert_eq!(history.entry(too_early.hash), None);
    assert_eq!(history.entry_bytes(in_time.hash), Some(bytes("data")));
}

#[test]
fn v4_the_hash_of_the_creation_is_what_tells_entries_apart() {
    let (identity, mut history) = published();
    let create = |nonce: &[u8], text| {
        identity.sign_storage(&create_storage_entry(
            identity.suffix().as_bytes(),
            nonce,
            Some(data(text)),
        ))
    };
    let first = create(b"1", "same");
    history.applies(&first);
    history.ignores(&create(b"1", "same"));
    let (other_nonce, other_data) = (create(b"2", "same"), create(b"1", "other"));
    history.applies(&other_nonce);
    history.applies(&other_data);
    assert_eq!(history.entry_bytes(first.hash), Some(bytes("same")));
    assert_eq!(history.entry_bytes(other_nonce.hash), Some(bytes("same")));
    assert_eq!(history.entry_bytes(other_data.hash), Some(bytes("other")));
}

#[test]
fn v4_without_nonce_data_alone_make_the_hash() {
    let (identity, mut history) = published();
    let create = create_storage_entry(identity.suffix().as_bytes(), &[], Some(data("data")));
    history.applies(&identity.sign_storage(&create));
}

#[test]
fn v5_an_entry_of_a_did_that_is_created_later_is_ignored_for_good() {
    let mut identity = Identity::new(SEED, 0);
    let mut history = History::of(identity.suffix());
    let entry = identity.create_entry(b"data");
    assert_eq!(history.publish_block(&[&entry, &identity.create()]), [false, true]);
    assert_eq!(history.entry(entry.hash), None);
    history.ignores(&identity.update_entry(entry.hash, b"changed"));
}

#[test]
fn v6_the_owner_is_named_by_32_bytes() {
    let (identity, mut history) = published();
    let suffix = identity.suffix();
    let suffix = suffix.as_bytes();
    let too_long = [&suffix[..], &[0]].concat();
    let text = identity.suffix().to_string();
    for owner in [
        &suffix[..31],
        &[],
        &too_long,
        &suffix[1..],
        text.as_bytes(),
        identity.did().as_bytes(),
    ] {
        history.ignores(&identity.sign_storage(&create_storage_entry(owner, b"1", Some(data("data")))));
    }
}

// edge-cases.md#v11
#[test]
fn v7_an_event_links_to_the_last_event_of_its_entry() {
    let (mut identity, mut history) = published();
    let create = identity.create_entry(b"0");
    history.applies(&create);
    for text in ["1", "2", "3"] {
        history.applies(&identity.update_entry(create.hash, text.as_bytes()));
        assert_eq!(history.entry_bytes(create.hash), Some(bytes(text)));
    }
    let last = history.entry(create.hash).unwrap().latest_event;
    for (name, previous) in [
        ("stale", create.hash.as_bytes().to_vec()),
        ("the DID's operation", identity.suffix().as_bytes().to_vec()),
        ("unknown", vec![7; 32]),
        ("all zero", vec![0; 32]),
        ("31 bytes", last.as_bytes()[..31].to_vec()),
        ("33 bytes", [&last.as_bytes()[..], &[0]].concat()),
        ("empty", vec![]),
    ] {
        assert!(
            !history.publish(&identity.sign_storage(&update_storage_entry(&previous, Some(data("wrong"))))),
            "{name}"
        );
        // A deactivation is held to the same link.
        assert!(
            !history.publish(&identity.sign_storage(&deactivate_storage_entry(&previous))),
            "{name}"
        );
        assert_eq!(history.entry_bytes(create.hash), Some(bytes("3")), "{name}");
    }
    history.applies(&identity.deactivate_entry(create.hash));
}

#[test]
fn v7_a_failed_event_does_not_move_the_chain() {
    let (mut identity, mut history) = published();
    let create = identity.create_entry(b"first");
    history.applies(&create);
    let by_master = identity.sign(&update_storage_entry(create.hash.as_bytes(), Some(data("failed"))));
    history.ignores(&by_master);
    history.ignores(&identity.sign_storage(&update_storage_entry(by_master.hash.as_bytes(), Some(data("after it")))));
    history.applies(&identity.update_entry(create.hash, b"second"));
}

#[test]
fn v8_an_update_before_its_creation_is_ignored_for_good() {
    let (mut identity, mut history) = published();
    let create = identity.create_entry(b"old");
    let update = identity.update_entry(create.hash, b"new");
    assert_eq!(history.publish_block(&[&update, &create]), [false, true]);
    assert_eq!(history.entry_bytes(create.hash), Some(bytes("old")));
}

#[test]
fn v9_entries_change_independently_of_each_other() {
    let (mut identity, mut history) = published();
    let (a, b) = (identity.create_entry(b"a0"), identity.create_entry(b"b0"));
    assert_eq!(history.publish_block(&[&a, &b]), [true, true]);
    for round in ["1", "2", "3"] {
        history.applies(&identity.update_entry(a.hash, format!("a{round}").as_bytes()));
        history.applies(&identity.update_entry(b.hash, format!("b{round}").as_bytes()));
    }
    assert_eq!(history.entry_bytes(a.hash), Some(bytes("a3")));
    assert_eq!(history.entry_bytes(b.hash), Some(bytes("b3")));
    history.applies(&identity.deactivate_entry(a.hash));
    assert_eq!(history.entry_bytes(b.hash), Some(bytes("b3")));
}

#[test]
fn v10_nothing_brings_an_ended_entry_back() {
    let (mut identity, mut history) = published();
    let create = identity.create_entry(b"data");
    let update = identity.update_entry(create.hash, b"changed");
    let end = identity.deactivate_entry(create.hash);
    for event in [&create, &update, &end] {
        history.applies(event);
    }
    for previous in [create.hash, update.hash, end.hash] {
        history.ignores(&identity.sign_storage(&update_storage_entry(previous.as_bytes(), Some(data("again")))));
        history.ignores(&identity.sign_storage(&deactivate_storage_entry(previous.as_bytes())));
    }
    for event in [&create, &update, &end] {
        history.ignores(event);
    }
    assert_eq!(history.entry_bytes(create.hash), None);
}

#[test]
fn v12_data_may_be_absent_or_empty() {
    let (mut identity, mut history) = published();
    let create = identity.sign_storage(&create_storage_entry(identity.suffix().as_bytes(), b"absent", None));
    history.applies(&create);
    assert_eq!(history.entry_data(create.hash), Some(StorageData::Absent));
    let with_data = identity.sign_storage(&update_storage_entry(create.hash.as_bytes(), Some(data("some"))));
    history.applies(&with_data);
    assert_eq!(history.entry_bytes(create.hash), Some(bytes("some")));
    let without_data = identity.sign_storage(&update_storage_entry(with_data.hash.as_bytes(), None));
    history.applies(&without_data);
    assert_eq!(history.entry_data(create.hash), Some(StorageData::Absent));
    history.applies(&identity.sign_storage(&deactivate_storage_entry(without_data.hash.as_bytes())));
    assert_eq!(history.entry_data(create.hash), None);

    let create = identity.create_entry(b"");
    history.applies(&create);
    assert_eq!(history.entry_data(create.hash), Some(StorageData::Bytes(vec![])));
    history.applies(&identity.update_entry(create.hash, b"some"));
    history.applies(&identity.update_entry(create.hash, b""));
    assert_eq!(history.entry_data(create.hash), Some(StorageData::Bytes(vec![])));
}

/// Kinds exclude each other, so the last data field counts, as protobuf defines it for fields of a oneof.
#[test]
fn v12_data_of_an_unknown_kind_is_recognised_and_shown_as_nothing() {
    let (identity, mut history) = published();
    let known = |text: &str| field(100, text.as_bytes());
    for (fields, expected) in [
        (field(103, b"unknown"), StorageData::Unknown),
        (number_field(1000, 1), StorageData::Unknown),
        ([known("known"), field(103, b"unknown")].concat(), StorageData::Unknown),
        (
            [field(103, b"unknown"), known("known")].concat(),
            StorageData::Bytes(bytes("known")),
        ),
        // A known number with a foreign wire type is a field that is not known.
        (number_field(100, 1), StorageData::Unknown),
        ([number_field(102, 1), known("")].concat(), StorageData::Bytes(vec![])),
    ] {
        let nonce = format!("{fields:02x?}");
        let create = create_storage_entry(identity.suffix().as_bytes(), nonce.as_bytes(), None);
        let create = with_fields(&identity, &create, &fields);
        history.applies(&create);
        assert_eq!(history.entry_data(create.hash), Some(expected.clone()), "{nonce}");
        let update = identity.sign_storage(&update_storage_entry(create.hash.as_bytes(), Some(data("bytes"))));
        history.applies(&update);
        assert_eq!(history.entry_bytes(create.hash), Some(bytes("bytes")), "{nonce}");
        let update = with_fields(&identity, &update_storage_entry(update.hash.as_bytes(), None), &fields);
        history.applies(&update);
        assert_eq!(history.entry_data(create.hash), Some(expected), "{nonce}");
        // A deactivation has no data, whatever else it has.
        let end = deactivate_storage_entry(update.hash.as_bytes());
        history.applies(&with_fields(&identity, &end, &fields));
        assert_eq!(history.entry(create.hash).unwrap().status, StorageStatus::Deactivated);
    }
}

/// Whoever reads an entry is told its kind (edge-cases.md#v19).
#[test]
fn v12_v19_an_update_may_replace_data_of_one_kind_by_another() {
    let (identity, mut history) = published();
    let status = StatusListEntry {
        state: -1,
        name: "name".to_owned(),
        details: String::new(),
    };
    let kinds = [
        (
            EntryData::Ipfs("QmContent".to_owned()),
            StorageData::Ipfs("QmContent".to_owned()),
        ),
        (EntryData::StatusList(status.clone()), StorageData::StatusList(status)),
        (EntryData::Bytes(vec![1]), StorageData::Bytes(vec![1])),
    ];
    for (index, (first, first_data)) in kinds.iter().enumerate() {
        let nonce = index.to_string();
        let operation = create_storage_entry(identity.suffix().as_bytes(), nonce.as_bytes(), Some(first.clone()));
        let create = identity.sign_storage(&operation);
        history.applies(&create);
        assert_eq!(history.entry_data(create.hash).as_ref(), Some(first_data));
        let mut last = create.hash;
        for (next, next_data) in &kinds {
            let update = identity.sign_storage(&update_storage_entry(last.as_bytes(), Some(next.clone())));
            history.applies(&update);
            assert_eq!(history.entry_data(create.hash).as_ref(), Some(next_data));
            last = update.hash;
        }
    }
}

#[test]
fn v12_a_status_list_entry_is_replaced_as_a_whole() {
    let (identity, mut history) = published();
    let status = |state, name: &str| StatusListEntry {
        state,
        name: name.to_owned(),
        details: String::new(),
    };
    let first = Some(EntryData::StatusList(status(1, "first")));
    let create = identity.sign_storage(&create_storage_entry(identity.suffix().as_bytes(), b"1", first));
    history.applies(&create);
    let second = Some(EntryData::StatusList(status(2, "")));
    history.applies(&identity.sign_storage(&update_storage_entry(create.hash.as_bytes(), second)));
    assert_eq!(
        history.entry_data(create.hash),
        Some(StorageData::StatusList(status(2, "")))
    );
}

/// The storage operation with these fields after those of its event, signed by the VDR key.
fn with_fields(identity: &Identity, operation: &PrismOperation, fields: &[u8]) -> Signed {
    let bytes = with_event_fields(operation, fields);
    sign_bytes(&bytes, Identity::STORAGE_KEY_ID, identity.storage_key())
}

/// Fields that say nothing of validation.
fn metadata_fields() -> [Vec<u8>; 4] {
    [
        field(51, b"unknown"),
        field(99, b"unknown"),
        number_field(75, 7),
        // The nonce with a foreign wire type.
        number_field(50, 7),
    ]
}

/// Validation fields that no event has, and the one that events of another kind have: `reserved` in this one.
fn validation_fields(reserved: u32) -> [Vec<u8>; 4] {
    [
        field(3, b"unknown"),
        field(49, b""),
        number_field(20, 7),
        field(reserved, &[7; 32]),
    ]
}

#[test]
fn v13_unknown_metadata_fields_are_tolerated_and_hashed() {
    let (identity, mut history) = published();
    for fields in metadata_fields() {
        let create = create_storage_entry(identity.suffix().as_bytes(), &fields, Some(data("first")));
        let create = with_fields(&identity, &create, &fields);
        history.applies(&create);
        let update = update_storage_entry(create.hash.as_bytes(), Some(data("second")));
        // The nonce has a meaning in a create alone; elsewhere its number is that of any metadata.
        let update = with_fields(&identity, &update, &[fields.clone(), field(50, b"nonce")].concat());
        history.applies(&update);
        assert_eq!(history.entry_bytes(create.hash), Some(bytes("second")));
        let end = with_fields(&identity, &deactivate_storage_entry(update.hash.as_bytes()), &fields);
        history.applies(&end);
        assert_eq!(history.entry(create.hash).unwrap().status, StorageStatus::Deactivated);
    }
}

#[test]
fn v13_an_unknown_validation_field_makes_its_entry_unsupported_until_the_did_ends() {
    let (mut identity, mut history) = published();
    let mut entries = Vec::new();
    for fields in validation_fields(2) {
        let create = create_storage_entry(identity.suffix().as_bytes(), &fields, Some(data("first")));
        let create = with_fields(&identity, &create, &fields);
        history.applies(&create);
        entries.push((create.hash, create.hash));
    }
    for fields in validation_fields(1) {
        let create = identity.create_entry(b"first");
        history.applies(&create);
        let update = update_storage_entry(create.hash.as_bytes(), Some(data("second")));
        let update = with_fields(&identity, &update, &fields);
        history.applies(&update);
        entries.push((create.hash, update.hash));

        let create = identity.create_entry(b"first");
        history.applies(&create);
        let end = with_fields(&identity, &deactivate_storage_entry(create.hash.as_bytes()), &fields);
        history.applies(&end);
        entries.push((create.hash, end.hash));
    }
    let kept = identity.create_entry(b"kept");
    history.applies(&kept);

    for (reference, last) in &entries {
        let status = |history: &History| history.entry(*reference).unwrap().status;
        assert_eq!(history.entry_data(*reference), None);
        assert_eq!(status(&history), StorageStatus::Unsupported);
        // What follows is judged by the same rules, and changes nothing of that.
        history.ignores(&identity.sign(&update_storage_entry(last.as_bytes(), Some(data("third")))));
        history.ignores(&identity.sign_storage(&update_storage_entry(&[7; 32], Some(data("third")))));
        let update = identity.sign_storage(&update_storage_entry(last.as_bytes(), Some(data("third"))));
        history.applies(&update);
        assert_eq!(status(&history), StorageStatus::Unsupported);
        let end = identity.sign_storage(&deactivate_storage_entry(update.hash.as_bytes()));
        history.applies(&end);
        assert_eq!(status(&history), StorageStatus::Unsupported);
        assert_eq!(history.entry(*reference).unwrap().latest_event, end.hash);
        assert_eq!(history.entry_data(*reference), None);
    }
    assert_eq!(
        history.entry_bytes(kept.hash),
        Some(bytes("kept")),
        "other entries are not touched"
    );
    history.applies(&identity.deactivate());
    for (reference, _) in entries {
        assert_eq!(history.entry(reference).unwrap().status, StorageStatus::Deactivated);
    }
}

/// An event that is known to be invalid says nothing about its entry, whatever else it has.
#[test]
fn v13_an_unknown_validation_field_in_an_invalid_event_changes_nothing() {
    let (mut identity, mut history) = published();
    let fields = field(3, b"unknown");
    let create = create_storage_entry(identity.suffix().as_bytes(), b"1", Some(data("data")));
    let create = with_event_fields(&create, &fields);
    history.ignores(&sign_bytes(&create, &identity.master_key_id(), identity.master_key()));
    assert_eq!(history.entry(OperationHash::of(&create)), None);

    let create = identity.create_entry(b"data");
    history.applies(&create);
    for event in [
        update_storage_entry(create.hash.as_bytes(), None),
        deactivate_storage_entry(create.hash.as_bytes()),
    ] {
        let event = with_event_fields(&event, &fields);
        history.ignores(&sign_bytes(&event, &identity.master_key_id(), identity.master_key()));
    }
    history.ignores(&with_fields(&identity, &update_storage_entry(&[7; 32], None), &fields));
    assert_eq!(history.entry_bytes(create.hash), Some(bytes("data")));

    let end = identity.deactivate_entry(create.hash);
    history.applies(&end);
    history.ignores(&with_fields(
        &identity,
        &update_storage_entry(end.hash.as_bytes(), None),
        &fields,
    ));
    assert_eq!(history.entry(create.hash).unwrap().status, StorageStatus::Deactivated);
}

/// Fields around the event, and occurrences of it that protobuf merges.
#[test]
fn v13_only_fields_of_the_event_itself_count() {
    let (identity, mut history) = published();
    let create = |nonce: &[u8]| create_storage_entry(identity.suffix().as_bytes(), nonce, Some(data("data")));
    let status = |history: &mut History, operation: &[u8]| {
        let signed = sign_bytes(operation, Identity::STORAGE_KEY_ID, identity.storage_key());
        history.applies(&signed);
        history.entry(signed.hash).unwrap().status
    };
    let around = [
        create(b"1").encode_to_vec(),
        field(20, b"unknown"),
        field(3, b"unknown"),
    ]
    .concat();
    assert_eq!(status(&mut history, &around), StorageStatus::Active);
    let merged = [create(b"2").encode_to_vec(), field(7, &field(3, b"unknown"))].concat();
    assert_eq!(status(&mut history, &merged), StorageStatus::Unsupported);
    let replaced = [
        with_event_fields(&update_storage_entry(&[7; 32], None), &field(3, b"unknown")),
        create(b"3").encode_to_vec(),
    ]
    .concat();
    assert_eq!(status(&mut history, &replaced), StorageStatus::Active);
    let foreign_type = with_event_fields(&create(b"4"), &number_field(1, 7));
    assert_eq!(status(&mut history, &foreign_type), StorageStatus::Unsupported);
}

/// edge-cases.md#v1 and edge-cases.md#v10 at every point in time.
#[test]
fn every_version_of_an_entry_is_found_by_its_id_and_by_its_time() {
    let (mut identity, mut history) = published();
    // Slots 40, 60, …; two events in slot 60.
    let create = identity.create_entry(b"first");
    history.applies(&create);
    let (second, third) = (
        identity.update_entry(create.hash, b"second"),
        identity.update_entry(create.hash, b"third"),
    );
    assert_eq!(history.publish_block(&[&second, &third]), [true, true]);
    let refused = identity.sign(&update_storage_entry(third.hash.as_bytes(), None));
    history.ignores(&refused);
    let other = identity.create_entry(b"other");
    history.applies(&other);
    let end = identity.deactivate_entry(create.hash);
    history.applies(&end);
    let did_end = identity.deactivate();
    history.applies(&did_end);

    let at = |reference: OperationHash, version| {
        let entry = history.entry_at(reference, version)?;
        Some((entry.data, entry.status, entry.latest_event))
    };
    let bytes = |text| StorageData::Bytes(bytes(text));
    let first = (bytes("first"), StorageStatus::Active, create.hash);
    let after_third = (bytes("third"), StorageStatus::Active, third.hash);
    let ended = (bytes("third"), StorageStatus::Deactivated, end.hash);
    for (version, expected) in [
        (Version::Time(block_time(39)), None),
        (Version::Time(block_time(40)), Some(&first)),
        (Version::Time(block_time(59)), Some(&first)),
        (Version::Time(block_time(60)), Some(&after_third)),
        (Version::Time(block_time(119)), Some(&after_third)),
        (Version::Time(block_time(120)), Some(&ended)),
        (Version::Latest, Some(&ended)),
        (Version::Id(create.hash), Some(&first)),
        (
            Version::Id(second.hash),
            Some(&(bytes("second"), StorageStatus::Active, second.hash)),
        ),
        (Version::Id(third.hash), Some(&after_third)),
        (Version::Id(end.hash), Some(&ended)),
        // Not an event that took effect, not of this entry, not of an entry, not at all.
        (Version::Id(refused.hash), None),
        (Version::Id(other.hash), None),
        (Version::Id(did_end.hash), None),
        (Version::Id(OperationHash::of(b"unknown")), None),
    ] {
        assert_eq!(at(create.hash, version).as_ref(), expected, "{version:?}");
    }
    // An event keeps its version after the end of the owner.
    let other_at = |version| at(other.hash, version).unwrap().1;
    assert_eq!(other_at(Version::Id(other.hash)), StorageStatus::Active);
    assert_eq!(other_at(Version::Time(block_time(139))), StorageStatus::Active);
    assert_eq!(other_at(Version::Time(block_time(140))), StorageStatus::Deactivated);
    assert_eq!(other_at(Version::Latest), StorageStatus::Deactivated);
}

#[test]
fn v14_an_entry_outlives_the_key_that_made_it() {
    let (did, created, mut history) = with_storage_keys(&["vdr0", "vdr1"]);
    let create = sign(
        &create_storage_entry(did.as_bytes(), b"1", Some(data("first"))),
        "vdr0",
        &key("vdr0"),
    );
    history.applies(&create);
    let remove = update_did(created.as_bytes(), &did.to_string(), vec![remove_key("vdr0")]);
    history.applies(&signed_by_master(&remove));
    assert_eq!(history.entry_bytes(create.hash), Some(bytes("first")));

    let update = update_storage_entry(create.hash.as_bytes(), Some(data("second")));
    history.ignores(&sign(&update, "vdr0", &key("vdr0")));
    history.applies(&sign(&update, "vdr1", &key("vdr1")));
    assert_eq!(history.entry_bytes(create.hash), Some(bytes("second")));
}

#[test]
fn v15_v16_entries_and_the_did_are_chains_apart() {
    let (mut identity, mut history) = published();
    let create = identity.create_entry(b"first");
    history.applies(&create);
    let metadata = history.metadata();
    assert_eq!(metadata["versionId"], identity.suffix().to_string());
    assert_eq!(metadata.get("updated"), None);

    history.applies(&identity.update(vec![patch_context(&["https://a.example"])]));
    let metadata = history.metadata();
    history.applies(&identity.update_entry(create.hash, b"second"));
    history.applies(&identity.deactivate_entry(create.hash));
    assert_eq!(
        history.metadata(),
        metadata,
        "storage moves neither versionId nor updated"
    );
    history.applies(&identity.update(vec![patch_context(&["https://b.example"])]));
}

#[test]
fn v17_a_chain_may_have_any_length() {
    let (mut identity, mut history) = published();
    let create = identity.create_entry(b"first");
    history.applies(&create);
    for round in 0..250_u32 {
        assert!(
            history.publish(&identity.update_entry(create.hash, &round.to_be_bytes())),
            "update {round}"
        );
    }
    assert_eq!(history.entry_bytes(create.hash), Some(249_u32.to_be_bytes().to_vec()));
}

#[test]
fn v18_the_creation_of_the_did_is_no_storage_event() {
    let (identity, mut history) = published();
    let previous = identity.suffix();
    history.ignores(&identity.sign_storage(&update_storage_entry(previous.as_bytes(), Some(data("data")))));
    history.ignores(&identity.sign_storage(&deactivate_storage_entry(previous.as_bytes())));
}

#[test]
fn another_did_does_not_change_an_entry() {
    let (mut identity, mut history) = published();
    let create = identity.create_entry(b"data");
    history.applies(&create);
    let stranger = Identity::new(SEED, 1);
    history.ignores(&stranger.sign_storage(&update_storage_entry(create.hash.as_bytes(), Some(data("changed")))));

    let mut strangers = History::created_by(&stranger.create());
    strangers.ignores(&create);
    strangers.ignores(&stranger.sign_storage(&update_storage_entry(create.hash.as_bytes(), Some(data("changed")))));
}

#[test]
fn a_did_without_vdr_key_has_no_entries() {
    let (did, _, mut history) = with_storage_keys(&[]);
    let entry = create_storage_entry(did.as_bytes(), b"1", Some(data("data")));
    history.ignores(&signed_by_master(&entry));
    assert_eq!(history.did_data().public_keys, [master()]);
    assert!(history.did_data().storage_data.is_empty());
}

#[test]
fn active_entries_are_answered_in_the_order_of_their_creation() {
    let (mut identity, mut history) = published();
    let entries: Vec<Signed> = ["a", "b", "c", "d"]
        .iter()
        .map(|text| identity.create_entry(text.as_bytes()))
        .collect();
    for entry in &entries {
        history.applies(entry);
    }
    history.applies(&identity.update_entry(entries[0].hash, b"changed"));
    history.applies(&identity.deactivate_entry(entries[1].hash));
    let data = history.did_data().storage_data;
    let references: Vec<_> = data.iter().map(|data| data.init_operation_hash.as_slice()).collect();
    assert_eq!(
        references,
        [0, 2, 3].map(|index: usize| entries[index].hash.as_bytes().as_slice())
    );
}
