//! From the driver's errors to the contract's taxonomy.

use node_storage_contract::{MigrationError, StorageError};

/// The contract's name for what the driver reports.
pub(crate) fn classify(error: sqlx::Error) -> StorageError {
    match error {
        sqlx::Error::Database(ref database) => {
            let code = database.code().unwrap_or_default();
            by_sqlstate(&code, database.message())
        }
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            StorageError::Unavailable {
                retryable: true,
                detail: error.to_string(),
            }
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StorageError::corrupt("a stored row", error),
        other => StorageError::Unavailable {
            retryable: false,
            detail: other.to_string(),
        },
    }
}

/// Classes and codes of Appendix A of the PostgreSQL documentation.
fn by_sqlstate(code: &str, message: &str) -> StorageError {
    let detail = format!("{message} (SQLSTATE {code})");
    match code {
        // Serialization failure, deadlock, lock not available, statement cancelled by a time-out.
        "40001" | "40P01" | "55P03" | "57014" => StorageError::Busy { detail },
        // A missing table: somebody else's database, or one that was never migrated.
        "42P01" | "3F000" => MigrationError::NotMigrated.into(),
        // Data or index corrupted; and constraints, which only a change behind the store's back can violate.
        "XX001" | "XX002" => StorageError::corrupt("the database", detail),
        _ if code.starts_with("23") => StorageError::corrupt("the database", detail),
        // Connection lost, server starting or stopping, out of resources, a standby that can't write yet after a fail-over.
        "25006" => StorageError::Unavailable {
            retryable: true,
            detail,
        },
        _ if code.starts_with("08") || code.starts_with("57P") || code.starts_with("53") => StorageError::Unavailable {
            retryable: true,
            detail,
        },
        _ => StorageError::Unavailable {
            retryable: false,
            detail,
        },
    }
}
