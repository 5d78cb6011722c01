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

#[tokio::test]
async fn defaults_of_the_present_are_alike_only_if_they_are_nothing_else() {
    if postgres_is_left_out() {
        return;
    }
    assert_cases(&[
        (
            "t timestamptz NOT NULL DEFAULT now() + interval '1 day'",
            "t datetime NOT NULL DEFAULT current_timestamp",
            &["column.t.default"],
            &[],
        ),
        (
            "t timestamptz DEFAULT now() + interval '1 day'",
            "t datetime DEFAULT (datetime('now', '+1 day'))",
            &[],
            &[],
        ),
        (
            "t timestamptz DEFAULT now()",
            "t datetime DEFAULT (datetime('now', 'localtime'))",
            &["column.t.default"],
            &[],
        ),
        (
            "t timestamp DEFAULT localtimestamp",
            "t datetime DEFAULT current_timestamp",
            &["column.t.default"],
            &[],
        ),
        (
            "d date DEFAULT current_date",
            "d date DEFAULT current_timestamp",
            &["column.d.default"],
            &[],
        ),
        (
            "t timestamptz DEFAULT localtimestamp",
            "t datetime DEFAULT current_timestamp",
            &[],
            &[],
        ),
        ("d date DEFAULT now()", "d date DEFAULT (date('now'))", &[], &[]),
        (
            "d date DEFAULT current_date",
            "d date DEFAULT (date('now', 'localtime'))",
            &[],
            &["column.d.default"],
        ),
        (
            "t timestamp DEFAULT now()",
            "t datetime DEFAULT current_timestamp",
            &[],
            &[],
        ),
        (
            "t timestamptz DEFAULT (now() AT TIME ZONE 'utc')",
            "t datetime DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))",
            &[],
            &[],
        ),
        (
            "t timestamptz DEFAULT now()",
            "t int DEFAULT (CAST(strftime('%s', 'now') AS INTEGER))",
            &["column.t.type"],
            &[],
        ),
        (
            "v smallint NOT NULL DEFAULT 0 PRIMARY KEY",
            "v INTEGER NOT NULL DEFAULT 0 PRIMARY KEY",
            &["column.v.default"],
            &["column.v.range"],
        ),
        (
            "v bigint NOT NULL DEFAULT length(md5('x')) PRIMARY KEY",
            "v INTEGER PRIMARY KEY",
            &[],
            &["column.v.default"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn indexes_are_judged_for_themselves_and_unique_ones_whatever_their_order() {
    if postgres_is_left_out() {
        return;
    }
    assert_cases(&[
        (
            "tags jsonb, name text; CREATE INDEX i0 ON TABLE USING gin (tags)",
            "tags json, name text; CREATE UNIQUE INDEX i0 ON TABLE (tags)",
            &["index.i0"],
            &["column.tags.range", "index.i0"],
        ),
        (
            "tags jsonb, name text; CREATE INDEX i1 ON TABLE USING gin (tags)",
            "tags json, name text; CREATE INDEX i1 ON TABLE (name)",
            &["index.i1"],
            &["column.tags.range", "index.i1"],
        ),
        (
            "tags jsonb; CREATE INDEX i2 ON TABLE USING gin (tags)",
            "tags json; CREATE INDEX i2 ON TABLE (tags)",
            &[],
            &["column.tags.range"],
        ),
        ("x int8, y int8, CONSTRAINT u3 UNIQUE (x, y)", "x int, y int, UNIQUE (y, x)", &["index.u3"], &[]),
        (
            "x int8, y int8; CREATE UNIQUE INDEX i4 ON TABLE (x, y)",
            "x int, y int; CREATE UNIQUE INDEX i4 ON TABLE (y, x)",
            &["index.i4"],
            &[],
        ),
        (
            "email text NOT NULL, name text NOT NULL UNIQUE; CREATE UNIQUE INDEX i5 ON TABLE (lower(email))",
            "email text NOT NULL, name text NOT NULL COLLATE nocase UNIQUE; CREATE UNIQUE INDEX i5 ON TABLE (lower(email))",
            &["column.name.collation"],
            &[],
        ),
        (
            "name text; CREATE INDEX i6 ON TABLE USING gin (to_tsvector('simple', name))",
            "name text; CREATE INDEX i6 ON TABLE (lower(name))",
            &[],
            &[],
        ),
        ("s text, t text CHECK (s = t)", "s text, t text CHECK (s = t COLLATE NOCASE)", &["check.s = t"], &[]),
        ("s text, t text CHECK (lower(s) = lower(t))", "s text, t text CHECK (s = t COLLATE NOCASE)", &[], &[]),
    ])
    .await;
    let comparison = of(
        "CREATE TABLE a (x int8, y int8, UNIQUE (x, y))",
        "CREATE TABLE a (x int, y int, UNIQUE (y, x))",
    )
    .await;
    assert_eq!(comparison.drifts[0].meaning, "the key's index serves other queries");
}

#[tokio::test]
async fn a_failed_statement_explains_only_what_it_would_have_made() {
    if postgres_is_left_out() {
        return;
    }
    let comparison = of(
        "CREATE TABLE a (n text NOT NULL); CREATE INDEX i ON a USING gin (n no_such_class);
         CREATE TABLE p (id int8 PRIMARY KEY); CREATE TABLE c (p int8 REFERENCES p (id));",
        "CREATE TABLE a (n text); CREATE INDEX i ON a (n);
         CREATE TABLE p (id no such type, PRIMARY); CREATE TABLE c (p int REFERENCES p (id));",
    )
    .await;
    let keys = |all: &[Difference]| -> Vec<String> { all.iter().map(|difference| difference.key.clone()).collect() };
    assert_eq!(keys(&comparison.drifts), ["column.a.n.null"]);
    assert_eq!(keys(&comparison.unjudged), ["foreign_key.c(p)", "index.a.i", "table.p"]);
}

#[tokio::test]
async fn what_only_postgres_enforces_is_said_as_it_is() {
    if postgres_is_left_out() {
        return;
    }
    assert_cases(&[
        (
            "id int8 PRIMARY KEY GENERATED ALWAYS AS IDENTITY",
            "id INTEGER PRIMARY KEY",
            &[],
            &["column.id.given"],
        ),
        (
            "a int8, b int8, PRIMARY KEY (a, b)",
            "a int NOT NULL, b int NOT NULL, PRIMARY KEY (a, b)",
            &[],
            &[],
        ),
        (
            "a int8, b int8, FOREIGN KEY (a, b) REFERENCES t1 MATCH FULL",
            "a int, b int, FOREIGN KEY (a, b) REFERENCES t1",
            &["foreign_key(a, b)"],
            &[],
        ),
        (
            "a int8, b int8, FOREIGN KEY (a, b) REFERENCES t1 ON DELETE SET NULL",
            "a int, b int, FOREIGN KEY (a, b) REFERENCES t1 ON DELETE SET NULL",
            &[],
            &[],
        ),
        ("b bool NOT NULL", "b BIT NOT NULL CHECK (b IN (0, 1))", &[], &[]),
        (
            "a int8, b int8, c int8, d int8, e int8",
            "a int",
            &["column.b", "column.c", "column.d", "column.e"],
            &[],
        ),
        (
            "during int4range, CONSTRAINT x6 EXCLUDE USING gist (during WITH &&)",
            "during text",
            &[],
            &["column.during.range", "index.(during)"],
        ),
    ])
    .await;
    let comparison = of(
        "CREATE TABLE a (id char(36) PRIMARY KEY, x int8, y int8, EXCLUDE USING gist (int8range(x, y) WITH &&));
         CREATE INDEX i ON a (x); CREATE INDEX j ON a (x, y);
         CREATE TABLE b (x int8, y int8, z int8, s text);",
        "CREATE TABLE a (id text NOT NULL PRIMARY KEY, x int, y int); CREATE INDEX i ON a (x);
         CREATE TABLE b (v int);",
    )
    .await;
    let meaning = |key: &str| {
        let all = comparison.drifts.iter().chain(&comparison.notes);
        all.filter(|difference| difference.key.starts_with(key))
            .map(|difference| difference.meaning.as_str())
            .collect::<Vec<_>>()
            .join("; ")
    };
    assert_eq!(meaning("index.a.j"), "SQLite has to answer its queries from (x)");
    assert!(meaning("check.a.length(id)").contains("pads shorter ones with blanks"));
    assert!(meaning("index.a.(int8range").contains("refuses rows that exclude each other"));
    assert!(
        comparison
            .drifts
            .iter()
            .any(|drift| drift.group.as_deref() == Some("columns of b that SQLite lacks"))
    );
    assert!(
        comparison
            .drifts
            .iter()
            .any(|drift| drift.key == "column.b.v" && drift.group.is_none()),
        "one column is no convention"
    );
}
