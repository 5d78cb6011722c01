//! A node that reads a Blockfrost.
#![cfg(feature = "blockfrost")]

mod common;

use std::fs;
use std::process::Command;

use common::{Database, Running, Signal, blocks, run};
use did_prism::envelope::{encode_metadata, encode_object};
use mock_blockfrost::{Answer, Metadata, MockBlock, MockBlockfrost, MockTransaction};
use node_storage::contract::PublishedBlock;

const MAGIC: u64 = 42;
const KEY: &str = "customSecretOfNobody";

/// `indexer` of this Blockfrost, with a log of everything that there is to log.
fn indexer(database: &Database, url: &str, arguments: &[&str]) -> Command {
    let mut command = database.node(&["indexer", "--port", "0", "--dlt-source", "blockfrost"]);
    command.args(["--network", "custom", "--confirmation-blocks", "2"]);
    command.args(["--blockfrost-base-url", url]).args(arguments);
    command.env("RUST_LOG", "trace").env("NO_PROXY", "127.0.0.1");
    command
}

fn publish(mock: &MockBlockfrost, blocks: &[PublishedBlock]) {
    let blocks = blocks.iter().map(|block| MockBlock {
        number: block.number.get(),
        slot: block.slot.get(),
        hash: *block.hash.as_bytes(),
        time: block.time.unix_micros().div_euclid(1_000_000),
        transactions: block
            .transactions
            .iter()
            .map(|transaction| {
                let operations = transaction.operations.iter().map(|one| one.bytes.as_slice().to_vec());
                let object = encode_object(&operations.collect::<Vec<_>>());
                MockTransaction {
                    id: *transaction.id.as_bytes(),
                    index: transaction.absn.get().into(),
                    is_valid: true,
                    metadata: Metadata::Both(encode_metadata(&object)),
                }
            })
            .collect(),
    });
    mock.chain(|chain| chain.blocks.extend(blocks));
}

