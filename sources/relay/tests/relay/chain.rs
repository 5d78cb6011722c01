//! Following the chain: where reading starts, rollbacks, confirmations, ranges.

use crate::support::{MAGIC, Reading, block, operation, options, publish};
use did_prism::digest::BlockHash;
use did_prism::ledger::{BlockNo, SlotNo};
use dlt_source::{BatchLimits, SourceError, SourceEvent};
use dlt_source_relay::{Point, RelayOptions};
use mock_relay::{Era, MockBlock, MockRelay};
use node_storage_contract::Cursor;

const CONFIRMATIONS: u32 = 112;

fn confirmed(relay: &MockRelay) -> RelayOptions {
    RelayOptions {
        confirmations: CONFIRMATIONS,
        ..options(&[relay])
    }
}

fn cursor_at(block: &MockBlock) -> Cursor {
    Cursor {
        slot: SlotNo::try_from(block.slot).unwrap(),
        block: BlockNo::try_from(block.number).unwrap(),
        hash: BlockHash::new(block.hash),
    }
}

fn point_of(block: &MockBlock) -> Point {
    Point::of(cursor_at(block))
}

// edge-cases.md#o24
#[tokio::test]
async fn a_rollback_within_the_confirmations_leaves_no_trace() {
    let relay = MockRelay::start(MAGIC).await;
    publish(&relay, 1, 1..=200);
    let mut reading = Reading::open(confirmed(&relay), None).await;
    reading.read_all().await;
    assert_eq!(reading.cursor.map(|cursor| cursor.block.get()), Some(88));
    relay.change_chain(100, (101..=250).map(|number| block(2, number)));
    reading.read_to(138).await;
    reading.read_all().await;
    assert_eq!(reading.numbers(), (1..=138).collect::<Vec<_>>());
    let expected: Vec<_> = (1..=138)
        .map(|number| operation(if number <= 100 { 1 } else { 2 }, number))
        .collect();
    assert_eq!(reading.operations(), expected);
    assert!(reading.errors.is_empty(), "{:?}", reading.errors);
}

// edge-cases.md#o24
#[tokio::test]
async fn a_deeper_rollback_is_a_contradiction_that_names_both_points() {
    let relay = MockRelay::start(MAGIC).await;
    publish(&relay, 1, 1..=300);
    let mut reading = Reading::open(confirmed(&relay), None).await;
    reading.read_all().await;
    let before = relay.blocks();
    relay.change_chain(100, (101..=310).map(|number| block(2, number)));
    let error = reading.read_to_error().await;
    assert!(matches!(error, SourceError::Contradiction { .. }), "{error:?}");
    let text = error.to_string();
    for (whose, block) in [("the rollback", &before[99]), ("the delivery", &before[187])] {
        assert!(
            text.contains(&point_of(block).to_string()),
            "the point of {whose}: {text}"
        );
    }
    assert_eq!(
        reading.cursor,
        Some(cursor_at(&before[187])),
        "nothing of the other chain was delivered"
    );
}

#[tokio::test]
async fn a_stored_cursor_that_the_chain_does_not_have_is_a_contradiction_that_names_both_points() {
    let relay = MockRelay::start(MAGIC).await;
    publish(&relay, 1, 1..=50);
    let stored = cursor_at(&relay.blocks()[39]);
    relay.change_chain(30, (31..=60).map(|number| block(2, number)));
    let mut reading = Reading::open(options(&[&relay]), Some(stored)).await;
    let error = reading.read_to_error().await;
    assert!(matches!(error, SourceError::Contradiction { .. }), "{error:?}");
    let text = error.to_string();
    for point in [Point::of(stored), point_of(&relay.blocks()[39])] {
        assert!(text.contains(&point.to_string()), "{point} is missing: {text}");
    }
}

