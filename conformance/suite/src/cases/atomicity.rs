//! Blocks and cursor, and entries and watermark, become visible together or not at all (lines 2 and 7 of the contract).

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use node_storage_contract::{Cursor, DltCursorRepo, IndexedOperationRepo, IndexerStateRepo, RawOperationRepo};

use crate::StoreFactory;
use crate::assertions::{append, assert_holds, index};
use crate::data::{all_ignored, block, blocks, cursor, cursor_after, cursor_at, of_did, positions, slot_of};
use crate::expected::{self, records};
use crate::factory::open;
use crate::observe::all_operations;
use crate::writes::move_cursor;

/// Enough for any write here: a store whose write takes more steps than this waits for something else.
const MOST_STEPS: usize = 10_000;

/// Polls a future at most `steps` times, then drops it; answers whether it had ended.
pub(crate) async fn interrupted_after<F: Future>(steps: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polled = 0;
    poll_fn(move |context| {
        polled += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polled >= steps => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// An append that is dropped at any of its steps has stored everything or nothing, and the next one goes through.
// edge-cases.md#o13
pub async fn dropped_append_is_stored_whole_or_not_at_all(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let mut stored = blocks([0]);
    append(&store, &stored).await;
    for steps in 1..MOST_STEPS {
        let delivered = block(u64::try_from(steps).unwrap());
        let cursor = cursor_at(&delivered);
        let outcome = interrupted_after(
            steps,
            store.append(Some(cursor_after(&stored)), std::slice::from_ref(&delivered), cursor),
        )
        .await;
        // What was dropped may still be ending, so that only what is read at one instant can be judged; delivering it again
        // gives the same content whether it ends before, after or never.
        let before = expected::observation(&stored, cursor_after(&stored), &[]).bound;
        let bound = store.bound().await.unwrap();
        if bound != before {
            let with_delivered = [stored.as_slice(), std::slice::from_ref(&delivered)].concat();
            assert_eq!(bound, expected::observation(&with_delivered, cursor, &[]).bound);
        }
        append(&store, std::slice::from_ref(&delivered)).await;
        stored.push(delivered);
        assert_holds(&store, &stored, cursor, &[]).await;
        if let Some(outcome) = outcome {
            outcome.unwrap();
            return;
        }
    }
    panic!("an append does not end within {MOST_STEPS} steps");
}

/// An index batch that is dropped at any of its steps has stored all entries and the watermark, or none.
// edge-cases.md#o15
pub async fn dropped_index_batch_is_stored_whole_or_not_at_all(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks(1..=60);
    append(&store, &all).await;
    let entries: Vec<_> = (0..)
        .zip(positions(&all))
        .map(|(did, position)| of_did(position, did, true))
        .collect();
    let mut indexed = 0;
    for (steps, batch) in (1..).zip(entries.chunks(5)) {
        let outcome = interrupted_after(steps, store.index(batch)).await;
        let watermark = store.indexer_state().await.unwrap().watermark;
        if watermark != batch.last().map(|entry| entry.position) {
            assert_eq!(watermark, entries[..indexed].last().map(|entry| entry.position));
        }
        index(&store, batch).await;
        indexed += batch.len();
        assert_eq!(all_operations(&store).await, records(&all, &entries[..indexed]));
        if let Some(outcome) = outcome {
            outcome.unwrap();
            assert_holds(&store, &all, cursor_after(&all), &entries[..indexed]).await;
            return;
        }
    }
    panic!("an index batch does not end within 60 steps");
}

/// A cursor move that is dropped at any of its steps has moved it or not, and the next one goes through.
pub async fn dropped_cursor_move_leaves_one_of_both_cursors(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let mut before: Option<Cursor> = None;
    for steps in 1..MOST_STEPS {
        let number = u64::try_from(steps).unwrap();
        let moved = cursor(slot_of(number), number);
        let outcome = interrupted_after(steps, store.advance_cursor(before, moved)).await;
        let reached = store.cursor().await.unwrap();
        assert!(
            reached == before || reached == Some(moved),
            "neither the cursor before nor the new one: {reached:?}"
        );
        move_cursor(&store, moved).await.unwrap();
        before = Some(moved);
        assert_eq!(store.cursor().await.unwrap(), before);
        if let Some(outcome) = outcome {
            outcome.unwrap();
            return;
        }
    }
    panic!("a cursor move does not end within {MOST_STEPS} steps");
}

/// A store on which calls were dropped, more often than it has connections, still reads and writes.
pub async fn store_works_after_many_dropped_calls(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([1, 2]);
    append(&store, &all[..1]).await;
    let stored = Some(cursor_at(&all[0]));
    for steps in 1..=40 {
        let _ = interrupted_after(steps % 7 + 1, store.bound()).await;
        let _ = interrupted_after(steps % 5 + 1, store.append(stored, &all[..1], cursor_at(&all[0]))).await;
        let _ = interrupted_after(steps % 3 + 1, store.index(&[])).await;
    }
    append(&store, &all).await;
    let entries = all_ignored(&positions(&all));
    index(&store, &entries).await;
    assert_holds(&store, &all, cursor_at(&all[1]), &entries).await;
}
