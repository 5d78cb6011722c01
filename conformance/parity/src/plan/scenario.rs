//! What the databases hold while plans are read.

use std::path::PathBuf;

use serde::Deserialize;

use super::finding::{Finding, Problem};
use crate::engine::Engine;

/// Fewer rows than this in a table that a query relies on, and an engine may rightly read all of it.
const ENOUGH_ROWS: i64 = 10_000;

/// Rows that plans are read on, and what is judged there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// What queries give values by.
    pub(super) name: String,
    /// SQL that fills PostgreSQL's tables, relative to the file of queries; without one it is left out.
    postgres: Option<PathBuf>,
    /// SQL that fills SQLite's tables, relative to the file of queries; without one it is left out.
    sqlite: Option<PathBuf>,
    /// Whether statistics are gathered. Before they exist the planner guesses, and may rightly read what it takes for
    /// small: only the rows that are touched are judged then.
    #[serde(default = "gathered")]
    pub(super) statistics: bool,
    /// The most rows that an execution may touch on PostgreSQL: all that the steps of its plan answer with or pass over.
    pub(super) most_rows: Option<u32>,
}

fn gathered() -> bool {
    true
}

impl Scenario {
    /// Databases as they are.
    pub(super) fn as_it_is() -> Self {
        Self {
            name: String::new(),
            postgres: None,
            sqlite: None,
            statistics: true,
            most_rows: None,
        }
    }

    /// The file that fills an engine's tables.
    pub(super) fn file(&self, engine: Engine) -> Option<&PathBuf> {
        match engine {
            Engine::Postgres => self.postgres.as_ref(),
            Engine::Sqlite => self.sqlite.as_ref(),
        }
    }

    /// What is wrong with the settings.
    pub(super) fn error(&self) -> Option<&'static str> {
        if self.name.trim().is_empty() {
            Some("give a name")
        } else if self.postgres.is_none() && self.sqlite.is_none() {
            Some("give the SQL that fills the tables: postgres, sqlite, or both")
        } else if !self.statistics && self.most_rows.is_none() {
            Some("without statistics only the rows that are touched are judged: give most_rows")
        } else if !self.statistics && self.sqlite.is_some() {
            Some("rows are counted on PostgreSQL alone: without statistics, leave sqlite out")
        } else {
            None
        }
    }

    /// A finding of this scenario.
    pub(super) fn finding(&self, engine: Engine, query: &str, problem: Problem) -> Finding {
        Finding {
            query: query.to_owned(),
            scenario: Some(self.name.clone()).filter(|name| !name.is_empty()),
            engine,
            problem: problem.text,
            plan: problem.plan,
        }
    }

    /// Too few rows for plans that mean anything.
    pub(super) fn too_few(&self, engine: Engine, table: &str, rows: i64) -> Option<Finding> {
        let problem = || Problem {
            text: format!("{rows} rows are too few for an honest plan: fill in {ENOUGH_ROWS} or more"),
            plan: Vec::new(),
        };
        (rows < ENOUGH_ROWS).then(|| self.finding(engine, &format!("rows of {table}"), problem()))
    }
}
