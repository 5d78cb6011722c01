//! The lists of versions and names.

use std::collections::{BTreeMap, BTreeSet};

use crate::difference::Severity;
use crate::layout::Migration;

use super::{Collector, Draft};

/// Compares the lists where they mirror each other. Sides that number their files in their own ways have one note.
pub(super) fn compare(collector: &mut Collector<'_>) {
    let by_numbers = |migrations: &[Migration]| {
        let mut all: BTreeMap<Vec<u128>, Vec<Migration>> = BTreeMap::new();
        for migration in migrations {
            all.entry(migration.numbers()).or_default().push(migration.clone());
        }
        all
    };
    let postgres = by_numbers(&collector.postgres.schema.migrations);
    let sqlite = by_numbers(&collector.sqlite.schema.migrations);
    if postgres.is_empty() || sqlite.is_empty() {
        return;
    }
    let names = |migrations: &[Migration]| -> BTreeSet<String> { migrations.iter().map(plain_name).collect() };
    // A history that was squashed, or starts late: what stands before the first version that both have is not compared,
    // unless the sides have about as many of them.
    let agree = |version: &Vec<u128>| {
        sqlite
            .get(version)
            .is_some_and(|other| names(&postgres[version]) == names(other))
    };
    let first = postgres.keys().find(|version| agree(version)).cloned();
    let before = |all: &BTreeMap<Vec<u128>, Vec<Migration>>| match &first {
        Some(first) => all.keys().take_while(|version| *version < first).count(),
        None => 0,
    };
    let (earlier_postgres, earlier_sqlite) = (before(&postgres), before(&sqlite));
    let squashed = earlier_postgres.abs_diff(earlier_sqlite) >= 2;
    let since = |all: BTreeMap<Vec<u128>, Vec<Migration>>| -> BTreeMap<Vec<u128>, Vec<Migration>> {
        all.into_iter()
            .filter(|(version, _)| !squashed || first.as_ref().is_none_or(|first| version >= first))
            .collect()
    };
    let agreeing = postgres.keys().filter(|version| agree(version)).count();
    let (postgres, sqlite) = (since(postgres), since(sqlite));
    let mut note = |meaning: String, key: &str| {
        let draft = Draft {
            key: key.to_owned(),
            object: "migrations".to_owned(),
            postgres: Some(format!("{} versions", collector.postgres.schema.migrations.len())),
            sqlite: Some(format!("{} versions", collector.sqlite.schema.migrations.len())),
            postgres_origin: None,
            sqlite_origin: None,
            meaning,
            concerns: Vec::new(),
        };
        collector.add(Severity::Note, draft, None);
    };
    if agreeing * 2 < postgres.len().max(sqlite.len()) {
        note(
            format!("the sides number their files in their own ways ({agreeing} alike): the lists are not compared"),
            "migrations",
        );
        return;
    }
    if squashed {
        let counts = format!("{earlier_postgres} on PostgreSQL and {earlier_sqlite} on SQLite");
        note(
            format!("versions before the first that both have ({counts}) are not compared"),
            "migrations.earlier",
        );
    }
    let common: Vec<&Vec<u128>> = postgres
        .keys()
        .filter(|version| sqlite.contains_key(*version))
        .collect();
    for version in common {
        let (a, b) = (&postgres[version], &sqlite[version]);
        if names(a) != names(b) {
            let version = a.first().map(|migration| migration.version.clone()).unwrap_or_default();
            collector.drift(Draft {
                key: format!("migration.{version}"),
                object: format!("migration {version}"),
                postgres: Some(joined(a)),
                sqlite: Some(joined(b)),
                postgres_origin: None,
                sqlite_origin: None,
                meaning: "one version has two names: the files may do different things".to_owned(),
                concerns: Vec::new(),
            });
        }
    }
    only_on_one_side(collector, "PostgreSQL", &postgres, &sqlite);
    only_on_one_side(collector, "SQLite", &sqlite, &postgres);
}

/// One line a side, however many there are: what the other lacks in its schema is reported for itself.
fn only_on_one_side(
    collector: &mut Collector<'_>,
    engine: &str,
    own: &BTreeMap<Vec<u128>, Vec<Migration>>,
    other: &BTreeMap<Vec<u128>, Vec<Migration>>,
) {
    let alone = own.iter().filter(|(version, _)| !other.contains_key(*version));
    for migration in alone.flat_map(|(_, migrations)| migrations) {
        let text = Some(migration.file.display().to_string());
        let (lacking, postgres, sqlite) = match engine {
            "SQLite" => ("PostgreSQL", None, text),
            _ => ("SQLite", text, None),
        };
        let draft = Draft {
            key: format!("migration.{}", migration.version),
            object: format!("migration {}", migration.version),
            postgres,
            sqlite,
            postgres_origin: None,
            sqlite_origin: None,
            meaning: format!("{lacking} has no such version"),
            concerns: Vec::new(),
        };
        collector.add(Severity::Drift, draft, Some(format!("versions that only {engine} has")));
    }
}

fn plain_name(migration: &Migration) -> String {
    migration
        .name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase()
}

fn joined(migrations: &[Migration]) -> String {
    migrations
        .iter()
        .map(|migration| migration.name.clone())
        .collect::<Vec<_>>()
        .join(", ")
}
