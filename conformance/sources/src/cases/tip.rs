//! How high the ledger is, as the source says it beside the blocks.

use dlt_source::{DltSource, Heard, Tip};

use crate::blocks::block;
use crate::reading::Reading;
use crate::{AnyLedger, TestLedger};

/// The tip that the source has told, which it has to have by now.
fn tip(reading: &Reading) -> Tip {
    let Heard { tip, at } = *reading.heard().borrow();
    assert!(at.is_some(), "the source has answered, and says that it heard nothing");
    tip.expect("the source has caught up, and has not said how high the ledger is")
}

/// When it has caught up, a source has said which block is the highest; what it may not deliver yet counts.
pub async fn is_told_with_what_is_delivered(ledger: &AnyLedger) {
    let mut reading = Reading::open(ledger, None, 0).await;
    for number in 1..=5 {
        ledger.publish(&block(number)).await;
    }
    reading.read_to(5 - ledger.kept()).await;
    reading.read_all().await;
    let delivered = reading.cursor.expect("blocks were delivered");
    let tip = tip(&reading);
    assert_eq!(
        tip.block.get(),
        delivered.block.get() + ledger.kept(),
        "the source says that this block is the highest (left), and which one is (right)"
    );
    assert!(
        if ledger.kept() == 0 {
            tip.slot == delivered.slot
        } else {
            tip.slot > delivered.slot
        },
        "the source says that the highest block has {}, and has delivered up to {delivered}",
        tip.slot
    );
}

/// Blocks with too few confirmations count.
pub async fn is_the_highest_block_confirmed_or_not(ledger: &AnyLedger) {
    for number in 1..=9 {
        ledger.publish(&block(number)).await;
    }
    let mut reading = Reading::open(ledger, None, 3).await;
    reading.read_to(6).await;
    reading.read_all().await;
    assert_eq!(
        tip(&reading).block.get(),
        9,
        "the source says that this block is the highest (left), and which one is (right)"
    );
}

/// It is told anew when the ledger has grown.
pub async fn rises_while_the_source_waits(ledger: &AnyLedger) {
    let mut reading = Reading::open(ledger, None, 0).await;
    for number in 1..=4 {
        ledger.publish(&block(number)).await;
        reading.read_to(number - ledger.kept()).await;
        reading.read_all().await;
        let delivered = reading.cursor.map_or(0, |cursor| cursor.block.get());
        assert_eq!(
            tip(&reading).block.get(),
            delivered + ledger.kept(),
            "the source says that this block is the highest (left), and which one is (right), {number} being published"
        );
    }
}
