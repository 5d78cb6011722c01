//! The same chain through every source: one content, whatever happens on the way.
#![cfg(all(feature = "relay", feature = "dbsync", feature = "blockfrost"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

#[path = "common/cardano.rs"]
mod cardano;
mod common;

use std::sync::Arc;

use cardano::{Chain, HELD_BACK, Source, blocks, exported, indexer, root, sync};
use common::{Database, Running};
use did_prism::ledger::PublishedBlock;
use node_storage::DbBackend;
use prism_fixtures::{LedgerShape, block_of, ledger, transaction};
use rstest::rstest;
use tokio::task::JoinSet;

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
