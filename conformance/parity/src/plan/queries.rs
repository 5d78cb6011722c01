//! The register of hot queries, and the statements that each engine has for them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::finding::Finding;
use super::scenario::Scenario;
use crate::engine::Engine;
use crate::split;
use crate::{Error, Result};

/// The file of `--queries`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queries {
    /// What fresh databases are filled with; a database that was named is read as it is.
    #[serde(default, rename = "scenario")]
    scenarios: Vec<Scenario>,
    /// Directories of sqlx's query metadata, by engine; relative to the file. Each SELECT in them is then registered here.
    sqlx: Option<Sources>,
    /// Tables that stay so small that reading them whole is right.
    #[serde(default)]
    pub(super) small: Vec<String>,
    #[serde(default, rename = "query")]
    list: Vec<Query>,
    /// Statements of the metadata that are not checked.
    #[serde(default)]
    unchecked: Vec<Unchecked>,
    #[serde(skip)]
    directory: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sources {
    postgres: PathBuf,
    sqlite: PathBuf,
}

/// A query that must be fast.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    pub(super) name: String,
    /// `table(column, column)`, or the index's name; several where it joins.
    #[serde(default, alias = "index")]
    pub(super) indexes: OneOrMore,
    /// The text for both engines.
    text: Option<String>,
    /// The text for PostgreSQL.
    postgres: Option<String>,
    /// The text for SQLite.
    sqlite: Option<String>,
    /// Picks statements of the metadata: those that contain all of these, and that no query before it picks.
    #[serde(default)]
    contains: Vec<String>,
    /// SQL for PostgreSQL's parameters.
    #[serde(default)]
    pub(super) values: Values,
    /// The most rows that it may touch in a scenario, by the scenario's name, where it may touch more or less than others.
    #[serde(default)]
    most_rows: BTreeMap<String, u32>,
    /// Why it sorts what it has found.
    #[serde(default)]
    may_sort: Reason,
    /// Why SQLite reads from an end of an index that it relies on, without a bound.
    #[serde(default)]
    pub(super) may_walk: Walks,
}

impl Query {
    /// The most rows that an execution may touch in a scenario; `None` where they are not counted.
    pub(super) fn most_rows(&self, scenario: &Scenario) -> Option<u32> {
        self.most_rows.get(&scenario.name).copied().or(scenario.most_rows)
    }

    /// Whether there is a reason for this engine to sort.
    pub(super) fn may_sort_on(&self, engine: Engine) -> bool {
        match &self.may_sort {
            Reason::None => false,
            Reason::Both(_) => true,
            Reason::Of(reasons) => reasons.contains_key(&engine),
        }
    }

    /// A query that relies on these indexes, and nothing else.
    #[cfg(test)]
    pub(super) fn named(name: &str, indexes: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            indexes: OneOrMore::More(indexes.iter().map(ToString::to_string).collect()),
            text: None,
            postgres: None,
            sqlite: None,
            contains: Vec::new(),
            values: Values::default(),
            most_rows: BTreeMap::new(),
            may_sort: Reason::None,
            may_walk: Walks::default(),
        }
    }
}

/// SQL for parameters.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Values {
    /// In every scenario.
    Always(Vec<String>),
    /// By the scenario's name.
    In(BTreeMap<String, Vec<String>>),
}

impl Default for Values {
    fn default() -> Self {
        Self::Always(Vec::new())
    }
}

impl Values {
    /// The values in a scenario.
    pub(super) fn of(&self, scenario: &str) -> &[String] {
        match self {
            Self::Always(values) => values,
            Self::In(values) => values.get(scenario).map_or(&[], Vec::as_slice),
        }
    }
}

/// Where an index may be read from one of its ends, with the reasons.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(untagged)]
pub(super) enum Walks {
    #[default]
    None,
    /// In the first step of the plan.
    First(String),
    /// In the first steps of these CTEs and subqueries.
    In(BTreeMap<String, String>),
}

impl Walks {
    /// Whether the step after the one that makes a part of the query may walk; the first step of a plan is after none.
    pub(super) fn after(&self, part: Option<&str>) -> bool {
        match (self, part) {
            (Self::First(_), None) => true,
            (Self::In(parts), Some(part)) => parts.contains_key(part),
            _ => false,
        }
    }

    fn texts(&self) -> Vec<&str> {
        match self {
            Self::None => Vec::new(),
            Self::First(text) => vec![text],
            Self::In(parts) => parts.values().map(String::as_str).collect(),
        }
    }
}

/// Why something is right, on both engines or on one of them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(untagged)]
enum Reason {
    #[default]
    None,
    Both(String),
    Of(BTreeMap<Engine, String>),
}

impl Reason {
    fn texts(&self) -> Vec<&str> {
        match self {
            Self::None => Vec::new(),
            Self::Both(text) => vec![text],
            Self::Of(reasons) => reasons.values().map(String::as_str).collect(),
        }
    }
}

/// A text, or a list of them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    #[default]
    None,
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub(super) fn list(&self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::One(text) => vec![text.clone()],
            Self::More(texts) => texts.clone(),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    contains: String,
    reason: String,
}

