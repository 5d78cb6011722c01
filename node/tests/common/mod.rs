//! The program as its users run it, and databases to run it on.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use did_prism::ledger::{OperationPosition, PublishedBlock};
use node_storage::contract::{Access, Cursor, IndexerState, ListedDid, Network, OperationRecord, PageLimit};
use node_storage::{
    DbBackend, DbBackendConfig, DltCursorRepo, IndexedOperationRepo, IndexerStateRepo, NodeStorageBackend,
    RawOperationRepo,
};
use prism_fixtures::{LedgerShape, ledger, ledger_line};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use sqlx::Connection as _;
use tempfile::TempDir;
use test_databases::{PostgresDatabase, PostgresServer};

/// How long another process may take.
const DEADLINE: Duration = Duration::from_mins(1);

/// Looks again and again until the answer is there.
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(DEADLINE, what, look)
}

/// The same with another deadline. The one place where a test waits.
pub fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether `TEST_BACKENDS` leaves this backend in.
pub fn is_chosen(backend: DbBackend) -> bool {
    let chosen = std::env::var("TEST_BACKENDS").unwrap_or_default();
    chosen.is_empty() || chosen.split(',').any(|name| name.trim() == backend.name())
}

/// A database of its own, not migrated.
pub struct Database {
    pub backend: DbBackend,
    pub url: String,
    /// Removed with the test.
    directory: TempDir,
    server: Option<PostgresDatabase>,
}

impl Database {
    /// `None` where `TEST_BACKENDS` leaves this backend out.
    pub async fn fresh(backend: DbBackend) -> Option<Self> {
        if !is_chosen(backend) {
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let (url, server) = match backend {
            DbBackend::Sqlite => (format!("sqlite://{}", directory.path().join("node.db").display()), None),
            DbBackend::Postgres => {
                let database = PostgresServer::shared().await.unwrap().empty_database().await.unwrap();
                (database.url().to_owned(), Some(database))
            }
        };
        Some(Self {
            backend,
            url,
            directory,
            server,
        })
    }

    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            backend: DbBackend::Sqlite,
            url: format!("sqlite://{}", directory.path().join("node.db").display()),
            directory,
            server: None,
        }
    }

    /// A path in a directory that is removed with the database.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A command on this database.
    pub fn node(&self, arguments: &[&str]) -> Command {
        let mut command = node(arguments);
        command.args(["--db-backend", self.backend.name(), "--db-url", &self.url]);
        command
    }

    /// `indexer` of a ledger file on this database, on any port.
    pub fn indexer(&self, ledger: &Path, arguments: &[&str]) -> Command {
        let mut command = self.node(&["indexer", "--network", "custom", "--port", "0", "--dlt-source", "file"]);
        command.arg("--ledger-file").arg(ledger).args(arguments);
        command
    }

    /// The same database where it is reached at another address, such as that of a proxy.
    pub fn at(&self, address: SocketAddr) -> Self {
        let mut url: url::Url = self.url.parse().unwrap();
        url.set_ip_host(address.ip()).unwrap();
        url.set_port(Some(address.port())).unwrap();
        Self {
            backend: self.backend,
            url: url.into(),
            directory: tempfile::tempdir().unwrap(),
            server: None,
        }
    }

    /// The address of its server.
    pub fn server_address(&self) -> SocketAddr {
        let url: url::Url = self.url.parse().unwrap();
        let port = url.port().unwrap_or(5432);
        (url.host_str().unwrap(), port)
            .to_socket_addrs()
            .unwrap()
            .next()
            .unwrap()
    }

    /// Syncs and indexes the ledger to its end, which has to work.
    pub fn sync(&self, ledger: &Path) {
        let outcome = run(self.indexer(ledger, &["--exit-when-synced"]));
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    }

    /// Stores these blocks, in a database that is migrated where it has to be.
    pub async fn append(&self, blocks: &[PublishedBlock]) {
        let access = Access::Write { migrate: true };
        let config = self.config(Network::Custom);
        let store = NodeStorageBackend::connect(&config, access).await.unwrap();
        if let Some(last) = blocks.last() {
            let stored = store.cursor().await.unwrap();
            store.append(stored, blocks, Cursor::at(&last.into())).await.unwrap();
        }
        store.close().await;
    }

    /// Takes away everything above this block, which has to be stored, as if it had never been written.
    pub async fn go_back_to(&self, block: u64) {
        let above = [
            "listed_did",
            "indexed_operation",
            "raw_operation",
            "ledger_transaction",
            "block",
        ]
        .map(|table| format!("DELETE FROM {table} WHERE block_number > {block};"));
        let text = format!(
            "BEGIN;
            UPDATE dlt_cursor SET (slot, block_number, block_hash) =
                (SELECT slot, block_number, block_hash FROM block WHERE block_number = {block});
            UPDATE indexer_watermark SET (block_number, absn, osn) =
                (SELECT block_number, absn, osn FROM indexed_operation WHERE block_number <= {block}
                 ORDER BY block_number DESC, absn DESC, osn DESC LIMIT 1);
            {}
            COMMIT;",
            above.concat()
        );
        match self.backend {
            DbBackend::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(sqlx::AssertSqlSafe(text))
                    .execute(&mut connection)
                    .await
                    .unwrap();
                connection.close().await.unwrap();
            }
            DbBackend::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(sqlx::AssertSqlSafe(text))
                    .execute(&mut connection)
                    .await
                    .unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    /// What `db status --json` says.
    pub fn status(&self) -> serde_json::Value {
        let outcome = run(self.node(&["db", "status", "--json", "--network", "custom"]));
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        serde_json::from_str(&outcome.stdout).unwrap()
    }

    /// Waits until the cursor stands at this block or above, and everything is indexed.
    pub fn wait_for_block(&self, number: u64) {
        eventually(&format!("block {number}"), || {
            let status = self.status();
            let cursor = status["cursor"]["block_number"].as_u64();
            (cursor >= Some(number) && status["watermark"] == status["last_position"]).then_some(())
        });
    }

    pub fn config(&self, network: Network) -> DbBackendConfig {
        DbBackendConfig::new(self.backend, Some(&self.url), None, network).unwrap()
    }

    /// The store, for reading.
    pub async fn store(&self) -> NodeStorageBackend {
        NodeStorageBackend::connect(&self.config(Network::Custom), Access::Read)
            .await
            .unwrap()
    }

    /// Everything that is stored.
    pub async fn content(&self) -> Content {
        Content::read(&self.store().await).await
    }
}

