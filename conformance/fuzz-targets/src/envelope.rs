//! The metadata of a transaction, in CBOR and as indexers show it in JSON.

use data_encoding::HEXLOWER;
use did_prism::envelope::{
    encode_metadata, encode_object, metadata_in_auxiliary_data, operations_in_json, operations_in_metadata,
    operations_in_object,
};
use did_prism::ledger::PublishedOperation;
use prism_fixtures::sample;
use serde_json::{Value, json};

use crate::{Seed, assert_tells};

/// Metadata give the same operations each time, and once more when these are encoded anew: in CBOR, inside the auxiliary data of
/// every era, and in JSON.
pub fn envelope(data: &[u8]) {
    metadata(data);
    auxiliary_data(data);
    object(data);
    if let Ok(entry) = serde_json::from_slice::<Value>(data) {
        match operations_in_json(&entry) {
            Ok(operations) => assert_round_trip(&operations),
            Err(error) => assert_tells(&error),
        }
    }
}

fn metadata(data: &[u8]) {
    let read = operations_in_metadata(data);
    assert_eq!(read, operations_in_metadata(data), "the same metadata, read twice");
    match &read {
        Ok(operations) => {
            if let Some(operations) = operations {
                assert_round_trip(operations);
            }
        }
        Err(error) => assert_tells(error),
    }
}

fn auxiliary_data(data: &[u8]) {
    match metadata_in_auxiliary_data(data) {
        Ok(None) => {}
        Ok(Some(metadata)) => {
            assert!(
                data.windows(metadata.len().max(1)).any(|part| part == metadata),
                "metadata that do not stand in the auxiliary data"
            );
            if let Ok(Some(operations)) = operations_in_metadata(&metadata) {
                assert_round_trip(&operations);
            }
        }
        Err(error) => assert_tells(&error),
    }
}

/// An object that is wrapped by ourselves gives what it gives alone.
fn object(data: &[u8]) {
    let alone = operations_in_object(data);
    let in_metadata = operations_in_metadata(&encode_metadata(data));
    let in_json = operations_in_json(&json_entry(data));
    assert_eq!(in_metadata, alone.clone().map(Some));
    assert_eq!(in_json, alone);
}

fn json_entry(object: &[u8]) -> Value {
    json!({"v": 1, "c": [format!("0x{}", HEXLOWER.encode(object))]})
}

fn assert_round_trip(operations: &[PublishedOperation]) {
    for (index, operation) in (0_u32..).zip(operations) {
        assert_eq!(operation.osn.get(), index, "the numbers of operations are their places");
    }
    let bytes: Vec<_> = operations
        .iter()
        .map(|operation| operation.bytes.as_slice().to_vec())
        .collect();
    let object = encode_object(&bytes);
    let metadata = encode_metadata(&object);
    let in_metadata = operations_in_metadata(&metadata);
    assert_eq!(in_metadata.as_ref().map(Option::as_deref), Ok(Some(operations)));
    // Not asked of metadata as found: minicbor passes over a break that stands as an item of a map of definite length.
    let alonzo = [&[0xd9, 0x01, 0x03, 0xa1, 0x00][..], &metadata].concat();
    let mary = [&[0x82][..], &metadata, &[0x80]].concat();
    for auxiliary_data in [metadata.clone(), mary, alonzo] {
        let found = metadata_in_auxiliary_data(&auxiliary_data);
        assert_eq!(found.as_ref().map(Option::as_ref), Ok(Some(&metadata)));
    }
    let in_json = operations_in_json(&json_entry(&object));
    assert_eq!(in_json.as_deref(), Ok(operations));
}

pub(crate) fn seeds() -> Vec<Seed> {
    let operations: Vec<_> = sample()
        .iter()
        .flat_map(|did| did.operations.iter().map(|operation| operation.bytes.clone()))
        .collect();
    let object = encode_object(&operations[..2]);
    let metadata = encode_metadata(&object);
    let empty = encode_metadata(&encode_object(&[vec![], vec![0x12, 0x00]]));
    // The same as the last one in indefinite forms, its chunk in two pieces.
    let indefinite =
        b"\xbf\x19\x53\x4d\xbf\x61v\x01\x61c\x9f\x5f\x43\x22\x06\x12\x45\x00\x12\x02\x12\x00\xff\xff\xff\xff".to_vec();
    vec![
        Seed::new("alonzo", [&[0xd9, 0x01, 0x03, 0xa1, 0x00][..], &empty].concat()),
        Seed::new("empty", empty),
        Seed::new("indefinite", indefinite),
        Seed::new("json", json_entry(&encode_object(&operations[..1])).to_string()),
        Seed::new("mary", [&[0x82][..], &metadata, &[0x80]].concat()),
        Seed::new("metadata", metadata),
        Seed::new("object", object),
        Seed::new("other-label", b"\xa1\x19\x02\xa2\x81\xf6".to_vec()),
    ]
}
