//! What can go wrong. Nothing is ever left out silently: what this crate does not understand is an error.

use std::io;
use std::path::{Path, PathBuf};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text that is no statement.
    #[error("not one SQL statement: {detail}\n{text}")]
    BrokenSql {
        /// The text.
        text: String,
        /// What the parser says.
        detail: String,
    },
    /// A mutant whose text is not even SQL: a fault of this crate.
    #[error("the mutation {description:?} makes no SQL; this is a fault of sql-mutants: {detail}\n{text}")]
    BrokenMutation {
        /// What the mutation does.
        description: String,
        /// The mutated text.
        text: String,
        /// What the parser says.
        detail: String,
    },
    /// A source that holds SQL in a way that is not understood.
    #[error("{}:{line}: {detail}", file.display())]
    Source {
        /// The file.
        file: PathBuf,
        /// The line, from 1 on.
        line: usize,
        /// What is not understood, and what to do.
        detail: String,
    },
    /// A file or a process that can't be used.
    #[error("can't {what}: {error}")]
    Io {
        /// What was attempted.
        what: String,
        /// Why it failed.
        #[source]
        error: io::Error,
    },
    /// A database that can't be used.
    #[error("can't {what}: {error}")]
    Database {
        /// What was attempted.
        what: String,
        /// Why it failed.
        #[source]
        error: sqlx::Error,
    },
    /// A command that failed where it must not.
    #[error("`{command}` {outcome}; nothing was judged")]
    Command {
        /// The command.
        command: String,
        /// What became of it.
        outcome: String,
    },
    /// A file whose content is not as expected.
    #[error("{}: {detail}", file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// What is wrong with it, and what to do.
        detail: String,
    },
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |error| Self::Io { what, error }
    }

    pub(crate) fn database(what: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        let what = what.into();
        |error| Self::Database { what, error }
    }

    pub(crate) fn content(file: &Path, detail: impl Into<String>) -> Self {
        Self::Content {
            file: file.to_owned(),
            detail: detail.into(),
        }
    }
}
