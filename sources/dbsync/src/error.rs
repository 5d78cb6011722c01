//! From the driver's errors to the contract's.

use dlt_source::SourceError;

/// The contract's name for what the driver reports of the database at `location`.
pub(crate) fn classify(location: &str, error: &sqlx::Error) -> SourceError {
    let (retryable, detail) = match error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            let detail = format!("{} (SQLSTATE {code})", database.message());
            explained(&code, detail)
        }
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => (true, error.to_string()),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            return SourceError::Malformed {
                at: location.to_owned(),
                detail: error.to_string(),
            };
        }
        other => (false, other.to_string()),
    };
    SourceError::Unavailable {
        retryable,
        subject: location.to_owned(),
        detail,
    }
}

/// Whether waiting may help, by classes and codes of Appendix A of the PostgreSQL documentation, and what to do otherwise.
fn explained(code: &str, detail: String) -> (bool, String) {
    match code {
        // A standby that had to choose between this reading and its primary; a statement that was cut; a lock.
        "40001" | "40P01" | "55P03" | "57014" => (true, detail),
        // A db-sync that starts for the first time, or a restore, has yet to make the tables.
        "42P01" => (
            true,
            format!("{detail}; db-sync has not made its tables yet, or this is another database"),
        ),
        // Connection lost, server starting or stopping, out of resources.
        _ if code.starts_with("08") || code.starts_with("57P") || code.starts_with("53") => (true, detail),
        "42501" => (
            false,
            format!("{detail}; grant SELECT on meta, block, tx and tx_metadata to the role"),
        ),
        "42703" => (false, format!("{detail}; this is no db-sync of release 13 or newer")),
        "28000" | "28P01" | "3D000" => (false, format!("{detail}; check --dbsync-url")),
        _ => (false, detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_waiting_is_told_from_what_needs_somebody() {
        for code in ["40001", "57014", "57P01", "57P03", "53300", "08006", "42P01"] {
            assert!(explained(code, String::new()).0, "{code}");
        }
        for (code, help) in [
            ("42501", "grant SELECT"),
            ("28P01", "--dbsync-url"),
            ("42703", "release 13"),
        ] {
            let (retryable, detail) = explained(code, "refused".to_owned());
            assert!(!retryable && detail.contains(help), "{code}: {detail}");
        }
        let lost = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(classify("db-sync", &sqlx::Error::Io(lost)).is_retryable());
        assert!(!classify("db-sync", &sqlx::Error::RowNotFound).is_retryable());
    }
}
