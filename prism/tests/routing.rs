//! Routing looks at one operation alone and judges nothing of its storage events, so that an index stays right when the
//! rules for storage entries change.

use std::fmt::Write;

use did_prism::digest::OperationHash;
use did_prism::proto::StatusListEntry;
use did_prism::route::{Route, route};
use prism_fixtures::message::{
    EntryData, create_storage_entry, deactivate_storage_entry, legacy, update_storage_entry,
};
use prism_fixtures::protobuf::{field, number_field, with_event_fields};
use prism_fixtures::{Identity, LedgerShape, ledger, ledger_operations, sign, sign_bytes};

const SEED: u64 = 9;

/// edge-cases.md#v6: known data, none, unknown kinds, unknown fields of every range, known numbers with a foreign wire type.
#[test]
fn v12_v13_what_a_storage_event_holds_does_not_change_its_route() {
    let owner = Identity::new(SEED, 1);
    let predecessor = OperationHash::of(b"predecessor");
    let data = [
        None,
        Some(EntryData::Bytes(vec![])),
        Some(EntryData::Bytes(vec![1])),
        Some(EntryData::Ipfs("QmContent".to_owned())),
        Some(EntryData::StatusList(StatusListEntry::default())),
    ];
    let mut fields = vec![Vec::new()];
    for number in [1, 2, 3, 49, 50, 51, 99, 100, 101, 102, 103, 1000] {
        fields.push(number_field(number, 7));
        if ![1, 2, 102].contains(&number) {
            fields.push(field(number, b"text"));
        }
    }
    for data in data {
        for fields in &fields {
            let create = create_storage_entry(owner.suffix().as_bytes(), b"nonce", data.clone());
            let create = with_event_fields(&create, fields);
            // Who signed it and whether the signature is right is not looked at.
            let signed = sign_bytes(&create, "unknown", &owner.issuing_key());
            let expected = Route::StorageCreate {
                did: owner.suffix(),
                operation_hash: OperationHash::of(&create),
            };
            assert_eq!(route(&signed.bytes), Ok(expected), "{data:?} {fields:02x?}");

            for change in [
                update_storage_entry(predecessor.as_bytes(), data.clone()),
                deactivate_storage_entry(predecessor.as_bytes()),
            ] {
                let change = with_event_fields(&change, fields);
                let signed = sign_bytes(&change, "unknown", &owner.issuing_key());
                let expected = Route::StorageChange {
                    predecessor,
                    operation_hash: OperationHash::of(&change),
                };
                assert_eq!(route(&signed.bytes), Ok(expected), "{data:?} {fields:02x?}");
            }
        }
    }
}

/// An index that an older version wrote is never rewritten. The digest was taken before storage entries without data,
/// of unknown kinds and with unknown validation fields were given a meaning. Another generator of ledgers needs another
/// digest, taken before the rules are touched.
#[test]
fn the_routes_of_a_ledger_never_change() {
    let shape = LedgerShape {
        blocks: 60,
        ..LedgerShape::small(SEED)
    };
    let mut operations: Vec<Vec<u8>> = ledger(&shape)
        .flat_map(|block| ledger_operations(&block))
        .map(|operation| operation.bytes.as_slice().to_vec())
        .collect();
    let owner = Identity::new(SEED, 1);
    let (suffix, hash) = (owner.suffix(), OperationHash::of(b"predecessor"));
    for length in [0, 31, 32] {
        for event in [
            create_storage_entry(&suffix.as_bytes()[..length], b"", None),
            update_storage_entry(&hash.as_bytes()[..length], None),
            deactivate_storage_entry(&hash.as_bytes()[..length]),
        ] {
            operations.push(owner.sign_storage(&event).bytes);
            for fields in [
                field(3, b""),
                field(50, b""),
                field(103, b""),
                number_field(100, 1),
                vec![0xff],
            ] {
                operations.push(sign_bytes(&with_event_fields(&event, &fields), "vdr0", owner.storage_key()).bytes);
            }
        }
    }
    operations.push(sign_bytes(&legacy(3), "master0", owner.master_key()).bytes);
    operations.push(sign(&prism_fixtures::message::empty(), "master0", owner.master_key()).bytes);

    let mut kinds = [0; 5];
    let mut text = String::new();
    for (index, bytes) in operations.iter().enumerate() {
        let (kind, line) = match route(bytes) {
            Ok(Route::Did {
                did,
                operation_hash,
                lists_did,
            }) => (0, format!("did {did} {operation_hash} {lists_did}")),
            Ok(Route::StorageCreate { did, operation_hash }) => (1, format!("create {did} {operation_hash}")),
            Ok(Route::StorageChange {
                predecessor,
                operation_hash,
            }) => (2, format!("change {predecessor} {operation_hash}")),
            Ok(Route::Ignored(reason)) => (3, format!("ignored {reason}")),
            Err(_) => (4, "undecodable".to_owned()),
        };
        kinds[kind] += 1;
        writeln!(text, "{index} {line}").unwrap();
    }
    assert_eq!(kinds, [421, 87, 65, 67, 16]);
    assert_eq!(
        OperationHash::of(text.as_bytes()).to_string(),
        "d6fd11cd0000a7b1c9df022a7a3ad072633c0f463b7b5a745048bb16ce3740da"
    );
}
