//! The second witness: `pg_dump` and SQLite's own schema text, every statement of which the representation accounts for.

use std::env;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Row};
use test_databases::{PostgresServer, Source};
use tokio::process::Command;
use url::Url;

use crate::catalog;
use crate::engine::Engine;
use crate::lexer::{self, Kind};
use crate::model::is_runner_table;
use crate::side::{Database, Loaded};
use crate::split;
use crate::{Error, Result};

/// A database's own text of its schema, without what differs between versions and runs.
#[derive(Debug, Clone)]
pub struct Dump {
    /// Statements in the order of the dump, with one empty line between two.
    pub text: String,
    /// The statements that no object of the representation accounts for, by their first words.
    pub unaccounted: Vec<String>,
}

/// Asks the engine's own tools for the schema of a side, without the tables of migration runners. The error is a sentence: the
/// comparison goes on without it.
pub async fn dump(loaded: &Loaded) -> Result<Dump, String> {
    let text = match loaded.schema.engine {
        Engine::Postgres => postgres_text(loaded).await?,
        Engine::Sqlite => sqlite_text(&loaded.url).await.map_err(|error| error.to_string())?,
    };
    let statements = split::statements(loaded.schema.engine, &text);
    let known = known_names(loaded);
    let mut unaccounted = Vec::new();
    let mut kept = Vec::new();
    for statement in statements {
        let words = statement.words(loaded.schema.engine);
        let first = words.first().map(String::as_str).unwrap_or_default();
        // Settings of the session, owners and comments.
        if matches!(first, "SET" | "SELECT" | "COMMENT" | "PRAGMA" | "BEGIN" | "COMMIT") {
            continue;
        }
        if !is_accounted(loaded.schema.engine, &statement.text, &known) {
            unaccounted.push(words.iter().take(4).cloned().collect::<Vec<_>>().join(" "));
        }
        if is_of_runner_table(&words) {
            continue;
        }
        kept.push(format!("{};\n", catalog::postgres::without_qualifiers(&statement.text)));
    }
    Ok(Dump {
        text: kept.join("\n"),
        unaccounted,
    })
}

/// Whether a statement, of which these are the first words, makes or changes a migration runner's table. Its name stands
/// before the first bracket; a column of that name does not count.
fn is_of_runner_table(words: &[String]) -> bool {
    let head = words.split(|word| word == "(").next().unwrap_or_default();
    head.windows(2)
        .any(|pair| matches!(pair[0].as_str(), "TABLE" | "ONLY" | "EXISTS" | "ON" | ".") && is_runner_table(&pair[1]))
}

fn known_names(loaded: &Loaded) -> std::collections::BTreeSet<String> {
    let schema = &loaded.schema;
    let mut names = std::collections::BTreeSet::new();
    let mut add = |name: &str| {
        let lower = name.to_lowercase();
        names.extend(lower.rsplit('.').next().map(ToOwned::to_owned));
        names.insert(lower);
    };
    for table in schema.tables.values() {
        add(&table.name);
        table.indexes.iter().for_each(|index| add(&index.name));
    }
    schema.views.values().for_each(|view| add(&view.name));
    schema.triggers.iter().for_each(|trigger| add(&trigger.name));
    schema.others.iter().for_each(|other| add(&other.name));
    schema.runner_tables.iter().for_each(|name| add(name));
    schema.constraint_names.iter().for_each(|name| add(name));
    names
}

/// Whether the object that a statement makes or changes is known.
fn is_accounted(engine: Engine, text: &str, known: &std::collections::BTreeSet<String>) -> bool {
    let tokens = lexer::tokens(engine, text);
    // CREATE kind name, ALTER kind name: the first name behind the keywords.
    let name = |token: &lexer::Token| token.text.trim_matches('\'').to_lowercase();
    // SQLite takes a name in single quotes.
    let may_be_name = |token: &lexer::Token| token.is_name() || (engine == Engine::Sqlite && token.kind == Kind::Text);
    tokens
        .iter()
        .skip(1)
        .take(12)
        .any(|token| may_be_name(token) && known.contains(&name(token)))
}

