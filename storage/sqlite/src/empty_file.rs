//! A database without content, as a file to hand out: the same bytes each time.

use std::fs::{self, File};
use std::path::Path;

use node_storage_contract::{MigrationError, Result, StorageError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{Connection, SqliteConnection};

use crate::error::classify;
use crate::schema::MIGRATOR;

/// Writes a new file with this program's schema, of no network, and nothing in it. The first process that opens it for writing
/// gives it its network.
///
/// The bytes depend on the migrations and the version of the SQLite library alone: the times that the migration runner notes
/// are set to 1970-01-01.
///
/// # Errors
/// `Unavailable` where there is a file already or it can't be written, `Migration` for a migration that fails. No file is left.
pub async fn write_empty_file(path: &Path) -> Result<()> {
    let unavailable = |error: std::io::Error| StorageError::Unavailable {
        retryable: false,
        detail: format!("{} can't be made: {error}; choose another place", path.display()),
    };
    File::create_new(path).map_err(unavailable)?;
    let written = fill(path).await;
    if written.is_err() {
        // The reason is what the caller needs.
        let _ = fs::remove_file(path);
    }
    written
}

async fn fill(path: &Path) -> Result<()> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        // Without a log beside it, the file is complete; the node switches to write-ahead logging.
        .journal_mode(SqliteJournalMode::Delete)
        .foreign_keys(true);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(classify)?;
    MIGRATOR
        .run_direct(None, &mut connection, false)
        .await
        .map_err(|error| MigrationError::Failed {
            detail: error.to_string(),
        })?;
    sqlx::query!("UPDATE _sqlx_migrations SET installed_on = '1970-01-01 00:00:00', execution_time = 0")
        .execute(&mut connection)
        .await
        .map_err(classify)?;
    // The times that stood there before are still among the unused bytes.
    sqlx::query!("VACUUM")
        .execute(&mut connection)
        .await
        .map_err(classify)?;
    connection.close().await.map_err(classify)
}