/// A statement of an engine.
pub(super) struct Statement<'a> {
    /// What it is an instance of.
    pub(super) query: &'a Query,
    pub(super) text: String,
}

/// The statements of an engine.
pub(super) struct Statements<'a> {
    pub(super) statements: Vec<Statement<'a>>,
    /// What is wrong with the register.
    pub(super) findings: Vec<Finding>,
}

impl Queries {
    /// Reads a file of queries.
    pub fn read(path: &Path) -> Result<Self> {
        let refuse = |reason: String| Error::Config {
            path: path.to_owned(),
            reason,
        };
        let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
        let mut queries = Self::parse(&text).map_err(refuse)?;
        queries.directory = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(queries)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let queries: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if queries.list.is_empty() {
            return Err("there is no [[query]]".to_owned());
        }
        let mut names = BTreeSet::new();
        for scenario in &queries.scenarios {
            if let Some(error) = scenario.error() {
                return Err(format!("[[scenario]] {}: {error}", scenario.name));
            }
            if !names.insert(&scenario.name) {
                return Err(format!("[[scenario]] {} stands twice", scenario.name));
            }
        }
        for engine in [Engine::Postgres, Engine::Sqlite] {
            let mut filled = queries.scenarios.iter().filter(|scenario| scenario.statistics);
            if !queries.scenarios.is_empty() && !filled.any(|scenario| scenario.file(engine).is_some()) {
                return Err(format!("no [[scenario]] with statistics fills {engine}'s tables"));
            }
        }
        for query in &queries.list {
            if let Some(error) = queries.error_of(query, &names) {
                return Err(format!("[[query]] {}: {error}", query.name));
            }
        }
        let mut unchecked = queries.unchecked.iter();
        if let Some(unchecked) = unchecked.find(|unchecked| unchecked.reason.trim().is_empty()) {
            return Err(format!("[[unchecked]] {}: give a reason", unchecked.contains));
        }
        Ok(queries)
    }

    /// What is wrong with the settings of a query.
    fn error_of(&self, query: &Query, scenarios: &BTreeSet<&String>) -> Option<String> {
        let texts = query.text.is_some() || (query.postgres.is_some() && query.sqlite.is_some());
        if !texts && query.contains.is_empty() {
            return Some("give text, postgres and sqlite, or contains".to_owned());
        }
        if !query.contains.is_empty() && self.sqlx.is_none() {
            return Some("contains picks from [sqlx], which is not there".to_owned());
        }
        if let Values::In(values) = &query.values
            && !values.keys().eq(scenarios.iter().copied())
        {
            return Some("give values for each [[scenario]], and for no other".to_owned());
        }
        if let Some(unknown) = query.most_rows.keys().find(|name| !scenarios.contains(name)) {
            return Some(format!("most_rows.{unknown}: there is no such [[scenario]]"));
        }
        let mut reasons = query.may_sort.texts().into_iter().chain(query.may_walk.texts());
        if reasons.any(|reason| reason.trim().is_empty()) {
            return Some("give a reason in may_sort and in may_walk".to_owned());
        }
        None
    }

    /// The scenarios of an engine. Without any, databases are read as they are.
    pub(super) fn scenarios(&self, engine: Engine) -> Vec<Scenario> {
        if self.scenarios.is_empty() {
            return vec![Scenario::as_it_is()];
        }
        let scenarios = self.scenarios.iter();
        scenarios
            .filter(|scenario| scenario.file(engine).is_some())
            .cloned()
            .collect()
    }

    /// The statements that fill an engine's tables.
    pub(super) fn fill(&self, scenario: &Scenario, engine: Engine) -> Result<Vec<String>> {
        let Some(file) = scenario.file(engine) else {
            return Ok(Vec::new());
        };
        let path = self.directory.join(file);
        let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        let statements = split::statements(engine, &text).into_iter();
        Ok(statements.map(|statement| statement.text).collect())
    }

    /// The tables of the indexes that queries rely on.
    pub(super) fn relied_tables(&self) -> BTreeSet<String> {
        let wanted = self.list.iter().flat_map(|query| query.indexes.list());
        let tables = wanted.filter_map(|wanted| wanted.split_once('(').map(|(table, _)| table.trim().to_lowercase()));
        tables.filter(|table| !self.small.contains(table)).collect()
    }

