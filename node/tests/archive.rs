//! `backup`, `restore` and `archive`, as their users run them.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Database, Outcome, Running, Signal, blocks, eventually, lines, node, run, write_lines};
use did_prism::ledger::{PublishedBlock, PublishedOperation, PublishedTransaction};
use node_storage::DbBackend;
use prism_fixtures::{block_of, transaction_id};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rstest::rstest;
use serde_json::Value;

const CUSTOM: [&str; 2] = ["--network", "custom"];

/// A database with this many blocks of ten operations, indexed.
async fn filled(backend: DbBackend, count: u64) -> Option<Database> {
    let database = Database::fresh(backend).await?;
    fill(&database, count);
    Some(database)
}

fn fill(database: &Database, count: u64) {
    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks(1, count)));
    database.sync(&ledger);
}

fn backup(database: &Database, output: &Path, arguments: &[&str]) -> Outcome {
    let mut command = database.node(&["backup", "--json"]);
    command.args(CUSTOM).arg("--output").arg(output).args(arguments);
    run(command)
}

fn restore(database: &Database, inputs: &[&Path], arguments: &[&str]) -> Outcome {
    let mut command = database.node(&["restore", "--json"]);
    command.args(CUSTOM).args(arguments).arg("--input").args(inputs);
    run(command)
}

fn answer(outcome: &Outcome) -> Value {
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    serde_json::from_str(&outcome.stdout).unwrap()
}

fn root(database: &Database) -> Value {
    let mut command = database.node(&["db", "status", "--root", "--json"]);
    command.args(CUSTOM);
    answer(&run(command))["root"].clone()
}

/// What lies in the database's directory beside the database itself.
fn left_behind(database: &Database) -> Vec<String> {
    let entries = fs::read_dir(database.path("")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with("node.db")).collect();
    names.sort();
    names
}

#[rstest]
#[case::sqlite_to_postgres(DbBackend::Sqlite, DbBackend::Postgres)]
#[case::postgres_to_sqlite(DbBackend::Postgres, DbBackend::Sqlite)]
#[tokio::test]
async fn node_moves_to_the_other_engine(#[case] from: DbBackend, #[case] to: DbBackend) {
    let (Some(from), Some(to)) = (filled(from, 20).await, Database::fresh(to).await) else {
        return;
    };
    let archive = from.path("full.archive");
    let written = answer(&backup(&from, &archive, &[]));
    assert_eq!(written["operations"], 200);
    assert_eq!(fs::metadata(&archive).unwrap().permissions().mode() & 0o777, 0o600);
    let restored = answer(&restore(&to, &[&archive], &[]));
    assert_eq!(restored["root"], written["root"]);
    assert_eq!(root(&to), root(&from));
    assert_eq!(to.content().await, from.content().await);

    fill(&from, 30);
    let increment = from.path("increment.archive");
    let base = archive.to_str().unwrap();
    assert_eq!(
        answer(&backup(&from, &increment, &["--base", base]))["own_operations"],
        100
    );
    answer(&restore(&to, &[&increment], &[]));
    assert_eq!(to.content().await, from.content().await);
    restore(&to, &[&increment], &[]).refused(3, &["increment.archive", "the database"]);

    let (plain, again) = (from.path("plain"), from.path("again"));
    answer(&backup(&from, &plain, &["--compression", "none"]));
    answer(&backup(&to, &again, &["--compression", "none"]));
    assert!(
        fs::read(plain).unwrap() == fs::read(again).unwrap(),
        "equal content, equal files"
    );

    // The node goes on where the archive ends.
    fill(&to, 40);
    fill(&from, 40);
    assert_eq!(root(&to), root(&from));
}

