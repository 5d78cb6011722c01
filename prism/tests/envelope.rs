//! From the metadata of a transaction to the operations in it (edge-cases.md#envelope).
#![allow(clippy::unwrap_used, reason = "a surprise in a helper fails the test that asked")]

mod common;

use common::cbor::{array, bytes, indefinite_array, indefinite_bytes, indefinite_map, map, negative, tag, text, uint};
use common::{SEED, creation};
use did_prism::envelope::{
    encode_metadata, encode_object, metadata_in_auxiliary_data, operations_in_json, operations_in_metadata,
    operations_in_object,
};
use did_prism::ledger::PublishedOperation;
use did_prism::proto::{PrismBlock, PrismObject};
use prism_fixtures::Identity;
use prism_fixtures::protobuf::{field, number_field};
use prost::Message;
use rstest::rstest;
use serde_json::{Value, json};

const LABEL: u64 = 21325;

/// A creation and two services added to its DID.
fn three_operations() -> Vec<Vec<u8>> {
    let mut identity = Identity::new(SEED, 0);
    let service = |id| prism_fixtures::message::service(id, "LinkedDomains", "https://example.com");
    vec![
        identity.create().bytes,
        identity.add_service(service("a")).bytes,
        identity.add_service(service("b")).bytes,
    ]
}

/// The object as the standard encoder of the message writes it.
fn object(operations: &[Vec<u8>]) -> Vec<u8> {
    let block_content = PrismBlock {
        operations: operations.to_vec(),
    };
    PrismObject {
        block_content: Some(block_content),
    }
    .encode_to_vec()
}

fn chunks(object: &[u8], size: usize) -> Vec<Vec<u8>> {
    object.chunks(size).map(bytes).collect()
}

/// The entry `{"v": 1, "c": [...]}` with these encoded items in `c`.
fn entry(c: &[Vec<u8>]) -> Vec<u8> {
    map(&[(text("v"), uint(1)), (text("c"), array(c))])
}

fn metadata(entry: Vec<u8>) -> Vec<u8> {
    map(&[(uint(LABEL), entry)])
}

/// The operations found, in order; checks that they are numbered 0, 1, 2, ….
#[track_caller]
fn found(operations: Vec<PublishedOperation>) -> Vec<Vec<u8>> {
    for (index, operation) in (0_u32..).zip(&operations) {
        assert_eq!(operation.osn.get(), index);
    }
    operations
        .into_iter()
        .map(|operation| operation.bytes.into_vec())
        .collect()
}

/// The operations in metadata that has the label and is well formed.
#[track_caller]
fn read(metadata: &[u8]) -> Vec<Vec<u8>> {
    found(operations_in_metadata(metadata).unwrap().unwrap())
}

#[rstest]
#[case::no_label(&[])]
#[case::label_of_messages(&[674])]
#[case::label_of_the_experiment(&[21324])]
#[case::all_of_these(&[20, 674, 721, 21324, 21326])]
fn e1_e2_metadata_without_the_label_has_nothing(#[case] labels: &[u64]) {
    let entries: Vec<_> = labels
        .iter()
        .map(|&label| (uint(label), entry(&chunks(&object(&three_operations()), 64))))
        .collect();
    assert_eq!(operations_in_metadata(&map(&entries)).unwrap(), None);
}

#[test]
fn e3_the_label_is_read_beside_others() {
    let operations = three_operations();
    let message = map(&[(text("msg"), array(&[text("hello"), negative(4)]))]);
    let metadata = map(&[
        (uint(674), message.clone()),
        (uint(LABEL), entry(&chunks(&object(&operations), 64))),
        (
            uint(721),
            indefinite_map(&[(bytes(&[1]), indefinite_array(&[uint(1)]))]),
        ),
    ]);
    assert_eq!(read(&metadata), operations);
}

#[test]
fn e4_the_order_of_the_keys_does_not_matter() {
    let operations = three_operations();
    let c = array(&chunks(&object(&operations), 64));
    let v_first = metadata(map(&[(text("v"), uint(1)), (text("c"), c.clone())]));
    let c_first = metadata(map(&[(text("c"), c), (text("v"), uint(1))]));
    assert_eq!(read(&v_first), operations);
    assert_eq!(read(&c_first), operations);
}

