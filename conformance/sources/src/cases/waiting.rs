//! Waiting for more, and the end.

use dlt_source::SourceEvent;

use crate::blocks::{block, block_with};
use crate::reading::Reading;
use crate::{Ability, AnyLedger, TestLedger};

/// A source has caught up only when all there is was delivered.
pub async fn everything_is_delivered_before_the_source_has_caught_up(ledger: &AnyLedger) {
    let blocks: Vec<_> = (1..=7).map(block).collect();
    for block in &blocks {
        ledger.publish(block).await;
    }
    let mut reading = Reading::open(ledger, None, 0).await;
    reading.read_all().await;
    let read = reading.cursor.map(|cursor| cursor.block.get());
    assert_eq!(
        read,
        Some(7 - ledger.kept()),
        "the source said that it had caught up when its cursor was at (left), and can deliver up to (right)"
    );
}

/// What waits for more says once that it has caught up, and then nothing until there is more.
pub async fn source_that_has_caught_up_says_so_once_and_waits(ledger: &AnyLedger) {
    let mut reading = Reading::open(ledger, None, 0).await;
    for number in 1..=3 {
        ledger.publish(&block(number)).await;
    }
    reading.read_to(3 - ledger.kept()).await;
    reading.read_all().await;
    reading.assert_waits().await;
    reading.assert_waits().await;
    ledger.publish(&block(4)).await;
    ledger.complete(4).await;
    reading.read_to(4).await;
    reading.assert_read(ledger, &(1..=4).map(block).collect::<Vec<_>>(), None);
}

/// A call that is dropped, after however many polls, loses nothing: the next one goes on.
pub async fn dropped_call_loses_nothing(ledger: &AnyLedger) {
    let blocks: Vec<_> = (1..=40).map(|number| block_with(number, 2, 2)).collect();
    let mut reading = Reading::open(ledger, None, 0).await;
    let mut published = 0;
    for (index, block) in blocks.iter().enumerate() {
        ledger.publish(block).await;
        published += 1;
        for polls in 1..=1 + index % 5 {
            if let Some(Err(error)) = reading.next_within(polls).await {
                panic!("a call after a dropped one failed, {published} blocks being published: {error}");
            }
        }
    }
    ledger.complete(40).await;
    reading.read_to(40).await;
    reading.assert_read(ledger, &blocks, None);
}

/// After the end, a source says the end again.
pub async fn nothing_follows_the_end(ledger: &AnyLedger) {
    let blocks: Vec<_> = (1..=3).map(block).collect();
    if ledger.has(Ability::Rereads) {
        for block in &blocks {
            ledger.publish(block).await;
        }
        ledger.end().await;
    }
    let mut reading = Reading::open(ledger, None, 0).await;
    if !ledger.has(Ability::Rereads) {
        for block in &blocks {
            ledger.publish(block).await;
        }
        reading.read_to(3).await;
        ledger.end().await;
    }
    reading.may_end = true;
    let mut ends = 0;
    while ends < 3 {
        match reading.next_in_time().await {
            Ok(SourceEvent::End) => ends += 1,
            Ok(_) if ends == 0 => {}
            other => panic!("after the end came {other:?}"),
        }
    }
    reading.assert_read(ledger, &blocks, None);
}
