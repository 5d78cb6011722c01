//! Values for probes: such that satisfy what could be read of the constraints, and such that break one.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;

use crate::classes::{Affinity, Class};
use crate::engine::Engine;
use crate::expression::{Form, Names};
use crate::model::Column;

use super::{Cause, Row};

/// A value, to be written in both dialects.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    /// As digits.
    Number(String),
    Text(String),
    Bytes(Vec<u8>),
    /// One text for each engine: a UUID or an instant as the side keeps it.
    Each(String, String),
}

impl Literal {
    /// As a dialect writes it.
    pub(super) fn sql(&self, engine: Engine) -> String {
        match (self, engine) {
            (Self::Null, _) => "NULL".to_owned(),
            (Self::Bool(value), Engine::Postgres) => value.to_string(),
            (Self::Bool(value), Engine::Sqlite) => u8::from(*value).to_string(),
            (Self::Number(digits), _) => digits.clone(),
            (Self::Text(text), _) => quoted(text),
            (Self::Bytes(bytes), engine) => {
                let digits = HEXLOWER.encode(bytes);
                if engine == Engine::Postgres {
                    format!("'\\x{digits}'::bytea")
                } else {
                    format!("x'{digits}'")
                }
            }
            (Self::Each(text, _), Engine::Postgres) | (Self::Each(_, text), Engine::Sqlite) => text.clone(),
        }
    }
}

pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn uuid(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

fn digits_of_uuid(number: usize) -> String {
    uuid(number).replace('-', "")
}

/// The `number`th value of a class, before any CHECK is looked at.
fn plain(column: &Column, other: &Column, number: usize) -> Literal {
    if let Some(label) = column.kind.labels.get(number % column.kind.labels.len().max(1)) {
        return Literal::Text(label.clone());
    }
    let sqlite_integer = matches!(
        other.kind.affinity,
        Some(Affinity::Integer | Affinity::Real | Affinity::Numeric)
    ) && !matches!(other.kind.class, Class::Instant | Class::Date);
    match column.kind.class {
        Class::Bool => Literal::Bool(number % 2 == 1),
        Class::I16 | Class::I32 | Class::I64 | Class::Float | Class::Decimal => {
            Literal::Number((number + 1).to_string())
        }
        Class::Bytes => Literal::Bytes(vec![u8::try_from(number % 256).unwrap_or(0); 8]),
        Class::Uuid => {
            let text = quoted(&uuid(number));
            let sqlite = if other.kind.class == Class::Bytes {
                format!("x'{}'", digits_of_uuid(number))
            } else {
                text.clone()
            };
            Literal::Each(text, sqlite)
        }
        Class::Json => Literal::Text(format!("{{\"n\":{number}}}")),
        Class::Instant | Class::Date => {
            let text = quoted(&format!("2020-01-{:02} 00:00:00", number % 28 + 1));
            let sqlite = if sqlite_integer {
                (1_577_836_800 + 86_400 * number).to_string()
            } else {
                text.clone()
            };
            Literal::Each(text, sqlite)
        }
        Class::Time => Literal::Text(format!("{:02}:00:00", number % 24)),
        Class::Interval => Literal::Each("'1 day'".to_owned(), "86400".to_owned()),
        Class::Array => {
            let numbers = column.kind.declared.contains("int");
            let sqlite = if numbers {
                format!("'[{number}]'")
            } else {
                format!("'[\"v{number}\"]'")
            };
            Literal::Each(
                if numbers {
                    format!("'{{{number}}}'")
                } else {
                    format!("'{{v{number}}}'")
                },
                sqlite,
            )
        }
        Class::Network => Literal::Text(format!("10.0.0.{}", number % 250)),
        _ => {
            let text = format!("v{number}");
            let longest = column
                .kind
                .length
                .and_then(|length| usize::try_from(length).ok())
                .unwrap_or(usize::MAX);
            Literal::Text(
                text.chars()
                    .rev()
                    .take(longest)
                    .collect::<Vec<_>>()
                    .into_iter()
                    .rev()
                    .collect(),
            )
        }
    }
}

/// A value that no parent has.
pub(super) fn orphan(column: &Column, other: &Column) -> Literal {
    match column.kind.class {
        Class::I16 => Literal::Number("32000".to_owned()),
        Class::I32 | Class::I64 => Literal::Number("2147480000".to_owned()),
        Class::Text | Class::TextNoCase => Literal::Text("nowhere".to_owned()),
        Class::Bytes => Literal::Bytes(vec![0xee; 32]),
        _ => plain(column, other, 0xffff),
    }
}

/// A value at or beyond a bound of a column.
pub(super) struct Edge {
    /// Its name.
    pub(super) case: String,
    /// The name that such values of all columns have in common.
    pub(super) kind: String,
    pub(super) value: Literal,
    /// What a disagreement on it follows from.
    pub(super) cause: Cause,
}

impl Edge {
    fn new(name: &str, value: Literal, cause: Cause) -> Self {
        Self {
            case: name.to_owned(),
            kind: name.to_owned(),
            value,
            cause,
        }
    }

    /// One of the texts that a column may have on either side.
    fn listed(text: &str) -> Self {
        Self {
            kind: "a listed text".to_owned(),
            ..Self::new(&quoted(text), Literal::Text(text.to_owned()), Cause::Constraint)
        }
    }
}

/// Values at and beyond the bounds of a column.
pub(super) fn edge_cases(column: &Column, other: &Column, predicates: &[Form]) -> Vec<Edge> {
    let mut cases: Vec<Edge> = Vec::new();
    let mut number = |digits: &str, name: &str, cause: Cause| {
        cases.push(Edge::new(name, Literal::Number(digits.to_owned()), cause));
    };
    let text = |text: &str| Literal::Text(text.to_owned());
    match column.kind.class {
        Class::I16 | Class::I32 | Class::I64 => {
            number("-1", "-1", Cause::Constraint);
            number("0", "0", Cause::Constraint);
            number("32768", "2^15", Cause::Type);
            number("2147483647", "2^31-1", Cause::Type);
            number("2147483648", "2^31", Cause::Type);
            number("9223372036854775807", "2^63-1", Cause::Type);
            number("9223372036854775808", "2^63", Cause::Type);
            cases.push(Edge::new("text", text("x"), Cause::Type));
        }
        Class::Bool => cases.push(Edge::new("2", text("2"), Cause::Type)),
        Class::Float | Class::Decimal => {
            number("-1", "-1", Cause::Constraint);
            cases.push(Edge::new("text", text("x"), Cause::Type));
        }
        Class::Text | Class::TextNoCase if column.kind.labels.is_empty() => {
            cases.push(Edge::new("empty", text(""), Cause::Constraint));
            if let Some(length) = column.kind.length.and_then(|length| usize::try_from(length).ok()) {
                cases.push(Edge::new("longest", text(&"x".repeat(length)), Cause::Constraint));
                cases.push(Edge::new("too long", text(&"x".repeat(length + 1)), Cause::Type));
            }
        }
        Class::Uuid => cases.push(Edge::new("no UUID", text("x"), Cause::Type)),
        Class::Json => cases.push(Edge::new("no JSON", text("{"), Cause::Type)),
        Class::Instant | Class::Date | Class::Time => cases.push(Edge::new("no time", text("x"), Cause::Type)),
        Class::Bytes => cases.push(Edge::new("no bytes", Literal::Bytes(Vec::new()), Cause::Constraint)),
        _ => {}
    }
    if !column.kind.labels.is_empty() {
        cases.push(Edge::new("no such label", text("no such label"), Cause::Constraint));
        cases.extend(column.kind.labels.iter().map(|label| Edge::listed(label)));
    }
    let name = column.name.to_lowercase();
    let mut around = Around {
        name: name.clone(),
        column,
        other,
        cases,
    };
    for form in predicates.iter().filter(|form| form.columns() == [name.clone()]) {
        around.form(form);
    }
    let mut seen = BTreeSet::new();
    around.cases.retain(|edge| seen.insert(edge.case.clone()));
    around.cases
}

/// Collects values around each constant that a CHECK compares a column with.
struct Around<'a> {
    name: String,
    column: &'a Column,
    other: &'a Column,
    cases: Vec<Edge>,
}

