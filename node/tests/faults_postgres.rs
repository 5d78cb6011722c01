//! What becomes of PostgreSQL, of the way to it and of the processes beside it, and what a node does then.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "all of this is test code"
)]

mod common;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use common::{Database, Running, Signal, append, blocks, http, http_with_head, lines, node, run, within, write_lines};
use fault_proxy::{FaultProxy, Opened};
use node_storage::{DbBackend, RawOperationRepo};
use rstest::rstest;
use sqlx::{Connection, PgConnection};

/// A killed writer is followed by the one that stands by within this time.
const AFTER_A_KILL: Duration = Duration::from_secs(2);
/// A writer that has vanished, or stands still.
const AFTER_SILENCE: Duration = Duration::from_secs(15);
/// What the server has heard of only by its own time-outs.
const PATIENCE: Duration = Duration::from_secs(30);

async fn fresh() -> Option<Database> {
    Database::fresh(DbBackend::Postgres).await
}

/// A ledger file with the first blocks, and the lines of those that follow.
fn ledger(database: &Database, first: usize) -> (PathBuf, Vec<String>) {
    let path = database.path("ledger.jsonl");
    let lines = lines(&blocks(1, 200));
    write_lines(&path, &lines[..2 * first]);
    (path, lines[2 * first..].to_vec())
}

/// The program that reads the first block of a ledger, and has written it.
fn writer(database: &Database, ledger: &Path) -> Running {
    let node = Running::start(database.indexer(ledger, &["--follow"]));
    node.wait_for("writing");
    node.wait_until_ready(200);
    node
}

async fn execute(connection: &mut PgConnection, statements: &str) {
    let statements = sqlx::AssertSqlSafe(statements.to_owned());
    sqlx::raw_sql(statements).execute(connection).await.unwrap();
}

fn cursor(database: &Database) -> Option<u64> {
    database.status()["cursor"]["block_number"].as_u64()
}

/// The connection that the lease hangs on stalls, and only that: the server knows nothing of it and keeps the lock.
#[rstest]
#[case::indexer("indexer")]
#[case::dev("dev")]
#[tokio::test]
async fn a_writer_whose_lease_stalls_takes_it_from_itself(#[case] command: &str) {
    let Some(database) = fresh().await else { return };
    let proxy = FaultProxy::before(database.server_address());
    let behind = database.at(proxy.address());
    let (ledger, more) = ledger(&database, 2);
    let node = match command {
        "dev" => Running::start(behind.node(&["dev", "--port", "0"])),
        _ => Running::start(behind.indexer(&ledger, &["--follow"])),
    };
    node.wait_for("writing");
    node.wait_until_ready(200);
    assert_eq!(proxy.silence("pg_try_advisory"), 1, "the lease has one connection");
    within(PATIENCE, "writing again", || {
        node.told().contains("writing again").then_some(())
    });
    assert!(!node.told().contains("another process"), "{}", node.told());
    node.wait_until_ready(200);
    if command == "indexer" {
        append(&ledger, &(more.join("\n") + "\n"));
        database.wait_for_block(100);
    }
    node.signal(Signal::TERM);
    assert_eq!(node.end().code, Some(0));
}

#[tokio::test]
async fn a_killed_writer_is_followed_within_2_seconds() {
    let Some(database) = fresh().await else { return };
    let (ledger, _) = ledger(&database, 2);
    let first = writer(&database, &ledger);
    let second = Running::start(database.indexer(&ledger, &["--follow"]));
    second.wait_for("standing by");
    first.kill();
    within(AFTER_A_KILL, "the second writes", || {
        second.told().contains("writing PostgreSQL").then_some(())
    });
}

