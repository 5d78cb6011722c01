//! Blocks that may still be replaced.

use crate::blocks::{block, other_block};
use crate::reading::Reading;
use crate::{AnyLedger, TestLedger};

/// Confirmations that the tests ask for.
const DEPTH: u32 = 3;

/// A block is delivered when the highest number is higher by the confirmations that were asked for, and not before.
pub async fn blocks_with_too_few_are_held_back(ledger: &AnyLedger) {
    let blocks: Vec<_> = (1..=12).map(block).collect();
    let mut reading = Reading::open(ledger, None, DEPTH).await;
    for block in &blocks {
        ledger.publish(block).await;
        if let Some(confirmed) = block
            .number
            .get()
            .checked_sub(u64::from(DEPTH))
            .filter(|number| *number > 0)
        {
            reading.read_to(confirmed).await;
            let read = reading.cursor.map(|cursor| cursor.block.get());
            assert_eq!(
                read,
                Some(confirmed),
                "with block {} the highest and {DEPTH} confirmations, blocks up to {confirmed} are confirmed (right), and the \
                 cursor is at (left)",
                block.number
            );
        }
    }
    reading.read_all().await;
    let confirmed = blocks.len() - 3;
    reading.assert_read(ledger, &blocks[..confirmed], None);
}

/// Without confirmations, the highest block is delivered.
pub async fn none_are_needed_for_the_highest_block_where_that_is_asked_for(ledger: &AnyLedger) {
    let mut reading = Reading::open(ledger, None, 0).await;
    for number in 1..=3 {
        ledger.publish(&block(number)).await;
        reading.read_to(number).await;
    }
    reading.assert_read(ledger, &(1..=3).map(block).collect::<Vec<_>>(), None);
}

/// What is replaced before it is confirmed leaves no trace.
pub async fn block_that_is_rolled_back_before_is_never_delivered(ledger: &AnyLedger) {
    let mut reading = Reading::open(ledger, None, DEPTH).await;
    for number in 1..=8 {
        ledger.publish(&block(number)).await;
        if let Some(confirmed) = number.checked_sub(u64::from(DEPTH)).filter(|number| *number > 0) {
            reading.read_to(confirmed).await;
        }
    }
    reading.read_all().await;
    let fork = block(5).number;
    ledger.roll_back_to(fork).await;
    for number in 6..=12 {
        ledger.publish(&other_block(number)).await;
    }
    reading.read_to(9).await;
    let expected: Vec<_> = (1..=5).map(block).chain((6..=9).map(other_block)).collect();
    reading.assert_read(ledger, &expected, None);
}
