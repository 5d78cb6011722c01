//! How the program ends when it can't go on.

use std::error::Error;
use std::fmt::Write;
use std::io;
use std::process::ExitCode;

use dlt_sinks::contract::SubmitError;
use dlt_sources::contract::SourceError;
use node_service::sync::SyncError;
use node_storage::ConfigError;
use node_storage::contract::{MigrationError, StorageError};
use node_storage_archive::ArchiveError;

/// The exit codes that scripts rely on, beside 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// Something outside is not as it has to be: a database, a file, a ledger.
    Failure = 1,
    /// The command line or the environment asks for what can't work. `clap` uses the same code.
    Usage = 2,
    /// What is stored, or an archive, is damaged, or they do not fit together.
    Damage = 3,
    /// The database that is to be restored into has content.
    NotEmpty = 4,
    /// Another process holds the database.
    Held = 5,
    /// The schema is newer or older than the program's, or an archive newer.
    Unknown = 6,
    /// A signal ended `backup`, `restore` or `ledger export`.
    Interrupted = 130,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(match status {
            ExitStatus::Failure => 1,
            ExitStatus::Usage => 2,
            ExitStatus::Damage => 3,
            ExitStatus::NotEmpty => 4,
            ExitStatus::Held => 5,
            ExitStatus::Unknown => 6,
            ExitStatus::Interrupted => 130,
        })
    }
}

/// Why the program ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line or the environment asks for what can't work.
    #[error("{0}")]
    Usage(String),
    /// The database configuration can't work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The source of the ledger.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The ledger and the database do not belong together.
    #[error(
        "the ledger contradicts the database: {0}; give the ledger that this database was filled from, or another database"
    )]
    Contradiction(StorageError),
    /// The sample of `dev` was refused.
    #[error("the sample can't be published: {0}")]
    Sample(#[from] SubmitError),
    /// An archive, or what it does not fit to.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// `db check` has named what is wrong.
    #[error("{location} is damaged or inconsistent: {findings} findings, named above; {state}; {next}")]
    Differences {
        /// Where the database is.
        location: String,
        /// How many findings.
        findings: u64,
        /// What was changed.
        state: &'static str,
        /// What to do next.
        next: &'static str,
    },
    /// A signal.
    #[error("interrupted by {signal}; {state}")]
    Interrupted {
        /// The signal.
        signal: &'static str,
        /// What was left behind, and what to do next.
        state: &'static str,
    },
    /// A file, a socket, a signal, standard output.
    #[error("{subject}")]
    Io {
        /// What was to be done, and what to do next.
        subject: String,
        /// What the operating system said.
        source: io::Error,
    },
}

impl From<SyncError> for Failure {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Source(error) => Self::Source(error),
            SyncError::Storage(error @ StorageError::Conflict(_)) => Self::Contradiction(error),
            SyncError::Storage(error) => Self::Storage(error),
        }
    }
}

impl Failure {
    /// What `subject` says failed for this reason.
    pub(crate) fn io(subject: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let subject = subject.into();
        move |source| Self::Io { subject, source }
    }

    /// The exit code.
    pub(crate) fn status(&self) -> ExitStatus {
        match self {
            Self::Usage(_) | Self::Config(_) => ExitStatus::Usage,
            Self::Storage(error) | Self::Contradiction(error) | Self::Source(SourceError::Storage(error)) => {
                storage_status(error)
            }
            Self::Archive(error) => archive_status(error),
            Self::Differences { .. } => ExitStatus::Damage,
            Self::Interrupted { .. } => ExitStatus::Interrupted,
            Self::Source(_) | Self::Sample(_) | Self::Io { .. } => ExitStatus::Failure,
        }
    }

    /// One line with every cause.
    pub(crate) fn describe(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Writing to a string never fails.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        text.replace(['\n', '\r'], " ")
    }
}

fn archive_status(error: &ArchiveError) -> ExitStatus {
    match error {
        ArchiveError::WrongNetwork { .. } => ExitStatus::Usage,
        ArchiveError::Truncated { .. }
        | ArchiveError::Damaged { .. }
        | ArchiveError::Contradiction { .. }
        | ArchiveError::OtherBase { .. }
        | ArchiveError::NotAPrefix { .. }
        | ArchiveError::NotAnIncrement { .. } => ExitStatus::Damage,
        ArchiveError::TargetNotEmpty { .. } => ExitStatus::NotEmpty,
        ArchiveError::NotAnArchive { .. }
        | ArchiveError::UnknownVersion { .. }
        | ArchiveError::UnknownRecord { .. } => ExitStatus::Unknown,
        ArchiveError::Interrupted => ExitStatus::Interrupted,
        ArchiveError::Storage(error) => storage_status(error),
        ArchiveError::Read { .. } | ArchiveError::Write(_) => ExitStatus::Failure,
    }
}

fn storage_status(error: &StorageError) -> ExitStatus {
    match error {
        StorageError::WrongNetwork { .. } => ExitStatus::Usage,
        StorageError::Corrupt { .. } | StorageError::BoundMismatch(_) => ExitStatus::Damage,
        StorageError::Busy { .. } => ExitStatus::Held,
        StorageError::Migration(error) if !matches!(error, MigrationError::Failed { .. }) => ExitStatus::Unknown,
        StorageError::Migration(_)
        | StorageError::Conflict(_)
        | StorageError::CursorMoved(_)
        | StorageError::OutOfRange(_)
        | StorageError::Unavailable { .. }
        | StorageError::Foreign { .. }
        | StorageError::Replaced { .. }
        | StorageError::ReadOnly => ExitStatus::Failure,
    }
}

#[cfg(test)]
mod tests {
    use node_storage::contract::Network;

    use super::*;

    #[test]
    fn every_cause_has_its_documented_exit_code() {
        let detail = || "why".to_owned();
        for (error, status) in [
            (
                StorageError::WrongNetwork {
                    stored: Network::Preprod,
                    requested: Network::Mainnet,
                },
                2,
            ),
            (StorageError::corrupt("a row", "why"), 3),
            (StorageError::Busy { detail: detail() }, 5),
            (MigrationError::NotMigrated.into(), 6),
            (MigrationError::Newer { found: 9, supported: 2 }.into(), 6),
            (MigrationError::Failed { detail: detail() }.into(), 1),
            (
                StorageError::Unavailable {
                    retryable: true,
                    detail: detail(),
                },
                1,
            ),
        ] {
            let failure = Failure::from(SourceError::from(error));
            assert_eq!(ExitCode::from(failure.status()), ExitCode::from(status), "{failure}");
        }
        let config = ConfigError::UnknownScheme("no scheme".to_owned());
        assert_eq!(Failure::from(config).status(), ExitStatus::Usage);
    }

    #[test]
    fn an_error_is_one_line_with_its_causes() {
        let failure =
            Failure::io("can't listen on 127.0.0.1:80; choose another --port")(io::Error::other("denied\nhere"));
        assert_eq!(
            failure.describe(),
            "can't listen on 127.0.0.1:80; choose another --port: denied here"
        );
    }
}
