//! One side of a comparison: files that are applied to a fresh database, or a database that exists.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use test_databases::{PostgresDatabase, PostgresServer, SqliteFile};
use url::Url;

use crate::catalog;
use crate::engine::Engine;
use crate::layout::{self, Migration};
use crate::lexer;
use crate::model::{Failure, Origin, Schema};
use crate::origin::History;
use crate::split::{self, Statement};
use crate::{Error, Result};

/// What a person names as a side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// A directory of migrations.
    Directory(PathBuf),
    /// One file of SQL.
    File(PathBuf),
    /// A database that exists. It is only read.
    Database(String),
}

impl Side {
    /// A URL, an SQLite file, a directory, or a file of SQL.
    pub fn parse(engine: Engine, text: &str) -> Result<Self> {
        let schemes: &[&str] = match engine {
            Engine::Postgres => &["postgres", "postgresql"],
            Engine::Sqlite => &["sqlite"],
        };
        if let Some((scheme, _)) = text.split_once("://") {
            let shown = Url::parse(text).map_or_else(
                |_| format!("{scheme}://…"),
                |mut url| {
                    if url.password().is_some() {
                        let _ = url.set_password(Some("***"));
                    }
                    url.to_string()
                },
            );
            if !schemes.contains(&scheme) {
                return Err(Error::Url {
                    url: shown,
                    engine,
                    reason: format!("its scheme is not {}", schemes.join(" or ")),
                });
            }
            return Ok(Self::Database(text.to_owned()));
        }
        let path = PathBuf::from(text);
        let metadata = fs::metadata(&path).map_err(Error::file("read", &path))?;
        if metadata.is_dir() {
            return Ok(Self::Directory(path));
        }
        let mut magic = [0; 15];
        let mut file = File::open(&path).map_err(Error::file("read", &path))?;
        if file.read_exact(&mut magic).is_ok() && &magic == b"SQLite format 3" {
            return match engine {
                Engine::Sqlite => Ok(Self::Database(
                    SqliteConnectOptions::new().filename(&path).to_url_lossy().into(),
                )),
                Engine::Postgres => Err(Error::Url {
                    url: text.to_owned(),
                    engine,
                    reason: "it is an SQLite file".to_owned(),
                }),
            };
        }
        Ok(Self::File(path))
    }

    fn shown(&self) -> String {
        match self {
            Self::Directory(path) | Self::File(path) => path.display().to_string(),
            Self::Database(url) => match Url::parse(url) {
                Ok(url) => format!(
                    "{}://{}{}",
                    url.scheme(),
                    url.host_str().unwrap_or_default(),
                    url.path()
                ),
                Err(_) => "the database".to_owned(),
            },
        }
    }
}

/// How the files of a side are found and prepared.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Replaces the known layouts, relative to the directory.
    pub glob: Option<String>,
    /// Applied first: extensions, and stand-ins for what the program registers.
    pub preludes: Vec<PathBuf>,
}

/// A side, applied and read.
#[derive(Debug)]
pub struct Loaded {
    /// What its catalog says.
    pub schema: Schema,
    /// The URL of its database.
    pub url: String,
    /// What was named.
    pub shown: String,
    pub(crate) history: History,
    /// Lives as long as the database is needed; a database that was named stays.
    pub(crate) database: Database,
}

impl Loaded {
    /// Whether it is a database that was named, and is only read.
    pub(crate) fn is_named(&self) -> bool {
        matches!(self.database, Database::Named)
    }
}

