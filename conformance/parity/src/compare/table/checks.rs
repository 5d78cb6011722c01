//! CHECKs, and what PostgreSQL's types say in their place.

use super::{Implied, Pair, Predicate};
use crate::classes::Class;
use crate::compare::{Collector, Severity, is_enforced_by_type, shown};
use crate::expression::{self, Form, Names};
use crate::lexer::Engine;
use crate::model::Table;

/// The predicates of a table of PostgreSQL: its CHECKs, and those that its types imply.
pub(super) fn postgres_predicates(table: &Table, names: &Names) -> Vec<Predicate> {
    let mut predicates = Vec::new();
    for check in &table.checks {
        for form in expression::conjuncts(Engine::Postgres, &check.text, names) {
            predicates.push(Predicate {
                column: String::new(),
                form,
                implied: None,
                origin: shown(check.origin.as_ref()),
            });
        }
    }
    for column in &table.columns {
        let name = Form::Column(column.name.to_lowercase());
        let mut imply = |form, implied| {
            predicates.push(Predicate {
                form,
                implied: Some(implied),
                origin: shown(column.origin.as_ref()),
                column: column.name.clone(),
            });
        };
        if !column.kind.labels.is_empty() {
            let labels: Vec<String> = column
                .kind
                .labels
                .iter()
                .map(|label| format!("'{}'", label.replace('\'', "''")))
                .collect();
            let text = format!("\"{}\" IN ({})", column.name.replace('"', "\"\""), labels.join(", "));
            for form in expression::conjuncts(Engine::Postgres, &text, names) {
                imply(form, Implied::Labels);
            }
        }
        if let Some(length) = column.kind.length {
            let length = Form::Number(length.to_string());
            imply(
                Form::Call(
                    "<=".to_owned(),
                    vec![Form::Call("length".to_owned(), vec![name.clone()]), length],
                ),
                Implied::Length,
            );
        }
    }
    predicates
}

impl Pair<'_> {
    pub(super) fn checks(&self, collector: &mut Collector<'_>) {
        let mut theirs: Vec<&Form> = self.theirs.iter().collect();
        let mut ours: Vec<&Predicate> = Vec::new();
        for predicate in &self.ours {
            if let Some(at) = theirs.iter().position(|form| **form == predicate.form) {
                theirs.remove(at);
            } else if !self.theirs.contains(&predicate.form) {
                ours.push(predicate);
            }
        }
        theirs.retain(|form| !self.catches_up(form));
        ours.retain(|predicate| {
            predicate
                .form
                .columns()
                .iter()
                .all(|name| self.has_columns(std::slice::from_ref(name)))
        });
        theirs.retain(|form| {
            form.columns()
                .iter()
                .all(|name| self.has_columns(std::slice::from_ref(name)))
        });
        ours.retain(|predicate| !is_trivial(&predicate.form));
        theirs.retain(|form| !is_trivial(form));

        for predicate in ours {
            let columns = predicate.form.columns();
            let counterpart = theirs
                .iter()
                .position(|form| form.columns() == columns && is_alike(form, &predicate.form));
            let counterpart = counterpart.or_else(|| theirs.iter().position(|form| form.columns() == columns));
            // VARCHAR(n): a CHECK on something else does not contradict it.
            let counterpart = counterpart
                .filter(|at| predicate.implied != Some(Implied::Length) || theirs[*at].to_string().contains("length"));
            let form = counterpart.map(|at| theirs.remove(at));
            let subject = if predicate.implied.is_some() {
                predicate.column.clone()
            } else {
                columns.join(", ")
            };
            let meaning = match (form, predicate.implied) {
                (Some(_), _) => "one engine takes values that the other refuses",
                (None, Some(Implied::Length)) => "PostgreSQL refuses longer texts, SQLite stores them",
                (None, _) => "PostgreSQL refuses what does not satisfy this, SQLite stores it",
            };
            let mut draft = self.draft(
                format!("check.{}.{}", self.key, predicate.form),
                format!("check of {}({subject})", self.key),
                predicate.form.to_string(),
                form.map(ToString::to_string).unwrap_or_default(),
                meaning,
                columns,
            );
            draft.postgres_origin.clone_from(&predicate.origin);
            let unclear = form.is_some_and(|form| form.is_engine_specific() || predicate.form.is_engine_specific());
            match (predicate.implied, form) {
                (Some(Implied::Length), None) => {
                    let group = "texts whose length only PostgreSQL limits".to_owned();
                    collector.add(Severity::Note, draft, Some(group));
                }
                (Some(Implied::Labels), None) => {
                    let group = "enumerated types that are free text on SQLite".to_owned();
                    collector.add(Severity::Drift, draft, Some(group));
                }
                _ if unclear => {
                    let group = "expressions in the words of one engine each, not compared".to_owned();
                    collector.add(Severity::Note, draft, Some(group));
                }
                _ => collector.drift(draft),
            }
        }
        for form in theirs {
            let columns = form.columns();
            let mut draft = self.draft(
                format!("check.{}.{form}", self.key),
                format!("check of {}({})", self.key, columns.join(", ")),
                "",
                form.to_string(),
                "SQLite refuses what does not satisfy this, PostgreSQL stores it",
                columns,
            );
            draft.postgres_origin = None;
            collector.drift(draft);
        }
    }

    /// Whether a predicate of SQLite only enforces what PostgreSQL's type does anyway.
    fn catches_up(&self, form: &Form) -> bool {
        let columns = form.columns();
        let [name] = columns.as_slice() else { return false };
        let Some(column) = self.postgres.column(name) else {
            return false;
        };
        let text = form.to_string();
        if text.contains("typeof(") {
            return true;
        }
        let bound = |form: &Form, low: i64, high: i64| match form {
            Form::Call(operator, operands) if matches!(operator.as_str(), "<=" | "<") => match operands.as_slice() {
                [Form::Number(number), Form::Column(_)] => number.parse().is_ok_and(|number: i64| number <= low),
                [Form::Column(_), Form::Number(number)] => number.parse().is_ok_and(|number: i64| number >= high),
                _ => false,
            },
            _ => false,
        };
        match column.kind.class {
            Class::Bool => {
                matches!(form, Form::Call(operator, values) if operator == "in" && values.len() == 3)
                    || bound(form, 0, 1)
            }
            Class::I16 => bound(form, i16::MIN.into(), i16::MAX.into()),
            Class::I32 => bound(form, i32::MIN.into(), i32::MAX.into()),
            Class::I64 => bound(form, i64::MIN, i64::MAX),
            Class::Text | Class::TextNoCase => false,
            ref class => {
                is_enforced_by_type(class) && form.is_engine_specific()
                    || matches!(column.kind.class, Class::Uuid) && text.contains("length")
            }
        }
    }
}

/// A predicate that every row satisfies.
fn is_trivial(form: &Form) -> bool {
    matches!(form, Form::Bool(true)) || form.columns().is_empty()
}

/// Two predicates of one shape, with other literals.
fn is_alike(a: &Form, b: &Form) -> bool {
    match (a, b) {
        (Form::Call(a, left), Form::Call(b, right)) => {
            a == b
                && (a == "in"
                    || left
                        .iter()
                        .map(std::mem::discriminant)
                        .eq(right.iter().map(std::mem::discriminant)))
        }
        _ => false,
    }
}
