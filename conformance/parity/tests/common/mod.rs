//! Plants drifts in copies of migrations, and says which differences are reported.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "all of this is test code, of which each test file uses a part"
)]

use std::fs;
use std::path::{Path, PathBuf};

use dialect_parity::{Comparison, Config, Engine, Loaded, Options, Side, compare, load};
use tempfile::TempDir;

/// Whether `TEST_BACKENDS` names backends, and PostgreSQL is not among them: tests that need it then do nothing.
pub fn postgres_is_left_out() -> bool {
    let chosen = std::env::var("TEST_BACKENDS").unwrap_or_default();
    !chosen.is_empty() && !chosen.split(',').any(|name| name.trim() == "postgres")
}

/// One edit of one file of a side.
pub struct Plant {
    pub engine: Engine,
    /// Relative to the side's directory.
    pub file: &'static str,
    /// Must occur in the file.
    pub from: &'static str,
    pub to: &'static str,
    /// The keys of the drifts that it must give, in their order; none for an edit that changes nothing.
    pub drifts: &'static [&'static str],
}

pub const fn plant(
    engine: Engine,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    drifts: &'static [&'static str],
) -> Plant {
    Plant {
        engine,
        file,
        from,
        to,
        drifts,
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub async fn load_directory(engine: Engine, directory: &Path) -> Loaded {
    let side = Side::parse(engine, directory.to_str().unwrap()).unwrap();
    load(engine, &side, &Options::default())
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Both sides of a project as they are committed.
pub struct Project {
    postgres_directory: PathBuf,
    sqlite_directory: PathBuf,
    pub postgres: Loaded,
    pub sqlite: Loaded,
    pub config: Config,
}

impl Project {
    pub async fn new(postgres: PathBuf, sqlite: PathBuf, config: Config) -> Self {
        Self {
            postgres: load_directory(Engine::Postgres, &postgres).await,
            sqlite: load_directory(Engine::Sqlite, &sqlite).await,
            postgres_directory: postgres,
            sqlite_directory: sqlite,
            config,
        }
    }

    pub fn compare(&self) -> Comparison {
        compare(&self.postgres, &self.sqlite, &self.config)
    }

    /// One side after an edit.
    pub async fn load_with(&self, plant: &Plant) -> Loaded {
        let directory = TempDir::new().unwrap();
        let original = match plant.engine {
            Engine::Postgres => &self.postgres_directory,
            Engine::Sqlite => &self.sqlite_directory,
        };
        copy(original, directory.path());
        let path = directory.path().join(plant.file);
        if plant.from.is_empty() {
            fs::rename(&path, directory.path().join(plant.to)).unwrap();
        } else {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(plant.from), "{} has no {:?}", plant.file, plant.from);
            fs::write(&path, text.replacen(plant.from, plant.to, 1)).unwrap();
        }
        load_directory(plant.engine, directory.path()).await
    }

    /// The comparison after an edit of one side.
    pub async fn compare_with(&self, plant: &Plant) -> Comparison {
        let changed = self.load_with(plant).await;
        match plant.engine {
            Engine::Postgres => compare(&changed, &self.sqlite, &self.config),
            Engine::Sqlite => compare(&self.postgres, &changed, &self.config),
        }
    }

    /// Every plant gives its drifts and no others.
    pub async fn assert_reports(&self, plants: &[Plant]) {
        assert_eq!(drifts(&self.compare()), Vec::<String>::new(), "the sides as they are");
        let mut wrong = Vec::new();
        for plant in plants {
            let comparison = self.compare_with(plant).await;
            let found = drifts(&comparison);
            if found != plant.drifts || comparison.incomplete {
                let notes: Vec<&String> = comparison.notes.iter().map(|note| &note.key).collect();
                wrong.push(format!(
                    "{} in {}: {:?} → {:?}\n  expected {:?}\n  found    {found:?}{}\n  notes    {notes:?}",
                    plant.engine,
                    plant.file,
                    plant.from,
                    plant.to,
                    plant.drifts,
                    if comparison.incomplete { " (incomplete)" } else { "" }
                ));
            }
        }
        assert!(
            wrong.is_empty(),
            "{} of {}:\n{}",
            wrong.len(),
            plants.len(),
            wrong.join("\n")
        );
    }
}

pub fn drifts(comparison: &Comparison) -> Vec<String> {
    comparison
        .drifts
        .iter()
        .map(|difference| difference.key.clone())
        .collect()
}
