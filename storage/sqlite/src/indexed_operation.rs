//! Which operation belongs to which DID.

use node_storage_contract::row::{
    ListedDidRow, OperationRow, OutcomeColumns, PositionRow, StorageOwnerRow, rows_within,
};
use node_storage_contract::{
    DidSuffix, IndexEntry, IndexOutcome, IndexPlan, Indexed, IndexedOperationRepo, ListedDid, OperationHash,
    OperationPosition, OperationRecord, PageLimit, Result, StorageOwner,
};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::SqliteDb;
use crate::error::classify;
use crate::indexer_state::{lock_watermark, store_watermark};
use crate::raw_operation::{json_array, query_operations};

/// Rows of one INSERT. SQLite takes 32,766 values a statement.
const CHUNK_ROWS: usize = 500;

impl IndexedOperationRepo for SqliteDb {
    async fn index(&self, batch: &[IndexEntry]) -> Result<Indexed> {
        let plan = IndexPlan::new(batch)?;
        let mut transaction = self.begin_write().await?;
        let watermark = lock_watermark(&mut transaction).await?;
        let stored = stored_positions(&mut transaction, &plan).await?;
        let next = next_position(&mut transaction, watermark).await?;
        let new = plan.against(watermark, &stored, next)?;
        insert_entries(&mut transaction, &new).await?;
        insert_listed_dids(&mut transaction, &new).await?;
        let last = new.last().map(|(position, _)| *position);
        if let Some(position) = last {
            store_watermark(&mut transaction, position).await?;
        }
        self.commit(transaction).await?;
        Ok(Indexed {
            entries: new.len(),
            watermark: last.or(watermark),
        })
    }

