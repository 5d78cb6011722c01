//! The same chain through every source: one content, whatever happens on the way.
#![cfg(all(feature = "relay", feature = "dbsync", feature = "blockfrost"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

#[path = "common/cardano.rs"]
mod cardano;
mod common;

use std::process::Command;
use std::sync::Arc;

use cardano::{Chain, Source};
use common::{Database, Running, eventually, run};
use did_prism::ledger::PublishedBlock;
use node_storage::DbBackend;
use prism_fixtures::{LedgerShape, block_of, ledger, transaction};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rstest::rstest;
use tokio::task::JoinSet;

/// How many of the highest blocks are held back where that is not what is tested.
const HELD_BACK: &str = "2";

/// Blocks of 20 operations in two transactions, every kind of them, with a block without operations before each 10th. The
/// operations of a small ledger are published again and again, since making them costs more than reading them.
fn blocks(count: u64) -> Vec<PublishedBlock> {
    let shape = LedgerShape {
        blocks: 40,
        operations_per_transaction: 10,
        undecodable: false,
        ..LedgerShape::small(7)
    };
    let made: Vec<_> = ledger(&shape).collect();
    let with_operations = made.iter().cycle().take(usize::try_from(count).unwrap());
    let mut number = 0;
    let mut blocks = Vec::new();
    for (block, index) in with_operations.zip(1_u64..) {
        if index.is_multiple_of(10) {
            number += 1;
            blocks.push(block_of(7, number, number * 20, Vec::new()));
        }
        number += 1;
        blocks.push(block_of(7, number, number * 20, block.transactions.clone()));
    }
    blocks
}

fn indexer(database: &Database, chain: &Chain, source: Source, confirmations: &str, arguments: &[&str]) -> Command {
    let mut command = database.node(&["indexer", "--port", "0", "--confirmation-blocks", confirmations]);
    command
        .args(chain.flags(source))
        .args(arguments)
        .env("NO_PROXY", "127.0.0.1");
    command
}

/// Reads the chain to its end, which has to work.
fn sync(database: &Database, chain: &Chain, source: Source, confirmations: &str) {
    let outcome = run(indexer(database, chain, source, confirmations, &["--exit-when-synced"]));
    assert_eq!(outcome.code, Some(0), "{source:?}: {}", outcome.stderr);
}

