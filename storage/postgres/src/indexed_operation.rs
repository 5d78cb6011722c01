//! Which operation belongs to which DID.

use node_storage_contract::row::{
    ListedDidRow, OperationRow, OutcomeColumns, PositionRow, StorageOwnerRow, rows_within,
};
use node_storage_contract::{
    DidSuffix, IndexEntry, IndexOutcome, IndexPlan, Indexed, IndexedOperationRepo, ListedDid, OperationHash,
    OperationPosition, OperationRecord, PageLimit, Result, StorageOwner,
};

use crate::PostgresDb;
use crate::error::classify;
use crate::indexer_state::{lock_watermark, store_watermark};
use crate::raw_operation::query_operations;
use crate::session::Session;

/// Rows of one INSERT.
const CHUNK_ROWS: usize = 10_000;

impl IndexedOperationRepo for PostgresDb {
    async fn index(&self, batch: &[IndexEntry]) -> Result<Indexed> {
        let plan = IndexPlan::new(batch)?;
        let (_permit, mut session) = self.begin_write().await?;
        let indexed = index(&mut session, &plan).await;
        session.end(indexed).await
    }

    async fn operations_of_did(
        &self,
        did: &DidSuffix,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        let after = PositionRow::after(after);
        let mut session = self.read_page(limit).await?;
        let rows = rows_of_did_after(&mut session, did, after, limit).await?;
        // Read in the order of indexed_operation_by_did.
        let page = query_operations!(
            r#"
            SELECT block_number, absn, osn
            FROM indexed_operation
            WHERE did = $1 AND (block_number, absn, osn) > ($2, $3::BIGINT, $4::BIGINT)
            ORDER BY block_number, absn, osn
            LIMIT $5
            "#,
            did.as_slice(),
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

    async fn storage_owners(&self, hashes: &[OperationHash]) -> Result<Vec<StorageOwner>> {
        let hashes: Vec<&[u8]> = hashes.iter().map(OperationHash::as_slice).collect();
        // Each hash takes the first entry of indexed_operation_by_storage_hash.
        sqlx::query_as!(
            StorageOwnerRow,
            r#"
            SELECT
                lowest.operation_hash AS "operation_hash!",
                lowest.did AS "did!",
                lowest.block_number,
                lowest.absn,
                lowest.osn
            FROM (SELECT DISTINCT unnest($1::BYTEA []) AS operation_hash) AS wanted
            CROSS JOIN LATERAL (
                SELECT operation_hash, did, block_number, absn, osn
                FROM indexed_operation
                WHERE kind = 'storage' AND operation_hash = wanted.operation_hash
                ORDER BY block_number, absn, osn
                LIMIT 1
            ) AS lowest
            ORDER BY lowest.block_number, lowest.absn, lowest.osn
            "#,
            &hashes as &[&[u8]],
        )
        .fetch_all(&mut self.read().await?)
        .await
        .map_err(classify)?
        .into_iter()
        .map(TryInto::try_into)
        .collect()
    }

    async fn listed_did(&self, did: &DidSuffix) -> Result<Option<ListedDid>> {
        sqlx::query_as!(
            ListedDidRow,
            "SELECT did, block_number, absn, osn FROM listed_did WHERE did = $1",
            did.as_slice(),
        )
        .fetch_optional(&mut self.read().await?)
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
            WHERE (block_number, absn, osn) > ($1, $2::BIGINT, $3::BIGINT)
            ORDER BY block_number, absn, osn
            LIMIT $4
            "#,
            after.block_number,
            after.absn,
            after.osn,
            i64::from(limit.get()),
        )
        .fetch_all(&mut self.read().await?)
        .await
        .map_err(classify)?
        .into_iter()
        .map(TryInto::try_into)
        .collect()
    }
}

/// Indexes within a transaction; see [`IndexedOperationRepo::index`].
async fn index(session: &mut Session, plan: &IndexPlan<'_>) -> Result<Indexed> {
    let watermark = lock_watermark(session).await?;
    let stored = stored_positions(session, plan).await?;
    let next = next_position(session, watermark).await?;
    let new = plan.against(watermark, &stored, next)?;
    insert_entries(session, &new).await?;
    insert_listed_dids(session, &new).await?;
    let last = new.last().map(|(position, _)| *position);
    if let Some(position) = last {
        store_watermark(session, position).await?;
    }
    Ok(Indexed {
        entries: new.len(),
        watermark: last.or(watermark),
    })
}

/// How many of the operations of a DID above `after` a page of this limit holds, if there are as many.
async fn rows_of_did_after(
    session: &mut Session,
    did: &DidSuffix,
    after: PositionRow,
    limit: PageLimit,
) -> Result<i64> {
    if limit.bytes().is_none() {
        return Ok(i64::from(limit.get()));
    }
    // Each operation is looked up by its whole key, as in `query_operations`.
    let lengths = sqlx::query_scalar!(
        r#"
        SELECT octet_length(raw_operation.signed_operation)::BIGINT AS "length!"
        FROM (
            SELECT block_number, absn, osn
            FROM indexed_operation
            WHERE did = $1 AND (block_number, absn, osn) > ($2, $3::BIGINT, $4::BIGINT)
            ORDER BY block_number, absn, osn
            LIMIT $5
        ) AS wanted
        CROSS JOIN LATERAL (
            SELECT signed_operation
            FROM raw_operation
            WHERE block_number = wanted.block_number AND absn = wanted.absn AND osn = wanted.osn
            LIMIT 1
        ) AS raw_operation
        ORDER BY wanted.block_number, wanted.absn, wanted.osn
        "#,
        did.as_slice(),
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

/// The stored positions from the first entry of the batch to the last, as many as are needed to judge it.
async fn stored_positions(session: &mut Session, plan: &IndexPlan<'_>) -> Result<Vec<OperationPosition>> {
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
            (block_number, absn, osn) >= ($1, $2::BIGINT, $3::BIGINT)
            AND (block_number, absn, osn) <= ($4, $5::BIGINT, $6::BIGINT)
        ORDER BY block_number, absn, osn
        LIMIT $7
        "#,
        first.block_number,
        first.absn,
        first.osn,
        last.block_number,
        last.absn,
        last.osn,
        plan.positions_needed(),
    )
    .fetch_all(session)
    .await
    .map_err(classify)?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// The lowest stored position above the watermark.
async fn next_position(
    session: &mut Session,
    watermark: Option<OperationPosition>,
) -> Result<Option<OperationPosition>> {
    let after = PositionRow::after(watermark);
    sqlx::query_as!(
        PositionRow,
        r#"
        SELECT block_number, absn, osn
        FROM raw_operation
        WHERE (block_number, absn, osn) > ($1, $2::BIGINT, $3::BIGINT)
        ORDER BY block_number, absn, osn
        LIMIT 1
        "#,
        after.block_number,
        after.absn,
        after.osn,
    )
    .fetch_optional(session)
    .await
    .map_err(classify)?
    .map(TryInto::try_into)
    .transpose()
}

async fn insert_entries(session: &mut Session, entries: &[(OperationPosition, &IndexOutcome)]) -> Result<()> {
    for chunk in entries.chunks(CHUNK_ROWS) {
        let positions: Vec<PositionRow> = chunk.iter().map(|(position, _)| (*position).into()).collect();
        let columns: Vec<OutcomeColumns<'_>> = chunk.iter().map(|(_, outcome)| (*outcome).into()).collect();
        let blocks: Vec<i64> = positions.iter().map(|row| row.block_number).collect();
        let absns: Vec<i64> = positions.iter().map(|row| row.absn).collect();
        let osns: Vec<i64> = positions.iter().map(|row| row.osn).collect();
        let kinds: Vec<&str> = columns.iter().map(|row| row.kind).collect();
        let dids: Vec<Option<&[u8]>> = columns.iter().map(|row| row.did).collect();
        let hashes: Vec<Option<&[u8]>> = columns.iter().map(|row| row.operation_hash).collect();
        let lists: Vec<bool> = columns.iter().map(|row| row.lists_did).collect();
        let reasons: Vec<Option<&str>> = columns.iter().map(|row| row.ignored_reason).collect();
        sqlx::query!(
            r#"
            INSERT INTO indexed_operation (
                block_number, absn, osn, kind, did, operation_hash, lists_did, ignored_reason
            )
            SELECT * FROM unnest(
                $1::BIGINT [], $2::BIGINT [], $3::BIGINT [], $4::TEXT [], $5::BYTEA [], $6::BYTEA [], $7::BOOLEAN [],
                $8::TEXT []
            )
            "#,
            &blocks,
            &absns,
            &osns,
            &kinds as &[&str],
            &dids as &[Option<&[u8]>],
            &hashes as &[Option<&[u8]>],
            &lists,
            &reasons as &[Option<&str>],
        )
        .execute(&mut *session)
        .await
        .map_err(classify)?;
    }
    Ok(())
}

/// Lists the DIDs that the entries create. Positions ascend from batch to batch, so a DID that is listed stands lower.
async fn insert_listed_dids(session: &mut Session, entries: &[(OperationPosition, &IndexOutcome)]) -> Result<()> {
    let listed = ListedDid::lowest_of(entries);
    for chunk in listed.chunks(CHUNK_ROWS) {
        let dids: Vec<&[u8]> = chunk.iter().map(|listed| listed.did.as_slice()).collect();
        let blocks: Vec<i64> = chunk.iter().map(|listed| listed.position.block.into()).collect();
        let absns: Vec<i32> = chunk.iter().map(|listed| listed.position.absn.into()).collect();
        let osns: Vec<i32> = chunk.iter().map(|listed| listed.position.osn.into()).collect();
        sqlx::query!(
            r#"
            INSERT INTO listed_did (did, block_number, absn, osn)
            SELECT * FROM unnest($1::BYTEA [], $2::BIGINT [], $3::INTEGER [], $4::INTEGER [])
            ON CONFLICT (did) DO NOTHING
            "#,
            &dids as &[&[u8]],
            &blocks,
            &absns,
            &osns,
        )
        .execute(&mut *session)
        .await
        .map_err(classify)?;
    }
    Ok(())
}
