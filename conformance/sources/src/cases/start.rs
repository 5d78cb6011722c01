//! Where reading begins.

use dlt_source::{SourceError, SourceEvent};
use node_storage_contract::Cursor;

use crate::blocks::{block, cursor_at, other_block};
use crate::reading::{Reading, store_with};
use crate::{AnyLedger, TestLedger};

/// Without a cursor, everything is delivered.
pub async fn reads_the_whole_ledger_without_a_cursor(ledger: &AnyLedger) {
    let blocks: Vec<_> = (1..=9).map(block).collect();
    let mut reading = Reading::open(ledger, None, 0).await;
    for block in &blocks {
        ledger.publish(block).await;
    }
    ledger.complete(9).await;
    reading.read_to(9).await;
    reading.assert_read(ledger, &blocks, None);
}

/// With a cursor, what is above it is delivered, and the cursor's own block at most once more. The cursor may be at any block.
pub async fn starts_after_the_cursor(ledger: &AnyLedger) {
    let blocks: Vec<_> = (1..=9).map(block).collect();
    for block in &blocks {
        ledger.publish(block).await;
    }
    ledger.complete(9).await;
    for (at, rest) in (0..9).map(|at| (&blocks[at], &blocks[at + 1..])) {
        let storage = store_with(&blocks[..blocks.len() - rest.len()]).await;
        let mut reading = Reading::open_with(ledger, Some(cursor_at(at)), 0, &storage).await;
        reading.read_to(9).await;
        if rest.is_empty() {
            assert_eq!(reading.cursor, Some(cursor_at(at)), "nothing is above the cursor");
        } else {
            reading.assert_read(ledger, rest, Some(at));
        }
    }
}

/// A ledger that has another block where the cursor is, is refused, and the error names both.
pub async fn ledger_that_contradicts_the_cursor_is_named(ledger: &AnyLedger) {
    for number in 1..=6 {
        ledger.publish(&block(number)).await;
    }
    let cursor = Cursor {
        hash: other_block(4).hash,
        ..cursor_at(&block(4))
    };
    let on_the_ledger = block(4).hash;
    let mut stored: Vec<_> = (1..=4).map(block).collect();
    if let Some(last) = stored.last_mut() {
        last.hash = cursor.hash;
    }
    let storage = store_with(&stored).await;
    let error = if let Err(error) = ledger.open(Some(cursor), 0, &storage).await {
        error
    } else {
        let mut reading = Reading::open_with(ledger, Some(cursor), 0, &storage).await;
        loop {
            match reading.next_in_time().await {
                Err(error) => break error,
                Ok(SourceEvent::Blocks { blocks, .. }) => panic!(
                    "the ledger has another block {} than the cursor, and the source delivered {} blocks from block {:?} on",
                    cursor.block,
                    blocks.len(),
                    blocks.first().map(|block| block.number)
                ),
                Ok(SourceEvent::CaughtUp | SourceEvent::End) => {}
            }
        }
    };
    let SourceError::Contradiction { at, detail } = &error else {
        panic!("a ledger that contradicts the cursor is a Contradiction, not {error:?}");
    };
    let text = format!("{at}: {detail}");
    for (whose, hash) in [("the cursor", cursor.hash), ("the ledger", on_the_ledger)] {
        assert!(
            text.contains(&hash.to_string()),
            "the contradiction names the block of {whose}, {hash}, but says: {text}"
        );
    }
}
