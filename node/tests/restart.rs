//! A node that ends at any point goes on from there, and comes to the same.

mod common;

use std::io::Write;
use std::path::Path;

use common::{Database, Running, Signal, append, blocks, lines, write_lines};
use node_storage::DbBackend;
use rstest::rstest;

// edge-cases.md#o19
#[rstest]
#[tokio::test]
async fn a_signal_ends_an_indexer_with_0_and_a_cursor_that_is_right(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    let blocks = blocks(1, 300);
    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks));
    for signal in [Signal::TERM, Signal::INT] {
        let node = Running::start(database.indexer(&ledger, &[]));
        node.wait_for("writing");
        node.signal(signal);
        let outcome = node.end();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let content = database.content().await;
        let cursor = content.cursor.map(|cursor| cursor.block.get());
        assert_eq!(
            content.blocks().last().copied(),
            cursor,
            "blocks and cursor go together"
        );
    }
}

/// A database goes back under a node where a replica that lagged is promoted, or a snapshot is restored.
#[rstest]
#[tokio::test]
async fn a_database_that_goes_back_under_a_living_node_loses_nothing(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let (Some(undisturbed), Some(database)) = (Database::fresh(backend).await, Database::fresh(backend).await) else {
        return;
    };
    let lines = lines(&blocks(1, 120));
    let whole = undisturbed.path("whole.jsonl");
    write_lines(&whole, &lines);
    undisturbed.sync(&whole);

    let ledger = database.path("ledger.jsonl");
    let (first, rest) = lines.split_at(160);
    write_lines(&ledger, first);
    let node = Running::start(database.indexer(&ledger, &["--follow"]));
    node.wait_for("writing");
    database.wait_for_block(78);
    database.go_back_to(40).await;
    assert_eq!(database.status()["cursor"]["block_number"].as_u64(), Some(40));
    append(&ledger, &(rest.join("\n") + "\n"));
    database.wait_for_block(118);
    node.signal(Signal::TERM);
    let outcome = node.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        outcome
            .stderr
            .contains("reading the ledger again from the stored cursor"),
        "{}",
        outcome.stderr
    );
    database.sync(&ledger);
    assert_eq!(database.content().await, undisturbed.content().await);
}

/// What standard input gave is gone, so that a node that reads it can't go back with the database.
#[rstest]
#[tokio::test]
async fn a_node_that_reads_standard_input_ends_where_the_database_goes_back(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    let lines = lines(&blocks(1, 60));
    let (first, rest) = lines.split_at(80);
    let (node, mut stdin) = Running::start_with_stdin(database.indexer(Path::new("-"), &[]));
    node.wait_for("writing");
    stdin.write_all((first.join("\n") + "\n").as_bytes()).unwrap();
    database.wait_for_block(38);
    database.go_back_to(20).await;
    stdin.write_all((rest.join("\n") + "\n").as_bytes()).unwrap();
    let outcome = node.end();
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("can't be read again from slot"),
        "{}",
        outcome.stderr
    );
    assert_eq!(database.status()["cursor"]["block_number"].as_u64(), Some(20));
}