#[rstest]
#[tokio::test]
async fn what_can_not_be_restored_says_why_and_changes_nothing(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let (Some(from), Some(to)) = (filled(backend, 5).await, Database::fresh(backend).await) else {
        return;
    };
    let archive = from.path("full.archive");
    answer(&backup(&from, &archive, &[]));
    let bytes = fs::read(&archive).unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = from.path(name);
        fs::write(&path, content).unwrap();
        path
    };
    let truncated = file("truncated", &bytes[..bytes.len() - 40]);
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    let damaged = file("damaged", &damaged);
    let other = file("other", b"SQLite format 3\0 and so on");
    for arguments in [&["--dry-run"][..], &[]] {
        restore(&to, &[&truncated], arguments).refused(3, &["is truncated"]);
        restore(&to, &[&damaged], arguments).refused(3, &["damaged at byte"]);
        restore(&to, &[&other], arguments).refused(6, &["other", "not an archive"]);
        restore(&to, &[&archive, &archive], arguments).refused(3, &["full archive"]);
        restore(&to, &[&from.path("missing")], arguments).refused(1, &["missing"]);
        restore(&to, &[Path::new("-"), Path::new("-")], arguments).refused(2, &["standard input"]);
        let mut command = to.node(&["restore", "--network", "preview"]);
        command.args(arguments).arg("--input").arg(&archive);
        run(command).refused(2, &["custom", "preview"]);
    }
    let status = to.status();
    assert!(
        status["operations"] == 0 || status["schema"] == "not migrated",
        "{status}"
    );

    let before = from.content().await;
    for arguments in [&["--dry-run"][..], &[]] {
        restore(&from, &[&archive], arguments).refused(4, &["not empty"]);
    }
    assert_eq!(from.content().await, before);
    answer(&restore(&to, &[&archive], &[]));
    assert_eq!(to.content().await, before);
}

#[rstest]
#[tokio::test]
async fn dry_run_writes_nothing(#[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend) {
    let (Some(from), Some(to)) = (filled(backend, 5).await, Database::fresh(backend).await) else {
        return;
    };
    let archive = from.path("full.archive");
    let written = answer(&backup(&from, &archive, &[]));
    let planned = answer(&restore(&to, &[&archive], &["--dry-run"]));
    assert_eq!(planned["root"], written["root"]);
    assert_eq!(planned["added"]["operations"], 50);
    match backend {
        DbBackend::Sqlite => assert!(!to.path("node.db").exists()),
        DbBackend::Postgres => assert_eq!(to.status()["schema"], "not migrated"),
    }
}

#[rstest]
#[tokio::test]
async fn archive_goes_through_a_pipe(#[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend) {
    let (Some(from), Some(to)) = (filled(backend, 5).await, Database::fresh(backend).await) else {
        return;
    };
    let mut command = from.node(&["backup", "--output", "-"]);
    let output = command.args(CUSTOM).output().unwrap();
    assert!(output.status.success());
    let mut command = to.node(&["restore", "--input", "-", "--json"]);
    let mut child = command
        .args(CUSTOM)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&output.stdout).unwrap();
    let outcome = child.wait_with_output().unwrap();
    assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));
    assert_eq!(to.content().await, from.content().await);
    assert!(left_behind(&from).iter().all(|name| !name.contains("partial")));
}

#[tokio::test]
async fn existing_file_is_replaced_when_the_archive_is_complete_and_not_before() {
    let database = Database::sqlite();
    let archive = database.path("full.archive");
    fs::write(&archive, "precious").unwrap();
    // There is no database yet.
    let outcome = backup(&database, &archive, &[]);
    outcome.refused(1, &["node.db"]);
    assert_eq!(fs::read_to_string(&archive).unwrap(), "precious");
    fill(&database, 3);
    answer(&backup(&database, &archive, &[]));
    answer(&verify(&archive));
    let before = fs::read(&archive).unwrap();
    backup(&database, &archive, &["--base", archive.to_str().unwrap()]).refused(2, &["--base"]);
    backup(&database, &database.path(""), &[]).refused(2, &["directory"]);
    backup(&database, &database.path("no/such/file"), &[]).refused(1, &["no/such/file"]);
    assert!(fs::read(&archive).unwrap() == before);
    assert_eq!(left_behind(&database), ["full.archive", "ledger.jsonl"]);
}

#[tokio::test]
async fn base_that_is_no_part_of_the_database_is_refused() {
    let (ahead, behind) = (Database::sqlite(), Database::sqlite());
    fill(&ahead, 6);
    fill(&behind, 3);
    let base = ahead.path("base");
    answer(&backup(&ahead, &base, &[]));
    let increment = behind.path("increment");
    backup(&behind, &increment, &["--base", base.to_str().unwrap()]).refused(3, &["base"]);
    assert!(!increment.exists());
}

