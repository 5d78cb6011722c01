//! What a db-sync can be besides a ledger that grows.

use dlt_source::{DltSource, SourceError, SourceEvent};
use dlt_source_conformance::TestLedger;
use dlt_source_dbsync::{DbSyncOptions, DbSyncSource};
use node_storage_contract::{Cursor, Network, PublishedBlock};
use test_databases::PostgresServer;

use super::DbSyncLedger;

/// The block with this number, with so many transactions of one operation.
fn block(seed: u64, number: u64, transactions: u64) -> PublishedBlock {
    let operation = |index| {
        prism_fixtures::Identity::new(seed, number * 10_000 + index)
            .create()
            .bytes
    };
    prism_fixtures::block(
        seed,
        number,
        number * 20,
        (0..transactions).map(|index| [operation(index)]),
    )
}

fn at(block: &PublishedBlock) -> Cursor {
    Cursor::at(&block.into())
}

async fn next_error(source: &mut DbSyncSource) -> SourceError {
    loop {
        match source.next().await {
            Ok(SourceEvent::Blocks { .. } | SourceEvent::CaughtUp) => {}
            Ok(SourceEvent::End) => panic!("a chain has no end"),
            Err(error) => return error,
        }
    }
}

#[tokio::test]
async fn db_sync_of_another_network_is_refused() {
    let ledger = DbSyncLedger::of_network("preprod").await;
    ledger.publish(&block(1, 1, 1)).await;
    for (network, name) in [(Network::Mainnet, "mainnet"), (Network::Custom, "custom")] {
        let mut source = DbSyncSource::new(ledger.options(network), None);
        let error = next_error(&mut source).await;
        assert!(!error.is_retryable(), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("preprod") && text.contains(name), "{text}");
    }
    let mut source = DbSyncSource::new(ledger.options(Network::Preprod).confirmations(0), None);
    assert!(matches!(source.next().await, Ok(SourceEvent::Blocks { .. })));
}

#[tokio::test]
async fn db_sync_below_the_cursor_is_waited_for() {
    let ledger = DbSyncLedger::new().await;
    let blocks: Vec<_> = (1..=6).map(|number| block(1, number, 1)).collect();
    for block in &blocks[..2] {
        ledger.publish(block).await;
    }
    let mut source = ledger.source(Some(at(&blocks[3])), 0);
    for _ in 0..3 {
        let error = next_error(&mut source).await;
        assert!(error.is_retryable(), "{error:?}");
        assert!(
            error
                .to_string()
                .contains("highest block is 2, below the stored cursor"),
            "{error}"
        );
    }
    for block in &blocks[2..] {
        ledger.publish(block).await;
    }
    let expected = SourceEvent::Blocks {
        blocks: blocks[4..].to_vec(),
        cursor: at(&blocks[5]),
    };
    assert_eq!(source.next().await.unwrap(), expected);
}

/// With fewer confirmations than a rollback is deep, the ledger replaces what was delivered.
#[tokio::test]
async fn block_that_is_replaced_after_it_was_delivered_is_a_contradiction() {
    let ledger = DbSyncLedger::new().await;
    let (kept, replaced) = (block(1, 1, 1), block(1, 2, 1));
    let other = block(2, 2, 1);
    ledger.publish(&kept).await;
    ledger.publish(&replaced).await;
    let mut source = ledger.source(None, 0);
    while source.next().await.unwrap() != SourceEvent::CaughtUp {}
    ledger.roll_back_to(kept.number).await;
    assert!(next_error(&mut source).await.is_retryable());
    ledger.publish(&other).await;
    let error = next_error(&mut source).await;
    assert!(matches!(error, SourceError::Contradiction { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains(&replaced.hash.to_string()) && text.contains(&other.hash.to_string()),
        "{text}"
    );
}

// edge-cases.md#o16
/// A page of entries ends between blocks, and takes a block whole that alone is more than a page.
#[tokio::test]
async fn page_never_cuts_a_block() {
    let ledger = DbSyncLedger::new().await;
    let blocks = [block(1, 1, 600), block(1, 2, 600), block(1, 3, 1_100), block(1, 4, 1)];
    for block in &blocks {
        ledger.publish(block).await;
    }
    let mut source = ledger.source(None, 0);
    let mut read = Vec::new();
    while let SourceEvent::Blocks { blocks, .. } = source.next().await.unwrap() {
        read.extend(blocks);
    }
    let sizes =
        |blocks: &[PublishedBlock]| -> Vec<usize> { blocks.iter().map(|block| block.transactions.len()).collect() };
    assert_eq!(sizes(&read), sizes(&blocks));
    assert!(read == blocks);
}

/// What is looked at after an error is told from the beginning: the reader thinks that it waits.
#[tokio::test]
async fn source_that_has_caught_up_says_so_again_after_an_error() {
    let ledger = DbSyncLedger::new().await;
    ledger.publish(&block(1, 1, 1)).await;
    let mut source = ledger.source(None, 0);
    while source.next().await.unwrap() != SourceEvent::CaughtUp {}
    ledger.interrupt().await;
    assert!(next_error(&mut source).await.is_retryable());
    assert_eq!(source.next().await.unwrap(), SourceEvent::CaughtUp);
}

#[tokio::test]
async fn database_that_db_sync_has_not_filled_yet_is_waited_for() {
    let server = PostgresServer::shared().await.unwrap();
    let database = server.empty_database().await.unwrap();
    let options = DbSyncOptions::new(database.url(), Network::Custom).unwrap();
    let error = next_error(&mut DbSyncSource::new(options, None)).await;
    assert!(
        error.is_retryable() && error.to_string().contains("has not made its tables yet"),
        "{error}"
    );
    let ledger = DbSyncLedger::new().await;
    let error = next_error(&mut ledger.source(None, 0)).await;
    assert!(
        error.is_retryable() && error.to_string().contains("no block yet"),
        "{error}"
    );
}

#[tokio::test]
async fn database_that_is_not_there_or_refuses_the_log_in_is_named_without_the_password() {
    let url = "postgres://reader:secret@127.0.0.1:1/cexplorer";
    let options = DbSyncOptions::new(url, Network::Custom).unwrap();
    let error = next_error(&mut DbSyncSource::new(options, None)).await;
    assert!(error.is_retryable(), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("127.0.0.1:1, database cexplorer") && !text.contains("secret"),
        "{text}"
    );
}
