//! What is delivered.

use crate::blocks::{block, block_of_lengths, block_with, empty_block};
use crate::reading::Reading;
use crate::{AnyLedger, TestLedger};

/// Blocks of several transactions and operations are never cut, never repeated, and never overtake each other.
pub async fn come_whole_ascending_and_each_once(ledger: &AnyLedger) {
    let blocks: Vec<_> = (1..=12)
        .map(|number| block_with(number, 1 + number % 3, 1 + number % 4))
        .collect();
    let mut reading = Reading::open(ledger, None, 0).await;
    for (index, block) in blocks.iter().enumerate() {
        ledger.publish(block).await;
        if index % 5 == 4 {
            reading.read_to(block.number.get() - ledger.kept()).await;
        }
    }
    ledger.complete(12).await;
    reading.read_to(12).await;
    reading.assert_read(ledger, &blocks, None);
}

/// Number, slot, hash and time with its microseconds, index and id of each transaction, index and bytes of each operation.
pub async fn come_with_every_field(ledger: &AnyLedger) {
    let mut blocks = vec![block_with(7, 3, 2), block_with(8, 1, 1)];
    // Other transactions of the block are none of ours.
    blocks[0].transactions.remove(1);
    let mut reading = Reading::open(ledger, None, 0).await;
    for block in &blocks {
        ledger.publish(block).await;
    }
    ledger.complete(8).await;
    reading.read_to(8).await;
    reading.assert_read(ledger, &blocks, None);
}

/// A source that has told everything goes on with what is published then.
pub async fn published_later_come_later(ledger: &AnyLedger) {
    let blocks: Vec<_> = (1..=6).map(block).collect();
    let mut reading = Reading::open(ledger, None, 0).await;
    for block in &blocks {
        ledger.publish(block).await;
        reading.read_to(block.number.get() - ledger.kept()).await;
        reading.read_all().await;
    }
    ledger.complete(6).await;
    reading.read_to(6).await;
    reading.assert_read(ledger, &blocks, None);
}

/// The cursor passes blocks that hold nothing of ours, at the end of the ledger too.
pub async fn without_operations_move_the_cursor(ledger: &AnyLedger) {
    let blocks = vec![
        block(1),
        empty_block(2),
        empty_block(3),
        block(4),
        empty_block(5),
        empty_block(6),
    ];
    let mut reading = Reading::open(ledger, None, 0).await;
    for block in &blocks {
        ledger.publish(block).await;
    }
    ledger.complete(6).await;
    reading.read_to(6).await;
    reading.assert_read(ledger, &blocks, None);
}

/// A delivery takes no more blocks, operations and bytes than its limits say, but for one block that alone exceeds them.
pub async fn come_in_batches_within_their_limits(ledger: &AnyLedger) {
    const LARGE: usize = 900_000;
    let mut blocks: Vec<_> = (1..=2_100).map(empty_block).collect();
    blocks.extend((2_101..=2_104).map(|number| block_with(number, 1, 900)));
    // Together more than the limit, each less; then one that alone is more.
    blocks.extend((2_105..=2_108).map(|number| block_of_lengths(number, &[LARGE])));
    blocks.extend((2_109..=2_110).map(|number| block_of_lengths(number, &[LARGE])));
    blocks.push(block_with(2_111, 3, 900));
    blocks.push(block(2_112));
    for block in &blocks {
        ledger.publish(block).await;
    }
    ledger.complete(2_112).await;
    let mut reading = Reading::open(ledger, None, 0).await;
    reading.read_to(2_112).await;
    reading.assert_read(ledger, &blocks, None);
}