/// One byte a chunk gives arrays of more than 255 items (edge-cases.md#e6).
#[rstest]
fn e5_e6_chunks_of_any_length_are_concatenated(#[values(1, 2, 23, 32, 63, 64, 1000)] size: usize) {
    let operations = three_operations();
    assert_eq!(read(&metadata(entry(&chunks(&object(&operations), size)))), operations);
}

#[test]
fn e5_an_empty_chunk_in_the_middle_changes_nothing() {
    let operations = three_operations();
    let mut c = chunks(&object(&operations), 64);
    c.insert(1, bytes(&[]));
    c.push(bytes(&[]));
    assert_eq!(read(&metadata(entry(&c))), operations);
}

#[rstest]
#[case::one_byte_header(100, 0x98)]
#[case::two_byte_header(300, 0x99)]
fn e6_arrays_with_long_headers_are_read(#[case] count: usize, #[case] header: u8) {
    let operations = three_operations();
    let object = object(&operations);
    let mut c = chunks(&object, object.len().div_ceil(count));
    c.resize(count, bytes(&[]));
    assert_eq!(array(&c)[0], header);
    assert_eq!(read(&metadata(entry(&c))), operations);
}

#[test]
fn e7_indefinite_maps_arrays_and_byte_strings_are_accepted() {
    let operations = three_operations();
    let object = object(&operations);
    let (first, rest) = object.split_at(70);
    let c = indefinite_array(&[
        indefinite_bytes(&[first, &[]]),
        indefinite_bytes(&[&rest[..64], &rest[64..]]),
    ]);
    let entry = indefinite_map(&[(text("v"), uint(1)), (text("c"), c)]);
    assert_eq!(read(&indefinite_map(&[(uint(LABEL), entry)])), operations);
}

/// An entry that is not `{"v": 1, "c": [byte strings]}` is an error as a whole.
#[test]
fn e8_e9_e11_e12_malformed_entries_are_errors() {
    let c = || array(&chunks(&object(&three_operations()), 64));
    let hex_text = text("0a0b");
    let with_v = |v: Vec<u8>| map(&[(text("v"), v), (text("c"), c())]);
    let with_c = |c: Vec<u8>| map(&[(text("v"), uint(1)), (text("c"), c)]);
    for (name, entry) in [
        ("E8 the entry is a list of chunks", c()),
        ("E8 the entry is a byte string", bytes(&object(&three_operations()))),
        ("E8 the entry is an integer", uint(1)),
        (
            "E9 chunks are hexadecimal text",
            with_c(array(std::slice::from_ref(&hex_text))),
        ),
        ("E9 one chunk is text", with_c(array(&[bytes(&[]), hex_text]))),
        ("E11 c is missing", map(&[(text("v"), uint(1))])),
        ("E11 c is a byte string", with_c(bytes(&object(&three_operations())))),
        ("E11 c is a map", with_c(map(&[]))),
        ("E11 c is a list of integers", with_c(array(&[uint(1), uint(2)]))),
        ("E11 c is a list of lists", with_c(array(&[array(&[])]))),
        (
            "E11 a key other than v and c",
            map(&[(text("v"), uint(1)), (text("c"), c()), (text("x"), uint(1))]),
        ),
        ("E12 v is missing", map(&[(text("c"), c())])),
        ("E12 v is 0", with_v(uint(0))),
        ("E12 v is 2", with_v(uint(2))),
        ("E12 v is 2^64-1", with_v(uint(u64::MAX))),
        ("E12 v is text", with_v(text("1"))),
        ("E12 v is -1", with_v(negative(0))),
        ("E12 v is -2", with_v(negative(1))),
        ("E12 v is 1.0", with_v(vec![0xf9, 0x3c, 0x00])),
        ("E12 v is null", with_v(vec![0xf6])),
        ("E12 v is true", with_v(vec![0xf5])),
    ] {
        assert!(operations_in_metadata(&metadata(entry)).is_err(), "{name}");
    }
}

#[test]
fn e10_json_chunks_are_hexadecimal_of_even_length_after_0x() {
    let operations = three_operations();
    let hex = data_encoding::HEXLOWER.encode(&object(&operations));
    let (first, rest) = hex.split_at(64);
    let json_entry = |first: String| json!({"c": [first, format!("0x{rest}")], "v": 1});

    for accepted in [format!("0x{first}"), format!("0x{}", first.to_uppercase())] {
        assert_eq!(found(operations_in_json(&json_entry(accepted)).unwrap()), operations);
    }
    for rejected in [
        first.to_owned(),
        format!("0x0{first}"),
        format!("0X{first}"),
        format!(" 0x{first}"),
        format!("0x{first} "),
        format!("0xzz{first}"),
        String::new(),
    ] {
        assert!(operations_in_json(&json_entry(rejected.clone())).is_err(), "{rejected}");
    }
}