#[tokio::test]
async fn a_writer_that_stands_still_is_followed_within_15_seconds_and_stands_by_when_it_goes_on() {
    let Some(database) = fresh().await else { return };
    let (ledger, more) = ledger(&database, 2);
    let first = writer(&database, &ledger);
    let second = Running::start(database.indexer(&ledger, &["--follow"]));
    second.wait_for("standing by");
    first.signal(Signal::STOP);
    within(AFTER_SILENCE, "the second writes", || {
        second.told().contains("writing PostgreSQL").then_some(())
    });
    append(&ledger, &(more.join("\n") + "\n"));
    database.wait_for_block(150);
    first.signal(Signal::CONT);
    first.wait_for("standing by");
    first.wait_until_ready(200);
    second.signal(Signal::TERM);
    assert_eq!(second.end().code, Some(0));
    first.wait_for("writing again");
    assert_eq!(database.content().await.blocks(), (1..=199).collect::<Vec<_>>());
}

/// The host has gone, or the network between: no end of a connection arrives, on either side.
#[tokio::test]
async fn a_writer_that_vanished_is_followed_within_15_seconds_and_is_not_ready() {
    let Some(database) = fresh().await else { return };
    let (ledger, more) = ledger(&database, 2);
    let proxy = FaultProxy::before(database.server_address());
    let first = writer(&database.at(proxy.address()), &ledger);
    let second = Running::start(database.indexer(&ledger, &["--follow"]));
    second.wait_for("standing by");
    proxy.when_opened(Opened::Silent);
    assert!(proxy.silence("") >= 2);
    within(AFTER_SILENCE, "the second writes", || {
        second.told().contains("writing PostgreSQL").then_some(())
    });
    assert_eq!(first.get("/readyz").0, 503, "{}", first.told());
    append(&ledger, &(more.join("\n") + "\n"));
    database.wait_for_block(150);
    proxy.heal();
    first.wait_for("standing by");
    first.wait_until_ready(200);
}

/// A process that stands still within a transaction holds the row of the cursor, which every writer locks first.
#[tokio::test]
async fn a_transaction_that_its_process_left_open_does_not_stop_the_next_writer() {
    let Some(database) = fresh().await else { return };
    let (ledger, more) = ledger(&database, 2);
    let first = writer(&database, &ledger);
    database.wait_for_block(1);
    let mut other = PgConnection::connect(&database.url).await.unwrap();
    // The cursor is locked first, then this table is written.
    execute(&mut other, "BEGIN; LOCK TABLE block IN EXCLUSIVE MODE").await;
    append(&ledger, &(more.join("\n") + "\n"));
    let waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'block'::regclass AND NOT granted";
    let mut look = PgConnection::connect(&database.url).await.unwrap();
    loop {
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut look).await.unwrap();
        if waiting > 0 {
            break;
        }
    }
    first.signal(Signal::STOP);
    execute(&mut other, "ROLLBACK").await;
    let second = Running::start(database.indexer(&ledger, &["--follow"]));
    within(AFTER_SILENCE, "the second writes", || {
        second.told().contains("writing PostgreSQL").then_some(())
    });
    within(AFTER_SILENCE, "the blocks are stored", || {
        (cursor(&database) >= Some(150)).then_some(())
    });
}

/// Somebody else's transaction, which no time-out of ours ends.
#[tokio::test]
async fn a_lock_that_is_waited_for_is_told_once_with_its_holder() {
    let Some(database) = fresh().await else { return };
    let (ledger, more) = ledger(&database, 2);
    let node = writer(&database, &ledger);
    database.wait_for_block(1);
    let mut other = PgConnection::connect(&database.url).await.unwrap();
    execute(
        &mut other,
        "SET application_name = 'somebody else'; BEGIN; SELECT slot FROM dlt_cursor FOR UPDATE",
    )
    .await;
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut other)
        .await
        .unwrap();
    append(&ledger, &(more.join("\n") + "\n"));
    node.wait_until_ready(503);
    node.wait_for("somebody else");
    let told = node.told();
    let holder: Vec<_> = told.lines().filter(|line| line.contains("somebody else")).collect();
    assert_eq!(holder.len(), 1, "{told}");
    assert!(holder[0].contains(&format!("process {pid}")), "{}", holder[0]);
    assert!(holder[0].contains("idle in transaction"), "{}", holder[0]);
    execute(&mut other, "ROLLBACK").await;
    database.wait_for_block(150);
    node.wait_until_ready(200);
    let told = node.told();
    assert_eq!(told.matches("somebody else").count(), 1, "{told}");
}

