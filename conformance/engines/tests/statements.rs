//! Every statement of the engine crates is checked by the compiler, or stands on a list with the reason and a case that runs
//! it. That what the compiler checks against is the schema of today is for `just sqlx-check`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use node_storage_conformance::CASES;
use rstest::rstest;
use serde::Deserialize;
use sql_mutants::{Check, Engine, Source};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    statement: Vec<Unchecked>,
}

/// A statement that the compiler does not check.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    engine: String,
    text: String,
    reason: String,
    /// A case of the suite that runs it.
    case: Option<String>,
    /// A test of this crate or of the node that runs it, where no case can.
    test: Option<String>,
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn list() -> Vec<Unchecked> {
    let text = fs::read_to_string(workspace().join("storage/unchecked-statements.toml")).unwrap();
    toml::from_str::<List>(&text).unwrap().statement
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The statements of a source that the compiler does not check.
fn unchecked(source: &Source) -> BTreeSet<String> {
    source
        .statements
        .iter()
        .filter(|statement| statement.check == Check::Unchecked)
        .map(|statement| one_line(&source.text(statement, &BTreeMap::new())))
        .collect()
}

#[rstest]
#[case::postgres(Engine::Postgres, "postgres")]
#[case::sqlite(Engine::Sqlite, "sqlite")]
fn every_statement_is_checked_or_on_the_list(#[case] engine: Engine, #[case] name: &str) {
    // What looks like SQL and is handed to sqlx in no way that is known is an error here.
    let source = Source::read(engine, &workspace(), &Path::new("storage").join(name)).unwrap();
    let listed: BTreeSet<_> = list()
        .iter()
        .filter(|statement| statement.engine == name)
        .map(|statement| one_line(&statement.text))
        .collect();
    assert!(
        source.statements.len() > listed.len() + 10,
        "the sources of {name} are read"
    );
    assert_eq!(
        unchecked(&source),
        listed,
        "left: the statements of storage/{name} that no macro of sqlx checks; right: those in storage/unchecked-statements.toml"
    );
}

#[test]
fn every_entry_of_the_list_has_a_reason_and_a_test() {
    let tests: String = ["conformance/engines/tests", "node/tests"]
        .iter()
        .flat_map(|directory| fs::read_dir(workspace().join(directory)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for statement in list() {
        let Unchecked {
            engine,
            text,
            reason,
            case,
            test,
        } = statement;
        assert!(["postgres", "sqlite"].contains(&engine.as_str()), "{engine}: {text}");
        assert!(!reason.trim().is_empty(), "{text}");
        match (case, test) {
            (Some(case), None) => {
                assert!(CASES.iter().any(|known| known.to_string() == case), "{case}: {text}");
            }
            (None, Some(test)) => assert!(tests.contains(&format!("fn {test}(")), "{test}: {text}"),
            _ => panic!("{text}: give a case or a test"),
        }
    }
}

#[test]
fn statement_that_is_not_checked_is_found_however_it_is_handed_over() {
    let read = |text: &str| {
        let file = (PathBuf::from("src/lib.rs"), text.to_owned());
        Source::parse(Engine::Sqlite, &[file]).map(|source| unchecked(&source))
    };
    for (text, found) in [
        (r#"fn f() { sqlx::query!("SELECT 1") }"#, None),
        (r#"fn f() { sqlx::query("DELETE  FROM a") }"#, Some("DELETE FROM a")),
        (
            r#"fn f() { sqlx::query_as_unchecked!(R, "SELECT b") }"#,
            Some("SELECT b"),
        ),
        (r#"fn f(c: C) { c.execute("PRAGMA c") }"#, Some("PRAGMA c")),
    ] {
        assert_eq!(read(text).unwrap().first().map(String::as_str), found, "{text}");
    }
    for hidden in [
        r#"fn f(table: &str) { sqlx::query(&format!("DELETE FROM {table}")) }"#,
        r"fn f(text: String) { sqlx::raw_sql(AssertSqlSafe(text)) }",
    ] {
        assert!(read(hidden).is_err(), "{hidden}");
    }
}
