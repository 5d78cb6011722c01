//! What is done with a database besides reading and writing it: checking it by the engine's own means, clearing the index,
//! keeping it fast.

use node_storage_contract::{EngineCheck, Result, StorageError};
use sqlx::SqliteConnection;

use crate::SqliteDb;
use crate::error::classify;

impl SqliteDb {
    /// Checks the file by SQLite's own means; see [`Connection::check_engine`](node_storage_contract::Connection::check_engine).
    pub async fn check_engine(&self) -> Result<EngineCheck> {
        let mut connection = self.reader.lend().await.map_err(classify)?;
        let mut check = EngineCheck::default();
        check.look_at(
            "pages, values and indexes (PRAGMA integrity_check)",
            check_integrity(&mut connection).await,
        )?;
        check.look_at(
            "references between rows (PRAGMA foreign_key_check)",
            check_references(&mut connection).await,
        )?;
        // Where a statement was cut off, it is waited for in the background.
        drop(connection);
        Ok(check)
    }

    /// Removes everything that indexing has made; see [`Connection::clear_index`](node_storage_contract::Connection::clear_index).
    pub async fn clear_index(&self) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        sqlx::query!("UPDATE indexer_watermark SET block_number = NULL, absn = NULL, osn = NULL WHERE singleton = 1")
            .execute(&mut *transaction)
            .await
            .map_err(classify)?;
        sqlx::query!("DELETE FROM listed_did")
            .execute(&mut *transaction)
            .await
            .map_err(classify)?;
        sqlx::query!("DELETE FROM indexed_operation")
            .execute(&mut *transaction)
            .await
            .map_err(classify)?;
        self.commit(transaction).await
    }

    /// Keeps look-ups fast; see [`Connection::optimize`](node_storage_contract::Connection::optimize).
    pub async fn optimize(&self, rewrite: bool) -> Result<Vec<String>> {
        let writer = self.writer.as_ref().ok_or(StorageError::ReadOnly)?;
        self.check_files()?;
        let mut connection = writer.connection.lend().await.map_err(classify)?;
        let mut done = Vec::new();
        if rewrite {
            // In WAL mode it is a transaction as any other: those who read go on with what they have begun with.
            sqlx::query("VACUUM")
                .execute(&mut *connection)
                .await
                .map_err(classify)?;
            done.push("the file was written anew, without free pages (VACUUM)".to_owned());
        }
        sqlx::query("ANALYZE")
            .execute(&mut *connection)
            .await
            .map_err(classify)?;
        done.push("the statistics of all tables are new (ANALYZE)".to_owned());
        sqlx::query("PRAGMA optimize")
            .execute(&mut *connection)
            .await
            .map_err(classify)?;
        done.push("what SQLite recommends was done (PRAGMA optimize)".to_owned());
        // Last, so that what was done before goes into the file too. PASSIVE waits for nobody.
        let (_busy, frames, copied): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)")
            .fetch_one(&mut *connection)
            .await
            .map_err(classify)?;
        let mut checkpoint =
            format!("{copied} of {frames} pages of the write-ahead log stand in the file (PRAGMA wal_checkpoint)");
        if copied < frames {
            checkpoint.push_str("; the rest waits until those who read it have ended");
        }
        done.push(checkpoint);
        connection.settled();
        self.check_files()?;
        Ok(done)
    }
}

/// What `PRAGMA integrity_check` says of pages, cells, the order of entries, values against their constraints, and entries that an
/// index lacks or has too many: 100 lines of it at most.
async fn check_integrity(connection: &mut SqliteConnection) -> Result<Vec<String>> {
    // A pragma has no columns that the macros could check.
    let lines: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(100)")
        .fetch_all(connection)
        .await
        .map_err(classify)?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

/// The rows that refer to one that does not exist: 100 of them at most.
async fn check_references(connection: &mut SqliteConnection) -> Result<Vec<String>> {
    // A pragma has no columns that the macros could check.
    let broken: Vec<(String, String)> =
        sqlx::query_as(r#"SELECT "table", parent FROM pragma_foreign_key_check LIMIT 100"#)
            .fetch_all(connection)
            .await
            .map_err(classify)?;
    let lines = broken
        .into_iter()
        .map(|(table, parent)| format!("a row of {table} refers to one of {parent} that does not exist"));
    Ok(lines.collect())
}
