//! From redb's errors to the contract's taxonomy.

use std::io::ErrorKind;

use node_storage_contract::{MigrationError, StorageError};
use redb::Error;

/// The contract's name for what redb reports.
pub(crate) fn classify(error: impl Into<Error>) -> StorageError {
    let error = error.into();
    let detail = error.to_string();
    match error {
        Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch | Error::WouldBlock => StorageError::Busy { detail },
        Error::TableDoesNotExist(_) => MigrationError::NotMigrated.into(),
        // What redb says of a file that is not one of its own.
        Error::Io(cause) if cause.kind() == ErrorKind::InvalidData => StorageError::Foreign {
            subject: "the file".to_owned(),
            detail,
        },
        // A writer may be about to make it.
        Error::Io(cause) if cause.kind() == ErrorKind::NotFound => StorageError::Unavailable {
            retryable: true,
            detail,
        },
        Error::Corrupted(_)
        | Error::TableTypeMismatch { .. }
        | Error::TypeDefinitionChanged { .. }
        | Error::TableIsMultimap(_) => StorageError::corrupt("the database", detail),
        _ => StorageError::Unavailable {
            retryable: false,
            detail,
        },
    }
}