/// A relay that has not come as far as the cursor contradicts nothing: it is waited for.
#[tokio::test]
async fn a_relay_below_the_cursor_is_waited_for() {
    let relay = MockRelay::start(MAGIC).await;
    publish(&relay, 1, 1..=50);
    let stored = cursor_at(&relay.blocks()[39]);
    relay.roll_back_to(20);
    let mut reading = Reading::open(options(&[&relay]), Some(stored)).await;
    let synchronizing = async {
        while relay.connections() < 2 {
            tokio::task::yield_now().await;
        }
        publish(&relay, 1, 21..=50);
        std::future::pending().await
    };
    let answer = tokio::select! {
        answer = reading.next() => answer,
        never = synchronizing => never,
    };
    answer.unwrap();
    reading.read_to(50).await;
    assert_eq!(reading.numbers(), (41..=50).collect::<Vec<_>>());
    assert!(
        reading.errors[0].to_string().contains("block 20"),
        "{:?}",
        reading.errors
    );
}

// edge-cases.md#o21
#[tokio::test]
async fn the_block_of_the_starting_point_is_not_delivered() {
    let relay = MockRelay::start(MAGIC).await;
    publish(&relay, 1, 1..=10);
    let start = RelayOptions {
        start: Some(point_of(&relay.blocks()[3])),
        ..options(&[&relay])
    };
    let mut reading = Reading::open(start.clone(), None).await;
    reading.read_to(10).await;
    assert_eq!(reading.numbers(), (5..=10).collect::<Vec<_>>());
    let mut reading = Reading::open(start, Some(cursor_at(&relay.blocks()[6]))).await;
    reading.read_to(10).await;
    assert_eq!(
        reading.numbers(),
        [8, 9, 10],
        "a stored cursor goes before the starting point"
    );
}

#[tokio::test]
async fn a_starting_point_that_the_chain_does_not_have_is_named() {
    let relay = MockRelay::start(MAGIC).await;
    publish(&relay, 1, 1..=10);
    let start = Point {
        hash: BlockHash::new([7; 32]),
        ..point_of(&relay.blocks()[3])
    };
    let options = RelayOptions {
        start: Some(start),
        ..options(&[&relay])
    };
    let error = Reading::open(options, None).await.read_to_error().await;
    assert!(
        matches!(error, SourceError::Unavailable { retryable: false, .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(
        text.contains(&start.to_string()) && text.contains("--start-point"),
        "{text}"
    );
}

/// Ranges are bounded by blocks, and by the bytes that headers announce. A larger block makes a range of its own.
#[tokio::test]
async fn no_more_is_fetched_at_once_than_a_delivery_may_hold() {
    let relay = MockRelay::start(MAGIC).await;
    publish(&relay, 1, 1..=100);
    let limited = |blocks, bytes| RelayOptions {
        batch: BatchLimits {
            blocks,
            bytes,
            ..BatchLimits::default()
        },
        ..options(&[&relay])
    };
    let mut reading = Reading::open(limited(7, usize::MAX), None).await;
    reading.read_to(100).await;
    assert_eq!(relay.largest_range(), 7);
    assert_eq!(reading.numbers(), (1..=100).collect::<Vec<_>>());
    let relay = MockRelay::start(MAGIC).await;
    publish(&relay, 1, 1..=20);
    let options = RelayOptions {
        relays: vec![relay.address().parse().unwrap()],
        ..limited(2_000, 1)
    };
    let mut reading = Reading::open(options, None).await;
    reading.read_to(20).await;
    assert_eq!(relay.largest_range(), 1);
}

#[tokio::test]
async fn waiting_for_more_is_told_once() {
    let relay = MockRelay::start(MAGIC).await;
    publish(&relay, 1, 1..=3);
    let mut reading = Reading::open(options(&[&relay]), None).await;
    reading.read_to(3).await;
    assert_eq!(reading.next().await.unwrap(), SourceEvent::CaughtUp);
    relay.publish(Era::Conway, (4, 1_000_000), 1, &[]);
    assert!(matches!(reading.next().await.unwrap(), SourceEvent::Blocks { .. }));
    assert_eq!(reading.next().await.unwrap(), SourceEvent::CaughtUp);
}
