//! How far the ledger has been read.

use node_storage_contract::row::CursorRow;
use node_storage_contract::{Cursor, CursorMoved, DltCursorRepo, Network, Result, StorageError};
use sqlx::SqliteConnection;

use crate::SqliteDb;
use crate::error::classify;

impl DltCursorRepo for SqliteDb {
    async fn cursor(&self) -> Result<Option<Cursor>> {
        sqlx::query_as!(
            CursorRow,
            "SELECT slot, block_number, block_hash FROM dlt_cursor WHERE singleton = 1"
        )
        .fetch_one(&self.reader)
        .await
        .map_err(classify)?
        .try_into()
    }

    async fn advance_cursor(&self, expected: Option<Cursor>, cursor: Cursor) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        let stored = lock_cursor(&mut transaction).await?;
        CursorMoved::check(expected, stored)?;
        if let Some(moved) = cursor.advance(stored)? {
            store_cursor(&mut transaction, moved).await?;
        }
        self.commit(transaction).await
    }

    async fn network(&self) -> Result<Option<Network>> {
        sqlx::query_scalar!("SELECT name FROM network WHERE singleton = 1")
            .fetch_optional(&self.reader)
            .await
            .map_err(classify)?
            .map(|name| {
                name.parse()
                    .map_err(|error| StorageError::corrupt("the name of the network", error))
            })
            .transpose()
    }
}

/// Reads the cursor in a transaction that writes, which is what makes writers of blocks and cursor queue.
pub(crate) async fn lock_cursor(connection: &mut SqliteConnection) -> Result<Option<Cursor>> {
    sqlx::query_as!(
        CursorRow,
        "SELECT slot, block_number, block_hash FROM dlt_cursor WHERE singleton = 1"
    )
    .fetch_one(connection)
    .await
    .map_err(classify)?
    .try_into()
}

pub(crate) async fn store_cursor(connection: &mut SqliteConnection, cursor: Cursor) -> Result<()> {
    sqlx::query!(
        "UPDATE dlt_cursor SET slot = ?1, block_number = ?2, block_hash = ?3 WHERE singleton = 1",
        i64::from(cursor.slot),
        i64::from(cursor.block),
        cursor.hash.as_slice(),
    )
    .execute(connection)
    .await
    .map_err(classify)?;
    Ok(())
}
