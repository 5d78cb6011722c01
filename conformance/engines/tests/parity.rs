//! Our own migrations in two dialects: alike, by whichever way they are applied, and no drift of one line goes unseen.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

#[path = "../../parity/tests/common/mod.rs"]
mod planting;

use std::path::{Path, PathBuf};

use dialect_parity::Engine::{Postgres, Sqlite};
use dialect_parity::plan::{Queries, plan};
use dialect_parity::{Config, Engine, Loaded, Options, Schema, Side, dump, load};
use engine_tests::database::Database;
use node_storage::DbBackend;
use node_storage::contract::{Access, Network};
use planting::{Plant, Project, plant};
use rstest::rstest;

fn migrations() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations")
}

async fn project() -> Option<Project> {
    if !node_storage_conformance::is_chosen("postgres") {
        return None;
    }
    let migrations = migrations();
    let config = Config::read(&migrations.join("parity.toml")).unwrap();
    Some(Project::new(migrations.join("postgres"), migrations.join("sqlite"), config).await)
}

#[tokio::test]
async fn migrations_of_both_engines_are_alike_and_nothing_is_allowed_to_differ_for_postgres_and_sqlite() {
    let Some(project) = project().await else { return };
    let comparison = project.compare();
    assert!(comparison.is_alike(), "{comparison:#?}");
    assert!(comparison.allowed.is_empty());
}

#[tokio::test]
async fn engines_accept_and_refuse_the_same_rows_on_postgres_and_sqlite() {
    let Some(project) = project().await else { return };
    let probes = dialect_parity::probe::probe(&project.postgres, &project.sqlite, &project.config)
        .await
        .unwrap();
    assert!(probes.disagreements.is_empty(), "{:#?}", probes.disagreements);
    assert!(probes.unprobed.is_empty(), "{:#?}", probes.unprobed);
    assert!(probes.tried > 200, "{}", probes.tried);
}

/// What is compared of a database, and what its engine's own tools write of it, without how it came to be.
async fn content(loaded: &Loaded) -> (String, String) {
    let Schema {
        tables,
        views,
        triggers,
        others,
        ..
    } = &loaded.schema;
    let representation = format!(
        "{:#}",
        serde_json::json!({"tables": tables, "views": views, "triggers": triggers, "others": others})
    );
    (representation, dump(loaded).await.unwrap().text)
}

async fn loaded(engine: Engine, text: &str) -> Loaded {
    load(engine, &Side::parse(engine, text).unwrap(), &Options::default())
        .await
        .unwrap()
}

/// The start of the program, sqlx's own runner and the comparison's way of applying files end in one schema.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn every_way_to_migrate_gives_the_same_schema(#[case] backend: DbBackend) {
    let (Some(migrated), Some(empty)) = (Database::migrated(backend).await, Database::empty(backend).await) else {
        return;
    };
    let store = empty
        .open(Network::Custom, Access::Write { migrate: true })
        .await
        .unwrap();
    store.close().await;
    let engine = match backend {
        DbBackend::Sqlite => Sqlite,
        DbBackend::Postgres => Postgres,
    };
    let files = migrations().join(backend.name());
    let by_files = content(&loaded(engine, files.to_str().unwrap()).await).await;
    assert_eq!(
        content(&loaded(engine, migrated.url()).await).await,
        by_files,
        "sqlx migrate run"
    );
    assert_eq!(
        content(&loaded(engine, empty.url()).await).await,
        by_files,
        "the start of the program"
    );
}

const LEDGER: &str = "0001_ledger.sql";
const INDEX: &str = "0002_index.sql";

