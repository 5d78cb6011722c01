//! The template database that tests get clones of.
//!
//! It is built under an advisory lock by whoever needs it first, and marked as a template last. A database of its name
//! without the mark is what a builder that died has left: it is dropped and built anew.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Connection, Row};
use url::Url;

use super::found::{Found, Source};
use super::hostile::Hostile;
use super::{connect, sweep};
use crate::{Error, Migrations, Result};

/// How long to wait for another process that builds the same template.
const BUILD_LIMIT: &str = "SET lock_timeout = '120s'";

/// `template_` and 32 hexadecimal digits of the hash of the migrations, the server's version, and what makes it hostile.
pub(super) fn name(migrations: &Migrations, version: &str, hostile: Option<&Hostile>) -> String {
    let hash = Sha256::new()
        .chain_update(migrations.hash())
        .chain_update(version)
        .chain_update(hostile.map(Hostile::creation).unwrap_or_default())
        .finalize();
    let mut digits = HEXLOWER.encode(&hash);
    digits.truncate(32);
    format!("{}{digits}", sweep::TEMPLATE_PREFIX)
}

/// The statement that clones a template. Both names are this crate's own: they need no quotes.
///
/// By default each page of a clone goes through the write-ahead log. Copying files instead needs a checkpoint first, which
/// costs little where no file is synchronized, and then takes two thirds of the time. Before 15 there is no
/// other way, nor a name for it.
pub(super) fn clone_statement(name: &str, template: &str, found: &Found) -> String {
    let volatile = !matches!(found.source, Source::Url { .. });
    let strategy = if volatile && found.major_version() >= Some(15) {
        " STRATEGY FILE_COPY"
    } else {
        ""
    };
    format!("CREATE DATABASE {name} TEMPLATE {template}{strategy}")
}

/// The statement that makes an empty database. The name is this crate's own: it needs no quotes.
pub(super) fn create_statement(name: &str, hostile: Option<&Hostile>) -> String {
    // template0, since somebody may have added to template1.
    let options = hostile.map(Hostile::creation).unwrap_or_default();
    format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'{options}")
}

/// Whether a statement failed since its template does not exist.
pub(super) fn is_missing(error: &sqlx::Error) -> bool {
    // invalid_catalog_name
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code == "3D000")
}

/// Makes sure that the template is there and complete.
pub(super) async fn ensure(
    maintenance: &PgPool,
    server: &Url,
    template: &str,
    migrations: &Migrations,
    hostile: Option<&Hostile>,
) -> Result<()> {
    {
        let mut connection = maintenance
            .acquire()
            .await
            .map_err(Error::postgres("accept a connection"))?;
        if is_complete(&mut connection, template).await? {
            return Ok(());
        }
    }
    // A connection of its own: closing it releases the lock, whatever happens in between.
    let mut maintenance = PgConnection::connect_with(&connect::options(server))
        .await
        .map_err(Error::postgres("accept a connection"))?;
    let result = ensure_through(&mut maintenance, server, template, migrations, hostile).await;
    let _ = maintenance.close().await;
    result
}

async fn ensure_through(
    maintenance: &mut PgConnection,
    server: &Url,
    template: &str,
    migrations: &Migrations,
    hostile: Option<&Hostile>,
) -> Result<()> {
    execute(maintenance, BUILD_LIMIT, "set a limit for locks").await?;
    sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 0))")
        .bind(template)
        .execute(&mut *maintenance)
        .await
        .map_err(Error::postgres(format!("take the lock for building {template}")))?;
    if is_complete(maintenance, template).await? {
        return Ok(());
    }

    let drop = format!("DROP DATABASE IF EXISTS {template} WITH (FORCE)");
    execute(maintenance, &drop, "drop a half-built template").await?;
    execute(maintenance, &create_statement(template, hostile), "create a template").await?;
    let built = build(maintenance, server, template, migrations).await;
    if built.is_err() {
        // The reason is what the caller needs; if this fails too, the next builder drops it.
        let _ = execute(maintenance, &drop, "drop a half-built template").await;
    }
    built
}

async fn build(maintenance: &mut PgConnection, server: &Url, template: &str, migrations: &Migrations) -> Result<()> {
    sweep::note_use(maintenance, template).await?;

    let mut url = server.clone();
    url.set_path(template);
    let mut connection = PgConnection::connect_with(&connect::options(&url))
        .await
        .map_err(Error::postgres("accept a connection to a template"))?;
    let applied = migrations.apply("PostgreSQL", &mut connection).await;
    let closed = connection
        .close()
        .await
        .map_err(Error::postgres("close a connection to a template"));
    applied.and(closed)?;

    // A database with connections (autovacuum's too) can't be cloned: none is let in from here on.
    let mark = format!("ALTER DATABASE {template} WITH ALLOW_CONNECTIONS false IS_TEMPLATE true");
    execute(maintenance, &mark, "mark a template").await
}

async fn is_complete(maintenance: &mut PgConnection, template: &str) -> Result<bool> {
    let row = sqlx::query(
        "SELECT datistemplate, shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = $1",
    )
    .bind(template)
    .fetch_optional(&mut *maintenance)
    .await
    .map_err(Error::postgres("look for a template"))?;
    let Some(row) = row else { return Ok(false) };

    let complete = row
        .try_get("datistemplate")
        .map_err(Error::postgres("say whether a database is a template"))?;
    let comment: Option<String> = row.try_get("comment").unwrap_or_default();
    if complete && !sweep::used_today(comment.as_deref()) {
        // Another role's template can be cloned, but not commented.
        let _ = sweep::note_use(maintenance, template).await;
    }
    Ok(complete)
}

async fn execute(connection: &mut PgConnection, statement: &str, action: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .map(drop)
        .map_err(Error::postgres(action))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A named server may hold much that a checkpoint would have to write, and 14 does not know the word.
    #[test]
    fn files_are_copied_on_servers_that_were_started_for_tests_and_know_how() {
        let statement = |version: &str, source| {
            let version = version.to_owned();
            clone_statement("test", "template", &Found { version, source })
        };
        let binaries = || Source::Binaries {
            directory: "/usr/lib/postgresql/17/bin".into(),
        };
        let named = Source::Url {
            address: "localhost/postgres".to_owned(),
        };
        let by_default = "CREATE DATABASE test TEMPLATE template";
        assert_eq!(
            statement("17.6", binaries()),
            format!("{by_default} STRATEGY FILE_COPY")
        );
        assert_eq!(
            statement("18beta1", binaries()),
            format!("{by_default} STRATEGY FILE_COPY")
        );
        assert_eq!(statement("14.19", binaries()), by_default);
        assert_eq!(statement("17.6", named), by_default);
    }
}
