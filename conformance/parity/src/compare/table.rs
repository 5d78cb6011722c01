//! Columns, keys, CHECKs and indexes of one table.

mod checks;
mod columns;
mod indexes;
mod keys;

use std::collections::BTreeMap;

use crate::engine::Engine;
use crate::expression::{self, Form, Names};
use crate::model::{Column, Table};

use super::{Collector, Draft, shown};

/// The two tables, and what is worked out once for them.
struct Pair<'a> {
    /// PostgreSQL's key.
    key: &'a str,
    postgres: &'a Table,
    sqlite: &'a Table,
    names: Names,
    /// SQLite's names of PostgreSQL's tables.
    tables: &'a BTreeMap<String, String>,
    /// Predicates of PostgreSQL, those that its types imply among them.
    ours: Vec<Predicate>,
    theirs: Vec<Form>,
}

/// A predicate of PostgreSQL.
struct Predicate {
    form: Form,
    /// What the type of a column says, not a CHECK.
    implied: Option<Implied>,
    origin: Option<String>,
    column: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Implied {
    /// Values of an enumerated type.
    Labels,
    /// A longest text.
    Length,
}

pub(super) fn compare(
    collector: &mut Collector<'_>,
    key: &str,
    postgres: &Table,
    sqlite: &Table,
    tables: &BTreeMap<String, String>,
) {
    let mut names = Names::default();
    for column in sqlite.columns.iter().chain(&postgres.columns) {
        names
            .classes
            .insert(column.name.to_lowercase(), column.kind.class.clone());
    }
    let ours = checks::postgres_predicates(postgres, &names);
    let mut theirs: Vec<Form> = sqlite
        .checks
        .iter()
        .flat_map(|check| expression::required(Engine::Sqlite, &check.text, &names))
        .collect();
    theirs.sort();
    theirs.dedup();
    let pair = Pair {
        key,
        postgres,
        sqlite,
        names,
        tables,
        ours,
        theirs,
    };
    pair.columns(collector);
    pair.primary_key(collector);
    pair.foreign_keys(collector);
    pair.checks(collector);
    pair.indexes(collector);
    if collector.config.strict() && !sqlite.strict {
        collector.drift(pair.draft(
            format!("table.{key}.strict"),
            format!("table {key}"),
            "types are enforced",
            "not STRICT",
            "SQLite stores text in a column of numbers",
            Vec::new(),
        ));
    }
}

impl Pair<'_> {
    fn draft(
        &self,
        key: String,
        object: String,
        postgres: impl Into<String>,
        sqlite: impl Into<String>,
        meaning: impl Into<String>,
        columns: Vec<String>,
    ) -> Draft {
        let mut concerns = vec![self.sqlite.name.to_lowercase()];
        concerns.extend(columns.into_iter().map(|name| name.to_lowercase()));
        let text = |text: String| (!text.is_empty()).then_some(text);
        Draft {
            key,
            object,
            postgres: text(postgres.into()),
            sqlite: text(sqlite.into()),
            postgres_origin: shown(self.postgres.origin.as_ref()),
            sqlite_origin: shown(self.sqlite.origin.as_ref()),
            meaning: meaning.into(),
            concerns,
        }
    }

    fn column_draft(&self, a: &Column, b: &Column, aspect: &str, texts: (String, String), meaning: &str) -> Draft {
        let mut draft = self.draft(
            format!("column.{}.{}.{aspect}", self.key, a.name),
            format!("column {}.{}", self.key, a.name),
            texts.0,
            texts.1,
            meaning,
            vec![a.name.clone()],
        );
        draft.postgres_origin = shown(a.origin.as_ref());
        draft.sqlite_origin = shown(b.origin.as_ref());
        draft
    }

    /// Whether both sides have all of these columns: what reads a missing one is missing with it.
    fn has_columns(&self, names: &[String]) -> bool {
        names
            .iter()
            .all(|name| self.postgres.column(name).is_some() && self.sqlite.column(name).is_some())
    }
}
