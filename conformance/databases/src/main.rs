//! `test-databases`: the server and the databases of the tests, for a shell.

#![allow(
    clippy::doc_markdown,
    reason = "the help text is made of doc comments, and would show the backticks"
)]

use std::error::Error;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};

use clap::{Parser, Subcommand};
use test_databases::{Migrations, PostgresServer, SqliteFile};

/// Fresh, migrated databases for tests.
///
/// PostgreSQL is the server that TEST_POSTGRES_URL names, a container of TEST_POSTGRES_IMAGE (postgres:17-bookworm), or
/// the server binaries of this machine, in this order.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Find or start the PostgreSQL server of the tests; print how it was found (stderr) and its URL (stdout)
    Up,
    /// Stop the servers that were started for tests, and remove their data
    Down,
    /// Run a command with databases of its own, and drop them after it
    With {
        /// Migrations of a PostgreSQL database, which POSTGRES_DATABASE_URL then names
        #[arg(long, value_name = "DIRECTORY")]
        postgres_migrations: Option<PathBuf>,
        /// Migrations of an SQLite database, which SQLITE_DATABASE_URL then names
        #[arg(long, value_name = "DIRECTORY")]
        sqlite_migrations: Option<PathBuf>,
        /// The command and its arguments; its exit status is the status of this one
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Up => up().await,
        Task::Down => down().await,
        Task::With {
            postgres_migrations,
            sqlite_migrations,
            command,
        } => with(postgres_migrations, sqlite_migrations, &command).await,
    };
    done.unwrap_or_else(|error| {
        eprintln!("test-databases: {error}");
        ExitCode::FAILURE
    })
}

async fn up() -> Result<ExitCode, Box<dyn Error>> {
    println!("{}", PostgresServer::shared().await?.url());
    Ok(ExitCode::SUCCESS)
}

async fn down() -> Result<ExitCode, Box<dyn Error>> {
    let stopped = PostgresServer::stop_started().await?;
    for found in &stopped {
        println!("stopped {found}");
    }
    if stopped.is_empty() {
        println!("no server to stop");
    }
    Ok(ExitCode::SUCCESS)
}

async fn with(
    postgres_migrations: Option<PathBuf>,
    sqlite_migrations: Option<PathBuf>,
    command: &[String],
) -> Result<ExitCode, Box<dyn Error>> {
    let [program, arguments @ ..] = command else {
        return Err("no command".into());
    };
    let mut process = Command::new(program);
    process.args(arguments);

    // Both live until the command has ended.
    let postgres = match postgres_migrations {
        None => None,
        Some(directory) => {
            let migrations = Migrations::new(directory)?;
            Some(PostgresServer::shared().await?.database(&migrations).await?)
        }
    };
    let sqlite = match sqlite_migrations {
        None => None,
        Some(directory) => Some(SqliteFile::migrated(&Migrations::new(directory)?).await?),
    };
    if let Some(database) = &postgres {
        process.env("POSTGRES_DATABASE_URL", database.url());
    }
    if let Some(file) = &sqlite {
        process.env("SQLITE_DATABASE_URL", file.url());
    }

    // An interrupt from the keyboard reaches the command too. It decides when to end; the databases are dropped after.
    tokio::spawn(async { while tokio::signal::ctrl_c().await.is_ok() {} });
    let status = tokio::task::spawn_blocking(move || process.status())
        .await?
        .map_err(|error| format!("can't run {program}: {error}"))?;
    Ok(exit_code(status))
}

/// The status as a shell gives it: 128 and the signal's number for a command that a signal ended.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from)
}