    async fn operations_of_did(
        &self,
        did: &DidSuffix,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        let after = PositionRow::after(after);
        let mut connection = self.reader.lend().await.map_err(classify)?;
        let rows = rows_of_did_after(&mut connection, did, after, limit).await?;
        // Read in the order of indexed_operation_by_did.
        let page = query_operations!(
            r#"
            SELECT block_number, absn, osn
            FROM indexed_operation
            WHERE did = ?1 AND (block_number, absn, osn) > (?2, ?3, ?4)
            ORDER BY block_number, absn, osn
            LIMIT ?5
            "#,
            did.as_slice(),
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

    async fn storage_owners(&self, hashes: &[OperationHash]) -> Result<Vec<StorageOwner>> {
        let hashes = json_array(hashes.iter().map(|hash| format!("\"{hash}\"")));
        // Each hash takes the first entry of indexed_operation_by_storage_hash.
        sqlx::query_as!(
            StorageOwnerRow,
            r#"
            SELECT
                lowest.operation_hash AS "operation_hash!",
                lowest.did AS "did!",
                lowest.block_number AS "block_number!",
                lowest.absn AS "absn!",
                lowest.osn AS "osn!"
            FROM (SELECT DISTINCT unhex(value) AS operation_hash FROM json_each(?1)) AS wanted
            INNER JOIN indexed_operation AS lowest
                ON (lowest.block_number, lowest.absn, lowest.osn) = (
                    SELECT block_number, absn, osn
                    FROM indexed_operation
                    WHERE kind = 'storage' AND operation_hash = wanted.operation_hash
                    ORDER BY block_number, absn, osn
                    LIMIT 1
                )
            ORDER BY lowest.block_number, lowest.absn, lowest.osn
            "#,
            hashes,
        )
        .fetch_all(&self.reader)
        .await
        .map_err(classify)?
        .into_iter()
        .map(TryInto::try_into)
        .collect()
    }

    async fn listed_did(&self, did: &DidSuffix) -> Result<Option<ListedDid>> {
        sqlx::query_as!(
            ListedDidRow,
            "SELECT did, block_number, absn, osn FROM listed_did WHERE did = ?1",
            did.as_slice(),
        )
        .fetch_optional(&self.reader)
        .await
        .map_err(classify)?
        .map(TryInto::try_into)
        .transpose()
    }

    async fn listed_dids_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Result<Vec<ListedDid>> {
        let after = PositionRow::after(after);
        sqlx::query_as!(
            ListedDidRow,
            r#"
            SELECT did, block_number, absn, osn
            FROM listed_did
            WHERE (block_number, absn, osn) > (?1, ?2, ?3)
            ORDER BY block_number, absn, osn
            LIMIT ?4
            "#,
            after.block_number,
            after.absn,
            after.osn,
            i64::from(limit.get()),
        )
        .fetch_all(&self.reader)
        .await
        .map_err(classify)?
        .into_iter()
        .map(TryInto::try_into)
        .collect()
    }
}

/// How many of the operations of a DID above `after` a page of this limit holds, if there are as many.
async fn rows_of_did_after(
    connection: &mut SqliteConnection,
    did: &DidSuffix,
    after: PositionRow,
    limit: PageLimit,
) -> Result<i64> {
    if limit.bytes().is_none() {
        return Ok(i64::from(limit.get()));
    }
    let lengths = sqlx::query_scalar!(
        r#"
        SELECT length(raw_operation.signed_operation) AS "length!: i64"
        FROM (
            SELECT block_number, absn, osn
            FROM indexed_operation
            WHERE did = ?1 AND (block_number, absn, osn) > (?2, ?3, ?4)
            ORDER BY block_number, absn, osn
            LIMIT ?5
        ) AS wanted
        INNER JOIN raw_operation
            ON
                wanted.block_number = raw_operation.block_number
                AND wanted.absn = raw_operation.absn
                AND wanted.osn = raw_operation.osn
        ORDER BY wanted.block_number, wanted.absn, wanted.osn
        "#,
        did.as_slice(),
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

/// The stored positions from the first entry of the batch to the last, as many as are needed to judge it.
async fn stored_positions(connection: &mut SqliteConnection, plan: &IndexPlan<'_>) -> Result<Vec<OperationPosition>> {
    let Some((first, last)) = plan.span() else {
        return Ok(Vec::new());
    };
    let (first, last) = (PositionRow::from(first), PositionRow::from(last));
    sqlx::query_as!(
        PositionRow,
        r#"
        SELECT block_number, absn, osn
        FROM raw_operation
        WHERE
            (block_number, absn, osn) >= (?1, ?2, ?3)
            AND (block_number, absn, osn) <= (?4, ?5, ?6)
        ORDER BY block_number, absn, osn
        LIMIT ?7
        "#,
        first.block_number,
        first.absn,
        first.osn,
        last.block_number,
        last.absn,
        last.osn,
        plan.positions_needed(),
    )
    .fetch_all(connection)
    .await
    .map_err(classify)?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// The lowest stored position above the watermark.
async fn next_position(
    connection: &mut SqliteConnection,
    watermark: Option<OperationPosition>,
) -> Result<Option<OperationPosition>> {
    let after = PositionRow::after(watermark);
    sqlx::query_as!(
        PositionRow,
        r#"
        SELECT block_number, absn, osn
        FROM raw_operation
        WHERE (block_number, absn, osn) > (?1, ?2, ?3)
        ORDER BY block_number, absn, osn
        LIMIT 1
        "#,
        after.block_number,
        after.absn,
        after.osn,
    )
    .fetch_optional(connection)
    .await
    .map_err(classify)?
    .map(TryInto::try_into)
    .transpose()
}

// The number of rows makes the text of the following statements, so the macros can't check them; the suite runs them.

async fn insert_entries(
    connection: &mut SqliteConnection,
    entries: &[(OperationPosition, &IndexOutcome)],
) -> Result<()> {
    for chunk in entries.chunks(CHUNK_ROWS) {
        QueryBuilder::<Sqlite>::new(
            "INSERT INTO indexed_operation \
             (block_number, absn, osn, kind, did, operation_hash, lists_did, ignored_reason) ",
        )
        .push_values(chunk, |mut row, (position, outcome)| {
            let position = PositionRow::from(*position);
            let columns = OutcomeColumns::from(*outcome);
            row.push_bind(position.block_number)
                .push_bind(position.absn)
                .push_bind(position.osn)
                .push_bind(columns.kind)
                .push_bind(columns.did)
                .push_bind(columns.operation_hash)
                .push_bind(columns.lists_did)
                .push_bind(columns.ignored_reason);
        })
        .build()
        .execute(&mut *connection)
        .await
        .map_err(classify)?;
    }
    Ok(())
}

/// Lists the DIDs that the entries create. Positions ascend from batch to batch, so a DID that is listed stands lower.
async fn insert_listed_dids(
    connection: &mut SqliteConnection,
    entries: &[(OperationPosition, &IndexOutcome)],
) -> Result<()> {
    let listed = ListedDid::lowest_of(entries);
    for chunk in listed.chunks(CHUNK_ROWS) {
        QueryBuilder::<Sqlite>::new("INSERT INTO listed_did (did, block_number, absn, osn) ")
            .push_values(chunk, |mut row, listed| {
                row.push_bind(listed.did.as_slice())
                    .push_bind(i64::from(listed.position.block))
                    .push_bind(i32::from(listed.position.absn))
                    .push_bind(i32::from(listed.position.osn));
            })
            .push(" ON CONFLICT (did) DO NOTHING")
            .build()
            .execute(&mut *connection)
            .await
            .map_err(classify)?;
    }
    Ok(())
}
