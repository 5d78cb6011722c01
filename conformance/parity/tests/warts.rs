//! What real histories bring along: statements that fail, that are for the server, that only one engine has.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{drifts, postgres_is_left_out};
use dialect_parity::{Comparison, Config, Engine, Error, Loaded, Options, Side, compare, load};
use tempfile::TempDir;

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

async fn side(engine: Engine, directory: &Path) -> Result<Loaded, Error> {
    load(
        engine,
        &Side::parse(engine, directory.to_str().unwrap()).unwrap(),
        &Options::default(),
    )
    .await
}

async fn both(postgres: &[(&str, &str)], sqlite: &[(&str, &str)]) -> (Loaded, Loaded, Comparison) {
    let (postgres, sqlite) = (directory(postgres), directory(sqlite));
    let postgres = side(Engine::Postgres, postgres.path()).await.unwrap();
    let sqlite = side(Engine::Sqlite, sqlite.path()).await.unwrap();
    let comparison = compare(&postgres, &sqlite, &Config::default());
    (postgres, sqlite, comparison)
}

#[tokio::test]
async fn a_statement_that_fails_is_named_with_its_line_and_the_rest_is_compared() {
    if postgres_is_left_out() {
        return;
    }
    let (postgres, sqlite, comparison) = both(
        &[(
            "1_a.sql",
            "CREATE TABLE a (id BIGINT PRIMARY KEY, x TEXT, y TEXT);\n\nALTER TABLE a\n  ADD COLUMN v no_such_type;\nCREATE TABLE b (id BIGINT PRIMARY KEY);\n\
             INSERT INTO nowhere VALUES (1);",
        )],
        &[(
            "1_a.sql",
            "CREATE TABLE a (id INTEGER PRIMARY KEY, x TEXT NOT NULL, y TEXT, v TEXT);\nCREATE TABLE b (id INTEGER PRIMARY KEY);\n\
             CREATE INDEX i ON a (no_such_column);",
        )],
    )
    .await;
    let shown: Vec<String> = postgres
        .schema
        .failures
        .iter()
        .map(|failure| format!("{} {} {}", failure.origin, failure.changes_schema, failure.error))
        .collect();
    assert_eq!(
        shown,
        [
            "1_a.sql:3 true type \"no_such_type\" does not exist",
            "1_a.sql:6 false relation \"nowhere\" does not exist"
        ]
    );
    assert_eq!(sqlite.schema.failures[0].origin.line, Some(3));
    assert!(comparison.incomplete && !comparison.is_alike());
    // What the failure explains is not judged, what it does not explain is.
    assert_eq!(drifts(&comparison), ["column.a.x.null"]);
    assert_eq!(comparison.unjudged[0].key, "column.a.v");
}

#[tokio::test]
async fn rows_that_fail_are_named_one_by_one_and_the_comparison_is_complete() {
    if postgres_is_left_out() {
        return;
    }
    let rows = "INSERT INTO a VALUES (1);\nINSERT INTO nowhere VALUES (1);\nINSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2);";
    let (postgres, sqlite, comparison) = both(
        &[("1_a.sql", &format!("CREATE TABLE a (id BIGINT PRIMARY KEY);\n{rows}"))],
        &[("1_a.sql", &format!("CREATE TABLE a (id INTEGER PRIMARY KEY);\n{rows}"))],
    )
    .await;
    for loaded in [&postgres, &sqlite] {
        let lines: Vec<_> = loaded
            .schema
            .failures
            .iter()
            .map(|failure| failure.origin.line)
            .collect();
        assert_eq!(lines, [Some(3), Some(4)], "{:?}", loaded.schema.failures);
    }
    assert!(comparison.is_alike(), "{comparison:#?}");
}