/// One-line edits of one side, each with the drifts that it must give.
const DRIFTS: &[Plant] = &[
    plant(
        Sqlite,
        LEDGER,
        "CREATE INDEX raw_operation_by_id ON raw_operation (operation_id, block_number, absn, osn);",
        "",
        &["index.raw_operation.raw_operation_by_id"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "(operation_id, block_number, absn, osn)",
        "(operation_id, block_number, osn, absn)",
        &["index.raw_operation.raw_operation_by_id"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "(operation_id, block_number, absn, osn)",
        "(operation_id, block_number DESC, absn, osn)",
        &["index.raw_operation.raw_operation_by_id"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "CREATE INDEX raw",
        "CREATE UNIQUE INDEX raw",
        &["index.raw_operation.raw_operation_by_id"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "signed_operation BLOB NOT NULL CHECK (length(signed_operation)",
        "signed BLOB NOT NULL CHECK (length(signed)",
        &[
            "column.raw_operation.signed",
            "column.raw_operation.signed_operation",
            "view.raw_operation_by_did",
        ],
    ),
    plant(
        Sqlite,
        LEDGER,
        "signed_operation BLOB",
        "signed_operation TEXT",
        &["column.raw_operation.signed_operation.type"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "operation_id BLOB NOT NULL",
        "operation_id BLOB",
        &["column.raw_operation.operation_id.null"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "slot INTEGER NOT NULL UNIQUE",
        "slot INTEGER NOT NULL",
        &["index.block.(slot)"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "slot INTEGER NOT NULL UNIQUE",
        "slot INTEGER NOT NULL DEFAULT 0 UNIQUE",
        &["column.block.slot.default"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "slot INTEGER CHECK",
        "slot INTEGER NOT NULL CHECK",
        &["column.dlt_cursor.slot.null"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "REFERENCES block (block_number)",
        "",
        &["foreign_key.ledger_transaction(block_number)"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "REFERENCES block (block_number)",
        "REFERENCES block (block_number) ON DELETE CASCADE",
        &["foreign_key.ledger_transaction(block_number)"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "REFERENCES block (block_number)",
        "REFERENCES block (slot)",
        &["foreign_key.ledger_transaction(block_number)"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "REFERENCES block (block_number)",
        "REFERENCES blocks (block_number)",
        &["foreign_key.ledger_transaction(block_number)"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "length(block_hash) = 32),\n    CHECK",
        "length(block_hash) = 31),\n    CHECK",
        &["check.dlt_cursor.32 = length(block_hash)"],
    ),
    plant(
        Sqlite,
        LEDGER,
        " CHECK (length(operation_id) = 32)",
        "",
        &["check.raw_operation.32 = length(operation_id)"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "<= 1048576",
        "< 1048576",
        &["check.raw_operation.length(signed_operation) <= 1048576"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "osn BETWEEN 0 AND 2147483647",
        "osn >= 0",
        &[
            "column.indexed_operation.osn.range",
            "column.indexer_watermark.osn.range",
            "column.listed_did.osn.range",
            "column.raw_operation.osn.range",
        ],
    ),
    plant(
        Sqlite,
        LEDGER,
        "absn BETWEEN 0 AND",
        "absn BETWEEN 1 AND",
        &["check.ledger_transaction.0 <= absn"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "BETWEEN -62135596800000000",
        "BETWEEN -62135596800000001",
        &["check.block.-62135596800000000 <= block_time"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "'preview', 'custom'",
        "'custom'",
        &["check.network.name in ('custom', 'mainnet', 'preprod', 'preview')"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "OR (slot IS NOT NULL AND",
        "OR (slot IS NULL AND",
        &[
            "check.dlt_cursor.(block_hash is not null and block_number is not null and slot is not null) or (block_hash is null and \
         block_number is null and slot is null)",
        ],
    ),
    plant(
        Sqlite,
        LEDGER,
        "PRIMARY KEY (block_number, absn)\n) STRICT, WITHOUT ROWID",
        "PRIMARY KEY (block_number, absn)\n) WITHOUT ROWID",
        &["table.ledger_transaction.strict"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "PRIMARY KEY (block_number, absn, osn)",
        "PRIMARY KEY (block_number, osn, absn)",
        &["primary_key.raw_operation"],
    ),
    plant(
        Sqlite,
        LEDGER,
        "transaction_id BLOB NOT NULL UNIQUE CHECK (length(transaction_id) = 32),\n    PRIMARY",
        "transaction_id BLOB NOT NULL CHECK (length(transaction_id) = 32),\n    UNIQUE (transaction_id, absn),\n    PRIMARY",
        &[
            "index.ledger_transaction.(transaction_id)",
            "index.ledger_transaction.(transaction_id, absn)",
        ],
    ),
    plant(Sqlite, LEDGER, "", "0001_chain.sql", &["migration.0001"]),
    plant(
        Sqlite,
        INDEX,
        "",
        "0003_index.sql",
        &["migration.0002", "migration.0003"],
    ),
    plant(
        Sqlite,
        INDEX,
        "WHERE kind = 'storage';",
        "WHERE kind = 'did';",
        &["index.indexed_operation.indexed_operation_by_storage_hash"],
    ),
    plant(
        Sqlite,
        INDEX,
        "WHERE did IS NOT NULL;\n\nCREATE INDEX",
        ";\n\nCREATE INDEX",
        &["index.indexed_operation.indexed_operation_by_did"],
    ),
    plant(
        Sqlite,
        INDEX,
        " CHECK (lists_did IN (0, 1))",
        "",
        &["column.indexed_operation.lists_did.range"],
    ),
    plant(
        Sqlite,
        INDEX,
        "OR lists_did = 0",
        "OR lists_did = 1",
        &["check.indexed_operation.kind = 'did' or not (lists_did)"],
    ),
    plant(
        Sqlite,
        INDEX,
        "kind TEXT NOT NULL",
        "kind TEXT COLLATE NOCASE NOT NULL",
        &["column.indexed_operation.kind.collation"],
    ),
    plant(Sqlite, INDEX, "block.slot,\n", "", &["view.raw_operation_by_did"]),
    plant(
        Sqlite,
        INDEX,
        "block.slot,\n    block.block_hash,",
        "block.block_hash,\n    block.slot,",
        &["view.raw_operation_by_did"],
    ),
    plant(
        Sqlite,
        INDEX,
        "min(indexed_operation.block_number)",
        "max(indexed_operation.block_number)",
        &["view.did_stats.query"],
    ),
    plant(
        Sqlite,
        INDEX,
        "WHERE indexed_operation.did IS NOT NULL\nGROUP",
        "GROUP",
        &["view.did_stats.query"],
    ),
    plant(
        Sqlite,
        INDEX,
        "PRAGMA user_version = 2;",
        "CREATE TABLE more (a INTEGER) STRICT;",
        &["table.more"],
    ),
    plant(
        Sqlite,
        INDEX,
        "PRAGMA user_version = 2;",
        "DROP VIEW did_stats;",
        &["view.did_stats"],
    ),
    plant(
        Sqlite,
        INDEX,
        "PRAGMA user_version = 2;",
        "ALTER TABLE listed_did ADD COLUMN a TEXT;",
        &["column.listed_did.a"],
    ),
    plant(
        Sqlite,
        INDEX,
        "PRAGMA user_version = 2;",
        "CREATE TRIGGER t AFTER INSERT ON block BEGIN SELECT 1; END;",
        &["trigger.block.t"],
    ),
    plant(
        Postgres,
        LEDGER,
        "absn INTEGER NOT NULL CHECK",
        "absn BIGINT NOT NULL CHECK",
        &["check.ledger_transaction.absn <= 2147483647"],
    ),
    plant(
        Postgres,
        LEDGER,
        "slot BIGINT NOT NULL UNIQUE",
        "slot BIGINT UNIQUE",
        &["column.block.slot.null"],
    ),
    plant(
        Postgres,
        LEDGER,
        "name TEXT NOT NULL",
        "name VARCHAR(4) NOT NULL DEFAULT 'custom'",
        &["column.network.name.default"],
    ),
    plant(
        Postgres,
        LEDGER,
        "block_hash BYTEA NOT NULL",
        "block_hash TEXT NOT NULL",
        &["column.block.block_hash.type"],
    ),
    plant(
        Postgres,
        INDEX,
        "UNIQUE (block_number, absn, osn),",
        "",
        &["index.listed_did.(block_number, absn, osn)"],
    ),
    plant(
        Postgres,
        INDEX,
        "REFERENCES indexed_operation (block_number, absn, osn)",
        "REFERENCES raw_operation (block_number, absn, osn)",
        &["foreign_key.listed_did(block_number, absn, osn)"],
    ),
    plant(
        Postgres,
        INDEX,
        "CREATE VIEW did_stats",
        "CREATE TRIGGER t BEFORE UPDATE ON block FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();\n\nCREATE VIEW did_stats",
        &["trigger.block.t"],
    ),
];

/// Edits that change nothing.
const NO_OPS: &[Plant] = &[
    plant(
        Sqlite,
        LEDGER,
        "CREATE TABLE block (",
        "-- A comment; CREATE TABLE x (y);\nCREATE  TABLE\n\"block\" (",
        &[],
    ),
    plant(
        Sqlite,
        LEDGER,
        "slot INTEGER NOT NULL UNIQUE CHECK (slot >= 0)",
        "[SLOT] integer UNIQUE NOT NULL CHECK (0 <= `slot`)",
        &[],
    ),
    plant(
        Sqlite,
        LEDGER,
        "osn BETWEEN 0 AND 2147483647",
        "2147483647 >= osn AND NOT osn < 0",
        &[],
    ),
    plant(
        Sqlite,
        LEDGER,
        "name IN ('mainnet', 'preprod', 'preview', 'custom')",
        "name = 'custom' OR name IN ('preview', 'mainnet', 'preprod')",
        &[],
    ),
    plant(
        Sqlite,
        LEDGER,
        "CREATE INDEX raw_operation_by_id ON raw_operation (operation_id, block_number, absn, osn);",
        "create index \"raw_operation_by_id\" on raw_operation (operation_id asc, BLOCK_NUMBER, absn, osn);",
        &[],
    ),
    plant(
        Postgres,
        LEDGER,
        "octet_length(signed_operation) <= 1048576",
        "1048576 >= length(signed_operation)",
        &[],
    ),
    plant(
        Postgres,
        LEDGER,
        "CREATE TABLE block (",
        "/* ; */ CREATE TABLE public.\"block\" (",
        &[],
    ),
    plant(
        Postgres,
        LEDGER,
        "block_number BIGINT NOT NULL REFERENCES block (block_number)",
        "block_number INT8 NOT NULL CONSTRAINT other_name REFERENCES block ON DELETE NO ACTION",
        &[],
    ),
    plant(
        Postgres,
        INDEX,
        "CHECK (kind = 'did' OR NOT lists_did)",
        "CHECK (NOT (lists_did AND kind <> 'did'))",
        &[],
    ),
    plant(
        Postgres,
        INDEX,
        "    absn INTEGER NOT NULL,\n    osn INTEGER NOT NULL,\n    kind",
        "    osn INTEGER NOT NULL,\n    absn INTEGER NOT NULL,\n    kind",
        &[],
    ),
];

/// Without an index, the query that relies on it fails the check, on the engine that lacks it.
#[tokio::test]
async fn a_dropped_index_fails_the_plans_on_postgres_and_sqlite() {
    let Some(project) = project().await else { return };
    let queries = Queries::read(&migrations().join("plans/queries.toml")).unwrap();
    let index = "CREATE INDEX indexed_operation_by_did ON indexed_operation (did, block_number, absn, osn)\nWHERE did IS NOT NULL;";
    for engine in [Postgres, Sqlite] {
        let without = plant(engine, INDEX, index, "", &[]);
        let plans = plan(engine, &queries, async || Ok(project.load_with(&without).await))
            .await
            .unwrap();
        let problems: Vec<_> = plans.findings.iter().map(|finding| &finding.query).collect();
        assert!(
            problems
                .iter()
                .any(|query| *query == "a page of the operations of a DID"),
            "{engine}: {problems:#?}"
        );
    }
}

#[tokio::test]
async fn every_drift_of_one_line_is_reported_at_its_object_for_postgres_and_sqlite() {
    assert!(DRIFTS.len() >= 40);
    let Some(project) = project().await else { return };
    project.assert_reports(DRIFTS).await;
}

#[tokio::test]
async fn edits_that_change_nothing_are_not_reported_for_postgres_and_sqlite() {
    let Some(project) = project().await else { return };
    project.assert_reports(NO_OPS).await;
}
