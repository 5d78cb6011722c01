//! Probes: for each constraint a row that must be accepted and one that must be refused, tried on both engines.

mod parents;
mod reference;
mod run;
mod table;
mod values;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::config::Config;
use crate::side::Loaded;
use crate::{Error, Result};

use parents::Families;
use table::TablePlan;
use values::Literal;

/// What an engine did with a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Stored.
    Accepted,
    /// Refused, with the engine's words.
    Refused(String),
}

impl Outcome {
    /// Whether both did the same, whatever their words.
    fn agrees(&self, other: &Self) -> bool {
        matches!(self, Self::Accepted) == matches!(other, Self::Accepted)
    }
}

/// What a disagreement follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A constraint that one engine has.
    Constraint,
    /// A type that SQLite does not enforce: a note, unless the settings ask for enforcement.
    Type,
    /// SQLite numbers its rowids whether or not that is wanted: always a note.
    Rowid,
}

/// A row on which the engines disagree.
#[derive(Debug, Clone, Serialize)]
pub struct Disagreement {
    /// `probe.table.column.case`, for `[[allow]]`.
    pub key: String,
    /// What was tried.
    pub probe: String,
    /// What was tried, whatever the column: disagreements of one kind are one line of the report.
    pub kind: String,
    /// What PostgreSQL did.
    pub postgres: Outcome,
    /// What SQLite did.
    pub sqlite: Outcome,
    /// What a disagreement follows from.
    pub cause: Cause,
}

/// The result of all probes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Probes {
    /// How many rows were tried on both engines.
    pub tried: usize,
    /// Where the engines disagree, and that matters.
    pub disagreements: Vec<Disagreement>,
    /// Where SQLite takes what PostgreSQL's types refuse.
    pub notes: Vec<Disagreement>,
    /// Disagreements that the settings allow.
    pub allowed: Vec<Disagreement>,
    /// Entries of the settings that no longer match.
    pub stale: Vec<String>,
    /// Tables of which nothing is known, for want of a row that both engines accept.
    pub unprobed: Vec<Unprobed>,
    /// Such tables that the settings allow.
    pub allowed_unprobed: Vec<Unprobed>,
}

/// A table that could not be probed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unprobed {
    /// `probe.table`, for `[[allow]]`.
    pub key: String,
    /// Its name.
    pub table: String,
    /// What an engine said of the row that should do, or why there is none.
    pub reason: String,
}

impl Probes {
    /// Whether the engines agree, as far as the settings ask, and every table was probed.
    #[must_use]
    pub fn agree(&self) -> bool {
        self.disagreements.is_empty() && self.stale.is_empty() && self.unprobed.is_empty()
    }

    fn judge(&mut self, probe: &Probe, postgres: Outcome, sqlite: Outcome, config: &Config) {
        self.tried += 1;
        if postgres.agrees(&sqlite) {
            return;
        }
        let disagreement = Disagreement {
            key: probe.key.clone(),
            probe: probe.name.clone(),
            kind: probe.kind.clone(),
            postgres,
            sqlite,
            cause: probe.cause,
        };
        if config.allows(&disagreement.key) {
            self.allowed.push(disagreement);
        } else if disagreement.cause == Cause::Rowid || disagreement.cause == Cause::Type && !config.strict() {
            self.notes.push(disagreement);
        } else {
            self.disagreements.push(disagreement);
        }
    }
}

/// One row to try, after rows that must be there.
struct Probe {
    key: String,
    name: String,
    kind: String,
    cause: Cause,
    /// The last is the one that is asked about, the others must be there.
    rows: Vec<Row>,
    /// Whether PostgreSQL is told to take a number for an identity column that is always generated.
    overriding: bool,
}

type Row = BTreeMap<String, Literal>;

/// Tries the probes of every table that both sides have. Databases that were named by URL are never written to.
pub async fn probe(postgres: &Loaded, sqlite: &Loaded, config: &Config) -> Result<Probes> {
    for loaded in [postgres, sqlite] {
        if loaded.is_named() {
            return Err(Error::Url {
                url: loaded.shown.clone(),
                engine: loaded.schema.engine,
                reason: "probes write rows, and a database that was named is only read; name files".to_owned(),
            });
        }
    }
    let plans = plans(postgres, sqlite);
    let families = Families::new(&plans);
    let mut runner = run::Runner::open(postgres, sqlite).await?;
    let mut probes = Probes::default();
    for (key, plan) in &plans {
        let list = plan.probes();
        let outcomes = match families.of(plan) {
            Ok(family) => runner.run(plan, &family, &list).await?,
            Err(reason) => Err(reason),
        };
        match outcomes {
            Ok(outcomes) => {
                for (probe, outcomes) in list.iter().zip(outcomes) {
                    if let Some((a, b)) = outcomes {
                        probes.judge(probe, a, b, config);
                    }
                }
            }
            Err(reason) => {
                let unprobed = Unprobed {
                    key: format!("probe.{key}"),
                    table: (*key).to_owned(),
                    reason,
                };
                if config.allows(&unprobed.key) {
                    probes.allowed_unprobed.push(unprobed);
                } else {
                    probes.unprobed.push(unprobed);
                }
            }
        }
    }
    runner.close().await;
    let allowed = probes.allowed.iter().map(|allowed| allowed.key.clone());
    let unprobed = probes.allowed_unprobed.iter().map(|allowed| allowed.key.clone());
    probes.stale = config.stale_probes(&allowed.chain(unprobed).collect());
    Ok(probes)
}

/// The tables that both sides have, by PostgreSQL's names.
fn plans<'a>(postgres: &'a Loaded, sqlite: &'a Loaded) -> BTreeMap<&'a str, TablePlan<'a>> {
    let pairs = crate::compare::table_names(&postgres.schema, &sqlite.schema);
    let by_sqlite: BTreeMap<&str, &str> = pairs.iter().map(|(key, name)| (name.as_str(), key.as_str())).collect();
    let tables = postgres.schema.tables.iter();
    tables
        .filter_map(|(key, table)| {
            let other = pairs.get(key).and_then(|name| sqlite.schema.tables.get(name))?;
            Some((key.as_str(), TablePlan::new(key, table, other, &by_sqlite)))
        })
        .collect()
}
