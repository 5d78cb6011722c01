//! `ledger export`, and what `indexer` reads of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use common::{Database, Running, Signal, blocks, changed, lines, node, run, write_lines};

/// `ledger export` of a ledger file of the network `custom`.
fn export(ledger: &Path, output: &Path, arguments: &[&str]) -> Command {
    let mut command = node(&["ledger", "export", "--dlt-source", "file"]);
    command.env("NPRISM_CARDANO_NETWORK", "custom");
    command
        .arg("--ledger-file")
        .arg(ledger)
        .arg("--output")
        .arg(output)
        .args(arguments);
    command
}

/// Exports a ledger, which has to work, and answers what is told of it as JSON.
fn exported(ledger: &Path, output: &Path) -> serde_json::Value {
    let outcome = run(export(ledger, output, &["--json"]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    serde_json::from_str(&outcome.stdout).unwrap()
}

/// The root of what a ledger file gives.
fn root(ledger: &Path) -> String {
    let database = Database::sqlite();
    database.sync(ledger);
    let outcome = run(database.node(&["db", "status", "--root", "--json", "--network", "custom"]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let status: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    status["root"].as_str().unwrap().to_owned()
}

/// What stands in the directory of a database without the database.
fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn an_export_gives_the_same_root_as_the_ledger_that_it_was_made_of() {
    let place = Database::sqlite();
    let ledger = place.path("ledger.jsonl");
    let of_operations = lines(&blocks(1, 30));
    let mut with_others = of_operations.clone();
    // The last block has a transaction of somebody else, and block 15 one that is malformed.
    with_others[58] = changed(&of_operations[58], "metadata_cbor", "a10105".into());
    with_others[59] = changed(&of_operations[59], "metadata_cbor", "a0".into());
    with_others[29] = changed(&of_operations[29], "metadata_cbor", "a119534d05".into());
    for (lines, line_count) in [(&of_operations, 60), (&with_others, 58)] {
        write_lines(&ledger, lines);
        let expected = root(&ledger);
        for name in ["copy.jsonl", "copy.jsonl.zst"] {
            let copy = place.path(name);
            let told = exported(&ledger, &copy);
            assert_eq!(told["root"], expected, "{name}");
            assert_eq!(told["cursor"]["block_number"], 30);
            assert_eq!(root(&copy), expected, "{name}");
            assert_eq!(exported(&copy, &place.path("of-a-copy"))["root"], expected);
        }
        let written = fs::read_to_string(place.path("copy.jsonl")).unwrap();
        assert_eq!(written.lines().count(), line_count);
        let compressed = fs::metadata(place.path("copy.jsonl.zst")).unwrap().len();
        assert!(compressed < u64::try_from(written.len()).unwrap());
        let outcome = run(export(&ledger, Path::new("-"), &[]));
        assert_eq!((outcome.code, outcome.stdout), (Some(0), written));
        assert!(outcome.stderr.contains(&expected), "{}", outcome.stderr);
    }
}

/// A database that was filled from an export is continued from the ledger, and from a longer export of it.
#[tokio::test]
async fn a_database_that_was_filled_from_an_export_goes_on() {
    let database = Database::sqlite();
    let (ledger, copy) = (database.path("ledger.jsonl"), database.path("copy.jsonl"));
    let all = lines(&blocks(1, 30));
    let mut first = all[..40].to_vec();
    first[39] = changed(&all[39], "metadata_cbor", "a0".into());
    first[38] = changed(&all[38], "metadata_cbor", "a0".into());
    write_lines(&ledger, &first);
    exported(&ledger, &copy);
    database.sync(&copy);
    // Once more changes nothing.
    database.sync(&copy);
    let whole = [first, all[40..50].to_vec()].concat();
    write_lines(&ledger, &whole);
    exported(&ledger, &copy);
    database.sync(&copy);
    assert_eq!(database.content().await.cursor.unwrap().block.get(), 25);
    let other = changed(&whole[38], "block_hash", "ab".repeat(32).into());
    let mut of_another_chain = whole.clone();
    of_another_chain[38] = other;
    of_another_chain.remove(39);
    of_another_chain.truncate(39);
    write_lines(&ledger, &of_another_chain);
    let shorter = database.path("shorter.jsonl");
    exported(&ledger, &shorter);
    let fresh = Database::sqlite();
    write_lines(&ledger, &whole[..40]);
    exported(&ledger, &copy);
    fresh.sync(&copy);
    let outcome = run(fresh.indexer(&shorter, &["--exit-when-synced"]));
    outcome.refused(1, &["field block_hash", "block 20", &"ab".repeat(32), "stored cursor"]);
}

#[test]
fn an_export_that_fails_or_is_interrupted_leaves_what_was_there() {
    let place = Database::sqlite();
    let (ledger, output) = (place.path("ledger.jsonl"), place.path("out").join("ledger.jsonl.zst"));
    let directory = output.parent().unwrap();
    fs::create_dir(directory).unwrap();
    fs::write(&output, "what was there").unwrap();
    let unchanged = || {
        assert_eq!(files(directory), ["ledger.jsonl.zst"]);
        assert_eq!(fs::read_to_string(&output).unwrap(), "what was there");
    };
    let lines = lines(&blocks(1, 3));
    write_lines(&ledger, &[lines[..4].to_vec(), vec!["{".to_owned()]].concat());
    run(export(&ledger, &output, &[])).refused(1, &["ledger.jsonl, line 5"]);
    unchanged();
    for signal in [Signal::INT, Signal::TERM] {
        let (exporting, mut stdin) = Running::start_with_stdin(export(Path::new("-"), &output, &["-v"]));
        stdin.write_all((lines.join("\n") + "\n").as_bytes()).unwrap();
        common::eventually("a file beside the one that is to be replaced", || {
            (files(directory).len() == 2).then_some(())
        });
        exporting.signal(signal);
        exporting
            .end()
            .refused(130, &["interrupted", "no ledger file was written"]);
        unchanged();
    }
    write_lines(&ledger, &lines);
    exported(&ledger, &output);
    assert_eq!(files(directory), ["ledger.jsonl.zst"]);
    assert_eq!(root(&output), root(&ledger));
}

#[test]
fn what_can_not_be_exported_or_written_is_a_usage_error() {
    let place = Database::sqlite();
    let ledger = place.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks(1, 3)));
    let output = place.path("copy.jsonl");
    run(export(&ledger, &output, &["--follow"])).refused(2, &["--follow"]);
    run(export(&ledger, ledger.parent().unwrap(), &[])).refused(2, &["is a directory"]);
    run(export(&ledger, Path::new("-"), &["--json"])).refused(2, &["--json"]);
    run(export(&ledger, &output, &["--network", "preprod"])).refused(1, &["line 1, field network"]);
    run(export(&place.path("missing"), &output, &[])).refused(1, &["missing"]);
    let nowhere = place.path("none").join("copy.jsonl");
    run(export(&ledger, &nowhere, &[])).refused(1, &["can't be written", "none/copy.jsonl"]);
    assert!(!output.exists());
}

#[test]
fn a_compressed_ledger_is_known_by_its_content() {
    let place = Database::sqlite();
    let (ledger, compressed) = (place.path("ledger.jsonl"), place.path("ledger.jsonl.zst"));
    write_lines(&ledger, &lines(&blocks(1, 20)));
    exported(&ledger, &compressed);
    let renamed = place.path("renamed");
    fs::rename(&compressed, &renamed).unwrap();
    assert_eq!(root(&renamed), root(&ledger));
    let piped = Database::sqlite();
    let (node, mut stdin) = Running::start_with_stdin(piped.indexer(Path::new("-"), &["--exit-when-synced"]));
    stdin.write_all(&fs::read(&renamed).unwrap()).unwrap();
    drop(stdin);
    let outcome = node.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(piped.status()["cursor"]["block_number"], 20);
    let named = place.path("named.zst");
    fs::copy(&ledger, &named).unwrap();
    assert_eq!(root(&named), root(&ledger));
}

/// Of a compressed ledger that is cut or damaged, the complete blocks before that are stored.
#[tokio::test]
async fn a_compressed_ledger_that_is_cut_or_damaged_is_told_with_line_and_byte() {
    let place = Database::sqlite();
    let (ledger, compressed) = (place.path("ledger.jsonl"), place.path("ledger.jsonl.zst"));
    let lines = lines(&blocks(1, 200));
    write_lines(&ledger, &lines);
    exported(&ledger, &compressed);
    let whole = fs::read(&compressed).unwrap();
    fs::write(&compressed, &whole[..whole.len() - 20]).unwrap();
    let cut = Database::sqlite();
    let at = format!("byte {}", whole.len() - 20);
    run(cut.indexer(&compressed, &["--exit-when-synced"])).refused(1, &["ledger.jsonl.zst, line", "not complete", &at]);
    assert!(cut.content().await.blocks().len() > 50);
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0x55;
    fs::write(&compressed, &damaged).unwrap();
    let outcome = run(Database::sqlite().indexer(&compressed, &["--exit-when-synced"]));
    outcome.refused(1, &["ledger.jsonl.zst, line"]);
    // What was stored is what the whole file has.
    fs::write(&compressed, &whole).unwrap();
    cut.sync(&compressed);
    assert_eq!(cut.content().await.blocks().len(), 200);
    fs::write(&compressed, "").unwrap();
    run(Database::sqlite().indexer(&compressed, &["--exit-when-synced"])).refused(1, &["line 1", "not complete"]);
}

#[test]
fn a_compressed_ledger_can_not_be_followed() {
    let place = Database::sqlite();
    let (ledger, compressed) = (place.path("ledger.jsonl"), place.path("ledger.jsonl.zst"));
    write_lines(&ledger, &lines(&blocks(1, 3)));
    exported(&ledger, &compressed);
    run(place.indexer(&compressed, &["--follow"])).refused(2, &["compressed", "--follow"]);
    let renamed = place.path("renamed");
    fs::rename(&compressed, &renamed).unwrap();
    run(place.indexer(&renamed, &["--follow"])).refused(1, &["renamed", "compressed", "--follow"]);
}
