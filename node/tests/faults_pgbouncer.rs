//! A node behind PgBouncer, in each of its modes, as it is set up without a thought of this program.
//!
//! The tests need `pgbouncer` (a package of that name) and, for the one of certificates, `openssl`. Without them they say that they
//! asserted nothing, and fail where `TEST_PGBOUNCER=required`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of this is test code"
)]

mod common;

use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Database, Running, Signal, append, blocks, eventually, http, lines, run, within, write_lines};
use node_storage::DbBackend;
use rstest::rstest;

/// A PgBouncer before the server of a database, until it is dropped.
struct PgBouncer {
    child: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

/// Where a program is; `None`, and that is told, where it is not.
fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|file| file.is_file());
    if found.is_none() {
        let text = format!("{name} is not on this machine, so this test asserted nothing; install the package {name}");
        assert_ne!(std::env::var("TEST_PGBOUNCER").as_deref(), Ok("required"), "{text}");
        eprintln!("{text}");
    }
    found
}

impl PgBouncer {
    /// `None` where there is no PgBouncer.
    fn before(database: &Database, settings: &str) -> Option<Self> {
        let program = found("pgbouncer")?;
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        // Free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let server = database.server_address();
        let url: url::Url = database.url.parse().unwrap();
        let file = directory.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={} port={} user={} password={}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\nunix_socket_dir =\nauth_type = any\n{settings}\n",
            server.ip(),
            server.port(),
            url.username(),
            url.password().unwrap_or_default(),
            address.port(),
        );
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        let mut command = Command::new(program);
        if rustix::process::geteuid().is_root() {
            command.args(["--user", "nobody"]);
        }
        let child = command
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually("PgBouncer", || TcpStream::connect(address).ok());
        Some(Self {
            child,
            address,
            _directory: directory,
        })
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Few sessions for many connections, so that they change hands all the time.
const TRANSACTIONS: &str = "pool_mode = transaction\ndefault_pool_size = 5";
const SESSIONS: &str = "pool_mode = session\ndefault_pool_size = 60";

async fn fresh() -> Option<Database> {
    Database::fresh(DbBackend::Postgres).await
}

/// Everything a node does: migrating, writing, standing by and taking over, serving, backing up and restoring.
#[rstest]
#[case::transaction(TRANSACTIONS)]
#[case::session(SESSIONS)]
#[tokio::test]
async fn a_node_behind_pgbouncer_does_what_it_does_without(#[case] settings: &str) {
    let (Some(undisturbed), Some(database), Some(restored)) = (fresh().await, fresh().await, fresh().await) else {
        return;
    };
    let Some(pgbouncer) = PgBouncer::before(&database, settings) else {
        return;
    };
    let behind = database.at(pgbouncer.address);
    let lines = lines(&blocks(1, 200));
    let whole = undisturbed.path("whole.jsonl");
    write_lines(&whole, &lines);
    undisturbed.sync(&whole);
    let expected = undisturbed.content().await;

    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines[..100]);
    let first = Running::start(behind.indexer(&ledger, &["--follow"]));
    first.wait_for("writing PostgreSQL");
    let second = Running::start(behind.indexer(&ledger, &["--follow"]));
    second.wait_for("standing by");
    run(behind.node(&["dev", "--port", "0"])).refused(5, &["another process writes"]);
    let resolver = Running::start(behind.node(&["resolver", "--port", "0", "--network", "custom"]));
    resolver.wait_until_ready(200);
    database.wait_for_block(48);
    first.kill();
    within(Duration::from_secs(3), "the second writes", || {
        second.told().contains("writing PostgreSQL").then_some(())
    });
    append(&ledger, &(lines[100..].join("\n") + "\n"));

