//! Why a source can't go on.

use node_storage_contract::StorageError;

/// Why a source can't go on. What it delivered before is not affected.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The ledger is not what it has to be.
    #[error(
        "{at}: {detail}; the blocks before it are stored, nothing of its block or after it is; correct it and start again"
    )]
    Malformed {
        /// Where, as exactly as it can be said: file, line and field, for example.
        at: String,
        /// What is wrong there.
        detail: String,
    },
    /// The ledger is another one than what is stored was read from.
    #[error(
        "{at}: {detail}; nothing was changed, give the ledger that this database was filled from, or another database"
    )]
    Contradiction {
        /// Where.
        at: String,
        /// What contradicts what.
        detail: String,
    },
    /// The source can't be read, just now (`retryable`) or not without somebody's help.
    #[error("{subject} can't be read: {detail}; what was read before stays stored")]
    Unavailable {
        /// Whether reading again later may succeed.
        retryable: bool,
        /// What was to be read.
        subject: String,
        /// What the operating system or the other side said, without credentials.
        detail: String,
    },
    /// A source that compares the ledger with what is stored could not read the latter.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl SourceError {
    /// Whether the same call may succeed later without anybody's help.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { retryable, .. } => *retryable,
            Self::Storage(error) => error.is_retryable(),
            Self::Malformed { .. } | Self::Contradiction { .. } => false,
        }
    }
}
