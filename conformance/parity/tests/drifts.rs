//! Pairs of small tables: the differences that a caller sees are drifts, and other spellings of one thing are none.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

mod common;

use std::fs;

use common::{load_directory, postgres_is_left_out};
use dialect_parity::Engine::{Postgres, Sqlite};
use dialect_parity::{Comparison, Config, Difference, compare};

/// Compares two sides of one file each.
async fn of(postgres: &str, sqlite: &str) -> Comparison {
    let mut loaded = Vec::new();
    for (engine, text) in [(Postgres, postgres), (Sqlite, sqlite)] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("1_a.sql"), text).unwrap();
        loaded.push(load_directory(engine, directory.path()).await);
    }
    compare(&loaded[0], &loaded[1], &Config::default())
}

/// Columns of a table: PostgreSQL's, SQLite's, and the keys of the drifts and of the notes that they must give.
type Case = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

/// Puts each case into a table of its own, `t0`, `t1`, …, and compares all of them at once. `TABLE` stands for the table's name.
async fn assert_cases(cases: &[Case]) {
    let (mut postgres, mut sqlite) = (String::new(), String::new());
    for (at, (ours, theirs, ..)) in cases.iter().enumerate() {
        for (text, side) in [(&mut postgres, ours), (&mut sqlite, theirs)] {
            let (columns, more) = side.split_once("; ").unwrap_or((side, ""));
            let statement = format!(
                "CREATE TABLE t{at} ({columns});\n{};\n",
                more.replace("TABLE", &format!("t{at}"))
            );
            text.push_str(&statement);
        }
    }
    let comparison = of(&postgres, &sqlite).await;
    assert!(!comparison.incomplete, "{:?}", comparison.unjudged);
    let mut wrong = Vec::new();
    for (at, (ours, theirs, drifts, notes)) in cases.iter().enumerate() {
        let prefix = format!(".t{at}");
        let of_table = |all: &[Difference]| -> Vec<String> {
            all.iter()
                .filter_map(|difference| {
                    let (kind, rest) = difference.key.split_once(&prefix)?;
                    let own = rest.is_empty() || rest.starts_with(['.', '(']);
                    own.then(|| format!("{kind}{rest}"))
                })
                .collect()
        };
        let found = (of_table(&comparison.drifts), of_table(&comparison.notes));
        if found.0 != *drifts || found.1 != *notes {
            wrong.push(format!(
                "{ours}\n{theirs}\n  expected {drifts:?}, notes {notes:?}\n  found    {found:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn checks_that_the_parser_can_not_read_are_drifts_on_one_side_and_notes_on_both() {
    if postgres_is_left_out() {
        return;
    }
    assert_cases(&[
        (
            "s text, n bigint",
            "s text, n int, CHECK (s NOT GLOB 'a*' AND length(s) < 10)",
            &["check.length(s) < 10", "check.not (s glob 'a*')"],
            &[],
        ),
        (
            "n bigint",
            "n int CHECK (n ISNULL OR n BETWEEN 1 AND 3)",
            &["check.1 <= n", "check.n <= 3"],
            &[],
        ),
        (
            "n bigint CHECK (n IS NULL OR n BETWEEN 1 AND 3)",
            "n int CHECK (n ISNULL OR n BETWEEN 1 AND 3)",
            &[],
            &[],
        ),
        (
            "n bigint CHECK (n BETWEEN 1 AND 3)",
            "n int CHECK (n NOTNULL AND n BETWEEN 1 AND 3)",
            &["check.n is not null"],
            &[],
        ),
        (
            "s text CHECK (s ~ '^[a-z]+$')",
            "s text CHECK (s NOT GLOB '*[^a-z]*')",
            &[],
            &["check.s regexp '^[a-z]+$'"],
        ),
        (
            "s text, t text",
            "s text, t text, CHECK (s NOT MATCH t)",
            &["check.s not match t"],
            &[],
        ),
        (
            "s text, t text CHECK (length(s) > 1)",
            "s text, t text, CHECK (s NOT MATCH t)",
            &[],
            &["check.1 < length(s)"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn checks_on_json_dates_and_numbers_count_unless_they_only_catch_up_with_the_type() {
    if postgres_is_left_out() {
        return;
    }
    assert_cases(&[
        ("w jsonb", "w text CHECK (json_valid(w)) CHECK (json_type(w) = 'object')", &["check.'object' = json_type(w)"], &[]),
        ("w jsonb", "w text CHECK (w IS NULL OR json_valid(w) = 1 AND json_array_length(w) <= 3)", &["check.json_array_length(w) <= 3"], &[]),
        ("w text[]", "w text CHECK (json_valid(w) AND json_type(w) = 'array')", &[], &["column.w.range"]),
        ("d date", "d date CHECK (strftime('%Y', d) >= '2000')", &["check.'2000' <= strftime('%Y', d)"], &[]),
        ("d date", "d date CHECK (d IS date(d)) CHECK (date(d) IS NOT NULL) CHECK (d GLOB '[0-9][0-9][0-9][0-9]-[0-9]*' AND length(d) = 10)", &[], &[]),
        ("d date", "d date CHECK (d LIKE '2024-%')", &["check.d like '2024-%'"], &[]),
        ("n bigint", "n int CHECK (n > 5 OR typeof(n) = 'null')", &["check.5 < n"], &[]),
        ("n bigint CHECK (n > 5)", "n int CHECK (n > 5 AND typeof(n) = 'integer' OR typeof(n) = 'null')", &[], &[]),
        ("n bigint", "n int CHECK (typeof(n) IN ('integer', 'null'))", &[], &[]),
    ])
    .await;
}
