//! Errors that pass.

use crate::blocks::block;
use crate::reading::Reading;
use crate::{AnyLedger, TestLedger};

/// After an error that passes, the source goes on as if nothing had happened.
pub async fn one_that_passes_is_followed_by_what_would_have_come(ledger: &AnyLedger) {
    let blocks: Vec<_> = (1..=10).map(block).collect();
    let mut reading = Reading::open(ledger, None, 0).await;
    for block in &blocks {
        ledger.publish(block).await;
        if block.number.get() % 2 == 0 {
            ledger.interrupt().await;
            let number = block.number.get() - ledger.kept();
            while reading.cursor.is_none_or(|cursor| cursor.block.get() < number) {
                if let Err(error) = reading.next_in_time().await {
                    assert!(
                        error.is_retryable(),
                        "an interruption passes, but was reported as {error:?}"
                    );
                }
            }
        }
    }
    ledger.complete(10).await;
    reading.read_to(10).await;
    reading.assert_read(ledger, &blocks, None);
}