fn verify(archive: &Path) -> Outcome {
    let mut command = node(&["archive", "verify", "--json"]);
    command.arg(archive);
    run(command)
}

#[tokio::test]
async fn archives_are_looked_into_without_a_database() {
    let database = Database::sqlite();
    fill(&database, 4);
    let archive = database.path("full.archive");
    let written = answer(&backup(&database, &archive, &[]));
    assert_eq!(answer(&verify(&archive))["root"], written["root"]);
    let tool = |arguments: &[&str]| {
        let mut command = node(&["archive"]);
        command.args(arguments);
        run(command)
    };
    let name = archive.to_str().unwrap();
    let shown = tool(&["inspect", name]);
    assert!(
        shown.stdout.contains(written["root"].as_str().unwrap()),
        "{}",
        shown.stdout
    );

    let content = database.content().await;
    let all = tool(&["cat", name]).stdout;
    let ids: Vec<_> = all
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["operation_id"].clone())
        .collect();
    assert_eq!(
        ids,
        content
            .operations
            .iter()
            .map(|record| record.id.to_string())
            .collect::<Vec<_>>()
    );
    let did = content.listed[0].did;
    let of_did = tool(&["cat", "--did", &format!("did:prism:{did}"), name]).stdout;
    let expected = content.operations.iter().filter(|record| {
        record
            .indexing
            .as_ref()
            .and_then(node_storage::contract::IndexOutcome::did)
            == Some(did)
    });
    assert_eq!(of_did.lines().count(), expected.count());
    let some = tool(&["cat", "--from-block", "2", "--to-block", "3", name]).stdout;
    assert_eq!(some.lines().count(), 20);
    let transaction = content.operations[0].transaction_id.to_string();
    assert_eq!(
        tool(&["cat", "--transaction", &transaction, name])
            .stdout
            .lines()
            .count(),
        5
    );

    fill(&database, 5);
    let later = database.path("later.archive");
    answer(&backup(&database, &later, &["--compression", "none"]));
    let later = later.to_str().unwrap();
    assert_eq!(tool(&["diff", name, name]).stdout, "");
    // Ten operations and the cursor.
    assert_eq!(tool(&["diff", name, later]).stdout.lines().count(), 11);
    for line in tool(&["diff", "--json", later, name]).stdout.lines() {
        assert!(serde_json::from_str::<Value>(line).unwrap()["differs"].is_string());
    }

    let mut bytes = fs::read(&archive).unwrap();
    bytes[100] ^= 1;
    let damaged = database.path("damaged");
    fs::write(&damaged, bytes).unwrap();
    verify(&damaged).refused(3, &["damaged"]);
    tool(&["inspect", damaged.to_str().unwrap()]).refused(3, &["damaged"]);
    assert_eq!(tool(&["cat", damaged.to_str().unwrap()]).code, Some(3));
    assert_eq!(tool(&["diff", damaged.to_str().unwrap(), name]).code, Some(3));
}

/// `restore` from a pipe that has delivered the beginning of an archive only.
fn restoring(to: &Database, beginning: &[u8]) -> (Running, std::process::ChildStdin) {
    let mut command = to.node(&["restore", "--input", "-", "-v"]);
    command.args(CUSTOM);
    let (running, mut stdin) = Running::start_with_stdin(command);
    stdin.write_all(beginning).unwrap();
    (running, stdin)
}

#[rstest]
#[tokio::test]
async fn interrupted_restore_ends_with_130_and_changes_nothing(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let (Some(from), Some(to)) = (filled(backend, 20).await, Database::fresh(backend).await) else {
        return;
    };
    let archive = from.path("full.archive");
    answer(&backup(&from, &archive, &["--compression", "none"]));
    let bytes = fs::read(&archive).unwrap();
    // With a part of the archive or all of it but its end read.
    for (signal, length) in [(Signal::INT, bytes.len() / 2), (Signal::TERM, bytes.len() - 1)] {
        let (running, stdin) = restoring(&to, &bytes[..length]);
        // Migrated, and so in the middle of it.
        eventually("the schema", || {
            let mut command = to.node(&["db", "status", "--json"]);
            command.args(CUSTOM);
            let outcome = run(command);
            (outcome.code == Some(0) && outcome.stdout.contains("current")).then_some(())
        });
        running.signal(signal);
        let outcome = running.end();
        assert_eq!(outcome.code, Some(130), "{}", outcome.stderr);
        drop(stdin);
        let status = to.status();
        assert_eq!(status["operations"], 0);
        assert!(status["cursor"].is_null());
    }
    answer(&restore(&to, &[&archive], &[]));
    assert_eq!(to.content().await, from.content().await);
}

