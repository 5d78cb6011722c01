//! CHECKs, and what PostgreSQL's types say in their place.

use super::{Implied, Pair, Predicate};
use crate::classes::Class;
use crate::compare::{Collector, is_enforced_by_type, shown};
use crate::difference::Severity;
use crate::engine::Engine;
use crate::expression::{self, Form, Names};
use crate::model::Table;

/// The predicates of a table of PostgreSQL: its CHECKs, and those that its types imply.
pub(super) fn postgres_predicates(table: &Table, names: &Names) -> Vec<Predicate> {
    let mut predicates = Vec::new();
    for check in &table.checks {
        for form in expression::required(Engine::Postgres, &check.text, names) {
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
        let required: Vec<Form> = self
            .theirs
            .iter()
            .flat_map(|form| expression::without(form, &|part| self.catches_up(part)))
            .collect();
        let mut theirs: Vec<&Form> = required.iter().collect();
        let mut ours: Vec<&Predicate> = Vec::new();
        for predicate in &self.ours {
            if let Some(at) = theirs.iter().position(|form| **form == predicate.form) {
                theirs.remove(at);
            } else if !required.contains(&predicate.form) {
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

        let (their_unread, our_unread): (Vec<&Form>, Vec<&Form>) = (
            theirs.iter().copied().filter(|form| form.is_unread()).collect(),
            ours.iter()
                .map(|predicate| &predicate.form)
                .filter(|form| form.is_unread())
                .collect(),
        );
        for predicate in ours {
            let columns = predicate.form.columns();
            let counterpart = theirs
                .iter()
                .position(|form| form.columns() == columns && is_alike(form, &predicate.form));
            let counterpart = counterpart.or_else(|| theirs.iter().position(|form| form.columns() == columns));
            // VARCHAR(n): a CHECK on something else does not contradict it.
            let counterpart = counterpart
                .filter(|at| predicate.implied != Some(Implied::Length) || theirs[*at].to_string().contains("length"));
            let form = counterpart.map(|at| theirs.remove(at)).or_else(|| {
                let covering = their_unread
                    .iter()
                    .copied()
                    .find(|form| may_say_the_same(form, &columns));
                theirs.retain(|form| Some(*form) != covering);
                covering
            });
            let subject = if predicate.implied.is_some() {
                predicate.column.clone()
            } else {
                columns.join(", ")
            };
            let meaning = match (form, predicate.implied) {
                (Some(_), _) => "one engine takes values that the other refuses",
                (None, Some(Implied::Length)) if self.is_padded(&predicate.column) => {
                    "PostgreSQL refuses longer texts, pads shorter ones with blanks and passes over blanks at their end; \
                     SQLite stores and compares them as they are"
                }
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
            self.check_of_sqlite_alone(collector, form, &our_unread);
        }
    }

    /// A CHECK of SQLite that has no counterpart, unless one that could not be parsed is it.
    fn check_of_sqlite_alone(&self, collector: &mut Collector<'_>, form: &Form, our_unread: &[&Form]) {
        let columns = form.columns();
        let counterpart = our_unread.iter().find(|ours| may_say_the_same(ours, &columns));
        let meaning = match counterpart {
            Some(_) => "one engine takes values that the other refuses",
            None => "SQLite refuses what does not satisfy this, PostgreSQL stores it",
        };
        let mut draft = self.draft(
            format!("check.{}.{form}", self.key),
            format!("check of {}({})", self.key, columns.join(", ")),
            counterpart.map(ToString::to_string).unwrap_or_default(),
            form.to_string(),
            meaning,
            columns,
        );
        draft.postgres_origin = None;
        if counterpart.is_some() {
            let group = "expressions in the words of one engine each, not compared".to_owned();
            collector.add(Severity::Note, draft, Some(group));
        } else {
            collector.drift(draft);
        }
    }

    /// CHAR(n).
    fn is_padded(&self, column: &str) -> bool {
        self.postgres
            .column(column)
            .is_some_and(|column| column.kind.declared.starts_with("character("))
    }

    /// Whether a predicate of SQLite only enforces what PostgreSQL's type does anyway.
    fn catches_up(&self, form: &Form) -> bool {
        let columns = form.columns();
        let [name] = columns.as_slice() else { return false };
        self.postgres
            .column(name)
            .is_some_and(|column| catches_up(&column.kind.class, form))
    }
}

/// Whether every value of the type satisfies a predicate on a column of it.
fn catches_up(class: &Class, form: &Form) -> bool {
    if is_type_test(form) {
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
    if let Form::Call(operator, operands) = form {
        let null = |form: &Form| matches!(form, Form::Call(name, _) if name == "is null");
        match operator.as_str() {
            "or" => {
                return operands
                    .iter()
                    .all(|operand| null(operand) || catches_up(class, operand));
            }
            "and" => return operands.iter().all(|operand| catches_up(class, operand)),
            _ => {}
        }
    }
    match class {
        Class::Bool => {
            matches!(form, Form::Call(operator, values) if operator == "in" && values.len() == 3) || bound(form, 0, 1)
        }
        Class::I16 => bound(form, i16::MIN.into(), i16::MAX.into()),
        Class::I32 => bound(form, i32::MIN.into(), i32::MAX.into()),
        Class::I64 => bound(form, i64::MIN, i64::MAX),
        Class::Json => is_json_test(form),
        Class::Array => is_json_test(form) || is_array_test(form),
        Class::Date | Class::Time | Class::Instant => is_moment_test(form) || is_format_test(form),
        Class::Float | Class::Decimal => is_format_test(form) || is_rounding_test(form),
        Class::Uuid => form.is_engine_specific() || form.to_string().contains("length"),
        class => is_enforced_by_type(class) && form.is_engine_specific(),
    }
}

/// A test of what a call gives: the call, and the other side.
fn equality(form: &Form) -> Option<(&Form, &Form)> {
    let Form::Call(operator, operands) = form else {
        return None;
    };
    let equal = matches!(operator.as_str(), "=" | "<>" | "is distinct" | "is not distinct");
    let (first, second) = match operands.as_slice() {
        [a, b] if equal => (a, b),
        _ => return None,
    };
    [(first, second), (second, first)]
        .into_iter()
        .find_map(|(call, other)| match call {
            Form::Call(..) => Some((call, other)),
            _ => None,
        })
}

fn is_call(form: &Form, names: &[&str]) -> bool {
    matches!(form, Form::Call(name, _) if names.contains(&name.as_str()))
}

/// `typeof(x)` and texts.
fn is_type_test(form: &Form) -> bool {
    let of_column = |form: &Form| matches!(form, Form::Call(name, of) if name == "typeof" && matches!(of.as_slice(), [Form::Column(_)]));
    match form {
        Form::Call(operator, operands) if matches!(operator.as_str(), "in" | "not in") => match operands.as_slice() {
            [operand, values @ ..] => of_column(operand) && values.iter().all(|value| matches!(value, Form::Text(_))),
            [] => false,
        },
        _ => equality(form).is_some_and(|(call, other)| of_column(call) && matches!(other, Form::Text(_))),
    }
}

/// `json_valid(x)`, with or without `= 1`.
fn is_json_test(form: &Form) -> bool {
    let valid = ["json_valid"];
    let positions = ["json_error_position"];
    is_call(form, &valid)
        || equality(form).is_some_and(|(call, other)| {
            matches!(other, Form::Number(_)) && (is_call(call, &valid) || is_call(call, &positions))
        })
}

/// `json_type(x) = 'array'`.
fn is_array_test(form: &Form) -> bool {
    equality(form)
        .is_some_and(|(call, other)| is_call(call, &["json_type"]) && *other == Form::Text("array".to_owned()))
}

/// Whether it only asks whether the value is a moment at all: `date(x) IS NOT NULL`, `x = date(x)`.
fn is_moment_test(form: &Form) -> bool {
    const FUNCTIONS: [&str; 6] = ["date", "datetime", "time", "julianday", "strftime", "unixepoch"];
    match form {
        Form::Call(operator, operands) if operator == "is not null" => {
            operands.iter().all(|operand| is_call(operand, &FUNCTIONS))
        }
        _ => equality(form).is_some_and(|(call, other)| is_call(call, &FUNCTIONS) && matches!(other, Form::Column(_))),
    }
}

/// Whether it only asks for the form of a text: its length, the kinds of its characters, a separator at its place.
fn is_format_test(form: &Form) -> bool {
    let Form::Call(operator, operands) = form else {
        return false;
    };
    match (operator.as_str(), operands.as_slice()) {
        ("not", [inner]) => is_format_test(inner),
        ("glob" | "like" | "not like" | "regexp", [Form::Column(_), Form::Text(pattern)]) => !names_digits(pattern),
        ("=" | "<>" | "<" | "<=", [a, b]) => {
            let measures = |form: &Form| is_call(form, &["length", "instr"]);
            let part = |form: &Form| is_call(form, &["substr"]);
            let separator = |form: &Form| matches!(form, Form::Text(text) if !names_digits(text));
            [(a, b), (b, a)].into_iter().any(|(call, other)| {
                measures(call) && matches!(other, Form::Number(_)) || part(call) && separator(other)
            })
        }
        _ => false,
    }
}

/// Whether a pattern wants certain digits, not only some at a place.
fn names_digits(pattern: &str) -> bool {
    let mut in_brackets = false;
    pattern.chars().any(|c| {
        match c {
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            _ => {}
        }
        !in_brackets && c.is_ascii_digit()
    })
}

/// `x = round(x, 2)`.
fn is_rounding_test(form: &Form) -> bool {
    equality(form).is_some_and(|(call, other)| is_call(call, &["round", "cast"]) && matches!(other, Form::Column(_)))
}

/// Whether a predicate that could not be parsed is on these columns, and so may say anything of them.
fn may_say_the_same(form: &Form, columns: &[String]) -> bool {
    form.is_unread() && columns.iter().all(|name| form.columns().contains(name))
}

/// A predicate that every row satisfies.
fn is_trivial(form: &Form) -> bool {
    matches!(form, Form::Bool(true)) || form.columns().is_empty() && !form.is_unread()
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