/// Where a side's objects are.
#[derive(Debug)]
pub(crate) enum Database {
    Postgres(#[allow(dead_code, reason = "dropped with it")] PostgresDatabase),
    Sqlite(#[allow(dead_code, reason = "dropped with it")] SqliteFile),
    Named,
}

/// A file as it will be applied.
struct Source {
    shown: String,
    version: String,
    statements: Vec<Statement>,
}

/// Applies a side to a fresh database, unless it is one, and reads its catalog.
pub async fn load(engine: Engine, side: &Side, options: &Options) -> Result<Loaded> {
    let (migrations, sources) = sources(engine, side, options)?;
    let mut loaded = match engine {
        Engine::Postgres => load_postgres(side, &sources).await?,
        Engine::Sqlite => load_sqlite(side, &sources).await?,
    };
    loaded.schema.migrations = migrations;
    if loaded.schema.tables.is_empty() {
        let failures = loaded.schema.failures.iter().take(3);
        return Err(Error::NoTable {
            engine,
            side: loaded.shown,
            failures: failures
                .map(|failure| format!("{}: {}", failure.origin, failure.error))
                .collect(),
        });
    }
    Ok(loaded)
}

fn sources(engine: Engine, side: &Side, options: &Options) -> Result<(Vec<Migration>, Vec<Source>)> {
    let mut sources = Vec::new();
    if !matches!(side, Side::Database(_)) {
        for prelude in &options.preludes {
            sources.push(source(engine, prelude, prelude.display().to_string(), String::new())?);
        }
    }
    let migrations = match side {
        Side::Directory(directory) => layout::migrations(engine, directory, options.glob.as_deref())?,
        Side::File(_) | Side::Database(_) => Vec::new(),
    };
    match side {
        Side::Directory(directory) => {
            for migration in &migrations {
                let shown = migration.file.display().to_string();
                sources.push(source(
                    engine,
                    &directory.join(&migration.file),
                    shown,
                    migration.version.clone(),
                )?);
            }
        }
        Side::File(path) => {
            let shown = path.file_name().map_or_else(
                || path.display().to_string(),
                |name| name.to_string_lossy().into_owned(),
            );
            sources.push(source(engine, path, shown, String::new())?);
        }
        Side::Database(_) => {}
    }
    Ok((migrations, sources))
}

fn source(engine: Engine, path: &Path, shown: String, version: String) -> Result<Source> {
    let bytes = fs::read(path).map_err(Error::file("read", path))?;
    let text = split::up_section(&String::from_utf8_lossy(&bytes));
    Ok(Source {
        shown,
        version,
        statements: split::statements(engine, &text),
    })
}

/// Whether the order of the files means nothing: without numbers, a file may need what one behind it makes. Statements that
/// failed are then tried again.
fn is_unordered(sources: &[Source]) -> bool {
    sources.len() > 1 && sources.iter().all(|source| source.version.is_empty())
}

/// What is done with a statement.
enum Treatment {
    Run(String),
    /// Without a word: it makes no difference to a schema.
    Pass,
    /// Named in the report.
    Skip(&'static str),
}

/// Statements that only write rows and follow each other are sent together, so many at a time.
const BATCH: usize = 200;

/// What is run of a file, in order; what is not run on purpose is noted.
fn batches<'a>(engine: Engine, source: &'a Source, skipped: &mut Vec<String>) -> Vec<Vec<(String, &'a Statement)>> {
    let mut batches: Vec<Vec<(String, &Statement)>> = Vec::new();
    let mut previous_writes_rows = false;
    for statement in &source.statements {
        let treatment = match engine {
            Engine::Postgres => postgres_treatment(statement),
            Engine::Sqlite => sqlite_treatment(statement),
        };
        let text = match treatment {
            Treatment::Run(text) => text,
            Treatment::Pass => continue,
            Treatment::Skip(reason) => {
                skipped.push(format!("{}:{}: {reason}", source.shown, statement.line));
                continue;
            }
        };
        let words = statement.words(engine);
        let writes_rows = words
            .first()
            .is_some_and(|word| matches!(word.as_str(), "INSERT" | "UPDATE" | "DELETE"));
        match batches.last_mut() {
            Some(batch) if writes_rows && previous_writes_rows && batch.len() < BATCH => batch.push((text, statement)),
            _ => batches.push(vec![(text, statement)]),
        }
        previous_writes_rows = writes_rows;
    }
    batches
}

fn joined(batch: &[(String, &Statement)]) -> String {
    batch
        .iter()
        .map(|(text, _)| text.as_str())
        .collect::<Vec<_>>()
        .join(";\n")
}

const ON_THE_SERVER: &str = "it would change the server, not the schema";

fn postgres_treatment(statement: &Statement) -> Treatment {
    let words = statement.words(Engine::Postgres);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let upper = statement.text.to_ascii_uppercase();
    match words.as_slice() {
        // Each statement is its own transaction: one that fails then takes no other with it.
        [
            "BEGIN" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE" | "LOCK" | "GRANT" | "REVOKE"
            | "REASSIGN" | "COMMENT" | "VACUUM" | "ANALYZE" | "NOTIFY" | "LISTEN" | "CHECKPOINT",
            ..,
        ]
        | ["START", "TRANSACTION", ..]
        | ["ALTER", "DEFAULT", "PRIVILEGES", ..]
        | ["SET", "ROLE" | "TRANSACTION" | "CONSTRAINTS", ..]
        | ["SET", "SESSION", "AUTHORIZATION" | "CHARACTERISTICS", ..]
        | ["SECURITY", "LABEL", ..] => Treatment::Pass,
        [
            "CREATE" | "ALTER" | "DROP",
            "ROLE" | "USER" | "GROUP" | "DATABASE" | "TABLESPACE" | "SYSTEM" | "SUBSCRIPTION",
            ..,
        ] => Treatment::Skip(ON_THE_SERVER),
        ["DO", ..]
            if ["CREATE ROLE", "CREATE USER", "ALTER ROLE", "ALTER SYSTEM"]
                .iter()
                .any(|word| upper.contains(word)) =>
        {
            Treatment::Skip(ON_THE_SERVER)
        }
        ["ALTER", ..] if words_contain(&upper, "OWNER TO") => Treatment::Pass,
        ["SET", "LOCAL", ..] => Treatment::Run(format!(
            "SET {}",
            statement.text.trim_start()[3..]
                .trim_start()
                .get(5..)
                .unwrap_or_default()
        )),
        _ => Treatment::Run(statement.text.clone()),
    }
}

fn words_contain(text: &str, phrase: &str) -> bool {
    text.split_whitespace().collect::<Vec<_>>().join(" ").contains(phrase)
}

fn sqlite_treatment(statement: &Statement) -> Treatment {
    let words = statement.words(Engine::Sqlite);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [
            "BEGIN" | "COMMIT" | "END" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" | "VACUUM" | "ANALYZE",
            ..,
        ] => Treatment::Pass,
        ["ATTACH" | "DETACH", ..] => Treatment::Skip("it would open another file"),
        ["PRAGMA", rest @ ..] => {
            let keeps = [
                "FOREIGN_KEYS",
                "LEGACY_ALTER_TABLE",
                "WRITABLE_SCHEMA",
                "USER_VERSION",
                "APPLICATION_ID",
                "SCHEMA_VERSION",
            ];
            if rest.iter().any(|word| keeps.contains(word)) {
                Treatment::Run(statement.text.clone())
            } else {
                Treatment::Pass
            }
        }
        _ => Treatment::Run(statement.text.clone()),
    }
}

fn failure(engine: Engine, source: &Source, statement: &Statement, error: &sqlx::Error) -> Failure {
    let words = statement.words(engine);
    let only_rows = [
        "INSERT", "UPDATE", "DELETE", "SELECT", "WITH", "REPLACE", "PRAGMA", "SET", "REINDEX", "TRUNCATE",
    ];
    let changes_schema = words.first().is_none_or(|word| !only_rows.contains(&word.as_str()));
    let beginning: String = statement
        .text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(100)
        .collect();
    let message = match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        error => error.to_string(),
    };
    Failure {
        origin: Origin {
            file: source.shown.clone(),
            version: source.version.clone(),
            line: Some(statement.line),
        },
        statement: beginning,
        error: message,
        names: names(engine, &statement.text),
        changes_schema,
    }
}

