//! What the ledger published.

use std::fmt::Display;

use node_storage_contract::row::{
    BlockRow, ContentRow, CursorRow, OperationRow, OptionalPositionRow, PositionRow, PublishedOperationRow,
    PublishedTransactionRow, TransactionHeaderRow, TransactionRow, published, rows_within,
};
use node_storage_contract::{
    Addition, AppendPlan, Appended, BlockHeader, BlockNo, Cursor, CursorMoved, Delivery, LedgerBound, LoadPlan,
    LoadSource, OperationId, OperationPosition, OperationRecord, PageLimit, PublishedBlock, PublishedRecord,
    RawOperationRepo, Result, StorageError, StoredBlocks, TransactionId, TransactionRecord,
};
use sqlx::{Connection, QueryBuilder, Sqlite, SqliteConnection};

use crate::SqliteDb;
use crate::cursor::{lock_cursor, store_cursor};
use crate::error::classify;

/// Bounds of one INSERT: rows, and bytes of operations. SQLite takes 32,766 values a statement.
const CHUNK_ROWS: usize = 500;
const CHUNK_BYTES: usize = 8 * 1024 * 1024;

/// An [`OperationRow`] query: the columns are the same in all of them; the function that runs it says which positions.
///
/// Those are chosen, and limited, before anything is joined: otherwise the planner may join whole tables for one page.
macro_rules! query_operations {
    ($positions:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            OperationRow,
            r#"
            SELECT
                raw_operation.block_number AS "block_number!",
                raw_operation.absn AS "absn!",
                raw_operation.osn AS "osn!",
                block.slot AS "slot!",
                block.block_hash AS "block_hash!",
                block.block_time AS "block_time!",
                ledger_transaction.transaction_id AS "transaction_id!",
                raw_operation.operation_id AS "operation_id!",
                raw_operation.signed_operation AS "signed_operation!",
                indexed_operation.kind AS "kind?",
                indexed_operation.did AS "did?",
                indexed_operation.operation_hash AS "operation_hash?",
                indexed_operation.lists_did AS "lists_did?: bool",
                indexed_operation.ignored_reason AS "ignored_reason?"
            FROM (
            "# + $positions + r#"
            ) AS wanted
            INNER JOIN raw_operation
                ON
                    wanted.block_number = raw_operation.block_number
                    AND wanted.absn = raw_operation.absn
                    AND wanted.osn = raw_operation.osn
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

impl RawOperationRepo for SqliteDb {
    async fn append(&self, expected: Option<Cursor>, blocks: &[PublishedBlock], cursor: Cursor) -> Result<Appended> {
        let plan = AppendPlan::new(blocks, cursor)?;
        let mut transaction = self.begin_write().await?;
        let stored_cursor = lock_cursor(&mut transaction).await?;
        CursorMoved::check(expected, stored_cursor)?;
        let stored = stored_blocks(&mut transaction, &plan.known_numbers(stored_cursor)).await?;
        let addition = plan.against(stored_cursor, &stored)?;
        refuse_known_transactions(&mut transaction, &addition).await?;
        insert_blocks(&mut transaction, &addition).await?;
        insert_transactions(&mut transaction, &addition).await?;
        insert_operations(&mut transaction, &addition).await?;
        if let Some(moved) = addition.cursor {
            store_cursor(&mut transaction, moved).await?;
        }
        self.commit(transaction).await?;
        Ok(Appended {
            blocks: addition.blocks.len(),
            operations: addition.operations.len(),
        })
    }

    async fn load<L: LoadSource>(&self, onto: LedgerBound, source: &mut L) -> Result<Appended, L::Error> {
        let mut transaction = self.begin_write().await?;
        lock_cursor(&mut transaction).await?;
        let mut plan = LoadPlan::new(onto, read_bound(&mut transaction).await?)?;
        let mut loaded = Appended::default();
        let cursor = loop {
            match source.next().await? {
                Delivery::Blocks(blocks) => {
                    let addition = plan.add(&blocks)?;
                    insert_loaded(&mut transaction, &addition).await?;
                    loaded.blocks += addition.blocks.len();
                    loaded.operations += addition.operations.len();
                }
                Delivery::End(cursor) => break plan.end(cursor)?,
            }
        };
        if let Some(moved) = cursor {
            store_cursor(&mut transaction, moved).await?;
        }
        check_foreign_keys(&mut transaction).await?;
        self.commit(transaction).await?;
        Ok(loaded)
    }

    async fn block(&self, number: BlockNo) -> Result<Option<BlockHeader>> {
        sqlx::query_as!(
            BlockRow,
            "SELECT block_number, slot, block_hash, block_time FROM block WHERE block_number = ?1",
            i64::from(number),
        )
        .fetch_optional(&self.reader)
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
        let mut connection = self.reader.lend().await.map_err(classify)?;
        let rows = rows_after(&mut connection, after, limit).await?;
        let page = query_operations!(
            r#"
            SELECT block_number, absn, osn
            FROM raw_operation
            WHERE (block_number, absn, osn) > (?1, ?2, ?3)
            ORDER BY block_number, absn, osn
            LIMIT ?4
            "#,
            after.block_number,
            after.absn,
            after.osn,
            rows,
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(classify)?;
        connection.settled();
        page.into_iter().map(TryInto::try_into).collect()
    }

    async fn published_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<PublishedRecord>> {
        let after = PositionRow::after(after);
        let mut connection = self.reader.lend().await.map_err(classify)?;
        let rows = rows_after(&mut connection, after, limit).await?;
        let operations = sqlx::query_as!(
            PublishedOperationRow,
            r#"
            SELECT block_number, absn, osn, operation_id, signed_operation
            FROM raw_operation
            WHERE (block_number, absn, osn) > (?1, ?2, ?3)
            ORDER BY block_number, absn, osn
            LIMIT ?4
            "#,
            after.block_number,
            after.absn,
            after.osn,
            rows,
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(classify)?;
        let (Some(first), Some(last)) = (operations.first(), operations.last()) else {
            connection.settled();
            return Ok(Vec::new());
        };
        // Each once for all of its operations, instead of once a row. Those of whole blocks, of which there are few more.
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
            WHERE ledger_transaction.block_number BETWEEN ?1 AND ?2
            "#,
            first.block_number,
            last.block_number,
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(classify)?;
        connection.settled();
        published(operations, transactions)
    }

    async fn operation(&self, id: &OperationId) -> Result<Option<OperationRecord>> {
        query_operations!(
            r#"
            SELECT block_number, absn, osn
            FROM raw_operation
            WHERE operation_id = ?1
            ORDER BY block_number, absn, osn
            LIMIT 1
            "#,
            id.as_slice(),
        )
        .fetch_optional(&self.reader)
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
        let mut connection = self.reader.lend().await.map_err(classify)?;
        // Nothing of it ever changes, so that the statements need not belong to one instant.
        let header = sqlx::query_as!(
            TransactionHeaderRow,
            r#"
            SELECT
                ledger_transaction.block_number AS "block_number!",
                ledger_transaction.absn AS "absn!",
                block.slot AS "slot!",
                block.block_hash AS "block_hash!",
                block.block_time AS "block_time!",
                (
                    SELECT count(*)
                    FROM raw_operation
                    WHERE
                        raw_operation.block_number = ledger_transaction.block_number
                        AND raw_operation.absn = ledger_transaction.absn
                ) AS "operation_count!: i64"
            FROM ledger_transaction
            INNER JOIN block ON ledger_transaction.block_number = block.block_number
            WHERE ledger_transaction.transaction_id = ?1
            "#,
            id.as_slice(),
        )
        .fetch_optional(&mut *connection)
        .await
        .map_err(classify)?;
        let Some(header) = header else {
            connection.settled();
            return Ok(None);
        };
        let (after, last) = (header.after(after), header.last());
        let rows = rows_after(&mut connection, after, limit).await?;
        let page = query_operations!(
            r#"
            SELECT block_number, absn, osn
            FROM raw_operation
            WHERE
                (block_number, absn, osn) > (?1, ?2, ?3)
                AND (block_number, absn, osn) <= (?4, ?5, ?6)
            ORDER BY block_number, absn, osn
            LIMIT ?7
            "#,
            after.block_number,
            after.absn,
            after.osn,
            last.block_number,
            last.absn,
            last.osn,
            rows,
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(classify)?;
        connection.settled();
        let operations = page.into_iter().map(TryInto::try_into).collect::<Result<_>>()?;
        header.with_page(*id, operations).map(Some)
    }

    async fn bound(&self) -> Result<LedgerBound> {
        let mut connection = self.reader.lend().await.map_err(classify)?;
        let bound = read_bound(&mut connection).await?;
        connection.settled();
        Ok(bound)
    }
}

/// How many of the operations above `after` a page of this limit holds, if there are as many. What stands above a position
/// changes only behind its end, so that this holds for the statement that follows.
async fn rows_after(connection: &mut SqliteConnection, after: PositionRow, limit: PageLimit) -> Result<i64> {
    if limit.bytes().is_none() {
        return Ok(i64::from(limit.get()));
    }
    // The length of a value is known without reading it.
    let lengths = sqlx::query_scalar!(
        r#"
        SELECT length(signed_operation) AS "length!: i64"
        FROM raw_operation
        WHERE (block_number, absn, osn) > (?1, ?2, ?3)
        ORDER BY block_number, absn, osn
        LIMIT ?4
        "#,
        after.block_number,
        after.absn,
        after.osn,
        i64::from(limit.get()),
    )
    .fetch_all(connection)
    .await
    .map_err(classify)?;
    rows_within(limit, lengths)
}

/// Cursor, last position and number of operations.
async fn read_bound(connection: &mut SqliteConnection) -> Result<LedgerBound> {
    // One statement, so that its parts belong to one instant.
    let row = sqlx::query!(
        r#"
        SELECT
            dlt_cursor.slot AS cursor_slot,
            dlt_cursor.block_number AS cursor_block,
            dlt_cursor.block_hash AS cursor_hash,
            (SELECT count(*) FROM raw_operation) AS "operations!",
            last_operation.block_number AS "last_block?",
            last_operation.absn AS "last_absn?",
            last_operation.osn AS "last_osn?"
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
    .fetch_one(connection)
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
async fn stored_blocks(connection: &mut SqliteConnection, numbers: &[BlockNo]) -> Result<StoredBlocks> {
    let mut stored = StoredBlocks::default();
    if numbers.is_empty() {
        return Ok(stored);
    }
    let numbers = json_array(numbers);
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
        WHERE block.block_number IN (SELECT value FROM json_each(?1))
        "#,
        numbers,
    )
    .fetch_all(connection)
    .await
    .map_err(classify)?;
    for row in rows {
        stored.insert_row(row)?;
    }
    Ok(stored)
}

/// Refuses the addition where one of its transactions is stored at another position.
async fn refuse_known_transactions(connection: &mut SqliteConnection, addition: &Addition<'_>) -> Result<()> {
    if addition.transactions.is_empty() {
        return Ok(());
    }
    let ids = json_array(addition.transactions.iter().map(|(_, _, id)| format!("\"{id}\"")));
    let known = sqlx::query_as!(
        TransactionRow,
        r#"
        SELECT block_number AS "block_number!", absn AS "absn!", transaction_id AS "transaction_id!"
        FROM ledger_transaction
        WHERE transaction_id IN (SELECT unhex(value) FROM json_each(?1))
        ORDER BY block_number, absn
        LIMIT 1
        "#,
        ids,
    )
    .fetch_optional(connection)
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

/// Inserts a chunk of a load. Its transactions are looked up only if the insertion fails, which is cheaper than looking first.
async fn insert_loaded(connection: &mut SqliteConnection, addition: &Addition<'_>) -> Result<()> {
    insert_blocks(connection, addition).await?;
    let mut savepoint = connection.begin().await.map_err(classify)?;
    let inserted = insert_transactions(&mut savepoint, addition).await;
    if inserted.is_ok() {
        savepoint.commit().await.map_err(classify)?;
    } else {
        savepoint.rollback().await.map_err(classify)?;
        refuse_known_transactions(connection, addition).await?;
        return inserted;
    }
    insert_operations(connection, addition).await
}

/// Makes sure that every row has what it refers to, before a load is committed.
async fn check_foreign_keys(connection: &mut SqliteConnection) -> Result<()> {
    // A pragma has no columns that the macros could check.
    let broken: Option<String> = sqlx::query_scalar(r#"SELECT "table" FROM pragma_foreign_key_check LIMIT 1"#)
        .fetch_optional(connection)
        .await
        .map_err(classify)?;
    match broken {
        None => Ok(()),
        Some(table) => Err(StorageError::corrupt(
            format!("the table {table}"),
            "one of its rows refers to one that does not exist",
        )),
    }
}

// The number of rows makes the text of the following statements, so the macros can't check them; the suite runs them.

async fn insert_blocks(connection: &mut SqliteConnection, addition: &Addition<'_>) -> Result<()> {
    for chunk in addition.blocks.chunks(CHUNK_ROWS) {
        QueryBuilder::<Sqlite>::new("INSERT INTO block (block_number, slot, block_hash, block_time) ")
            .push_values(chunk, |mut row, block| {
                row.push_bind(i64::from(block.number))
                    .push_bind(i64::from(block.slot))
                    .push_bind(block.hash.as_slice())
                    .push_bind(block.time.unix_micros());
            })
            .build()
            .execute(&mut *connection)
            .await
            .map_err(classify)?;
    }
    Ok(())
}

async fn insert_transactions(connection: &mut SqliteConnection, addition: &Addition<'_>) -> Result<()> {
    for chunk in addition.transactions.chunks(CHUNK_ROWS) {
        QueryBuilder::<Sqlite>::new("INSERT INTO ledger_transaction (block_number, absn, transaction_id) ")
            .push_values(chunk, |mut row, (block, absn, id)| {
                row.push_bind(i64::from(*block))
                    .push_bind(i32::from(*absn))
                    .push_bind(id.as_slice());
            })
            .build()
            .execute(&mut *connection)
            .await
            .map_err(classify)?;
    }
    Ok(())
}

async fn insert_operations(connection: &mut SqliteConnection, addition: &Addition<'_>) -> Result<()> {
    for chunk in addition.operation_chunks(CHUNK_ROWS, CHUNK_BYTES) {
        QueryBuilder::<Sqlite>::new(
            "INSERT INTO raw_operation (block_number, absn, osn, operation_id, signed_operation) ",
        )
        .push_values(chunk, |mut row, (position, id, bytes)| {
            row.push_bind(i64::from(position.block))
                .push_bind(i32::from(position.absn))
                .push_bind(i32::from(position.osn))
                .push_bind(id.as_slice())
                .push_bind(bytes.as_slice());
        })
        .build()
        .execute(&mut *connection)
        .await
        .map_err(classify)?;
    }
    Ok(())
}

/// A JSON array of numbers or of quoted hexadecimal text: SQLite's way to hand a list to a static statement.
pub(crate) fn json_array<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(","))
}
