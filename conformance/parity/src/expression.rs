//! Predicates, defaults and index expressions in one normal form, so that two dialects' texts can be compared.

mod clock;
mod form;
mod parse;
mod read;
mod without_case;

use std::collections::BTreeMap;

use crate::classes::Class;
use crate::engine::Engine;

pub(crate) use form::Form;
use form::{as_truth, number, truth};

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
    read::form(engine, text, names)
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

/// A CHECK as the set of predicates that all must hold. NULL satisfies each of them, so that `x IS NULL OR x > 1` is `x > 1`.
pub(crate) fn required(engine: Engine, text: &str, names: &Names) -> Vec<Form> {
    let mut required: Vec<Form> = conjuncts(engine, text, names)
        .into_iter()
        .flat_map(|conjunct| match form::without_null(conjunct) {
            Form::Call(name, operands) if name == "and" => operands,
            form => vec![form],
        })
        .collect();
    required.sort();
    required.dedup();
    required
}

/// What a predicate of [`required`] still requires if the parts of its alternatives that pass a test hold anyway.
pub(crate) fn without(form: &Form, holds: &impl Fn(&Form) -> bool) -> Vec<Form> {
    let alternatives = match form {
        Form::Call(name, operands) if name == "or" => operands,
        form => return vec![form.clone()],
    };
    let shorter = |alternative: &Form| match alternative {
        Form::Call(name, operands) if name == "and" => {
            let kept: Vec<Form> = operands.iter().filter(|operand| !holds(operand)).cloned().collect();
            if kept.is_empty() {
                alternative.clone()
            } else {
                form::junction("and", kept)
            }
        }
        alternative => alternative.clone(),
    };
    match form::without_null(form::disjunction(alternatives.iter().map(shorter).collect())) {
        Form::Call(name, operands) if name == "and" => operands,
        form => vec![form],
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
    // Whatever the form of something random is.
    if form.any(&|part| *part == Form::call("random", [])) {
        return Some(Form::call("random", []));
    }
    if !matches!(class, Class::Instant | Class::Date | Class::Time) {
        return Some(form);
    }
    let Some(present) = clock::present(&form) else {
        return Some(form);
    };
    // PostgreSQL's type keeps the day, or the time of day, of an instant; SQLite stores what it is given.
    let is_local = present.without_zone() != present;
    Some(match (engine, class) {
        (Engine::Postgres, Class::Date) => clock::today(),
        (Engine::Postgres, Class::Time) if is_local => clock::local(clock::time_of_day()),
        (Engine::Postgres, Class::Time) => clock::time_of_day(),
        _ => present,
    })
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
    #[case(Class::Instant, "now()", "(strftime('%Y-%m-%dT%H:%M:%fZ','now'))")]
    #[case(Class::Instant, "now()", "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '+00:00')")]
    #[case(Class::Instant, "now()", "(julianday('now'))")]
    #[case(
        Class::Instant,
        "now()",
        "(CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))"
    )]
    #[case(Class::Instant, "now()", "(CAST(strftime('%s','now') AS INTEGER))")]
    #[case(
        Class::Instant,
        "now()",
        "(strftime('%s', 'now') * 1000 + cast(substr(strftime('%f', 'now'), 4) as integer))"
    )]
    #[case(Class::Instant, "now()", "(unixepoch('subsec') * 1000)")]
    #[case(Class::Instant, "now()", "(datetime(CURRENT_TIMESTAMP))")]
    #[case(Class::Instant, "now()", "(datetime('now', 'utc'))")]
    #[case(Class::Instant, "date_trunc('second'::text, now())", "CURRENT_TIMESTAMP")]
    #[case(Class::Instant, "LOCALTIMESTAMP", "(datetime('now', 'localtime'))")]
    #[case(Class::Instant, "(now() + '1 day'::interval)", "(datetime('now', '+1 days'))")]
    #[case(Class::Instant, "(now() - '01:00:00'::interval)", "(datetime('now', '-1 hour'))")]
    #[case(Class::Date, "CURRENT_DATE", "(date('now'))")]
    #[case(Class::Date, "now()", "(strftime('%Y-%m-%d', 'now'))")]
    #[case(Class::Date, "(now() AT TIME ZONE 'utc'::text)", "CURRENT_DATE")]
    #[case(Class::Date, "('now'::text)::date", "current_date")]
    #[case(Class::Time, "CURRENT_TIME", "(time('now'))")]
    #[case(Class::Time, "now()", "CURRENT_TIME")]
    #[case(
        Class::I64,
        "floor((EXTRACT(epoch FROM now()) * (1000)::numeric))",
        "((julianday('now') - 2440587.5) * 86400000)"
    )]
    #[case(
        Class::Text,
        "to_char(now(), 'YYYY-MM-DD\"T\"HH24:MI:SS'::text)",
        "CURRENT_TIMESTAMP"
    )]
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

    #[rstest]
    #[case(Class::Instant, "(now() + '1 day'::interval)", "CURRENT_TIMESTAMP")]
    #[case(Class::Instant, "now()", "(datetime('now', '+1 day'))")]
    #[case(Class::Instant, "now()", "(datetime('now', 'localtime'))")]
    #[case(Class::Instant, "LOCALTIMESTAMP", "CURRENT_TIMESTAMP")]
    #[case(Class::Instant, "now()", "CURRENT_DATE")]
    #[case(Class::Date, "CURRENT_DATE", "CURRENT_TIMESTAMP")]
    #[case(Class::Time, "now()", "CURRENT_TIMESTAMP")]
    #[case(Class::Instant, "(now() + '1 day'::interval)", "(datetime('now', '+2 days'))")]
    fn other_defaults_have_other_forms(#[case] class: Class, #[case] postgres: &str, #[case] sqlite: &str) {
        let none = Names::default();
        assert_ne!(
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
