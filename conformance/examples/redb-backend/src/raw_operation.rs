//! What the ledger published.

use std::ops::Bound;

use node_storage_contract::{
    Addition, AppendPlan, Appended, BlockHeader, BlockNo, Cursor, CursorMoved, Delivery, LedgerBound, LedgerOperation,
    LoadPlan, LoadSource, OperationId, OperationPosition, OperationRecord, PageLimit, PublishedBlock, PublishedRecord,
    RawOperationRepo, Result, StorageError, StoredBlocks, TransactionId, TransactionRecord,
};
use redb::{ReadTransaction, ReadableTableMetadata, WriteTransaction};
use tokio::task::block_in_place;

use crate::RedbStore;
use crate::cursor::{store_cursor, stored_cursor};
use crate::encoding::{
    block_key, decode_block, decode_operation, decode_operation_id, decode_outcome, decode_transaction_id,
    decode_transaction_place, encode_block, encode_operation, position_key, transaction_key,
};
use crate::error::classify;
use crate::tables::{
    BLOCKS, INDEX, OPERATION_PLACES, OPERATIONS, ReadTable, SINGLETONS, TRANSACTION_PLACES, TRANSACTIONS, above,
    entries, get, last_position, positions, put, to_read, to_write,
};

impl RawOperationRepo for RedbStore {
    async fn append(&self, expected: Option<Cursor>, blocks: &[PublishedBlock], cursor: Cursor) -> Result<Appended> {
        let plan = AppendPlan::new(blocks, cursor)?;
        self.write(|transaction| {
            let mut singletons = to_write(transaction, SINGLETONS)?;
            let stored_cursor = stored_cursor(&singletons)?;
            CursorMoved::check(expected, stored_cursor)?;
            let stored = stored_blocks(transaction, &plan.known_numbers(stored_cursor))?;
            let addition = plan.against(stored_cursor, &stored)?;
            add(transaction, &addition)?;
            if let Some(moved) = addition.cursor {
                store_cursor(&mut singletons, moved)?;
            }
            Ok(Appended {
                blocks: addition.blocks.len(),
                operations: addition.operations.len(),
            })
        })
        .await
    }

    async fn load<L: LoadSource>(&self, onto: LedgerBound, source: &mut L) -> Result<Appended, L::Error> {
        // Dropped before the commit, with this future too, it is rolled back.
        let (_turn, transaction) = self.begin_write().await?;
        let mut plan = block_in_place(|| LoadPlan::new(onto, bound_to_write(&transaction)?))?;
        let mut loaded = Appended::default();
        let cursor = loop {
            match source.next().await? {
                Delivery::Blocks(blocks) => {
                    let addition = plan.add(&blocks)?;
                    block_in_place(|| add(&transaction, &addition))?;
                    loaded.blocks += addition.blocks.len();
                    loaded.operations += addition.operations.len();
                }
                Delivery::End(cursor) => break plan.end(cursor)?,
            }
        };
        block_in_place(|| {
            if let Some(moved) = cursor {
                store_cursor(&mut to_write(&transaction, SINGLETONS)?, moved)?;
            }
            transaction.commit().map_err(classify)
        })?;
        Ok(loaded)
    }

    async fn block(&self, number: BlockNo) -> Result<Option<BlockHeader>> {
        self.read(|transaction| {
            let blocks = to_read(transaction, BLOCKS)?;
            get(&blocks, &block_key(number), |value| decode_block(number, value))
        })
    }

    async fn operations_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        self.read(|transaction| {
            let records = Records::in_transaction(transaction)?;
            records.page(positions(&records.operations, &[], above(after))?, limit)
        })
    }

    async fn published_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<PublishedRecord>> {
        let page = self.operations_after(after, limit).await?;
        Ok(page.into_iter().map(Into::into).collect())
    }

    async fn operation(&self, id: &OperationId) -> Result<Option<OperationRecord>> {
        self.read(|transaction| {
            let places = to_read(transaction, OPERATION_PLACES)?;
            let lowest = positions(&places, id.as_slice(), Bound::Unbounded)?
                .next()
                .transpose()?;
            let records = Records::in_transaction(transaction)?;
            lowest.map(|position| records.at(position)).transpose()
        })
    }

    async fn transaction(
        &self,
        id: &TransactionId,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Option<TransactionRecord>> {
        self.read(|transaction| {
            let places = to_read(transaction, TRANSACTION_PLACES)?;
            let Some((block, absn)) = get(&places, id.as_slice(), decode_transaction_place)? else {
                return Ok(None);
            };
            let records = Records::in_transaction(transaction)?;
            let key = transaction_key(block, absn);
            let own = || positions(&records.operations, &key, Bound::Unbounded);
            let mut operation_count = 0;
            for position in own()? {
                position?;
                operation_count += 1;
            }
            let is_above = |position: &Result<OperationPosition>| match (position, after) {
                (Ok(position), Some(after)) => *position > after,
                _ => true,
            };
            let header = get(&records.blocks, &block_key(block), |value| decode_block(block, value))?;
            Ok(Some(TransactionRecord {
                id: *id,
                block: header.ok_or_else(|| StorageError::corrupt(format!("block {block}"), "it is not stored"))?,
                absn,
                operation_count,
                operations: records.page(own()?.filter(is_above), limit)?,
            }))
        })
    }

    async fn bound(&self) -> Result<LedgerBound> {
        self.read(|transaction| {
            let operations = to_read(transaction, OPERATIONS)?;
            Ok(LedgerBound {
                cursor: stored_cursor(&to_read(transaction, SINGLETONS)?)?,
                last: last_position(&operations)?,
                operations: operations.len().map_err(classify)?,
            })
        })
    }
}