#[tokio::test]
async fn what_would_change_the_server_is_not_run_and_named() {
    if postgres_is_left_out() {
        return;
    }
    let (postgres, _, comparison) = both(
        &[(
            "1_a.sql",
            "BEGIN;\nCREATE ROLE dialect_parity_must_not_exist;\nDO $$ BEGIN CREATE USER dialect_parity_must_not_exist; END $$;\n\
             CREATE TABLE a (id INT PRIMARY KEY);\nGRANT ALL ON a TO nobody_there;\nALTER TABLE a OWNER TO nobody_there;\n\
             COMMENT ON TABLE a IS 'x';\nLOCK TABLE a;\nCOMMIT;\nSELECT pg_catalog.set_config('search_path', '', false);",
        ), ("2_b.sql", "CREATE TABLE b (id INT PRIMARY KEY);")],
        &[("1_a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);"), ("2_b.sql", "CREATE TABLE b (id INTEGER PRIMARY KEY);")],
    )
    .await;
    assert_eq!(postgres.schema.skipped.len(), 2, "{:?}", postgres.schema.skipped);
    assert!(postgres.schema.skipped[0].starts_with("1_a.sql:2: "));
    assert!(comparison.is_alike(), "{comparison:#?}");
}

#[tokio::test]
async fn what_only_one_engine_can_have_is_no_drift() {
    if postgres_is_left_out() {
        return;
    }
    let (postgres, sqlite, comparison) = both(
        &[(
            "1_a.sql",
            "\u{feff}CREATE EXTENSION IF NOT EXISTS pg_trgm;\r\n\
             CREATE TABLE a (id INT PRIMARY KEY, body TEXT, words TSVECTOR, during INT4RANGE);\r\n\
             CREATE INDEX a_trigrams ON a USING gin (body gin_trgm_ops);\r\n\
             CREATE INDEX a_words ON a USING gin (words);\r\n\
             CREATE TABLE p (id INT, day DATE) PARTITION BY RANGE (day);\r\n\
             CREATE TABLE p_2020 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');\r\n\
             ALTER TABLE a ADD CONSTRAINT a_body CHECK (body <> 'no') NOT VALID;\r\n\
             ALTER TABLE a ADD CONSTRAINT a_no_overlap EXCLUDE USING gist (during WITH &&);\r\n\
             CREATE MATERIALIZED VIEW m AS SELECT id, body FROM a;\r\n\
             CREATE FUNCTION a_update() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN NEW.words := to_tsvector(NEW.body)::tsvector; RETURN NEW; END $f$;\r\n\
             CREATE TRIGGER a_words BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION a_update();\r\n\
             ALTER TABLE a ENABLE ROW LEVEL SECURITY;\r\n\
             CREATE POLICY a_all ON a USING (true);\r\n",
        )],
        &[(
            "1_a.sql",
            "CREATE TABLE a (id INTEGER NOT NULL PRIMARY KEY, body TEXT CHECK (body != 'no'), during TEXT);\n\
             CREATE VIRTUAL TABLE a_search USING fts5 (body);\n\
             CREATE TRIGGER a_insert AFTER INSERT ON a BEGIN INSERT INTO a_search VALUES (new.body); END;\n\
             CREATE TABLE p (id INTEGER, day DATE);\n\
             CREATE VIEW m AS SELECT id, body FROM a;",
        )],
    )
    .await;
    assert_eq!(
        postgres.schema.failures.len() + sqlite.schema.failures.len(),
        0,
        "{:#?}",
        postgres.schema.failures
    );
    assert_eq!(drifts(&comparison), Vec::<String>::new());
    let others: Vec<String> = postgres.schema.others.iter().map(|other| other.kind.clone()).collect();
    for kind in ["exclusion constraint", "extension", "function", "partition", "policy"] {
        assert!(others.contains(&kind.to_owned()), "{kind} is named: {others:?}");
    }
}

#[tokio::test]
async fn a_rebuilt_table_that_others_no_longer_refer_to_is_a_drift() {
    if postgres_is_left_out() {
        return;
    }
    let (_, sqlite, comparison) = both(
        &[("1_a.sql", "CREATE TABLE a (id BIGINT PRIMARY KEY); CREATE TABLE b (a BIGINT REFERENCES a (id));")],
        &[
            ("1_a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER REFERENCES a (id));"),
            (
                "2_rebuild.sql",
                "ALTER TABLE a RENAME TO a_old; CREATE TABLE a (id INTEGER PRIMARY KEY, n TEXT COLLATE some_collation); DROP TABLE a_old;",
            ),
        ],
    )
    .await;
    assert!(sqlite.schema.failures.is_empty());
    assert_eq!(drifts(&comparison), ["column.a.n", "foreign_key.b(a)", "migration.2"]);
    assert!(
        comparison.drifts[1].meaning.contains("there is no table a_old"),
        "{}",
        comparison.drifts[1].meaning
    );
}

