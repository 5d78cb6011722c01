//! The command, and through it what is true for a machine: where the server comes from, and who shares it.
//!
//! Each test has a temporary directory of its own, so that it starts and stops servers that nobody else uses. Those that
//! start one need server binaries.

#![allow(clippy::unwrap_used, reason = "all of this is test code")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use common::{ABSENT_IMAGE, Machine, TIME_BUILT, count, execute, exists, migrations_directory, stderr, stdout, unique};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use test_databases::{PostgresServer, Source};

#[tokio::test]
async fn an_image_that_cannot_be_had_is_printed_and_server_binaries_are_used() {
    let machine = Machine::new();
    let up = machine.command().arg("up").output().unwrap();
    assert!(up.status.success(), "{}", stderr(&up));
    assert!(
        stderr(&up).contains(&format!("no container of {ABSENT_IMAGE}: ")),
        "{}",
        stderr(&up)
    );
    assert!(stderr(&up).contains(" from server binaries in /"), "{}", stderr(&up));
    assert_eq!(count(stdout(&up), "SELECT 1::bigint").await, 1);
}

#[test]
fn processes_that_start_at_the_same_time_share_one_server() {
    let machine = Machine::new();
    let start = || {
        machine
            .command()
            .arg("up")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let processes: Vec<_> = (0..4).map(|_| start()).collect();
    let mut urls: Vec<String> = processes
        .into_iter()
        .map(|process| stdout(&process.wait_with_output().unwrap()).to_owned())
        .collect();
    urls.dedup();
    assert_eq!(urls.len(), 1, "{urls:?}");
    assert!(urls[0].starts_with("postgres://"), "{urls:?}");
}

#[tokio::test]
async fn processes_that_start_at_the_same_time_build_one_template() {
    let machine = Machine::new();
    // Each keeps its database until its standard input is closed.
    let start = || {
        let mut command = machine.command();
        command
            .args(["with", "--postgres-migrations"])
            .arg(migrations_directory("postgres"));
        command.args(["--", "sh", "-c", "echo $POSTGRES_DATABASE_URL; cat"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut processes: Vec<_> = (0..4).map(|_| start()).collect();

    let mut times_built = Vec::new();
    for process in &mut processes {
        let mut url = String::new();
        BufReader::new(process.stdout.as_mut().unwrap())
            .read_line(&mut url)
            .unwrap();
        times_built.push(count(url.trim_end(), TIME_BUILT).await);
    }
    for mut process in processes {
        drop(process.stdin.take());
        assert!(process.wait().unwrap().success());
    }
    times_built.dedup();
    assert_eq!(times_built.len(), 1);
}

#[test]
fn the_server_outlives_the_process_and_serves_the_next() {
    let machine = Machine::new();
    let first = machine.command().arg("up").output().unwrap();
    let second = machine.command().arg("up").output().unwrap();
    assert_eq!(stdout(&first), stdout(&second));
    // What was found stands in the record: nothing is pulled again.
    assert!(!stderr(&second).contains("no container"), "{}", stderr(&second));
}

#[tokio::test]
async fn a_server_that_has_ended_is_replaced() {
    let machine = Machine::new();
    let first = machine.command().arg("up").output().unwrap();
    let data = machine
        .left()
        .into_iter()
        .find(|name| name.starts_with("test-databases-postgres-"))
        .unwrap();
    let lock_file = fs::read_to_string(machine.path().join(&data).join("data/postmaster.pid")).unwrap();
    let process = lock_file.lines().next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(process).unwrap(), Signal::KILL).unwrap();

    let second = machine.command().arg("up").output().unwrap();

    assert_ne!(stdout(&first), stdout(&second));
    assert_eq!(count(stdout(&second), "SELECT 1::bigint").await, 1);
    assert!(
        !machine.left().contains(&data),
        "the directory of the server that has ended is still there"
    );
}

#[tokio::test]
async fn down_stops_the_server_and_removes_its_data() {
    let machine = Machine::new();
    let up = machine.command().arg("up").output().unwrap();
    let down = machine.command().arg("down").output().unwrap();
    assert!(down.status.success());
    assert!(stdout(&down).starts_with("stopped PostgreSQL "), "{}", stdout(&down));
    assert!(
        !machine
            .left()
            .iter()
            .any(|name| name.starts_with("test-databases-postgres-")),
        "{:?}",
        machine.left()
    );
    assert!(execute(stdout(&up), "SELECT 1").await.is_err());
}

#[test]
fn a_migrated_file_is_kept_for_other_processes_until_down() {
    let machine = Machine::new();
    let with_file = || {
        let mut command = machine.command();
        command
            .args(["with", "--sqlite-migrations"])
            .arg(migrations_directory("sqlite"));
        command.args(["--", "sh", "-c", "md5sum <${SQLITE_DATABASE_URL#sqlite://}"]);
        command.output().unwrap()
    };
    let templates = || {
        let shared = machine.path().join(machine.left().first().unwrap());
        let names = fs::read_dir(shared).unwrap().map(|entry| entry.unwrap().path());
        names
            .filter(|path| path.extension().is_some_and(|extension| extension == "sqlite"))
            .count()
    };
    // The time of each migration stands in the file: a second one would differ.
    assert_eq!(stdout(&with_file()), stdout(&with_file()));
    assert_eq!(templates(), 1);
    machine.command().arg("down").output().unwrap();
    assert_eq!(templates(), 0);
}

#[test]
fn down_without_a_server_says_so_and_succeeds() {
    let down = Machine::new().command().arg("down").output().unwrap();
    assert!(down.status.success());
    assert_eq!(stdout(&down), "no server to stop");
}

#[tokio::test]
async fn the_server_of_the_url_is_used_first_and_nothing_is_started() {
    let machine = Machine::new();
    let server = PostgresServer::shared().await.unwrap();
    let up = machine
        .command()
        .arg("up")
        .env("TEST_POSTGRES_URL", server.url())
        .output()
        .unwrap();
    assert_eq!(stdout(&up), server.url());
    assert!(stderr(&up).contains(" from TEST_POSTGRES_URL ("), "{}", stderr(&up));
    assert_eq!(machine.left(), Vec::<String>::new());
}

#[test]
fn a_url_without_a_server_is_an_error_without_its_password() {
    let machine = Machine::new();
    let url = "postgres://somebody:hidden@127.0.0.1:1/postgres";
    let up = machine
        .command()
        .arg("up")
        .env("TEST_POSTGRES_URL", url)
        .output()
        .unwrap();
    assert_eq!(up.status.code(), Some(1));
    assert!(
        stderr(&up).contains("TEST_POSTGRES_URL (127.0.0.1:1/postgres) can't be used"),
        "{}",
        stderr(&up)
    );
    assert!(!stderr(&up).contains("hidden"), "{}", stderr(&up));
    assert_eq!(machine.left(), Vec::<String>::new());
}

#[tokio::test]
async fn a_role_needs_the_right_to_create_databases_and_no_other() {
    let server = PostgresServer::shared().await.unwrap();
    if matches!(server.found().source, Source::Url { .. }) {
        // The role is the one in the URL, and may not be able to make another.
        return;
    }
    let role = unique("creator");
    execute(
        server.url(),
        &format!("CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'secret'"),
    )
    .await
    .unwrap();
    let url = server
        .url()
        .replacen("postgres://postgres:", &format!("postgres://{role}:"), 1);
    let password = url.split(['@', ':']).nth(2).unwrap();
    let url = url.replacen(password, "secret", 1);
    let migrations = tempfile::tempdir().unwrap();
    fs::write(
        migrations.path().join("0001_table.sql"),
        format!("CREATE TABLE {role} (id integer);"),
    )
    .unwrap();

    let machine = Machine::new();
    let with = machine
        .command()
        .args(["with", "--postgres-migrations"])
        .arg(migrations.path())
        .args(["--", "sh", "-c", "echo $POSTGRES_DATABASE_URL"])
        .env("TEST_POSTGRES_URL", &url)
        .output()
        .unwrap();

    assert!(with.status.success(), "{}", stderr(&with));
    let name = stdout(&with).rsplit('/').next().unwrap();
    assert!(name.starts_with("test_databases_"), "{name}");
    assert!(!exists(server, name).await);
    let owned = format!("SELECT datname::text FROM pg_database WHERE datdba = '{role}'::regrole");
    let mut connection = PgConnection::connect(server.url()).await.unwrap();
    let template: String = sqlx::query_scalar(AssertSqlSafe(owned))
        .fetch_one(&mut connection)
        .await
        .unwrap();
    for statement in [
        format!("ALTER DATABASE {template} IS_TEMPLATE false"),
        format!("DROP DATABASE {template}"),
        format!("DROP ROLE {role}"),
    ] {
        execute(server.url(), &statement).await.unwrap();
    }
}

#[tokio::test]
async fn leftovers_of_earlier_runs_are_dropped() {
    let server = PostgresServer::shared().await.unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let day = 24 * 60 * 60;
    let random = format!("{:08x}", std::process::id());
    let old = format!("test_databases_{}_1_{random}", now - 2 * day);
    let recent = format!("test_databases_{now}_1_{random}");
    let unused_template = format!(
        "template_{:032x}",
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
    );
    for statement in [
        format!("CREATE DATABASE {old}"),
        format!("CREATE DATABASE {recent}"),
        format!("CREATE DATABASE {unused_template}"),
        format!(
            "COMMENT ON DATABASE {unused_template} IS 'test-databases: last used on day {}'",
            now / day - 8
        ),
        format!("ALTER DATABASE {unused_template} IS_TEMPLATE true"),
    ] {
        execute(server.url(), &statement).await.unwrap();
    }

    let up = Machine::new()
        .command()
        .arg("up")
        .env("TEST_POSTGRES_URL", server.url())
        .output()
        .unwrap();

    assert!(up.status.success(), "{}", stderr(&up));
    assert!(!exists(server, &old).await);
    assert!(!exists(server, &unused_template).await);
    assert!(exists(server, &recent).await);
    execute(server.url(), &format!("DROP DATABASE {recent}")).await.unwrap();
}

#[tokio::test]
async fn with_runs_a_command_with_both_databases_and_drops_them() {
    let server = PostgresServer::shared().await.unwrap();
    let with = Machine::new()
        .command()
        .args(["with", "--postgres-migrations"])
        .arg(migrations_directory("postgres"))
        .arg("--sqlite-migrations")
        .arg(migrations_directory("sqlite"))
        .args([
            "--",
            "sh",
            "-c",
            "echo $POSTGRES_DATABASE_URL $SQLITE_DATABASE_URL; test -s ${SQLITE_DATABASE_URL#sqlite://}; exit 7",
        ])
        .env("TEST_POSTGRES_URL", server.url())
        .output()
        .unwrap();
    assert_eq!(with.status.code(), Some(7), "{}", stderr(&with));
    let (postgres, sqlite) = stdout(&with).split_once(' ').unwrap();
    assert!(!exists(server, postgres.rsplit('/').next().unwrap()).await);
    let file = sqlite.strip_prefix("sqlite://").unwrap();
    assert!(file.ends_with("/test.db") && !fs::exists(file).unwrap(), "{file}");
}

#[tokio::test]
async fn hostile_databases_have_another_collation_time_zone_and_formats() {
    let server = PostgresServer::shared().await.unwrap();
    let mut process = Machine::new()
        .command()
        .args(["with", "--postgres-migrations"])
        .arg(migrations_directory("postgres"))
        .args(["--", "sh", "-c", "echo $POSTGRES_DATABASE_URL; cat"])
        .env("TEST_POSTGRES_URL", server.url())
        .env("TEST_POSTGRES_HOSTILE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(process.stdout.as_mut().unwrap())
        .read_line(&mut url)
        .unwrap();
    let url = url.trim_end();
    assert_eq!(count(url, "SELECT count(*) FROM account WHERE name = 'first'").await, 1);
    // By bytes it would be the other way round.
    assert_eq!(count(url, "SELECT ('b' < 'Z')::int::bigint").await, 1);
    // A client that sets some of these when it connects overrides them, so this asks what the database has.
    let name = url.rsplit('/').next().unwrap();
    let settings = format!(
        "SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(setconfig) AS setting
         WHERE datname = '{name}' AND setting IN ('TimeZone=America/St_Johns', 'DateStyle=SQL, DMY', 'IntervalStyle=sql_standard',
                                                  'extra_float_digits=-15', 'bytea_output=escape')"
    );
    assert_eq!(count(server.url(), &settings).await, 5);
    drop(process.stdin.take());
    assert!(process.wait().unwrap().success());
}

#[tokio::test]
async fn what_each_database_cost_is_written_down_where_a_file_is_named() {
    let server = PostgresServer::shared().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("timings");
    let with = Machine::new()
        .command()
        .args(["with", "--postgres-migrations"])
        .arg(migrations_directory("postgres"))
        .arg("--sqlite-migrations")
        .arg(migrations_directory("sqlite"))
        .args(["--", "true"])
        .env("TEST_POSTGRES_URL", server.url())
        .env("TEST_DATABASES_TIMINGS", &file)
        .output()
        .unwrap();
    assert!(with.status.success(), "{}", stderr(&with));
    let text = fs::read_to_string(&file).unwrap();
    let mut engines = Vec::new();
    for line in text.lines() {
        let (engine, times) = line.split_once('\t').unwrap();
        assert_eq!(
            times
                .split('\t')
                .filter(|time| time.parse::<u64>().unwrap() > 0)
                .count(),
            3,
            "{line}"
        );
        engines.push(engine);
    }
    engines.sort_unstable();
    assert_eq!(engines, ["postgres", "sqlite"]);
}