impl Around<'_> {
    fn form(&mut self, form: &Form) {
        let Form::Call(operator, operands) = form else { return };
        let is_column = |form: &Form| matches!(form, Form::Column(name) if *name == self.name);
        let is_length =
            |form: &Form| matches!(form, Form::Call(name, of) if name == "length" && of.iter().any(is_column));
        match operator.as_str() {
            "and" | "or" | "not" => operands.iter().for_each(|operand| self.form(operand)),
            "in" | "not in" if operands.first().is_some_and(is_column) && self.column.kind.class == Class::Text => {
                let mut text = |case: &str, text: String| {
                    self.cases.push(Edge::new(case, Literal::Text(text), Cause::Constraint));
                };
                text("no listed text", "no listed text".to_owned());
                if let Some(Form::Text(listed)) = operands.get(1) {
                    text("a listed text in capitals", listed.to_uppercase());
                }
                let listed = operands.iter().skip(1).filter_map(|operand| match operand {
                    Form::Text(listed) => Some(Edge::listed(listed)),
                    _ => None,
                });
                self.cases.extend(listed);
            }
            _ => {
                let lengths = operands.iter().any(is_length);
                for operand in operands {
                    let Form::Number(digits) = operand else { continue };
                    let Ok(bound) = digits.parse::<i64>() else { continue };
                    for value in [bound.saturating_sub(1), bound, bound.saturating_add(1)] {
                        if lengths {
                            self.cases
                                .extend(usize::try_from(value).ok().and_then(|length| self.sized(length)));
                        } else {
                            self.cases.extend(self.number(value));
                        }
                    }
                }
            }
        }
    }

    fn number(&self, value: i64) -> Option<Edge> {
        let cause = match self.column.kind.class {
            // Written as TRUE and FALSE, which need no probe of their own.
            Class::Bool => return None,
            Class::I16 | Class::I32 | Class::I64 | Class::Float | Class::Decimal | Class::Text | Class::TextNoCase => {
                Cause::Constraint
            }
            _ => Cause::Type,
        };
        Some(Edge {
            kind: "at the bound of a CHECK".to_owned(),
            ..Edge::new(&value.to_string(), Literal::Number(value.to_string()), cause)
        })
    }

    /// A value of this length; of a class whose values have no length of their own, a text that PostgreSQL's type refuses.
    fn sized(&self, length: usize) -> Option<Edge> {
        let (value, cause) = match self.column.kind.class {
            _ if length > 4 << 20 => return None,
            Class::Bytes => (Literal::Bytes(vec![7; length]), Cause::Constraint),
            Class::Text | Class::TextNoCase => (Literal::Text("x".repeat(length)), Cause::Constraint),
            Class::Uuid => match uuids(self.other, length) {
                Some(form) => (form(0), Cause::Constraint),
                None => (Literal::Text("x".repeat(length)), Cause::Type),
            },
            _ => (Literal::Text("x".repeat(length)), Cause::Type),
        };
        Some(Edge {
            kind: "of a length at the bound of a CHECK".to_owned(),
            ..Edge::new(&format!("length {length}"), value, cause)
        })
    }
}

/// The UUIDs that SQLite has in this length.
fn uuids(other: &Column, length: usize) -> Option<fn(usize) -> Literal> {
    match (length, other.kind.class == Class::Bytes) {
        (16, true) => Some(|number| Literal::Each(quoted(&uuid(number)), format!("x'{}'", digits_of_uuid(number)))),
        (32, false) => Some(|number| Literal::Each(quoted(&uuid(number)), quoted(&digits_of_uuid(number)))),
        (36, false) => Some(|number| Literal::Each(quoted(&uuid(number)), quoted(&uuid(number)))),
        _ => None,
    }
}

/// What a predicate is worked out with.
#[derive(Debug, Clone, PartialEq)]
enum Worked {
    Unknown,
    Number(f64),
    Whole(i128),
    Text(String),
    Length(usize),
    Truth(bool),
}

/// Finds values that satisfy predicates.
pub(super) struct Solver<'a> {
    predicates: &'a [Form],
    candidates: BTreeMap<String, Vec<Literal>>,
    _names: &'a Names,
}

impl<'a> Solver<'a> {
    pub(super) fn new(names: &'a Names, predicates: &'a [Form]) -> Self {
        Self {
            predicates,
            candidates: BTreeMap::new(),
            _names: names,
        }
    }

