//! What is done with a database besides reading and writing it: checking it by the engine's own means, clearing the index,
//! keeping it fast.

use node_storage_contract::{EngineCheck, Result, StorageError};

use crate::PostgresDb;
use crate::error::classify;
use crate::indexer_state::lock_watermark;
use crate::session::{BEGIN_CHECK, Session};

impl PostgresDb {
    /// Checks tables and indexes by PostgreSQL's own means; see
    /// [`Connection::check_engine`](node_storage_contract::Connection::check_engine).
    pub async fn check_engine(&self) -> Result<EngineCheck> {
        let mut check = EngineCheck::default();
        let transaction = self.connections.begin_with(BEGIN_CHECK).await;
        let transaction = transaction.map_err(|error| self.options.connecting(error))?;
        let mut session = Session::transaction(transaction, self.sessions);
        if open_amcheck(&mut session).await? {
            match check_indexes(&mut session).await {
                Err(StorageError::Unavailable {
                    retryable: false,
                    detail,
                }) => check.pass_over(format!("amcheck, which this role may not use: {detail}")),
                checked => check.look_at(
                    "amcheck: bt_index_check of every index, with all rows of its table",
                    checked,
                )?,
            }
        } else {
            check.pass_over(
                "amcheck, which is not installed; CREATE EXTENSION amcheck lets this command find what is wrong within an index"
                    .to_owned(),
            );
        }
        check.look_at(
            "the number of rows, table by table and index by index",
            compare_counts(&mut session).await,
        )?;
        session.end(Ok(check)).await
    }

    /// Removes everything that indexing has made; see [`Connection::clear_index`](node_storage_contract::Connection::clear_index).
    pub async fn clear_index(&self) -> Result<()> {
        let (_permit, mut session) = self.begin_write().await?;
        let cleared = clear_index(&mut session).await;
        session.end(cleared).await
    }

    /// Keeps look-ups fast; see [`Connection::optimize`](node_storage_contract::Connection::optimize).
    pub async fn optimize(&self, rewrite: bool) -> Result<Vec<String>> {
        self.must_be_to_write()?;
        let lent = self.connections.lend().await;
        let mut session = Session::lent(lent.map_err(|error| self.options.connecting(error))?);
        // Not in a transaction, which VACUUM refuses. One of all tables would take those of others in this database along.
        if rewrite {
            session.run("VACUUM (FULL) block").await?;
            session.run("VACUUM (FULL) ledger_transaction").await?;
            session.run("VACUUM (FULL) raw_operation").await?;
            session.run("VACUUM (FULL) indexed_operation").await?;
            session.run("VACUUM (FULL) listed_did").await?;
        }
        session.run("VACUUM (ANALYZE) block").await?;
        session.run("VACUUM (ANALYZE) ledger_transaction").await?;
        session.run("VACUUM (ANALYZE) raw_operation").await?;
        session.run("VACUUM (ANALYZE) indexed_operation").await?;
        session.run("VACUUM (ANALYZE) listed_did").await?;
        session.run("VACUUM (ANALYZE) dlt_cursor").await?;
        session.run("VACUUM (ANALYZE) indexer_watermark").await?;
        let mut done = Vec::new();
        if rewrite {
            done.push("the tables were written anew, without free space (VACUUM FULL)".to_owned());
        }
        done.push("free space is known, and the statistics of all tables are new (VACUUM ANALYZE)".to_owned());
        Ok(done)
    }
}

/// Clears the index within a transaction, before which other index workers wait.
async fn clear_index(session: &mut Session) -> Result<()> {
    lock_watermark(session).await?;
    sqlx::query!("UPDATE indexer_watermark SET block_number = NULL, absn = NULL, osn = NULL WHERE singleton = 1")
        .execute(&mut *session)
        .await
        .map_err(classify)?;
    sqlx::query!("DELETE FROM listed_did")
        .execute(&mut *session)
        .await
        .map_err(classify)?;
    sqlx::query!("DELETE FROM indexed_operation")
        .execute(&mut *session)
        .await
        .map_err(classify)?;
    Ok(())
}

/// Lets what follows in this transaction call the functions of amcheck, wherever they are installed. `false` where they are not.
async fn open_amcheck(session: &mut Session) -> Result<bool> {
    let opened = sqlx::query_scalar!(
        r#"
        SELECT
            set_config(
                'search_path',
                current_setting('search_path') || ', ' || quote_ident(pg_namespace.nspname),
                TRUE
            ) AS "search_path!"
        FROM pg_extension
        INNER JOIN pg_namespace ON pg_extension.extnamespace = pg_namespace.oid
        WHERE pg_extension.extname = 'amcheck'
        "#
    )
    .fetch_optional(session)
    .await
    .map_err(classify)?;
    Ok(opened.is_some())
}

/// What amcheck says of the order of each index's entries, and of rows of its table that it lacks.
async fn check_indexes(session: &mut Session) -> Result<Vec<String>> {
    let indexes = sqlx::query!(
        r#"
        SELECT pg_index.indexrelid::BIGINT AS "id!", pg_index.indexrelid::REGCLASS::TEXT AS "name!"
        FROM pg_index
        INNER JOIN pg_class ON pg_index.indexrelid = pg_class.oid
        INNER JOIN pg_am ON pg_class.relam = pg_am.oid
        WHERE
            pg_am.amname = 'btree'
            AND pg_index.indrelid IN (
                'block'::REGCLASS, 'ledger_transaction'::REGCLASS, 'raw_operation'::REGCLASS,
                'indexed_operation'::REGCLASS, 'listed_did'::REGCLASS
            )
        ORDER BY 2
        "#
    )
    .fetch_all(&mut *session)
    .await
    .map_err(classify)?;
    let mut findings = Vec::new();
    for index in indexes {
        session.run("SAVEPOINT checked").await?;
        // The macros would ask a database for a function that it need not have.
        let checked = sqlx::query("SELECT bt_index_check($1::OID::REGCLASS, TRUE)")
            .bind(index.id)
            .execute(&mut *session)
            .await
            .map_err(classify);
        session.run("ROLLBACK TO SAVEPOINT checked").await?;
        match checked {
            Ok(_) => {}
            Err(StorageError::Corrupt { detail, .. }) => findings.push(format!("index {}: {detail}", index.name)),
            Err(error) => return Err(error),
        }
    }
    Ok(findings)
}

