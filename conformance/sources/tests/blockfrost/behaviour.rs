//! What a Blockfrost can be besides a ledger that grows.

use dlt_source::{DltSource, SourceError, SourceEvent};
use mock_blockfrost::{Metadata, MockBlockfrost};
use node_storage_contract::{Network, PublishedBlock};
use serde_json::json;

use super::{
    MAGIC, at, block, limits, mock, mock_block, next_error, noise, options, publish, read_all, read_to_error, refused,
    some_metadata, source, source_with,
};

/// Blocks from 1 on, with so many transactions each.
fn blocks(transactions: &[u64]) -> Vec<PublishedBlock> {
    (1..)
        .zip(transactions)
        .map(|(number, count)| block(1, number, *count))
        .collect()
}

fn kept(blocks: &[PublishedBlock]) -> Vec<PublishedBlock> {
    let kept = blocks.iter().filter(|block| !block.transactions.is_empty());
    kept.cloned().collect()
}

#[tokio::test]
async fn blockfrost_of_another_network_is_refused() {
    let mock = MockBlockfrost::start(1, None).await;
    publish(&mock, &[block(1, 1, 1)]);
    for (network, name) in [(Network::Mainnet, "mainnet"), (Network::Custom, "custom")] {
        let options = dlt_source_blockfrost::BlockfrostOptions::new(&mock.url(), network).unwrap();
        let error = refused(options.limits(limits())).await;
        assert!(!error.is_retryable(), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("magic 1,") && text.contains(name), "{text}");
    }
    let options = dlt_source_blockfrost::BlockfrostOptions::new(&mock.url(), Network::Preprod).unwrap();
    let mut source = source_with(options.confirmations(0), None).await;
    assert!(matches!(source.next().await, Ok(SourceEvent::Blocks { .. })));
}

#[tokio::test]
async fn chain_without_a_block_is_waited_for() {
    let mock = MockBlockfrost::start(MAGIC, None).await;
    let mut source = source(&mock, None).await;
    let error = next_error(&mut source).await;
    assert!(
        error.is_retryable() && error.to_string().contains("no block yet"),
        "{error}"
    );
    publish(&mock, &blocks(&[1]));
    assert_eq!(read_all(&mut source).await, blocks(&[1]));
}

/// A list that is not there yet is a 404, and no error.
#[tokio::test]
async fn label_that_nobody_has_used_moves_the_cursor() {
    for has_empty_pages in [false, true] {
        let chain = blocks(&[0, 0, 0]);
        let mock = mock(&chain).await;
        mock.chain(|chain| chain.has_empty_pages = has_empty_pages);
        let mut source = source_with(options(&mock).confirmations(1), None).await;
        let expected = SourceEvent::Blocks {
            blocks: Vec::new(),
            cursor: at(&chain[1]),
        };
        assert_eq!(source.next().await.unwrap(), expected);
        assert_eq!(source.next().await.unwrap(), SourceEvent::CaughtUp);
    }
}

#[tokio::test]
async fn chain_that_ends_below_the_cursor_is_waited_for() {
    let chain = blocks(&[1, 1, 1, 1, 1, 1]);
    let mock = mock(&chain[..2]).await;
    let mut source = source(&mock, Some(at(&chain[3]))).await;
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
    publish(&mock, &chain[2..]);
    assert_eq!(read_all(&mut source).await, &chain[4..]);
}

