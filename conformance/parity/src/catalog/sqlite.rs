//! SQLite's `sqlite_schema` and pragmas, read into the representation.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Row};

use crate::classes;
use crate::engine::Engine;
use crate::lexer::{self, Token};
use crate::model::{
    Check, Column, ForeignKey, Index, IndexColumn, Key, Numbered, Other, Schema, Table, Trigger, View, is_runner_table,
};
use crate::origin::History;

type Result<T> = std::result::Result<T, sqlx::Error>;

/// What stands in `sqlite_schema`.
struct Entry {
    kind: String,
    name: String,
    table: String,
    sql: Option<String>,
}

async fn entries(connection: &mut SqliteConnection) -> Result<Vec<Entry>> {
    let rows = sqlx::query("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
        .fetch_all(connection)
        .await?;
    let entry = |row: &SqliteRow| {
        Ok(Entry {
            kind: row.try_get(0)?,
            name: row.try_get(1)?,
            table: row.try_get(2)?,
            sql: row.try_get(3)?,
        })
    };
    rows.iter().map(entry).collect()
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn pragma(connection: &mut SqliteConnection, pragma: &str, name: &str) -> Result<Vec<SqliteRow>> {
    sqlx::query(AssertSqlSafe(format!("PRAGMA {pragma}({})", quote(name))))
        .fetch_all(connection)
        .await
}

/// Objects and columns as texts by key, for the history. Columns are read anew only of tables that changed.
pub(crate) async fn snapshot(
    connection: &mut SqliteConnection,
    before: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let mut after = BTreeMap::new();
    for entry in entries(connection).await? {
        let name = entry.name.to_lowercase();
        let sql = entry.sql.unwrap_or_default();
        let key = format!("{} {name}", entry.kind);
        if entry.kind == "table" {
            let columns_of = format!("column {name}.");
            // The table itself is introduced once; its text changes with its columns.
            after.insert(key, String::new());
            let text_key = format!("text {name}");
            if before.get(&text_key) == Some(&sql) {
                let same = before
                    .range(columns_of.clone()..)
                    .take_while(|(key, _)| key.starts_with(&columns_of));
                after.extend(same.map(|(key, text)| (key.clone(), text.clone())));
            } else if let Ok(rows) = pragma(connection, "table_xinfo", &entry.name).await {
                for row in rows {
                    let column: String = row.try_get("name")?;
                    let declared: String = row.try_get("type")?;
                    let not_null: bool = row.try_get("notnull")?;
                    let default: Option<String> = row.try_get("dflt_value")?;
                    after.insert(
                        format!("{columns_of}{}", column.to_lowercase()),
                        format!("{declared} {not_null} {default:?}"),
                    );
                }
            }
            after.insert(text_key, sql);
        } else {
            after.insert(key, sql);
        }
    }
    Ok(after)
}

/// Reads everything of a database.
pub(crate) async fn read(connection: &mut SqliteConnection, history: &History) -> Result<Schema> {
    let mut schema = Schema::new(Engine::Sqlite);
    let entries = entries(connection).await?;
    let mut kinds: BTreeMap<String, (String, bool, bool)> = BTreeMap::new();
    for row in sqlx::query("PRAGMA table_list").fetch_all(&mut *connection).await? {
        if row.try_get::<String, _>("schema")? == "main" {
            kinds.insert(
                row.try_get("name")?,
                (row.try_get("type")?, row.try_get("wr")?, row.try_get("strict")?),
            );
        }
    }
    let virtual_tables: BTreeSet<String> = kinds
        .iter()
        .filter(|(_, (kind, ..))| kind == "virtual" || kind == "shadow")
        .map(|(name, _)| name.to_lowercase())
        .collect();

    for entry in entries.iter().filter(|entry| entry.kind == "table") {
        if entry.name.starts_with("sqlite_") {
            continue;
        }
        if is_runner_table(&entry.name) {
            schema.runner_tables.push(entry.name.clone());
            continue;
        }
        let (kind, without_rowid, strict) = kinds.get(&entry.name).cloned().unwrap_or_default();
        if kind == "virtual" || kind == "shadow" {
            schema.others.push(Other {
                kind: format!("{kind} table"),
                name: entry.name.clone(),
            });
            continue;
        }
        let text = entry.sql.clone().unwrap_or_default();
        let table = table(
            connection,
            history,
            &entries,
            entry,
            &Definition::read(&text),
            without_rowid,
            strict,
        )
        .await?;
        schema.tables.insert(entry.name.to_lowercase(), table);
    }
    resolve_parents(&mut schema);
    for entry in entries.iter().filter(|entry| entry.kind == "view") {
        let name = entry.name.to_lowercase();
        let (columns, broken) = match pragma(connection, "table_xinfo", &entry.name).await {
            Ok(rows) => (
                rows.iter()
                    .map(|row| row.try_get("name"))
                    .collect::<Result<Vec<String>>>()?,
                None,
            ),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let tokens = lexer::tokens(Engine::Sqlite, entry.sql.as_deref().unwrap_or_default());
        let text = entry.sql.clone().unwrap_or_default();
        // CREATE VIEW name (columns) AS query
        let query = tokens
            .iter()
            .skip(2)
            .find(|token| token.is("AS"))
            .and_then(|token| text.get(token.end..));
        schema.views.insert(
            name.clone(),
            View {
                name: entry.name.clone(),
                columns,
                query: query.unwrap_or_default().trim().to_owned(),
                materialized: false,
                broken,
                origin: history.introduced(&format!("view {name}"), &[&name]),
            },
        );
    }
    for entry in entries.iter().filter(|entry| entry.kind == "trigger") {
        if let Some(trigger) = trigger(entry, &virtual_tables, history) {
            schema.triggers.push(trigger);
        }
    }
    schema.others.sort();
    Ok(schema)
}

async fn table(
    connection: &mut SqliteConnection,
    history: &History,
    entries: &[Entry],
    entry: &Entry,
    definition: &Definition,
    without_rowid: bool,
    strict: bool,
) -> Result<Table> {
    let key = entry.name.to_lowercase();
    let table_origin = history.introduced(&format!("table {key}"), &[&key]);
    let mut columns = Vec::new();
    let mut key_columns: BTreeMap<i64, String> = BTreeMap::new();
    for row in pragma(connection, "table_xinfo", &entry.name).await? {
        let name: String = row.try_get("name")?;
        let declared: String = row.try_get("type")?;
        let hidden: i64 = row.try_get("hidden")?;
        let position: i64 = row.try_get("pk")?;
        if position > 0 {
            key_columns.insert(position, name.clone());
        }
        let lower = name.to_lowercase();
        let extra = definition.columns.get(&lower);
        columns.push(Column {
            kind: classes::sqlite(&declared),
            not_null: row.try_get("notnull")?,
            default: row.try_get("dflt_value")?,
            numbered: None,
            generated: (hidden == 2 || hidden == 3)
                .then(|| extra.and_then(|extra| extra.generated.clone()).unwrap_or_default()),
            collation: extra
                .and_then(|extra| extra.collation.clone())
                .filter(|name| !name.eq_ignore_ascii_case("BINARY")),
            origin: history.introduced(&format!("column {key}.{lower}"), &[&key, &lower]),
            name,
        });
    }
    let mut primary_key = (!key_columns.is_empty()).then(|| Key {
        columns: key_columns.into_values().collect(),
        nullable: Vec::new(),
        origin: table_origin.clone(),
    });
    if let Some(key) = &mut primary_key {
        let alone = key.columns.len() == 1;
        for column in columns.iter_mut().filter(|column| key.columns.contains(&column.name)) {
            let is_rowid = alone && !without_rowid && column.kind.declared == "integer" && !definition.key_descends;
            if is_rowid {
                column.numbered = Some(if definition.autoincrement {
                    Numbered::Autoincrement
                } else {
                    Numbered::Rowid
                });
            }
            if is_rowid || without_rowid || strict {
                column.not_null = true;
            }
            if !column.not_null {
                key.nullable.push(column.name.clone());
            }
        }
    }
    let checks = definition.checks.iter().map(|text| Check {
        text: text.clone(),
        origin: check_origin(history, &key, text).or_else(|| table_origin.clone()),
    });
    Ok(Table {
        name: entry.name.clone(),
        strict,
        checks: checks.collect(),
        foreign_keys: foreign_keys(connection, history, &entry.name, definition).await?,
        indexes: indexes(connection, history, entries, &entry.name, &columns).await?,
        columns,
        primary_key,
        origin: table_origin,
    })
}

/// Where a text of a table was written: with the last change of the columns that it names.
fn check_origin(history: &History, table: &str, text: &str) -> Option<crate::model::Origin> {
    let tokens = lexer::tokens(Engine::Sqlite, text);
    let names = tokens
        .iter()
        .filter(|token| token.is_name())
        .map(|token| token.text.to_lowercase());
    names
        .filter_map(|name| history.introduced(&format!("column {table}.{name}"), &[table, &name]))
        .max()
}

async fn foreign_keys(
    connection: &mut SqliteConnection,
    history: &History,
    table: &str,
    definition: &Definition,
) -> Result<Vec<ForeignKey>> {
    let mut found: BTreeMap<i64, ForeignKey> = BTreeMap::new();
    for row in pragma(connection, "foreign_key_list", table).await? {
        let from: String = row.try_get("from")?;
        let to: Option<String> = row.try_get("to")?;
        let parent: String = row.try_get("table")?;
        let key = found.entry(row.try_get("id")?).or_insert_with(|| ForeignKey {
            columns: Vec::new(),
            parent: parent.to_lowercase(),
            parent_columns: Vec::new(),
            on_delete: String::new(),
            on_update: String::new(),
            deferred: false,
            // SQLite reads MATCH FULL and passes over it.
            match_full: false,
            dangling: None,
            origin: None,
        });
        key.columns.push(from);
        key.parent_columns.extend(to);
        key.on_delete = row.try_get("on_delete")?;
        key.on_update = row.try_get("on_update")?;
    }
    let mut keys: Vec<ForeignKey> = found.into_values().collect();
    let lower = table.to_lowercase();
    for key in &mut keys {
        let columns: Vec<String> = key.columns.iter().map(|name| name.to_lowercase()).collect();
        key.deferred = definition.deferred.contains(&columns);
        let first = columns.first().cloned().unwrap_or_default();
        key.origin = history.introduced(&format!("column {lower}.{first}"), &[&lower, &first]);
    }
    Ok(keys)
}

/// What a foreign key needs to know of a table.
struct Parent {
    columns: Vec<String>,
    primary: Vec<String>,
    /// Sets of columns of which no two rows have the same values, each sorted.
    unique: Vec<Vec<String>>,
}

/// Fills in the columns that a foreign key leaves out, and says which keys can't work.
fn resolve_parents(schema: &mut Schema) {
    let parents: BTreeMap<String, Parent> = schema
        .tables
        .iter()
        .map(|(key, table)| {
            let columns = table.columns.iter().map(|column| column.name.to_lowercase()).collect();
            let primary = table
                .primary_key
                .as_ref()
                .map(|key| key.columns.clone())
                .unwrap_or_default();
            let mut unique = vec![sorted(&primary)];
            for index in table
                .indexes
                .iter()
                .filter(|index| index.unique && index.predicate.is_none())
            {
                let columns: Vec<String> = index.columns.iter().map(|column| column.text.clone()).collect();
                unique.push(sorted(&columns));
            }
            (
                key.clone(),
                Parent {
                    columns,
                    primary,
                    unique,
                },
            )
        })
        .collect();
    for table in schema.tables.values_mut() {
        for key in &mut table.foreign_keys {
            let Some(Parent {
                columns,
                primary,
                unique,
            }) = parents.get(&key.parent)
            else {
                key.dangling = Some(format!("there is no table {}", key.parent));
                continue;
            };
            if key.parent_columns.is_empty() {
                key.parent_columns.clone_from(primary);
            }
            let missing = key
                .parent_columns
                .iter()
                .find(|name| !columns.contains(&name.to_lowercase()));
            if let Some(missing) = missing {
                key.dangling = Some(format!("{} has no column {missing}", key.parent));
            } else if !unique.contains(&sorted(&key.parent_columns)) {
                let columns = key.parent_columns.join(", ");
                key.dangling = Some(format!("({columns}) of {} is no key, so every write fails", key.parent));
            }
        }
    }
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    names.sort();
    names
}

async fn indexes(
    connection: &mut SqliteConnection,
    history: &History,
    entries: &[Entry],
    table: &str,
    columns: &[Column],
) -> Result<Vec<Index>> {
    let mut found = Vec::new();
    let lower = table.to_lowercase();
    for row in pragma(connection, "index_list", table).await? {
        let name: String = row.try_get("name")?;
        let made_by: String = row.try_get("origin")?;
        if made_by == "pk" {
            continue;
        }
        let sql = entries
            .iter()
            .find(|entry| entry.kind == "index" && entry.name == name)
            .and_then(|entry| entry.sql.clone());
        let text = IndexText::read(sql.as_deref().unwrap_or_default());
        let mut index_columns = Vec::new();
        for part in pragma(connection, "index_xinfo", &name).await? {
            if !part.try_get::<bool, _>("key")? {
                continue;
            }
            let position: usize = index_columns.len();
            let column: Option<String> = part.try_get("name")?;
            let collation: Option<String> = part.try_get("coll")?;
            let own = columns
                .iter()
                .find(|candidate| Some(&candidate.name) == column.as_ref())
                .and_then(|column| column.collation.clone())
                .unwrap_or_else(|| "BINARY".to_owned());
            index_columns.push(IndexColumn {
                expression: column.is_none(),
                text: column
                    .or_else(|| text.columns.get(position).cloned())
                    .unwrap_or_default(),
                descending: part.try_get("desc")?,
                collation: collation.filter(|name| !name.eq_ignore_ascii_case(&own)),
            });
        }
        let key = name.to_lowercase();
        let first = index_columns
            .first()
            .map(|column| column.text.to_lowercase())
            .unwrap_or_default();
        let origin = if made_by == "c" {
            history.introduced(&format!("index {key}"), &[&key])
        } else {
            history.introduced(&format!("column {lower}.{first}"), &[&lower, &first])
        };
        found.push(Index {
            unique: row.try_get("unique")?,
            columns: index_columns,
            include: Vec::new(),
            predicate: text.predicate,
            method: "btree".to_owned(),
            nulls_not_distinct: false,
            constraint: made_by != "c",
            name,
            origin,
        });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// What `CREATE INDEX` says beside the pragmas.
#[derive(Default)]
struct IndexText {
    columns: Vec<String>,
    predicate: Option<String>,
}

impl IndexText {
    fn read(sql: &str) -> Self {
        let tokens = lexer::tokens(Engine::Sqlite, sql);
        let Some(open) = tokens.iter().position(|token| token.is_symbol('(')) else {
            return Self::default();
        };
        let close = group_end(&tokens, open);
        let columns = split_at_commas(&tokens[open + 1..close.min(tokens.len())])
            .into_iter()
            .filter_map(|part| {
                // expression [COLLATE name] [ASC | DESC]
                let mut end = part.len();
                if part.last().is_some_and(|token| token.is("ASC") || token.is("DESC")) {
                    end -= 1;
                }
                if end >= 2 && part[end - 2].is("COLLATE") {
                    end -= 2;
                }
                text_of(sql, &part[..end])
            })
            .collect();
        let rest = tokens.get(close + 1..).unwrap_or_default();
        let predicate = rest
            .iter()
            .position(|token| token.is("WHERE"))
            .and_then(|at| text_of(sql, &rest[at + 1..]));
        Self { columns, predicate }
    }
}

/// What `CREATE TABLE` says beside the pragmas.
#[derive(Default)]
struct Definition {
    columns: BTreeMap<String, ColumnText>,
    checks: Vec<String>,
    /// The columns of foreign keys that are checked at the end of the transaction.
    deferred: Vec<Vec<String>>,
    autoincrement: bool,
    /// `INTEGER PRIMARY KEY DESC` is no rowid.
    key_descends: bool,
}

#[derive(Default)]
struct ColumnText {
    generated: Option<String>,
    collation: Option<String>,
}

impl Definition {
    fn read(sql: &str) -> Self {
        let mut definition = Self::default();
        let tokens = lexer::tokens(Engine::Sqlite, sql);
        let Some(open) = tokens.iter().position(|token| token.is_symbol('(')) else {
            return definition;
        };
        let close = group_end(&tokens, open);
        for part in split_at_commas(&tokens[open + 1..close.min(tokens.len())]) {
            definition.read_part(sql, part);
        }
        definition
    }

    fn read_part(&mut self, sql: &str, part: &[Token]) {
        let Some(first) = part.first() else { return };
        let of_table = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"]
            .iter()
            .any(|word| first.is(word));
        // SQLite takes a name in single quotes.
        let column = (!of_table).then(|| first.text.trim_matches('\'').to_lowercase());
        let mut text = ColumnText::default();
        let mut columns: Vec<String> = column.iter().cloned().collect();
        let mut at = usize::from(column.is_some());
        while let Some(token) = part.get(at) {
            let group = part
                .get(at + 1)
                .filter(|next| next.is_symbol('('))
                .map(|_| (at + 1, group_end(part, at + 1)));
            let inside = |group: Option<(usize, usize)>| {
                group.and_then(|(open, close)| text_of(sql, part.get(open + 1..close)?))
            };
            if token.is("CHECK") {
                self.checks.extend(inside(group));
            } else if token.is("AS") && column.is_some() {
                text.generated = inside(group);
            } else if token.is("COLLATE") && column.is_some() {
                text.collation = part.get(at + 1).map(|name| name.text.clone());
            } else if token.is("AUTOINCREMENT") {
                self.autoincrement = true;
            } else if token.is("KEY")
                && at > 0
                && part[at - 1].is("PRIMARY")
                && part.get(at + 1).is_some_and(|next| next.is("DESC"))
            {
                self.key_descends = column.is_some();
            } else if token.is("KEY") && at > 0 && part[at - 1].is("FOREIGN") {
                if let Some((open, close)) = group {
                    let names = part[open + 1..close.min(part.len())]
                        .iter()
                        .filter(|token| token.is_name());
                    columns = names.map(|token| token.text.to_lowercase()).collect();
                }
            } else if token.is("DEFERRED") && part[at.saturating_sub(1)].is("INITIALLY") {
                self.deferred.push(columns.clone());
            }
            at = if token.is_symbol('(') {
                group_end(part, at) + 1
            } else if let (Some((_, close)), true) = (group, token.is("CHECK") || token.is("AS")) {
                close + 1
            } else {
                at + 1
            };
        }
        if let Some(column) = column {
            self.columns.insert(column, text);
        }
    }
}

/// Where the group that opens here closes.
fn group_end(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.is_symbol('(') {
            depth += 1;
        } else if token.is_symbol(')') {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at;
            }
        }
    }
    tokens.len()
}

fn split_at_commas(tokens: &[Token]) -> Vec<&[Token]> {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    for (at, token) in tokens.iter().enumerate() {
        if token.is_symbol('(') {
            depth += 1;
        } else if token.is_symbol(')') {
            depth = depth.saturating_sub(1);
        } else if token.is_symbol(',') && depth == 0 {
            parts.push(&tokens[start..at]);
            start = at + 1;
        }
    }
    parts.push(&tokens[start..]);
    parts
}

fn text_of(sql: &str, tokens: &[Token]) -> Option<String> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    sql.get(first.start..last.end).map(ToOwned::to_owned)
}

fn trigger(entry: &Entry, virtual_tables: &BTreeSet<String>, history: &History) -> Option<Trigger> {
    let sql = entry.sql.as_deref()?;
    let tokens = lexer::tokens(Engine::Sqlite, sql);
    let body = tokens
        .iter()
        .position(|token| token.is("BEGIN"))
        .unwrap_or(tokens.len());
    let head = &tokens[..body];
    let timing = if head.iter().any(|token| token.is("INSTEAD")) {
        "INSTEAD OF"
    } else if head.iter().any(|token| token.is("AFTER")) {
        "AFTER"
    } else {
        "BEFORE"
    };
    let at = head
        .iter()
        .position(|token| ["INSERT", "UPDATE", "DELETE"].iter().any(|word| token.is(word)))?;
    let mut columns = Vec::new();
    if head.get(at + 1).is_some_and(|token| token.is("OF")) {
        let names = head[at + 2..]
            .iter()
            .take_while(|token| !token.is("ON"))
            .filter(|token| token.is_name());
        columns = names.map(|token| token.text.to_lowercase()).collect();
        columns.sort();
    }
    let writes_virtual = tokens[body..]
        .iter()
        .any(|token| virtual_tables.contains(&token.text.to_lowercase()));
    let key = entry.name.to_lowercase();
    Some(Trigger {
        name: entry.name.clone(),
        table: entry.table.to_lowercase(),
        timing: timing.to_owned(),
        events: vec![head[at].text.to_ascii_uppercase()],
        columns,
        serves_search: writes_virtual || virtual_tables.contains(&entry.table.to_lowercase()),
        origin: history.introduced(&format!("trigger {key}"), &[&key]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_whatever_its_quotes() {
        let definition = Definition::read(
            "CREATE TABLE \"a,(b\" ([x y] INTEGER PRIMARY KEY AUTOINCREMENT, `n` TEXT COLLATE NOCASE CHECK (n <> ')') DEFAULT (1 + (2)),
             g AS (n || 'x') STORED, f INT REFERENCES p (q) DEFERRABLE INITIALLY DEFERRED, -- , CHECK (no)
             CONSTRAINT c CHECK ((f > 0) OR n IS NULL), FOREIGN KEY (f, \"n\") REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
        );
        assert_eq!(definition.checks, ["n <> ')'", "(f > 0) OR n IS NULL"]);
        assert!(definition.autoincrement);
        assert_eq!(definition.columns["n"].collation.as_deref(), Some("NOCASE"));
        assert_eq!(definition.columns["g"].generated.as_deref(), Some("n || 'x'"));
        assert_eq!(
            definition.deferred,
            [vec!["f".to_owned()], vec!["f".to_owned(), "n".to_owned()]]
        );
    }

    #[test]
    fn expressions_and_the_predicate_of_an_index_are_read() {
        let text =
            IndexText::read("CREATE INDEX i ON t (a DESC, lower(b) COLLATE NOCASE, (c || ',') ASC) WHERE d IN (1, 2)");
        assert_eq!(text.columns, ["a", "lower(b)", "(c || ',')"]);
        assert_eq!(text.predicate.as_deref(), Some("d IN (1, 2)"));
    }
}
