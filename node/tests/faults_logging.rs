//! What the node says may get lost. The node does not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod common;

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, pipe};
use std::process::{Child, Command, Stdio};

use common::{Database, Outcome, Signal, eventually, http, node, run};
use rstest::rstest;
use rustix::process::{Pid, kill_process};

/// A `dev` whose standard error goes to a place of its own.
struct Dev {
    child: Child,
    address: String,
}

impl Dev {
    fn start(database: &Database, arguments: &[&str], stderr: Stdio) -> Self {
        let mut command = database.node(&["dev", "--port", "0"]);
        let mut child = command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let mut welcome = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut welcome)
            .unwrap();
        let (_, url) = welcome.split_once("http://").unwrap_or_else(|| {
            let _ = child.kill();
            panic!("no welcome: {welcome}, {:?}", child.wait())
        });
        let address = url.split('/').next().unwrap().to_owned();
        Self { child, address }
    }

    /// The exit code after SIGTERM.
    fn end(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = eventually("the end of the program", || self.child.try_wait().unwrap());
        status.code()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

fn closed_pipe() -> Stdio {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    writer.into()
}

#[rstest]
#[case::a_full_volume(|| full().into())]
#[case::a_pipe_that_nobody_holds(closed_pipe)]
fn a_log_that_can_not_be_written_changes_nothing(#[case] stderr: fn() -> Stdio) {
    let database = Database::sqlite();
    for format in ["text", "json"] {
        let dev = Dev::start(&database, &["-vv", "--log-format", format], stderr());
        for _ in 0..20 {
            assert_eq!(http(&dev.address, "GET", "/readyz", "").0, 200);
        }
        assert_eq!(dev.end(), Some(0));
    }
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up_and_says_later_what_is_missing() {
    let database = Database::sqlite();
    let (reader, writer) = pipe().unwrap();
    let dev = Dev::start(&database, &["-vvv"], writer.into());
    for _ in 0..800 {
        assert_eq!(http(&dev.address, "GET", "/readyz", "").0, 200);
    }
    let mut lines = BufReader::new(reader).lines().map_while(Result::ok);
    let lost = lines.find(|line| line.contains("lines of this log were lost"));
    assert!(lost.is_some(), "nothing is said of what is missing");
    assert_eq!(http(&dev.address, "GET", "/readyz", "").0, 200);
    let address = dev.address.clone();
    let reading = std::thread::spawn(move || lines.last());
    assert_eq!(dev.end(), Some(0));
    // The last words of an orderly end are not among what is lost.
    assert!(reading.join().unwrap().unwrap().contains("SIGTERM"), "{address}");
}

#[test]
fn a_log_that_nobody_reads_does_not_hold_up_the_end() {
    let database = Database::sqlite();
    let (reader, writer) = pipe().unwrap();
    let dev = Dev::start(&database, &["-vvv"], writer.into());
    for _ in 0..800 {
        assert_eq!(http(&dev.address, "GET", "/readyz", "").0, 200);
    }
    assert_eq!(dev.end(), Some(0));
    drop(reader);
}

#[rstest]
#[case::a_full_volume(|| full().into())]
#[case::a_pipe_that_nobody_holds(closed_pipe)]
fn an_error_that_can_not_be_told_keeps_its_exit_code(#[case] stderr: fn() -> Stdio) {
    let database = Database::sqlite();
    let end = |mut command: Command| command.stdout(Stdio::null()).stderr(stderr()).status().unwrap().code();
    assert_eq!(end(database.node(&["db", "status"])), Some(1));
    assert_eq!(end(database.node(&["db", "path", "--no-such-flag"])), Some(2));
    assert_eq!(end(node(&["archive", "verify", "/nowhere"])), Some(1));
    // With a port that nobody would know otherwise, and no log.
    let quiet = database.node(&[
        "indexer",
        "--port",
        "0",
        "-q",
        "--dlt-source",
        "file",
        "--network",
        "custom",
    ]);
    let mut quiet = quiet;
    quiet.args(["--ledger-file", "/dev/null", "--exit-when-synced"]);
    assert_eq!(end(quiet), Some(0));
}

#[test]
fn an_answer_that_can_not_be_written_is_a_failure_and_one_that_nobody_reads_is_none() {
    let database = Database::sqlite();
    assert_eq!(run(database.node(&["db", "migrate"])).code, Some(0));
    let end = |arguments: &[&str], stdout: Stdio| {
        let mut command = database.node(arguments);
        let mut child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let code = child.wait().unwrap().code();
        Outcome {
            code,
            stdout: String::new(),
            stderr,
        }
    };
    for arguments in [["db", "status"], ["db", "path"]] {
        end(&arguments, full().into()).refused(1, &["standard output", "No space left"]);
        let unread = end(&arguments, closed_pipe());
        assert_eq!(unread.code, Some(0), "{}", unread.stderr);
    }
}
