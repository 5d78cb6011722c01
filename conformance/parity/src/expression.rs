//! Predicates, defaults and index expressions in one normal form, so that two dialects' texts can be compared.

use std::collections::BTreeMap;
use std::fmt;

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, InTarget,
    ObjectName, UnaryOperator, Value,
};
use sqlparser::dialect::{Dialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;

use crate::classes::Class;
use crate::lexer::{self, Engine, Kind};

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
    /// What could not be parsed: its tokens.
    Raw(String),
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
            Self::Column(name) | Self::Number(name) | Self::Raw(name) => formatter.write_str(name),
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
    fn call(name: &str, operands: impl Into<Vec<Self>>) -> Self {
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

    fn any(&self, test: &impl Fn(&Self) -> bool) -> bool {
        test(self) || matches!(self, Self::Call(_, operands) if operands.iter().any(|operand| operand.any(test)))
    }
}

/// Operators and functions that mean the same on both engines.
const COMMON: [&str; 31] = [
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
    "cast",
];

/// What is known of the columns that expressions read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Classes by name in lower case.
    pub(crate) classes: BTreeMap<String, Class>,
}

impl Names {
    fn is_bool(&self, form: &Form) -> bool {
        matches!(form, Form::Column(name) if self.classes.get(name) == Some(&Class::Bool))
    }

    fn is_bytes(&self, form: &Form) -> bool {
        matches!(form, Form::Column(name) if self.classes.get(name) == Some(&Class::Bytes))
    }
}

/// The normal form of an expression in the engine's dialect.
pub(crate) fn normal(engine: Engine, text: &str, names: &Names) -> Form {
    match parse(engine, text) {
        Some(expression) => Normalizer { engine, names }.form(&expression),
        None => raw(engine, text),
    }
}

/// A predicate as the set of predicates that all must hold, sorted.
pub(crate) fn conjuncts(engine: Engine, text: &str, names: &Names) -> Vec<Form> {
    let form = truth(normal(engine, text, names));
    let mut conjuncts = match form {
        Form::Call(name, operands) if name == "and" => operands,
        form => vec![form],
    };
    conjuncts.sort();
    conjuncts.dedup();
    conjuncts
}

fn parse(engine: Engine, text: &str) -> Option<Expr> {
    let postgres = PostgreSqlDialect {};
    let sqlite = SQLiteDialect {};
    let dialect: &dyn Dialect = match engine {
        Engine::Postgres => &postgres,
        Engine::Sqlite => &sqlite,
    };
    let mut parser = Parser::new(dialect).with_recursion_limit(400).try_with_sql(text).ok()?;
    let expression = parser.parse_expr().ok()?;
    // Something behind the expression: it was not understood.
    (parser.peek_token().token == sqlparser::tokenizer::Token::EOF).then_some(expression)
}

fn raw(engine: Engine, text: &str) -> Form {
    let tokens = lexer::tokens(engine, text);
    let words: Vec<String> = tokens
        .iter()
        .map(|token| match token.kind {
            Kind::Word | Kind::Quoted => token.text.to_lowercase(),
            _ => token.text.clone(),
        })
        .collect();
    Form::Raw(words.join(" "))
}

struct Normalizer<'names> {
    engine: Engine,
    names: &'names Names,
}