/// Everything that a store answers.
#[derive(Debug, PartialEq)]
pub struct Content {
    pub network: Option<Network>,
    pub cursor: Option<Cursor>,
    pub state: IndexerState,
    pub operations: Vec<OperationRecord>,
    pub listed: Vec<ListedDid>,
}

impl Content {
    pub async fn read(store: &NodeStorageBackend) -> Self {
        let mut operations: Vec<OperationRecord> = Vec::new();
        let mut listed: Vec<ListedDid> = Vec::new();
        loop {
            let after = operations.last().map(|record| record.operation.position);
            let page = store.operations_after(after, PageLimit::MAX).await.unwrap();
            if page.is_empty() {
                break;
            }
            operations.extend(page);
        }
        loop {
            let after = listed.last().map(|did| did.position);
            let page = store.listed_dids_after(after, PageLimit::MAX).await.unwrap();
            if page.is_empty() {
                break;
            }
            listed.extend(page);
        }
        Self {
            network: store.network().await.unwrap(),
            cursor: store.cursor().await.unwrap(),
            state: store.indexer_state().await.unwrap(),
            operations,
            listed,
        }
    }

    pub fn positions(&self) -> Vec<OperationPosition> {
        self.operations.iter().map(|record| record.operation.position).collect()
    }

    /// Numbers of the stored blocks, each once.
    pub fn blocks(&self) -> Vec<u64> {
        let mut blocks: Vec<_> = self.positions().iter().map(|position| position.block.get()).collect();
        blocks.dedup();
        blocks
    }
}

/// Blocks of every kind of operation that a ledger file can hold.
pub fn blocks(seed: u64, count: u64) -> Vec<PublishedBlock> {
    let shape = LedgerShape {
        blocks: count,
        undecodable: false,
        ..LedgerShape::small(seed)
    };
    ledger(&shape).collect()
}

/// The lines of these blocks in a ledger file of the network `custom`.
pub fn lines(blocks: &[PublishedBlock]) -> Vec<String> {
    blocks
        .iter()
        .flat_map(|block| {
            block
                .transactions
                .iter()
                .map(move |transaction| ledger_line("custom", block, transaction))
        })
        .collect()
}