/// The root of what the database holds.
fn root(database: &Database) -> String {
    let outcome = run(database.node(&["db", "status", "--root", "--json", "--network", "custom"]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let status: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(status["watermark"], status["last_position"], "everything is indexed");
    status["root"].as_str().unwrap().to_owned()
}

/// The root of what an export through this source holds, and how many operations that are.
fn exported(chain: &Chain, source: Source, output: &std::path::Path) -> (String, u64) {
    let mut command = chain.export(source, output);
    let outcome = run_with(&mut command, &["--confirmation-blocks", HELD_BACK]);
    assert_eq!(outcome.code, Some(0), "{source:?}: {}", outcome.stderr);
    let told: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    (
        told["root"].as_str().unwrap().to_owned(),
        told["operations"].as_u64().unwrap(),
    )
}

fn run_with(command: &mut Command, arguments: &[&str]) -> common::Outcome {
    command.args(arguments);
    run(std::mem::replace(command, Command::new("true")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_of_five_eras_has_one_root_through_every_source_on_every_engine() {
    let place = Database::sqlite();
    let chain = Arc::new(Chain::new(&place.path(""), &blocks(1_005)).await);
    let mut reading = JoinSet::new();
    for source in Source::ALL.into_iter().filter(|source| chain.has(*source)) {
        let mut databases = Vec::new();
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            databases.extend(Database::fresh(backend).await);
        }
        let (chain, output) = (Arc::clone(&chain), place.path(&format!("{source:?}")));
        reading.spawn_blocking(move || {
            let (root_of_export, operations) = exported(&chain, source, &output);
            assert!(operations >= 20_000, "{operations}");
            let mut roots = vec![(source, "export".to_owned(), root_of_export)];
            for database in databases {
                sync(&database, &chain, source, HELD_BACK);
                roots.push((source, database.backend.to_string(), root(&database)));
            }
            roots
        });
    }
    let roots = reading.join_all().await.concat();
    let (_, _, first) = &roots[0];
    assert!(roots.iter().all(|(_, _, root)| root == first), "{roots:#?}");
}

/// A seeded place in the work of a node: reading up to a block, or indexing up to it.
fn wait_for_place(database: &Database, random: &mut ChaCha8Rng, highest: u64) {
    let block = random.random_range(0..highest);
    let of = ["cursor", "watermark"][random.random_range(0..2_usize)];
    eventually(&format!("{of} {block}"), || {
        let reached = database.status()[of]["block_number"].as_u64().unwrap_or(0);
        (reached >= block).then_some(())
    });
}

// edge-cases.md#o15
#[rstest]
#[case(Source::File, DbBackend::Sqlite)]
#[case(Source::Relay, DbBackend::Postgres)]
#[case(Source::DbSync, DbBackend::Sqlite)]
#[case(Source::Blockfrost, DbBackend::Postgres)]
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_at_any_time_comes_to_the_same_root(#[case] source: Source, #[case] backend: DbBackend) {
    let place = Database::sqlite();
    let chain = Chain::new(&place.path(""), &blocks(300)).await;
    let Some(database) = Database::fresh(backend).await.filter(|_| chain.has(source)) else {
        return;
    };
    let (root_of_export, _) = exported(&chain, source, &place.path("export"));
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..4 {
        let node = Running::start(indexer(&database, &chain, source, HELD_BACK, &[]));
        node.wait_for("writing");
        wait_for_place(&database, &mut random, 320);
        node.kill();
    }
    sync(&database, &chain, source, HELD_BACK);
    assert_eq!(root(&database), root_of_export);
}

/// Blocks from one number to another, of which each fifth has operations that follow from the seed.
fn sparse(seed: u64, from: u64, to: u64) -> Vec<PublishedBlock> {
    let shape = LedgerShape {
        blocks: 1,
        undecodable: false,
        ..LedgerShape::small(seed)
    };
    let made = ledger(&shape).next().unwrap();
    let operations: Vec<Vec<u8>> = made.transactions[0]
        .operations
        .iter()
        .map(|one| one.bytes.as_slice().to_vec())
        .collect();
    (from..=to)
        .map(|number| {
            let published = number
                .is_multiple_of(5)
                .then(|| transaction(seed, number, 1, operations.clone()));
            block_of(seed, number, number * 20 + seed, published.into_iter().collect())
        })
        .collect()
}

#[rstest]
#[case(Source::Relay)]
#[case(Source::DbSync)]
#[case(Source::Blockfrost)]
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_leaves_no_trace_within_what_is_held_back_and_ends_the_node_beyond(#[case] source: Source) {
    let (database, fresh) = (Database::sqlite(), Database::sqlite());
    let chain = Chain::new(&database.path(""), &sparse(1, 1, 300)).await;
    if !chain.has(source) {
        return;
    }
    let node = Running::start(indexer(&database, &chain, source, "112", &[]));
    node.wait_for("writing");
    database.wait_for_block(300 - 112);
    chain.change_above(200, &sparse(2, 201, 340)).await;
    database.wait_for_block(340 - 112);
    sync(&fresh, &chain, source, "112");
    assert_eq!(
        root(&database),
        root(&fresh),
        "the blocks that were rolled back are in no database"
    );

    let cursor = database.content().await.cursor.unwrap();
    assert_eq!(cursor.block.get(), 340 - 112);
    chain.change_above(140, &sparse(3, 141, 360)).await;
    // A relay says where it went back to, the others what stands at the cursor now.
    let of_chain = chain.hash_of(if source == Source::Relay { 140 } else { 340 - 112 });
    let outcome = node.end();
    outcome.refused(1, &[&cursor.hash.to_string(), &of_chain]);
    assert_eq!(root(&database), root(&fresh), "what was stored stays");
}
