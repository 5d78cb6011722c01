//! Clients that are slow, silent or too many end neither the node nor the service of others.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use common::{Database, Running, Signal, append, blocks, eventually, lines, write_lines};

/// The same command with so many open files at most, which it can't raise.
fn with_open_files(command: &Command, limit: u32) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]);
    limited.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream
}

/// Whether the other side has closed the connection, which may take up to a minute.
fn is_cut(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

fn head_of(stream: &mut TcpStream) -> String {
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    String::from_utf8(head.to_vec()).unwrap()
}

#[tokio::test]
async fn more_idle_connections_than_open_files_leave_the_store_what_it_needs() {
    let database = Database::sqlite();
    let ledger = database.path("ledger.jsonl");
    let lines = lines(&blocks(1, 40));
    write_lines(&ledger, &lines[..lines.len() / 2]);
    let indexer = database.indexer(&ledger, &["--follow"]);
    let node = Running::start(with_open_files(&indexer, 96));
    let address = node.address();
    let mut idle: Vec<_> = (0..200).map(|_| connect(&address)).collect();
    append(&ledger, &format!("{}\n", lines[lines.len() / 2..].join("\n")));
    database.wait_for_block(39);
    // Those that asked for nothing go, and others are answered.
    assert_eq!(node.get("/readyz").0, 200);
    assert!(idle.iter_mut().all(is_cut));
    node.signal(Signal::TERM);
    let outcome = node.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        !outcome.stderr.contains("unable to open database file"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut() {
    let database = Database::sqlite();
    let node = Running::start(database.node(&["dev", "--port", "0"]));
    let address = node.address();
    let mut silent = connect(&address);
    silent.write_all(b"GET /healthz HTTP/1.1\r\nHost: n").unwrap();
    let mut slow = connect(&address);
    slow.write_all(b"GET /healthz HTTP/1.1\r\n").unwrap();
    assert!(is_cut(&mut silent));
    // A byte now and then changes nothing.
    eventually("the end of a connection that sends its head byte by byte", || {
        slow.write_all(b"x").is_err().then_some(())
    });
    assert_eq!(node.get("/healthz").0, 200);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_with_408() {
    let database = Database::sqlite();
    let node = Running::start(database.node(&["dev", "--port", "0"]));
    node.wait_until_ready(200);
    let mut stream = connect(&node.address());
    let head = "POST /api/submissions/signed-operations HTTP/1.1\r\nHost: node\r\nContent-Type: application/json\r\n";
    stream
        .write_all(format!("{head}Content-Length: 1000\r\n\r\n{{\"signed").as_bytes())
        .unwrap();
    assert_eq!(head_of(&mut stream), "HTTP/1.1 408");
    assert!(is_cut(&mut stream));
}

#[tokio::test]
async fn a_client_that_reads_no_answer_is_cut() {
    let database = Database::sqlite();
    let node = Running::start(database.node(&["dev", "--port", "0"]));
    let mut stream = connect(&node.address());
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let request = b"GET /openapi.json HTTP/1.1\r\nHost: node\r\n\r\n";
    // More answers than the sockets hold.
    for _ in 0..2_000 {
        if stream.write_all(request).is_err() {
            break;
        }
    }
    eventually("the end of a connection whose answers nobody reads", || {
        match stream.write_all(b"G") {
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Some(()),
            _ => None,
        }
    });
    assert_eq!(node.get("/healthz").0, 200);
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_end() {
    let database = Database::sqlite();
    let node = Running::start(database.node(&["dev", "--port", "0"]));
    let address = node.address();
    let mut idle = connect(&address);
    let mut used = connect(&address);
    used.write_all(b"GET /healthz HTTP/1.1\r\nHost: node\r\n\r\n").unwrap();
    assert_eq!(head_of(&mut used), "HTTP/1.1 200");
    node.signal(Signal::TERM);
    let outcome = node.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("cut off"), "{}", outcome.stderr);
    assert!(is_cut(&mut idle) && is_cut(&mut used));
}
