//! `db check` and `db optimize`, on both engines and on damaged files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use common::{Database, blocks, lines, node, run, write_lines};
use node_storage::contract::{Access, IndexOutcome, Network, PageLimit, Result, StorageError};
use node_storage::{
    DbBackend, DbBackendConfig, DltCursorRepo, IndexedOperationRepo, IndexerStateRepo, NodeStorageBackend,
    RawOperationRepo,
};
use rstest::rstest;
use serde_json::Value;
use sqlx::Connection as _;

const CUSTOM: [&str; 2] = ["--network", "custom"];

/// A database that was synced to the end of a ledger.
async fn synced(backend: DbBackend) -> Option<Database> {
    let database = Database::fresh(backend).await?;
    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks(5, 10)));
    database.sync(&ledger);
    Some(database)
}

/// Exit code, findings, and the last line, which says what was checked.
fn check(database: &Database, arguments: &[&str]) -> (Option<i32>, Vec<Value>, Value) {
    let mut command = database.node(&["db", "check", "--json"]);
    command.args(CUSTOM).args(arguments);
    let outcome = run(command);
    let mut found: Vec<Value> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let summary = found.pop().unwrap_or_else(|| panic!("{}", outcome.stderr));
    (outcome.code, found, summary)
}

async fn execute(database: &Database, text: &'static str) {
    match database.backend {
        DbBackend::Sqlite => {
            let mut connection = sqlx::SqliteConnection::connect(&database.url).await.unwrap();
            sqlx::raw_sql(text).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        DbBackend::Postgres => {
            let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
            sqlx::raw_sql(text).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn a_clean_database_is_found_clean_and_optimized_beside_its_readers(#[case] backend: DbBackend) {
    let Some(database) = synced(backend).await else { return };
    let archive = database.path("clean.prism");
    let mut backup = database.node(&["backup", "--output", archive.to_str().unwrap()]);
    backup.args(CUSTOM);
    assert_eq!(run(backup).code, Some(0));
    let reader = database.store().await;
    let before = common::Content::read(&reader).await;
    for optimize in [&["db", "optimize"][..], &["db", "optimize", "--rewrite"]] {
        let mut command = database.node(optimize);
        command.args(CUSTOM);
        let outcome = run(command);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(outcome.stdout.contains("ANALYZE"), "{}", outcome.stdout);
        assert_eq!(common::Content::read(&reader).await, before);
    }
    let (code, findings, summary) = check(&database, &["--archive", archive.to_str().unwrap()]);
    assert_eq!((code, findings), (Some(0), vec![]), "{summary}");
    let operations = before.operations.len();
    assert_eq!(summary["operations"], operations);
    assert_eq!(summary["index_entries"], operations);
    assert_eq!(summary["listed_dids"], before.listed.len());
}

#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn what_is_wrong_in_the_index_is_named_and_made_anew(#[case] backend: DbBackend) {
    let Some(database) = synced(backend).await else { return };
    let before = database.content().await;
    for (change, part) in [
        (
            "UPDATE indexed_operation SET lists_did = NOT lists_did WHERE kind = 'did'",
            "index",
        ),
        ("DELETE FROM listed_did", "index"),
        (
            "DELETE FROM listed_did; DELETE FROM indexed_operation WHERE block_number >= 8",
            "index",
        ),
        (
            "UPDATE indexer_watermark SET (block_number, absn, osn) = \
             (SELECT block_number, absn, osn FROM raw_operation ORDER BY 1, 2, 3 LIMIT 1)",
            "index",
        ),
    ] {
        execute(&database, change).await;
        let (code, findings, _) = check(&database, &[]);
        assert_eq!(code, Some(3), "{change}");
        assert!(
            findings.iter().any(|finding| finding["part"] == part),
            "{change}: {findings:?}"
        );
        let (code, named, summary) = check(&database, &["--repair"]);
        assert_eq!(code, Some(0), "{change}: {named:?}");
        assert_eq!(summary["index_was_made_anew"], true);
        assert_eq!(database.content().await, before, "{change}");
    }
}

#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn what_is_wrong_with_the_operations_is_named_and_never_changed(#[case] backend: DbBackend) {
    let Some(database) = synced(backend).await else { return };
    let archive = database.path("before.prism");
    let mut backup = database.node(&["backup", "--output", archive.to_str().unwrap()]);
    backup.args(CUSTOM);
    assert_eq!(run(backup).code, Some(0));
    // What stands once and follows from nothing is seen beside an archive alone.
    execute(
        &database,
        "UPDATE block SET block_time = block_time + 1 WHERE block_number = 3",
    )
    .await;
    assert_eq!(check(&database, &[]).0, Some(0));
    let (code, findings, _) = check(&database, &["--archive", archive.to_str().unwrap()]);
    assert_eq!(code, Some(3));
    assert!(!findings.is_empty() && findings.iter().all(|finding| finding["part"] == "archive"));

    let change = match backend {
        DbBackend::Sqlite => "UPDATE raw_operation SET signed_operation = x'00' WHERE block_number = 5",
        DbBackend::Postgres => "UPDATE raw_operation SET signed_operation = '\\x00' WHERE block_number = 5",
    };
    execute(&database, change).await;
    for arguments in [&[][..], &["--repair"]] {
        let (code, findings, _) = check(&database, arguments);
        assert_eq!(code, Some(3));
        let is_named = |finding: &Value| {
            finding["part"] == "content" && finding["detail"] == "its id is not the hash of its bytes"
        };
        assert!(findings.iter().any(is_named), "{findings:?}");
        let bytes = database.content().await.operations.into_iter();
        let mut changed = bytes.filter(|record| record.operation.position.block.get() == 5);
        assert!(changed.all(|record| record.operation.bytes.as_slice() == [0]));
    }
}

fn config(url: &str) -> DbBackendConfig {
    DbBackendConfig::new(DbBackend::Sqlite, Some(url), None, Network::Custom).unwrap()
}

/// Everything that a store answers: what the archive has of a block but nothing else has, and the rest.
async fn answers(url: &str) -> Result<(String, String)> {
    let store = NodeStorageBackend::connect(&config(url), Access::Read).await?;
    let answers = read(&store).await;
    store.close().await;
    answers
}

async fn read(store: &NodeStorageBackend) -> Result<(String, String)> {
    let (mut headers, mut rest) = (String::new(), String::new());
    write!(headers, "{:?}", store.cursor().await?).unwrap();
    for mut record in store.operations_after(None, PageLimit::MAX).await? {
        let position = record.operation.position;
        write!(headers, "{:?} {:?}", record.block_hash, record.operation.block_time).unwrap();
        write!(headers, "{:?}", store.block(position.block).await?).unwrap();
        record.operation.block_time = did_prism::ledger::BlockTime::from_unix_micros(0).unwrap();
        record.block_hash = did_prism::digest::BlockHash::new([0; 32]);
        write!(rest, "{record:?}").unwrap();
        let found = store.operation(&record.id).await?;
        write!(rest, "{:?}", found.map(|found| found.operation.position)).unwrap();
        let found = store.transaction(&record.transaction_id, None, PageLimit::MAX).await?;
        write!(rest, "{:?}", found.map(|found| (found.absn, found.operation_count))).unwrap();
        if let Some(did) = record.indexing.as_ref().and_then(IndexOutcome::did) {
            let page = store.operations_of_did(&did, None, PageLimit::MAX).await?;
            let positions: Vec<_> = page.iter().map(|record| record.operation.position).collect();
            write!(rest, "{positions:?} {:?}", store.listed_did(&did).await?).unwrap();
        }
    }
    let state = store.indexer_state().await?;
    write!(rest, "{:?} {:?}", state.watermark, state.last_stored).unwrap();
    write!(rest, "{:?}", store.listed_dids_after(None, PageLimit::MAX).await?).unwrap();
    write!(rest, "{:?}", store.network().await?).unwrap();
    let root = node_storage_archive::root(store, None).await;
    root.map_err(|error| StorageError::corrupt("the root", error))?;
    Ok((headers, rest))
}

/// The next number of a sequence (`SplitMix64`), which is the same in every run.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn copy_of(directory: &Path, bytes: &[u8]) -> String {
    for name in ["node.db", "node.db-wal", "node.db-shm"] {
        let _ = fs::remove_file(directory.join(name));
    }
    let file = directory.join("node.db");
    fs::write(&file, bytes).unwrap();
    format!("sqlite://{}", file.display())
}

fn check_file(url: &str, arguments: &[&str]) -> Option<i32> {
    let mut command = node(&["db", "check", "--db-backend", "sqlite", "--db-url", url]);
    command.args(CUSTOM).args(arguments);
    run(command).code
}

/// 120 flips of one bit each. What only a block's hash or time, or the cursor, would tell is told beside an archive.
#[tokio::test]
async fn a_flipped_bit_that_changes_an_answer_is_found() {
    let Some(database) = synced(DbBackend::Sqlite).await else {
        return;
    };
    let archive = database.path("before.prism");
    let mut backup = database.node(&["backup", "--output", archive.to_str().unwrap()]);
    backup.args(CUSTOM);
    assert_eq!(run(backup).code, Some(0));
    let clean = fs::read(database.path("node.db")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = copy_of(directory.path(), &clean);
    let before = answers(&url).await.unwrap();
    assert_eq!(check_file(&url, &[]), Some(0));
    let mut state = 7;
    let mut told = 0;
    for _ in 0..120 {
        let place = next(&mut state) % u64::try_from(clean.len()).unwrap();
        let bit = next(&mut state) % 8;
        let mut bytes = clean.clone();
        bytes[usize::try_from(place).unwrap()] ^= 1 << bit;
        let url = copy_of(directory.path(), &bytes);
        let after = answers(&url).await;
        let differs = match &after {
            Ok((_, rest)) => *rest != before.1,
            Err(_) => true,
        };
        if differs {
            assert_ne!(check_file(&url, &[]), Some(0), "byte {place}, bit {bit}: {after:?}");
            told += 1;
        } else if after.is_ok_and(|(headers, _)| headers != before.0) {
            let archive = ["--archive", archive.to_str().unwrap()];
            assert_ne!(check_file(&url, &archive), Some(0), "byte {place}, bit {bit}");
            told += 1;
        }
    }
    assert!(told > 20, "{told} flips have changed an answer");
}
