//! How far the ledger has been read.

use node_storage_contract::row::CursorRow;
use node_storage_contract::{Cursor, CursorMoved, DltCursorRepo, Network, Result, StorageError};

use crate::PostgresDb;
use crate::error::classify;
use crate::session::Session;

impl DltCursorRepo for PostgresDb {
    async fn cursor(&self) -> Result<Option<Cursor>> {
        sqlx::query_as!(
            CursorRow,
            "SELECT slot, block_number, block_hash FROM dlt_cursor WHERE singleton = 1"
        )
        .fetch_one(&mut self.read().await?)
        .await
        .map_err(classify)?
        .try_into()
    }

    async fn advance_cursor(&self, expected: Option<Cursor>, cursor: Cursor) -> Result<()> {
        let (_permit, mut session) = self.begin_write().await?;
        let moved = advance(&mut session, expected, cursor).await;
        session.end(moved).await
    }

    async fn network(&self) -> Result<Option<Network>> {
        stored_network(&mut self.read().await?).await
    }
}

pub(crate) async fn stored_network(session: &mut Session) -> Result<Option<Network>> {
    sqlx::query_scalar!("SELECT name FROM network WHERE singleton = 1")
        .fetch_optional(session)
        .await
        .map_err(classify)?
        .map(|name| {
            name.parse()
                .map_err(|error| StorageError::corrupt("the name of the network", error))
        })
        .transpose()
}

async fn advance(session: &mut Session, expected: Option<Cursor>, cursor: Cursor) -> Result<()> {
    let stored = lock_cursor(session).await?;
    CursorMoved::check(expected, stored)?;
    if let Some(moved) = cursor.advance(stored)? {
        store_cursor(session, moved).await?;
    }
    Ok(())
}

/// Takes the lock that makes writers of blocks and cursor queue, and reads the cursor under it.
pub(crate) async fn lock_cursor(session: &mut Session) -> Result<Option<Cursor>> {
    sqlx::query_as!(
        CursorRow,
        "SELECT slot, block_number, block_hash FROM dlt_cursor WHERE singleton = 1 FOR UPDATE"
    )
    .fetch_one(session)
    .await
    .map_err(classify)?
    .try_into()
}

pub(crate) async fn store_cursor(session: &mut Session, cursor: Cursor) -> Result<()> {
    sqlx::query!(
        "UPDATE dlt_cursor SET slot = $1, block_number = $2, block_hash = $3 WHERE singleton = 1",
        i64::from(cursor.slot),
        i64::from(cursor.block),
        cursor.hash.as_slice(),
    )
    .execute(session)
    .await
    .map_err(classify)?;
    Ok(())
}
