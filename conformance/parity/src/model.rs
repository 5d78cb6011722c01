//! The representation: what both catalogs say, in one shape.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::classes::Type;
use crate::engine::Engine;
use crate::layout::Migration;

/// Everything that a database consists of, read from its catalog. Names are keys in lower case; `name` keeps the spelling.
#[derive(Debug, Clone, Serialize)]
pub struct Schema {
    /// Whose catalog it is.
    #[serde(skip)]
    pub engine: Engine,
    /// By name, `schema.name` outside of PostgreSQL's `public`.
    pub tables: BTreeMap<String, Table>,
    /// Views, materialized ones too.
    pub views: BTreeMap<String, View>,
    /// Triggers that a migration made.
    pub triggers: Vec<Trigger>,
    /// What is named and not compared.
    pub others: Vec<Other>,
    /// Tables of migration runners: left out.
    pub runner_tables: Vec<String>,
    /// In the order in which they are applied; empty if a database was named.
    pub migrations: Vec<Migration>,
    /// Statements that did not work.
    pub failures: Vec<Failure>,
    /// What was not run on purpose, with the reason.
    pub skipped: Vec<String>,
    /// Names of constraints and of columns' sequences, for the second witness.
    #[serde(skip)]
    pub constraint_names: Vec<String>,
}

impl Schema {
    /// A schema with nothing in it.
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            tables: BTreeMap::new(),
            views: BTreeMap::new(),
            triggers: Vec::new(),
            others: Vec::new(),
            runner_tables: Vec::new(),
            migrations: Vec::new(),
            failures: Vec::new(),
            skipped: Vec::new(),
            constraint_names: Vec::new(),
        }
    }
}

/// Which file introduced an object, or changed it last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Origin {
    /// As it was named, relative to the directory of the side.
    pub file: String,
    /// The version of the file's name.
    pub version: String,
    /// Where the statement starts, from 1, if it was found.
    pub line: Option<usize>,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}", self.file),
            None => formatter.write_str(&self.file),
        }
    }
}

/// A statement that the engine refused.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// Where it stands.
    pub origin: Origin,
    /// Its beginning.
    pub statement: String,
    /// What the engine answered.
    pub error: String,
    /// All names in it, in lower case: a difference that concerns only these is not judged.
    #[serde(skip)]
    pub names: Vec<String>,
    /// Whether it would have changed the schema, not only rows.
    pub changes_schema: bool,
}

/// A table.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// As the catalog spells it.
    pub name: String,
    /// Whether SQLite enforces the declared types.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
    /// In the order of the table.
    pub columns: Vec<Column>,
    /// The columns of the primary key, in its order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_key: Option<Key>,
    /// Foreign keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<ForeignKey>,
    /// Checks, of columns and of the table alike.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// Indexes and unique constraints, without the primary key's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
    /// Where it was made.
    #[serde(skip)]
    pub origin: Option<Origin>,
}

impl Table {
    /// The column of this name, whatever its case.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns
            .iter()
            .find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// A column.
#[derive(Debug, Clone, Serialize)]
pub struct Column {
    /// As the catalog spells it.
    pub name: String,
    /// What it holds.
    #[serde(flatten)]
    pub kind: Type,
    /// Whether NULL is refused by NOT NULL or by a primary key that refuses it.
    pub not_null: bool,
    /// The expression, as the catalog has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The engine fills it with the next number: sequence, identity, or SQLite's rowid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbered: Option<Numbered>,
    /// The expression of a generated column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated: Option<String>,
    /// Unless it is the engine's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// Where it was made or changed last.
    #[serde(skip)]
    pub origin: Option<Origin>,
}

/// Where the numbers of a column come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Numbered {
    /// A sequence or an identity column.
    Sequence,
    /// `GENERATED ALWAYS AS IDENTITY`: no other numbers are taken.
    Always,
    /// `AUTOINCREMENT`.
    Autoincrement,
    /// SQLite's `INTEGER PRIMARY KEY`: it numbers rows whether or not that is wanted.
    Rowid,
}

/// A primary key.
#[derive(Debug, Clone, Serialize)]
pub struct Key {
    /// In its order.
    pub columns: Vec<String>,
    /// Columns of it that take NULL all the same: SQLite's keys do, unless NOT NULL is declared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nullable: Vec<String>,
    /// Where it was made.
    #[serde(skip)]
    pub origin: Option<Origin>,
}

