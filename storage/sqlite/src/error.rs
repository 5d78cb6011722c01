//! From the driver's errors to the contract's taxonomy.

use node_storage_contract::{MigrationError, StorageError};

/// The contract's name for what the driver reports.
pub(crate) fn classify(error: sqlx::Error) -> StorageError {
    match error {
        sqlx::Error::Database(ref database) => {
            let code = database.code().and_then(|code| code.parse().ok()).unwrap_or(0);
            by_result_code(code, database.message())
        }
        sqlx::Error::PoolTimedOut => StorageError::Busy {
            detail: "no free connection to the file".to_owned(),
        },
        sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => StorageError::Unavailable {
            retryable: false,
            detail: error.to_string(),
        },
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StorageError::corrupt("a stored row", error),
        other => StorageError::Unavailable {
            retryable: false,
            detail: other.to_string(),
        },
    }
}

/// Result codes as <https://sqlite.org/rescode.html> numbers them; the low byte of an extended code is the primary one.
fn by_result_code(code: u32, message: &str) -> StorageError {
    let detail = format!("{message} (SQLite result code {code})");
    match code & 0xff {
        // SQLITE_BUSY, SQLITE_LOCKED.
        5 | 6 => StorageError::Busy { detail },
        // SQLITE_CANTOPEN: of a file that could be opened before, it says that the system has no descriptors left just now.
        // SQLITE_FULL: somebody makes room, or not.
        13 | 14 => StorageError::Unavailable {
            retryable: true,
            detail,
        },
        // SQLITE_CORRUPT; and SQLITE_CONSTRAINT, which only a change behind the store's back can violate.
        11 | 19 => StorageError::corrupt("the database", detail),
        // SQLITE_NOTADB.
        26 => StorageError::Foreign {
            subject: "the file".to_owned(),
            detail: "it is not an SQLite database".to_owned(),
        },
        // SQLITE_ERROR for a missing table.
        1 if message.starts_with("no such table") => MigrationError::NotMigrated.into(),
        _ => StorageError::Unavailable {
            retryable: false,
            detail,
        },
    }
}
