//! Whether a mutant would get past the compiler: the database prepares it, and the macros' types stay as they are.

use std::collections::BTreeMap;

use sqlx::{
    AssertSqlSafe, Column, Connection, Either, Executor, PgConnection, Row, SqlSafeStr, SqlStr, SqliteConnection,
    Statement as _, TypeInfo,
};

use crate::source::{Check, Source, Statement};
use crate::{Catalog, Engine, Error, Mutant, Result};

/// A migrated database without content.
#[derive(Debug)]
pub enum Database {
    /// A PostgreSQL database.
    Postgres(PgConnection),
    /// An SQLite file.
    Sqlite(SqliteConnection),
}

/// What the macros of sqlx make of a statement.
#[derive(Debug, PartialEq, Eq)]
struct Described {
    /// Name, type, and whether the macro takes it for nullable.
    columns: Vec<(String, String, bool)>,
    parameters: Vec<String>,
}

impl Database {
    /// Connects to a database that has the migrations of the crate.
    pub async fn connect(engine: Engine, url: &str) -> Result<Self> {
        let what = "connect to the migrated database";
        Ok(match engine {
            Engine::Postgres => Self::Postgres(PgConnection::connect(url).await.map_err(Error::database(what))?),
            Engine::Sqlite => Self::Sqlite(SqliteConnection::connect(url).await.map_err(Error::database(what))?),
        })
    }

    /// The columns of all tables and views.
    pub async fn catalog(&mut self) -> Result<Catalog> {
        let what = "read the types of columns";
        let mut catalog = Catalog::default();
        match self {
            Self::Postgres(connection) => {
                let columns = "SELECT table_name::TEXT, column_name::TEXT, data_type::TEXT FROM information_schema.columns \
                               WHERE table_schema = current_schema()";
                for row in sqlx::query(columns)
                    .fetch_all(connection)
                    .await
                    .map_err(Error::database(what))?
                {
                    catalog.insert(row.get(0), row.get(1), row.get(2));
                }
            }
            Self::Sqlite(connection) => {
                let columns = "SELECT t.name, c.name, c.type FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c \
                               WHERE t.type IN ('table', 'view')";
                for row in sqlx::query(columns)
                    .fetch_all(connection)
                    .await
                    .map_err(Error::database(what))?
                {
                    catalog.insert(row.get(0), row.get(1), row.get(2));
                }
            }
        }
        Ok(catalog)
    }

    /// The engine and its version.
    pub async fn version(&mut self) -> Result<String> {
        let what = "ask for the version";
        Ok(match self {
            Self::Postgres(connection) => {
                let version: String = sqlx::query_scalar("SELECT current_setting('server_version')")
                    .fetch_one(connection)
                    .await
                    .map_err(Error::database(what))?;
                format!("PostgreSQL {}", version.split(' ').next().unwrap_or(&version))
            }
            Self::Sqlite(connection) => {
                let version: String = sqlx::query_scalar("SELECT sqlite_version()")
                    .fetch_one(connection)
                    .await
                    .map_err(Error::database(what))?;
                format!("SQLite {version}")
            }
        })
    }

    /// Why a mutant would not compile or never run; `None` for one that would.
    ///
    /// # Errors
    /// `Database` where the crate's own statement is refused.
    pub async fn refusal(&mut self, source: &Source, mutant: &Mutant) -> Result<Option<String>> {
        for statement in &source.statements {
            let original = source.text(statement, &BTreeMap::new());
            let mutated = source.text(statement, &mutant.changed);
            if original == mutated {
                continue;
            }
            let before = self
                .describe(statement, &original)
                .await
                .map_err(Error::database(format!(
                    "prepare the crate's own statement\n{original}\n"
                )))?;
            let after = match self.describe(statement, &mutated).await {
                Ok(after) => after,
                Err(sqlx::Error::Database(error)) => return Ok(Some(error.message().to_owned())),
                Err(error) => return Err(Error::database("prepare a mutant")(error)),
            };
            if let Some(refusal) = misfit(statement.check, &before, &after) {
                return Ok(Some(refusal));
            }
        }
        Ok(None)
    }

    async fn describe(&mut self, statement: &Statement, text: &str) -> Result<Described, sqlx::Error> {
        let sql = AssertSqlSafe(text).into_sql_str();
        match (self, statement.check) {
            (Self::Postgres(connection), Check::Unchecked) => prepare(connection, sql).await,
            (Self::Sqlite(connection), Check::Unchecked) => prepare(connection, sql).await,
            (Self::Postgres(connection), _) => Ok(described(&connection.describe(sql).await?)),
            (Self::Sqlite(connection), _) => Ok(described(&connection.describe(sql).await?)),
        }
    }
}

/// Prepares a statement whose types nothing checks.
async fn prepare<'c, E>(connection: E, sql: SqlStr) -> Result<Described, sqlx::Error>
where
    E: Executor<'c>,
{
    let prepared = connection.prepare(sql).await?;
    let parameters = match prepared.parameters() {
        Some(Either::Left(types)) => types.len(),
        Some(Either::Right(count)) => count,
        None => 0,
    };
    Ok(Described {
        columns: Vec::new(),
        parameters: vec![String::new(); parameters],
    })
}

fn described<DB: sqlx::Database>(description: &sqlx::Describe<DB>) -> Described {
    let columns = description
        .columns()
        .iter()
        .enumerate()
        .map(|(place, column)| {
            let name = column.name();
            // The name may say so itself, before a type: `"did?"`, `"lists_did!: bool"`.
            let declared = name.split(':').next().unwrap_or(name).trim();
            let nullable = match declared.chars().last() {
                Some('!') => false,
                Some('?') => true,
                _ => description.nullable(place).unwrap_or(true),
            };
            (name.to_owned(), column.type_info().name().to_owned(), nullable)
        })
        .collect();
    let parameters = match description.parameters() {
        Some(Either::Left(types)) => types.iter().map(|parameter| parameter.name().to_owned()).collect(),
        Some(Either::Right(count)) => vec![String::new(); count],
        None => Vec::new(),
    };
    Described { columns, parameters }
}

/// Why the code around a macro would not compile with another statement.
fn misfit(check: Check, before: &Described, after: &Described) -> Option<String> {
    if before.parameters != after.parameters {
        return Some(format!(
            "the compiler: parameters {:?} instead of {:?}",
            after.parameters, before.parameters
        ));
    }
    if before.columns.len() != after.columns.len() {
        return Some("the compiler: another number of columns".to_owned());
    }
    for ((name, type_name, nullable), (other_name, other_type, other_nullable)) in
        before.columns.iter().zip(&after.columns)
    {
        if (name, type_name) != (other_name, other_type) {
            return Some(format!(
                "the compiler: {other_name} {other_type} instead of {name} {type_name}"
            ));
        }
        let fits = nullable == other_nullable || check == Check::Given && !other_nullable;
        if !fits {
            let now = if *other_nullable { "is" } else { "is never" };
            return Some(format!("the compiler: {name} {now} an Option"));
        }
    }
    None
}
