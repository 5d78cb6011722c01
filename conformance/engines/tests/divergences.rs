//! Differences between the engines that no caller of the storage contract can see: what keeps them from doing harm.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::fs;
use std::path::Path;

use engine_tests::database::Database;
use engine_tests::divergences::{DIVERGENCES, Proof};
use node_storage::contract::Network;
use node_storage::{DbBackend, DbBackendConfig};
use node_storage_conformance::Case;
use rstest::rstest;

/// What a query answers on each engine, in order; `None` where `TEST_BACKENDS` leaves the engine out.
async fn answers(backend: DbBackend, sqlite: &str, postgres: &str) -> Option<Vec<String>> {
    let database = Database::migrated(backend).await?;
    database.filled().await.close().await;
    let mut answers = database
        .texts(match backend {
            DbBackend::Sqlite => sqlite,
            DbBackend::Postgres => postgres,
        })
        .await;
    answers.sort();
    Some(answers)
}

/// Every column and what it holds.
const COLUMNS: &[&str] = &[
    "block.block_hash bytes",
    "block.block_number integer",
    "block.block_time integer",
    "block.slot integer",
    "dlt_cursor.block_hash bytes",
    "dlt_cursor.block_number integer",
    "dlt_cursor.singleton integer",
    "dlt_cursor.slot integer",
    "indexed_operation.absn integer",
    "indexed_operation.block_number integer",
    "indexed_operation.did bytes",
    "indexed_operation.ignored_reason text",
    "indexed_operation.kind text",
    "indexed_operation.lists_did integer",
    "indexed_operation.operation_hash bytes",
    "indexed_operation.osn integer",
    "indexer_watermark.absn integer",
    "indexer_watermark.block_number integer",
    "indexer_watermark.osn integer",
    "indexer_watermark.singleton integer",
    "ledger_transaction.absn integer",
    "ledger_transaction.block_number integer",
    "ledger_transaction.transaction_id bytes",
    "listed_did.absn integer",
    "listed_did.block_number integer",
    "listed_did.did bytes",
    "listed_did.osn integer",
    "network.name text",
    "network.singleton integer",
    "raw_operation.absn integer",
    "raw_operation.block_number integer",
    "raw_operation.operation_id bytes",
    "raw_operation.osn integer",
    "raw_operation.signed_operation bytes",
];

/// Instants and numbers are integers, hashes and operations bytes; names and reasons alone are text.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn columns_have_the_types_of_the_contract_on_both_engines(#[case] backend: DbBackend) {
    let found = answers(
        backend,
        // A table that is not STRICT is named with another type than any of these.
        "SELECT tables.name || '.' || columns.name || ' '
             || CASE WHEN tables.strict THEN CASE columns.type WHEN 'BLOB' THEN 'bytes' ELSE lower(columns.type) END ELSE '?' END
         FROM pragma_table_list AS tables
         JOIN pragma_table_info(tables.name) AS columns
         WHERE tables.type = 'table' AND tables.schema = 'main'
             AND tables.name NOT LIKE 'sqlite%' AND tables.name <> '_sqlx_migrations'",
        "SELECT CAST(columns.table_name AS TEXT) || '.' || CAST(columns.column_name AS TEXT) || ' '
             || CASE CAST(columns.data_type AS TEXT)
                 WHEN 'bytea' THEN 'bytes' WHEN 'text' THEN 'text'
                 WHEN 'bigint' THEN 'integer' WHEN 'integer' THEN 'integer'
                 WHEN 'smallint' THEN 'integer' WHEN 'boolean' THEN 'integer'
                 ELSE CAST(columns.data_type AS TEXT)
             END
         FROM information_schema.columns AS columns
         JOIN information_schema.tables AS tables
             ON tables.table_schema = columns.table_schema AND tables.table_name = columns.table_name
         WHERE tables.table_schema = 'public' AND tables.table_type = 'BASE TABLE'
             AND tables.table_name <> '_sqlx_migrations'",
    );
    if let Some(found) = found.await {
        assert_eq!(found, COLUMNS);
    }
}

