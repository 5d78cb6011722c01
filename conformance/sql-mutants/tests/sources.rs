//! The statements of a crate are found in all the ways it hands them to sqlx, and none is passed over.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use sql_mutants::{Catalog, Diff, Engine, Source, mutants};

fn read(engine: Engine, text: &str) -> Result<Source, String> {
    Source::parse(engine, &[(PathBuf::from("src/lib.rs"), text.to_owned())]).map_err(|error| error.to_string())
}

fn statements(engine: Engine, text: &str) -> Vec<String> {
    let source = read(engine, text).unwrap();
    source
        .statements
        .iter()
        .map(|statement| source.text(statement, &BTreeMap::new()))
        .collect()
}

#[test]
fn macros_and_functions_hand_statements_over() {
    let found = statements(
        Engine::Sqlite,
        r##"
        /// SELECT in a comment
        async fn f(pool: Pool) {
            sqlx::query!("SELECT a", 1).fetch_one(&pool);
            sqlx::query_as!(Row, r#"SELECT b"# + " FROM c", x);
            query_scalar!("SELECT d");
            sqlx::query_scalar::<_, i64>("PRAGMA e").fetch_one(&pool);
            pool.begin_with("BEGIN IMMEDIATE");
            log("nothing to do: SELECT");
        }
        const SHARED: &str = "SELECT f";
        #[cfg(test)]
        mod tests { const SQL: &str = "SELECT only in a test"; }
        "##,
    );
    assert_eq!(
        found,
        [
            "SELECT a",
            "SELECT b FROM c",
            "SELECT d",
            "PRAGMA e",
            "BEGIN IMMEDIATE",
            "SELECT f"
        ]
    );
}

const TEMPLATE: &str = r#"
    macro_rules! rows {
        ($rows:literal, $($argument:expr),*) => {
            sqlx::query_as!(Row, "SELECT a FROM (" + $rows + ") AS r ORDER BY a", $($argument),*)
        };
    }
    fn one() { rows!("SELECT a FROM b LIMIT 1", 1) }
    fn two() { rows!("SELECT a FROM c", 2, 3) }
"#;

#[test]
fn macro_of_the_crate_makes_a_statement_for_each_call() {
    assert_eq!(
        statements(Engine::Postgres, TEMPLATE),
        [
            "SELECT a FROM (SELECT a FROM b LIMIT 1) AS r ORDER BY a",
            "SELECT a FROM (SELECT a FROM c) AS r ORDER BY a"
        ]
    );
}

#[test]
fn what_statements_share_has_its_mutants_once() {
    let source = read(Engine::Postgres, TEMPLATE).unwrap();
    let names: Vec<String> = mutants(Engine::Postgres, &source, &Catalog::default())
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        names,
        [
            "src/lib.rs rows!: `ORDER BY a` lost",
            "src/lib.rs rows!: `ORDER BY a`: `a` descends",
            "src/lib.rs one: `LIMIT 1`: + 1",
            "src/lib.rs one: `LIMIT 1`: - 1",
            "src/lib.rs one: `LIMIT 1` lost",
        ]
    );
}

#[test]
fn equal_mutations_of_a_function_are_numbered() {
    let text = r#"fn f() { sqlx::query!("SELECT a FROM b LIMIT 0"); sqlx::query!("SELECT c FROM b LIMIT 0"); }"#;
    let source = read(Engine::Sqlite, text).unwrap();
    let names: Vec<String> = mutants(Engine::Sqlite, &source, &Catalog::default())
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        names,
        [
            "src/lib.rs f: `LIMIT 0`: + 1",
            "src/lib.rs f: `LIMIT 0` lost",
            "src/lib.rs f: `LIMIT 0`: + 1 (number 2)",
            "src/lib.rs f: `LIMIT 0` lost (number 2)",
        ]
    );
}

#[test]
fn builder_makes_a_statement_of_one_row() {
    let text = r#"
        fn f() {
            for chunk in rows {
                QueryBuilder::<Sqlite>::new("INSERT INTO a (b, c) ")
                    .push_values(chunk, |mut row, item| { row.push_bind(item.b).push_bind(item.c); })
                    .push(" ON CONFLICT DO NOTHING")
                    .build()
                    .execute(pool);
            }
        }
    "#;
    assert_eq!(
        statements(Engine::Sqlite, text),
        ["INSERT INTO a (b, c) VALUES (?, ?) ON CONFLICT DO NOTHING"]
    );
    assert_eq!(
        statements(Engine::Postgres, text),
        ["INSERT INTO a (b, c) VALUES ($1, $2) ON CONFLICT DO NOTHING"]
    );
}

#[test]
fn sql_that_is_not_understood_is_an_error_that_names_its_line() {
    for (text, expected) in [
        (
            "\nfn f() { SQL = \"SELECT 1\"; }",
            "src/lib.rs:2: this literal looks like SQL",
        ),
        (
            "fn f() { let sql = \"DELETE FROM a\"; }",
            "src/lib.rs:1: this literal looks like SQL",
        ),
        (
            "fn f() { run(format!(\"SELECT {}\", 1)) }",
            "src/lib.rs:1: this literal looks like SQL",
        ),
        ("fn f() { sqlx::query!(SQL) }", "is not made of string literals"),
        (
            "fn f() { let b = QueryBuilder::new(\"SELECT 1\"); }",
            "whose calls are not one chain",
        ),
        (
            "fn f() { QueryBuilder::new(\"SELECT \").separated(1).build(); }",
            "QueryBuilder::separated is not understood",
        ),
        (
            "macro_rules! m { ($a:expr) => { sqlx::query!($a.text) }; }",
            "is not made of string literals and arguments",
        ),
        (
            "fn f() { sqlx::query(text); }",
            "the statement of query() is no string literal",
        ),
        ("fn f( {", "not Rust"),
    ] {
        let error = read(Engine::Sqlite, text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn broken_statement_is_an_error() {
    let source = read(Engine::Sqlite, "fn f() { sqlx::query!(\"SELECT FROM WHERE\") }").unwrap();
    let error = mutants(Engine::Sqlite, &source, &Catalog::default()).unwrap_err();
    assert!(error.to_string().contains("not one SQL statement"), "{error}");
}

#[test]
fn diff_touches_the_statements_whose_lines_it_changes() {
    let text = "--- a/src/lib.rs\n+++ b/src/lib.rs\n@@ -3,4 +3,4 @@ fn f\n same\n-old\n+new\n same\n same\n@@ -20,0 +21,2 @@\n+a\n+b\n";
    let diff = Diff::parse(text);
    let file = PathBuf::from("src/lib.rs");
    for (lines, touched) in [
        (1..4, false),
        (4..5, true),
        (1..9, true),
        (5..21, false),
        (22..23, true),
        (23..30, false),
    ] {
        assert_eq!(diff.touches(&file, &lines), touched, "{lines:?}");
    }
    assert!(!diff.touches(&PathBuf::from("src/other.rs"), &(4..5)));
}
