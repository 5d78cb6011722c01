//! What a store holds after reading: its archive root.

use node_service::sync::SyncWorker;
use node_storage_archive::Content;
use node_storage_contract::{AnyStore, DltCursorRepo, PublishedBlock, RawOperationRepo};
use prism_fixtures::LedgerShape;
use tokio::sync::Notify;

use crate::blocks::cursor_at;
use crate::reading::{Reading, empty_store, within_polls};
use crate::{AnyLedger, TestLedger};

/// A ledger with every kind of operation.
fn generated() -> Vec<PublishedBlock> {
    let shape = LedgerShape {
        blocks: 40,
        undecodable: false,
        ..LedgerShape::small(11)
    };
    prism_fixtures::ledger(&shape).collect()
}

/// The content of a store into which the blocks are put as they are.
async fn expected(blocks: &[PublishedBlock]) -> Content {
    let store = empty_store().await;
    let last = blocks.last().expect("a ledger of some blocks");
    store
        .append(blocks, cursor_at(last))
        .await
        .expect("an empty store takes them");
    content(&store).await
}

async fn content(store: &AnyStore) -> Content {
    node_storage_archive::root(store, None)
        .await
        .expect("the model can be read")
}

/// Reads into the store until the cursor is at the last block.
async fn sync(ledger: &AnyLedger, store: &AnyStore, last: &PublishedBlock) {
    let start = store.cursor().await.expect("the model can be read");
    if start == Some(cursor_at(last)) {
        return;
    }
    let source = Reading::open_with(ledger, start, 0, store).await;
    let mut worker = SyncWorker::new(source);
    let mut progress = worker.progress();
    let stored = Notify::new();
    tokio::select! {
        ended = worker.run(store, &stored) => ended.expect("the store takes what the source delivers"),
        reached = progress.wait_for(|progress| progress.cursor == Some(cursor_at(last))) => drop(reached),
    }
}

/// The same ledger gives the same root, through whatever source it is read.
pub async fn is_that_of_the_ledger(ledger: &AnyLedger) {
    let blocks = generated();
    let last = blocks.last().expect("a ledger of some blocks");
    for block in &blocks {
        ledger.publish(block).await;
    }
    ledger.complete(last.number.get()).await;
    let store = empty_store().await;
    sync(ledger, &store, last).await;
    assert_eq!(
        content(&store).await,
        expected(&blocks).await,
        "what is stored (left) is what was published (right)"
    );
}

/// Reading that is given up at any point, and taken up again at the stored cursor by a new source, gives the same root.
pub async fn is_the_same_when_reading_is_interrupted_anywhere(ledger: &AnyLedger) {
    let blocks = generated();
    let last = blocks.last().expect("a ledger of some blocks");
    let store = empty_store().await;
    for (index, block) in blocks.iter().enumerate() {
        ledger.publish(block).await;
        let start = store.cursor().await.expect("the model can be read");
        let source = Reading::open_with(ledger, start, 0, &store).await;
        let mut worker = SyncWorker::new(source);
        let _ = within_polls(worker.run(&store, &Notify::new()), 1 + index % 7).await;
    }
    ledger.complete(last.number.get()).await;
    sync(ledger, &store, last).await;
    assert_eq!(
        content(&store).await,
        expected(&blocks).await,
        "what is stored (left) is what was published (right)"
    );
}