/// Where a table has another number of rows than one of its indexes has entries.
async fn compare_counts(session: &mut Session) -> Result<Vec<String>> {
    session
        .run(
            "SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off",
        )
        .await?;
    let rows = rows_of_tables(session).await?;
    session
        .run(
            "SET LOCAL enable_indexscan = on; SET LOCAL enable_indexonlyscan = on; SET LOCAL enable_seqscan = off; \
             SET LOCAL enable_sort = off",
        )
        .await?;
    let entries = entries_of_indexes(session).await?;
    let mut differences = Vec::new();
    for (table, key, entries) in entries {
        for (_, rows) in rows.iter().filter(|(name, rows)| *name == table && *rows != entries) {
            differences.push(format!(
                "{table} has {rows} rows, and {entries} entries in its index by {key}"
            ));
        }
    }
    Ok(differences)
}

/// Rows in an index that leaves some of the table's out.
const ROUTED: &str = "indexed_operation with a DID";
const OF_STORAGE: &str = "indexed_operation of storage entries";

/// How many rows there are, by table.
async fn rows_of_tables(session: &mut Session) -> Result<[(&'static str, i64); 7]> {
    let rows = sqlx::query!(
        r#"
        SELECT
            (SELECT count(*) FROM block) AS "block!",
            (SELECT count(*) FROM ledger_transaction) AS "ledger_transaction!",
            (SELECT count(*) FROM raw_operation) AS "raw_operation!",
            (SELECT count(*) FROM indexed_operation) AS "indexed_operation!",
            (SELECT count(*) FROM indexed_operation WHERE did IS NOT NULL) AS "routed!",
            (SELECT count(*) FROM indexed_operation WHERE kind = 'storage') AS "storage!",
            (SELECT count(*) FROM listed_did) AS "listed_did!"
        "#
    )
    .fetch_one(session)
    .await
    .map_err(classify)?;
    Ok([
        ("block", rows.block),
        ("ledger_transaction", rows.ledger_transaction),
        ("raw_operation", rows.raw_operation),
        ("indexed_operation", rows.indexed_operation),
        (ROUTED, rows.routed),
        (OF_STORAGE, rows.storage),
        ("listed_did", rows.listed_did),
    ])
}

/// How many entries there are, by table and key of the index. Each is counted in an order that only the index has, since sorting is
/// off.
async fn entries_of_indexes(session: &mut Session) -> Result<[(&'static str, &'static str, i64); 11]> {
    let entries = sqlx::query!(
        r#"
        SELECT
            (SELECT count(*) FROM (SELECT block_number FROM block ORDER BY block_number) AS entries) AS "block!",
            (SELECT count(*) FROM (SELECT slot FROM block ORDER BY slot) AS entries) AS "block_by_slot!",
            (
                SELECT count(*)
                FROM (SELECT absn FROM ledger_transaction ORDER BY block_number, absn) AS entries
            ) AS "ledger_transaction!",
            (
                SELECT count(*)
                FROM (SELECT absn FROM ledger_transaction ORDER BY transaction_id) AS entries
            ) AS "ledger_transaction_by_id!",
            (
                SELECT count(*) FROM (SELECT osn FROM raw_operation ORDER BY block_number, absn, osn) AS entries
            ) AS "raw_operation!",
            (
                SELECT count(*)
                FROM (SELECT osn FROM raw_operation ORDER BY operation_id, block_number, absn, osn) AS entries
            ) AS "raw_operation_by_id!",
            (
                SELECT count(*)
                FROM (SELECT osn FROM indexed_operation ORDER BY block_number, absn, osn) AS entries
            ) AS "indexed_operation!",
            (
                SELECT count(*)
                FROM (
                    SELECT osn FROM indexed_operation WHERE did IS NOT NULL ORDER BY did, block_number, absn, osn
                ) AS entries
            ) AS "routed!",
            (
                SELECT count(*)
                FROM (
                    SELECT osn
                    FROM indexed_operation
                    WHERE kind = 'storage'
                    ORDER BY operation_hash, block_number, absn, osn
                ) AS entries
            ) AS "storage!",
            (SELECT count(*) FROM (SELECT osn FROM listed_did ORDER BY did) AS entries) AS "listed_did!",
            (
                SELECT count(*) FROM (SELECT osn FROM listed_did ORDER BY block_number, absn, osn) AS entries
            ) AS "listed_did_by_position!"
        "#
    )
    .fetch_one(session)
    .await
    .map_err(classify)?;
    Ok([
        ("block", "block_number", entries.block),
        ("block", "slot", entries.block_by_slot),
        ("ledger_transaction", "block_number, absn", entries.ledger_transaction),
        ("ledger_transaction", "transaction_id", entries.ledger_transaction_by_id),
        ("raw_operation", "position", entries.raw_operation),
        ("raw_operation", "operation_id", entries.raw_operation_by_id),
        ("indexed_operation", "position", entries.indexed_operation),
        (ROUTED, "did", entries.routed),
        (OF_STORAGE, "operation_hash", entries.storage),
        ("listed_did", "did", entries.listed_did),
        ("listed_did", "position", entries.listed_did_by_position),
    ])
}
