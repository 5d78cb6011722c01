//! Servers: who serves, who writes, and who waits for whom.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use common::{Database, Running, Signal, append, blocks, http, lines, node, run, write_lines};
use node_storage::DbBackend;
use prism_fixtures::{Identity, sample};
use rstest::rstest;
use sqlx::Connection;

#[rstest]
#[tokio::test]
async fn an_indexer_serves_on_after_the_end_of_its_file(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks(1, 5)));
    let node = Running::start(database.indexer(&ledger, &[]));
    node.wait_until_ready(200);
    database.wait_for_block(5);
    let (status, body) = node.get("/api/indexer-stats");
    assert_eq!(status, 200);
    assert!(body.contains(r#""last_prism_block_number":5"#), "{body}");
    node.signal(Signal::INT);
    assert_eq!(node.end().code, Some(0));
}

#[rstest]
#[tokio::test]
async fn a_resolver_waits_for_a_database_that_is_not_there_yet(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    let resolver = Running::start(database.node(&["resolver", "--port", "0", "--network", "custom"]));
    resolver.wait_until_ready(503);
    assert_eq!(resolver.get("/healthz").0, 200);
    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks(1, 5)));
    database.sync(&ledger);
    resolver.wait_until_ready(200);
    let did = database.content().await.listed[0].did;
    assert_eq!(resolver.get(&format!("/api/dids/did:prism:{did}/protobuf")).0, 200);
    resolver.signal(Signal::TERM);
    assert_eq!(resolver.end().code, Some(0));
}

#[rstest]
#[tokio::test]
async fn a_resolver_ends_when_the_database_turns_out_to_be_of_another_network(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    let resolver = Running::start(database.node(&["resolver", "--port", "0", "--network", "preprod"]));
    resolver.wait_until_ready(503);
    assert_eq!(
        run(database.node(&["db", "migrate", "--network", "custom"])).code,
        Some(0)
    );
    resolver.end().refused(2, &["custom", "preprod"]);
}

#[tokio::test]
async fn a_second_indexer_of_a_server_stands_by_and_takes_over() {
    let Some(database) = Database::fresh(DbBackend::Postgres).await else {
        return;
    };
    let ledger = database.path("ledger.jsonl");
    let lines = lines(&blocks(1, 4));
    write_lines(&ledger, &lines[..4]);
    let first = Running::start(database.indexer(&ledger, &["--follow"]));
    first.wait_for("writing");
    database.wait_for_block(1);

    run(database.indexer(&ledger, &["--exit-when-synced"])).refused(5, &["another process writes"]);
    run(database.node(&["dev", "--port", "0"])).refused(5, &["another process writes"]);

    let second = Running::start(database.indexer(&ledger, &["--follow"]));
    second.wait_for("standing by");
    second.wait_until_ready(200);
    first.kill();
    second.wait_for("writing");
    append(&ledger, &(lines[4..].join("\n") + "\n"));
    database.wait_for_block(3);
    assert_eq!(second.get("/readyz").0, 200);
}

#[tokio::test]
async fn a_writer_that_lost_its_connections_goes_on_when_it_has_them_back() {
    let Some(database) = Database::fresh(DbBackend::Postgres).await else {
        return;
    };
    let ledger = database.path("ledger.jsonl");
    let lines = lines(&blocks(1, 4));
    write_lines(&ledger, &lines[..4]);
    let node = Running::start(database.indexer(&ledger, &["--follow"]));
    node.wait_for("writing");
    database.wait_for_block(1);
    let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    node.wait_for("writing again");
    append(&ledger, &(lines[4..].join("\n") + "\n"));
    database.wait_for_block(3);
    assert_eq!(database.content().await.blocks(), [1, 2, 3]);
}