/// What can stand between a node and its server while that restarts.
#[derive(Debug, Clone, Copy)]
enum Away {
    /// A proxy that accepts and closes.
    Closing,
    /// Nothing comes, not even an end.
    Silent,
    /// Nobody listens.
    Refusing,
}

fn take_away(proxy: &mut Option<FaultProxy>, how: Away) {
    match (how, &proxy) {
        (Away::Closing, Some(standing)) => {
            standing.when_opened(Opened::Closed);
            standing.cut();
        }
        (Away::Silent, Some(standing)) => {
            standing.when_opened(Opened::Silent);
            standing.silence("");
        }
        (Away::Refusing, _) => *proxy = None,
        (_, None) => unreachable!("it stands"),
    }
}

#[rstest]
#[tokio::test]
async fn an_outage_is_answered_with_503_and_retry_after_within_2_seconds(
    #[values(Away::Closing, Away::Silent, Away::Refusing)] how: Away,
) {
    let Some(database) = fresh().await else { return };
    let (ledger, _) = ledger(&database, 100);
    database.sync(&ledger);
    let did = format!("did:prism:{}", database.content().await.listed[0].did);
    let mut proxy = Some(FaultProxy::before(database.server_address()));
    let behind = database.at(proxy.as_ref().unwrap().address());
    let resolver = Running::start(behind.node(&["resolver", "--port", "0", "--network", "custom"]));
    resolver.wait_until_ready(200);
    let paths = [
        ("/api/indexer-stats".to_owned(), "application/problem+json"),
        (format!("/1.0/identifiers/{did}"), "application/did-resolution"),
    ];
    let before: Vec<_> = paths.iter().map(|(path, _)| resolver.get(path)).collect();
    take_away(&mut proxy, how);
    for (path, content_type) in &paths {
        let started = Instant::now();
        let (status, head, body) = http_with_head(&resolver.address(), "GET", path, "");
        let elapsed = started.elapsed();
        assert_eq!(status, 503, "{path}: {body}");
        assert!(elapsed < Duration::from_secs(2), "{path}: {elapsed:?}");
        let head = head.to_ascii_lowercase();
        assert!(head.contains("\nretry-after: "), "{path}: {head}");
        assert!(
            head.contains(&format!("\ncontent-type: {content_type}")),
            "{path}: {head}"
        );
        assert!(!body.contains("pool") && !body.contains("127.0.0.1"), "{path}: {body}");
    }
    assert_eq!(resolver.get("/readyz").0, 503);
    assert_eq!(resolver.get("/healthz").0, 200);
    resolver.wait_for("waiting for the database");
    if let Some(proxy) = &proxy {
        proxy.heal();
        resolver.wait_until_ready(200);
        resolver.wait_for("again");
        let after: Vec<_> = paths.iter().map(|(path, _)| resolver.get(path)).collect();
        assert_eq!(after, before);
    }
    resolver.signal(Signal::TERM);
    assert_eq!(resolver.end().code, Some(0));
}

