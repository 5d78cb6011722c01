//! A node that reads a relay.
#![cfg(feature = "relay")]

mod common;

use common::{Database, Running, Signal, blocks, run};
use did_prism::digest::BlockHash;
use did_prism::envelope::{encode_metadata, encode_object};
use mock_relay::{Era, MockRelay, MockTransaction};
use node_storage::DbBackend;
use node_storage::contract::PublishedBlock;

const MAGIC: u32 = 42;

fn indexer(database: &Database, relay: &MockRelay, arguments: &[&str]) -> std::process::Command {
    let mut command = database.node(&["indexer", "--port", "0", "--dlt-source", "relay"]);
    command.arg("--cardano-relay").arg(relay.address()).args(arguments);
    command
}

fn publish(relay: &MockRelay, seed: u64, block: &PublishedBlock) {
    let count = block
        .transactions
        .iter()
        .map(|transaction| transaction.absn.get() + 1)
        .max();
    let transactions: Vec<_> = (0..count.unwrap_or(0))
        .map(|absn| {
            let published = block.transactions.iter().find(|one| one.absn.get() == absn);
            published.map_or_else(MockTransaction::plain, |transaction| {
                let operations = transaction.operations.iter().map(|one| one.bytes.as_slice().to_vec());
                let object = encode_object(&operations.collect::<Vec<_>>());
                MockTransaction::with_metadata(Era::Conway, &encode_metadata(&object))
            })
        })
        .collect();
    relay.publish(Era::Conway, (block.number.get(), block.slot.get()), seed, &transactions);
}

const CUSTOM: [&str; 8] = [
    "--network",
    "custom",
    "--cardano-network-magic",
    "42",
    "--cardano-system-start",
    "2023-11-14T22:13:20Z",
    "--confirmation-blocks",
    "2",
];

/// The node follows the chain, and stops where the chain contradicts what it has stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_follows_a_relay_and_stops_at_a_chain_that_contradicts_it() {
    let database = Database::sqlite();
    let relay = MockRelay::start(MAGIC).await;
    let blocks = blocks(1, 30);
    let (early, late) = blocks.split_at(20);
    for block in early {
        publish(&relay, 1, block);
    }
    let node = Running::start(indexer(&database, &relay, &CUSTOM));
    node.wait_for("writing");
    let highest = |blocks: &[PublishedBlock]| blocks.last().unwrap().number.get() - 2;
    database.wait_for_block(highest(early));
    for block in late {
        publish(&relay, 1, block);
    }
    database.wait_for_block(highest(&blocks));
    let (code, status) = node.get("/api/_system/status");
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let tip = blocks.last().unwrap().number.get();
    assert_eq!(code, 200);
    assert_eq!(
        (&status["tip"]["block_number"], &status["lag"]["blocks"]),
        (&tip.into(), &2.into()),
        "{status}"
    );
    let cursor = database.content().await.cursor.unwrap();
    let on_chain = relay.blocks();
    let last = on_chain
        .iter()
        .find(|block| block.number == cursor.block.get())
        .unwrap();
    assert_eq!(cursor.hash, BlockHash::new(last.hash));
    let stored: Vec<_> = database.content().await.operations;
    let published: Vec<_> = blocks
        .iter()
        .filter(|block| block.number.get() <= cursor.block.get())
        .flat_map(|block| &block.transactions)
        .flat_map(|transaction| &transaction.operations)
        .map(|operation| operation.bytes.clone())
        .collect();
    let bytes: Vec<_> = stored.iter().map(|record| record.operation.bytes.clone()).collect();
    assert_eq!(bytes, published);
    relay.roll_back_to(early[0].number.get());
    for block in &blocks[1..] {
        publish(&relay, 2, block);
    }
    let outcome = node.end();
    outcome.refused(1, &[&format!("{}.{}", cursor.slot, cursor.hash), &relay.address()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_of_another_network_ends_the_node_with_both_magics() {
    let database = Database::sqlite();
    let relay = MockRelay::start(MAGIC).await;
    run(indexer(&database, &relay, &["--network", "preprod"])).refused(1, &["magic 1", "42", "--network"]);
}

#[test]
fn flags_of_a_relay_that_are_missing_or_wrong_are_usage_errors() {
    for (arguments, texts) in [
        (
            &["--network", "custom", "--cardano-relay", "a:1"][..],
            &["--cardano-network-magic"][..],
        ),
        (&["--cardano-relay", "a"], &["HOST:PORT"]),
        (&["--network", "preview"], &["required"]),
        (&["--cardano-relay", "a:1", "--start-point", "5"], &["SLOT.HASH"]),
        (&["--cardano-relay", "a:1", "--follow"], &["--follow", "file"]),
    ] {
        let database = Database::sqlite();
        let command = [&["indexer", "--dlt-source", "relay"], arguments].concat();
        run(database.node(&command)).refused(2, texts);
    }
}

/// A chain has no end, and yet a node that is to end with it does, as often as it is asked to.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_to_exit_when_synced_does() {
    let database = Database::sqlite();
    let relay = MockRelay::start(MAGIC).await;
    for (block, number) in blocks(1, 20).iter().zip(1..) {
        publish(&relay, 1, block);
        if number % 10 == 0 {
            for _ in 0..2 {
                let outcome = run(indexer(
                    &database,
                    &relay,
                    &[&CUSTOM[..], &["--exit-when-synced"]].concat(),
                ));
                assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
                let status = database.status();
                assert_eq!(status["cursor"]["block_number"], number - 2);
                assert_eq!(status["watermark"], status["last_position"]);
            }
        }
    }
}

/// A node that was ended goes on where it stood.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_ended_goes_on() {
    let Some(database) = Database::fresh(DbBackend::Sqlite).await else {
        return;
    };
    let relay = MockRelay::start(MAGIC).await;
    let blocks = blocks(1, 40);
    for (index, block) in blocks.iter().enumerate() {
        publish(&relay, 1, block);
        if index % 13 == 12 {
            let node = Running::start(indexer(&database, &relay, &CUSTOM));
            node.wait_for("writing");
            database.wait_for_block(block.number.get() - 2);
            node.signal(Signal::TERM);
            assert_eq!(node.end().code, Some(0));
        }
    }
    let positions = database.content().await.positions();
    assert!(positions.is_sorted() && positions.last().unwrap().block.get() >= blocks[35].number.get());
}
