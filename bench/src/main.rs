//! Backup and restore beside what the engines' own tools do with the same database, `node-bench [OPERATIONS …]`, and the hot
//! look-ups beside the same calls of the engines' own types, `node-bench lookups`; and reading a ledger beside decoding it from memory,
//! `node-bench sources`.
//!
//! Each measured step runs in a process of its own (this program again), so that its memory can be told. Needs `pg_dump`,
//! `pg_restore`, `sqlite3` and a PostgreSQL as the tests find one. Run it with `--release`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that can't go on ends"
)]

mod lookups;
mod sources;

use std::env;
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use node_storage::contract::{Access, Cursor, Network};
use node_storage::{DbBackend, DbBackendConfig, NodeStorageBackend, RawOperationRepo};
use node_storage_archive::{Archives, BackupOptions, Compression, Input, backup, restore};
use prism_fixtures::LedgerShape;
use serde_json::{Value, json};
use tempfile::TempDir;
use test_databases::{PostgresDatabase, PostgresServer};

const NETWORK: Network = Network::Custom;
/// Backups and dumps are made so often, in turn, and the fastest of each counts: whatever else the machine does makes a run slower.
const BACKUPS: usize = 3;
/// The memory that backup and restore may take, in MiB.
const MEMORY: f64 = 64.0;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some("step") = arguments.first().map(String::as_str) {
        let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
        println!("{}", step(&words).await);
        return;
    }
    if let Some("lookups") = arguments.first().map(String::as_str) {
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            let databases = Databases::new(backend, 1).await;
            let url = &databases.urls[0];
            fill(backend, url, 20_000).await;
            lookups::compare(backend, url).await;
        }
        return;
    }
    if let Some("sources") = arguments.first().map(String::as_str) {
        if !sources::compare().await {
            println!("\nA figure misses its target.");
        }
        return;
    }
    let mut counts: Vec<u64> = arguments.iter().filter_map(|count| count.parse().ok()).collect();
    if counts.is_empty() {
        counts.push(100_000);
    }
    let mut failed = false;
    for count in counts {
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            failed |= !compare(backend, count).await;
        }
    }
    if failed {
        println!("\nA figure misses its target.");
    }
}

/// Two figures, and how they should compare.
struct Line {
    what: String,
    ours: f64,
    theirs: Option<f64>,
    /// The most that ours divided by theirs may be; for figures without theirs, the most that ours may be.
    most: Option<f64>,
    unit: &'static str,
}

impl Line {
    fn print(&self) -> bool {
        let ratio = self.theirs.map(|theirs| self.ours / theirs);
        let judged = ratio.unwrap_or(self.ours);
        let is_met = self.most.is_none_or(|most| judged <= most);
        let theirs = self
            .theirs
            .map_or(String::new(), |theirs| format!("{theirs:10.2} {}", self.unit));
        let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}x"));
        let target = match (self.most, is_met) {
            (None, _) => String::new(),
            (Some(most), true) => format!("at most {most}: met"),
            (Some(most), false) => format!("at most {most}: MISSED"),
        };
        println!(
            "  {:<44}{:10.2} {:<4}{theirs:>16}{ratio:>8}  {target}",
            self.what, self.ours, self.unit
        );
        is_met
    }
}

/// Empty databases of an engine, which go when this does.
struct Databases {
    directory: TempDir,
    urls: Vec<String>,
    _postgres: Vec<PostgresDatabase>,
}

impl Databases {
    async fn new(backend: DbBackend, count: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut urls = Vec::new();
        let mut postgres = Vec::new();
        for number in 0..count {
            match backend {
                DbBackend::Sqlite => {
                    let file = directory.path().join(format!("{number}.db"));
                    urls.push(format!("sqlite://{}", file.display()));
                }
                DbBackend::Postgres => {
                    let database = PostgresServer::shared().await.unwrap().empty_database().await.unwrap();
                    urls.push(database.url().to_owned());
                    postgres.push(database);
                }
            }
        }
        Self {
            directory,
            urls,
            _postgres: postgres,
        }
    }
}