/// An error of the server as it goes over the wire ("Message Formats" of the PostgreSQL documentation).
fn error_response(code: &str, message: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap();
    [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat()
}

/// What passes by itself, when the program starts.
#[rstest]
#[tokio::test]
async fn a_server_that_is_not_there_yet_is_waited_for_at_start_and_that_is_told(
    #[values("closes", "57P03", "53300", "57P01")] how: &str,
    #[values("indexer", "resolver", "dev")] command: &str,
) {
    let Some(database) = fresh().await else { return };
    let (ledger, _) = ledger(&database, 2);
    database.sync(&ledger);
    let proxy = FaultProxy::before(database.server_address());
    let mut behind = database.at(proxy.address());
    let said = if how == "closes" {
        proxy.when_opened(Opened::Closed);
        "the connection was closed before a session began"
    } else {
        // Without asking for TLS, the first message is the one that begins a session.
        behind.url += "?sslmode=disable";
        proxy.when_opened(Opened::Answered(error_response(how, "not just now")));
        "not just now"
    };
    let node = Running::start(match command {
        "indexer" => behind.indexer(&ledger, &[]),
        "dev" => behind.node(&["dev", "--port", "0", "--network", "custom"]),
        _ => behind.node(&["resolver", "--port", "0", "--network", "custom"]),
    });
    node.wait_for("waiting for PostgreSQL at 127.0.0.1:");
    node.wait_for(said);
    node.wait_until_ready(503);
    proxy.heal();
    node.wait_until_ready(200);
    node.signal(Signal::TERM);
    let outcome = node.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(
        outcome.stderr.matches("waiting for PostgreSQL").count(),
        1,
        "{}",
        outcome.stderr
    );
}

/// The same under a running node.
#[rstest]
#[tokio::test]
async fn a_server_that_goes_away_is_waited_for_in_flight(
    #[values("closes", "57P03", "53300", "28000", "3D000")] how: &str,
) {
    let Some(database) = fresh().await else { return };
    let (ledger, more) = ledger(&database, 2);
    let proxy = FaultProxy::before(database.server_address());
    let mut behind = database.at(proxy.address());
    if how != "closes" {
        behind.url += "?sslmode=disable";
    }
    let node = writer(&behind, &ledger);
    proxy.when_opened(match how {
        "closes" => Opened::Closed,
        code => Opened::Answered(error_response(code, "not just now")),
    });
    proxy.cut();
    node.wait_for("stopped writing");
    append(&ledger, &(more.join("\n") + "\n"));
    node.wait_until_ready(503);
    proxy.heal();
    node.wait_for("writing again");
    database.wait_for_block(199);
    node.wait_until_ready(200);
    node.signal(Signal::TERM);
    assert_eq!(node.end().code, Some(0));
    assert_eq!(database.content().await.blocks(), (1..=199).collect::<Vec<_>>());
}

/// A read that was cut off is sent once more. Where no connection comes about for that, it was still the connection that was lost:
/// the log-in that is refused meanwhile is no reason to end.
#[tokio::test]
async fn a_read_that_is_cut_off_while_log_ins_are_refused_may_be_repeated() {
    let Some(database) = fresh().await else { return };
    let (ledger, _) = ledger(&database, 10);
    database.sync(&ledger);
    let proxy = FaultProxy::before(database.server_address());
    let mut behind = database.at(proxy.address());
    behind.url += "?sslmode=disable";
    let store = behind.store().await;
    let mut other = PgConnection::connect(&database.url).await.unwrap();
    execute(&mut other, "BEGIN; LOCK TABLE block IN ACCESS EXCLUSIVE MODE").await;
    let reading = tokio::spawn({
        let store = store.clone();
        async move { store.block(5_u64.try_into().unwrap()).await }
    });
    let waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'block'::regclass AND NOT granted";
    let mut look = PgConnection::connect(&database.url).await.unwrap();
    while sqlx::query_scalar::<_, i64>(waiting)
        .fetch_one(&mut look)
        .await
        .unwrap()
        == 0
    {
        tokio::task::yield_now().await;
    }
    proxy.when_opened(Opened::Answered(error_response("28000", "not just now")));
    proxy.cut();
    let error = reading.await.unwrap().unwrap_err();
    assert!(error.is_retryable(), "{error}");
    execute(&mut other, "ROLLBACK").await;
    proxy.heal();
    assert!(store.block(5_u64.try_into().unwrap()).await.unwrap().is_some());
}

/// 1,000 connections are cut, whatever they carry: nothing is lost, and nothing is stored twice.
#[tokio::test]
async fn a_thousand_cut_connections_lose_nothing() {
    let (Some(undisturbed), Some(database)) = (fresh().await, fresh().await) else {
        return;
    };
    let (whole, _) = ledger(&undisturbed, 200);
    undisturbed.sync(&whole);
    let (ledger, more) = ledger(&database, 2);
    let proxy = FaultProxy::before(database.server_address());
    let node = writer(&database.at(proxy.address()), &ledger);
    let (mut cut, mut more) = (0, more.into_iter());
    while cut < 1_000 {
        if let Some(line) = more.next() {
            append(&ledger, &(line + "\n"));
        }
        // The node pauses before it connects again, requests do not.
        let _ = node.get("/api/indexer-stats");
        cut += proxy.cut();
    }
    for line in more {
        append(&ledger, &(line + "\n"));
    }
    database.wait_for_block(199);
    node.signal(Signal::TERM);
    assert_eq!(node.end().code, Some(0));
    let lost = 199 - database.content().await.blocks().len();
    println!("connections cut: {cut}, operations lost: {lost}");
    database.sync(&ledger);
    assert_eq!(database.content().await, undisturbed.content().await);
}

#[test]
fn a_host_that_no_name_server_knows_is_waited_for_and_named() {
    let url = "postgres://user:secret@no-such-host.invalid/node";
    let outcome = run(node(&["db", "status", "--db-url", url, "--db-connect-timeout", "2"]));
    outcome.refused(1, &["no-such-host.invalid", "within 2 s"]);
    assert!(outcome.stderr.contains("waiting for PostgreSQL"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("secret"), "{}", outcome.stderr);
}

/// What nobody mends by waiting fails at once, however long the program would wait for a server.
#[tokio::test]
async fn what_does_not_pass_fails_at_once_at_start() {
    let Some(database) = fresh().await else { return };
    let mut wrong: url::Url = database.url.parse().unwrap();
    wrong.set_password(Some("wr0ng")).unwrap();
    let with = |query: &str| format!("{}?{query}", database.url);
    let no_database = FaultProxy::before(database.server_address());
    no_database.when_opened(Opened::Answered(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()));
    let missing = database.path("missing.pem").display().to_string();
    let cases = [
        (wrong.to_string(), "password authentication failed".to_owned()),
        (
            with(&format!("sslmode=verify-ca&sslrootcert={missing}")),
            missing.clone(),
        ),
        (with(&format!("sslcert={missing}&sslkey={missing}")), missing.clone()),
        (with("sslmode=verify-full"), "does not support TLS".to_owned()),
        (
            database.at(no_database.address()).url,
            "not a PostgreSQL server".to_owned(),
        ),
    ];
    for (url, said) in cases {
        let started = Instant::now();
        let outcome = run(node(&["db", "status", "--db-url", &url, "--db-connect-timeout", "60"]));
        outcome.refused(1, &[&said]);
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "{said}: {:?}",
            started.elapsed()
        );
        assert!(!outcome.stderr.contains("wr0ng"), "{}", outcome.stderr);
    }
}

/// A role of its own, which is dropped with the value.
struct Role {
    name: String,
    admin: PgConnection,
}

impl Role {
    async fn create(database: &Database, rights: &str) -> (Self, Database) {
        let mut admin = PgConnection::connect(&database.url).await.unwrap();
        let name: String = sqlx::query_scalar("SELECT 'role_' || current_database()")
            .fetch_one(&mut admin)
            .await
            .unwrap();
        execute(
            &mut admin,
            &format!(
                "DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN PASSWORD 'first'; {}",
                rights.replace("$role", &name)
            ),
        )
        .await;
        let mut behind = database.at(database.server_address());
        let mut url: url::Url = behind.url.parse().unwrap();
        url.set_username(&name).unwrap();
        url.set_password(Some("first")).unwrap();
        behind.url = url.to_string();
        (Self { name, admin }, behind)
    }

    async fn execute(&mut self, statements: &str) {
        execute(&mut self.admin, &statements.replace("$role", &self.name)).await;
    }

    async fn end_sessions(&mut self) {
        sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1")
            .bind(&self.name)
            .execute(&mut self.admin)
            .await
            .unwrap();
    }

    /// Drops it; what it owns goes with the database.
    async fn drop(mut self) {
        self.execute("DROP OWNED BY $role CASCADE; DROP ROLE $role").await;
    }
}

#[tokio::test]
async fn a_password_that_is_changed_under_running_nodes_is_waited_for_and_told() {
    let Some(database) = fresh().await else { return };
    let (mut role, behind) = Role::create(&database, "GRANT CREATE ON SCHEMA public TO $role").await;
    let (ledger, more) = ledger(&database, 2);
    let indexer = writer(&behind, &ledger);
    let resolver = Running::start(behind.node(&["resolver", "--port", "0", "--network", "custom"]));
    resolver.wait_until_ready(200);
    role.execute("ALTER ROLE $role PASSWORD 'second'").await;
    role.end_sessions().await;
    for node in [&indexer, &resolver] {
        node.wait_for("password authentication failed");
        node.wait_until_ready(503);
    }
    append(&ledger, &(more.join("\n") + "\n"));
    role.execute("ALTER ROLE $role PASSWORD 'first'").await;
    database.wait_for_block(199);
    for node in [indexer, resolver] {
        node.wait_until_ready(200);
        node.signal(Signal::TERM);
        let outcome = node.end();
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("first"), "{}", outcome.stderr);
    }
    role.drop().await;
}