/// The node follows the chain, goes on where it stood, and stops where the chain contradicts what it has stored. Nothing that it
/// writes shows the key.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_follows_a_blockfrost_and_goes_on_after_it_was_ended() {
    let database = Database::sqlite();
    let mock = MockBlockfrost::start(MAGIC, Some(KEY)).await;
    let blocks = blocks(1, 30);
    let (early, late) = blocks.split_at(20);
    let highest = |blocks: &[PublishedBlock]| blocks.last().unwrap().number.get() - 2;
    let key_file = database.path("key");
    fs::write(&key_file, format!("{KEY}\n")).unwrap();
    let key_file = key_file.display().to_string();
    let arguments = [
        "--blockfrost-api-key-file",
        &key_file,
        "--blockfrost-poll-interval",
        "100ms",
    ];
    publish(&mock, early);
    let node = Running::start(indexer(&database, &mock.url(), &arguments));
    node.wait_for("writing");
    database.wait_for_block(highest(early));
    node.signal(Signal::TERM);
    let outcome = node.end();
    assert_eq!(outcome.code, Some(0));
    assert!(!outcome.stderr.contains(KEY));

    publish(&mock, late);
    let mut command = indexer(&database, &mock.url(), &["--blockfrost-poll-interval", "100ms"]);
    command.env("NPRISM_BLOCKFROST_API_KEY", KEY);
    let node = Running::start(command);
    database.wait_for_block(highest(&blocks));
    let cursor = database.content().await.cursor.unwrap();
    let published: Vec<_> = blocks
        .iter()
        .filter(|block| block.number <= cursor.block)
        .flat_map(|block| &block.transactions)
        .flat_map(|transaction| &transaction.operations)
        .map(|operation| operation.bytes.clone())
        .collect();
    let stored = database.content().await.operations;
    let bytes: Vec<_> = stored.iter().map(|record| record.operation.bytes.clone()).collect();
    assert_eq!(bytes, published);

    // A rollback that is deeper than what is held back.
    let other = common::blocks(2, 40);
    mock.chain(|chain| chain.blocks.clear());
    publish(&mock, &other);
    let outcome = node.end();
    outcome.refused(1, &[&cursor.hash.to_string(), "127.0.0.1"]);
    assert!(!outcome.stderr.contains(KEY));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_has_to_mend_ends_the_node_with_one_sentence() {
    let mock = MockBlockfrost::start(MAGIC, Some("customAnother")).await;
    publish(&mock, &blocks(1, 5));
    let database = Database::sqlite();
    let missing = database.path("missing").display().to_string();
    let key = ["--blockfrost-api-key", KEY];
    for (url, arguments, texts) in [
        (
            mock.url(),
            &key[..],
            &["refuses the key", "403", "--blockfrost-api-key"][..],
        ),
        (mock.url(), &[], &["asks for a key", "--blockfrost-api-key-file"]),
        (
            mock.url(),
            &["--blockfrost-api-key-file", &missing],
            &[&missing, "No such file"],
        ),
    ] {
        let outcome = run(indexer(&database, &url, arguments));
        outcome.refused(1, texts);
        assert!(!outcome.stderr.contains(KEY), "{}", outcome.stderr);
    }
    mock.answer("genesis", 1, Answer::text(200, r#"{"network_magic": 1}"#));
    let outcome = run(indexer(
        &database,
        &mock.url(),
        &["--blockfrost-api-key", "customAnother"],
    ));
    outcome.refused(1, &["magic 1,", "--network is custom"]);
}

/// It may come up after the node, or be named wrongly: the node says so and waits.
#[test]
fn blockfrost_that_can_not_be_reached_is_told_and_waited_for() {
    for (url, text) in [
        (
            format!("http://reader:{KEY}@127.0.0.1:1"),
            "Blockfrost at http://127.0.0.1:1 ",
        ),
        ("http://nobody.invalid".to_owned(), "nobody.invalid"),
    ] {
        let database = Database::sqlite();
        let node = Running::start(indexer(&database, &url, &["--blockfrost-api-key", KEY]));
        node.wait_for("opening the ledger has to wait and tries again");
        node.signal(Signal::TERM);
        let outcome = node.end();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let warning = outcome
            .stderr
            .lines()
            .find(|line| line.contains("has to wait"))
            .unwrap();
        assert!(
            warning.contains(text) && warning.contains("--blockfrost-base-url"),
            "{warning}"
        );
        assert!(!outcome.stderr.contains(KEY), "{}", outcome.stderr);
    }
}

#[test]
fn flags_of_blockfrost_that_are_missing_or_wrong_are_usage_errors() {
    let key = ["--blockfrost-api-key", KEY];
    for (arguments, texts) in [
        (&["--network", "preview"][..], &["--blockfrost-api-key-file"][..]),
        (&["--network", "custom"], &["--blockfrost-base-url"]),
        (&["--blockfrost-concurrency", "0"], &["1 to 64"]),
        (&["--blockfrost-poll-interval", "5"], &["10s"]),
        (
            &["--blockfrost-base-url", "ftp://u:hidden@host"],
            &["--blockfrost-base-url"],
        ),
        (&["--blockfrost-api-key-file", "x"], &["--blockfrost-api-key"]),
        (&["--follow"], &["--follow", "file"]),
    ] {
        let database = Database::sqlite();
        let mut command = vec!["indexer", "--dlt-source", "blockfrost"];
        command.extend(arguments);
        if arguments[0] != "--network" {
            command.extend(key);
        }
        let outcome = run(database.node(&command));
        outcome.refused(2, texts);
        assert!(
            !outcome.stderr.contains(KEY) && !outcome.stderr.contains("hidden"),
            "{}",
            outcome.stderr
        );
    }
}

/// `--help` names the variable of the key, and not what is in it.
#[test]
fn help_does_not_show_the_key() {
    let mut command = common::node(&["indexer", "--help"]);
    command
        .env("NPRISM_BLOCKFROST_API_KEY", KEY)
        .env("NPRISM_BLOCKFROST_BASE_URL", format!("http://u:{KEY}@host"));
    let outcome = run(command);
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stdout.contains("NPRISM_BLOCKFROST_API_KEY") && !outcome.stdout.contains(KEY));
}
