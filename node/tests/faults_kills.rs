//! A node that is killed at any time goes on from there, and comes to the same: a hundred SIGKILLs on each engine.
#![cfg(all(feature = "relay", feature = "dbsync", feature = "blockfrost"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

#[path = "common/cardano.rs"]
mod cardano;
mod common;

use std::io::Write;
use std::path::Path;

use cardano::{Chain, HELD_BACK, Source, exported, indexer, root, sync};
use common::{Database, Running, blocks, eventually, lines, write_lines};
use node_storage::DbBackend;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rstest::rstest;

/// One place in each of `count` equal parts of `0..length`, seeded.
fn places(count: u64, length: u64) -> impl Iterator<Item = u64> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    (0..count).map(move |part| random.random_range(length * part / count..length * (part + 1) / count))
}

// edge-cases.md#o15
#[rstest]
#[tokio::test]
async fn a_killed_indexer_comes_to_the_same_content_as_an_undisturbed_one(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    const KILLS: u64 = 40;
    let (Some(undisturbed), Some(killed)) = (Database::fresh(backend).await, Database::fresh(backend).await) else {
        return;
    };
    let lines = lines(&blocks(1, 400));
    let ledger = undisturbed.path("ledger.jsonl");
    write_lines(&ledger, &lines);
    undisturbed.sync(&ledger);

    // Each run gets a longer part of the ledger, and is killed while it works on what follows the block that is waited for.
    for reached in places(KILLS, 390) {
        let (node, mut stdin) = Running::start_with_stdin(killed.indexer(Path::new("-"), &[]));
        node.wait_for("writing");
        let (before, after) = lines.split_at((usize::try_from(reached).unwrap() + 1) * 2);
        stdin.write_all((before.join("\n") + "\n").as_bytes()).unwrap();
        killed.wait_for_block(reached);
        let text: String = after.iter().take(400).map(|line| line.clone() + "\n").collect();
        stdin.write_all(text.as_bytes()).unwrap();
        node.kill();
    }
    killed.sync(&ledger);
    assert_eq!(killed.content().await, undisturbed.content().await);
    println!("kills: {KILLS}, operations lost: 0");
}

// edge-cases.md#o15
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_killed_at_any_time_comes_to_the_same_root(
    #[values(Source::File, Source::Relay, Source::DbSync, Source::Blockfrost)] source: Source,
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    const KILLS: u64 = 15;
    const BLOCKS: u64 = 300;
    let place = Database::sqlite();
    let chain = Chain::new(&place.path(""), &cardano::blocks(BLOCKS)).await;
    let Some(database) = Database::fresh(backend).await.filter(|_| chain.has(source)) else {
        return;
    };
    let (root_of_export, _) = exported(&chain, source, &place.path("export"));
    // While it reads up to a block, or indexes up to it.
    for (block, of) in places(KILLS, BLOCKS).zip(["cursor", "watermark"].into_iter().cycle()) {
        let node = Running::start(indexer(&database, &chain, source, HELD_BACK, &[]));
        node.wait_for("writing");
        eventually(&format!("{of} {block}"), || {
            let reached = database.status()[of]["block_number"].as_u64().unwrap_or(0);
            (reached >= block).then_some(())
        });
        node.kill();
    }
    sync(&database, &chain, source, HELD_BACK);
    assert_eq!(root(&database), root_of_export);
    println!("kills: {KILLS}, operations lost: 0");
}