#[tokio::test]
async fn an_index_that_a_rebuilt_table_lost_names_the_file_that_lost_it() {
    if postgres_is_left_out() {
        return;
    }
    let (_, _, comparison) = both(
        &[(
            "1_a.sql",
            "CREATE TABLE a (id BIGINT PRIMARY KEY, b TEXT); CREATE INDEX i ON a (b);",
        )],
        &[
            (
                "1_a.sql",
                "CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT); CREATE INDEX i ON a (b);",
            ),
            (
                "2_rebuild.sql",
                "CREATE TABLE c (id INTEGER PRIMARY KEY, b TEXT);\nDROP TABLE a;\nALTER TABLE c RENAME TO a;",
            ),
        ],
    )
    .await;
    let lost = comparison.drifts.iter().find(|drift| drift.key == "index.a.i").unwrap();
    assert_eq!(lost.postgres_origin.as_deref(), Some("1_a.sql:1"));
    assert!(
        lost.sqlite_origin
            .as_deref()
            .unwrap()
            .starts_with("lost in 2_rebuild.sql"),
        "{lost:?}"
    );
}

#[tokio::test]
async fn a_side_without_a_table_is_an_error_that_says_why() {
    let empty = directory(&[("1_a.sql", "CREATE TABEL a (b int);")]);
    let error = side(Engine::Sqlite, empty.path()).await.unwrap_err().to_string();
    assert!(
        error.contains("without a table") && error.contains("1_a.sql:1"),
        "{error}"
    );
}

#[tokio::test]
async fn files_without_numbers_may_need_each_other() {
    if postgres_is_left_out() {
        return;
    }
    let (postgres, sqlite, comparison) = both(
        &[
            ("a.sql", "CREATE TABLE a (b INT REFERENCES b (id));"),
            ("b.sql", "CREATE TABLE b (id INT PRIMARY KEY);"),
        ],
        &[
            ("a.sql", "CREATE TABLE a (b INT REFERENCES b (id));"),
            ("b.sql", "CREATE TABLE b (id INTEGER PRIMARY KEY);"),
        ],
    )
    .await;
    assert!(postgres.schema.failures.is_empty() && sqlite.schema.failures.is_empty());
    assert!(comparison.is_alike(), "{comparison:#?}");
}

