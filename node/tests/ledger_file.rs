//! What becomes of a ledger file.

mod common;

use std::io::Write;
use std::path::Path;

use common::{Database, Running, Signal, append, blocks, changed, lines, run, write_lines};
use node_storage::DbBackend;
use prism_fixtures::{LedgerShape, ledger, transaction};
use rstest::rstest;

// edge-cases.md#o12
#[rstest]
#[tokio::test]
async fn syncing_the_same_file_again_changes_nothing(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    let ledger = database.path("ledger.jsonl");
    let blocks = blocks(1, 30);
    write_lines(&ledger, &lines(&blocks));
    database.sync(&ledger);
    let once = database.content().await;
    let published: usize = blocks
        .iter()
        .flat_map(|block| &block.transactions)
        .map(|transaction| transaction.operations.len())
        .sum();
    assert_eq!(once.operations.len(), published);
    assert!(once.state.is_complete() && !once.listed.is_empty());
    assert!(once.operations.iter().all(|record| record.indexing.is_some()));
    database.sync(&ledger);
    assert_eq!(database.content().await, once);
}

#[tokio::test]
async fn a_line_that_is_wrong_stops_before_its_block_and_complete_blocks_stay() {
    let lines = lines(&blocks(1, 4));
    // Two lines a block: line 5 begins block 3, line 6 belongs to it.
    for (number, member, value, field) in [
        (5, "network", "mainnet".into(), "network"),
        (5, "block_hash", "xyz".into(), "block_hash"),
        (5, "slot", 1.into(), "slot"),
        (5, "slot", (1_u64 << 63).into(), "slot"),
        (5, "cbt", "2022".into(), "cbt"),
        (5, "metadata_cbor", "abc".into(), "metadata_cbor"),
        (6, "block_number", 2.into(), "block_number"),
        (6, "absn", 0.into(), "absn"),
        (6, "block_hash", "ab".repeat(32).into(), "block_hash"),
        (6, "slot", 9_999.into(), "slot"),
        (6, "cbt", "2000-01-01T00:00:00Z".into(), "cbt"),
    ] {
        let database = Database::sqlite();
        let ledger = database.path("ledger.jsonl");
        let mut wrong = lines.clone();
        let index: usize = number - 1;
        wrong[index] = changed(&lines[index], member, value);
        write_lines(&ledger, &wrong);
        let at = format!("ledger.jsonl, line {number}, field {field}");
        run(database.indexer(&ledger, &["--exit-when-synced"])).refused(1, &[&at]);
        assert_eq!(database.content().await.blocks(), [1, 2], "{at}");
        write_lines(&ledger, &lines);
        database.sync(&ledger);
        assert_eq!(database.content().await.blocks(), [1, 2, 3, 4], "{at}");
    }
}