/// The bound, as a transaction that writes sees it.
fn bound_to_write(transaction: &WriteTransaction) -> Result<LedgerBound> {
    let operations = to_write(transaction, OPERATIONS)?;
    Ok(LedgerBound {
        cursor: stored_cursor(&to_write(transaction, SINGLETONS)?)?,
        last: last_position(&operations)?,
        operations: operations.len().map_err(classify)?,
    })
}

/// What is stored of the blocks with these numbers.
fn stored_blocks(transaction: &WriteTransaction, numbers: &[BlockNo]) -> Result<StoredBlocks> {
    let blocks = to_write(transaction, BLOCKS)?;
    let transactions = to_write(transaction, TRANSACTIONS)?;
    let operations = to_write(transaction, OPERATIONS)?;
    let mut stored = StoredBlocks::default();
    for number in numbers {
        let key = block_key(*number);
        let Some(header) = get(&blocks, &key, |value| decode_block(*number, value))? else {
            continue;
        };
        let of_block = entries(&operations, &key, Bound::Unbounded, |position, value| {
            Ok((position, decode_operation_id(value)?))
        })?;
        for operation in of_block {
            let (position, operation_id) = operation?;
            let place = transaction_key(position.block, position.absn);
            let transaction_id = get(&transactions, &place, decode_transaction_id)?
                .ok_or_else(|| missing(position, "its transaction"))?;
            stored.insert(header, position.absn, transaction_id, position.osn, operation_id);
        }
    }
    Ok(stored)
}

/// Writes what is new, in each table that it is found by.
fn add(transaction: &WriteTransaction, addition: &Addition<'_>) -> Result<()> {
    let mut blocks = to_write(transaction, BLOCKS)?;
    for header in &addition.blocks {
        put(&mut blocks, &block_key(header.number), &encode_block(header))?;
    }
    let mut transactions = to_write(transaction, TRANSACTIONS)?;
    let mut transaction_places = to_write(transaction, TRANSACTION_PLACES)?;
    for (block, absn, id) in &addition.transactions {
        if let Some((block, absn)) = get(&transaction_places, id.as_slice(), decode_transaction_place)? {
            return Err(addition.transaction_elsewhere(*id, block, absn));
        }
        let place = transaction_key(*block, *absn);
        put(&mut transactions, &place, id.as_slice())?;
        put(&mut transaction_places, id.as_slice(), &place)?;
    }
    let mut operations = to_write(transaction, OPERATIONS)?;
    let mut operation_places = to_write(transaction, OPERATION_PLACES)?;
    for (position, id, bytes) in &addition.operations {
        let key = position_key(*position);
        put(&mut operations, &key, &encode_operation(*id, bytes))?;
        put(&mut operation_places, &[id.as_slice(), &key].concat(), &[])?;
    }
    Ok(())
}

/// The tables that make up the record of an operation.
pub(crate) struct Records {
    blocks: ReadTable,
    transactions: ReadTable,
    operations: ReadTable,
    index: ReadTable,
}

impl Records {
    pub(crate) fn in_transaction(transaction: &ReadTransaction) -> Result<Self> {
        Ok(Self {
            blocks: to_read(transaction, BLOCKS)?,
            transactions: to_read(transaction, TRANSACTIONS)?,
            operations: to_read(transaction, OPERATIONS)?,
            index: to_read(transaction, INDEX)?,
        })
    }

    /// The operation at this position, which holds one.
    fn at(&self, position: OperationPosition) -> Result<OperationRecord> {
        let OperationPosition { block, absn, .. } = position;
        let key = position_key(position);
        let (id, bytes) =
            get(&self.operations, &key, decode_operation)?.ok_or_else(|| missing(position, "its content"))?;
        let header = get(&self.blocks, &block_key(block), |value| decode_block(block, value))?
            .ok_or_else(|| missing(position, "its block"))?;
        let transaction_id = get(&self.transactions, &transaction_key(block, absn), decode_transaction_id)?
            .ok_or_else(|| missing(position, "its transaction"))?;
        Ok(OperationRecord {
            operation: LedgerOperation {
                position,
                block_time: header.time,
                bytes,
            },
            id,
            slot: header.slot,
            block_hash: header.hash,
            transaction_id,
            indexing: get(&self.index, &key, decode_outcome)?,
        })
    }

    /// The first operations at these positions, as many as the limit admits.
    pub(crate) fn page(
        &self,
        positions: impl Iterator<Item = Result<OperationPosition>>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        let mut page = Vec::new();
        let mut bytes = 0;
        for position in positions.take(rows(limit)) {
            let record = self.at(position?)?;
            let length = u64::try_from(record.operation.bytes.as_slice().len()).unwrap_or(u64::MAX);
            if !limit.admits(page.len(), bytes, length) {
                break;
            }
            bytes += length;
            page.push(record);
        }
        Ok(page)
    }
}

/// The most rows of a page.
pub(crate) fn rows(limit: PageLimit) -> usize {
    usize::try_from(limit.get()).unwrap_or(usize::MAX)
}

fn missing(position: OperationPosition, part: &str) -> StorageError {
    StorageError::corrupt(format!("the operation at {position}"), format!("{part} is not stored"))
}
