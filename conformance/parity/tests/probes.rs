//! Probes agree on pairs that are alike, and find the constraint that one engine lacks.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

mod common;

use std::path::Path;

use common::{Project, plant, postgres_is_left_out};
use dialect_parity::Config;
use dialect_parity::Engine::{Postgres, Sqlite};
use dialect_parity::probe::{Probes, probe};
use rstest::rstest;

async fn project(name: &str) -> Project {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pairs").join(name);
    Project::new(directory.join("postgres"), directory.join("sqlite"), Config::default()).await
}

fn keys(probes: &Probes) -> Vec<&str> {
    probes
        .disagreements
        .iter()
        .map(|disagreement| disagreement.key.as_str())
        .collect()
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
    assert_eq!(probes.unprobed, Vec::<String>::new());
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
