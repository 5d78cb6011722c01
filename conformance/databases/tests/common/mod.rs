//! What the tests of this crate share.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file is a program of its own and uses a part of this one"
)]
#![allow(clippy::unwrap_used, missing_docs, reason = "all of this is test code")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;
use test_databases::{Migrations, PostgresServer};

/// An image that is nowhere: nothing listens on port 1.
pub const ABSENT_IMAGE: &str = "127.0.0.1:1/absent:0";

/// When the migrations of a database were applied, in microseconds. A clone has the time of its template.
pub const TIME_BUILT: &str = "SELECT (extract(epoch FROM max(installed_on)) * 1000000)::bigint FROM _sqlx_migrations";

pub fn migrations(engine: &str) -> Migrations {
    Migrations::new(migrations_directory(engine)).unwrap()
}

pub fn migrations_directory(engine: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/migrations")
        .join(engine)
}

/// Migrations that no other test has, so that nobody else builds their template: a table of the given name.
pub fn migrations_of_one_table(directory: &Path, table: &str) -> Migrations {
    fs::write(
        directory.join("0001_table.sql"),
        format!("CREATE TABLE {table} (id integer);"),
    )
    .unwrap();
    Migrations::new(directory).unwrap()
}

/// A name that no other test or run uses.
pub fn unique(prefix: &str) -> String {
    let nanoseconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_nanos();
    format!("{prefix}_{nanoseconds}_{}", std::process::id())
}

pub async fn execute(url: &str, statement: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}

pub async fn count(url: &str, query: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(AssertSqlSafe(query))
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

/// Whether the shared server has a database of this name.
pub async fn exists(server: &PostgresServer, database: &str) -> bool {
    count(
        server.url(),
        &format!("SELECT count(*) FROM pg_database WHERE datname = '{database}'"),
    )
    .await
        == 1
}

/// The command `test-databases` as a user has it who shares nothing with anybody: with a temporary directory of its own.
pub struct Machine {
    temporary: TempDir,
}

impl Machine {
    pub fn new() -> Self {
        // The server may run as another user, and has to get to its directory.
        let temporary = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        Self { temporary }
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_test-databases"));
        command
            .env("TMPDIR", self.temporary.path())
            .env_remove("TEST_POSTGRES_URL");
        command.env("TEST_POSTGRES_IMAGE", ABSENT_IMAGE);
        command
    }

    /// What is in the temporary directory.
    pub fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.temporary.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    pub fn path(&self) -> &Path {
        self.temporary.path()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.command().arg("down").output();
    }
}

pub fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap().trim_end()
}

pub fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap().trim_end()
}
