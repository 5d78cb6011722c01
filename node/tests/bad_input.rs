//! What can't work ends with one clear line and the documented exit code, and changes nothing.

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::{Database, blocks, lines, node, run, write_lines};
use node_storage::DbBackend;
use sqlx::Connection;

#[test]
fn a_command_line_that_can_not_work_is_a_usage_error() {
    let indexer = ["indexer", "--dlt-source", "file", "--ledger-file", "x.jsonl"];
    for (arguments, texts) in [
        (vec![], vec!["--db-url", "--db-backend sqlite"]),
        (
            vec!["--db-url", "mysql://u:secret@h/d"],
            vec!["mysql", "postgres://", "sqlite://"],
        ),
        (vec!["--db-url", "sqlite:///tmp/x.db"], vec!["postgres", "sqlite"]),
        (
            vec!["--db-backend", "sqlite", "--db-url", "postgres://u:secret@h/d"],
            vec!["postgres", "sqlite"],
        ),
        (vec!["--db-backend", "sqlite", "--db-url", "node.db"], vec!["no scheme"]),
        (
            vec!["--db-backend", "sqlite", "--db-read-url", "postgres://h/d"],
            vec!["--db-read-url", "sqlite"],
        ),
        (
            vec!["--follow", "--exit-when-synced"],
            vec!["--follow", "--exit-when-synced"],
        ),
        (vec!["--network", "testnet"], vec!["testnet"]),
        (vec!["--port", "65536"], vec!["65536"]),
    ] {
        let outcome = run(node(&[&indexer[..], &arguments].concat()));
        outcome.refused(2, &texts);
        assert!(!outcome.stderr.contains("secret"), "{}", outcome.stderr);
    }
}

#[test]
fn standard_input_can_not_be_followed() {
    let arguments = [
        "indexer",
        "--db-backend",
        "sqlite",
        "--dlt-source",
        "file",
        "--ledger-file",
        "-",
        "--follow",
    ];
    run(node(&arguments)).refused(2, &["--follow", "standard input"]);
}

#[test]
fn a_source_that_this_build_does_not_have_is_a_usage_error_that_names_those_it_has() {
    for source in ["koios", "oura"] {
        run(node(&[
            "indexer",
            "--db-backend",
            "sqlite",
            "--dlt-source",
            source,
            "--ledger-file",
            "x",
        ]))
        .refused(2, &[source, "file"]);
    }
}

#[test]
fn a_directory_that_can_not_be_made_is_named() {
    let database = Database::sqlite();
    let in_the_way = database.path("file");
    fs::write(&in_the_way, "").unwrap();
    let mut command = node(&["db", "migrate", "--db-backend", "sqlite", "--data-dir"]);
    command.arg(&in_the_way);
    run(command).refused(1, &[&in_the_way.display().to_string(), "--data-dir"]);
}