    /// Adds a column, with the values that may do for it, the most different from other rows' first.
    pub(super) fn column(&mut self, column: &Column, other: &Column, number: usize) {
        let name = column.name.to_lowercase();
        let mut candidates = vec![plain(column, other, number)];
        let mut constants = Vec::new();
        for form in self.predicates.iter().filter(|form| form.columns().contains(&name)) {
            constants_for(form, &name, &mut constants);
        }
        // What a CHECK says of the length of a UUID is which form SQLite keeps.
        if column.kind.class == Class::Uuid {
            let mut lengths = constants.iter().filter_map(|constant| match constant {
                Form::Number(digits) => digits.parse().ok(),
                _ => None,
            });
            if let Some(form) = lengths.find_map(|length| uuids(other, length)) {
                candidates = vec![form(number)];
            }
        }
        // Another row starts at another constant.
        let shift = number % constants.len().max(1);
        constants.rotate_left(shift);
        for constant in constants {
            candidates.extend(match (constant, &column.kind.class) {
                (Form::Text(text), _) => vec![Literal::Text(text)],
                // TRUE and FALSE are tried anyway.
                (_, Class::Bool) => Vec::new(),
                (Form::Bool(value), _) => vec![Literal::Bool(value)],
                (Form::Call(..), class)
                | (Form::Number(_), class @ (Class::Bytes | Class::Text | Class::TextNoCase))
                    if matches!(class, Class::Instant) =>
                {
                    Vec::new()
                }
                (Form::Number(digits), Class::Bytes) => sizes(&digits)
                    .map(|length| Literal::Bytes(vec![u8::try_from(number % 256).unwrap_or(0); length]))
                    .collect(),
                (Form::Number(digits), Class::Text | Class::TextNoCase) => sizes(&digits)
                    .map(|length| {
                        let digit = char::from_digit(u32::try_from(number % 10).unwrap_or(0), 10).unwrap_or('0');
                        Literal::Text(std::iter::repeat_n(digit, length).collect())
                    })
                    .collect(),
                (_, Class::Uuid) => Vec::new(),
                (Form::Number(digits), _) => match digits.parse::<i64>() {
                    Ok(bound) => [bound, bound.saturating_add(1), bound.saturating_sub(1)]
                        .map(|value| Literal::Number(value.to_string()))
                        .to_vec(),
                    Err(_) => vec![Literal::Number(digits)],
                },
                _ => Vec::new(),
            });
        }
        if let (Class::Text | Class::TextNoCase, Some(Literal::Text(text))) = (&column.kind.class, candidates.first()) {
            // For x = upper(x).
            let capitals = text.to_uppercase();
            candidates.push(Literal::Text(capitals));
        }
        if column.kind.class == Class::Bool {
            candidates.extend([Literal::Bool(false), Literal::Bool(true)]);
        }
        if !column.not_null {
            candidates.push(Literal::Null);
        }
        let satisfying: Vec<Literal> = candidates
            .iter()
            .filter(|value| {
                let row = Row::from([(name.clone(), (*value).clone())]);
                let own = self.predicates.iter().filter(|form| form.columns() == [name.clone()]);
                own.into_iter().all(|form| holds(form, &row))
            })
            .cloned()
            .collect();
        candidates = if satisfying.is_empty() { candidates } else { satisfying };
        candidates.dedup();
        candidates.truncate(8);
        self.candidates.insert(name, candidates);
    }

    /// A row of first candidates, with others where a predicate over several columns asks for them.
    pub(super) fn solve(self) -> Row {
        let mut row: Row = self
            .candidates
            .iter()
            .filter_map(|(name, values)| values.first().map(|value| (name.clone(), value.clone())))
            .collect();
        for form in self.predicates.iter().filter(|form| form.columns().len() > 1) {
            if holds(form, &row) {
                continue;
            }
            let names: Vec<String> = form
                .columns()
                .into_iter()
                .filter(|name| self.candidates.contains_key(name))
                .collect();
            let related: Vec<&Form> = self
                .predicates
                .iter()
                .filter(|other| other.columns().iter().any(|name| names.contains(name)))
                .collect();
            let mut combination = vec![0_usize; names.len()];
            for _ in 0..5_000 {
                let mut tried = row.clone();
                for (name, at) in names.iter().zip(&combination) {
                    if let Some(value) = self.candidates.get(name).and_then(|values| values.get(*at)) {
                        tried.insert(name.clone(), value.clone());
                    }
                }
                if related.iter().all(|form| holds(form, &tried)) {
                    row = tried;
                    break;
                }
                // The next combination, as a number counts up.
                let mut carried = true;
                for (name, at) in names.iter().zip(&mut combination) {
                    if carried {
                        *at += 1;
                        carried = *at >= self.candidates.get(name).map_or(0, Vec::len);
                        if carried {
                            *at = 0;
                        }
                    }
                }
                if carried {
                    break;
                }
            }
        }
        row
    }
}

fn sizes(digits: &str) -> impl Iterator<Item = usize> {
    let bound = digits.parse::<usize>().unwrap_or(0).min(1 << 20);
    [bound, bound + 1, bound.saturating_sub(1)].into_iter()
}