    // Many connections at a time, each with another statement.
    let dids: Vec<String> = expected
        .listed
        .iter()
        .take(40)
        .map(|listed| listed.did.to_string())
        .collect();
    let address = resolver.address();
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let (address, dids) = (address.clone(), dids.clone());
            thread::spawn(move || {
                for did in &dids {
                    for path in [
                        format!("/1.0/identifiers/did:prism:{did}"),
                        "/api/indexer-stats".to_owned(),
                    ] {
                        let (status, body) = http(&address, "GET", &path, "");
                        assert!([200, 404, 410].contains(&status), "{path}: {status} {body}");
                        assert!(
                            status != 200 || path.starts_with("/api") || body.contains(did),
                            "{path}: {body}"
                        );
                    }
                }
            })
        })
        .collect();
    for asking in asking {
        asking.join().unwrap();
    }
    behind.wait_for_block(199);
    for node in [second, resolver] {
        node.signal(Signal::TERM);
        let outcome = node.end();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("prepared statement"), "{}", outcome.stderr);
    }
    behind.sync(&ledger);
    assert_eq!(database.content().await, expected);

    let archive = database.path("archive");
    let archive = archive.to_str().unwrap();
    let outcome = run(behind.node(&["backup", "--network", "custom", "--output", archive]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let outcome = run(restored
        .at(pgbouncer.address)
        .node(&["restore", "--network", "custom", "--input", archive]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let content = restored.content().await;
    assert_eq!(content.operations, expected.operations);
    assert_eq!(content.listed, expected.listed);
}

/// What the URL says is not found out.
#[tokio::test]
async fn a_url_says_that_a_pooler_is_between() {
    let Some(database) = fresh().await else { return };
    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks(1, 20)));
    let mut said = database.at(database.server_address());
    said.url += "?pool_mode=transaction";
    said.sync(&ledger);
    assert_eq!(database.content().await.blocks().len(), 20);
    said.url = database.url.clone() + "?pool_mode=statement";
    run(said.node(&["db", "status"])).refused(2, &["pool_mode", "session or transaction"]);
}

#[tokio::test]
async fn a_pool_of_statements_is_refused_with_what_to_do() {
    let Some(database) = fresh().await else { return };
    let Some(pgbouncer) = PgBouncer::before(&database, "pool_mode = statement") else {
        return;
    };
    let behind = database.at(pgbouncer.address);
    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks(1, 2)));
    for command in [
        behind.node(&["db", "migrate"]),
        behind.node(&["db", "status"]),
        behind.node(&["resolver", "--port", "0"]),
        behind.node(&["dev", "--port", "0"]),
        behind.indexer(&ledger, &[]),
    ] {
        let started = Instant::now();
        run(command).refused(1, &["pool_mode to transaction or session"]);
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }
}

fn openssl(directory: &Path, arguments: &str) {
    let outcome = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));
}

/// Who names the authority wants it to be asked: `sslmode=require` with `sslrootcert` is `verify-ca`, as libpq has it.
#[tokio::test]
async fn a_certificate_is_verified_as_libpq_does() {
    let Some(database) = fresh().await else { return };
    let Some(_) = found("openssl") else { return };
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    for authority in ["ours", "other"] {
        openssl(
            directory.path(),
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN={authority} -keyout {authority}.key -out {authority}.pem"
            ),
        );
    }
    openssl(
        directory.path(),
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=db.example -addext subjectAltName=DNS:db.example -keyout server.key -out server.csr",
    );
    openssl(
        directory.path(),
        "x509 -req -in server.csr -CA ours.pem -CAkey ours.key -CAcreateserial -days 30 -copy_extensions copy -out server.pem",
    );
    fs::set_permissions(directory.path().join("server.key"), Permissions::from_mode(0o644)).unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let settings = format!(
        "{SESSIONS}\nclient_tls_sslmode = require\nclient_tls_key_file = {}\nclient_tls_cert_file = {}",
        path("server.key"),
        path("server.pem")
    );
    let Some(pgbouncer) = PgBouncer::before(&database, &settings) else {
        return;
    };
    let url = database.at(pgbouncer.address).url;
    let status = |query: String| {
        let mut behind = database.at(pgbouncer.address);
        behind.url = format!("{url}?{query}");
        run(behind.node(&["db", "status", "--db-connect-timeout", "60"]))
    };
    let (ours, other) = (path("ours.pem"), path("other.pem"));
    for accepted in [
        "sslmode=require".to_owned(),
        format!("sslmode=require&sslrootcert={ours}"),
        format!("sslmode=verify-ca&sslrootcert={ours}"),
    ] {
        let outcome = status(accepted.clone());
        assert_eq!(outcome.code, Some(0), "{accepted}: {}", outcome.stderr);
    }
    for (refused, said) in [
        (format!("sslmode=require&sslrootcert={other}"), "certificate"),
        (format!("sslmode=verify-ca&sslrootcert={other}"), "certificate"),
        (format!("sslmode=verify-full&sslrootcert={ours}"), "certificate"),
    ] {
        let started = Instant::now();
        status(refused.clone()).refused(1, &["127.0.0.1", said]);
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{refused}: {:?}",
            started.elapsed()
        );
    }
}
