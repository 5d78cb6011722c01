//! Why a comparison can't be made.

use std::io;
use std::path::PathBuf;

use crate::engine::Engine;

/// Why a command ends without an answer. Databases that were named by URL are unchanged: they are only read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory can't be read or written.
    #[error("{} can't be {action}: {source}", path.display())]
    File {
        /// What was attempted, as a participle.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
    /// A directory has no migration in a known layout.
    #[error(
        "no migration of {engine} in {}: neither NUMBER_name.sql, NUMBER_name.up.sql, nor NUMBER_name/up.sql; name the files \
         with --glob", path.display()
    )]
    NoMigration {
        /// Whose side it is.
        engine: Engine,
        /// The directory.
        path: PathBuf,
    },
    /// A pattern of `--glob` is not one.
    #[error("--glob {pattern}: {reason}")]
    Glob {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A side ends without a table: that is never alike.
    #[error("{engine}: {side} ends without a table{}; nothing was compared", hint(failures))]
    NoTable {
        /// Whose side it is.
        engine: Engine,
        /// What was named.
        side: String,
        /// The first statements that failed, with file and line.
        failures: Vec<String>,
    },
    /// A URL names the other engine, or none.
    #[error("{url} is no address of {engine}: {reason}")]
    Url {
        /// The URL, without its password.
        url: String,
        /// Whose side it is.
        engine: Engine,
        /// What is wrong with it.
        reason: String,
    },
    /// The settings file is not valid.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the key's name.
        reason: String,
    },
    /// No database for a side.
    #[error("no database to apply the files to: {0}")]
    Databases(String),
    /// A database that was named can't be opened, or its catalog can't be read.
    #[error("{engine} can't {action}: {source}")]
    Database {
        /// Which one.
        engine: Engine,
        /// What was attempted, as a verb phrase.
        action: String,
        /// What the driver answered.
        source: sqlx::Error,
    },
}

fn hint(failures: &[String]) -> String {
    if failures.is_empty() {
        String::new()
    } else {
        format!("; these statements failed: {}", failures.join("; "))
    }
}

impl Error {
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    pub(crate) fn database(engine: Engine, action: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        let action = action.into();
        move |source| Self::Database { engine, action, source }
    }
}

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;
