//! What the ledger published.

use node_storage_contract::row::{
    BlockRow, ContentRow, CursorRow, OperationRow, OptionalPositionRow, PositionRow, PublishedOperationRow,
    PublishedTransactionRow, TransactionHeaderRow, TransactionRow, published, rows_within,
};
use node_storage_contract::{
    Addition, AppendPlan, Appended, BlockHeader, BlockNo, Cursor, CursorMoved, Delivery, LedgerBound, LoadPlan,
    LoadSource, OperationId, OperationPosition, OperationRecord, PageLimit, PublishedBlock, PublishedRecord,
    RawOperationRepo, Result, StorageError, StoredBlocks, TransactionId, TransactionRecord,
};

use crate::PostgresDb;
use crate::copy::CopyRows;
use crate::cursor::{lock_cursor, store_cursor};
use crate::error::classify;
use crate::indexer_state::lock_watermark;
use crate::session::Session;

/// Rows of one COPY: each waits for the server's answer, so they are few and long.
const COPY_ROWS: usize = 100_000;
/// Bounds of one INSERT: rows, and bytes of operations.
const CHUNK_ROWS: usize = 10_000;
const CHUNK_BYTES: usize = 8 * 1024 * 1024;

/// An [`OperationRow`] query: the columns are the same in all of them; the function that runs it says which positions.
///
/// Those are chosen, and limited, before anything is joined: otherwise the planner may join whole tables for one page. Each
/// operation is then looked up by its whole key: before the statistics of a fast-growing table are there, the planner may
/// prefer to read a whole transaction for each of its operations.
macro_rules! query_operations {
    ($positions:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            OperationRow,
            r#"
            SELECT
                raw_operation.block_number,
                raw_operation.absn,
                raw_operation.osn,
                block.slot,
                block.block_hash,
                block.block_time,
                ledger_transaction.transaction_id,
                raw_operation.operation_id,
                raw_operation.signed_operation,
                indexed_operation.kind AS "kind?",
                indexed_operation.did AS "did?",
                indexed_operation.operation_hash AS "operation_hash?",
                indexed_operation.lists_did AS "lists_did?",
                indexed_operation.ignored_reason AS "ignored_reason?"
            FROM (
            "# + $positions + r#"
            ) AS wanted
            CROSS JOIN LATERAL (
                SELECT block_number, absn, osn, operation_id, signed_operation
                FROM raw_operation
                WHERE block_number = wanted.block_number AND absn = wanted.absn AND osn = wanted.osn
                LIMIT 1
            ) AS raw_operation
            INNER JOIN ledger_transaction
                ON
                    wanted.block_number = ledger_transaction.block_number
                    AND wanted.absn = ledger_transaction.absn
            INNER JOIN block ON wanted.block_number = block.block_number
            LEFT JOIN indexed_operation
                ON
                    wanted.block_number = indexed_operation.block_number
                    AND wanted.absn = indexed_operation.absn
                    AND wanted.osn = indexed_operation.osn
            ORDER BY wanted.block_number, wanted.absn, wanted.osn
            "#,
            $($argument),*
        )
    };
}
pub(crate) use query_operations;

impl RawOperationRepo for PostgresDb {
    async fn append(&self, expected: Option<Cursor>, blocks: &[PublishedBlock], cursor: Cursor) -> Result<Appended> {
        let plan = AppendPlan::new(blocks, cursor)?;
        let (_permit, mut session) = self.begin_write().await?;
        let appended = append(&mut session, expected, &plan).await;
        session.end(appended).await
    }

    async fn load<L: LoadSource>(&self, onto: LedgerBound, source: &mut L) -> Result<Appended, L::Error> {
        let mut session = self.begin_load().await?;
        let loaded = load(&mut session, onto, source).await;
        // What was not committed is rolled back, and what was is not lost if closing fails.
        let _ = session.close().await;
        loaded
    }

    async fn block(&self, number: BlockNo) -> Result<Option<BlockHeader>> {
        sqlx::query_as!(
            BlockRow,
            "SELECT block_number, slot, block_hash, block_time FROM block WHERE block_number = $1",
            i64::from(number),
        )
        .fetch_optional(&mut self.read().await?)
        .await
        .map_err(classify)?
        .map(TryInto::try_into)
        .transpose()
    }

