//! A fresh, migrated SQLite file or PostgreSQL database for each test.
//!
//! ```no_run
//! use test_databases::{Migrations, PostgresServer, SqliteFile};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let server = PostgresServer::shared().await?;
//! let database = server.database(&Migrations::new("migrations/postgres")?).await?;
//! println!("connect to {}", database.url());
//!
//! let file = SqliteFile::migrated(&Migrations::new("migrations/sqlite")?).await?;
//! println!("connect to {}", file.url());
//! # Ok(())
//! # }
//! ```
//!
//! **Where PostgreSQL comes from.** In this order, and the choice is printed to stderr once per process:
//!
//! 1. the server that `TEST_POSTGRES_URL` names (its role needs `CREATEDB`, nothing more);
//! 2. a container of the image `TEST_POSTGRES_IMAGE` (`postgres:17-bookworm` unless set), if it is present or can be
//!    pulled. An image that can't be had is printed and step 3 follows; a container of a present image that does not
//!    become ready is an error;
//! 3. `initdb` and `postgres` on `PATH` or under `/usr/lib/postgresql`, run with their data in memory, or in a temporary directory;
//! 4. an error that says how to get one.
//!
//! `TEST_POSTGRES_IMAGE=none` goes to step 3 at once.
//!
//! A server that this crate started serves every process of its user, threads and processes alike, and stays for the
//! next run; `test-databases down` stops it.
//!
//! **What a test gets.** A clone of a template database that the migrations were applied to once. It is dropped when its
//! handle is dropped, unless the thread is panicking: then it stays, and where to find it is printed. A test that fails
//! should therefore panic (`unwrap`, `assert!`) and not return `Err`. Databases that stay (also those of a process that
//! was killed) are dropped a day later. An SQLite file is made and removed alike, in a temporary directory.
//!
//! With `TEST_POSTGRES_HOSTILE=1`, PostgreSQL's databases have a linguistic collation and another locale, time zone and
//! formats than a developer's: what a program stores and answers must not change. With `TEST_DATABASES_TIMINGS=FILE`, each
//! migrated database appends what it cost to a file: its engine, and the microseconds to make it, to connect to it (once,
//! for the measurement) and to drop it, separated by tabs.
//!
//! For Unix-like systems.

mod background;
mod error;
mod migrations;
mod once;
mod postgres;
mod random;
mod shared_directory;
mod sqlite;
mod timings;

pub use error::Error;
pub use migrations::Migrations;
pub use postgres::{Found, PostgresDatabase, PostgresServer, Source};
pub use sqlite::SqliteFile;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;
