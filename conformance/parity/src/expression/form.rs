//! The normal form, and what two ways of writing have in common in it.

use std::collections::BTreeMap;
use std::fmt;

/// An expression without what only spells it: casts, parentheses, quotes, qualifiers, order of operands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Form {
    /// A column, in lower case.
    Column(String),
    /// A number, as text without needless zeros.
    Number(String),
    /// A text.
    Text(String),
    /// `TRUE` or `FALSE`.
    Bool(bool),
    /// NULL.
    Null,
    /// An operator or a function, by its common name.
    Call(String, Vec<Form>),
    /// What could not be parsed.
    Raw(Unread),
}

/// An expression, or a part of one, that the parser does not know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Unread {
    /// Its tokens.
    pub(super) text: String,
    /// The columns among them.
    pub(super) columns: Vec<String>,
}

impl fmt::Display for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |formatter: &mut fmt::Formatter<'_>, separator: &str, operands: &[Form]| {
            for (at, operand) in operands.iter().enumerate() {
                if at > 0 {
                    formatter.write_str(separator)?;
                }
                let compound = matches!(operand, Self::Call(name, _) if matches!(name.as_str(), "and" | "or"));
                if compound {
                    write!(formatter, "({operand})")?;
                } else {
                    write!(formatter, "{operand}")?;
                }
            }
            Ok(())
        };
        match self {
            Self::Column(name) | Self::Number(name) | Self::Raw(Unread { text: name, .. }) => formatter.write_str(name),
            Self::Text(text) => write!(formatter, "'{}'", text.replace('\'', "''")),
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::Null => formatter.write_str("null"),
            Self::Call(name, operands) => match (name.as_str(), operands.as_slice()) {
                ("not" | "-" | "~", [operand]) => write!(formatter, "{name} ({operand})"),
                ("is null" | "is not null", [operand]) => write!(formatter, "{operand} {name}"),
                ("in" | "not in", [operand, values @ ..]) => {
                    write!(formatter, "{operand} {name} (")?;
                    list(formatter, ", ", values)?;
                    formatter.write_str(")")
                }
                (_, operands)
                    if operands.len() > 1 && !name.starts_with(|c: char| c.is_alphabetic())
                        || matches!(name.as_str(), "and" | "or" | "like" | "not like" | "glob" | "regexp") =>
                {
                    list(formatter, &format!(" {name} "), operands)
                }
                _ => {
                    write!(formatter, "{name}(")?;
                    list(formatter, ", ", operands)?;
                    formatter.write_str(")")
                }
            },
        }
    }
}

impl Form {
    pub(super) fn call(name: &str, operands: impl Into<Vec<Self>>) -> Self {
        Self::Call(name.to_owned(), operands.into())
    }

    /// The columns that it reads, sorted.
    pub(crate) fn columns(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect_columns(&mut found);
        found.sort();
        found.dedup();
        found
    }

    fn collect_columns(&self, found: &mut Vec<String>) {
        match self {
            Self::Column(name) => found.push(name.clone()),
            Self::Raw(unread) => found.extend(unread.columns.iter().cloned()),
            Self::Call(_, operands) => operands.iter().for_each(|operand| operand.collect_columns(found)),
            _ => {}
        }
    }

    /// Whether it uses what only one of the engines has, so that two texts with one meaning can differ.
    pub(crate) fn is_engine_specific(&self) -> bool {
        match self {
            Self::Raw(_) => true,
            Self::Call(name, operands) => {
                !COMMON.contains(&name.as_str()) || operands.iter().any(Self::is_engine_specific)
            }
            _ => false,
        }
    }

    /// Whether a part of it could not be parsed.
    pub(crate) fn is_unread(&self) -> bool {
        self.any(&|part| matches!(part, Self::Raw(_)))
    }

    /// Whether it reads the clock.
    pub(crate) fn reads_clock(&self) -> bool {
        self.any(&|part| matches!(part, Self::Call(name, _) if CLOCK.contains(&name.as_str())))
    }

    /// Whether it is the present day.
    pub(crate) fn is_day(&self) -> bool {
        matches!(self.without_zone(), Self::Call(name, _) if name == "today")
    }

    /// The present time without the time zone that it is given in.
    pub(crate) fn without_zone(&self) -> Self {
        match self {
            Self::Call(name, of) if name == "local" => of.first().cloned().unwrap_or(Self::Null),
            form => form.clone(),
        }
    }

    pub(super) fn any(&self, test: &impl Fn(&Self) -> bool) -> bool {
        test(self) || matches!(self, Self::Call(_, operands) if operands.iter().any(|operand| operand.any(test)))
    }
}

/// The forms of the present: an instant, a day, a time of day.
const CLOCK: [&str; 3] = ["now", "today", "time of day"];

/// Operators and functions that mean the same on both engines.
const COMMON: [&str; 34] = [
    "and",
    "or",
    "not",
    "=",
    "<>",
    "<",
    "<=",
    "in",
    "not in",
    "is null",
    "is not null",
    "+",
    "-",
    "*",
    "/",
    "%",
    "||",
    "lower",
    "upper",
    "length",
    "coalesce",
    "abs",
    "substr",
    "replace",
    "nullif",
    "trim",
    "case",
    "is distinct",
    "is not distinct",
    "now",
    "today",
    "time of day",
    "local",
    "cast",
];

/// What a predicate says, if its value is only asked whether it is true.
pub(super) fn truth(form: Form) -> Form {
    match form {
        Form::Call(name, operands) if matches!(name.as_str(), "and" | "or") => {
            let operands = operands.into_iter().map(truth).collect();
            if name == "and" {
                junction("and", operands)
            } else {
                disjunction(operands)
            }
        }
        Form::Number(number) if number == "1" => Form::Bool(true),
        form => form,
    }
}

