//! What a store holds after reading: its archive root.

use dlt_source::{DltSource, SourceEvent};
use node_service::sync::{SyncUntil, SyncWorker};
use node_storage_archive::Content;
use node_storage_conformance::StoreFactory;
use node_storage_conformance::model::Model;
use node_storage_contract::{Access, AnyStore, Cursor, DltCursorRepo, Network, PublishedBlock, RawOperationRepo};
use prism_fixtures::LedgerShape;
use tokio::sync::Notify;

use crate::blocks::cursor_at;
use crate::reading::{Reading, empty_store, store_with, within_polls};
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
    content(&store_with(blocks).await).await
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
    sync_with(&mut SyncWorker::new(ledger), store, cursor_at(last)).await;
}

/// Reads into the store with this worker until the cursor is there.
async fn sync_with(worker: &mut SyncWorker<'_>, store: &AnyStore, cursor: Cursor) {
    let mut progress = worker.progress();
    let stored = Notify::new();
    tokio::select! {
        ended = worker.run(store, &stored, SyncUntil::End) => ended.expect("the store takes what the source delivers"),
        reached = progress.wait_for(|progress| progress.cursor == Some(cursor)) => drop(reached),
    }
}

/// Stores what the source delivers, for as long as it does.
async fn store_all(mut source: Reading, start: Option<Cursor>, store: &AnyStore) {
    let mut stored = start;
    loop {
        match source.next().await {
            Ok(SourceEvent::Blocks { blocks, cursor }) => {
                store
                    .append(stored, &blocks, cursor)
                    .await
                    .expect("the store takes what the source delivers");
                stored = Some(cursor);
            }
            Ok(SourceEvent::CaughtUp) => {}
            Ok(SourceEvent::End) => return,
            Err(error) => panic!("the source failed: {error}"),
        }
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
        let _ = within_polls(store_all(source, start, &store), 1 + index % 7).await;
    }
    ledger.complete(last.number.get()).await;
    sync(ledger, &store, last).await;
    assert_eq!(
        content(&store).await,
        expected(&blocks).await,
        "what is stored (left) is what was published (right)"
    );
}

/// Where the database goes back under a node that reads on, the ledger is read again from there: nothing is lost.
pub async fn is_the_same_after_the_database_went_back(ledger: &AnyLedger) {
    let blocks = generated();
    let last = blocks.last().expect("a ledger of some blocks");
    let (early, middle, late) = (&blocks[..10], &blocks[10..25], &blocks[25..]);
    let factory = Model::default();
    let model = factory.open(Network::Custom, Access::Write { migrate: true }).await;
    let store = AnyStore::new(model.expect("the model opens"));
    let mut worker = SyncWorker::new(ledger);
    for block in early {
        ledger.publish(block).await;
    }
    sync_with(&mut worker, &store, at(early, ledger)).await;
    let snapshot = factory.copy();
    for block in middle {
        ledger.publish(block).await;
    }
    sync_with(&mut worker, &store, at(middle, ledger)).await;
    factory.become_copy_of(&snapshot);
    for block in late {
        ledger.publish(block).await;
    }
    ledger.complete(last.number.get()).await;
    sync_with(&mut worker, &store, cursor_at(last)).await;
    assert_eq!(
        content(&store).await,
        expected(&blocks).await,
        "what is stored (left) is what was published (right)"
    );
}

/// The cursor at the highest of these blocks that the source delivers before another one follows.
fn at(blocks: &[PublishedBlock], ledger: &AnyLedger) -> Cursor {
    let kept = usize::try_from(ledger.kept()).expect("a small number");
    let delivered = blocks.iter().rev().nth(kept);
    cursor_at(delivered.expect("more blocks than a source keeps"))
}