/// Blocks of long operations: an archive many times longer than what is read ahead of the store.
fn long_blocks() -> Vec<PublishedBlock> {
    (0..80)
        .map(|number| {
            let operations = (0..4).map(|index| {
                let mut bytes = vec![u8::try_from(number).unwrap(); 64 * 1024];
                bytes.push(index);
                PublishedOperation {
                    osn: u64::from(index).try_into().unwrap(),
                    bytes: bytes.try_into().unwrap(),
                }
            });
            let transaction = PublishedTransaction {
                absn: 0_u64.try_into().unwrap(),
                id: transaction_id(1, number, 0),
                operations: operations.collect(),
            };
            block_of(1, number, number, vec![transaction])
        })
        .collect()
}

#[rstest]
#[tokio::test]
async fn restore_killed_at_any_point_has_restored_everything_or_nothing(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(from) = Database::fresh(backend).await else {
        return;
    };
    from.append(&long_blocks()).await;
    let archive = from.path("full.archive");
    let backed_up = answer(&backup(&from, &archive, &["--compression", "none"]));
    let bytes = fs::read(&archive).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut points: Vec<_> = (0..4).map(|_| random.random_range(0..bytes.len())).collect();
    // With nearly all of it in the transaction; and perhaps in the commit.
    points.extend([bytes.len() - 1, bytes.len()]);
    for point in points {
        let to = Database::fresh(backend).await.unwrap();
        to.append(&[]).await;
        // The pipe takes 64 KiB: all before them was read when this comes back.
        let (running, stdin) = restoring(&to, &bytes[..point]);
        if point == bytes.len() {
            drop(stdin);
        }
        running.kill();
        let found = to.status();
        let is_complete = point == bytes.len() && found["operations"] == 320;
        assert!(
            is_complete || (found["operations"] == 0 && found["cursor"].is_null()),
            "after {point} of {} bytes: {found}",
            bytes.len()
        );
        if !is_complete {
            answer(&restore(&to, &[&archive], &[]));
        }
        assert_eq!(root(&to), backed_up["root"]);
    }
}

#[tokio::test]
async fn interrupted_backup_ends_with_130_and_leaves_nothing_behind() {
    let database = Database::sqlite();
    fill(&database, 200);
    // A pipe that nobody reads takes 64 KiB.
    let mut command = database.node(&["backup", "--compression", "none", "--output", "-"]);
    command.args(CUSTOM);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It listens for signals before it opens the database.
    eventually("the connection", || database.path("node.db-shm").exists().then_some(()));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::INT).unwrap();
    let status = eventually("the end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(130));
    assert_eq!(left_behind(&database), ["ledger.jsonl"]);
}

#[tokio::test]
async fn backup_to_something_that_is_no_file_leaves_it_there() {
    let database = Database::sqlite();
    fill(&database, 2);
    answer(&backup(&database, Path::new("/dev/null"), &[]));
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[rstest]
#[tokio::test]
async fn restore_into_a_database_that_another_process_writes_is_refused(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let (Some(from), Some(to)) = (filled(backend, 2).await, Database::fresh(backend).await) else {
        return;
    };
    let archive = from.path("full.archive");
    answer(&backup(&from, &archive, &[]));
    let mut dev: Command = to.node(&["dev", "--port", "0"]);
    dev.args(CUSTOM);
    let dev = Running::start(dev);
    dev.wait_until_ready(200);
    restore(&to, &[&archive], &["--db-connect-timeout", "1"]).refused(5, &["another process"]);
    // A backup does not mind.
    answer(&backup(&to, &to.path("empty.archive"), &[]));
}
