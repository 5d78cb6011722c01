//! The schema and its migrations.

use node_storage_connections::Connections;
use node_storage_contract::{MigrationError, Result};
use sqlx::Sqlite;
use sqlx::migrate::Migrator;

use crate::error::classify;

pub(crate) static MIGRATOR: Migrator = sqlx::migrate!("../../migrations/sqlite");

/// Compares the migrations applied to the database with those of this program.
pub(crate) async fn check(connections: &Connections<Sqlite>) -> Result<()> {
    let migrated = sqlx::query_scalar!(
        r#"SELECT count(*) > 0 AS "migrated!: bool" FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'"#
    )
    .fetch_one(connections)
    .await
    .map_err(classify)?;
    if !migrated {
        return Err(MigrationError::NotMigrated.into());
    }
    let applied =
        sqlx::query!(r#"SELECT version AS "version!", checksum FROM _sqlx_migrations WHERE success ORDER BY version"#)
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

/// Applies what is missing, each migration in its transaction. The lease keeps other processes from doing so at the same time.
pub(crate) async fn migrate(connections: &Connections<Sqlite>) -> Result<()> {
    let mut connection = connections.lend().await.map_err(classify)?;
    // What `run` calls, which the compiler refuses for a connection that is borrowed: "`Acquire` is not general enough".
    let migrated = MIGRATOR.run_direct(None, &mut *connection, false).await;
    migrated.map_err(|error| MigrationError::Failed {
        detail: error.to_string(),
    })?;
    connection.settled();
    Ok(())
}