#[tokio::test]
async fn a_role_that_may_not_create_tables_is_told_what_it_needs() {
    let Some(database) = fresh().await else { return };
    let (role, behind) = Role::create(&database, "REVOKE CREATE ON SCHEMA public FROM PUBLIC").await;
    run(behind.node(&["db", "migrate", "--network", "custom"]))
        .refused(1, &["permission denied", "GRANT CREATE ON SCHEMA", "search_path"]);
    role.drop().await;
}

#[tokio::test]
async fn a_node_holds_no_more_connections_than_it_may() {
    let Some(database) = fresh().await else { return };
    let (role, behind) = Role::create(
        &database,
        "GRANT CREATE ON SCHEMA public TO $role; ALTER ROLE $role CONNECTION LIMIT 3",
    )
    .await;
    let (ledger, more) = ledger(&database, 2);
    let node = Running::start(behind.indexer(&ledger, &["--follow", "--db-max-connections", "3"]));
    node.wait_until_ready(200);
    append(&ledger, &(more.join("\n") + "\n"));
    let address = node.address();
    let asking: Vec<_> = (0..8)
        .map(|_| {
            let address = address.clone();
            thread::spawn(move || {
                for _ in 0..40 {
                    let (status, body) = http(&address, "GET", "/api/indexer-stats", "");
                    assert_eq!(status, 200, "{body}");
                }
            })
        })
        .collect();
    for asking in asking {
        asking.join().unwrap();
    }
    database.wait_for_block(199);
    node.signal(Signal::TERM);
    let outcome = node.end();
    assert!(!outcome.stderr.contains("too many connections"), "{}", outcome.stderr);
    role.drop().await;
}

/// A time-out of the server's is no other process.
#[tokio::test]
async fn a_statement_that_the_server_cuts_off_is_told_as_that() {
    let Some(database) = fresh().await else { return };
    let (ledger, more) = ledger(&database, 2);
    let mut behind = database.at(database.server_address());
    behind.url += "?options=-c%20statement_timeout%3D300ms";
    let node = writer(&behind, &ledger);
    database.wait_for_block(1);
    let mut other = PgConnection::connect(&database.url).await.unwrap();
    execute(&mut other, "BEGIN; SELECT slot FROM dlt_cursor FOR UPDATE").await;
    append(&ledger, &(more.join("\n") + "\n"));
    node.wait_for("statement_timeout");
    assert!(!node.told().contains("another process"), "{}", node.told());
    execute(&mut other, "ROLLBACK").await;
    database.wait_for_block(199);
}
