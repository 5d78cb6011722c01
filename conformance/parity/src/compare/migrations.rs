//! The lists of versions and names.

use std::collections::{BTreeMap, BTreeSet};

use crate::layout::Migration;

use super::{Collector, Draft, Severity};

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
    let common: Vec<&Vec<u128>> = postgres.keys().filter(|version| sqlite.contains_key(*version)).collect();
    let agreeing = common.iter().filter(|version| names(&postgres[**version]) == names(&sqlite[**version])).count();
    let all = postgres.len().max(sqlite.len());
    if agreeing * 2 < all {
        let draft = Draft {
            key: "migrations".to_owned(),
            object: "migrations".to_owned(),
            postgres: Some(format!("{} versions", postgres.len())),
            sqlite: Some(format!("{} versions", sqlite.len())),
            postgres_origin: None,
            sqlite_origin: None,
            meaning: format!("the sides number their files in their own ways ({agreeing} alike): the lists are not compared"),
            concerns: Vec::new(),
        };
        collector.add(Severity::Note, draft, None);
        return;
    }
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
    // One line a side, however many there are: what they lack in the schema is reported for itself.
    let alone = |own: &BTreeMap<Vec<u128>, Vec<Migration>>, other: &BTreeMap<Vec<u128>, Vec<Migration>>| -> Vec<Migration> {
        let missing = own.iter().filter(|(version, _)| !other.contains_key(*version));
        missing.flat_map(|(_, migrations)| migrations.iter().cloned()).collect()
    };
    let (only_postgres, only_sqlite) = (alone(&postgres, &sqlite), alone(&sqlite, &postgres));
    for (engine, other, list) in [("PostgreSQL", "SQLite", only_postgres), ("SQLite", "PostgreSQL", only_sqlite)] {
        for migration in &list {
            let text = Some(migration.file.display().to_string());
            let (a, b) = if engine == "PostgreSQL" { (text, None) } else { (None, text) };
            let draft = Draft {
                key: format!("migration.{}", migration.version),
                object: format!("migration {}", migration.version),
                postgres: a,
                sqlite: b,
                postgres_origin: None,
                sqlite_origin: None,
                meaning: format!("{other} has no such version"),
                concerns: Vec::new(),
            };
            collector.add(Severity::Drift, draft, Some(format!("versions that only {engine} has")));
        }
    }
}

fn plain_name(migration: &Migration) -> String {
    migration.name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

fn joined(migrations: &[Migration]) -> String {
    migrations.iter().map(|migration| migration.name.clone()).collect::<Vec<_>>().join(", ")
}
