//! Probes agree on pairs that are alike, and find the constraint that one engine lacks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::{Project, load_directory, plant, postgres_is_left_out};
use dialect_parity::Config;
use dialect_parity::Engine::{Postgres, Sqlite};
use dialect_parity::probe::{Disagreement, Probes, probe};
use rstest::rstest;
use tempfile::TempDir;

async fn project(name: &str) -> Project {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pairs").join(name);
    Project::new(directory.join("postgres"), directory.join("sqlite"), Config::default()).await
}

fn keys(probes: &Probes) -> Vec<&str> {
    keys_of(&probes.disagreements)
}

fn keys_of(disagreements: &[Disagreement]) -> Vec<&str> {
    let keys = disagreements.iter().map(|disagreement| disagreement.key.as_str());
    keys.collect()
}

fn directory(sql: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("1_all.sql"), sql).unwrap();
    directory
}

async fn probes_of(postgres: &str, sqlite: &str) -> Probes {
    let (postgres, sqlite) = (directory(postgres), directory(sqlite));
    let postgres = load_directory(Postgres, postgres.path()).await;
    let sqlite = load_directory(Sqlite, sqlite.path()).await;
    probe(&postgres, &sqlite, &Config::default()).await.unwrap()
}

#[rstest]
#[case::clinic("clinic", &[])]
#[case::chat("chat", &[])]
// CHAR(10) pads with blanks, so PostgreSQL finds a duplicate that SQLite does not.
#[case::billing("billing", &["probe.bank_accounts.number.duplicate with a trailing blank"])]
#[tokio::test]
async fn every_table_of_a_pair_is_probed_and_the_engines_agree(#[case] name: &str, #[case] expected: &[&str]) {
    if postgres_is_left_out() {
        return;
    }
    let project = project(name).await;
    let probes = probe(&project.postgres, &project.sqlite, &project.config)
        .await
        .unwrap();
    assert_eq!(probes.unprobed, []);
    assert_eq!(keys(&probes), expected);
    assert!(probes.tried > 80, "{}", probes.tried);
}

#[tokio::test]
async fn a_constraint_that_one_engine_lacks_is_found_by_a_row() {
    if postgres_is_left_out() {
        return;
    }
    let project = project("chat").await;
    let users = "1_users.up.sql";
    let members = "2_rooms.up.sql";
    for (file, from, to, expected) in [
        (
            users,
            "length(password_hash) = 32",
            "length(password_hash) >= 32",
            "probe.users.password_hash.length 33",
        ),
        (users, "0 <= score AND ", "", "probe.users.score.-1"),
        (members, "role TEXT NOT NULL", "role TEXT", "probe.members.role.NULL"),
        (
            members,
            "REFERENCES rooms ON DELETE CASCADE ON UPDATE CASCADE",
            "",
            "probe.members.room_id.orphan",
        ),
        (
            members,
            "PRIMARY KEY (room_id, user_id)",
            "PRIMARY KEY (room_id, user_id, role)",
            "probe.members.room_id+user_id.duplicate",
        ),
    ] {
        let sqlite = project.load_with(&plant(Sqlite, file, from, to, &[])).await;
        let probes = probe(&project.postgres, &sqlite, &project.config).await.unwrap();
        assert!(
            keys(&probes).contains(&expected),
            "{from} → {to}: {:?} {:?}",
            keys(&probes),
            probes.unprobed
        );
    }
    let postgres = project
        .load_with(&plant(Postgres, members, " DEFAULT 'reader'", "", &[]))
        .await;
    let probes = probe(&postgres, &project.sqlite, &project.config).await.unwrap();
    assert_eq!(keys(&probes), ["probe.members.role.left out"]);
}

