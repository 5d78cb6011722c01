//! The schema and its migrations.

use node_storage_connections::Connections;
use node_storage_contract::{MigrationError, Result};
use sqlx::Postgres;
use sqlx::migrate::Migrator;

use crate::error::classify;

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations/postgres");

/// Compares the migrations applied to the database with those of this program.
pub(crate) async fn check(connections: &Connections<Postgres>) -> Result<()> {
    let migrated = sqlx::query_scalar!(r#"SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS "migrated!""#)
        .fetch_one(connections)
        .await
        .map_err(classify)?;
    if !migrated {
        return Err(MigrationError::NotMigrated.into());
    }
    let applied = sqlx::query!("SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version")
        .fetch_all(connections)
        .await
        .map_err(classify)?;
    let applied: Vec<_> = applied.into_iter().map(|row| (row.version, row.checksum)).collect();
    let known: Vec<_> = MIGRATOR
        .iter()
        .map(|migration| (migration.version, &*migration.checksum))
        .collect();
    Ok(MigrationError::check(&applied, &known)?)
}

/// Applies what is missing, each migration in its transaction, under the migration runner's advisory lock.
pub(crate) async fn migrate(connections: &Connections<Postgres>) -> Result<()> {
    let mut connection = connections.lend().await.map_err(classify)?;
    // What `run` calls, which the compiler refuses for a connection that is borrowed: "`Acquire` is not general enough".
    let migrated = MIGRATOR.run_direct(None, &mut *connection, false).await;
    migrated.map_err(|error| MigrationError::Failed {
        detail: error.to_string(),
    })?;
    connection.settled();
    Ok(())
}