/// What a CHECK says that NULL satisfies anyway: `x IS NULL OR …` without its first half.
pub(super) fn without_null(form: Form) -> Form {
    let operands = match form {
        Form::Call(name, operands) if name == "or" => operands,
        form => return form,
    };
    let is_spared = |operand: &Form| match operand {
        Form::Call(name, of) if name == "is null" => of.iter().all(|column| {
            operands
                .iter()
                .all(|other| other == operand || is_unknown_for_null(other, column))
        }),
        _ => false,
    };
    let spared = operands.iter().find(|operand| is_spared(operand)).cloned();
    let kept = operands.into_iter().filter(|operand| Some(operand) != spared.as_ref());
    disjunction(kept.collect())
}

/// Whether a predicate is neither true nor false where this column is NULL.
fn is_unknown_for_null(form: &Form, column: &Form) -> bool {
    const STRICT: [&str; 8] = ["=", "<>", "<", "<=", "like", "not like", "glob", "regexp"];
    let reads = |operand: &Form| is_null_for_null(operand, column);
    match form {
        Form::Call(name, operands) if matches!(name.as_str(), "and" | "or") => {
            operands.iter().all(|operand| is_unknown_for_null(operand, column))
        }
        Form::Call(name, operands) if matches!(name.as_str(), "in" | "not in") => operands.first().is_some_and(reads),
        Form::Call(name, operands) if STRICT.contains(&name.as_str()) => operands.iter().any(reads),
        Form::Call(name, operands) if name == "not" => operands
            .iter()
            .all(|operand| operand == column || is_unknown_for_null(operand, column)),
        form => form == column,
    }
}

/// Whether a value is NULL where this column is.
fn is_null_for_null(form: &Form, column: &Form) -> bool {
    const PASSING: [&str; 11] = [
        "length",
        "lower",
        "upper",
        "trim",
        "abs",
        "substr",
        "json_array_length",
        "json_type",
        "+",
        "-",
        "*",
    ];
    form == column
        || matches!(form, Form::Call(name, of)
            if PASSING.contains(&name.as_str()) && of.iter().any(|part| is_null_for_null(part, column)))
}

/// `and` or `or` of operands, flat and sorted.
pub(super) fn junction(name: &str, operands: Vec<Form>) -> Form {
    let mut flat = Vec::new();
    for operand in operands {
        match operand {
            Form::Call(inner, operands) if inner == name => flat.extend(operands),
            operand => flat.push(operand),
        }
    }
    flat.sort();
    flat.dedup();
    match flat.len() {
        1 => flat.swap_remove(0),
        _ => Form::Call(name.to_owned(), flat),
    }
}

/// `or` of operands, in which `x = 1 OR x = 2` is `x IN (1, 2)`.
pub(super) fn disjunction(operands: Vec<Form>) -> Form {
    let mut members: BTreeMap<Form, Vec<Form>> = BTreeMap::new();
    let mut others = Vec::new();
    let flat = match junction("or", operands) {
        Form::Call(name, operands) if name == "or" => operands,
        form => return form,
    };
    for operand in &flat {
        match operand {
            Form::Call(name, sides) if name == "=" => match sides.as_slice() {
                [column @ Form::Column(_), literal] if is_literal(literal) => {
                    members.entry(column.clone()).or_default().push(literal.clone());
                }
                [literal, column] if is_literal(literal) => {
                    members.entry(column.clone()).or_default().push(literal.clone());
                }
                _ => others.push(operand.clone()),
            },
            Form::Call(name, sides) if name == "in" => match sides.as_slice() {
                [column, values @ ..] if values.iter().all(is_literal) => {
                    members
                        .entry(column.clone())
                        .or_default()
                        .extend(values.iter().cloned());
                }
                _ => others.push(operand.clone()),
            },
            _ => others.push(operand.clone()),
        }
    }
    for (column, mut values) in members {
        values.sort();
        values.dedup();
        if let [value] = values.as_slice() {
            let mut sides = vec![column, value.clone()];
            sides.sort();
            others.push(Form::Call("=".to_owned(), sides));
        } else {
            values.insert(0, column);
            others.push(Form::Call("in".to_owned(), values));
        }
    }
    junction("or", others)
}

fn is_literal(form: &Form) -> bool {
    matches!(form, Form::Number(_) | Form::Text(_) | Form::Bool(_))
}

pub(super) fn as_truth(form: &Form) -> Option<bool> {
    match form {
        Form::Bool(value) => Some(*value),
        Form::Number(number) => match number.as_str() {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        },
        Form::Text(text) => match text.to_lowercase().as_str() {
            "t" | "true" | "1" => Some(true),
            "f" | "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn number(text: &str) -> Form {
    if let Some(hexadecimal) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
        && let Ok(number) = u64::from_str_radix(hexadecimal, 16)
    {
        return Form::Number(number.to_string());
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.trim_start_matches('+')),
    };
    let digits = match digits.split_once('.') {
        Some(_) if !digits.contains(['e', 'E']) => digits.trim_end_matches('0').trim_end_matches('.'),
        _ => digits,
    };
    let digits = digits.trim_start_matches('0');
    let digits = if digits.is_empty() || digits.starts_with('.') {
        format!("0{digits}")
    } else {
        digits.to_owned()
    };
    if digits == "0" {
        Form::Number(digits)
    } else {
        Form::Number(format!("{sign}{digits}"))
    }
}
