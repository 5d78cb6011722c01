//! What is tried of one table.

use std::collections::{BTreeMap, BTreeSet};

use crate::classes::Class;
use crate::engine::Engine;
use crate::expression::{self, Form, Names};
use crate::lexer;
use crate::model::{Column, Table};

use super::reference::{self, Reference};
use super::values::{self, Literal, Solver};
use super::{Cause, Probe, Row};

/// A table of both sides, and rows that both should accept.
pub(super) struct TablePlan<'a> {
    pub(super) key: &'a str,
    postgres: &'a Table,
    sqlite: &'a Table,
    names: Names,
    /// What could be read of both sides' CHECKs.
    pub(super) predicates: Vec<Form>,
    pub(super) references: Vec<Reference>,
    /// Two different rows that satisfy every constraint that could be read.
    pub(super) rows: [Row; 2],
}

/// Columns of which no two rows may have the same values, among the rows that satisfy a predicate.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct UniqueKey {
    columns: Vec<String>,
    predicate: Vec<Form>,
}

impl<'a> TablePlan<'a> {
    /// `by_sqlite` names PostgreSQL's tables by SQLite's names.
    pub(super) fn new(key: &'a str, postgres: &'a Table, sqlite: &'a Table, by_sqlite: &BTreeMap<&str, &str>) -> Self {
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
            references: reference::references(postgres, sqlite, by_sqlite),
            rows: [Row::new(), Row::new()],
        };
        plan.rows = [plan.row(0, &plan.predicates), plan.row(1, &plan.predicates)];
        plan
    }

    /// The table as an engine has it.
    pub(super) fn side(&self, engine: Engine) -> &'a Table {
        match engine {
            Engine::Postgres => self.postgres,
            Engine::Sqlite => self.sqlite,
        }
    }

    pub(super) fn base(&self) -> &Row {
        &self.rows[0]
    }

    /// The columns that both sides have.
    fn columns(&self) -> impl Iterator<Item = (&'a Column, &'a Column)> {
        let sqlite = self.sqlite;
        self.postgres
            .columns
            .iter()
            .filter(|column| column.generated.is_none())
            .filter_map(move |column| sqlite.column(&column.name).map(|other| (column, other)))
    }

    /// The columns of one side alone without which it refuses a row.
    fn lone_columns(&self) -> impl Iterator<Item = &'a Column> {
        let lone = |table: &'a Table, other: &'a Table| {
            let columns = table.columns.iter();
            columns.filter(|column| other.column(&column.name).is_none() && is_required(column))
        };
        lone(self.postgres, self.sqlite).chain(lone(self.sqlite, self.postgres))
    }

    /// The `number`th row that satisfies predicates: values by column, with foreign keys that have no parent yet.
    fn row(&self, number: usize, predicates: &[Form]) -> Row {
        let mut solver = Solver::new(&self.names, predicates);
        for (column, other) in self.columns() {
            solver.column(column, other, number);
        }
        for column in self.lone_columns() {
            solver.column(column, column, number);
        }
        solver.solve()
    }

    fn with(&self, column: &str, value: Literal) -> Row {
        let mut row = self.base().clone();
        row.insert(column.to_lowercase(), value);
        row
    }

    fn without(&self, column: &str) -> Row {
        let mut row = self.base().clone();
        row.remove(&column.to_lowercase());
        row
    }

    fn probe(&self, subject: &str, tried: &str, cause: Cause, rows: Vec<Row>) -> Probe {
        Probe {
            key: format!("probe.{}.{subject}.{tried}", self.key),
            name: format!("{}.{subject}: {tried}", self.key),
            kind: tried.to_owned(),
            cause,
            rows,
            overriding: true,
        }
    }

    pub(super) fn probes(&self) -> Vec<Probe> {
        let mut probes = Vec::new();
        for (column, other) in self.columns() {
            self.column_probes(column, other, &mut probes);
        }
        for column in self.lone_columns() {
            let name = column.name.to_lowercase();
            probes.push(self.probe(&name, "left out", Cause::Constraint, vec![self.without(&name)]));
        }
        for reference in self
            .references
            .iter()
            .filter(|reference| reference.is_checked_at_once())
        {
            let mut nowhere = self.base().clone();
            for name in &reference.columns {
                let (column, other) = (self.postgres.column(name), self.sqlite.column(name));
                if let Some((column, other)) = column.or(other).zip(other.or(column)) {
                    nowhere.insert(name.clone(), values::orphan(column, other));
                }
            }
            probes.push(self.probe(&reference.spelled.join("+"), "orphan", Cause::Constraint, vec![nowhere]));
        }
        self.duplicates(&mut probes);
        probes.push(self.probe("row", "a second one", Cause::Constraint, self.rows.to_vec()));
        probes
    }

    fn column_probes(&self, column: &Column, other: &Column, probes: &mut Vec<Probe>) {
        let name = column.name.to_lowercase();
        let cause = if other.numbered.is_some() {
            Cause::Rowid
        } else {
            Cause::Constraint
        };
        probes.push(self.probe(&name, "NULL", cause, vec![self.with(&name, Literal::Null)]));
        // A row that has to refer to itself can't leave out what it refers to.
        let referred_to = self.references.iter().any(|reference| {
            reference.parent == self.key && !reference.can_be_left_open() && reference.parent_columns.contains(&name)
        });
        if (column.not_null || column.default.is_some()) && !referred_to {
            probes.push(self.probe(&name, "left out", cause, vec![self.without(&name)]));
        }
        if column.numbered.is_some() {
            probes.push(Probe {
                overriding: false,
                ..self.probe(&name, "a number of one's own", cause, vec![self.base().clone()])
            });
        }
        if self
            .references
            .iter()
            .any(|reference| reference.columns.contains(&name))
        {
            return;
        }
        for edge in values::edge_cases(column, other, &self.predicates) {
            let rows = vec![self.with(&name, edge.value)];
            probes.push(Probe {
                kind: edge.kind,
                ..self.probe(&name, &edge.case, edge.cause, rows)
            });
        }
    }

    /// What either side wants to be unique.
    fn unique_keys(&self) -> BTreeSet<UniqueKey> {
        let mut keys = BTreeSet::new();
        for engine in [Engine::Postgres, Engine::Sqlite] {
            let table = self.side(engine);
            keys.extend(table.primary_key.iter().map(|key| UniqueKey {
                columns: key.columns.iter().map(|name| name.to_lowercase()).collect(),
                predicate: Vec::new(),
            }));
            for index in table.indexes.iter().filter(|index| index.unique) {
                let mut columns = Vec::new();
                for part in &index.columns {
                    if part.expression {
                        columns.extend(columns_in(engine, &part.text, table));
                    } else {
                        columns.push(part.text.to_lowercase());
                    }
                }
                let predicate = index.predicate.as_deref();
                keys.insert(UniqueKey {
                    columns,
                    predicate: predicate.map_or_else(Vec::new, |text| expression::conjuncts(engine, text, &self.names)),
                });
            }
        }
        keys
    }

    /// Rows that have the values of another row's key, both in what an index holds and outside of it.
    fn duplicates(&self, probes: &mut Vec<Probe>) {
        for UniqueKey { columns, predicate } in self.unique_keys() {
            let both = match predicate.as_slice() {
                [] => {
                    self.duplicates_of(&columns, &self.rows, "", probes);
                    continue;
                }
                [one] => one.clone(),
                _ => Form::Call("and".to_owned(), predicate),
            };
            let outside = Form::Call("not".to_owned(), vec![both.clone()]);
            let places = [format!(" where {both}"), format!(" outside of {both}")];
            for (place, form) in places.into_iter().zip([both, outside]) {
                let mut predicates = self.predicates.clone();
                predicates.extend(conjuncts_of(form));
                let rows = [self.row(0, &predicates), self.row(1, &predicates)];
                self.duplicates_of(&columns, &rows, &place, probes);
            }
        }
    }

    fn duplicates_of(&self, key: &[String], rows: &[Row; 2], place: &str, probes: &mut Vec<Probe>) {
        let subject = if key.is_empty() {
            "row".to_owned()
        } else {
            key.join("+")
        };
        let [first, second] = rows;
        let mut add = |case: &str, row: Row| {
            probes.push(Probe {
                kind: case.to_owned(),
                ..self.probe(
                    &subject,
                    &format!("{case}{place}"),
                    Cause::Constraint,
                    vec![first.clone(), row],
                )
            });
        };
        let mut twin = second.clone();
        for name in key {
            match first.get(name) {
                Some(value) => twin.insert(name.clone(), value.clone()),
                None => twin.remove(name),
            };
        }
        add("duplicate", twin.clone());
        for name in key {
            let class = self.postgres.column(name).map(|column| &column.kind.class);
            if let (Some(Class::Text | Class::TextNoCase), Some(Literal::Text(text))) = (class, first.get(name)) {
                let mut like_it = |case: &str, text: String| {
                    let mut row = twin.clone();
                    row.insert(name.clone(), Literal::Text(text));
                    add(case, row);
                };
                like_it("duplicate in capitals", text.to_uppercase());
                like_it("duplicate with a trailing blank", format!("{text} "));
            }
        }
    }
}

fn conjuncts_of(form: Form) -> Vec<Form> {
    match form {
        Form::Call(name, operands) if name == "and" => operands,
        form => vec![form],
    }
}

/// Whether a row without a value for it is refused.
fn is_required(column: &Column) -> bool {
    column.not_null && column.default.is_none() && column.generated.is_none() && column.numbered.is_none()
}

/// The columns that an expression reads, by their names in lower case.
fn columns_in(engine: Engine, text: &str, table: &Table) -> Vec<String> {
    let tokens = lexer::tokens(engine, text);
    let names = tokens.iter().filter(|token| token.is_name());
    names
        .map(|token| token.text.to_lowercase())
        .filter(|name| table.column(name).is_some())
        .collect()
}
