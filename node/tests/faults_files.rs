//! Files that are deleted, replaced or left behind under the node.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use common::{Database, Running, append, blocks, eventually, http, lines, run, write_lines};
use data_encoding::HEXLOWER;
use prism_fixtures::sample;
use rstest::rstest;

/// How soon a node sees that its file is not the one that it opened.
const NOTICED: Duration = Duration::from_secs(5);

type Fault = fn(&Path);

fn delete(file: &Path) {
    fs::remove_file(file).unwrap();
}

/// Puts a copy in its place.
fn replace(file: &Path) {
    let other = file.with_extension("other");
    fs::copy(file, &other).unwrap();
    fs::rename(other, file).unwrap();
}

fn file(database: &Database) -> std::path::PathBuf {
    database.path("node.db")
}

#[rstest]
#[case::deleted("node.db", delete, "was deleted")]
#[case::replaced("node.db", replace, "was replaced")]
#[case::lock_deleted("node.db.lock", delete, "was deleted")]
#[case::log_deleted("node.db-wal", delete, "was deleted")]
fn dev_acknowledges_nothing_that_no_file_holds(#[case] name: &str, #[case] fault: Fault, #[case] what: &str) {
    let database = Database::sqlite();
    let dev = Running::start(database.node(&["dev", "--port", "0"]));
    dev.wait_for_answer("open  http");
    let address = dev.address();
    let submit = |operation: &[u8]| {
        let body = format!("{{\"signed_operations\":[\"{}\"]}}", HEXLOWER.encode(operation));
        http(&address, "POST", "/api/submissions/signed-operations", &body).0
    };
    let sample = sample();
    assert_eq!(submit(&sample[0].operations[0].bytes), 200);
    let path = database.path(name);
    let since = Instant::now();
    fault(&path);
    let status = submit(&sample[1].operations[0].bytes);
    assert!(status == 0 || status >= 500, "{status}");
    ends_with(dev, &path, what, since);
}

/// The node ends by itself with 1, names the file and what happened to it, and does so soon.
fn ends_with(node: Running, path: &Path, what: &str, since: Instant) {
    let outcome = node.end();
    assert!(since.elapsed() < NOTICED, "{:?}", since.elapsed());
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let last = outcome
        .stderr
        .lines()
        .find(|line| line.starts_with("error: "))
        .unwrap_or_default();
    assert!(
        last.contains(&*path.to_string_lossy()) && last.contains(what),
        "{}",
        outcome.stderr
    );
}

#[rstest]
#[case::deleted(delete, "was deleted")]
#[case::replaced(replace, "was replaced")]
fn an_indexer_that_has_nothing_to_write_ends_when_its_file_goes(#[case] fault: Fault, #[case] what: &str) {
    let database = Database::sqlite();
    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks(1, 5)));
    let node = Running::start(database.indexer(&ledger, &["--follow"]));
    node.wait_until_ready(200);
    database.wait_for_block(4);
    let since = Instant::now();
    fault(&file(&database));
    ends_with(node, &file(&database), what, since);
}

#[rstest]
#[case::deleted(delete, "was deleted")]
#[case::replaced(replace, "was replaced")]
fn a_resolver_ends_when_its_file_goes(#[case] fault: Fault, #[case] what: &str) {
    let database = Database::sqlite();
    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks(1, 5)));
    database.sync(&ledger);
    let resolver = Running::start(database.node(&["resolver", "--port", "0", "--network", "custom"]));
    resolver.wait_until_ready(200);
    let since = Instant::now();
    fault(&file(&database));
    ends_with(resolver, &file(&database), what, since);
}

#[rstest]
#[case::rotated(true, "was replaced")]
#[case::deleted(false, "was deleted")]
fn a_followed_ledger_file_that_is_rotated_away_is_noticed(#[case] again: bool, #[case] what: &str) {
    let database = Database::sqlite();
    let ledger = database.path("ledger.jsonl");
    let lines = lines(&blocks(1, 10));
    write_lines(&ledger, &lines[..5]);
    let node = Running::start(database.indexer(&ledger, &["--follow"]));
    node.wait_until_ready(200);
    // What is written before the file is moved away counts.
    let moved = database.path("ledger.jsonl.1");
    fs::rename(&ledger, &moved).unwrap();
    if again {
        write_lines(&ledger, &lines[5..]);
    }
    let since = Instant::now();
    ends_with(node, &ledger, what, since);
}

#[test]
fn a_ledger_file_that_only_grows_is_followed() {
    let database = Database::sqlite();
    let ledger = database.path("ledger.jsonl");
    let lines = lines(&blocks(1, 10));
    write_lines(&ledger, &lines[..5]);
    let node = Running::start(database.indexer(&ledger, &["--follow"]));
    node.wait_until_ready(200);
    append(&ledger, &format!("{}\n", lines[5..].join("\n")));
    database.wait_for_block(9);
    assert_eq!(node.get("/readyz").0, 200);
}

/// Names of archives in the directory that are not complete.
fn partial(database: &Database) -> Vec<String> {
    let names = fs::read_dir(database.path("")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".partial")).collect()
}

#[test]
fn what_a_killed_backup_left_behind_goes_with_the_next_and_what_another_writes_stays() {
    let database = Database::sqlite();
    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks(1, 5)));
    database.sync(&ledger);
    let archive = database.path("archive");
    let backup = |arguments: &[&str]| {
        let mut command = database.node(&["backup", "--network", "custom"]);
        command.arg("--output").arg(&archive).args(arguments);
        command
    };
    // Both wait for their base, which does not come.
    let (killed, _base) = Running::start_with_stdin(backup(&["--base", "-"]));
    eventually("the file of the first backup", || {
        (partial(&database).len() == 1).then_some(())
    });
    let left_behind = partial(&database);
    let (_running, _other_base) = Running::start_with_stdin(backup(&["--base", "-"]));
    eventually("the file of the second backup", || {
        (partial(&database).len() == 2).then_some(())
    });
    killed.kill();
    assert_eq!(partial(&database).len(), 2);
    let unrelated = database.path(".archive.note.txt");
    fs::write(&unrelated, "mine").unwrap();
    let outcome = run(backup(&[]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let left = partial(&database);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_ne!(left, left_behind);
    assert!(unrelated.exists() && archive.exists());
}

#[test]
fn what_others_may_read_or_write_is_warned_about() {
    let database = Database::sqlite();
    let ledger = database.path("ledger.jsonl");
    let directory = database.path("");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    write_lines(&ledger, &lines(&blocks(1, 3)));
    database.sync(&ledger);
    let quiet = run(database.indexer(&ledger, &["--exit-when-synced"]));
    assert!(!quiet.stderr.contains("chmod"), "{}", quiet.stderr);
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(file(&database), fs::Permissions::from_mode(0o664)).unwrap();
    let outcome = run(database.indexer(&ledger, &["--exit-when-synced"]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    for (mode, right) in [("755", "700"), ("664", "600")] {
        let told = outcome
            .stderr
            .lines()
            .any(|line| line.contains("WARN") && line.contains(mode) && line.contains(&format!("chmod {right}")));
        assert!(told, "{mode}: {}", outcome.stderr);
    }
    // The owner decides: nothing is changed.
    let mode = fs::metadata(file(&database)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o664);
}