async fn compare(backend: DbBackend, count: u64) -> bool {
    let databases = Databases::new(backend, 3).await;
    let path = |name: &str| databases.directory.path().join(name);
    let [source, target, theirs] = databases.urls.as_slice() else {
        panic!("three databases")
    };
    println!("\n{backend}, {count} operations          ours            its own tool");
    let filled = Instant::now();
    fill(backend, source, count).await;
    println!("  (filled and indexed in {:.0} s)", filled.elapsed().as_secs_f64());

    let (zstd, plain, dump) = (path("zstd.archive"), path("plain.archive"), path("dump"));
    let number = |value: &Value, member: &str| value[member].as_f64().unwrap();
    let (mut dumped, mut backed_up, mut backed_up_plain) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    let mut backup_memory: f64 = 0.0;
    for _ in 0..BACKUPS {
        dumped = dumped.min(dump_with_its_tool(backend, source, &dump).as_secs_f64());
        for (seconds, file, compression) in [(&mut backed_up, &zstd, "zstd"), (&mut backed_up_plain, &plain, "none")] {
            let step = run(&["backup", backend.name(), source, text(file), compression]);
            *seconds = seconds.min(number(&step, "seconds"));
            backup_memory = backup_memory.max(number(&step, "memory"));
        }
    }
    let restored_by_tool = restore_with_its_tool(backend, theirs, &dump);
    let restored = run(&["restore", backend.name(), target, text(&zstd)]);
    let tool = match backend {
        DbBackend::Sqlite => ("sqlite3 .dump", "sqlite3 <dump"),
        DbBackend::Postgres => ("pg_dump -Fc", "pg_restore"),
    };
    let lines = [
        Line {
            what: format!("backup, against {}", tool.0),
            ours: backed_up,
            theirs: Some(dumped),
            most: Some(1.0),
            unit: "s",
        },
        Line {
            what: "backup --compression none".to_owned(),
            ours: backed_up_plain,
            theirs: Some(dumped),
            most: None,
            unit: "s",
        },
        Line {
            what: format!("restore up to the commit, against {}", tool.1),
            ours: number(&restored, "seconds"),
            theirs: Some(restored_by_tool.as_secs_f64()),
            most: Some(2.0),
            unit: "s",
        },
        Line {
            what: "indexing after it".to_owned(),
            ours: number(&restored, "indexing"),
            theirs: None,
            most: None,
            unit: "s",
        },
        Line {
            what: format!("size, against {}", tool.0),
            ours: mebibytes(&zstd),
            theirs: Some(mebibytes(&dump)),
            most: (backend == DbBackend::Postgres).then_some(1.0),
            unit: "MiB",
        },
        Line {
            what: "peak memory of backup".to_owned(),
            ours: backup_memory,
            theirs: None,
            most: Some(MEMORY),
            unit: "MiB",
        },
        Line {
            what: "peak memory of restore".to_owned(),
            ours: number(&restored, "memory"),
            theirs: None,
            most: Some(MEMORY),
            unit: "MiB",
        },
    ];
    // Every line is printed, also behind one that misses.
    lines.iter().filter(|line| !line.print()).count() == 0
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[allow(clippy::cast_precision_loss, clippy::as_conversions, reason = "a size for people")]
fn mebibytes(path: &Path) -> f64 {
    fs::metadata(path).unwrap().len() as f64 / 1_048_576.0
}

async fn connect(backend: &str, url: &str) -> NodeStorageBackend {
    let config = DbBackendConfig::new(backend.parse().unwrap(), Some(url), None, NETWORK).unwrap();
    NodeStorageBackend::connect(&config, Access::Write { migrate: true })
        .await
        .unwrap()
}

/// Ten operations a block, as a busy ledger has them; indexed.
async fn fill(backend: DbBackend, url: &str, count: u64) {
    let shape = LedgerShape {
        blocks: count / 10,
        dids: 1_000,
        invalid_per_mille: 50,
        ..LedgerShape::small(1)
    };
    let store = connect(backend.name(), url).await;
    let mut blocks = prism_fixtures::ledger(&shape);
    let mut stored = None;
    loop {
        let batch: Vec<_> = blocks.by_ref().take(500).collect();
        let Some(last) = batch.last() else { break };
        store.append(stored, &batch, Cursor::at(&last.into())).await.unwrap();
        stored = Some(Cursor::at(&last.into()));
    }
    node_service::index::index_all(&store).await.unwrap();
    store.close().await;
}

/// One measured step, in this process.
async fn step(words: &[&str]) -> Value {
    match words {
        ["backup", backend, url, file, compression] => {
            let store = connect(backend, url).await;
            let started = Instant::now();
            let options = BackupOptions {
                network: NETWORK,
                compression: if *compression == "zstd" {
                    Compression::Zstd
                } else {
                    Compression::None
                },
                base: None,
                progress: None,
            };
            let output = BufWriter::new(File::create(file).unwrap());
            let (_, output) = backup(&store, output, options).await.unwrap();
            output.into_inner().unwrap().sync_all().unwrap();
            json!({"seconds": started.elapsed().as_secs_f64(), "memory": peak_memory()})
        }
        ["restore", backend, url, file] => {
            let store = connect(backend, url).await;
            let started = Instant::now();
            let input = Input {
                name: (*file).to_owned(),
                bytes: Box::new(File::open(file).unwrap()),
            };
            let archives = Archives::open(input, Vec::new()).await.unwrap();
            restore(archives, &store, NETWORK, None).await.unwrap();
            let seconds = started.elapsed().as_secs_f64();
            let memory = peak_memory();
            let started = Instant::now();
            node_service::index::index_all(&store).await.unwrap();
            json!({"seconds": seconds, "memory": memory, "indexing": started.elapsed().as_secs_f64()})
        }
        ["read", name, flags @ ..] => sources::step(name, flags).await,
        _ => panic!("unknown step {words:?}"),
    }
}

/// The most memory that this process has had, in MiB (Linux; elsewhere 0).
fn peak_memory() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes: Option<f64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kibibytes.unwrap_or(0.0) / 1024.0
}

