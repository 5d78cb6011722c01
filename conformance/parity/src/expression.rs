//! Predicates, defaults and index expressions in one normal form, so that two dialects' texts can be compared.

mod form;
mod read;

use std::collections::BTreeMap;

use crate::classes::Class;
use crate::lexer::Engine;

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
