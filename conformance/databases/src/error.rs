//! What can go wrong between a test and its database.

use std::io;
use std::path::PathBuf;

/// Why a test could not get a database.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directory of migrations, or a file in it, can't be read.
    #[error("the migrations in {} can't be read: {source}", directory.display())]
    MigrationsUnreadable {
        /// The directory that was named.
        directory: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
    /// A migration fails. The database that it was applied to is gone again.
    #[error("the migrations in {} can't be applied to an empty {engine} database: {source}", directory.display())]
    Migration {
        /// The directory that was named.
        directory: PathBuf,
        /// `PostgreSQL` or `SQLite`.
        engine: &'static str,
        /// What sqlx answered.
        source: sqlx::migrate::MigrateError,
    },
    /// The server that `TEST_POSTGRES_URL` names can't be used. No other server is tried.
    #[error("TEST_POSTGRES_URL ({address}) can't be used: {reason}; correct it, or unset it to use another server")]
    NamedServer {
        /// Host, port and database, without the password.
        address: String,
        /// What happened.
        reason: String,
    },
    /// A container of an image that is present does not become ready. It has been removed, and no other server is tried.
    #[error("no PostgreSQL server in a container of {image}: {reason}; name another image in TEST_POSTGRES_IMAGE")]
    Container {
        /// The image.
        image: String,
        /// What happened, with the end of the container's log.
        reason: String,
    },
    /// The server binaries of this machine do not give a running server. What they wrote has been removed.
    #[error("no PostgreSQL server from the binaries in {}: {reason}", directory.display())]
    Binaries {
        /// Where the binaries are.
        directory: PathBuf,
        /// What happened, with the end of the server's log.
        reason: String,
    },
    /// Neither a server, nor an image, nor server binaries.
    #[error(
        "no PostgreSQL for the tests: no TEST_POSTGRES_URL, no container ({no_container}), and no server binaries on PATH \
         or under /usr/lib/postgresql; name a server in TEST_POSTGRES_URL=postgres://user:password@host/postgres, start \
         Docker with the image of TEST_POSTGRES_IMAGE, or install the server (Debian: apt-get install postgresql)"
    )]
    NoServer {
        /// Why there is no container.
        no_container: String,
    },
    /// The directory that says which server is shared can't be used.
    #[error("the directory {} of the shared server can't be used: {reason}", path.display())]
    SharedDirectory {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// `TEST_POSTGRES_HOSTILE` asks for what the server does not have.
    #[error(
        "TEST_POSTGRES_HOSTILE is set, but the server has neither ICU collations for databases (PostgreSQL 15 and newer) nor \
         a locale other than C; use a server that has, for example one of ci/postgres-image, or unset it"
    )]
    NotHostile,
    /// A statement on the PostgreSQL server failed.
    #[error("PostgreSQL can't {action}: {source}")]
    Postgres {
        /// What was attempted, as a verb phrase.
        action: String,
        /// What sqlx answered.
        source: sqlx::Error,
    },
    /// An operation on an SQLite file failed.
    #[error("SQLite can't {action}: {source}")]
    Sqlite {
        /// What was attempted, as a verb phrase.
        action: String,
        /// What sqlx answered.
        source: sqlx::Error,
    },
    /// A file or a process could not be handled.
    #[error("can't {action}: {source}")]
    Io {
        /// What was attempted, as a verb phrase.
        action: String,
        /// What the operating system answered.
        source: io::Error,
    },
}

impl Error {
    /// Wraps an error of the operating system with what was attempted.
    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }

    /// Wraps an error of a PostgreSQL connection with what was attempted.
    pub(crate) fn postgres(action: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        let action = action.into();
        move |source| Self::Postgres { action, source }
    }

    /// Wraps an error of an SQLite connection with what was attempted.
    pub(crate) fn sqlite(action: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        let action = action.into();
        move |source| Self::Sqlite { action, source }
    }
}