#[tokio::test]
async fn a_prelude_stands_in_for_what_the_program_registers_and_a_pattern_names_other_layouts() {
    if postgres_is_left_out() {
        return;
    }
    let files = directory(&[
        ("first.ddl", "CREATE TABLE a (id TEXT PRIMARY KEY DEFAULT next_ulid());"),
        ("notes.txt", "CREATE TABLE b (c INT);"),
        (
            "stand-in.sql",
            "CREATE FUNCTION next_ulid() RETURNS text LANGUAGE sql AS 'SELECT md5(random()::text)';",
        ),
    ]);
    let options = Options {
        glob: Some("*.ddl".to_owned()),
        preludes: vec![files.path().join("stand-in.sql")],
    };
    let side = Side::parse(Engine::Postgres, files.path().to_str().unwrap()).unwrap();
    let loaded = load(Engine::Postgres, &side, &options).await.unwrap();
    assert!(loaded.schema.failures.is_empty(), "{:?}", loaded.schema.failures);
    assert_eq!(loaded.schema.tables.keys().collect::<Vec<_>>(), ["a"]);
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dialect-parity"))
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn the_command_ends_with_0_for_alike_1_for_drift_2_for_usage() {
    if postgres_is_left_out() {
        return;
    }
    let postgres = directory(&[("1_a.sql", "CREATE TABLE a (id INT PRIMARY KEY, b TEXT);")]);
    let alike = directory(&[("1_a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT);")]);
    let other = directory(&[("1_a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY, b TEXT NOT NULL);")]);
    let nothing = directory(&[("1_a.sql", "SELECT 1;")]);
    let path = |directory: &TempDir| directory.path().to_str().unwrap().to_owned();
    let schema = |sqlite: &TempDir, more: &[&str]| {
        let (postgres, sqlite) = (path(&postgres), path(sqlite));
        let mut arguments = vec!["schema", "--postgres", &postgres, "--sqlite", &sqlite];
        arguments.extend(more);
        run(&arguments)
    };
    assert_eq!(schema(&alike, &[]).status.code(), Some(0));
    let drift = schema(&other, &[]);
    assert_eq!(drift.status.code(), Some(1));
    let text = String::from_utf8(drift.stdout).unwrap();
    assert!(
        text.contains("column a.b: SQLite refuses NULL here, PostgreSQL stores it"),
        "{text}"
    );
    assert!(text.contains("[1_a.sql:1]"), "{text}");
    assert!(
        text.contains("PostgreSQL: 1 table, 0 views") && text.contains("1 drift in 1 line,"),
        "{text}"
    );
    assert_eq!(schema(&nothing, &[]).status.code(), Some(2));
    assert_eq!(
        run(&["schema", "--postgres", "/does/not/exist", "--sqlite", &path(&alike)])
            .status
            .code(),
        Some(2)
    );
    assert_eq!(
        run(&["schema", "--postgres", "mysql://x/y", "--sqlite", &path(&alike)])
            .status
            .code(),
        Some(2)
    );

    // Today's differences are recorded; an entry that no longer matches fails.
    let config = alike.path().join("parity.toml");
    let config = config.to_str().unwrap();
    assert_eq!(schema(&other, &["--config", config]).status.code(), Some(2));
    assert_eq!(
        schema(&other, &["--config", config, "--write-allow"]).status.code(),
        Some(0)
    );
    assert_eq!(schema(&other, &["--config", config]).status.code(), Some(0));
    let probe = run(&[
        "probe",
        "--postgres",
        &path(&postgres),
        "--sqlite",
        &path(&alike),
        "--config",
        config,
    ]);
    assert_eq!(
        probe.status.code(),
        Some(0),
        "an entry for the schema is not one for a probe"
    );
    let stale = schema(&alike, &["--config", config, "--json"]);
    assert_eq!(stale.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&stale.stdout).unwrap();
    assert_eq!(json["comparison"]["stale"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_one_side_does_everywhere_is_one_line() {
    if postgres_is_left_out() {
        return;
    }
    let (postgres, sqlite, comparison) = both(
        &[(
            "1_a.sql",
            "CREATE TABLE a (id BIGINT PRIMARY KEY, x TEXT, y TEXT);
             CREATE TABLE b (id BIGINT PRIMARY KEY REFERENCES a, a_id BIGINT REFERENCES a, z TEXT);",
        )],
        &[(
            "1_a.sql",
            "CREATE TABLE a (id INTEGER PRIMARY KEY, x TEXT COLLATE NOCASE, y TEXT COLLATE NOCASE);
             CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER, z TEXT COLLATE NOCASE);",
        )],
    )
    .await;
    let report = dialect_parity::report::text(&comparison, &postgres, &sqlite, false);
    let lines: Vec<&str> = report.lines().filter(|line| line.starts_with("drift")).collect();
    assert_eq!(lines.len(), 2, "{report}");
    assert!(lines[0].contains("3 × columns with COLLATE NOCASE"), "{report}");
    assert!(
        lines[1].contains("2 × foreign keys, of which SQLite has none at all"),
        "{report}"
    );
}

#[tokio::test]
async fn column_that_sqlite_numbers_is_not_said_to_refuse_null() {
    if postgres_is_left_out() {
        return;
    }
    let (_, _, comparison) = both(
        &[("1_a.sql", "CREATE TABLE a (n BIGINT DEFAULT 5, k TEXT PRIMARY KEY);")],
        &[(
            "1_a.sql",
            "CREATE TABLE a (n INTEGER PRIMARY KEY, k TEXT NOT NULL UNIQUE);",
        )],
    )
    .await;
    let found = drifts(&comparison);
    assert!(found.iter().all(|line| !line.contains(".null")), "{found:?}");
    assert!(found.iter().any(|line| line.contains("primary_key")), "{found:?}");
}