/// The same rules hold for the JSON view (edge-cases.md#e8, edge-cases.md#e11, edge-cases.md#e12, edge-cases.md#e13).
#[test]
fn e10_json_entries_have_the_shape_of_cbor_entries() {
    let chunk = format!("0x{}", data_encoding::HEXLOWER.encode(&object(&three_operations())));
    assert_eq!(operations_in_json(&json!({"v": 1, "c": []})).unwrap(), []);
    assert_eq!(operations_in_json(&json!({"v": 1, "c": ["0x"]})).unwrap(), []);
    for entry in [
        json!(null),
        json!([chunk]),
        json!({"c": [chunk]}),
        json!({"v": 2, "c": [chunk]}),
        json!({"v": "1", "c": [chunk]}),
        json!({"v": -1, "c": [chunk]}),
        json!({"v": 1.5, "c": [chunk]}),
        json!({"v": 1, "c": [chunk], "x": 1}),
        json!({"v": 1}),
        json!({"v": 1, "c": chunk}),
        json!({"v": 1, "c": [1, 2]}),
        json!({"v": 1, "c": [Value::Null]}),
    ] {
        assert!(operations_in_json(&entry).is_err(), "{entry}");
    }
}

#[test]
fn e13_no_chunks_are_no_operations() {
    assert_eq!(read(&metadata(entry(&[]))), Vec::<Vec<u8>>::new());
    assert_eq!(read(&metadata(entry(&[bytes(&[])]))), Vec::<Vec<u8>>::new());
}

#[test]
fn e14_bytes_that_are_no_protobuf_are_an_error() {
    for garbage in [&[0xff; 20][..], &[0x22], &[0x22, 0x05, 0x12], b"not protobuf at all"] {
        assert!(operations_in_object(garbage).is_err(), "{garbage:02x?}");
        assert!(
            operations_in_metadata(&metadata(entry(&[bytes(garbage)]))).is_err(),
            "{garbage:02x?}"
        );
    }
}

#[test]
fn e15_unknown_fields_of_the_object_and_the_block_are_tolerated() {
    let operations = three_operations();
    let block = [
        number_field(1, 1),
        operations.iter().flat_map(|operation| field(2, operation)).collect(),
        field(77, b"of a later version"),
    ]
    .concat();
    let object = [
        field(1, &[7; 32]),
        number_field(2, 3),
        number_field(3, 1234),
        field(4, &block),
        field(99, b"of a later version"),
    ]
    .concat();
    assert_eq!(found(operations_in_object(&object).unwrap()), operations);
}

#[test]
fn e16_an_object_without_block_and_a_block_without_operations_have_no_operations() {
    assert_eq!(operations_in_object(&[]).unwrap(), []);
    assert_eq!(operations_in_object(&number_field(2, 0)).unwrap(), []);
    assert_eq!(operations_in_object(&object(&[])).unwrap(), []);
}

#[test]
fn e17_a_bare_block_in_place_of_an_object_has_no_operations() {
    let block = PrismBlock {
        operations: three_operations(),
    };
    assert_eq!(operations_in_object(&block.encode_to_vec()).unwrap(), []);
}

#[test]
fn e18_a_truncated_object_is_an_error_as_a_whole() {
    let object = object(&three_operations());
    for length in 1..object.len() {
        assert!(
            operations_in_object(&object[..length]).is_err(),
            "cut to {length} bytes"
        );
    }
    let mut c = chunks(&object, 64);
    c.pop();
    assert!(operations_in_metadata(&metadata(entry(&c))).is_err());
}

#[test]
fn one_undecodable_operation_costs_the_whole_object() {
    let inner_is_garbage = field(3, &[0xff, 0xff]);
    for bad in [vec![0xff], inner_is_garbage] {
        let mut operations = three_operations();
        operations.insert(1, bad);
        assert!(operations_in_object(&object(&operations)).is_err());
    }
}

#[test]
fn operations_without_content_keep_their_place() {
    let mut operations = three_operations();
    operations.insert(0, Vec::new());
    operations.insert(2, field(1, b"master0"));
    assert_eq!(found(operations_in_object(&object(&operations)).unwrap()), operations);
}