/// All names in a statement, in lower case.
fn names(engine: Engine, text: &str) -> Vec<String> {
    lexer::tokens(engine, text)
        .into_iter()
        .filter(lexer::Token::is_name)
        .map(|token| token.text.to_lowercase())
        .collect()
}

async fn load_postgres(side: &Side, sources: &[Source]) -> Result<Loaded> {
    let engine = Engine::Postgres;
    let (url, database) = match side {
        Side::Database(url) => (url.clone(), Database::Named),
        Side::Directory(_) | Side::File(_) => {
            let server = PostgresServer::shared()
                .await
                .map_err(|error| Error::Databases(error.to_string()))?;
            let database = server
                .empty_database()
                .await
                .map_err(|error| Error::Databases(error.to_string()))?;
            (database.url().to_owned(), Database::Postgres(database))
        }
    };
    let mut connection = connect_postgres(&url).await?;
    let mut history = History::default();
    let mut failures = Vec::new();
    let mut skipped = Vec::new();
    if !sources.is_empty() {
        prepare_postgres(&mut connection).await?;
    }
    for source in sources {
        let transaction = next_transaction(&mut connection).await?;
        history.start(engine, &source.shown, &source.version, &source.statements, transaction);
        for batch in batches(engine, source, &mut skipped) {
            // Several statements sent as one are one transaction: all of them or none.
            if batch.len() > 1
                && sqlx::raw_sql(AssertSqlSafe(joined(&batch)))
                    .execute(&mut connection)
                    .await
                    .is_ok()
            {
                continue;
            }
            for (text, statement) in batch {
                let run = sqlx::raw_sql(AssertSqlSafe(text.clone()))
                    .execute(&mut connection)
                    .await;
                let Err(error) = run else { continue };
                failures.push((text, failure(engine, source, statement, &error)));
                if !matches!(error, sqlx::Error::Database(_)) {
                    // The connection is of no more use: the statement ended it.
                    connection = connect_postgres(&url).await?;
                    prepare_postgres(&mut connection).await?;
                }
            }
        }
        // A dump empties the search path of its session.
        let reset = "SELECT CASE current_setting('search_path') WHEN '' THEN set_config('search_path', '\"$user\", public', false) END";
        let _ = sqlx::raw_sql(reset).execute(&mut connection).await;
    }
    while is_unordered(sources) && !failures.is_empty() {
        let before = failures.len();
        let mut left = Vec::new();
        for (text, failure) in failures {
            if sqlx::raw_sql(AssertSqlSafe(text.clone()))
                .execute(&mut connection)
                .await
                .is_err()
            {
                left.push((text, failure));
            }
        }
        failures = left;
        if failures.len() == before {
            break;
        }
    }
    let _ = connection.close().await;
    // Without the settings of the files.
    let mut connection = connect_postgres(&url).await?;
    let mut schema = catalog::postgres::read(&mut connection, &history)
        .await
        .map_err(Error::database(engine, "read the catalog"))?;
    let _ = connection.close().await;
    schema.failures = failures.into_iter().map(|(_, failure)| failure).collect();
    schema.skipped = skipped;
    Ok(Loaded {
        schema,
        url,
        shown: side.shown(),
        history,
        database,
    })
}

