//! Compares two representations and says what each difference means for a caller.

mod migrations;
mod table;
mod triggers;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::classes::Class;
use crate::config::Config;
use crate::difference::{Difference, Severity};
use crate::engine::Engine;
use crate::lexer;
use crate::model::{Failure, Schema, View};
use crate::origin::History;

/// The result of a comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Whether statements failed, so that something may be missing on a side.
    pub incomplete: bool,
    /// What a caller sees, sorted by object.
    pub drifts: Vec<Difference>,
    /// What the engines can't have alike.
    pub notes: Vec<Difference>,
    /// Differences of objects whose statements failed: not judged.
    pub unjudged: Vec<Difference>,
    /// Differences that the settings allow.
    pub allowed: Vec<Difference>,
    /// Entries of the settings that no longer match.
    pub stale: Vec<String>,
}

impl Comparison {
    /// Whether the sides are alike, as far as they could be compared.
    pub fn is_alike(&self) -> bool {
        self.drifts.is_empty() && self.stale.is_empty() && !self.incomplete
    }
}

/// One side as it is compared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) history: &'a History,
}

/// Collects differences.
pub(crate) struct Collector<'a> {
    pub(crate) postgres: Input<'a>,
    pub(crate) sqlite: Input<'a>,
    pub(crate) config: &'a Config,
    pub(crate) found: Vec<Difference>,
}

/// A difference while it is described.
pub(crate) struct Draft {
    pub(crate) key: String,
    pub(crate) object: String,
    pub(crate) postgres: Option<String>,
    pub(crate) sqlite: Option<String>,
    pub(crate) postgres_origin: Option<String>,
    pub(crate) sqlite_origin: Option<String>,
    pub(crate) meaning: String,
    pub(crate) concerns: Vec<String>,
}

impl Collector<'_> {
    pub(crate) fn drift(&mut self, draft: Draft) {
        self.add(Severity::Drift, draft, None);
    }

    pub(crate) fn add(&mut self, severity: Severity, draft: Draft, group: Option<String>) {
        self.found.push(Difference {
            key: draft.key,
            severity,
            object: draft.object,
            postgres: draft.postgres,
            sqlite: draft.sqlite,
            postgres_origin: draft.postgres_origin,
            sqlite_origin: draft.sqlite_origin,
            meaning: draft.meaning,
            group,
            concerns: draft.concerns,
        });
    }

    /// Where the other side lost what this side has.
    pub(crate) fn lost(&self, engine: Engine, keys: &[String], names: &[&str]) -> Option<String> {
        let history = match engine {
            Engine::Postgres => self.postgres.history,
            Engine::Sqlite => self.sqlite.history,
        };
        let origin = keys.iter().find_map(|key| history.removed(key, names))?;
        Some(format!("lost in {origin}"))
    }
}

/// Text of an origin for a report.
pub(crate) fn shown(origin: Option<&crate::model::Origin>) -> Option<String> {
    origin.map(ToString::to_string)
}

/// Compares two sides.
pub(crate) fn compare(postgres: Input<'_>, sqlite: Input<'_>, config: &Config) -> Comparison {
    let mut collector = Collector {
        postgres,
        sqlite,
        config,
        found: Vec::new(),
    };
    migrations::compare(&mut collector);
    let pairs = table_names(postgres.schema, sqlite.schema);
    tables(&mut collector, &pairs);
    views(&mut collector, &pairs);
    triggers::compare(&mut collector, &pairs);

    let failures: Vec<&Failure> = postgres
        .schema
        .failures
        .iter()
        .chain(&sqlite.schema.failures)
        .filter(|failure| failure.changes_schema)
        .collect();
    let mut comparison = Comparison {
        incomplete: !failures.is_empty(),
        drifts: Vec::new(),
        notes: Vec::new(),
        unjudged: Vec::new(),
        allowed: Vec::new(),
        stale: Vec::new(),
    };
    let mut used = BTreeSet::new();
    collector
        .found
        .sort_by(|a, b| (a.severity, &a.object, &a.key).cmp(&(b.severity, &b.object, &b.key)));
    for difference in collector.found {
        if config.allows(&difference.key) {
            used.insert(difference.key.clone());
            comparison.allowed.push(difference);
        } else if difference.severity == Severity::Note {
            comparison.notes.push(difference);
        } else if failures.iter().any(|failure| explains(failure, &difference)) {
            comparison.unjudged.push(difference);
        } else {
            comparison.drifts.push(difference);
        }
    }
    comparison.stale = config.stale(&used, postgres.schema, sqlite.schema);
    comparison
}

/// Whether a failed statement may be the reason of a difference: it would have made or changed an object of its kind, and names
/// all that the difference concerns.
fn explains(failure: &Failure, difference: &Difference) -> bool {
    let has_kind = match changed_kinds(&failure.statement) {
        Some(kinds) => kinds.iter().any(|kind| difference.key.starts_with(kind)),
        None => true,
    };
    has_kind && !difference.concerns.is_empty() && difference.concerns.iter().all(|name| failure.names.contains(name))
}