/// Whether the block of the cursor is right above, far above, or the last one that is confirmed.
#[tokio::test]
async fn another_block_at_the_cursor_is_a_contradiction_that_names_both() {
    let chain = blocks(&[1, 1, 1, 1, 1, 1]);
    let other = block(2, 3, 1);
    for (confirmations, count) in [(0, 3), (0, 4), (0, 6), (1, 4), (1, 6), (3, 6), (3, 5)] {
        let mock = mock(&chain[..count]).await;
        let mut cursor = at(&chain[2]);
        cursor.hash = other.hash;
        let mut source = source_with(options(&mock).confirmations(confirmations), Some(cursor)).await;
        let (read, error) = read_to_error(&mut source).await;
        assert!(read.is_empty());
        assert!(matches!(error, SourceError::Contradiction { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains(&chain[2].hash.to_string()) && text.contains(&other.hash.to_string()),
            "{text}"
        );
    }
}

/// With fewer confirmations than a rollback is deep, the ledger replaces what was delivered.
#[tokio::test]
async fn block_that_is_replaced_after_it_was_delivered_is_a_contradiction() {
    let (kept, replaced, other) = (block(1, 1, 1), block(1, 2, 1), block(2, 2, 1));
    let mock = mock(&[kept.clone(), replaced.clone()]).await;
    let mut source = source(&mock, None).await;
    read_all(&mut source).await;
    mock.chain(|chain| chain.roll_back_to(1));
    assert!(next_error(&mut source).await.is_retryable());
    publish(&mock, std::slice::from_ref(&other));
    let error = next_error(&mut source).await;
    let text = error.to_string();
    assert!(matches!(error, SourceError::Contradiction { .. }), "{text}");
    assert!(
        text.contains(&replaced.hash.to_string()) && text.contains(&other.hash.to_string()),
        "{text}"
    );
}

// edge-cases.md#o16
/// A page ends anywhere: between blocks, within one, within one that is longer than a page.
#[tokio::test]
async fn page_of_the_list_never_cuts_a_block() {
    for transactions in [
        &[100][..],
        &[50, 50],
        &[99, 1, 1],
        &[99, 2, 1],
        &[60, 60, 60, 0, 120, 1],
        &[250, 1],
        &[1, 250],
        &[100, 100, 100],
        &[0, 199, 0, 1],
    ] {
        let chain = blocks(transactions);
        let mock = mock(&chain).await;
        let mut source = source(&mock, None).await;
        assert_eq!(read_all(&mut source).await, kept(&chain), "{transactions:?}");
        let next = block(1, chain.len() as u64 + 1, 1);
        publish(&mock, std::slice::from_ref(&next));
        assert_eq!(read_all(&mut source).await, [next], "{transactions:?}");
    }
}

// edge-cases.md#o17
#[tokio::test]
async fn full_page_of_blocks_that_are_not_confirmed_is_held_back() {
    let chain = blocks(&[100, 100, 1, 0, 0]);
    let mock = mock(&chain).await;
    let mut source = source_with(options(&mock).confirmations(4), None).await;
    assert_eq!(read_all(&mut source).await, &chain[..1]);
    publish(&mock, &[block(1, 6, 0)]);
    assert_eq!(read_all(&mut source).await, &chain[1..2]);
    publish(&mock, &[block(1, 7, 0)]);
    assert_eq!(read_all(&mut source).await, &chain[2..3]);
}

/// Reading can begin at any block, also within what becomes a page.
#[tokio::test]
async fn place_in_the_list_is_found_from_every_block() {
    let chain = blocks(&[0, 1, 1, 30, 0, 69, 100, 2, 0, 150, 3, 0]);
    let mock = mock(&chain).await;
    for start in 0..chain.len() {
        let mut source = source(&mock, Some(at(&chain[start]))).await;
        assert_eq!(
            read_all(&mut source).await,
            kept(&chain[start + 1..]),
            "after block {}",
            start + 1
        );
    }
}

/// The list names a transaction whose block was rolled back since.
#[tokio::test]
async fn listed_transaction_that_is_in_no_block_is_waited_for() {
    let chain = blocks(&[2, 1]);
    let mock = mock(&chain).await;
    mock.chain(|chain| chain.listed.push([7; 32]));
    let mut source = source(&mock, None).await;
    for _ in 0..2 {
        let (read, error) = read_to_error(&mut source).await;
        assert!(read.is_empty() && error.is_retryable(), "{error:?}");
        assert!(error.to_string().contains(&"07".repeat(32)), "{error}");
    }
    mock.chain(|chain| chain.listed.clear());
    assert_eq!(read_all(&mut source).await, chain);
}

/// What was read of a chain that is replaced meanwhile is not taken.
#[tokio::test]
async fn chain_that_is_replaced_while_it_is_read_is_read_again() {
    let chain = blocks(&[1, 3, 3]);
    let replacement = [block(2, 2, 3), block(2, 3, 3), block(2, 4, 1)];
    for (resource, asked) in [("txs/", 1), ("txs/", 2), ("txs/", 7), ("metadata", 1)] {
        let mock = mock(&chain).await;
        let mut source = source_with(options(&mock).confirmations(0), None).await;
        let fork: Vec<_> = replacement.iter().map(mock_block).collect();
        let mut left = asked;
        mock.when_asked(resource, asked, move |chain| {
            left -= 1;
            if left == 0 {
                chain.roll_back_to(1);
                chain.blocks.extend(fork.clone());
            }
            None
        });
        let (read, error) = read_to_error(&mut source).await;
        assert!(read.is_empty(), "{resource} {asked}");
        assert!(
            error.is_retryable() && error.to_string().contains("the chain changed while it was read"),
            "{error}"
        );
        let expected = [&chain[..1], &replacement].concat();
        assert_eq!(read_all(&mut source).await, expected, "{resource} {asked}");
    }
}

/// Nothing is lost and nothing comes twice where the list is another one than before, further down.
#[tokio::test]
async fn list_that_shifts_is_searched_again() {
    let chain = blocks(&[1, 2, 1, 1, 1]);
    let mock = mock(&chain[..3]).await;
    let mut source = source(&mock, None).await;
    assert_eq!(read_all(&mut source).await, &chain[..3]);
    let first = *chain[0].transactions[0].id.as_bytes();
    mock.chain(|chain| chain.unlisted.insert(first));
    publish(&mock, &chain[3..4]);
    assert_eq!(read_all(&mut source).await, &chain[3..4]);
    mock.chain(|chain| chain.unlisted.clear());
    publish(&mock, &chain[4..]);
    assert_eq!(read_all(&mut source).await, &chain[4..]);
}

#[tokio::test]
async fn transaction_that_is_listed_too_late_is_a_contradiction() {
    let chain = blocks(&[1, 1, 1]);
    let mock = mock(&chain[..2]).await;
    let late = chain[1].transactions[0].id;
    mock.chain(|chain| chain.unlisted.insert(*late.as_bytes()));
    let mut source = source(&mock, None).await;
    assert_eq!(read_all(&mut source).await, &chain[..1]);
    mock.chain(|chain| chain.unlisted.clear());
    publish(&mock, &chain[2..]);
    let (read, error) = read_to_error(&mut source).await;
    assert!(read.is_empty());
    let text = error.to_string();
    assert!(matches!(error, SourceError::Contradiction { .. }), "{text}");
    assert!(text.contains(&late.to_string()) && text.contains("block 2"), "{text}");
}

// edge-cases.md#o14, edge-cases.md#o23
/// Failed scripts, entries without content, and what is no entry of the protocol are passed over, and the cursor moves.
#[tokio::test]
async fn entry_without_operations_is_passed_over_with_its_transaction_alone() {
    let chain = blocks(&[1, 0, 1]);
    let mock = mock(&chain).await;
    mock.chain(|mock| {
        let entries = [
            (Metadata::Newer(some_metadata()), false),
            (Metadata::Null, true),
            (Metadata::Text(String::new()), true),
            (Metadata::Newer(vec![0xa0]), true),
            (Metadata::Newer(vec![0xff]), true),
            (Metadata::Json(json!({"v": 1, "c": ["text"]})), true),
            (Metadata::Json(json!(null)), true),
        ];
        for (index, (metadata, is_valid)) in (10..).zip(entries) {
            for (block, shown) in chain.iter().zip(&mut mock.blocks) {
                let entry = noise(block, index, metadata.clone(), is_valid);
                shown.transactions.push(entry);
            }
        }
    });
    let mut source = source(&mock, None).await;
    assert_eq!(read_all(&mut source).await, kept(&chain));
}

/// What was told is told again after an error: the reader thinks that it waits.
#[tokio::test]
async fn source_that_has_caught_up_says_so_again_after_an_error() {
    let mock = mock(&blocks(&[1])).await;
    let mut source = source(&mock, None).await;
    read_all(&mut source).await;
    mock.answer(
        "",
        4,
        mock_blockfrost::Answer::error(500, "An unexpected response was received."),
    );
    assert!(next_error(&mut source).await.is_retryable());
    assert_eq!(source.next().await.unwrap(), SourceEvent::CaughtUp);
}
