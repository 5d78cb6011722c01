//! Probes: for each constraint a row that must be accepted and one that must be refused, tried on both engines.

mod run;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::classes::Class;
use crate::config::Config;
use crate::expression::{self, Form, Names};
use crate::lexer::Engine;
use crate::model::{Column, Table};
use crate::side::{Database, Loaded};
use crate::{Error, Result};

use values::{Literal, Solver};

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
    /// Tables for which no row was found that an engine accepts, with what it said.
    pub unprobed: Vec<String>,
}

/// One row to try: the values of a table's columns, after rows that must be there.
struct Probe {
    key: String,
    name: String,
    cause: Cause,
    rows: Vec<Row>,
}

type Row = BTreeMap<String, Literal>;

/// Tries the probes of every table that both sides have. Databases that were named by URL are never written to.
pub async fn probe(postgres: &Loaded, sqlite: &Loaded, config: &Config) -> Result<Probes> {
    for loaded in [postgres, sqlite] {
        if matches!(loaded.database, Database::Named) {
            return Err(Error::Url {
                url: loaded.shown.clone(),
                engine: loaded.schema.engine,
                reason: "probes write rows, and a database that was named is only read; name files".to_owned(),
            });
        }
    }
    let pairs = crate::compare::table_names(&postgres.schema, &sqlite.schema);
    let mut runner = run::Runner::open(postgres, sqlite).await?;
    let mut probes = Probes::default();
    for (key, table) in &postgres.schema.tables {
        let Some(other) = pairs.get(key).and_then(|name| sqlite.schema.tables.get(name)) else {
            continue;
        };
        let plan = TablePlan::new(key, table, other);
        let parents = parents(postgres, sqlite, &pairs, key);
        let list = plan.probes();
        match runner.run(&plan, &parents, &list).await? {
            Ok(outcomes) => {
                for (probe, (a, b)) in list.iter().zip(outcomes) {
                    probes.tried += 1;
                    if a.agrees(&b) {
                        continue;
                    }
                    let disagreement = Disagreement {
                        key: probe.key.clone(),
                        probe: probe.name.clone(),
                        postgres: a,
                        sqlite: b,
                        cause: probe.cause,
                    };
                    if config.allows(&disagreement.key) {
                        probes.allowed.push(disagreement);
                    } else if disagreement.cause == Cause::Rowid
                        || disagreement.cause == Cause::Type && !config.strict()
                    {
                        probes.notes.push(disagreement);
                    } else {
                        probes.disagreements.push(disagreement);
                    }
                }
            }
            Err(reason) => probes.unprobed.push(format!("{key}: {reason}")),
        }
    }
    runner.close().await;
    probes.stale = config.stale_probes(&probes.allowed.iter().map(|allowed| allowed.key.clone()).collect());
    Ok(probes)
}

/// The tables that a row of this one needs rows of, the furthest first. Tables that refer to each other are cut off.
fn parents<'a>(
    postgres: &'a Loaded,
    sqlite: &'a Loaded,
    pairs: &BTreeMap<String, String>,
    key: &'a str,
) -> Vec<TablePlan<'a>> {
    fn visit<'a>(at: &str, postgres: &'a Loaded, seen: &mut BTreeSet<String>, order: &mut Vec<&'a str>) {
        let Some((key, table)) = postgres.schema.tables.get_key_value(at) else {
            return;
        };
        for foreign in &table.foreign_keys {
            if foreign.parent != at && seen.insert(foreign.parent.clone()) {
                visit(&foreign.parent, postgres, seen, order);
            }
        }
        order.push(key);
    }
    let mut order = Vec::new();
    let mut seen = BTreeSet::from([key.to_owned()]);
    visit(key, postgres, &mut seen, &mut order);
    order
        .into_iter()
        .filter(|parent| *parent != key)
        .filter_map(|parent| {
            let table = postgres.schema.tables.get(parent)?;
            let other = pairs.get(parent).and_then(|name| sqlite.schema.tables.get(name))?;
            Some(TablePlan::new(parent, table, other))
        })
        .collect()
}

/// A table of both sides, and rows that both should accept.
struct TablePlan<'a> {
    key: &'a str,
    postgres: &'a Table,
    sqlite: &'a Table,
    names: Names,
    predicates: Vec<Form>,
    /// Two different rows that satisfy every constraint that could be read.
    rows: [Row; 2],
}

impl<'a> TablePlan<'a> {
    fn new(key: &'a str, postgres: &'a Table, sqlite: &'a Table) -> Self {
        let mut names = Names::default();
        for column in sqlite.columns.iter().chain(&postgres.columns) {
            names
                .classes
                .insert(column.name.to_lowercase(), column.kind.class.clone());
        }
        let mut predicates = Vec::new();
        for (engine, table) in [(Engine::Postgres, postgres), (Engine::Sqlite, sqlite)] {
            for check in &table.checks {
                predicates.extend(expression::conjuncts(engine, &check.text, &names));
            }
        }
        predicates.sort();
        predicates.dedup();
        let mut plan = Self {
            key,
            postgres,
            sqlite,
            names,
            predicates,
            rows: [Row::new(), Row::new()],
        };
        plan.rows = [plan.row(0), plan.row(1)];
        plan
    }