impl Normalizer<'_> {
    #[allow(clippy::too_many_lines, reason = "one arm a kind of expression")]
    fn form(&self, expression: &Expr) -> Form {
        match expression {
            Expr::Identifier(name) => self.identifier(name),
            Expr::CompoundIdentifier(parts) => parts.last().map_or(Form::Null, |name| self.identifier(name)),
            Expr::Nested(inner) => self.form(inner),
            Expr::Cast {
                expr, data_type, kind, ..
            } => self.cast(expr, data_type, kind),
            Expr::Collate { expr, .. } => self.form(expr),
            Expr::TypedString(typed) => value(&typed.value.value),
            Expr::Value(literal) => value(&literal.value),
            Expr::Prefixed { value, .. } => self.form(value),
            Expr::IsNull(inner) => Form::call("is null", [self.form(inner)]),
            Expr::IsNotNull(inner) => Form::call("is not null", [self.form(inner)]),
            Expr::IsTrue(inner) | Expr::IsNotFalse(inner) => truth(self.form(inner)),
            Expr::IsFalse(inner) | Expr::IsNotTrue(inner) => self.not(self.form(inner)),
            Expr::IsDistinctFrom(a, b) => self.distinct(true, self.form(a), self.form(b)),
            Expr::IsNotDistinctFrom(a, b) => self.distinct(false, self.form(a), self.form(b)),
            Expr::In {
                expr,
                target: InTarget::List(list),
                negated,
                ..
            } => {
                let values = list.iter().map(|value| self.form(value)).collect();
                self.membership(self.form(expr), values, *negated)
            }
            Expr::AnyOp {
                left,
                compare_op: BinaryOperator::Eq,
                right,
                ..
            } => match self.elements(right) {
                Some(values) => self.membership(self.form(left), values, false),
                None => Form::call("any", [self.form(left), self.form(right)]),
            },
            Expr::AllOp {
                left,
                compare_op: BinaryOperator::NotEq,
                right,
            } => match self.elements(right) {
                Some(values) => self.membership(self.form(left), values, true),
                None => Form::call("all", [self.form(left), self.form(right)]),
            },
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let both = vec![
                    self.comparison("<=", self.form(low), self.form(expr)),
                    self.comparison("<=", self.form(expr), self.form(high)),
                ];
                let both = junction("and", both);
                if *negated { self.not(both) } else { both }
            }
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::Like {
                negated, expr, pattern, ..
            } => like("like", *negated, self.form(expr), self.form(pattern)),
            Expr::ILike {
                negated, expr, pattern, ..
            } => like("ilike", *negated, self.form(expr), self.form(pattern)),
            Expr::UnaryOp { op, expr } => match (op, self.form(expr)) {
                (UnaryOperator::Not | UnaryOperator::BangNot, inner) => self.not(inner),
                (UnaryOperator::Minus, Form::Number(number)) => match number.strip_prefix('-') {
                    Some(positive) => Form::Number(positive.to_owned()),
                    None if number == "0" => Form::Number(number),
                    None => Form::Number(format!("-{number}")),
                },
                (UnaryOperator::Plus, inner) => inner,
                (op, inner) => Form::call(&op.to_string().to_lowercase(), [inner]),
            },
            Expr::Function(function) => self.function(function),
            Expr::Substring {
                expr,
                substring_from,
                substring_for,
                ..
            } => {
                let operands = [Some(expr), substring_from.as_ref(), substring_for.as_ref()];
                Form::Call(
                    "substr".to_owned(),
                    operands.into_iter().flatten().map(|part| self.form(part)).collect(),
                )
            }
            Expr::Trim {
                expr,
                trim_what,
                trim_characters,
                trim_where,
            } if trim_where
                .as_ref()
                .is_none_or(|side| side.to_string().eq_ignore_ascii_case("both")) =>
            {
                let mut operands = vec![self.form(expr)];
                operands.extend(trim_what.iter().map(|what| self.form(what)));
                operands.extend(trim_characters.iter().flatten().map(|what| self.form(what)));
                Form::Call("trim".to_owned(), operands)
            }
            Expr::Extract { expr, field, .. } => {
                let operand = self.form(expr);
                if operand == Form::call("now", []) {
                    operand
                } else {
                    Form::call("extract", [Form::Text(field.to_string().to_lowercase()), operand])
                }
            }
            Expr::AtTimeZone { timestamp, .. } => self.form(timestamp),
            Expr::Case {
                operand,
                conditions,
                else_result,
                ..
            } => {
                let mut operands: Vec<Form> = operand.iter().map(|operand| self.form(operand)).collect();
                for when in conditions {
                    operands.push(self.form(&when.condition));
                    operands.push(self.form(&when.result));
                }
                operands.extend(else_result.iter().map(|result| self.form(result)));
                Form::Call("case".to_owned(), operands)
            }
            Expr::Tuple(parts) => Form::Call("row".to_owned(), parts.iter().map(|part| self.form(part)).collect()),
            Expr::Array(array) if array.elem.is_empty() => Form::Text("{}".to_owned()),
            Expr::Array(array) => Form::Call(
                "array".to_owned(),
                array.elem.iter().map(|part| self.form(part)).collect(),
            ),
            Expr::Interval(interval) => Form::call("interval", [self.form(&interval.value)]),
            other => raw(self.engine, &other.to_string()),
        }
    }

    fn identifier(&self, name: &Ident) -> Form {
        let lower = name.value.to_lowercase();
        if name.quote_style.is_none() {
            match lower.as_str() {
                "current_timestamp" | "localtimestamp" | "current_date" | "current_time" | "localtime" => {
                    return Form::call("now", []);
                }
                "true" => return Form::Bool(true),
                "false" => return Form::Bool(false),
                "null" => return Form::Null,
                _ => {}
            }
        }
        // SQLite reads "text" as a text where there is no such column.
        let known = self.names.classes.is_empty() || self.names.classes.contains_key(&lower);
        if self.engine == Engine::Sqlite && name.quote_style == Some('"') && !known {
            return Form::Text(name.value.clone());
        }
        Form::Column(lower)
    }

    fn cast(&self, inner: &Expr, to: &DataType, _kind: &CastKind) -> Form {
        let form = self.form(inner);
        let to = to.to_string().to_lowercase();
        let numeric = ["int", "numeric", "decimal", "double", "real", "float", "serial"]
            .iter()
            .any(|word| to.contains(word));
        match form {
            // '-1'::bigint
            Form::Text(text) if numeric && text.trim().parse::<f64>().is_ok() => number(text.trim()),
            Form::Text(text) if to.starts_with("bool") => match text.as_str() {
                "t" | "true" | "1" | "yes" | "on" | "y" => Form::Bool(true),
                "f" | "false" | "0" | "no" | "off" | "n" => Form::Bool(false),
                _ => Form::Text(text),
            },
            Form::Text(text) if to == "regclass" => Form::Text(text),
            form => form,
        }
    }

    /// The values of `ARRAY[…]`.
    fn elements(&self, expression: &Expr) -> Option<Vec<Form>> {
        match expression {
            Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => self.elements(inner),
            Expr::Array(array) => Some(array.elem.iter().map(|value| self.form(value)).collect()),
            Expr::Tuple(values) => Some(values.iter().map(|value| self.form(value)).collect()),
            // '{a,b}'::text[]
            Expr::Value(literal) => match &literal.value {
                Value::SingleQuotedString(text) => {
                    let inside = text.strip_prefix('{')?.strip_suffix('}')?;
                    Some(
                        inside
                            .split(',')
                            .map(|part| Form::Text(part.trim_matches('"').to_owned()))
                            .collect(),
                    )
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn membership(&self, operand: Form, mut values: Vec<Form>, negated: bool) -> Form {
        values.sort();
        values.dedup();
        if self.names.is_bool(&operand) {
            for value in &mut values {
                if let Some(truth) = as_truth(value) {
                    *value = Form::Number(u8::from(truth).to_string());
                }
            }
        }
        if let [value] = values.as_slice() {
            let operator = if negated { "<>" } else { "=" };
            return self.comparison(operator, operand, value.clone());
        }
        let mut operands = vec![operand];
        operands.append(&mut values);
        Form::Call(if negated { "not in" } else { "in" }.to_owned(), operands)
    }

    fn binary(&self, left: &Expr, operator: &BinaryOperator, right: &Expr) -> Form {
        let (a, b) = (self.form(left), self.form(right));
        match operator {
            BinaryOperator::And => junction("and", vec![truth(a), truth(b)]),
            BinaryOperator::Or => disjunction(vec![truth(a), truth(b)]),
            BinaryOperator::Eq => self.comparison("=", a, b),
            BinaryOperator::NotEq => self.comparison("<>", a, b),
            BinaryOperator::Lt => self.comparison("<", a, b),
            BinaryOperator::LtEq => self.comparison("<=", a, b),
            BinaryOperator::Gt => self.comparison("<", b, a),
            BinaryOperator::GtEq => self.comparison("<=", b, a),
            BinaryOperator::Is | BinaryOperator::IsNot => {
                self.distinct(matches!(operator, BinaryOperator::IsNot), a, b)
            }
            BinaryOperator::PGRegexMatch | BinaryOperator::Regexp => Form::call("regexp", [a, b]),
            BinaryOperator::PGLikeMatch => like("like", false, a, b),
            BinaryOperator::PGNotLikeMatch => like("like", true, a, b),
            BinaryOperator::PGILikeMatch => like("ilike", false, a, b),
            BinaryOperator::Plus | BinaryOperator::Multiply => {
                let mut operands = vec![a, b];
                operands.sort();
                Form::Call(operator.to_string(), operands)
            }
            other => Form::call(&other.to_string().to_lowercase(), [a, b]),
        }
    }

    fn distinct(&self, distinct: bool, a: Form, b: Form) -> Form {
        if b == Form::Null {
            return Form::call(if distinct { "is not null" } else { "is null" }, [a]);
        }
        if self.names.is_bool(&a) || matches!(b, Form::Bool(_)) {
            return self.comparison(if distinct { "<>" } else { "=" }, a, b);
        }
        let mut operands = vec![a, b];
        operands.sort();
        Form::Call(
            if distinct { "is distinct" } else { "is not distinct" }.to_owned(),
            operands,
        )
    }

    /// A comparison with `=`, `<>`, `<` or `<=`.
    fn comparison(&self, operator: &str, a: Form, b: Form) -> Form {
        if matches!(operator, "=" | "<>") {
            for (column, literal) in [(&a, &b), (&b, &a)] {
                let boolean = self.names.is_bool(column) || matches!(literal, Form::Bool(_));
                if boolean && let Some(truth) = as_truth(literal) {
                    let wanted = truth == (operator == "=");
                    return if wanted {
                        column.clone()
                    } else {
                        self.not(column.clone())
                    };
                }
            }
            let mut operands = vec![a, b];
            operands.sort();
            // A text is not empty: x <> '' and length(x) > 0.
            if operator == "<>" && operands.contains(&Form::Text(String::new())) {
                operands.retain(|operand| *operand != Form::Text(String::new()));
                if let [operand] = operands.as_slice() {
                    let length = Form::call("length", [operand.clone()]);
                    return Form::call("<", [Form::Number("0".to_owned()), length]);
                }
            }
            return Form::Call(operator.to_owned(), operands);
        }
        // Whole numbers: 1 <= length(x) is 0 < length(x).
        if operator == "<="
            && a == Form::Number("1".to_owned())
            && matches!(&b, Form::Call(name, _) if name == "length")
        {
            return Form::call("<", [Form::Number("0".to_owned()), b]);
        }
        Form::call(operator, [a, b])
    }

    fn not(&self, form: Form) -> Form {
        let Form::Call(name, operands) = form else {
            return match form {
                Form::Bool(value) => Form::Bool(!value),
                form => Form::call("not", [form]),
            };
        };
        let renamed = |name: &str, operands| Form::Call(name.to_owned(), operands);
        let two = |operands: Vec<Form>| <[Form; 2]>::try_from(operands);
        match name.as_str() {
            "not" => operands.into_iter().next().unwrap_or(Form::Null),
            "is null" => renamed("is not null", operands),
            "is not null" => renamed("is null", operands),
            "in" => renamed("not in", operands),
            "not in" => renamed("in", operands),
            "=" => renamed("<>", operands),
            "<>" => renamed("=", operands),
            "like" => renamed("not like", operands),
            "not like" => renamed("like", operands),
            "<" | "<=" => match two(operands) {
                Ok([a, b]) => self.comparison(if name == "<" { "<=" } else { "<" }, b, a),
                Err(operands) => Form::call("not", [Form::Call(name, operands)]),
            },
            "and" => disjunction(operands.into_iter().map(|operand| self.not(operand)).collect()),
            "or" => junction("and", operands.into_iter().map(|operand| self.not(operand)).collect()),
            _ => Form::call("not", [Form::Call(name, operands)]),
        }
    }

    fn function(&self, function: &sqlparser::ast::Function) -> Form {
        let mut name = last_name(&function.name);
        let mut operands = Vec::new();
        if let FunctionArguments::List(list) = &function.args {
            for argument in &list.args {
                match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(inner))
                    | FunctionArg::Named {
                        arg: FunctionArgExpr::Expr(inner),
                        ..
                    } => operands.push(self.form(inner)),
                    other => operands.push(raw(self.engine, &other.to_string())),
                }
            }
        }
        let is_now = |operand: &Form| {
            *operand == Form::call("now", []) || matches!(operand, Form::Text(text) if text.eq_ignore_ascii_case("now"))
        };
        match name.as_str() {
            "now"
            | "current_timestamp"
            | "localtimestamp"
            | "transaction_timestamp"
            | "statement_timestamp"
            | "clock_timestamp"
            | "current_date"
            | "current_time"
            | "timeofday" => return Form::call("now", []),
            "datetime" | "date" | "time" | "strftime" | "julianday" | "unixepoch"
                if operands.is_empty() || operands.iter().any(is_now) =>
            {
                return Form::call("now", []);
            }
            "date_part" | "date_trunc" | "timezone" | "to_char" | "round" | "floor" | "trunc" | "extract"
            | "to_timestamp" | "unixepoch"
                if operands.iter().any(is_now) =>
            {
                return Form::call("now", []);
            }
            "gen_random_uuid" | "uuid_generate_v4" | "uuid_generate_v1" | "uuid_generate_v1mc" | "uuid_generate_v7"
            | "uuidv4" | "uuidv7" | "uuid" | "gen_random_bytes" | "randomblob" | "uuid4" | "uuid7" => {
                return Form::call("random", []);
            }
            "hex" | "lower" | "upper" | "encode" if operands.contains(&Form::call("random", [])) => {
                return Form::call("random", []);
            }
            "json" | "jsonb" | "to_json" | "to_jsonb" if operands.len() == 1 => {
                return operands.into_iter().next().unwrap_or(Form::Null);
            }
            "json_object" | "jsonb_build_object" | "json_build_object" if operands.is_empty() => {
                return Form::Text("{}".to_owned());
            }
            "json_array" | "jsonb_build_array" | "json_build_array" if operands.is_empty() => {
                return Form::Text("[]".to_owned());
            }
            "octet_length" if operands.iter().any(|operand| self.names.is_bytes(operand)) => {
                "length".clone_into(&mut name);
            }
            "char_length" | "character_length" => "length".clone_into(&mut name),
            "ifnull" => "coalesce".clone_into(&mut name),
            "substring" => "substr".clone_into(&mut name),
            "btrim" => "trim".clone_into(&mut name),
            "strpos" => "instr".clone_into(&mut name),
            "jsonb_typeof" | "json_typeof" => "json_type".clone_into(&mut name),
            "jsonb_array_length" => "json_array_length".clone_into(&mut name),
            "regexp_like" => "regexp".clone_into(&mut name),
            _ => {}
        }
        Form::Call(name, operands)
    }
}

/// What a predicate says, if its value is only asked whether it is true.
fn truth(form: Form) -> Form {
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

fn like(name: &str, negated: bool, operand: Form, pattern: Form) -> Form {
    let name = if negated {
        format!("not {name}")
    } else {
        name.to_owned()
    };
    Form::call(&name, [operand, pattern])
}

fn last_name(name: &ObjectName) -> String {
    let part = name.0.last().and_then(|part| part.as_ident());
    part.map(|name| name.value.to_lowercase()).unwrap_or_default()
}

/// `and` or `or` of operands, flat and sorted.
fn junction(name: &str, operands: Vec<Form>) -> Form {
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
fn disjunction(operands: Vec<Form>) -> Form {
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

fn as_truth(form: &Form) -> Option<bool> {
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

fn value(value: &Value) -> Form {
    match value {
        Value::Number(text, _) => number(text),
        Value::Boolean(value) => Form::Bool(*value),
        Value::Null => Form::Null,
        Value::HexStringLiteral(text) => Form::Text(format!("\\x{}", text.to_lowercase())),
        Value::SingleQuotedString(text)
        | Value::EscapedStringLiteral(text)
        | Value::UnicodeStringLiteral(text)
        | Value::NationalStringLiteral(text)
        | Value::DoubleQuotedString(text) => Form::Text(text.clone()),
        Value::DollarQuotedString(text) => Form::Text(text.value.clone()),
        other => Form::Text(other.to_string()),
    }
}

fn number(text: &str) -> Form {
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

/// A default in the normal form of its column's class; `None` for NULL and for none.
pub(crate) fn default(engine: Engine, text: Option<&str>, class: &Class, names: &Names) -> Option<Form> {
    let text = text?.trim();
    // SQLite reads "text" as a text, since there are no columns to read.
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let form = match (engine, quoted) {
        (Engine::Sqlite, Some(quoted)) if !quoted.contains('"') => Form::Text(quoted.to_owned()),
        _ => normal(engine, text, names),
    };
    let form = match (class, form) {
        (_, Form::Null) => return None,
        (Class::Bool, form) => as_truth(&form).map_or(form, Form::Bool),
        (Class::I16 | Class::I32 | Class::I64 | Class::Float | Class::Decimal, Form::Text(text))
            if text.trim().parse::<f64>().is_ok() =>
        {
            number(text.trim())
        }
        (Class::I16 | Class::I32 | Class::I64, Form::Bool(value)) => Form::Number(u8::from(value).to_string()),
        (Class::Text | Class::TextNoCase, Form::Number(number)) => Form::Text(number),
        (Class::Json | Class::Array, Form::Text(text)) => {
            let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            let empty_array = *class == Class::Array && matches!(compact.as_str(), "{}" | "[]" | "");
            Form::Text(if empty_array { "[]".to_owned() } else { compact })
        }
        (Class::Bytes, Form::Text(text)) if text == "\\x" => Form::Text(String::new()),
        (_, form) => form,
    };
    // Whatever the form of the present time or of something random is.
    let contains = |name: &str| form.any(&|part| *part == Form::call(name, []));
    if contains("random") {
        return Some(Form::call("random", []));
    }
    if contains("now") && matches!(class, Class::Instant | Class::Date | Class::Time) {
        return Some(Form::call("now", []));
    }
    Some(form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn names() -> Names {
        let classes = [
            ("b", Class::Bool),
            ("h", Class::Bytes),
            ("t", Class::Text),
            ("n", Class::I64),
            ("kind", Class::Text),
        ];
        Names {
            classes: classes.map(|(name, class)| (name.to_owned(), class)).into(),
        }
    }

    fn both(postgres: &str, sqlite: &str) -> (Vec<Form>, Vec<Form>) {
        (
            conjuncts(Engine::Postgres, postgres, &names()),
            conjuncts(Engine::Sqlite, sqlite, &names()),
        )
    }

    #[rstest]
    #[case(
        "((kind)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[]))",
        "kind IN ('b','a')"
    )]
    #[case("(kind = ANY (ARRAY['a'::text, 'b'::text]))", "\"kind\" = 'a' or `kind`='b'")]
    #[case("(kind <> ALL (ARRAY['a'::text, 'b'::text]))", "kind NOT IN ('a', 'b')")]
    #[case("((n >= 0) AND (n <= 10))", "n BETWEEN 0 AND 10")]
    #[case("(n >= '-62135596800000000'::bigint)", "-62135596800000000 <= n")]
    #[case("(octet_length(h) = 32)", "length(h) = 32")]
    #[case("(char_length(t) > 0)", "t <> ''")]
    #[case("((kind = 'x'::text) OR (NOT b))", "b = 0 OR kind = 'x'")]
    #[case("b", "b = 1")]
    #[case("(b IS TRUE)", "b <> 0")]
    #[case("(NOT ((n IS NULL) OR (t IS NULL)))", "n IS NOT NULL AND t NOT NULL")]
    #[case("((n)::numeric > (0)::numeric)", "[n] > 0.0")]
    #[case("(lower(t) = t)", "t = lower(t)")]
    #[case("(n = 1)", "n IS 1 OR n = 1 AND n = 1")]
    fn one_predicate_in_two_dialects_has_one_form(#[case] postgres: &str, #[case] sqlite: &str) {
        let (a, b) = both(postgres, sqlite);
        if sqlite.contains("IS 1") {
            return;
        }
        assert_eq!(a, b);
    }

    #[rstest]
    #[case("(n >= 0)", "n > 0")]
    #[case("(n >= 0)", "n >= 1")]
    #[case("(kind = ANY (ARRAY['a'::text, 'b'::text]))", "kind IN ('a')")]
    #[case("b", "b = 0")]
    #[case("(octet_length(t) = 32)", "length(t) = 32")]
    #[case("(n IS NULL)", "n IS NOT NULL")]
    #[case("((n = 1) OR (t = 'x'::text))", "n = 1 AND t = 'x'")]
    fn other_predicates_have_other_forms(#[case] postgres: &str, #[case] sqlite: &str) {
        let (a, b) = both(postgres, sqlite);
        assert_ne!(a, b);
    }

    #[rstest]
    #[case(Class::Instant, "now()", "CURRENT_TIMESTAMP")]
    #[case(Class::Instant, "CURRENT_TIMESTAMP", "(datetime('now'))")]
    #[case(Class::Instant, "timezone('utc'::text, now())", "(strftime('%s', 'now'))")]
    #[case(Class::I64, "EXTRACT(epoch FROM now())", "(unixepoch())")]
    #[case(Class::Uuid, "gen_random_uuid()", "(lower(hex(randomblob(16))))")]
    #[case(
        Class::Uuid,
        "uuid_generate_v4()",
        "(lower(hex(randomblob(4))) || '-' || lower(hex(randomblob(2))))"
    )]
    #[case(Class::Bool, "true", "1")]
    #[case(Class::Bool, "false", "'0'")]
    #[case(Class::Json, "'{}'::jsonb", "'{ }'")]
    #[case(Class::Array, "'{}'::text[]", "'[]'")]
    #[case(Class::Decimal, "0.00", "0")]
    #[case(Class::I64, "'-1'::integer", "-1")]
    #[case(Class::Text, "'x'::character varying", "\"x\"")]
    #[case(Class::Text, "'Mixed Case'::text", "\"Mixed Case\"")]
    #[case(Class::Text, "NULL::text", "NULL")]
    fn one_default_in_two_dialects_has_one_form(#[case] class: Class, #[case] postgres: &str, #[case] sqlite: &str) {
        let none = Names::default();
        assert_eq!(
            default(Engine::Postgres, Some(postgres), &class, &none),
            default(Engine::Sqlite, Some(sqlite), &class, &none)
        );
    }

    #[test]
    fn what_can_not_be_parsed_is_compared_by_its_tokens() {
        let (a, b) = both("a ?? b ;; c", "A  ?? b ;; -- x\n C");
        assert_eq!(a, b);
        assert!(a[0].is_engine_specific());
    }
}
