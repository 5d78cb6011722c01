//! No hot query's cost grows with the database: `migrations/plans/queries.toml`, as `dialect-parity plan` judges it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::path::Path;

use dialect_parity::plan::{Queries, plan};
use dialect_parity::{Engine, Options, Side, load, report};
use node_storage::DbBackend;

/// Every plan of an engine is right, where `TEST_BACKENDS` does not leave it out.
async fn assert_plans_are_right(backend: DbBackend, engine: Engine) {
    if !node_storage_conformance::is_chosen(backend.name()) {
        return;
    }
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let queries = Queries::read(&migrations.join("plans/queries.toml")).unwrap();
    let side = Side::Directory(migrations.join(backend.name()));
    let plans = plan(engine, &queries, async || {
        load(engine, &side, &Options::default()).await
    })
    .await
    .unwrap();
    assert!(plans.findings.is_empty(), "{}", report::plans(&plans));
}

#[tokio::test]
async fn sqlite_searches_an_index_for_every_hot_query() {
    assert_plans_are_right(DbBackend::Sqlite, Engine::Sqlite).await;
}

#[tokio::test]
async fn postgres_searches_an_index_and_touches_few_rows_for_every_hot_query() {
    assert_plans_are_right(DbBackend::Postgres, Engine::Postgres).await;
}
