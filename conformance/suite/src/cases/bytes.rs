//! What an operation is: bytes as found on the ledger (lines 4 and 5 of the storage contract).

use node_storage_contract::{Appended, OperationBytes, OperationId, RawOperationRepo};
use prism_fixtures::{Identity, TestKey, message};

use crate::StoreFactory;
use crate::assertions::{append, assert_holds, assert_no_op};
use crate::data::{SEED, absn, block_with, bytes, cursor_at, osn, transaction_of};
use crate::factory::open;
use crate::writes::deliver;

/// Stores operations of these bytes in one transaction, and compares every answer.
async fn round_trip<F: StoreFactory>(factory: &F, contents: impl IntoIterator<Item = Vec<u8>>) -> F::Store {
    let store = open(factory).await;
    let operations: Vec<_> = (0_u64..)
        .zip(contents)
        .map(|(index, content)| (osn(index), bytes(content)))
        .collect();
    let block = block_with(1, vec![transaction_of(1, absn(3), operations.clone())]);
    append(&store, std::slice::from_ref(&block)).await;
    assert_holds(&store, std::slice::from_ref(&block), cursor_at(&block), &[]).await;
    for (osn, content) in &operations {
        let found = store.operation(&content.id()).await.unwrap().expect("the operation");
        assert_eq!(found.operation.bytes, *content, "osn {osn}");
        assert_eq!(found.id, OperationId::of(content.as_slice()), "osn {osn}");
    }
    assert_no_op(
        &store,
        deliver(&store, std::slice::from_ref(&block), cursor_at(&block)),
        Appended::default(),
    )
    .await;
    store
}

/// Operations of 0 bytes and of 1 MiB, the bounds.
pub async fn shortest_and_longest_operations_are_stored(factory: &impl StoreFactory) {
    let longest: Vec<u8> = (0..OperationBytes::MAX_LENGTH)
        .map(|index| u8::try_from(index % 251).expect("less than 256"))
        .collect();
    round_trip(factory, [vec![], longest.clone(), vec![0], longest[1..].to_vec()]).await;
}

/// Every byte, alone and among others: no text, no end at a NUL, no escapes.
pub async fn any_bytes_come_back_as_delivered(factory: &impl StoreFactory) {
    let all: Vec<u8> = (0..=u8::MAX).collect();
    let alone = all.iter().map(|byte| vec![*byte]);
    let texts = [
        "\\x00",
        "'); DROP TABLE block; --",
        "$1 ?1 :a @b",
        "é\u{0}ÿ",
        "\r\n",
        "\\N",
        "NULL",
    ];
    let texts = texts.map(|text| text.as_bytes().to_vec());
    let trailing = [vec![1, 0], vec![1, 0, 0], vec![0, 1], vec![b' '], vec![b' ', b' ']];
    let rest = [all.clone(), vec![0xff; 300]];
    round_trip(factory, alone.chain(texts).chain(trailing).chain(rest)).await;
}

/// Legacy operations, empty ones and bytes that are no operation count and are stored.
pub async fn every_operation_counts(factory: &impl StoreFactory) {
    use did_prism::proto::PrismOperation;
    let key = TestKey::derive(SEED, "anybody");
    let sign = |operation: &PrismOperation| prism_fixtures::sign(operation, "master0", &key).bytes;
    let legacy = |field| prism_fixtures::sign_bytes(&message::legacy(field), "master0", &key).bytes;
    let store = round_trip(
        factory,
        [
            vec![],
            sign(&message::empty()),
            legacy(3),
            legacy(4),
            sign(&message::protocol_version_update("", (1, 1), 1)),
            vec![0xff; 9],
            Identity::new(SEED, 1).create().bytes,
        ],
    )
    .await;
    assert_eq!(store.bound().await.unwrap().operations, 7);
}

/// Bytes in another encoding of the same message have an id of their own: nothing is decoded and encoded again.
pub async fn other_encodings_of_an_operation_keep_their_bytes_and_id(factory: &impl StoreFactory) {
    let created = Identity::new(SEED, 1).create().bytes;
    // An unknown field 99 (varint 1) before and behind, and an over-long tag of the first field.
    let unknown = [0x98, 0x06, 0x01];
    let front = [&unknown[..], &created].concat();
    let back = [&created, &unknown[..]].concat();
    let over_long = [&[created[0] | 0x80, 0x00], &created[1..]].concat();
    round_trip(factory, [created, front, back, over_long]).await;
}