    async fn operations_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        let after = PositionRow::after(after);
        let mut session = self.read_page(limit).await?;
        let rows = rows_after(&mut session, after, limit).await?;
        let page = query_operations!(
            r#"
            SELECT block_number, absn, osn
            FROM raw_operation
            WHERE (block_number, absn, osn) > ($1, $2::BIGINT, $3::BIGINT)
            ORDER BY block_number, absn, osn
            LIMIT $4
            "#,
            after.block_number,
            after.absn,
            after.osn,
            rows,
        )
        .fetch_all(&mut session)
        .await
        .map_err(classify)?;
        let page = page.into_iter().map(TryInto::try_into).collect();
        session.end(page).await
    }

    async fn published_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<PublishedRecord>> {
        let after = PositionRow::after(after);
        // One server for both statements, however connections are pooled: another one may not have come as far.
        let mut session = self.read_in_transaction().await?;
        let rows = rows_after(&mut session, after, limit).await?;
        let operations = sqlx::query_as!(
            PublishedOperationRow,
            r#"
            SELECT block_number, absn, osn, operation_id, signed_operation
            FROM raw_operation
            WHERE (block_number, absn, osn) > ($1, $2::BIGINT, $3::BIGINT)
            ORDER BY block_number, absn, osn
            LIMIT $4
            "#,
            after.block_number,
            after.absn,
            after.osn,
            rows,
        )
        .fetch_all(&mut session)
        .await
        .map_err(classify)?;
        let (Some(first), Some(last)) = (operations.first(), operations.last()) else {
            return Ok(Vec::new());
        };
        // Each once for all of its operations, instead of once a row. Those of whole blocks, of which there are few more. Both
        // ranges are said, since PostgreSQL does not conclude one from the other and would read the whole of a table.
        let transactions = sqlx::query_as!(
            PublishedTransactionRow,
            r#"
            SELECT
                ledger_transaction.block_number,
                ledger_transaction.absn,
                ledger_transaction.transaction_id,
                block.slot,
                block.block_hash,
                block.block_time
            FROM ledger_transaction
            INNER JOIN block ON ledger_transaction.block_number = block.block_number
            WHERE
                ledger_transaction.block_number BETWEEN $1 AND $2
                AND block.block_number BETWEEN $1 AND $2
            "#,
            first.block_number,
            last.block_number,
        )
        .fetch_all(&mut session)
        .await
        .map_err(classify)?;
        session.end(published(operations, transactions)).await
    }

    async fn operation(&self, id: &OperationId) -> Result<Option<OperationRecord>> {
        query_operations!(
            r#"
            SELECT block_number, absn, osn
            FROM raw_operation
            WHERE operation_id = $1
            ORDER BY block_number, absn, osn
            LIMIT 1
            "#,
            id.as_slice(),
        )
        .fetch_optional(&mut self.read().await?)
        .await
        .map_err(classify)?
        .map(TryInto::try_into)
        .transpose()
    }

    async fn transaction(
        &self,
        id: &TransactionId,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Option<TransactionRecord>> {
        // One server for both statements. Nothing of it ever changes, so that they need not belong to one instant.
        let mut session = self.read_in_transaction().await?;
        let header = sqlx::query_as!(
            TransactionHeaderRow,
            r#"
            SELECT
                ledger_transaction.block_number,
                ledger_transaction.absn,
                block.slot,
                block.block_hash,
                block.block_time,
                (
                    SELECT count(*)
                    FROM raw_operation
                    WHERE
                        raw_operation.block_number = ledger_transaction.block_number
                        AND raw_operation.absn = ledger_transaction.absn
                ) AS "operation_count!"
            FROM ledger_transaction
            INNER JOIN block ON ledger_transaction.block_number = block.block_number
            WHERE ledger_transaction.transaction_id = $1
            "#,
            id.as_slice(),
        )
        .fetch_optional(&mut session)
        .await
        .map_err(classify)?;
        let Some(header) = header else {
            return session.end(Ok(None)).await;
        };
        let (after, last) = (header.after(after), header.last());
        let rows = rows_after(&mut session, after, limit).await?;
        let page = query_operations!(
            r#"
            SELECT block_number, absn, osn
            FROM raw_operation
            WHERE
                (block_number, absn, osn) > ($1, $2::BIGINT, $3::BIGINT)
                AND (block_number, absn, osn) <= ($4, $5::BIGINT, $6::BIGINT)
            ORDER BY block_number, absn, osn
            LIMIT $7
            "#,
            after.block_number,
            after.absn,
            after.osn,
            last.block_number,
            last.absn,
            last.osn,
            rows,
        )
        .fetch_all(&mut session)
        .await
        .map_err(classify)?;
        let operations = page.into_iter().map(TryInto::try_into).collect::<Result<_>>();
        let found = operations.and_then(|operations| header.with_page(*id, operations));
        session.end(found.map(Some)).await
    }

    async fn bound(&self) -> Result<LedgerBound> {
        read_bound(&mut self.read().await?).await
    }
}