/// A connection to a database of PostgreSQL.
pub(crate) async fn connect_postgres(url: &str) -> Result<PgConnection> {
    let options: PgConnectOptions = url.parse().map_err(Error::database(Engine::Postgres, "read the URL"))?;
    PgConnection::connect_with(&options.application_name("dialect-parity").disable_statement_logging())
        .await
        .map_err(Error::database(Engine::Postgres, "be reached"))
}

async fn prepare_postgres(connection: &mut PgConnection) -> Result<()> {
    // A statement that waits for something must not keep the comparison waiting.
    sqlx::raw_sql("SET statement_timeout = '20s'; SET lock_timeout = '5s'; SET client_min_messages = error; SET synchronous_commit = off")
        .execute(connection)
        .await
        .map_err(Error::database(Engine::Postgres, "prepare the session"))?;
    Ok(())
}

async fn next_transaction(connection: &mut PgConnection) -> Result<i64> {
    // A setting of a file may be in the way of a prepared statement, so none is used.
    let row = sqlx::raw_sql("SELECT pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) & 4294967295")
        .fetch_one(connection)
        .await
        .map_err(Error::database(Engine::Postgres, "name its next transaction"))?;
    let text: String = row
        .try_get_unchecked(0)
        .map_err(Error::database(Engine::Postgres, "name its next transaction"))?;
    Ok(text.parse().unwrap_or(0))
}