/// Writes a ledger file.
pub fn write_lines<L: AsRef<str>>(path: &Path, lines: &[L]) {
    let text: String = lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect();
    fs::write(path, text).unwrap();
}

/// A line with one member replaced.
pub fn changed(line: &str, member: &str, value: serde_json::Value) -> String {
    let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
    line[member] = value;
    line.to_string()
}

/// Writes behind the end of a file.
pub fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// The program with an environment that says nothing about it.
pub fn node(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_neoprism-node"));
    for (name, _) in std::env::vars() {
        if name.starts_with("NPRISM_") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).args(arguments);
    command
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Ended with this code and one error line, in which all of these stand.
    pub fn refused(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert_eq!(self.stdout, "", "answers only on standard output");
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        let errors: Vec<_> = self.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        let [error] = errors.as_slice() else {
            panic!("one error line: {}", self.stderr)
        };
        for text in texts {
            assert!(error.contains(text), "{text:?} is missing: {error}");
        }
    }
}

/// Runs a program to its end.
pub fn run(mut command: Command) -> Outcome {
    let output = command.output().unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A program that runs beside the test, and is killed with it.
pub struct Running {
    child: Child,
    stdout: Collected,
    stderr: Collected,
}

/// What a program has written so far, and the thread that reads it.
struct Collected {
    text: Arc<Mutex<String>>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Collected {
    fn from(stream: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let collected = Arc::clone(&text);
        let reader = thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let mut collected = collected.lock().unwrap();
                collected.push_str(&line);
                collected.push('\n');
            }
        });
        Self {
            text,
            reader: Some(reader),
        }
    }

    fn so_far(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// Everything, of a program that has ended.
    fn all(&mut self) -> String {
        self.reader.take().unwrap().join().unwrap();
        self.so_far()
    }
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self {
            stdout: Collected::from(child.stdout.take().unwrap()),
            stderr: Collected::from(child.stderr.take().unwrap()),
            child,
        }
    }

    /// With a pipe as standard input.
    pub fn start_with_stdin(mut command: Command) -> (Self, ChildStdin) {
        command.stdin(Stdio::piped());
        let mut running = Self::start(command);
        let stdin = running.child.stdin.take().unwrap();
        (running, stdin)
    }

    /// Waits until this stands on its standard error.
    pub fn wait_for(&self, text: &str) {
        eventually(&format!("{text:?} on standard error"), || {
            self.stderr.so_far().contains(text).then_some(())
        });
    }

    /// What stands on its standard error so far.
    pub fn told(&self) -> String {
        self.stderr.so_far()
    }

    /// Waits until this stands on its standard output.
    pub fn wait_for_answer(&self, text: &str) {
        eventually(&format!("{text:?} on standard output"), || {
            self.stdout.so_far().contains(text).then_some(())
        });
    }

    /// `host:port` that the program listens on.
    pub fn address(&self) -> String {
        eventually("the address", || {
            let stderr = self.stderr.so_far();
            let (_, rest) = stderr.split_once("listening on http://")?;
            Some(rest.lines().next()?.trim().to_owned())
        })
    }

    /// Status code and body of a GET.
    pub fn get(&self, path: &str) -> (u16, String) {
        http(&self.address(), "GET", path, "")
    }

    /// Waits until the readiness route answers with this status.
    pub fn wait_until_ready(&self, status: u16) {
        eventually(&format!("/readyz answers {status}"), || {
            (self.get("/readyz").0 == status).then_some(())
        });
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// SIGKILL: the program gets no chance to end anything.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end.
    pub fn end(mut self) -> Outcome {
        let status = eventually("the end of the program", || self.child.try_wait().unwrap());
        Outcome {
            code: status.code(),
            stdout: self.stdout.all(),
            stderr: self.stderr.all(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status code and body of a request; 0 where there is no connection.
pub fn http(address: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let (status, _, body) = http_with_head(address, method, path, body);
    (status, body)
}

/// The same with the lines before the body between them.
pub fn http_with_head(address: &str, method: &str, path: &str, body: &str) -> (u16, String, String) {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return (0, String::new(), String::new());
    };
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (status, head.to_owned(), body.to_owned())
}