    /// The statements of an engine with the queries that they are instances of, and what is wrong with the register.
    pub(super) fn statements(&self, engine: Engine) -> Result<Statements<'_>> {
        let mut statements = Vec::new();
        let mut findings = Vec::new();
        for query in &self.list {
            let own = match engine {
                Engine::Postgres => &query.postgres,
                Engine::Sqlite => &query.sqlite,
            };
            let text = own.as_ref().or(query.text.as_ref());
            statements.extend(text.map(|text| Statement {
                query,
                text: text.clone(),
            }));
        }
        let mut picked: BTreeSet<&str> = BTreeSet::new();
        for text in self.metadata(engine)? {
            let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            // The first that picks it: a part of one statement may be the whole of another.
            let query = self
                .list
                .iter()
                .find(|query| !query.contains.is_empty() && query.contains.iter().all(|part| line.contains(part)));
            if let Some(query) = query {
                picked.insert(&query.name);
                statements.push(Statement { query, text });
            } else if !self
                .unchecked
                .iter()
                .any(|unchecked| line.contains(&unchecked.contains))
            {
                findings.push(Finding {
                    query: line.chars().take(60).collect(),
                    scenario: None,
                    engine,
                    problem: "no [[query]] picks this statement; register it, or list it under [[unchecked]]"
                        .to_owned(),
                    plan: vec![line],
                });
            }
        }
        for query in self
            .list
            .iter()
            .filter(|query| !query.contains.is_empty() && !picked.contains(query.name.as_str()))
        {
            findings.push(Finding {
                query: query.name.clone(),
                scenario: None,
                engine,
                problem: "it picks no statement of the metadata".to_owned(),
                plan: query.contains.clone(),
            });
        }
        Ok(Statements { statements, findings })
    }

    /// The SELECTs of sqlx's metadata.
    fn metadata(&self, engine: Engine) -> Result<Vec<String>> {
        let Some(sources) = &self.sqlx else {
            return Ok(Vec::new());
        };
        let directory = self.directory.join(match engine {
            Engine::Postgres => &sources.postgres,
            Engine::Sqlite => &sources.sqlite,
        });
        let mut files = Vec::new();
        for entry in fs::read_dir(&directory).map_err(Error::file("read", &directory))? {
            files.push(entry.map_err(Error::file("read", &directory))?.path());
        }
        files.sort();
        let mut texts = Vec::new();
        for path in files {
            let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
            let metadata: Value = serde_json::from_str(&text).map_err(|error| Error::Config {
                path: path.clone(),
                reason: error.to_string(),
            })?;
            let query = metadata["query"].as_str().unwrap_or_default().trim().to_owned();
            if query.starts_with("SELECT") || query.starts_with("WITH") {
                texts.push(query);
            }
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &str = "[[query]]\nname = 'q'\ntext = 'SELECT $1'\n";
    const SCENARIO: &str = "[[scenario]]\nname = 's'\npostgres = 'p.sql'\nsqlite = 's.sql'\n";

    #[test]
    fn values_are_given_once_or_for_each_scenario() {
        let parsed = |values: &str| Queries::parse(&format!("{SCENARIO}{QUERY}values = {values}"));
        assert_eq!(parsed("['1']").unwrap().list[0].values.of("s"), ["1"]);
        assert_eq!(parsed("{ s = ['2'] }").unwrap().list[0].values.of("s"), ["2"]);
        for values in ["{}", "{ t = ['1'] }", "{ s = ['1'], t = ['1'] }"] {
            let error = parsed(values).unwrap_err();
            assert!(error.contains("give values for each [[scenario]]"), "{values}: {error}");
        }
    }

    #[test]
    fn settings_that_judge_nothing_are_refused() {
        for (settings, expected) in [
            ("[[scenario]]\nname = 's'", "give the SQL"),
            ("[[scenario]]\nname = ' '\npostgres = 'p'\nsqlite = 's'", "give a name"),
            (
                "[[scenario]]\nname = 's'\npostgres = 'p'\nstatistics = false",
                "give most_rows",
            ),
            (
                "[[scenario]]\nname = 's'\npostgres = 'p'\nsqlite = 's'\nstatistics = false\nmost_rows = 1",
                "leave sqlite out",
            ),
            ("[[scenario]]\nname = 's'\npostgres = 'p'", "fills SQLite's tables"),
            (&SCENARIO.repeat(2), "stands twice"),
            ("[fill]\npostgres = 'p'", "unknown field"),
        ] {
            let error = Queries::parse(&format!("{settings}\n{QUERY}")).unwrap_err();
            assert!(error.contains(expected), "{settings}: {error}");
        }
    }

    #[test]
    fn a_query_overrides_the_rows_that_a_scenario_allows() {
        let parsed = |most_rows: &str| Queries::parse(&format!("{SCENARIO}most_rows = 5\n{QUERY}{most_rows}"));
        for (settings, expected) in [("", 5), ("most_rows.s = 9", 9)] {
            let queries = parsed(settings).unwrap();
            let scenario = &queries.scenarios(Engine::Postgres)[0];
            assert_eq!(queries.list[0].most_rows(scenario), Some(expected), "{settings}");
        }
        assert!(parsed("most_rows.t = 9").unwrap_err().contains("no such [[scenario]]"));
    }

    #[test]
    fn an_engine_sorts_where_it_has_a_reason() {
        let may_sort = |reason: &str| {
            let query =
                Queries::parse(&format!("{QUERY}may_sort = {reason}")).map(|mut queries| queries.list.remove(0));
            query.map(|query| [Engine::Postgres, Engine::Sqlite].map(|engine| query.may_sort_on(engine)))
        };
        assert_eq!(may_sort("'few rows'").unwrap(), [true, true]);
        assert_eq!(may_sort("{ sqlite = 'few rows' }").unwrap(), [false, true]);
        assert!(may_sort("' '").unwrap_err().contains("give a reason"));
        assert!(may_sort("{ oracle = 'few rows' }").is_err());
    }
}