/// A foreign key.
#[derive(Debug, Clone, Serialize)]
pub struct ForeignKey {
    /// In its order.
    pub columns: Vec<String>,
    /// The table that it refers to.
    pub parent: String,
    /// The columns that it refers to.
    pub parent_columns: Vec<String>,
    /// `NO ACTION`, `CASCADE`, …
    pub on_delete: String,
    /// `NO ACTION`, `CASCADE`, …
    pub on_update: String,
    /// Checked at the end of the transaction.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deferred: bool,
    /// A key of which only a part is NULL is refused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub match_full: bool,
    /// Why it can't work, if it can't.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dangling: Option<String>,
    /// Where it was made.
    #[serde(skip)]
    pub origin: Option<Origin>,
}

/// A CHECK.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// The predicate as the catalog has it.
    pub text: String,
    /// Where it was made.
    #[serde(skip)]
    pub origin: Option<Origin>,
}

/// An index, or a unique constraint.
#[derive(Debug, Clone, Serialize)]
pub struct Index {
    /// As the catalog spells it.
    pub name: String,
    /// No two rows are equal.
    pub unique: bool,
    /// In order.
    pub columns: Vec<IndexColumn>,
    /// Columns that are only carried along.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// The rows that it holds, if not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicate: Option<String>,
    /// `btree` unless PostgreSQL says otherwise.
    #[serde(skip_serializing_if = "is_btree")]
    pub method: String,
    /// Two rows with NULL are equal too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nulls_not_distinct: bool,
    /// Made by a constraint of the table, not by CREATE INDEX.
    #[serde(skip)]
    pub constraint: bool,
    /// Where it was made.
    #[serde(skip)]
    pub origin: Option<Origin>,
}

fn is_btree(method: &str) -> bool {
    method == "btree"
}

/// A column or an expression of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndexColumn {
    /// A name or an expression, as the catalog has it.
    pub text: String,
    /// Whether it is an expression.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub expression: bool,
    /// From the highest to the lowest.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub descending: bool,
    /// Unless it is the engine's default or the column's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
}

/// A view.
#[derive(Debug, Clone, Serialize)]
pub struct View {
    /// As the catalog spells it.
    pub name: String,
    /// In order.
    pub columns: Vec<String>,
    /// The query, as the catalog has it.
    pub query: String,
    /// Whether its rows are stored.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub materialized: bool,
    /// Why it can't be read, if it can't.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// Where it was made.
    #[serde(skip)]
    pub origin: Option<Origin>,
}

/// A trigger.
#[derive(Debug, Clone, Serialize)]
pub struct Trigger {
    /// As the catalog spells it.
    pub name: String,
    /// The table or view, as a key.
    pub table: String,
    /// `BEFORE`, `AFTER` or `INSTEAD OF`.
    pub timing: String,
    /// `INSERT`, `UPDATE`, `DELETE`, `TRUNCATE`, sorted.
    pub events: Vec<String>,
    /// Columns of `UPDATE OF`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Only serves a full-text index, which the engines do in their own ways.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub serves_search: bool,
    /// Where it was made.
    #[serde(skip)]
    pub origin: Option<Origin>,
}

/// Something with a name that is not compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Other {
    /// `function`, `sequence`, `extension`, `virtual table`, …
    pub kind: String,
    /// As the catalog spells it.
    pub name: String,
}

/// The tables in which migration runners keep their own record.
const RUNNER_TABLES: [&str; 27] = [
    "_sqlx_migrations",
    "__diesel_schema_migrations",
    "goose_db_version",
    "schema_migrations",
    "gorp_migrations",
    "flyway_schema_history",
    "_prisma_migrations",
    "__drizzle_migrations",
    "knex_migrations",
    "knex_migrations_lock",
    "refinery_schema_history",
    "seaql_migrations",
    "alembic_version",
    "django_migrations",
    "atlas_schema_revisions",
    "schema_version",
    "schema_lock",
    "databasechangelog",
    "databasechangeloglock",
    "bun_migrations",
    "bun_migration_locks",
    "ar_internal_metadata",
    "sequelizemeta",
    "typeorm_metadata",
    "__efmigrationshistory",
    "pgmigrations",
    "darwin_migrations",
];

/// Whether a table is a migration runner's own.
pub(crate) fn is_runner_table(name: &str) -> bool {
    RUNNER_TABLES.contains(&name.to_ascii_lowercase().as_str())
}