/// Lists are ordered by keys, so that it does not matter where an engine puts NULL.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn keys_have_no_null(#[case] backend: DbBackend) {
    let found = answers(
        backend,
        r#"SELECT tables.name || '.' || columns.name
           FROM sqlite_schema AS tables
           JOIN pragma_index_list(tables.name) AS indexes
           JOIN pragma_index_info(indexes.name) AS parts
           JOIN pragma_table_info(tables.name) AS columns ON columns.name = parts.name
           WHERE tables.type = 'table' AND tables.name <> '_sqlx_migrations'
               AND indexes."unique" = 1 AND columns."notnull" = 0"#,
        "SELECT CAST(tables.relname AS TEXT) || '.' || CAST(columns.attname AS TEXT)
         FROM pg_index AS indexes
         JOIN pg_class AS tables ON tables.oid = indexes.indrelid
         JOIN pg_attribute AS columns
             ON columns.attrelid = tables.oid AND columns.attnum = ANY (CAST(indexes.indkey AS SMALLINT []))
         WHERE tables.relnamespace = CAST('public' AS REGNAMESPACE) AND tables.relname <> '_sqlx_migrations'
             AND indexes.indisunique AND NOT columns.attnotnull",
    );
    if let Some(found) = found.await {
        assert_eq!(found, Vec::<String>::new());
    }
}

/// No index holds text, which each database may sort in its own way.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn no_index_depends_on_a_collation(#[case] backend: DbBackend) {
    let found = answers(
        backend,
        "SELECT indexes.name || ' ' || columns.name
         FROM sqlite_schema AS tables
         JOIN pragma_index_list(tables.name) AS indexes
         JOIN pragma_index_info(indexes.name) AS parts
         JOIN pragma_table_info(tables.name) AS columns ON columns.name = parts.name
         WHERE tables.type = 'table' AND tables.name <> '_sqlx_migrations' AND columns.type NOT IN ('INTEGER', 'BLOB')",
        "SELECT CAST(names.relname AS TEXT) || ' ' || CAST(columns.attname AS TEXT)
         FROM pg_index AS indexes
         JOIN pg_class AS tables ON tables.oid = indexes.indrelid
         JOIN pg_class AS names ON names.oid = indexes.indexrelid
         JOIN pg_attribute AS columns ON columns.attrelid = indexes.indexrelid
         WHERE tables.relnamespace = CAST('public' AS REGNAMESPACE) AND tables.relname <> '_sqlx_migrations'
             AND columns.attcollation <> 0",
    );
    if let Some(found) = found.await {
        assert_eq!(found, Vec::<String>::new());
    }
}

/// Every index, of keys and others, as its table and its columns.
const INDEXES: &[&str] = &[
    "block: block_number",
    "block: slot",
    "dlt_cursor: singleton",
    "indexed_operation: block_number, absn, osn",
    "indexed_operation: did, block_number, absn, osn",
    "indexed_operation: operation_hash, block_number, absn, osn",
    "indexer_watermark: singleton",
    "ledger_transaction: block_number, absn",
    "ledger_transaction: transaction_id",
    "listed_did: block_number, absn, osn",
    "listed_did: did",
    "network: singleton",
    "raw_operation: block_number, absn, osn",
    "raw_operation: operation_id, block_number, absn, osn",
];

/// Both engines have the same indexes, and each is on columns: a misspelt name would be text to SQLite.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn both_engines_have_indexes_on_the_same_columns(#[case] backend: DbBackend) {
    let found = answers(
        backend,
        "SELECT tables.name || ': ' || (
             SELECT group_concat(coalesce(parts.name, '?'), ', ')
             FROM (SELECT name FROM pragma_index_info(indexes.name) ORDER BY seqno) AS parts
         )
         FROM sqlite_schema AS tables
         JOIN pragma_index_list(tables.name) AS indexes
         WHERE tables.type = 'table' AND tables.name <> '_sqlx_migrations'
         UNION ALL
         -- A primary key of one integer is the table itself.
         SELECT tables.name || ': ' || columns.name
         FROM sqlite_schema AS tables
         JOIN pragma_table_info(tables.name) AS columns
         WHERE tables.type = 'table' AND tables.name <> '_sqlx_migrations' AND columns.pk = 1
             AND NOT EXISTS (SELECT 1 FROM pragma_index_list(tables.name) WHERE origin = 'pk')",
        "SELECT CAST(tables.relname AS TEXT) || ': ' || (
             SELECT string_agg(pg_get_indexdef(indexes.indexrelid, part, TRUE), ', ' ORDER BY part)
             FROM generate_series(1, CAST(indexes.indnkeyatts AS INTEGER)) AS part
         )
         FROM pg_index AS indexes
         JOIN pg_class AS tables ON tables.oid = indexes.indrelid
         WHERE tables.relnamespace = CAST('public' AS REGNAMESPACE) AND tables.relname <> '_sqlx_migrations'",
    );
    if let Some(found) = found.await {
        assert_eq!(found, INDEXES);
    }
}