#[tokio::test]
async fn a_line_that_could_belong_to_the_block_before_it_keeps_that_from_being_stored() {
    let lines = lines(&blocks(1, 3));
    for wrong in ["{", "", "[]", r#"{"network":"custom"}"#] {
        let database = Database::sqlite();
        let ledger = database.path("ledger.jsonl");
        write_lines(&ledger, &[lines[..4].to_vec(), vec![wrong.to_owned()]].concat());
        run(database.indexer(&ledger, &["--exit-when-synced"])).refused(1, &["ledger.jsonl, line 5"]);
        assert_eq!(database.content().await.blocks(), [1], "{wrong}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let database = Database::sqlite();
    let missing = database.path("missing.jsonl");
    run(database.indexer(&missing, &["--exit-when-synced"])).refused(1, &["missing.jsonl"]);
}

#[rstest]
#[tokio::test]
async fn a_ledger_that_contradicts_what_is_stored_is_refused_and_changes_nothing(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    let path = database.path("ledger.jsonl");
    let original = blocks(1, 3);
    write_lines(&path, &lines(&original));
    database.sync(&path);
    let stored = database.content().await;

    let mut other_hash_below = original.clone();
    other_hash_below[0].hash = prism_fixtures::block_hash(2, 1);
    let mut other_hash_at_the_cursor = original.clone();
    other_hash_at_the_cursor[2].hash = prism_fixtures::block_hash(2, 3);
    let mut grown = original.clone();
    let operations = vec![grown[0].transactions[0].operations[0].bytes.as_slice().to_vec()];
    grown[2].transactions.push(transaction(9, 3, 99, operations));
    let mut shrunk = original.clone();
    shrunk[2].transactions.pop();
    for (ledger, at) in [
        (other_hash_below, "block 1"),
        (other_hash_at_the_cursor, "block 3"),
        (grown, "block 3"),
        (shrunk, "block 3"),
    ] {
        write_lines(&path, &lines(&ledger));
        run(database.indexer(&path, &["--exit-when-synced"])).refused(1, &[at, "another database"]);
        assert_eq!(database.content().await, stored);
    }
}

// edge-cases.md#e8, edge-cases.md#o14
#[tokio::test]
async fn malformed_prism_metadata_is_told_and_passed_over_and_the_cursor_moves() {
    let database = Database::sqlite();
    let ledger = database.path("ledger.jsonl");
    let lines = lines(&blocks(1, 3));
    // Block 3: an entry that is no map, and a transaction without an entry for PRISM.
    let unreadable = changed(&lines[4], "metadata_cbor", "a119534d05".into());
    let of_others = changed(&lines[5], "metadata_cbor", "a10105".into());
    write_lines(&ledger, &[lines[..4].to_vec(), vec![unreadable, of_others]].concat());
    let outcome = run(database.indexer(&ledger, &["--exit-when-synced"]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("line 5, field metadata_cbor"),
        "{}",
        outcome.stderr
    );
    let content = database.content().await;
    assert_eq!(content.blocks(), [1, 2]);
    assert_eq!(content.cursor.unwrap().block.get(), 3);
}

// edge-cases.md#o17, edge-cases.md#o18
#[tokio::test]
async fn the_last_block_numbers_are_held_back_until_they_are_confirmed() {
    let database = Database::sqlite();
    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks(1, 10)));
    for (confirmations, highest) in [("20", None), ("3", Some(7)), ("0", Some(10))] {
        let arguments = ["--exit-when-synced", "--confirmation-blocks", confirmations];
        assert_eq!(run(database.indexer(&ledger, &arguments)).code, Some(0));
        assert_eq!(database.content().await.blocks().last().copied(), highest);
    }
}

#[tokio::test]
async fn standard_input_is_read_to_its_end() {
    let from_file = Database::sqlite();
    let ledger = from_file.path("ledger.jsonl");
    let lines = lines(&blocks(1, 20));
    write_lines(&ledger, &lines);
    from_file.sync(&ledger);

    let piped = Database::sqlite();
    let (node, mut stdin) = Running::start_with_stdin(piped.indexer(Path::new("-"), &["--exit-when-synced"]));
    // The last line may do without a line break.
    stdin.write_all(lines.join("\n").as_bytes()).unwrap();
    drop(stdin);
    let outcome = node.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(piped.content().await, from_file.content().await);
}

#[tokio::test]
async fn what_comes_through_a_pipe_is_stored_before_the_pipe_is_closed() {
    let database = Database::sqlite();
    let lines = lines(&blocks(1, 3));
    let (node, mut stdin) = Running::start_with_stdin(database.indexer(Path::new("-"), &[]));
    stdin.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
    node.wait_for("writing");
    // Block 3 could still grow.
    database.wait_for_block(2);
    node.signal(Signal::TERM);
    assert_eq!(node.end().code, Some(0));
    assert_eq!(database.content().await.blocks(), [1, 2]);
}

#[rstest]
#[tokio::test]
async fn a_file_that_grows_is_followed(#[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend) {
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    let ledger = database.path("ledger.jsonl");
    let lines = lines(&blocks(1, 4));
    write_lines(&ledger, &lines[..2]);
    let node = Running::start(database.indexer(&ledger, &["--follow"]));
    node.wait_for("writing");
    append(&ledger, &(lines[2].clone() + "\n"));
    database.wait_for_block(1);
    // A line counts once its line break is there.
    let (half, rest) = lines[4].split_at(100);
    append(&ledger, &(lines[3].clone() + "\n" + half));
    append(&ledger, &(rest.to_owned() + "\n"));
    database.wait_for_block(2);
    assert_eq!(database.content().await.blocks(), [1, 2], "block 3 may still grow");
    node.signal(Signal::INT);
    assert_eq!(node.end().code, Some(0));
}

#[test]
fn a_followed_file_that_is_cut_short_is_an_error() {
    let database = Database::sqlite();
    let ledger = database.path("ledger.jsonl");
    let lines = lines(&blocks(1, 3));
    write_lines(&ledger, &lines);
    let node = Running::start(database.indexer(&ledger, &["--follow"]));
    node.wait_for("writing");
    database.wait_for_block(2);
    write_lines(&ledger, &lines[..1]);
    node.end().refused(1, &["ledger.jsonl", "truncated"]);
}

// edge-cases.md#o17
#[tokio::test]
async fn a_ledger_of_many_batches_is_indexed_as_in_one() {
    let shape = LedgerShape {
        blocks: 60,
        transactions_per_block: 2,
        operations_per_transaction: 40,
        undecodable: false,
        ..LedgerShape::small(5)
    };
    let database = Database::sqlite();
    let path = database.path("ledger.jsonl");
    write_lines(&path, &lines(&ledger(&shape).collect::<Vec<_>>()));
    database.sync(&path);
    let content = database.content().await;
    assert_eq!(content.operations.len(), 4_800);
    assert!(content.state.is_complete());
}