/// Appends within a transaction; see [`RawOperationRepo::append`].
async fn append(session: &mut Session, expected: Option<Cursor>, plan: &AppendPlan<'_>) -> Result<Appended> {
    let stored_cursor = lock_cursor(session).await?;
    CursorMoved::check(expected, stored_cursor)?;
    let stored = stored_blocks(session, &plan.known_numbers(stored_cursor)).await?;
    let addition = plan.against(stored_cursor, &stored)?;
    refuse_known_transactions(session, &addition).await?;
    insert_blocks(session, &addition).await?;
    insert_transactions(session, &addition).await?;
    insert_operations(session, &addition).await?;
    if let Some(moved) = addition.cursor {
        store_cursor(session, moved).await?;
    }
    Ok(Appended {
        blocks: addition.blocks.len(),
        operations: addition.operations.len(),
    })
}

/// How many of the operations above `after` a page of this limit holds, if there are as many. What stands above a position
/// changes only behind its end, so that this holds for the statement that follows.
async fn rows_after(session: &mut Session, after: PositionRow, limit: PageLimit) -> Result<i64> {
    if limit.bytes().is_none() {
        return Ok(i64::from(limit.get()));
    }
    // The length of a value is known without reading it.
    let lengths = sqlx::query_scalar!(
        r#"
        SELECT octet_length(signed_operation)::BIGINT AS "length!"
        FROM raw_operation
        WHERE (block_number, absn, osn) > ($1, $2::BIGINT, $3::BIGINT)
        ORDER BY block_number, absn, osn
        LIMIT $4
        "#,
        after.block_number,
        after.absn,
        after.osn,
        i64::from(limit.get()),
    )
    .fetch_all(session)
    .await
    .map_err(classify)?;
    rows_within(limit, lengths)
}

/// Cursor, last position and number of operations.
async fn read_bound(session: &mut Session) -> Result<LedgerBound> {
    // One statement, so that its parts belong to one instant.
    let row = sqlx::query!(
        r#"
        SELECT
            dlt_cursor.slot AS cursor_slot,
            dlt_cursor.block_number AS cursor_block,
            dlt_cursor.block_hash AS cursor_hash,
            (SELECT count(*) FROM raw_operation) AS "operations!",
            last_operation.block_number::BIGINT AS "last_block?",
            last_operation.absn::BIGINT AS last_absn,
            last_operation.osn::BIGINT AS last_osn
        FROM dlt_cursor
        LEFT JOIN (
            SELECT block_number, absn, osn
            FROM raw_operation
            ORDER BY block_number DESC, absn DESC, osn DESC
            LIMIT 1
        ) AS last_operation ON TRUE
        WHERE dlt_cursor.singleton = 1
        "#
    )
    .fetch_one(session)
    .await
    .map_err(classify)?;
    Ok(LedgerBound {
        cursor: CursorRow {
            slot: row.cursor_slot,
            block_number: row.cursor_block,
            block_hash: row.cursor_hash,
        }
        .try_into()?,
        last: OptionalPositionRow {
            block_number: row.last_block,
            absn: row.last_absn,
            osn: row.last_osn,
        }
        .try_into()?,
        operations: u64::try_from(row.operations)
            .map_err(|error| StorageError::corrupt("the number of operations", error))?,
    })
}