async fn load_sqlite(side: &Side, sources: &[Source]) -> Result<Loaded> {
    let engine = Engine::Sqlite;
    let (url, database) = match side {
        Side::Database(url) => (url.clone(), Database::Named),
        Side::Directory(_) | Side::File(_) => {
            let file = SqliteFile::empty().map_err(|error| Error::Databases(error.to_string()))?;
            (file.url().to_owned(), Database::Sqlite(file))
        }
    };
    let options: SqliteConnectOptions = url.parse().map_err(Error::database(engine, "read the URL"))?;
    let mut options = options.disable_statement_logging().foreign_keys(false);
    options = match side {
        Side::Database(_) => options.read_only(true),
        // Nobody needs the file after a crash.
        _ => options
            .journal_mode(SqliteJournalMode::Memory)
            .synchronous(SqliteSynchronous::Off),
    };
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .map_err(Error::database(engine, "open the file"))?;

    let mut history = History::default();
    let mut failures = Vec::new();
    let mut skipped = Vec::new();
    let mut before = BTreeMap::new();
    for source in sources {
        history.start(engine, &source.shown, &source.version, &source.statements, 0);
        for batch in batches(engine, source, &mut skipped) {
            if batch.len() > 1 {
                let all = format!("BEGIN;\n{};\nCOMMIT", joined(&batch));
                if sqlx::raw_sql(AssertSqlSafe(all)).execute(&mut connection).await.is_ok() {
                    continue;
                }
                let _ = sqlx::raw_sql("ROLLBACK").execute(&mut connection).await;
            }
            for (text, statement) in batch {
                if let Err(error) = execute_sqlite(&mut connection, &text).await {
                    failures.push((text, failure(engine, source, statement, &error)));
                }
            }
        }
        // Each runner starts a file with SQLite's own settings.
        let _ =
            sqlx::raw_sql("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = OFF; PRAGMA writable_schema = RESET")
                .execute(&mut connection)
                .await;
        let after = catalog::sqlite::snapshot(&mut connection, &before)
            .await
            .map_err(Error::database(engine, "read the catalog"))?;
        history.finish(&before, &after);
        before = after;
    }
    while is_unordered(sources) && !failures.is_empty() {
        let before = failures.len();
        let mut left = Vec::new();
        for (text, failure) in failures {
            if execute_sqlite(&mut connection, &text).await.is_err() {
                left.push((text, failure));
            }
        }
        failures = left;
        if failures.len() == before {
            break;
        }
    }
    let schema = catalog::sqlite::read(&mut connection, &history)
        .await
        .map_err(Error::database(engine, "read the catalog"));
    let _ = connection.close().await;
    let mut schema = schema?;
    schema.failures = failures.into_iter().map(|(_, failure)| failure).collect();
    schema.skipped = skipped;
    Ok(Loaded {
        schema,
        url,
        shown: side.shown(),
        history,
        database,
    })
}

/// Runs a statement; a collation that the program registers has a stand-in.
async fn execute_sqlite(connection: &mut SqliteConnection, text: &str) -> Result<(), sqlx::Error> {
    for _ in 0..8 {
        let run = sqlx::raw_sql(AssertSqlSafe(text.to_owned()))
            .execute(&mut *connection)
            .await;
        let Err(error) = run else { return Ok(()) };
        let message = error.to_string();
        let Some((_, name)) = message.split_once("no such collation sequence: ") else {
            return Err(error);
        };
        let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        connection.lock_handle().await?.create_collation(&name, Ord::cmp)?;
    }
    Err(sqlx::Error::Protocol("more than 8 unknown collations".to_owned()))
}