#[rstest]
#[tokio::test]
async fn dev_publishes_the_sample_once_and_says_what_to_try(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    let first = Running::start(database.node(&["dev", "--port", "0", "--sample"]));
    let did = sample()[0].did;
    first.wait_for_answer(&format!("/1.0/identifiers/did:prism:{did}"));
    assert_eq!(first.get(&format!("/1.0/identifiers/did:prism:{did}")).0, 200);
    first.signal(Signal::TERM);
    let outcome = first.end();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let before = database.content().await;

    let second = Running::start(database.node(&["dev", "--port", "0", "--sample"]));
    second.wait_for("into an empty database only");
    second.wait_for_answer(&format!("/1.0/identifiers/did:prism:{did}"));
    second.signal(Signal::TERM);
    assert_eq!(second.end().code, Some(0));
    assert_eq!(database.content().await, before);
}

#[rstest]
#[tokio::test]
async fn a_submission_is_seen_by_the_next_request_and_continues_the_stored_ledger(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    for index in 1..=2 {
        let dev = Running::start(database.node(&["dev", "--port", "0"]));
        dev.wait_until_ready(200);
        let identity = Identity::new(1, index);
        let operation = data_encoding::HEXLOWER.encode(&identity.create().bytes);
        let body = format!(r#"{{"signed_operations":["{operation}"]}}"#);
        let (status, answer) = http(&dev.address(), "POST", "/api/submissions/signed-operations", &body);
        assert!((200..300).contains(&status), "{status} {answer}");
        assert_eq!(dev.get(&format!("/1.0/identifiers/{}", identity.did())).0, 200);
        dev.signal(Signal::TERM);
        assert_eq!(dev.end().code, Some(0));
    }
    assert_eq!(database.content().await.blocks(), [1, 2]);
}

#[test]
fn files_and_directories_are_for_their_owner_alone() {
    let database = Database::sqlite();
    let data = database.path("data");
    let mut migrate = node(&[
        "db",
        "migrate",
        "--db-backend",
        "sqlite",
        "--network",
        "preview",
        "--data-dir",
    ]);
    migrate.arg(&data);
    assert_eq!(run(migrate).code, Some(0));
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("preview")), 0o700);
    for entry in fs::read_dir(data.join("preview")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn db_path_prints_the_place_and_opens_nothing() {
    let database = Database::sqlite();
    let outcome = run(database.node(&["db", "path"]));
    assert_eq!(
        outcome.stdout.trim_end(),
        database.path("node.db").display().to_string()
    );
    assert!(!database.path("node.db").exists());
    let url = "postgres://user:secret@db.example:5433/node";
    let outcome = run(node(&["db", "path", "--db-url", url]));
    assert!(outcome.stdout.contains("db.example:5433"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("secret"));
}

#[rstest]
#[tokio::test]
async fn db_status_tells_how_far_a_database_has_come(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    if backend == DbBackend::Sqlite {
        run(database.node(&["db", "status"])).refused(1, &["node.db"]);
    } else {
        assert_eq!(database.status()["schema"], "not migrated");
    }
    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks(1, 5)));
    database.sync(&ledger);
    let status = database.status();
    assert_eq!(status["backend"], backend.name());
    assert_eq!(status["schema"], "current");
    assert_eq!(status["network"], "custom");
    assert_eq!(status["operations"], 50);
    assert_eq!(status["cursor"]["block_number"], 5);
    assert_eq!(status["last_indexed_block"], status["cursor"]);
    assert_eq!(status["watermark"], status["last_position"]);
}

#[test]
fn openapi_prints_the_description_of_the_api() {
    let outcome = run(node(&["openapi"]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let document: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(document["paths"]["/1.0/identifiers/{did}"].is_object());
}

#[test]
fn a_taken_port_stops_a_server_and_not_a_run_that_ends_by_itself() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let database = Database::sqlite();
    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks(1, 3)));
    let ledger = ledger.to_str().unwrap();
    let indexer = [
        "indexer",
        "--network",
        "custom",
        "--dlt-source",
        "file",
        "--ledger-file",
        ledger,
        "--port",
        &port,
    ];
    run(database.node(&indexer)).refused(1, &[&port, "--port"]);
    let once = run(database.node(&[&indexer[..], &["--exit-when-synced"]].concat()));
    assert_eq!(once.code, Some(0));
    database.wait_for_block(3);
}
