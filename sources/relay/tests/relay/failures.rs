//! Relays that fail, and relays that talk nonsense.

use std::time::Duration;

use crate::support::{MAGIC, PATIENCE, Reading, operation, options, publish};
use dlt_source::{SourceError, SourceEvent};
use dlt_source_relay::{RelayOptions, TimeLimits};
use mock_relay::{Fault, MockRelay};

/// Reads 30 blocks from a relay that fails once, and asserts that they come whole, once, and in order.
async fn heals(fault: Fault, limits: TimeLimits) -> Reading {
    let relay = MockRelay::start(MAGIC).await;
    publish(&relay, 1, 1..=30);
    relay.fail_with(fault);
    let options = RelayOptions {
        limits,
        ..options(&[&relay])
    };
    let mut reading = Reading::open(options, None).await;
    reading.read_to(30).await;
    assert!(relay.has_failed(), "{fault:?} has happened");
    assert_eq!(reading.numbers(), (1..=30).collect::<Vec<_>>(), "{fault:?}");
    let expected: Vec<_> = (1..=30).map(|number| operation(1, number)).collect();
    assert_eq!(reading.operations(), expected, "{fault:?}");
    assert_eq!(reading.errors.len(), 1, "{fault:?}: {:?}", reading.errors);
    assert_eq!(relay.connections(), 2, "{fault:?}");
    reading
}

#[tokio::test]
async fn a_connection_that_is_cut_within_a_block_is_healed_without_loss_or_repetition() {
    for after in [0, 1, 17, 29] {
        let reading = heals(Fault::CutWithinBlock { after }, TimeLimits::default()).await;
        let before = if after == 0 { vec![] } else { vec![after] };
        assert_eq!(
            reading.deliveries,
            [before, vec![30 - after]].concat(),
            "what came whole is kept"
        );
    }
}

#[tokio::test]
async fn a_range_that_the_relay_does_not_have_any_more_is_asked_for_again() {
    let reading = heals(Fault::NoBlocks, TimeLimits::default()).await;
    assert!(
        reading.errors[0].to_string().contains("does not have the blocks"),
        "{:?}",
        reading.errors
    );
}

#[tokio::test]
async fn a_relay_that_stops_to_answer_is_left() {
    let soon = Duration::from_millis(100);
    let body = TimeLimits {
        body: soon,
        ..TimeLimits::default()
    };
    let reading = heals(Fault::StallBodies, body).await;
    assert!(
        reading.errors[0].to_string().contains("block-fetch within 100 ms"),
        "{:?}",
        reading.errors
    );
    let header = TimeLimits {
        header: soon,
        ..TimeLimits::default()
    };
    let reading = heals(Fault::StallHeaders, header).await;
    assert!(
        reading.errors[0].to_string().contains("chain-sync within 100 ms"),
        "{:?}",
        reading.errors
    );
}

#[tokio::test]
async fn signs_of_life_are_given_and_expected() {
    let limits = TimeLimits {
        keep_alive: Duration::from_millis(100),
        keep_alive_pause: Duration::ZERO,
        ..TimeLimits::default()
    };
    let relay = MockRelay::start(MAGIC).await;
    publish(&relay, 1, 1..=3);
    relay.fail_with(Fault::NoKeepAlive);
    let options = RelayOptions {
        limits,
        ..options(&[&relay])
    };
    let mut reading = Reading::open(options, None).await;
    reading.read_to(3).await;
    reading.read_all().await;
    // Everything is read, and the relay is mute: only the missing answer can end the wait.
    reading.read_all().await;
    assert!(
        reading.errors[0].to_string().contains("keep-alive"),
        "{:?}",
        reading.errors
    );
    assert_eq!(reading.numbers(), [1, 2, 3]);
}

#[tokio::test]
async fn the_next_relay_is_read_where_one_is_dead() {
    let dead = MockRelay::start(MAGIC).await;
    let alive = MockRelay::start(MAGIC).await;
    publish(&alive, 1, 1..=10);
    let options = options(&[&dead, &alive]);
    drop(dead);
    let mut reading = Reading::open(options, None).await;
    reading.read_to(10).await;
    assert_eq!(reading.numbers(), (1..=10).collect::<Vec<_>>());
    assert_eq!(reading.errors.len(), 1, "{:?}", reading.errors);
}

#[tokio::test]
async fn reading_goes_on_with_another_relay_where_one_dies() {
    let first = MockRelay::start(MAGIC).await;
    let second = MockRelay::start(MAGIC).await;
    publish(&first, 1, 1..=10);
    publish(&second, 1, 1..=20);
    let mut reading = Reading::open(options(&[&first, &second]), None).await;
    reading.read_to(10).await;
    first.disconnect();
    reading.read_to(20).await;
    assert_eq!(reading.numbers(), (1..=20).collect::<Vec<_>>());
    assert_eq!((first.connections(), second.connections()), (1, 1));
}

