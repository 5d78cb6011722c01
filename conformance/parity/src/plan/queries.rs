//! The register of hot queries, and the statements that each engine has for them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::Finding;
use crate::engine::Engine;
use crate::{Error, Result};

/// The file of `--queries`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queries {
    /// SQL that fills fresh databases, by engine; relative to the file.
    pub(super) fill: Option<Sources>,
    /// Directories of sqlx's query metadata, by engine; relative to the file. Each SELECT in them is then registered here.
    pub(super) sqlx: Option<Sources>,
    /// Tables that stay so small that reading them whole is right.
    #[serde(default)]
    pub(super) small: Vec<String>,
    #[serde(default, rename = "query")]
    pub(super) list: Vec<Query>,
    /// Statements of the metadata that are not checked.
    #[serde(default)]
    pub(super) unchecked: Vec<Unchecked>,
    #[serde(skip)]
    pub(super) directory: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sources {
    pub(super) postgres: PathBuf,
    pub(super) sqlite: PathBuf,
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
    pub(super) text: Option<String>,
    /// The text for PostgreSQL.
    pub(super) postgres: Option<String>,
    /// The text for SQLite.
    pub(super) sqlite: Option<String>,
    /// Picks statements of the metadata: those that contain all of these.
    #[serde(default)]
    pub(super) contains: Vec<String>,
    /// SQL literals for the parameters; without them PostgreSQL's plan for any values is read.
    #[serde(default)]
    pub(super) values: Vec<String>,
    /// Why it sorts what it has found.
    pub(super) may_sort: Option<String>,
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
pub(super) struct Unchecked {
    pub(super) contains: String,
    pub(super) reason: String,
}

/// The statements of an engine.
pub(super) struct Statements<'a> {
    /// With the query that each is an instance of.
    pub(super) statements: Vec<(&'a Query, String)>,
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
        let mut queries: Self = toml::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        queries.directory = path.parent().map(Path::to_owned).unwrap_or_default();
        if queries.list.is_empty() {
            return Err(refuse("there is no [[query]]".to_owned()));
        }
        for query in &queries.list {
            let texts = query.text.is_some() || (query.postgres.is_some() && query.sqlite.is_some());
            if !texts && query.contains.is_empty() {
                return Err(refuse(format!(
                    "query {}: give text, postgres and sqlite, or contains",
                    query.name
                )));
            }
            if !query.contains.is_empty() && queries.sqlx.is_none() {
                return Err(refuse(format!(
                    "query {}: contains picks from [sqlx], which is not there",
                    query.name
                )));
            }
        }
        if let Some(unchecked) = queries
            .unchecked
            .iter()
            .find(|unchecked| unchecked.reason.trim().is_empty())
        {
            return Err(refuse(format!("[[unchecked]] {}: give a reason", unchecked.contains)));
        }
        Ok(queries)
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
            statements.extend(own.as_ref().or(query.text.as_ref()).map(|text| (query, text.clone())));
        }
        let mut picked: BTreeSet<&str> = BTreeSet::new();
        for text in self.metadata(engine)? {
            let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let own: Vec<&Query> = self
                .list
                .iter()
                .filter(|query| !query.contains.is_empty() && query.contains.iter().all(|part| line.contains(part)))
                .collect();
            let unchecked = self
                .unchecked
                .iter()
                .find(|unchecked| line.contains(&unchecked.contains));
            match (own.as_slice(), unchecked) {
                ([], None) => findings.push(Finding {
                    query: line.chars().take(60).collect(),
                    engine,
                    problem: "no [[query]] picks this statement; register it, or list it under [[unchecked]]"
                        .to_owned(),
                    plan: vec![line.clone()],
                }),
                ([], Some(unchecked)) => {
                    picked.insert(&unchecked.contains);
                }
                (queries, _) => {
                    for query in queries {
                        picked.insert(&query.name);
                        statements.push((*query, text.clone()));
                    }
                }
            }
        }
        for query in self
            .list
            .iter()
            .filter(|query| !query.contains.is_empty() && !picked.contains(query.name.as_str()))
        {
            findings.push(Finding {
                query: query.name.clone(),
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

/// The tables of the indexes that queries rely on.
pub(super) fn relied_tables(queries: &Queries) -> BTreeSet<String> {
    let wanted = queries.list.iter().flat_map(|query| query.indexes.list());
    let tables = wanted.filter_map(|wanted| wanted.split_once('(').map(|(table, _)| table.trim().to_lowercase()));
    tables.filter(|table| !queries.small.contains(table)).collect()
}
