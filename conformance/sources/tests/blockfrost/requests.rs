//! What reading costs: each request counts towards the limit of the day.

use dlt_source::DltSource;
use dlt_source::SourceEvent;
use mock_blockfrost::MockBlockfrost;
use node_storage_contract::PublishedBlock;

use super::{at, block, mock, options, publish, read_all, source_with};

/// A chain of so many blocks of so many transactions.
fn chain(blocks: u64, transactions: u64) -> Vec<PublishedBlock> {
    (1..=blocks).map(|number| block(1, number, transactions)).collect()
}

/// What was asked for, of one kind. The JSON view of entries without CBOR, which the chain of these tests has more of than there are, is
/// left out.
fn count(requests: &[String], kind: &str) -> usize {
    let of_kind = requests.iter().filter(|request| request.starts_with(kind));
    of_kind.filter(|request| !request.ends_with("/metadata")).count()
}

/// What one more block costs, and looking where nothing is new.
async fn cost_of_a_block(mock: &MockBlockfrost, confirmations: u32, chain: &[PublishedBlock]) -> Vec<String> {
    let mut source = source_with(options(mock).confirmations(confirmations), None).await;
    read_all(&mut source).await;
    mock.take_requests();
    publish(mock, &[block(1, chain.len() as u64 + 1, 0)]);
    while !matches!(source.next().await.unwrap(), SourceEvent::Blocks { .. }) {}
    let requests = mock.take_requests();
    let (idle, asked) =
        requests.split_at(requests.len() - requests.iter().rev().position(|one| one == "blocks/latest").unwrap() - 1);
    assert!(idle.iter().all(|request| request == "blocks/latest"), "{idle:?}");
    asked.to_vec()
}

#[tokio::test]
async fn block_without_anything_costs_three_requests() {
    let chain = chain(10, 1);
    let mock = mock(&chain).await;
    mock.chain(|chain| {
        chain
            .blocks
            .iter_mut()
            .skip(4)
            .for_each(|block| block.transactions.clear());
    });
    let asked = cost_of_a_block(&mock, 3, &chain).await;
    assert_eq!(
        asked,
        [
            "blocks/latest",
            "blocks/8",
            "metadata/txs/labels/21325/cbor?count=100&page=1&order=asc"
        ]
    );
}

/// However many wait to be confirmed, the first one alone is looked at.
#[tokio::test]
async fn entries_that_are_not_confirmed_cost_one_request_more() {
    let chain = chain(10, 5);
    let mock = mock(&chain).await;
    mock.chain(|chain| chain.blocks[7].transactions.clear());
    let asked = cost_of_a_block(&mock, 3, &chain).await;
    assert_eq!((asked.len(), count(&asked, "txs/")), (4, 1), "{asked:?}");
}

/// The first run asks once for each transaction, and little besides.
#[tokio::test]
async fn first_run_costs_a_request_a_transaction() {
    let chain = chain(1_000, 1);
    let mock = mock(&chain).await;
    let mut source = source_with(options(&mock).confirmations(1), None).await;
    assert_eq!(read_all(&mut source).await.len(), 999);
    let requests = mock.take_requests();
    assert!(count(&requests, "txs/") <= 1_020, "{}", count(&requests, "txs/"));
    assert!(count(&requests, "") <= 1_080, "{}", count(&requests, ""));
}

/// A node that starts again finds its place in a list of 2,000, and asks for no page from the first on.
#[tokio::test]
async fn place_is_found_with_few_requests() {
    let chain = chain(2_000, 1);
    let mock = mock(&chain).await;
    for start in [10, 1_200, 1_899, 1_997] {
        mock.take_requests();
        let mut source = source_with(options(&mock).confirmations(1), Some(at(&chain[start]))).await;
        assert!(matches!(source.next().await, Ok(SourceEvent::Blocks { .. })));
        let requests = mock.take_requests();
        let pages = requests.iter().filter(|request| request.contains("count=100")).count();
        let searching = count(&requests, "").saturating_sub(100);
        assert!(pages <= 2, "{pages} pages after block {}", start + 1);
        assert!(searching <= 50, "{searching} requests after block {}", start + 1);
    }
}

/// Pages that were read are not read again.
#[tokio::test]
async fn page_is_remembered() {
    let chain = chain(450, 1);
    let mock = mock(&chain).await;
    let mut source = source_with(options(&mock).confirmations(0), None).await;
    read_all(&mut source).await;
    mock.take_requests();
    for number in 451..=455 {
        let next = block(1, number, 1);
        publish(&mock, std::slice::from_ref(&next));
        assert_eq!(read_all(&mut source).await, [next]);
    }
    let requests = mock.take_requests();
    assert_eq!(count(&requests, "metadata"), 5);
    assert!(
        requests
            .iter()
            .filter(|request| request.starts_with("metadata"))
            .all(|request| request.contains("page=5&")),
        "{requests:?}"
    );
    assert_eq!(count(&requests, "txs/"), 5);
}