/// Runs a step in a process of its own.
fn run(words: &[&str]) -> Value {
    let output = Command::new(env::current_exe().unwrap())
        .arg("step")
        .args(words)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn dump_with_its_tool(backend: DbBackend, url: &str, file: &Path) -> Duration {
    let mut command = match backend {
        DbBackend::Sqlite => {
            let mut command = Command::new("sqlite3");
            command.args([url.trim_start_matches("sqlite://"), ".dump"]);
            command.stdout(File::create(file).unwrap());
            command
        }
        DbBackend::Postgres => {
            let mut command = Command::new(postgres_tool("pg_dump"));
            command.args(["-Fc", "--no-owner", "-f"]).arg(file).arg(url);
            command
        }
    };
    timed(&mut command)
}

fn restore_with_its_tool(backend: DbBackend, url: &str, file: &Path) -> Duration {
    let mut command = match backend {
        DbBackend::Sqlite => {
            let mut command = Command::new("sqlite3");
            command
                .arg(url.trim_start_matches("sqlite://"))
                .stdin(File::open(file).unwrap());
            command
        }
        DbBackend::Postgres => {
            let mut command = Command::new(postgres_tool("pg_restore"));
            command.args(["--no-owner", "-d", url]).arg(file);
            command
        }
    };
    timed(&mut command)
}

fn timed(command: &mut Command) -> Duration {
    let started = Instant::now();
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?} can't be run: {error}"));
    assert!(status.success(), "{command:?}");
    started.elapsed()
}

/// Of the newest installed version, where Debian puts them, or from the path.
fn postgres_tool(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut tools: Vec<_> = versions.map(|entry| entry.path().join("bin").join(name)).collect();
    tools.sort();
    tools
        .into_iter()
        .rev()
        .find(|tool| tool.exists())
        .unwrap_or_else(|| PathBuf::from(name))
}