/// The constants that a predicate compares a column with.
fn constants_for(form: &Form, column: &str, found: &mut Vec<Form>) {
    if let Form::Call(_, operands) = form {
        let direct = operands.iter().any(|operand| match operand {
            Form::Column(name) => name == column,
            Form::Call(name, of) => {
                name == "length" && of.iter().any(|of| matches!(of, Form::Column(name) if name == column))
            }
            _ => false,
        });
        for operand in operands {
            match operand {
                Form::Number(_) | Form::Text(_) | Form::Bool(_) if direct => found.push(operand.clone()),
                Form::Call(..) => constants_for(operand, column, found),
                _ => {}
            }
        }
    }
}

/// Whether a predicate is not known to be false for a row.
pub(super) fn holds(form: &Form, row: &Row) -> bool {
    !matches!(work_out(form, row), Worked::Truth(false))
}

fn work_out(form: &Form, row: &Row) -> Worked {
    match form {
        Form::Null | Form::Raw(_) => Worked::Unknown,
        Form::Bool(value) => Worked::Truth(*value),
        Form::Number(digits) => number(digits),
        Form::Text(text) => Worked::Text(text.clone()),
        Form::Column(name) => match row.get(name) {
            Some(Literal::Bool(value)) => Worked::Truth(*value),
            Some(Literal::Number(digits)) => number(digits),
            Some(Literal::Text(text)) => Worked::Text(text.clone()),
            Some(Literal::Bytes(bytes)) => Worked::Length(bytes.len()),
            _ => Worked::Unknown,
        },
        Form::Call(name, operands) => call(name, operands, row),
    }
}

fn number(digits: &str) -> Worked {
    match digits.parse::<i128>() {
        Ok(whole) => Worked::Whole(whole),
        Err(_) => digits.parse::<f64>().map_or(Worked::Unknown, Worked::Number),
    }
}

fn call(name: &str, operands: &[Form], row: &Row) -> Worked {
    let worked = |at: usize| operands.get(at).map_or(Worked::Unknown, |form| work_out(form, row));
    match name {
        "and" | "or" => {
            let decisive = name == "or";
            let values: Vec<Worked> = operands.iter().map(|form| work_out(form, row)).collect();
            if values.contains(&Worked::Truth(decisive)) {
                Worked::Truth(decisive)
            } else if values.iter().all(|value| *value == Worked::Truth(!decisive)) {
                Worked::Truth(!decisive)
            } else {
                Worked::Unknown
            }
        }
        "not" => match worked(0) {
            Worked::Truth(value) => Worked::Truth(!value),
            _ => Worked::Unknown,
        },
        "is null" | "is not null" => match operands.first() {
            Some(Form::Column(column)) => {
                let is_null = row.get(column).is_none_or(|value| *value == Literal::Null);
                Worked::Truth(is_null == (name == "is null"))
            }
            _ => Worked::Unknown,
        },
        "in" | "not in" => {
            let value = worked(0);
            if value == Worked::Unknown {
                return Worked::Unknown;
            }
            let listed = operands.iter().skip(1).any(|form| work_out(form, row) == value);
            Worked::Truth(listed == (name == "in"))
        }
        "length" => match worked(0) {
            Worked::Text(text) => Worked::Whole(i128::try_from(text.chars().count()).unwrap_or(i128::MAX)),
            Worked::Length(length) => Worked::Whole(i128::try_from(length).unwrap_or(i128::MAX)),
            _ => Worked::Unknown,
        },
        "lower" | "upper" => match worked(0) {
            Worked::Text(text) if name == "lower" => Worked::Text(text.to_lowercase()),
            Worked::Text(text) => Worked::Text(text.to_uppercase()),
            _ => Worked::Unknown,
        },
        "=" | "<>" | "<" | "<=" => {
            let order = match (worked(0), worked(1)) {
                (Worked::Whole(a), Worked::Whole(b)) => a.cmp(&b),
                (Worked::Text(a), Worked::Text(b)) => a.cmp(&b),
                (Worked::Truth(a), Worked::Truth(b)) => a.cmp(&b),
                (a, b) => match (as_float(&a), as_float(&b)) {
                    (Some(a), Some(b)) => a.total_cmp(&b),
                    _ => return Worked::Unknown,
                },
            };
            Worked::Truth(match name {
                "=" => order.is_eq(),
                "<>" => order.is_ne(),
                "<" => order.is_lt(),
                _ => order.is_le(),
            })
        }
        _ => Worked::Unknown,
    }
}

fn as_float(worked: &Worked) -> Option<f64> {
    match worked {
        Worked::Number(number) => Some(*number),
        Worked::Whole(number) => number.to_string().parse().ok(),
        _ => None,
    }
}
