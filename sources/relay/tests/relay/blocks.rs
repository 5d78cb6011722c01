//! What of a block is delivered.

use crate::support::{MAGIC, Reading, SYSTEM_START, metadata, operation, options};
use did_prism::digest::{BlockHash, TransactionId};
use mock_relay::{Era, MockRelay, MockTransaction, auxiliary_data};

/// One block for each era that has metadata, each with one operation.
#[tokio::test]
async fn every_era_gives_its_operations() {
    let relay = MockRelay::start(MAGIC).await;
    for (number, era) in (1..).zip(Era::WITH_METADATA) {
        let carrier = MockTransaction::with_metadata(era, &metadata(&[operation(1, number)]));
        relay.publish(era, (number, number * 20), 1, &[MockTransaction::plain(), carrier]);
    }
    let mut reading = Reading::open(options(&[&relay]), None).await;
    reading.read_to(6).await;
    let expected: Vec<_> = (1..=6).map(|number| operation(1, number)).collect();
    assert_eq!(reading.operations(), expected);
    for (block, on_chain) in reading.blocks.iter().zip(relay.blocks()) {
        assert_eq!(block.number.get(), on_chain.number);
        assert_eq!(block.slot.get(), on_chain.slot);
        assert_eq!(block.hash, BlockHash::new(on_chain.hash));
        let seconds = i64::try_from(on_chain.slot).unwrap() + SYSTEM_START;
        assert_eq!(block.time.unix_micros(), seconds * 1_000_000);
        let [transaction] = block.transactions.as_slice() else {
            panic!("one transaction of block {} has operations: {block:?}", block.number);
        };
        assert_eq!(transaction.absn.get(), 1, "all transactions of the block count");
        assert_eq!(transaction.id, TransactionId::new(on_chain.transaction_ids[1]));
    }
}

/// The bare map of Shelley, the array of Allegra and the tagged map of Alonzo, all in blocks of an era that allows all of them.
#[tokio::test]
async fn auxiliary_data_is_read_in_all_of_its_shapes() {
    let relay = MockRelay::start(MAGIC).await;
    let shapes = [Era::Shelley, Era::Allegra, Era::Alonzo];
    let transactions: Vec<_> = (0..)
        .zip(shapes)
        .map(|(index, shape)| MockTransaction::with_metadata(shape, &metadata(&[operation(1, index)])))
        .collect();
    relay.publish(Era::Conway, (1, 20), 1, &transactions);
    let mut reading = Reading::open(options(&[&relay]), None).await;
    reading.read_to(1).await;
    assert_eq!(
        reading.operations(),
        [operation(1, 0), operation(1, 1), operation(1, 2)]
    );
    let places: Vec<_> = reading.blocks[0]
        .transactions
        .iter()
        .map(|one| one.absn.get())
        .collect();
    assert_eq!(places, [0, 1, 2]);
}

/// Tagged auxiliary data without metadata, other labels, an empty object and a malformed entry: none is an operation, and none
/// stops reading.
#[tokio::test]
async fn what_holds_no_operations_is_passed_over() {
    let relay = MockRelay::start(MAGIC).await;
    let other_label = [&[0xa1, 0x19, 0x02, 0xa2][..], b"\x61x"].concat();
    // {21325: 1}
    let malformed = [0xa1, 0x19, 0x53, 0x4d, 0x01];
    let transactions = [
        MockTransaction {
            auxiliary_data: Some(vec![0xd9, 0x01, 0x03, 0xa0]),
            ..MockTransaction::plain()
        },
        MockTransaction::with_metadata(Era::Babbage, &other_label),
        MockTransaction::with_metadata(Era::Babbage, &metadata(&[])),
        MockTransaction::with_metadata(Era::Babbage, &malformed),
        MockTransaction::with_metadata(Era::Babbage, &metadata(&[operation(1, 1)])),
    ];
    relay.publish(Era::Babbage, (1, 20), 1, &transactions);
    relay.publish(Era::Babbage, (2, 40), 1, &[]);
    let mut reading = Reading::open(options(&[&relay]), None).await;
    reading.read_to(2).await;
    assert_eq!(reading.operations(), [operation(1, 1)]);
    assert_eq!(reading.blocks[0].transactions[0].absn.get(), 4);
    let cursor = reading.cursor.unwrap();
    assert_eq!(
        cursor.hash,
        BlockHash::new(relay.blocks()[1].hash),
        "a block without operations moves the cursor"
    );
}