#[tokio::test]
async fn tables_that_refer_to_themselves_or_in_a_circle_are_probed_unless_no_first_row_can_be_written() {
    if postgres_is_left_out() {
        return;
    }
    let tables = "
        CREATE TABLE tree (id TEXT NOT NULL PRIMARY KEY, up TEXT REFERENCES tree, CHECK (up <> id));
        CREATE TABLE leaf (id TEXT NOT NULL PRIMARY KEY, tree TEXT NOT NULL REFERENCES tree);
        INSERT INTO tree VALUES ('v0', NULL);
        INSERT INTO leaf VALUES ('a leaf', 'v0');
        CREATE TABLE root (id INTEGER NOT NULL PRIMARY KEY CHECK (id > 0), up INTEGER NOT NULL REFERENCES root);
        CREATE TABLE orders (id TEXT NOT NULL PRIMARY KEY, part TEXT NOT NULL);
        CREATE TABLE parts (id TEXT NOT NULL PRIMARY KEY, orders TEXT NOT NULL REFERENCES orders);
        CREATE TABLE x (id TEXT NOT NULL PRIMARY KEY);
        CREATE TABLE y (id TEXT NOT NULL PRIMARY KEY, x TEXT NOT NULL REFERENCES x);
        CREATE TABLE z (id TEXT NOT NULL PRIMARY KEY, y TEXT NOT NULL REFERENCES y);
        CREATE TABLE w (id TEXT NOT NULL PRIMARY KEY, y TEXT REFERENCES y);
        CREATE TABLE users (id TEXT NOT NULL PRIMARY KEY, room TEXT, age INTEGER CHECK (age > 0));
        CREATE TABLE rooms (id TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL REFERENCES users);
        CREATE TABLE guests (id TEXT NOT NULL PRIMARY KEY, usr TEXT NOT NULL REFERENCES users, room TEXT NOT NULL REFERENCES rooms);";
    let postgres = format!(
        "{tables}
        ALTER TABLE orders ADD FOREIGN KEY (part) REFERENCES parts DEFERRABLE INITIALLY DEFERRED;
        ALTER TABLE x ADD COLUMN y TEXT NOT NULL REFERENCES y;
        ALTER TABLE users ADD FOREIGN KEY (room) REFERENCES rooms;"
    );
    let sqlite = tables
        .replace(
            "part TEXT NOT NULL",
            "part TEXT NOT NULL REFERENCES parts DEFERRABLE INITIALLY DEFERRED",
        )
        .replace(
            "x (id TEXT NOT NULL PRIMARY KEY)",
            "x (id TEXT NOT NULL PRIMARY KEY, y TEXT NOT NULL REFERENCES y)",
        )
        .replace(
            "room TEXT, age INTEGER CHECK (age > 0)",
            "room TEXT REFERENCES rooms, age INTEGER",
        );
    let probes = probes_of(&postgres, &sqlite).await;
    let circle = "no first row can be written: x and y refer to each other by columns that are NOT NULL";
    let unprobed: Vec<(&str, &str)> = probes
        .unprobed
        .iter()
        .map(|unprobed| (unprobed.table.as_str(), unprobed.reason.as_str()))
        .collect();
    assert_eq!(unprobed, [("x", circle), ("y", circle), ("z", circle)]);
    assert_eq!(keys(&probes), ["probe.users.age.-1", "probe.users.age.0"]);
}

#[tokio::test]
async fn a_table_with_very_many_ways_to_its_ancestors_is_probed_in_no_time() {
    if postgres_is_left_out() {
        return;
    }
    let table = |number: usize| {
        let parents = (0..number).rev().take(2);
        let columns = parents.map(|parent| format!(", r{parent} TEXT NOT NULL REFERENCES t{parent}"));
        let columns: String = columns.collect();
        format!("CREATE TABLE t{number} (id TEXT NOT NULL PRIMARY KEY{columns});\n")
    };
    let tables: String = (0..40).map(table).collect();
    let probes = probes_of(&tables, &tables).await;
    assert_eq!(probes.unprobed, []);
    assert_eq!(keys(&probes), Vec::<&str>::new());
}