#[test]
fn operations_are_found_as_the_bytes_that_stand_on_the_ledger() {
    // Signature before key id, an unknown field, and a field of the inner operation in over-long form.
    let unusual = [
        field(2, &[1, 2, 3]),
        field(1, b"master0"),
        field(3, &[0x8a, 0x00, 0x00]),
        number_field(9, 5),
    ]
    .concat();
    let operations = vec![unusual];
    assert_eq!(found(operations_in_object(&object(&operations)).unwrap()), operations);
}

#[test]
fn e20_an_object_of_16_kilobytes_with_40_creates_is_read_completely() {
    let operations: Vec<_> = (0..40)
        .map(|index| {
            let services = vec![prism_fixtures::message::service(
                &format!("service-{index}"),
                "LinkedDomains",
                &format!("https://example.com/{}", "x".repeat(200)),
            )];
            creation(vec![], services, &[]).bytes
        })
        .collect();
    let object = object(&operations);
    assert!(object.len() > 16_000);
    assert_eq!(read(&metadata(entry(&chunks(&object, 64)))), operations);
}

#[test]
fn e21_the_metadata_map_is_found_in_all_three_forms_of_auxiliary_data() {
    let operations = three_operations();
    let metadata = metadata(entry(&chunks(&object(&operations), 64)));
    let scripts = array(&[]);
    for (era, auxiliary_data) in [
        ("Shelley", metadata.clone()),
        ("Allegra", array(&[metadata.clone(), scripts.clone()])),
        (
            "Allegra, indefinite",
            indefinite_array(&[metadata.clone(), scripts.clone()]),
        ),
        (
            "Alonzo",
            tag(259, &map(&[(uint(0), metadata.clone()), (uint(1), scripts.clone())])),
        ),
        (
            "Alonzo, metadata last",
            tag(259, &map(&[(uint(2), scripts.clone()), (uint(0), metadata.clone())])),
        ),
        (
            "Alonzo, indefinite",
            tag(259, &indefinite_map(&[(uint(0), metadata.clone())])),
        ),
    ] {
        let map = metadata_in_auxiliary_data(&auxiliary_data).unwrap().unwrap();
        assert_eq!(read(&map), operations, "{era}");
    }
    let scripts_only = tag(259, &map(&[(uint(1), scripts)]));
    assert_eq!(metadata_in_auxiliary_data(&scripts_only).unwrap(), None);
}

#[test]
fn e21_other_shapes_of_auxiliary_data_are_errors() {
    for wrong in [
        vec![],
        uint(1),
        bytes(&[1]),
        array(&[]),
        tag(258, &map(&[])),
        vec![0xff],
    ] {
        assert!(metadata_in_auxiliary_data(&wrong).is_err(), "{wrong:02x?}");
    }
}

#[test]
fn e22_a_repeated_key_is_an_error() {
    let c = array(&chunks(&object(&three_operations()), 64));
    let c_twice = map(&[(text("v"), uint(1)), (text("c"), c.clone()), (text("c"), c.clone())]);
    let v_twice = map(&[(text("v"), uint(1)), (text("v"), uint(1)), (text("c"), c)]);
    for entry in [c_twice, v_twice] {
        assert!(operations_in_metadata(&metadata(entry)).is_err());
    }
}

#[test]
fn e22_bytes_after_the_metadata_map_are_an_error() {
    let metadata = metadata(entry(&chunks(&object(&three_operations()), 64)));
    for trailing in [&[0x00][..], &[0xff, 0x00], &metadata] {
        assert!(operations_in_metadata(&[&metadata[..], trailing].concat()).is_err());
    }
}

#[test]
fn e22_a_label_that_stands_twice_is_an_error() {
    let entry = entry(&chunks(&object(&three_operations()), 64));
    assert!(operations_in_metadata(&map(&[(uint(LABEL), entry.clone()), (uint(LABEL), entry)])).is_err());
}

#[test]
fn what_is_written_is_read_back() {
    let operations = three_operations();
    assert_eq!(encode_object(&operations), object(&operations));
    assert_eq!(
        encode_metadata(&object(&operations)),
        metadata(entry(&chunks(&object(&operations), 64)))
    );
    assert_eq!(read(&encode_metadata(&encode_object(&operations))), operations);
    assert_eq!(read(&encode_metadata(&encode_object(&[]))), Vec::<Vec<u8>>::new());
}
