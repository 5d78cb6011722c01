//! Values for probes: such that satisfy what could be read of the constraints, and such that break one.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;

use crate::classes::{Affinity, Class};
use crate::expression::{Form, Names};
use crate::lexer::Engine;
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
            let bytes = format!("x'{}'", uuid(number).replace('-', ""));
            let sqlite = if other.kind.class == Class::Bytes {
                bytes
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

/// Values at and beyond the bounds of a column, with a name each, and what a disagreement on them follows from.
pub(super) fn edge_cases(column: &Column, _other: &Column, predicates: &[Form]) -> Vec<(String, Literal, Cause)> {
    let mut cases: Vec<(String, Literal, Cause)> = Vec::new();
    let mut number = |name: &str, digits: &str, cause: Cause| {
        cases.push((name.to_owned(), Literal::Number(digits.to_owned()), cause));
    };
    match column.kind.class {
        Class::I16 | Class::I32 | Class::I64 => {
            number("-1", "-1", Cause::Constraint);
            number("0", "0", Cause::Constraint);
            number("2^15", "32768", Cause::Type);
            number("2^31-1", "2147483647", Cause::Type);
            number("2^31", "2147483648", Cause::Type);
            number("2^63-1", "9223372036854775807", Cause::Type);
            number("2^63", "9223372036854775808", Cause::Type);
            cases.push(("text".to_owned(), Literal::Text("x".to_owned()), Cause::Type));
        }
        Class::Bool => cases.push(("2".to_owned(), Literal::Text("2".to_owned()), Cause::Type)),
        Class::Float | Class::Decimal => {
            number("-1", "-1", Cause::Constraint);
            cases.push(("text".to_owned(), Literal::Text("x".to_owned()), Cause::Type));
        }
        Class::Text | Class::TextNoCase if column.kind.labels.is_empty() => {
            cases.push(("empty".to_owned(), Literal::Text(String::new()), Cause::Constraint));
            if let Some(length) = column.kind.length.and_then(|length| usize::try_from(length).ok()) {
                cases.push((
                    "longest".to_owned(),
                    Literal::Text("x".repeat(length)),
                    Cause::Constraint,
                ));
                cases.push((
                    "too long".to_owned(),
                    Literal::Text("x".repeat(length + 1)),
                    Cause::Type,
                ));
            }
        }
        Class::Uuid => cases.push(("no UUID".to_owned(), Literal::Text("x".to_owned()), Cause::Type)),
        Class::Json => cases.push(("no JSON".to_owned(), Literal::Text("{".to_owned()), Cause::Type)),
        Class::Instant | Class::Date | Class::Time => {
            cases.push(("no time".to_owned(), Literal::Text("x".to_owned()), Cause::Type));
        }
        Class::Bytes => cases.push(("no bytes".to_owned(), Literal::Bytes(Vec::new()), Cause::Constraint)),
        _ => {}
    }
    if !column.kind.labels.is_empty() {
        cases.push((
            "no such label".to_owned(),
            Literal::Text("no such label".to_owned()),
            Cause::Constraint,
        ));
    }
    // Around each constant that a CHECK compares with.
    let name = column.name.to_lowercase();
    for form in predicates.iter().filter(|form| form.columns() == [name.clone()]) {
        around(form, &name, &column.kind.class, &mut cases);
    }
    let mut seen = BTreeSet::new();
    cases.retain(|(case, ..)| seen.insert(case.clone()));
    cases
}

fn around(form: &Form, column: &str, class: &Class, cases: &mut Vec<(String, Literal, Cause)>) {
    let Form::Call(operator, operands) = form else { return };
    let is_column = |form: &Form| matches!(form, Form::Column(name) if name == column);
    let is_length = |form: &Form| matches!(form, Form::Call(name, of) if name == "length" && of.iter().any(is_column));
    let sized = |length: usize| match class {
        Class::Bytes => Literal::Bytes(vec![7; length]),
        _ => Literal::Text("x".repeat(length)),
    };
    match operator.as_str() {
        "and" | "or" | "not" => operands
            .iter()
            .for_each(|operand| around(operand, column, class, cases)),
        "in" | "not in" if operands.first().is_some_and(is_column) && *class == Class::Text => {
            cases.push((
                "no listed text".to_owned(),
                Literal::Text("no listed text".to_owned()),
                Cause::Constraint,
            ));
            if let Some(Form::Text(text)) = operands.get(1) {
                cases.push((
                    "a listed text in capitals".to_owned(),
                    Literal::Text(text.to_uppercase()),
                    Cause::Constraint,
                ));
            }
        }
        _ => {
            let lengths = operands.iter().any(is_length);
            for operand in operands {
                let Form::Number(digits) = operand else { continue };
                let Ok(bound) = digits.parse::<i64>() else { continue };
                for value in [bound.saturating_sub(1), bound, bound.saturating_add(1)] {
                    if *class == Class::Bool {
                        // Written as TRUE and FALSE, which need no probe of their own.
                    } else if !lengths {
                        cases.push((value.to_string(), Literal::Number(value.to_string()), Cause::Constraint));
                    } else if let Ok(length) = usize::try_from(value)
                        && length <= 4 << 20
                    {
                        cases.push((format!("length {length}"), sized(length), Cause::Constraint));
                    }
                }
            }
        }
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
fn holds(form: &Form, row: &Row) -> bool {
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
