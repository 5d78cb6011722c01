//! How far indexing has come.

use node_storage_contract::row::{BlockRow, OptionalPositionRow};
use node_storage_contract::{IndexerState, IndexerStateRepo, OperationPosition, Result};

use crate::PostgresDb;
use crate::error::classify;
use crate::session::Session;

impl IndexerStateRepo for PostgresDb {
    async fn indexer_state(&self) -> Result<IndexerState> {
        // One statement, so that its parts belong to one instant. The block of the watermark counts only if nothing of it
        // stands above; the block looked for is then the highest below the next operation's. The watermark is compared as a
        // value, not joined: only so is the key searched from there on.
        let row = sqlx::query!(
            r#"
            WITH watermark AS (
                SELECT block_number, absn, osn FROM indexer_watermark WHERE singleton = 1
            ),
            next_operation AS (
                SELECT block_number
                FROM raw_operation
                WHERE (block_number, absn, osn) > (SELECT block_number, absn, osn FROM watermark)
                ORDER BY block_number, absn, osn
                LIMIT 1
            ),
            last_operation AS (
                SELECT block_number, absn, osn
                FROM raw_operation
                ORDER BY block_number DESC, absn DESC, osn DESC
                LIMIT 1
            ),
            last_block AS (
                SELECT block.block_number, block.slot, block.block_hash, block.block_time
                FROM block
                WHERE
                    block.block_number <= (SELECT watermark.block_number FROM watermark)
                    AND block.block_number <= coalesce(
                        (SELECT next_operation.block_number - 1 FROM next_operation), 9223372036854775807
                    )
                ORDER BY block.block_number DESC
                LIMIT 1
            )
            SELECT
                watermark.block_number::BIGINT AS watermark_block,
                watermark.absn::BIGINT AS watermark_absn,
                watermark.osn::BIGINT AS watermark_osn,
                last_operation.block_number::BIGINT AS "last_block?",
                last_operation.absn::BIGINT AS last_absn,
                last_operation.osn::BIGINT AS last_osn,
                last_block.block_number AS "block_number?",
                last_block.slot AS "slot?",
                last_block.block_hash AS "block_hash?",
                last_block.block_time AS "block_time?"
            FROM watermark
            LEFT JOIN last_operation ON TRUE
            LEFT JOIN last_block ON TRUE
            "#
        )
        .fetch_one(&mut self.read().await?)
        .await
        .map_err(classify)?;
        let block = match (row.block_number, row.slot, row.block_hash, row.block_time) {
            (Some(block_number), Some(slot), Some(block_hash), Some(block_time)) => Some(BlockRow {
                block_number,
                slot,
                block_hash,
                block_time,
            }),
            _ => None,
        };
        Ok(IndexerState {
            watermark: OptionalPositionRow {
                block_number: row.watermark_block,
                absn: row.watermark_absn,
                osn: row.watermark_osn,
            }
            .try_into()?,
            last_stored: OptionalPositionRow {
                block_number: row.last_block,
                absn: row.last_absn,
                osn: row.last_osn,
            }
            .try_into()?,
            last_indexed_block: block.map(TryInto::try_into).transpose()?,
        })
    }
}

/// Takes the lock that makes index workers queue, and reads the watermark under it.
pub(crate) async fn lock_watermark(session: &mut Session) -> Result<Option<OperationPosition>> {
    sqlx::query_as!(
        OptionalPositionRow,
        r#"
        SELECT block_number, absn::BIGINT AS absn, osn::BIGINT AS osn
        FROM indexer_watermark
        WHERE singleton = 1
        FOR UPDATE
        "#
    )
    .fetch_one(session)
    .await
    .map_err(classify)?
    .try_into()
}

pub(crate) async fn store_watermark(session: &mut Session, position: OperationPosition) -> Result<()> {
    sqlx::query!(
        "UPDATE indexer_watermark SET block_number = $1, absn = $2, osn = $3 WHERE singleton = 1",
        i64::from(position.block),
        i32::from(position.absn),
        i32::from(position.osn),
    )
    .execute(session)
    .await
    .map_err(classify)?;
    Ok(())
}