    fn columns(&self) -> impl Iterator<Item = (&'a Column, &'a Column)> {
        let sqlite = self.sqlite;
        self.postgres
            .columns
            .iter()
            .filter(|column| column.generated.is_none())
            .filter_map(move |column| sqlite.column(&column.name).map(|other| (column, other)))
    }

    /// The `number`th row: values by column, foreign keys as the first row of their parent has them.
    fn row(&self, number: usize) -> Row {
        let mut solver = Solver::new(&self.names, &self.predicates);
        for (column, other) in self.columns() {
            solver.column(column, other, number);
        }
        // What is only on SQLite's side and must be there is filled in too.
        for column in &self.sqlite.columns {
            let missing = self.postgres.column(&column.name).is_none();
            if missing && column.not_null && column.default.is_none() && column.generated.is_none() {
                solver.column(column, column, number);
            }
        }
        solver.solve()
    }

    fn base(&self) -> Row {
        self.rows[0].clone()
    }

    fn with(&self, column: &str, value: Literal) -> Row {
        let mut row = self.base();
        row.insert(column.to_lowercase(), value);
        row
    }

    fn probes(&self) -> Vec<Probe> {
        let mut probes = Vec::new();
        let mut add = |subject: &str, case: &str, cause: Cause, rows: Vec<Row>| {
            probes.push(Probe {
                key: format!("probe.{}.{subject}.{case}", self.key),
                name: format!("{}.{subject}: {case}", self.key),
                cause,
                rows,
            });
        };
        let foreign: BTreeSet<String> = self
            .postgres
            .foreign_keys
            .iter()
            .flat_map(|key| key.columns.iter().map(|name| name.to_lowercase()))
            .collect();
        for (column, other) in self.columns() {
            let name = column.name.to_lowercase();
            let cause = if other.numbered.is_some() {
                Cause::Rowid
            } else {
                Cause::Constraint
            };
            add(&name, "NULL", cause, vec![self.with(&name, Literal::Null)]);
            if column.not_null || column.default.is_some() {
                let mut row = self.base();
                row.remove(&name);
                add(&name, "left out", cause, vec![row]);
            }
            if foreign.contains(&name) {
                continue;
            }
            for (case, value, cause) in values::edge_cases(column, other, &self.predicates) {
                add(&name, &case, cause, vec![self.with(&name, value)]);
            }
        }
        for key in &self.postgres.foreign_keys {
            let nowhere = key.columns.iter().fold(self.base(), |mut row, name| {
                if let Some((column, other)) = self.columns().find(|(column, _)| column.name == *name) {
                    row.insert(name.to_lowercase(), values::orphan(column, other));
                }
                row
            });
            if !key.deferred {
                add(&key.columns.join("+"), "orphan", Cause::Constraint, vec![nowhere]);
            }
        }
        self.duplicates(&mut add);
        add(
            "row",
            "a second one",
            Cause::Constraint,
            vec![self.base(), self.rows[1].clone()],
        );
        probes
    }

    /// Rows that have the values of another row's key.
    fn duplicates(&self, add: &mut impl FnMut(&str, &str, Cause, Vec<Row>)) {
        let mut keys: Vec<Vec<String>> = self
            .postgres
            .primary_key
            .iter()
            .map(|key| key.columns.clone())
            .collect();
        for table in [self.postgres, self.sqlite] {
            for index in table
                .indexes
                .iter()
                .filter(|index| index.unique && index.predicate.is_none())
            {
                if index.columns.iter().all(|column| !column.expression) {
                    keys.push(index.columns.iter().map(|column| column.text.clone()).collect());
                }
            }
        }
        keys.iter_mut().flatten().for_each(|name| *name = name.to_lowercase());
        keys.sort();
        keys.dedup();
        for key in keys {
            // Another row whose values of this key are those of the first.
            let mut twin = self.rows[1].clone();
            for name in &key {
                match self.rows[0].get(name) {
                    Some(value) => twin.insert(name.clone(), value.clone()),
                    None => twin.remove(name),
                };
            }
            add(
                &key.join("+"),
                "duplicate",
                Cause::Constraint,
                vec![self.base(), twin.clone()],
            );
            for name in &key {
                let class = self.postgres.column(name).map(|column| &column.kind.class);
                if let (Some(Class::Text | Class::TextNoCase), Some(Literal::Text(text))) =
                    (class, self.rows[0].get(name))
                {
                    let mut other_case = twin.clone();
                    other_case.insert(name.clone(), Literal::Text(text.to_uppercase()));
                    add(
                        &key.join("+"),
                        "duplicate in capitals",
                        Cause::Constraint,
                        vec![self.base(), other_case],
                    );
                    let mut blank = twin.clone();
                    blank.insert(name.clone(), Literal::Text(format!("{text} ")));
                    add(
                        &key.join("+"),
                        "duplicate with a trailing blank",
                        Cause::Constraint,
                        vec![self.base(), blank],
                    );
                }
            }
        }
    }
}