#[tokio::test]
async fn a_relay_of_another_network_is_refused_and_both_magics_are_named() {
    let relay = MockRelay::start(764_824_073).await;
    publish(&relay, 1, 1..=3);
    let mut reading = Reading::open(options(&[&relay]), None).await;
    let error = reading.read_to_error().await;
    assert!(
        matches!(error, SourceError::Unavailable { retryable: false, .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(text.contains("magic 42") && text.contains("764824073"), "{text}");
    assert!(reading.errors.is_empty());
}

#[tokio::test]
async fn nonsense_is_an_error_that_names_the_relay_and_what_is_wrong() {
    for (fault, texts) in [
        (Fault::UndecodableBlock, &["block 1 (", "does not decode"][..]),
        (Fault::OtherBody, &["block 1 (", "its body is not the one"]),
        (Fault::OtherBlock, &["block 1 (", "another block was sent"]),
        (Fault::UndecodableMessage, &["block-fetch", "does not decode"]),
        (Fault::EndlessMessage, &["block-fetch", "longer than 2500000 bytes"]),
        (Fault::LeaveOutHeader, &["the chain", "as the one before it"]),
    ] {
        let relay = MockRelay::start(MAGIC).await;
        publish(&relay, 1, 1..=5);
        relay.fail_with(fault);
        let mut reading = Reading::open(options(&[&relay]), None).await;
        let error = reading.read_to_error().await;
        assert!(matches!(error, SourceError::Malformed { .. }), "{fault:?}: {error:?}");
        let text = error.to_string();
        for expected in texts.iter().copied().chain([relay.address().as_str()]) {
            assert!(text.contains(expected), "{fault:?}, {expected}: {text}");
        }
        assert!(reading.blocks.is_empty(), "{fault:?}");
    }
}

/// A relay that is of no use does not keep the node from another one that is. Where none is, that is an error.
#[tokio::test]
async fn a_relay_that_is_of_no_use_does_not_end_reading_while_another_one_works() {
    let of_another_network = MockRelay::start(1).await;
    let nonsensical = MockRelay::start(MAGIC).await;
    let good = MockRelay::start(MAGIC).await;
    for relay in [&nonsensical, &good] {
        publish(relay, 1, 1..=10);
    }
    nonsensical.fail_with(Fault::OtherBody);
    let mut reading = Reading::open(options(&[&of_another_network, &nonsensical, &good]), None).await;
    reading.read_to(10).await;
    assert_eq!(reading.numbers(), (1..=10).collect::<Vec<_>>());
    let texts: Vec<_> = reading.errors.iter().map(ToString::to_string).collect();
    assert!(
        texts[0].contains("magic 42") && texts[1].contains("its body is not the one"),
        "{texts:?}"
    );
    assert!(
        texts.iter().all(|text| text.contains("another relay is tried")),
        "{texts:?}"
    );

    // Once more, for hours later: what was of no use before counts anew.
    good.disconnect();
    nonsensical.fail_with(Fault::UndecodableBlock);
    publish(&good, 1, 11..=12);
    publish(&nonsensical, 1, 11..=12);
    reading.read_to(12).await;
    assert_eq!(reading.numbers(), (1..=12).collect::<Vec<_>>());

    drop(good);
    let mut reading = Reading::open(options(&[&of_another_network, &nonsensical]), None).await;
    nonsensical.fail_with(Fault::UndecodableBlock);
    let error = reading.read_to_error().await;
    assert!(matches!(error, SourceError::Malformed { .. }), "{error:?}");
    assert_eq!(reading.errors.len(), 1, "{:?}", reading.errors);
}

/// Where nothing is new for long, the answers to signs of life show that the relay is there.
#[tokio::test]
async fn an_answer_to_a_sign_of_life_is_heard() {
    let limits = TimeLimits {
        keep_alive_pause: Duration::from_millis(1),
        ..TimeLimits::default()
    };
    let relay = MockRelay::start(MAGIC).await;
    publish(&relay, 1, 1..=3);
    let options = RelayOptions {
        limits,
        ..options(&[&relay])
    };
    let mut reading = Reading::open(options, None).await;
    reading.read_all().await;
    let mut heard = reading.heard();
    let before = *heard.borrow_and_update();
    let later = tokio::select! {
        event = reading.next() => panic!("nothing is new, and yet: {event:?}"),
        later = tokio::time::timeout(PATIENCE, heard.wait_for(|heard| heard.at > before.at)) => *later.unwrap().unwrap(),
    };
    assert_eq!(later.tip, before.tip);
}

/// What waits for the relay is dropped with the source: nothing goes on in the background.
#[tokio::test]
async fn a_source_that_is_dropped_closes_its_connection() {
    let relay = MockRelay::start(MAGIC).await;
    publish(&relay, 1, 1..=3);
    let mut reading = Reading::open(options(&[&relay]), None).await;
    reading.read_to(3).await;
    assert_eq!(reading.next().await.unwrap(), SourceEvent::CaughtUp);
    drop(reading);
    let closed = async {
        while relay.open_connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, closed).await.is_ok(),
        "the connection is open"
    );
}