/// What is stored of the blocks with these numbers.
async fn stored_blocks(session: &mut Session, numbers: &[BlockNo]) -> Result<StoredBlocks> {
    let mut stored = StoredBlocks::default();
    if numbers.is_empty() {
        return Ok(stored);
    }
    let numbers: Vec<i64> = numbers.iter().copied().map(i64::from).collect();
    let rows = sqlx::query_as!(
        ContentRow,
        r#"
        SELECT
            block.block_number,
            block.slot,
            block.block_hash,
            block.block_time,
            ledger_transaction.absn,
            ledger_transaction.transaction_id,
            raw_operation.osn,
            raw_operation.operation_id
        FROM block
        INNER JOIN ledger_transaction ON block.block_number = ledger_transaction.block_number
        INNER JOIN raw_operation
            ON
                ledger_transaction.block_number = raw_operation.block_number
                AND ledger_transaction.absn = raw_operation.absn
        WHERE block.block_number = ANY($1)
        "#,
        &numbers,
    )
    .fetch_all(session)
    .await
    .map_err(classify)?;
    for row in rows {
        stored.insert_row(row)?;
    }
    Ok(stored)
}

/// Refuses the addition where one of its transactions is stored at another position.
async fn refuse_known_transactions(session: &mut Session, addition: &Addition<'_>) -> Result<()> {
    let ids: Vec<&[u8]> = addition.transactions.iter().map(|(_, _, id)| id.as_slice()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let known = sqlx::query_as!(
        TransactionRow,
        r#"
        SELECT block_number, absn, transaction_id
        FROM ledger_transaction
        WHERE transaction_id = ANY($1)
        ORDER BY block_number, absn
        LIMIT 1
        "#,
        &ids as &[&[u8]],
    )
    .fetch_optional(session)
    .await
    .map_err(classify)?;
    match known {
        None => Ok(()),
        Some(row) => {
            let (block, absn, id) = row.try_into()?;
            Err(addition.transaction_elsewhere(id, block, absn))
        }
    }
}

/// Loads in one transaction; see [`RawOperationRepo::load`].
async fn load<L: LoadSource>(session: &mut Session, onto: LedgerBound, source: &mut L) -> Result<Appended, L::Error> {
    if let Err(error) = lock_all(session).await {
        return Err(session.naming_holder(error).await.into());
    }
    let mut plan = LoadPlan::new(onto, read_bound(session).await?)?;
    let mut loaded = Appended::default();
    let cursor = loop {
        match source.next().await? {
            Delivery::Blocks(blocks) => {
                let addition = plan.add(&blocks)?;
                insert_loaded(session, &addition).await?;
                loaded.blocks += addition.blocks.len();
                loaded.operations += addition.operations.len();
            }
            Delivery::End(cursor) => break plan.end(cursor)?,
        }
    };
    if let Some(moved) = cursor {
        store_cursor(session, moved).await?;
    }
    session.commit().await?;
    Ok(loaded)
}

/// Index workers wait for a load too.
async fn lock_all(session: &mut Session) -> Result<()> {
    lock_cursor(session).await?;
    lock_watermark(session).await?;
    Ok(())
}

/// Inserts a chunk of a load. Its transactions are looked up only if the insertion fails, which is cheaper than looking first.
async fn insert_loaded(session: &mut Session, addition: &Addition<'_>) -> Result<()> {
    insert_blocks(session, addition).await?;
    // An error ends a transaction on PostgreSQL, but for what comes behind a savepoint.
    session.run("SAVEPOINT insertion").await?;
    let inserted = insert_transactions(session, addition).await;
    if inserted.is_ok() {
        session.run("RELEASE SAVEPOINT insertion").await?;
    } else {
        session.run("ROLLBACK TO SAVEPOINT insertion").await?;
        refuse_known_transactions(session, addition).await?;
        return inserted;
    }
    copy_operations(session, addition).await
}

/// One COPY for each chunk of operations, which are most of the bytes. Blocks and transactions are inserted as by an append: a
/// COPY of little waits some 40 ms for a delayed acknowledgement of TCP, since its end is sent apart from its rows.
async fn copy_operations(session: &mut Session, addition: &Addition<'_>) -> Result<()> {
    for chunk in addition.operation_chunks(COPY_ROWS, CHUNK_BYTES) {
        let mut rows = CopyRows::new(
            "COPY raw_operation (block_number, absn, osn, operation_id, signed_operation) FROM STDIN (FORMAT binary)",
            5,
        );
        for (position, id, bytes) in chunk {
            rows.begin();
            rows.push(&i64::from(position.block).to_be_bytes());
            rows.push(&i32::from(position.absn).to_be_bytes());
            rows.push(&i32::from(position.osn).to_be_bytes());
            rows.push(id.as_slice());
            rows.push(bytes.as_slice());
        }
        rows.send(session).await?;
    }
    Ok(())
}

async fn insert_blocks(session: &mut Session, addition: &Addition<'_>) -> Result<()> {
    for chunk in addition.blocks.chunks(CHUNK_ROWS) {
        let numbers: Vec<i64> = chunk.iter().map(|block| block.number.into()).collect();
        let slots: Vec<i64> = chunk.iter().map(|block| block.slot.into()).collect();
        let hashes: Vec<&[u8]> = chunk.iter().map(|block| block.hash.as_slice()).collect();
        let times: Vec<i64> = chunk.iter().map(|block| block.time.unix_micros()).collect();
        sqlx::query!(
            r#"
            INSERT INTO block (block_number, slot, block_hash, block_time)
            SELECT * FROM unnest($1::BIGINT [], $2::BIGINT [], $3::BYTEA [], $4::BIGINT [])
            "#,
            &numbers,
            &slots,
            &hashes as &[&[u8]],
            &times,
        )
        .execute(&mut *session)
        .await
        .map_err(classify)?;
    }
    Ok(())
}

async fn insert_transactions(session: &mut Session, addition: &Addition<'_>) -> Result<()> {
    for chunk in addition.transactions.chunks(CHUNK_ROWS) {
        let blocks: Vec<i64> = chunk.iter().map(|(block, _, _)| (*block).into()).collect();
        let absns: Vec<i32> = chunk.iter().map(|(_, absn, _)| (*absn).into()).collect();
        let ids: Vec<&[u8]> = chunk.iter().map(|(_, _, id)| id.as_slice()).collect();
        sqlx::query!(
            r#"
            INSERT INTO ledger_transaction (block_number, absn, transaction_id)
            SELECT * FROM unnest($1::BIGINT [], $2::INTEGER [], $3::BYTEA [])
            "#,
            &blocks,
            &absns,
            &ids as &[&[u8]],
        )
        .execute(&mut *session)
        .await
        .map_err(classify)?;
    }
    Ok(())
}

async fn insert_operations(session: &mut Session, addition: &Addition<'_>) -> Result<()> {
    for chunk in addition.operation_chunks(CHUNK_ROWS, CHUNK_BYTES) {
        let blocks: Vec<i64> = chunk.iter().map(|(position, _, _)| position.block.into()).collect();
        let absns: Vec<i32> = chunk.iter().map(|(position, _, _)| position.absn.into()).collect();
        let osns: Vec<i32> = chunk.iter().map(|(position, _, _)| position.osn.into()).collect();
        let ids: Vec<&[u8]> = chunk.iter().map(|(_, id, _)| id.as_slice()).collect();
        let operations: Vec<&[u8]> = chunk.iter().map(|(_, _, bytes)| bytes.as_slice()).collect();
        sqlx::query!(
            r#"
            INSERT INTO raw_operation (block_number, absn, osn, operation_id, signed_operation)
            SELECT * FROM unnest($1::BIGINT [], $2::INTEGER [], $3::INTEGER [], $4::BYTEA [], $5::BYTEA [])
            "#,
            &blocks,
            &absns,
            &osns,
            &ids as &[&[u8]],
            &operations as &[&[u8]],
        )
        .execute(&mut *session)
        .await
        .map_err(classify)?;
    }
    Ok(())
}