async fn sqlite_text(url: &str) -> Result<String> {
    let engine = Engine::Sqlite;
    let options: SqliteConnectOptions = url.parse().map_err(Error::database(engine, "read the URL"))?;
    let mut connection = SqliteConnection::connect_with(&options.read_only(true).disable_statement_logging())
        .await
        .map_err(Error::database(engine, "open the file"))?;
    // What `.schema` of the sqlite3 command prints, sorted.
    let rows = sqlx::query("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY tbl_name, type DESC, name")
        .fetch_all(&mut connection)
        .await
        .map_err(Error::database(engine, "read its schema"))?;
    let _ = connection.close().await;
    let mut text = String::new();
    for row in rows {
        let sql: String = row.try_get(0).map_err(Error::database(engine, "read its schema"))?;
        text += &sql;
        text += ";\n";
    }
    Ok(text)
}

async fn postgres_text(loaded: &Loaded) -> Result<String, String> {
    let source = match &loaded.database {
        Database::Postgres(_) => {
            let server = PostgresServer::shared().await.map_err(ToString::to_string)?;
            Some(server.found().source.clone())
        }
        _ => None,
    };
    match source {
        Some(Source::Container { .. }) => dump_in_container(&loaded.url).await,
        Some(Source::Binaries { directory }) => dump_with(Command::new(directory.join("pg_dump")), &loaded.url).await,
        Some(Source::Url { .. }) | None => {
            let here = match newest_pg_dump() {
                Some(program) => dump_with(Command::new(program), &loaded.url).await,
                None => Err("there is no pg_dump on PATH or under /usr/lib/postgresql".to_owned()),
            };
            match here {
                // An older client refuses a newer server. One that a container of this machine serves has its own.
                Err(reason) if is_of_this_machine(&loaded.url) => {
                    dump_in_container(&loaded.url).await.map_err(|_| reason)
                }
                dumped => dumped,
            }
        }
    }
}

async fn dump_with(mut pg_dump: Command, url: &str) -> Result<String, String> {
    let output = pg_dump
        .args(["--schema-only", "--no-owner", "--no-privileges"])
        .arg(format!("--dbname={url}"))
        .output()
        .await
        .map_err(|error| format!("pg_dump can't be run: {error}"))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(format!("pg_dump fails: {}", message.lines().next().unwrap_or_default()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

async fn dump_in_container(url: &str) -> Result<String, String> {
    let (container, inside) = container(url).await?;
    let mut pg_dump = Command::new("docker");
    pg_dump.args(["exec", &container, "pg_dump"]);
    dump_with(pg_dump, &inside).await
}

fn is_of_this_machine(url: &str) -> bool {
    let url = Url::parse(url).ok();
    let host = url.as_ref().and_then(Url::host_str);
    matches!(host, Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// The container that serves this URL, and the URL inside of it.
async fn container(url: &str) -> Result<(String, String), String> {
    let mut url = Url::parse(url).map_err(|error| error.to_string())?;
    let port = url.port().unwrap_or(5432);
    let output = Command::new("docker")
        .args(["ps", "--quiet", "--filter", &format!("publish={port}")])
        .output()
        .await
        .map_err(|error| format!("docker can't be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let id = text
        .lines()
        .next()
        .ok_or_else(|| format!("no container publishes port {port}"))?
        .to_owned();
    let changed = url.set_host(Some("127.0.0.1")).is_ok() && url.set_port(Some(5432)).is_ok();
    if !changed {
        return Err("the URL has no host".to_owned());
    }
    Ok((id, url.into()))
}

fn newest_pg_dump() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in Path::new("/usr/lib/postgresql")
        .read_dir()
        .into_iter()
        .flatten()
        .flatten()
    {
        let program = entry.path().join("bin/pg_dump");
        if let (true, Ok(version)) = (program.is_file(), entry.file_name().to_string_lossy().parse()) {
            found.push((version, program));
        }
    }
    found.sort();
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|directory| directory.join("pg_dump"));
    found
        .pop()
        .map(|(_, program)| program)
        .or_else(|| on_path.into_iter().find(|program| program.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_a_runner_are_told_by_their_table_and_not_by_a_column() {
        let is_of_runner = |text: &str| {
            let statements = split::statements(Engine::Postgres, text);
            is_of_runner_table(&statements[0].words(Engine::Postgres))
        };
        assert!(is_of_runner("CREATE TABLE public._sqlx_migrations (version bigint)"));
        assert!(is_of_runner(
            "ALTER TABLE ONLY public._sqlx_migrations ADD CONSTRAINT a PRIMARY KEY (version)"
        ));
        assert!(is_of_runner(
            "CREATE UNIQUE INDEX i ON public.schema_version USING btree (version)"
        ));
        assert!(!is_of_runner("CREATE TABLE public.settings (schema_version integer)"));
        assert!(!is_of_runner(
            "CREATE INDEX schema_version ON public.settings USING btree (a)"
        ));
    }
}