#[tokio::test]
async fn a_file_of_somebody_else_is_refused_and_left_as_it_is() {
    let database = Database::sqlite();
    let file = database.path("node.db");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("PRAGMA application_id = 7; CREATE TABLE theirs (id INTEGER)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    let other_application = fs::read(&file).unwrap();
    for content in [b"no database at all, but long enough".repeat(100), other_application] {
        fs::write(&file, &content).unwrap();
        run(database.node(&["db", "migrate"])).refused(1, &["node.db", "another path"]);
        assert_eq!(fs::read(&file).unwrap(), content);
    }
}

#[rstest::rstest]
#[tokio::test]
async fn a_newer_schema_is_refused_by_every_command(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    assert_eq!(run(database.node(&["db", "migrate"])).code, Some(0));
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 SELECT 9000, 'later', success, checksum, 0 FROM _sqlx_migrations LIMIT 1";
    match backend {
        DbBackend::Sqlite => {
            let mut connection = sqlx::SqliteConnection::connect(&database.url).await.unwrap();
            sqlx::raw_sql(later).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        DbBackend::Postgres => {
            let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
            sqlx::raw_sql(later).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks(1, 1)));
    for command in [
        database.node(&["db", "migrate"]),
        database.node(&["db", "status"]),
        database.node(&["resolver", "--port", "0"]),
        database.node(&["dev", "--port", "0"]),
        database.indexer(&ledger, &["--exit-when-synced"]),
    ] {
        run(command).refused(6, &["9000", "newer"]);
    }
}

#[rstest::rstest]
#[tokio::test]
async fn another_network_than_the_database_holds_is_refused_and_changes_nothing(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    let ledger = database.path("ledger.jsonl");
    write_lines(&ledger, &lines(&blocks(1, 2)));
    database.sync(&ledger);
    let before = database.content().await;
    for command in [
        database.indexer(&ledger, &["--exit-when-synced", "--network", "preview"]),
        database.node(&["resolver", "--port", "0", "--network", "preview"]),
        database.node(&["dev", "--port", "0", "--network", "preview"]),
        database.node(&["db", "status", "--network", "preview"]),
    ] {
        let mut arguments: Vec<_> = command.get_args().map(|argument| argument.to_str().unwrap()).collect();
        // `indexer` gives the network of the ledger first; the last one is meant.
        if let Some(first) = arguments.windows(2).position(|pair| pair == ["--network", "custom"]) {
            arguments.drain(first..first + 2);
        }
        run(node(&arguments)).refused(2, &["custom", "preview"]);
    }
    assert_eq!(database.content().await, before);
}

#[test]
fn a_second_writer_of_an_sqlite_file_waits_and_then_says_that_it_is_held() {
    let database = Database::sqlite();
    let first = common::Running::start(database.node(&["dev", "--port", "0"]));
    first.wait_until_ready(200);
    let second = ["db", "migrate", "--network", "custom", "--db-connect-timeout", "1"];
    let started = Instant::now();
    run(database.node(&second)).refused(5, &["node.db", "another process"]);
    let waited = started.elapsed();
    // Less than without the time-out.
    assert!(
        (Duration::from_secs(1)..Duration::from_secs(10)).contains(&waited),
        "{waited:?}"
    );
}

#[test]
fn a_server_that_can_not_be_reached_ends_the_program_after_the_time_out() {
    let url = [
        "--db-url",
        "postgres://user:secret@127.0.0.1:1/node",
        "--db-connect-timeout",
        "1",
    ];
    for command in [
        &["db", "status"][..],
        &["resolver", "--port", "0"],
        &["dev", "--port", "0"],
        &[
            "indexer",
            "--port",
            "0",
            "--dlt-source",
            "file",
            "--ledger-file",
            "x.jsonl",
        ],
    ] {
        let outcome = run(node(&[command, &url].concat()));
        outcome.refused(1, &["127.0.0.1:1", "within 1 s", "--db-url"]);
        assert!(!outcome.stderr.contains("secret"), "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn a_refused_log_in_is_told_without_the_password() {
    let Some(database) = Database::fresh(DbBackend::Postgres).await else {
        return;
    };
    let (_, rest) = database.url.split_once("://").unwrap();
    let server = rest.rsplit_once('@').map_or(rest, |(_, server)| server);
    let url = format!("postgres://nobody_at_all:secret@{server}");
    let outcome = run(node(&["db", "status", "--db-url", &url]));
    outcome.refused(1, &["nobody_at_all", "--db-url"]);
    assert!(!outcome.stderr.contains("secret"), "{}", outcome.stderr);
}

/// The rest of a password that is not encoded stands where a host, a database or a parameter is expected.
#[test]
fn a_password_that_is_not_percent_encoded_is_no_part_of_what_is_told() {
    for password in [
        "s3cr/et99",
        "s3cr?et99",
        "s3cr#et99",
        "12/et99",
        "12?et99",
        "12#et99",
        "s3cr@12/et99",
        "s3cr@et99?x=y",
    ] {
        let url = format!("postgres://user:{password}@db.example/node");
        for command in [&["db", "path"][..], &["db", "status"], &["resolver", "--port", "0"]] {
            let outcome = run(node(&[command, &["--db-url", &url]].concat()));
            outcome.refused(2, &["%2F stands for /", "%40 for @"]);
            for part in ["s3cr", "et99", "12/", "example"] {
                assert!(!outcome.stderr.contains(part), "{password}: {}", outcome.stderr);
            }
        }
    }
    // An @ alone is understood.
    let outcome = run(node(&[
        "db",
        "path",
        "--db-url",
        "postgres://user:s3cr@et99@db.example/node",
    ]));
    assert_eq!(
        outcome.stdout.trim_end(),
        "PostgreSQL at db.example:5432, database node"
    );
}

#[test]
fn a_parameter_that_is_not_understood_is_named_without_its_value() {
    let url = "postgres://user:pass@127.0.0.1:1/node?sslpassword=s3cret&keepalives=s3cret";
    let outcome = run(node(&[
        "db",
        "status",
        "--db-url",
        url,
        "--db-connect-timeout",
        "1",
        "-vvv",
    ]));
    assert!(!outcome.stderr.contains("s3cret"), "{}", outcome.stderr);
    for parameter in ["sslpassword", "keepalives"] {
        assert!(outcome.stderr.contains(parameter), "{}", outcome.stderr);
    }
}

#[test]
fn a_port_that_is_taken_is_named_before_the_database_is_touched() {
    let database = Database::sqlite();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    run(database.node(&["dev", "--port", &port])).refused(1, &[&port, "--port"]);
    assert!(!database.path("node.db").exists());
}
