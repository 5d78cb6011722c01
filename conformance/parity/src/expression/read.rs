//! From the text of a dialect to the normal form.

use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, InTarget,
    ObjectName, UnaryOperator, Value,
};

use super::Names;
use super::clock::{self, is_now, is_utc};
use super::form::{Form, Unread, as_truth, disjunction, junction, number, truth};
use super::parse::parse;
use super::without_case::{NO_CASE, folded, in_lower_case};
use crate::engine::Engine;
use crate::lexer::{self, Kind};

/// What the text says; its tokens, where it can't be parsed.
pub(super) fn form(engine: Engine, text: &str, names: &Names) -> Form {
    match parse(engine, text) {
        Some(expression) => in_lower_case(Normalizer { engine, names }.form(&expression)),
        None => raw(engine, text, names),
    }
}

fn raw(engine: Engine, text: &str, names: &Names) -> Form {
    let tokens = lexer::tokens(engine, text);
    let words: Vec<String> = tokens
        .iter()
        .map(|token| match token.kind {
            Kind::Word | Kind::Quoted => token.text.to_lowercase(),
            _ => token.text.clone(),
        })
        .collect();
    let columns = words.iter().filter(|word| names.classes.contains_key(*word));
    Form::Raw(Unread {
        columns: columns.cloned().collect(),
        text: words.join(" "),
    })
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
            Expr::Collate { expr, collation } if last_name(collation) == "nocase" => {
                Form::call(NO_CASE, [self.form(expr)])
            }
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
            // What `NOT GLOB` was rewritten to.
            Expr::SimilarTo {
                negated, expr, pattern, ..
            } if self.engine == Engine::Sqlite => {
                let glob = Form::call("glob", [self.form(expr), self.form(pattern)]);
                if *negated { self.not(glob) } else { glob }
            }
            Expr::RLike {
                negated, expr, pattern, ..
            } => {
                let regexp = Form::call("regexp", [self.form(expr), self.form(pattern)]);
                if *negated { self.not(regexp) } else { regexp }
            }
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
                let field = field.to_string().to_lowercase();
                if field == "epoch" && is_now(&operand) {
                    operand
                } else {
                    Form::call("extract", [Form::Text(field), operand])
                }
            }
            Expr::AtTimeZone { timestamp, time_zone } => {
                let (zone, operand) = (self.form(time_zone), self.form(timestamp));
                if is_utc(&zone) {
                    operand
                } else {
                    Form::call("timezone", [zone, operand])
                }
            }
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
            Expr::Floor { expr, .. } | Expr::Ceil { expr, .. } => {
                let name = if matches!(expression, Expr::Floor { .. }) {
                    "floor"
                } else {
                    "ceil"
                };
                match self.form(expr) {
                    operand if operand.reads_clock() => operand,
                    operand => Form::call(name, [operand]),
                }
            }
            Expr::Interval(interval) => Form::call("interval", [self.form(&interval.value)]),
            other => raw(self.engine, &other.to_string(), self.names),
        }
    }

    fn identifier(&self, name: &Ident) -> Form {
        let lower = name.value.to_lowercase();
        if name.quote_style.is_none() {
            match lower.as_str() {
                "current_timestamp" => return clock::now(),
                "localtimestamp" => return clock::local(clock::now()),
                "current_date" => return clock::today(),
                "current_time" => return clock::time_of_day(),
                "localtime" => return clock::local(clock::time_of_day()),
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
            form if self.engine == Engine::Postgres && is_now(&form) => match to.as_str() {
                "date" => clock::today(),
                to if to.starts_with("timestamp") => clock::now(),
                to if to.starts_with("time") => clock::time_of_day(),
                _ => form,
            },
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

    fn membership(&self, operand: Form, values: Vec<Form>, negated: bool) -> Form {
        let mut values: Vec<Form> = values
            .into_iter()
            .map(|value| folded(operand.clone(), value).1)
            .collect();
        let operand = in_lower_case(operand);
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
        if matches!(operator, BinaryOperator::Plus | BinaryOperator::Minus)
            && a.reads_clock()
            && let Form::Text(length) = &b
        {
            return Form::call(&operator.to_string(), [a, Form::Text(clock::interval(length))]);
        }
        if *operator == BinaryOperator::Multiply
            && let Some(form) = unix_time(&a, &b)
        {
            return form;
        }
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
            BinaryOperator::PGRegexNotMatch => self.not(Form::call("regexp", [a, b])),
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
        let (a, b) = folded(a, b);
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
        let (a, b) = folded(a, b);
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
            for (call, literal) in [(&a, &b), (&b, &a)] {
                if *literal == Form::Text("null".to_owned())
                    && let Form::Call(name, of) = call
                    && name == "typeof"
                {
                    let test = if operator == "=" { "is null" } else { "is not null" };
                    return Form::Call(test.to_owned(), of.clone());
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
                    other => operands.push(raw(self.engine, &other.to_string(), self.names)),
                }
            }
        }
        match name.as_str() {
            "now"
            | "current_timestamp"
            | "transaction_timestamp"
            | "statement_timestamp"
            | "clock_timestamp"
            | "timeofday" => return clock::now(),
            "localtimestamp" => return clock::local(clock::now()),
            "current_date" => return clock::today(),
            "current_time" => return clock::time_of_day(),
            "localtime" => return clock::local(clock::time_of_day()),
            "datetime" | "date" | "time" | "strftime" | "julianday" | "unixepoch" => {
                if let Some(form) = clock::of_function(&name, &operands) {
                    return form;
                }
            }
            "timezone" if operands.first().is_some_and(is_utc) && operands.len() == 2 => {
                return operands.pop().unwrap_or(Form::Null);
            }
            "date_part" | "date_trunc" | "to_char" if operands.iter().any(is_now) => match operands.as_slice() {
                [Form::Text(unit), _] if matches!(unit.as_str(), "day" | "days") => return clock::today(),
                [Form::Text(unit), _]
                    if matches!(
                        unit.as_str(),
                        "epoch" | "second" | "seconds" | "milliseconds" | "microseconds"
                    ) =>
                {
                    return clock::now();
                }
                [_, Form::Text(format)] if !format.contains("HH") && format.contains("DD") => return clock::today(),
                [_, Form::Text(format)] if format.contains("HH") && format.contains("DD") => return clock::now(),
                _ => {}
            },
            "round" | "floor" | "trunc" | "ceil" | "to_timestamp"
                if operands.first().is_some_and(Form::reads_clock) =>
            {
                return operands.swap_remove(0);
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
/// `(julianday('now') - 2440587.5) * 86400` in seconds, milliseconds or microseconds.
fn unix_time(a: &Form, b: &Form) -> Option<Form> {
    let days = Form::call("-", [clock::now(), Form::Number("2440587.5".to_owned())]);
    let factor = match (a, b) {
        (Form::Number(factor), other) | (other, Form::Number(factor)) if *other == days => factor,
        _ => return None,
    };
    let in_seconds = |units: &str| Some(Form::call("*", [Form::Number(units.to_owned()), clock::now()]));
    match factor.as_str() {
        "86400" => Some(clock::now()),
        "86400000" => in_seconds("1000"),
        "86400000000" => in_seconds("1000000"),
        _ => None,
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