/// How the keys of differences begin that a statement can make; nothing where it can make any.
fn changed_kinds(statement: &str) -> Option<&'static [&'static str]> {
    const FILLERS: [&str; 7] = [
        "OR",
        "REPLACE",
        "UNIQUE",
        "MATERIALIZED",
        "CONSTRAINT",
        "TEMP",
        "TEMPORARY",
    ];
    let mut words = statement.split_whitespace().map(str::to_ascii_uppercase);
    let is_of_object = words
        .next()
        .is_some_and(|verb| matches!(verb.as_str(), "CREATE" | "ALTER" | "DROP"));
    let object = words.find(|word| !FILLERS.contains(&word.as_str()))?;
    match object.as_str() {
        _ if !is_of_object => None,
        // A foreign key needs a unique index of its parent.
        "INDEX" => Some(&["index.", "foreign_key."]),
        "TRIGGER" | "FUNCTION" | "PROCEDURE" => Some(&["trigger."]),
        "VIEW" => Some(&["view.", "trigger."]),
        _ => None,
    }
}

/// SQLite's names of PostgreSQL's tables and views, by PostgreSQL's: `schema.name` is `name` where that is clear.
pub(crate) fn table_names(postgres: &Schema, sqlite: &Schema) -> BTreeMap<String, String> {
    let bare = |key: &str| key.rsplit('.').next().unwrap_or(key).to_owned();
    let keys: Vec<&String> = postgres.tables.keys().chain(postgres.views.keys()).collect();
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for key in &keys {
        *count.entry(bare(key)).or_default() += 1;
    }
    let exists = |name: &str| sqlite.tables.contains_key(name) || sqlite.views.contains_key(name);
    let name_of = |key: &&String| {
        let bare = bare(key);
        let joined = key.replace('.', "_");
        let name = if exists(key) {
            (*key).clone()
        } else if count.get(&bare) == Some(&1) && exists(&bare) {
            bare
        } else if exists(&joined) {
            joined
        } else if count.get(&bare) == Some(&1) {
            bare
        } else {
            (*key).clone()
        };
        ((*key).clone(), name)
    };
    keys.iter().map(name_of).collect()
}

fn tables(collector: &mut Collector<'_>, pairs: &BTreeMap<String, String>) {
    let (postgres, sqlite) = (collector.postgres.schema, collector.sqlite.schema);
    for (key, table) in &postgres.tables {
        let name = &pairs[key];
        match sqlite.tables.get(name) {
            Some(other) => table::compare(collector, key, table, other, pairs),
            None if sqlite.views.contains_key(name) => collector.drift(Draft {
                key: format!("table.{key}"),
                object: format!("table {key}"),
                postgres: Some("a table".to_owned()),
                sqlite: Some("a view".to_owned()),
                postgres_origin: shown(table.origin.as_ref()),
                sqlite_origin: sqlite.views.get(name).and_then(|view| shown(view.origin.as_ref())),
                meaning: "SQLite refuses to write to it".to_owned(),
                concerns: vec![name.clone()],
            }),
            None => {
                let apart = sqlite.others.iter().any(|other| other.name.eq_ignore_ascii_case(name));
                let draft = Draft {
                    key: format!("table.{key}"),
                    object: format!("table {key}"),
                    postgres: Some(format!("{} columns", table.columns.len())),
                    sqlite: apart.then(|| "a virtual table".to_owned()),
                    postgres_origin: shown(table.origin.as_ref()),
                    sqlite_origin: collector.lost(Engine::Sqlite, &[format!("table {name}")], &[name]),
                    meaning: "SQLite has no such table".to_owned(),
                    concerns: vec![name.clone()],
                };
                if apart {
                    collector.add(
                        Severity::Note,
                        draft,
                        Some("virtual tables are not compared".to_owned()),
                    );
                } else {
                    collector.drift(draft);
                }
            }
        }
    }
    let known: BTreeSet<&String> = pairs.values().collect();
    for (key, table) in sqlite.tables.iter().filter(|(key, _)| !known.contains(key)) {
        collector.drift(Draft {
            key: format!("table.{key}"),
            object: format!("table {key}"),
            postgres: None,
            sqlite: Some(format!("{} columns", table.columns.len())),
            postgres_origin: None,
            sqlite_origin: shown(table.origin.as_ref()),
            meaning: "PostgreSQL has no such table".to_owned(),
            concerns: vec![key.clone()],
        });
    }
}

