//! The schema and its migrations.

use std::borrow::Cow;

use node_storage_contract::{MigrationError, Result, StorageError};
use sqlx::Connection;
use sqlx::migrate::{MigrateError, Migrator};

use crate::error::classify;
use crate::session::{BEGIN, Session};

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations/postgres");

/// Compares the migrations applied to the database with those of this program.
pub(crate) async fn check(session: &mut Session) -> Result<()> {
    let migrated = sqlx::query_scalar!(r#"SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS "migrated!""#)
        .fetch_one(&mut *session)
        .await
        .map_err(classify)?;
    if !migrated {
        return Err(MigrationError::NotMigrated.into());
    }
    let applied = sqlx::query!("SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version")
        .fetch_all(&mut *session)
        .await
        .map_err(classify)?;
    let applied: Vec<_> = applied.into_iter().map(|row| (row.version, row.checksum)).collect();
    let known: Vec<_> = MIGRATOR
        .iter()
        .map(|migration| (migration.version, &*migration.checksum))
        .collect();
    Ok(MigrationError::check(&applied, &known)?)
}

/// Applies what is missing, in one transaction and under an advisory lock of that.
///
/// The lock of the migration runner is one of the session, which a pooler would keep; and what it prepares, it prepares by name.
pub(crate) async fn migrate(session: &mut Session) -> Result<()> {
    let migrator = Migrator {
        migrations: Cow::Borrowed(&MIGRATOR.migrations),
        locking: false,
        ..Migrator::DEFAULT
    };
    let mut transaction = session.begin_with(BEGIN).await.map_err(classify)?;
    let locked = sqlx::raw_sql(LOCK_AND_FORGET).execute(&mut *transaction).await;
    locked.map_err(classify)?;
    // Not `run`, whose future is not known to be `Send`.
    let migrated = migrator.run_direct(None, &mut *transaction, false).await;
    migrated.map_err(|error| failed(&error))?;
    sqlx::raw_sql("DEALLOCATE ALL")
        .execute(&mut *transaction)
        .await
        .map_err(classify)?;
    transaction.commit().await.map_err(classify)
}

/// The number of the lock is "NPRI", as that of the writer's, and one of its own. What others have left prepared in the session of a
/// pooler would be in the way.
const LOCK_AND_FORGET: &str = "SELECT pg_advisory_xact_lock(5643100806581321730); DEALLOCATE ALL";

fn failed(error: &MigrateError) -> StorageError {
    let source = match error {
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => Some(source),
        _ => None,
    };
    let code = source.and_then(|source| source.as_database_error()?.code());
    let hint = match code.as_deref() {
        // Insufficient privilege, and no schema to create anything in: since PostgreSQL 15, not everybody may in `public`.
        Some("42501" | "3F000") => {
            "; the role needs CREATE on the schema that its search_path begins with: GRANT CREATE ON SCHEMA public TO the role, \
             or CREATE SCHEMA of the role's name AUTHORIZATION the role, which comes first by default"
        }
        _ => "",
    };
    MigrationError::Failed {
        detail: format!("{error}{hint}"),
    }
    .into()
}