/// No table has a number that the engine counts, which could be given out twice or run ahead.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn no_table_counts_its_rows(#[case] backend: DbBackend) {
    let found = answers(
        backend,
        "SELECT name FROM sqlite_schema WHERE name = 'sqlite_sequence' OR sql LIKE '%autoincrement%'",
        "SELECT CAST(relname AS TEXT) FROM pg_class
         WHERE relkind = 'S' AND relnamespace = CAST('public' AS REGNAMESPACE)",
    );
    if let Some(found) = found.await {
        assert_eq!(found, Vec::<String>::new());
    }
}

/// The store's own connections enforce foreign keys: nothing that it has written lacks its parent.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn no_row_lacks_its_parent(#[case] backend: DbBackend) {
    let found = answers(
        backend,
        r#"SELECT "table" FROM pragma_foreign_key_check"#,
        "SELECT CAST(conname AS TEXT) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated",
    );
    if let Some(found) = found.await {
        assert_eq!(found, Vec::<String>::new());
    }
}

/// Whether a statement was refused for the type or the value of what it stores, and not for its wording.
fn is_refused_for_its_value(result: &Result<(), sqlx::Error>) -> bool {
    let Err(sqlx::Error::Database(error)) = result else {
        return false;
    };
    // SQLITE_CONSTRAINT_CHECK and SQLITE_CONSTRAINT_DATATYPE; check_violation and datatype_mismatch.
    matches!(error.code().unwrap().as_ref(), "275" | "3091" | "23514" | "42804")
}

/// Text is no bytes and no instant, 2 is no truth value: no engine takes one for the other.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn values_of_another_type_are_refused(#[case] backend: DbBackend) {
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    database.filled().await.close().await;
    for statement in [
        "UPDATE block SET block_hash = CAST('0123456789abcdef0123456789abcdef' AS TEXT)",
        "UPDATE block SET block_time = CAST('2020-09-13T12:26:40Z' AS TEXT)",
        "UPDATE ledger_transaction SET transaction_id = CAST('0123456789abcdef0123456789abcdef' AS TEXT)",
        "UPDATE indexed_operation SET did = CAST('0123456789abcdef0123456789abcdef' AS TEXT) WHERE kind = 'did'",
        "UPDATE indexed_operation SET lists_did = 2 WHERE kind = 'did'",
        "UPDATE indexed_operation SET lists_did = CAST('yes' AS TEXT) WHERE kind = 'did'",
    ] {
        let refused = database.execute(statement).await;
        assert!(is_refused_for_its_value(&refused), "{statement}: {refused:?}");
    }
}

/// The length of a reason is bounded in characters on both engines.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn reason_of_201_characters_is_refused(#[case] backend: DbBackend) {
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    database.filled().await.close().await;
    let with_reason = |length| {
        let reason = "é".repeat(length);
        format!("UPDATE indexed_operation SET ignored_reason = '{reason}' WHERE kind = 'ignored'")
    };
    let refused = database.execute(&with_reason(201)).await;
    assert!(is_refused_for_its_value(&refused), "{refused:?}");
    database.execute(&with_reason(200)).await.unwrap();
}

/// Each connection would have such a database of its own.
#[test]
fn database_in_memory_is_refused() {
    for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite:file.db?mode=memory"] {
        let config = DbBackendConfig::new(DbBackend::Sqlite, Some(url), None, Network::Custom);
        assert!(config.is_err(), "{url}: {config:?}");
    }
}

/// The list of divergences is worth no more than the cases and tests that it names: each of them exists.
#[test]
fn every_divergence_names_cases_and_tests_that_exist() {
    for divergence in DIVERGENCES {
        assert!(!divergence.shown_by.is_empty(), "{}", divergence.name);
        for proof in divergence.shown_by {
            match proof {
                Proof::Case(concern, name) => assert!(
                    Case::named(&format!("{concern}::{name}")).is_some(),
                    "{}: no case {concern}::{name}",
                    divergence.name
                ),
                Proof::Test(file, name) => {
                    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/{file}.rs"));
                    let text = fs::read_to_string(path).unwrap();
                    assert!(
                        text.contains(&format!("fn {name}(")),
                        "{}: no test {name} in tests/{file}.rs",
                        divergence.name
                    );
                }
            }
        }
    }
}