fn views(collector: &mut Collector<'_>, pairs: &BTreeMap<String, String>) {
    let (postgres, sqlite) = (collector.postgres.schema, collector.sqlite.schema);
    let list = |view: &View| view.columns.join(", ");
    for (key, view) in &postgres.views {
        let name = &pairs[key];
        let concerns = vec![name.clone()];
        if let Some(table) = sqlite.tables.get(name).filter(|_| view.materialized) {
            let columns: BTreeSet<String> = table.columns.iter().map(|column| column.name.to_lowercase()).collect();
            let own: BTreeSet<String> = view.columns.iter().map(|name| name.to_lowercase()).collect();
            let draft = Draft {
                key: format!("view.{key}"),
                object: format!("view {key}"),
                postgres: Some(format!("a materialized view of ({})", list(view))),
                sqlite: Some("a table".to_owned()),
                postgres_origin: shown(view.origin.as_ref()),
                sqlite_origin: shown(table.origin.as_ref()),
                meaning: "the program fills SQLite's table".to_owned(),
                concerns,
            };
            let severity = if columns == own {
                Severity::Note
            } else {
                Severity::Drift
            };
            collector.add(severity, draft, None);
            continue;
        }
        let Some(other) = sqlite.views.get(name) else {
            if !sqlite.tables.contains_key(name) {
                collector.drift(Draft {
                    key: format!("view.{key}"),
                    object: format!("view {key}"),
                    postgres: Some(list(view)),
                    sqlite: None,
                    postgres_origin: shown(view.origin.as_ref()),
                    sqlite_origin: collector.lost(Engine::Sqlite, &[format!("view {name}")], &[name]),
                    meaning: "SQLite has no such view".to_owned(),
                    concerns,
                });
            }
            continue;
        };
        view_pair(collector, key, view, other, concerns);
    }
    let known: BTreeSet<&String> = pairs.values().collect();
    for (key, view) in sqlite.views.iter().filter(|(key, _)| !known.contains(key)) {
        collector.drift(Draft {
            key: format!("view.{key}"),
            object: format!("view {key}"),
            postgres: None,
            sqlite: Some(list(view)),
            postgres_origin: None,
            sqlite_origin: shown(view.origin.as_ref()),
            meaning: "PostgreSQL has no such view".to_owned(),
            concerns: vec![key.clone()],
        });
    }
}

/// Compares two views of one name.
fn view_pair(collector: &mut Collector<'_>, key: &str, view: &View, other: &View, concerns: Vec<String>) {
    let list = |view: &View| view.columns.join(", ");
    let same = view.columns.len() == other.columns.len()
        && view
            .columns
            .iter()
            .zip(&other.columns)
            .all(|(a, b)| a.eq_ignore_ascii_case(b));
    if let Some(reason) = &other.broken {
        collector.drift(Draft {
            key: format!("view.{key}"),
            object: format!("view {key}"),
            postgres: Some(list(view)),
            sqlite: Some(format!("can't be read: {reason}")),
            postgres_origin: shown(view.origin.as_ref()),
            sqlite_origin: shown(other.origin.as_ref()),
            meaning: "every query of it fails on SQLite".to_owned(),
            concerns,
        });
    } else if !same {
        collector.drift(Draft {
            key: format!("view.{key}"),
            object: format!("view {key}"),
            postgres: Some(list(view)),
            sqlite: Some(list(other)),
            postgres_origin: shown(view.origin.as_ref()),
            sqlite_origin: shown(other.origin.as_ref()),
            meaning: "SELECT * gives other columns, or another order of them".to_owned(),
            concerns,
        });
    } else if !same_query(collector.postgres.schema, view, other) {
        let draft = Draft {
            key: format!("view.{key}.query"),
            object: format!("view {key}"),
            postgres: Some(one_line(&view.query)),
            sqlite: Some(one_line(&other.query)),
            postgres_origin: shown(view.origin.as_ref()),
            sqlite_origin: shown(other.origin.as_ref()),
            meaning: "the queries could not be shown to be alike".to_owned(),
            concerns,
        };
        let severity = if collector.config.strict() {
            Severity::Drift
        } else {
            Severity::Note
        };
        collector.add(
            severity,
            draft,
            Some("views with queries that could not be shown to be alike".to_owned()),
        );
    }
}

/// Whether two queries are the same but for spelling: PostgreSQL's catalog has its own.
fn same_query(schema: &Schema, a: &View, b: &View) -> bool {
    let tables: BTreeSet<&String> = schema.tables.keys().collect();
    let words = |engine: Engine, text: &str| {
        let tokens = lexer::tokens(engine, text.trim().trim_end_matches(';'));
        let mut words: Vec<String> = Vec::new();
        let mut skip_type = false;
        for (at, token) in tokens.iter().enumerate() {
            let word = if token.is_name() {
                token.text.to_lowercase()
            } else {
                token.text.clone()
            };
            // x::type
            if word == ":" {
                skip_type = true;
                continue;
            }
            if skip_type {
                skip_type = false;
                continue;
            }
            let qualifier = tokens.get(at + 1).is_some_and(|next| next.is_symbol('.')) && tables.contains(&word);
            if qualifier || matches!(word.as_str(), "." | "(" | ")" | "as" | "inner" | "outer") {
                continue;
            }
            words.push(word);
        }
        words
    };
    words(Engine::Postgres, &a.query) == words(Engine::Sqlite, &b.query)
}

fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(160) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// Whether a class is enforced by PostgreSQL's type, so that a CHECK of SQLite on such a column only catches up.
pub(crate) fn is_enforced_by_type(class: &Class) -> bool {
    !matches!(
        class,
        Class::Text | Class::TextNoCase | Class::Bytes | Class::Any | Class::Unknown
    )
}
