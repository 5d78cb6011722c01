//! From the driver's errors to the contract's taxonomy.

use std::io;

use node_storage_contract::{MigrationError, StorageError};

/// The contract's name for what the driver reports of a statement.
pub(crate) fn classify(error: sqlx::Error) -> StorageError {
    match error {
        sqlx::Error::Database(ref database) => {
            let code = database.code().unwrap_or_default();
            by_sqlstate(&code, database.message())
        }
        // A message that does not belong where it stands: a proxy has put something of its own between.
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => StorageError::Unavailable {
            retryable: true,
            detail: error.to_string(),
        },
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StorageError::corrupt("a stored row", error),
        other => StorageError::Unavailable {
            retryable: false,
            detail: other.to_string(),
        },
    }
}

const CLOSED: &str = "the connection was closed before a session began";

/// The contract's name for why there is no connection: `retryable` is what may pass by itself.
pub(crate) fn classify_connecting(error: sqlx::Error) -> StorageError {
    let (retryable, detail) = match error {
        // So the driver reports that what answered the handshake is refused: a certificate, say.
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            (false, format!("the TLS handshake failed: {error}"))
        }
        // The peer accepts and closes, as a proxy does while its server restarts. Where TLS was asked for, the driver takes the byte
        // that did not come for a zero.
        sqlx::Error::Io(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe
            ) =>
        {
            (true, CLOSED.to_owned())
        }
        sqlx::Error::Protocol(text) if text.contains("SSLRequest: 0x00") => (true, CLOSED.to_owned()),
        // An error in place of that byte: the server has not come far enough to start a process.
        sqlx::Error::Protocol(text) if text.contains("SSLRequest: 0x45") => {
            (true, "the server refused the connection before it began".to_owned())
        }
        sqlx::Error::Protocol(_) => (false, "what answers there is not a PostgreSQL server".to_owned()),
        other => return classify(other),
    };
    StorageError::Unavailable { retryable, detail }
}

/// Classes and codes of Appendix A of the PostgreSQL documentation.
fn by_sqlstate(code: &str, message: &str) -> StorageError {
    let detail = format!("{message} (SQLSTATE {code})");
    let unavailable = |retryable| {
        let detail = detail.clone();
        StorageError::Unavailable { retryable, detail }
    };
    match code {
        // Serialization failure, deadlock, lock not available.
        "40001" | "40P01" | "55P03" => StorageError::Busy { detail },
        // PgBouncer refuses what a pool of statements can't do by a violation of the protocol.
        "08P01" if message.contains("statement pooling") => StorageError::Unavailable {
            retryable: false,
            detail: format!(
                "a pooler hands each statement to another session, and transactions are needed ({message}); set its pool_mode \
                 to transaction or session, or connect to the server itself"
            ),
        },
        // A statement cancelled by a time-out of the operator's, or by a person.
        "57014" => StorageError::Unavailable {
            retryable: true,
            detail: format!("{detail}; where this is a time-out, raise the server's statement_timeout for this role"),
        },
        // A missing table: somebody else's database, or one that was never migrated.
        "42P01" | "3F000" => MigrationError::NotMigrated.into(),
        // Data or index corrupted; and constraints, which only a change behind the store's back can violate.
        "XX001" | "XX002" => StorageError::corrupt("the database", detail),
        _ if code.starts_with("23") => StorageError::corrupt("the database", detail),
        // A standby that can't write yet after a fail-over, and a session that was ended for standing still.
        "25006" | "25P03" => unavailable(true),
        // Connection lost, server starting or stopping, out of resources.
        _ if code.starts_with("08") || code.starts_with("57P") || code.starts_with("53") => unavailable(true),
        _ => unavailable(false),
    }
}