#[tokio::test]
async fn what_one_side_alone_has_is_found_and_what_the_dialects_write_in_two_ways_is_not() {
    if postgres_is_left_out() {
        return;
    }
    let probes = probes_of(
        "CREATE TYPE listed AS ENUM ('open', 'closed', 'new');
        CREATE TABLE lists (id INT NOT NULL PRIMARY KEY, t listed NOT NULL);
        CREATE TABLE parent (id TEXT NOT NULL PRIMARY KEY);
        CREATE TABLE lone (id TEXT NOT NULL PRIMARY KEY, p TEXT NOT NULL REFERENCES parent, t TEXT NOT NULL DEFAULT '');
        CREATE TABLE refers (id TEXT NOT NULL PRIMARY KEY, p TEXT NOT NULL);
        CREATE TABLE keyless (v INT NOT NULL);
        CREATE TABLE alike (id UUID NOT NULL PRIMARY KEY, hex UUID NOT NULL, raw UUID, at TIMESTAMPTZ NOT NULL, email TEXT NOT NULL, gone TEXT,
            n BIGINT NOT NULL, state TEXT NOT NULL);
        CREATE UNIQUE INDEX alike_email ON alike (lower(email)) WHERE gone IS NULL;
        CREATE UNIQUE INDEX alike_n ON alike (n) WHERE n > 0 AND state IN ('a', 'b');
        CREATE TABLE partial (id TEXT NOT NULL PRIMARY KEY, email TEXT NOT NULL, slug TEXT NOT NULL, gone TEXT, n BIGINT NOT NULL);
        CREATE UNIQUE INDEX partial_email ON partial (email) WHERE gone IS NULL;
        CREATE UNIQUE INDEX partial_slug ON partial (lower(slug));
        CREATE UNIQUE INDEX partial_n ON partial (n);
        CREATE TABLE always (id INTEGER PRIMARY KEY GENERATED ALWAYS AS IDENTITY, v TEXT);
        CREATE TABLE usual (id INTEGER PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, v TEXT);",
        "CREATE TABLE lists (id INT NOT NULL PRIMARY KEY, t TEXT NOT NULL CHECK (t IN ('open', 'closed', 'lost')));
        CREATE TABLE parent (id TEXT NOT NULL PRIMARY KEY);
        CREATE TABLE lone (id TEXT NOT NULL PRIMARY KEY, t TEXT NOT NULL DEFAULT '', s TEXT NOT NULL);
        CREATE TABLE refers (id TEXT NOT NULL PRIMARY KEY, p TEXT NOT NULL REFERENCES parent);
        CREATE TABLE keyless (v INT NOT NULL PRIMARY KEY);
        CREATE TABLE alike (id TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36), hex TEXT NOT NULL CHECK (length(hex) = 32),
            raw BLOB CHECK (length(raw) = 16), at TEXT NOT NULL CHECK (length(at) = 19), email TEXT NOT NULL, gone TEXT,
            n BIGINT NOT NULL, state TEXT NOT NULL);
        CREATE UNIQUE INDEX alike_email ON alike (lower(email)) WHERE gone IS NULL;
        CREATE UNIQUE INDEX alike_n ON alike (n) WHERE n > 0 AND state IN ('a', 'b');
        CREATE TABLE partial (id TEXT NOT NULL PRIMARY KEY, email TEXT NOT NULL, slug TEXT NOT NULL, gone TEXT, n BIGINT NOT NULL);
        CREATE UNIQUE INDEX partial_slug ON partial (slug);
        CREATE UNIQUE INDEX partial_n ON partial (n) WHERE n > 0;
        CREATE TABLE always (id INTEGER PRIMARY KEY, v TEXT);
        CREATE TABLE usual (id INTEGER PRIMARY KEY, v TEXT);",
    )
    .await;
    assert_eq!(probes.unprobed, []);
    assert_eq!(
        keys(&probes),
        [
            "probe.keyless.v.duplicate",
            "probe.lists.t.'new'",
            "probe.lists.t.'lost'",
            "probe.lone.p.left out",
            "probe.lone.s.left out",
            "probe.lone.p.orphan",
            "probe.partial.email.duplicate where gone is null",
            "probe.partial.n.duplicate outside of 0 < n",
            "probe.partial.slug.duplicate in capitals",
            "probe.refers.p.orphan",
        ]
    );
    // What SQLite can't refuse without a trigger.
    let notes = keys_of(&probes.notes);
    assert!(notes.contains(&"probe.always.id.a number of one's own"), "{notes:?}");
    assert!(!notes.contains(&"probe.usual.id.a number of one's own"), "{notes:?}");
    assert!(notes.contains(&"probe.alike.at.length 19"), "{notes:?}");
}

fn run(postgres: &TempDir, sqlite: &TempDir, more: &[&str]) -> (Option<i32>, String) {
    let path = |directory: &TempDir| directory.path().to_str().unwrap().to_owned();
    let Output { status, stdout, .. } = Command::new(env!("CARGO_BIN_EXE_dialect-parity"))
        .args(["probe", "--postgres", &path(postgres), "--sqlite", &path(sqlite)])
        .args(more)
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stdout).unwrap())
}

#[test]
fn the_command_names_a_kind_of_row_once_and_fails_for_a_table_that_it_could_not_probe() {
    if postgres_is_left_out() {
        return;
    }
    let tables = |count: usize, column: &str| -> String {
        let tables =
            (0..count).map(|number| format!("CREATE TABLE t{number} (id TEXT NOT NULL PRIMARY KEY, a {column});\n"));
        tables.collect()
    };
    let (code, text) = run(
        &directory(&tables(7, "TEXT NOT NULL, n INTEGER")),
        &directory(&tables(7, "TEXT, n INTEGER")),
        &[],
    );
    assert_eq!(code, Some(1));
    let expected = "drift   7 × NULL: PostgreSQL refuses the row, SQLite takes it
        t0.a, t1.a, t2.a, t3.a, t4.a, t5.a, … (--verbose or --json names all 7)
drift   7 × left out: PostgreSQL refuses the row, SQLite takes it
        t0.a, t1.a, t2.a, t3.a, t4.a, t5.a, … (--verbose or --json names all 7)
note    7 × 2^31: PostgreSQL refuses the row, SQLite takes it
";
    assert!(text.starts_with(expected), "{text}");

    // No value of a is found that would do.
    let broken = directory(&tables(2, "TEXT, CONSTRAINT c CHECK (substr(a, 9) = 'x' || id)"));
    let (code, text) = run(&broken, &broken, &["--verbose"]);
    assert_eq!(code, Some(1));
    let unprobed = text.lines().filter(|line| line.starts_with("unprobed")).count();
    assert_eq!(unprobed, 2, "{text}");

    let config = broken.path().join("parity.toml");
    let entries = ["probe.t0", "probe.t1"].map(|key| format!("[[allow]]\nkey = '{key}'\nreason = 'known'\n"));
    fs::write(&config, entries.concat()).unwrap();
    let (code, text) = run(&broken, &broken, &["--config", config.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{text}");
}
