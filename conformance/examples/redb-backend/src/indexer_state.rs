//! How far indexing has come.

use std::ops::Bound;

use node_storage_contract::{BlockHeader, IndexerState, IndexerStateRepo, OperationPosition, Result};
use redb::{ReadTransaction, ReadableTable};

use crate::RedbStore;
use crate::encoding::{block_key, decode_block, decode_block_number, decode_position, position_key};
use crate::error::classify;
use crate::tables::{
    BLOCKS, OPERATIONS, SINGLETONS, WATERMARK, WriteTable, above, get, last_position, positions, put, to_read,
};

impl IndexerStateRepo for RedbStore {
    async fn indexer_state(&self) -> Result<IndexerState> {
        self.read(|transaction| {
            let watermark = stored_watermark(&to_read(transaction, SINGLETONS)?)?;
            let last_indexed_block = match watermark {
                Some(watermark) => last_indexed_block(transaction, watermark)?,
                None => None,
            };
            Ok(IndexerState {
                watermark,
                last_stored: last_position(&to_read(transaction, OPERATIONS)?)?,
                last_indexed_block,
            })
        })
    }
}

/// The highest block up to the watermark's; that one counts only if its next operation stands in a later block.
fn last_indexed_block(transaction: &ReadTransaction, watermark: OperationPosition) -> Result<Option<BlockHeader>> {
    let operations = to_read(transaction, OPERATIONS)?;
    let next = positions(&operations, &[], above(Some(watermark)))?
        .next()
        .transpose()?;
    let key = block_key(watermark.block);
    let highest = if next.is_some_and(|next| next.block == watermark.block) {
        Bound::Excluded(&key[..])
    } else {
        Bound::Included(&key[..])
    };
    let blocks = to_read(transaction, BLOCKS)?;
    let mut up_to = blocks.range::<&[u8]>((Bound::Unbounded, highest)).map_err(classify)?;
    let last = up_to.next_back().transpose().map_err(classify)?;
    last.map(|(key, value)| decode_block(decode_block_number(key.value())?, value.value()))
        .transpose()
}

pub(crate) fn stored_watermark(
    singletons: &impl ReadableTable<&'static [u8], &'static [u8]>,
) -> Result<Option<OperationPosition>> {
    get(singletons, WATERMARK, decode_position)
}

pub(crate) fn store_watermark(singletons: &mut WriteTable<'_>, position: OperationPosition) -> Result<()> {
    put(singletons, WATERMARK, &position_key(position))
}