/// A transaction whose scripts failed publishes nothing, and still counts for the index of those after it.
// edge-cases.md#o23
#[tokio::test]
async fn a_transaction_that_failed_its_scripts_publishes_nothing() {
    for era in [Era::Alonzo, Era::Babbage, Era::Conway] {
        let relay = MockRelay::start(MAGIC).await;
        let carrier = |number| MockTransaction::with_metadata(era, &metadata(&[operation(1, number)]));
        let failed = MockTransaction {
            is_valid: false,
            ..carrier(1)
        };
        relay.publish(era, (1, 20), 1, &[carrier(0), failed, carrier(2)]);
        let mut reading = Reading::open(options(&[&relay]), None).await;
        reading.read_to(1).await;
        assert_eq!(reading.operations(), [operation(1, 0), operation(1, 2)], "{era:?}");
        let places: Vec<_> = reading.blocks[0]
            .transactions
            .iter()
            .map(|one| one.absn.get())
            .collect();
        assert_eq!(places, [0, 2], "{era:?}");
    }
}

/// There are blocks on the ledger with a transaction that only a lenient decoder takes, such as block 3788477 of the preview network,
/// where the key hash of a pool is twice as long as it should be. They are read like any other.
#[tokio::test]
async fn a_transaction_is_not_looked_into_further_than_needed() {
    let relay = MockRelay::start(MAGIC).await;
    // {4: [[2, [0, h'28 bytes'], h'56 bytes']]}: a delegation.
    let member = [
        &[0x04, 0x81, 0x83, 0x02, 0x82, 0x00, 0x58, 28][..],
        &[1; 28],
        &[0x58, 56],
        &[2; 56],
    ]
    .concat();
    let odd = MockTransaction {
        member: Some(member),
        ..MockTransaction::with_metadata(Era::Conway, &metadata(&[operation(1, 1)]))
    };
    relay.publish(Era::Conway, (1, 20), 1, &[odd]);
    let mut reading = Reading::open(options(&[&relay]), None).await;
    reading.read_to(1).await;
    assert_eq!(reading.operations(), [operation(1, 1)]);
}

/// An epoch boundary of the Byron era has the number of the block before it and no content: it is no block for a store.
#[tokio::test]
async fn epoch_boundaries_of_the_byron_era_are_passed_over() {
    let relay = MockRelay::start(MAGIC).await;
    let carrier = |number| MockTransaction::with_metadata(Era::Shelley, &metadata(&[operation(1, number)]));
    relay.publish(Era::ByronBoundary, (0, 0), 1, &[]);
    relay.publish(Era::Shelley, (1, 0), 1, &[carrier(1)]);
    relay.publish(Era::Shelley, (2, 20), 1, &[carrier(2)]);
    relay.publish(Era::ByronBoundary, (2, 21_600), 1, &[]);
    relay.publish(Era::Shelley, (3, 21_600), 1, &[carrier(3)]);
    let mut reading = Reading::open(options(&[&relay]), None).await;
    reading.read_to(3).await;
    assert_eq!(reading.numbers(), [1, 2, 3]);
    assert_eq!(
        reading.operations(),
        [operation(1, 1), operation(1, 2), operation(1, 3)]
    );
}

#[test]
fn shapes_differ() {
    let of = |era| auxiliary_data(era, &[0xa0]);
    assert_eq!(of(Era::Shelley), [0xa0]);
    assert_eq!(of(Era::Mary), [0x82, 0xa0, 0x80]);
    assert_eq!(of(Era::Conway), [0xd9, 0x01, 0x03, 0xa1, 0x00, 0xa0]);
}
