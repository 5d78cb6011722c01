//! Why an archive could not be written, read or restored.

use std::io;

use node_storage_contract::{BoundMismatch, LedgerBound, Network, StorageError};

use crate::content::Content;

/// Result of a function of this crate.
pub type Result<T, E = ArchiveError> = std::result::Result<T, E>;

/// Why an archive could not be written, read or restored. Whatever the variant, a database that was to be restored into holds
/// what it held.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file does not begin as an archive does.
    #[error("{archive} is not an archive: it does not begin as one; give the file that `backup` wrote")]
    NotAnArchive {
        /// The file.
        archive: String,
    },
    /// The version of the format is not one that this program knows.
    #[error(
        "{archive} is an archive of format version {version}, this program knows version {known}; nothing was changed, use a newer program"
    )]
    UnknownVersion {
        /// The file.
        archive: String,
        /// Its version.
        version: u64,
        /// The version that this program knows.
        known: u64,
    },
    /// A record that must not be passed over, of a type that this program does not know.
    #[error(
        "{archive} has a record of the unknown type {kind} at byte {offset}, which must not be passed over; nothing was changed, use a newer program"
    )]
    UnknownRecord {
        /// The file.
        archive: String,
        /// The type of the record.
        kind: u8,
        /// Where the record begins.
        offset: u64,
    },
    /// The file ends too early.
    #[error(
        "{archive} is truncated: it ends at byte {offset}, before its trailer; nothing was changed, take another copy"
    )]
    Truncated {
        /// The file.
        archive: String,
        /// Its length.
        offset: u64,
    },
    /// The file is not as the format says.
    #[error("{archive} is damaged at byte {offset}: {detail}; nothing was changed, take another copy")]
    Damaged {
        /// The file.
        archive: String,
        /// Where the record begins in which that was seen.
        offset: u64,
        /// What is wrong.
        detail: String,
    },
    /// The content of an archive contradicts itself where only a database sees it.
    #[error("{archive} contradicts itself: {source}; take another copy")]
    Contradiction {
        /// The file.
        archive: String,
        /// The contradiction.
        source: Box<StorageError>,
    },
    /// An increment does not follow what it is to be put onto.
    #[error(
        "{archive} is an increment to {}, but {onto} holds {}; nothing was changed, give the archive it was made with as its base, and those between",
        expected.describe(),
        found.describe()
    )]
    OtherBase {
        /// The increment.
        archive: String,
        /// What it is to be put onto: the database or an archive.
        onto: String,
        /// What it was made for.
        expected: Box<Content>,
        /// What is there.
        found: Box<Content>,
    },
    /// A base is not the beginning of what the database holds.
    #[error(
        "{archive} is no earlier state of this database ({detail}); nothing was written, give another base or make a full backup without one"
    )]
    NotAPrefix {
        /// The base.
        archive: String,
        /// How that was seen.
        detail: String,
    },
    /// A full archive stands where an increment has to.
    #[error(
        "{archive} is a full archive and follows {before}; nothing was changed, give one full archive first and then its increments"
    )]
    NotAnIncrement {
        /// The archive.
        archive: String,
        /// The one before it.
        before: String,
    },
    /// A full archive needs a database without content.
    #[error(
        "the database is not empty: it holds {} operations{}; nothing was changed, restore into an empty database, or give an increment to what it holds",
        found.operations,
        found.cursor.map(|cursor| format!(" and the cursor {cursor}")).unwrap_or_default()
    )]
    TargetNotEmpty {
        /// What it holds.
        found: Box<LedgerBound>,
    },
    /// Two networks.
    #[error(
        "{archive} holds the network {stored}, not {requested}; nothing was changed, give --network {stored} and its database"
    )]
    WrongNetwork {
        /// The archive or the database.
        archive: String,
        /// Its network.
        stored: Network,
        /// The network that was asked for.
        requested: Network,
    },
    /// The database.
    #[error(transparent)]
    Storage(StorageError),
    /// Reading an archive failed.
    #[error("{archive} can't be read")]
    Read {
        /// The file.
        archive: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Writing an archive failed.
    #[error("the archive can't be written")]
    Write(#[source] io::Error),
    /// Whoever asked for it has stopped listening.
    #[error("interrupted; nothing was changed")]
    Interrupted,
}

impl From<StorageError> for ArchiveError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::BoundMismatch(mismatch) if mismatch.expected == LedgerBound::default() => {
                let BoundMismatch { found, .. } = *mismatch;
                Self::TargetNotEmpty { found: Box::new(found) }
            }
            error => Self::Storage(error),
        }
    }
}
