//! The settings file: what is intended, and what is allowed to differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::classes::Class;
use crate::difference::Difference;
use crate::model::Schema;
use crate::{Error, Result};

/// The settings of a project. Without a file nothing is declared and nothing allowed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    compare: Compare,
    /// The class of a column that the engines' types can't tell, by `table.column`.
    types: BTreeMap<String, Class>,
    /// Pairs of types that are meant as counterparts.
    conventions: Vec<Convention>,
    /// Differences that are known.
    allow: Vec<Allow>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Compare {
    enforcement: Enforcement,
}

/// What SQLite has to enforce by CHECK and STRICT.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Enforcement {
    /// What it does not enforce is a note.
    #[default]
    Note,
    /// What it does not enforce is a drift: ranges of numbers, true and false, STRICT, the queries of views.
    Drift,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Convention {
    postgres: String,
    sqlite: String,
    reason: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    key: String,
    reason: String,
}

impl Config {
    /// Reads a settings file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(Error::file("read", path))?;
        Self::parse(&text).map_err(|reason| Error::Config {
            path: path.to_owned(),
            reason,
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut keys = BTreeSet::new();
        for allow in &config.allow {
            if allow.reason.trim().is_empty() {
                return Err(format!("[[allow]] {}: give a reason", allow.key));
            }
            if !keys.insert(&allow.key) {
                return Err(format!("[[allow]] {} stands twice", allow.key));
            }
        }
        if let Some(convention) = config
            .conventions
            .iter()
            .find(|convention| convention.reason.trim().is_empty())
        {
            return Err(format!(
                "[[conventions]] {} and {}: give a reason",
                convention.postgres, convention.sqlite
            ));
        }
        Ok(config)
    }

    /// Whether what SQLite does not enforce is a drift.
    pub(crate) fn strict(&self) -> bool {
        self.compare.enforcement == Enforcement::Drift
    }

    pub(crate) fn declared_class(&self, table: &str, column: &str) -> Option<&Class> {
        let key = format!("{table}.{column}").to_lowercase();
        self.types
            .iter()
            .find(|(name, _)| name.to_lowercase() == key)
            .map(|(_, class)| class)
    }

    pub(crate) fn is_convention(&self, postgres: &str, sqlite: &str) -> bool {
        self.conventions
            .iter()
            .any(|pair| pair.postgres.eq_ignore_ascii_case(postgres) && pair.sqlite.eq_ignore_ascii_case(sqlite))
    }

    pub(crate) fn allows(&self, key: &str) -> bool {
        self.allow.iter().any(|allow| allow.key == key)
    }

    /// Entries for probes on which the engines agree, and for tables that were probed.
    pub(crate) fn stale_probes(&self, used: &BTreeSet<String>) -> Vec<String> {
        let of_probes = self.allow.iter().filter(|allow| allow.key.starts_with(PROBE));
        let stale = of_probes.filter(|allow| !used.contains(&allow.key));
        stale
            .map(|allow| {
                format!(
                    "[[allow]] {}: there is no such disagreement; remove the entry",
                    allow.key
                )
            })
            .collect()
    }

    /// Entries that match nothing: what they allowed is gone, or was never there.
    pub(crate) fn stale(&self, used: &BTreeSet<String>, postgres: &Schema, sqlite: &Schema) -> Vec<String> {
        let mut stale = Vec::new();
        let of_schema = self.allow.iter().filter(|allow| !allow.key.starts_with(PROBE));
        for allow in of_schema.filter(|allow| !used.contains(&allow.key)) {
            stale.push(format!(
                "[[allow]] {}: there is no such difference; remove the entry",
                allow.key
            ));
        }
        for name in self.types.keys() {
            let lower = name.to_lowercase();
            let exists = |schema: &Schema| {
                lower.rsplit_once('.').is_some_and(|(table, column)| {
                    schema
                        .tables
                        .get(table)
                        .is_some_and(|table| table.column(column).is_some())
                })
            };
            if !exists(postgres) && !exists(sqlite) {
                stale.push(format!("[types] {name}: there is no such column; remove the entry"));
            }
        }
        stale
    }
}

/// How the keys of probes begin.
const PROBE: &str = "probe.";

/// The entries that allow these differences, for `--write-allow`.
pub fn allow_entries(differences: &[Difference]) -> String {
    let mut text = String::new();
    for difference in differences {
        let key = toml::Value::String(difference.key.clone());
        let reason = toml::Value::String(format!(
            "recorded when the comparison was adopted: {}",
            difference.meaning
        ));
        // Writing to a String can't fail.
        let _ = write!(text, "\n[[allow]]\nkey = {key}\nreason = {reason}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::difference::Severity;

    #[test]
    fn an_entry_without_a_reason_is_refused() {
        let error = Config::parse("[[allow]]\nkey = 'a'\nreason = ' '").unwrap_err();
        assert!(error.contains("give a reason"), "{error}");
        assert!(Config::parse("[[allow]]\nkey = 'a'").is_err());
        assert!(Config::parse("[alow]").is_err());
    }

    #[test]
    fn written_entries_can_be_read() {
        let difference = Difference {
            key: "check.a.b = 'c\"\\'".to_owned(),
            severity: Severity::Drift,
            object: String::new(),
            postgres: None,
            sqlite: None,
            postgres_origin: None,
            sqlite_origin: None,
            meaning: "x".to_owned(),
            group: None,
            concerns: Vec::new(),
        };
        let config = Config::parse(&allow_entries(std::slice::from_ref(&difference))).unwrap();
        assert!(config.allows(&difference.key));
    }
}
