//! Finds the migrations of a directory, in the layouts of sqlx, diesel, golang-migrate, goose, Flyway and others.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::engine::Engine;
use crate::{Error, Result};

/// A file that takes a database from one version to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// As the name spells it; empty if there is none.
    pub version: String,
    /// What follows the version.
    pub name: String,
    /// Relative to the directory that was named.
    #[serde(skip)]
    pub file: PathBuf,
}

impl Migration {
    /// The numbers of the version: those of `0002` and `2` are equal, `2018-01-14-171611` has four.
    pub fn numbers(&self) -> Vec<u128> {
        let parts = self.version.split(['-', '.']).map(|part| part.parse().unwrap_or(0));
        parts.collect()
    }

    fn new(file: PathBuf, stem: &str) -> Self {
        let (version, name) = version_and_name(stem);
        Self {
            version: version.to_owned(),
            name: name.to_owned(),
            file,
        }
    }
}

/// Words of file names that mark a dialect.
const POSTGRES_WORDS: [&str; 5] = ["postgres", "postgresql", "pg", "pgsql", "psql"];
const SQLITE_WORDS: [&str; 2] = ["sqlite", "sqlite3"];
const OTHER_WORDS: [&str; 9] = [
    "mysql",
    "mariadb",
    "cockroach",
    "cockroachdb",
    "crdb",
    "mssql",
    "sqlserver",
    "oracle",
    "clickhouse",
];

/// The migrations of an engine in a directory, in the order in which they are applied. `pattern` replaces the known layouts
/// by all files that match, relative to the directory.
pub(crate) fn migrations(engine: Engine, directory: &Path, pattern: Option<&str>) -> Result<Vec<Migration>> {
    let mut found = match pattern {
        Some(pattern) => matching(directory, pattern)?,
        None => discover(engine, directory)?,
    };
    // By number, and several files of one version by name. What has no version follows, as repeatable migrations do.
    found.sort_by(|a, b| {
        let key = |migration: &Migration| (migration.version.is_empty(), migration.numbers());
        key(a).cmp(&key(b)).then_with(|| a.file.cmp(&b.file))
    });
    if found.is_empty() {
        return Err(Error::NoMigration {
            engine,
            path: directory.to_owned(),
        });
    }
    Ok(found)
}

fn matching(directory: &Path, pattern: &str) -> Result<Vec<Migration>> {
    let refuse = |reason: String| Error::Glob {
        pattern: pattern.to_owned(),
        reason,
    };
    let escaped = glob::Pattern::escape(&directory.to_string_lossy());
    let paths = glob::glob(&format!("{escaped}/{pattern}")).map_err(|error| refuse(error.to_string()))?;
    let mut found = Vec::new();
    for path in paths {
        let path = path.map_err(|error| refuse(error.to_string()))?;
        if path.is_file() {
            let file = path.strip_prefix(directory).unwrap_or(&path).to_owned();
            let own = stem(&file);
            let parent = file
                .parent()
                .and_then(Path::file_name)
                .map(|name| name.to_string_lossy().into_owned());
            // up.sql takes its version from its directory.
            let named = if version_and_name(&own).0.is_empty() {
                parent.unwrap_or(own)
            } else {
                own
            };
            found.push(Migration::new(file, &named));
        }
    }
    Ok(found)
}

fn stem(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    strip_suffix_ignoring_case(&name, ".sql").map_or(name.clone(), ToOwned::to_owned)
}

fn strip_suffix_ignoring_case<'a>(text: &'a str, suffix: &str) -> Option<&'a str> {
    let at = text.len().checked_sub(suffix.len())?;
    let end = text.get(at..)?;
    end.eq_ignore_ascii_case(suffix).then(|| &text[..at])
}

struct Listing {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

fn list(directory: &Path) -> Result<Listing> {
    let mut listing = Listing {
        files: Vec::new(),
        directories: Vec::new(),
    };
    for entry in fs::read_dir(directory).map_err(Error::file("read", directory))? {
        let path = entry.map_err(Error::file("read", directory))?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            listing.directories.push(path);
        } else if path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("sql"))
        {
            listing.files.push(path);
        }
    }
    listing.files.sort();
    listing.directories.sort();
    Ok(listing)
}

fn discover(engine: Engine, directory: &Path) -> Result<Vec<Migration>> {
    let listing = list(directory)?;
    let mut found = flat(engine, directory, &listing.files);
    // diesel: NUMBER_name/up.sql. Prisma: NUMBER_name/migration.sql.
    for child in &listing.directories {
        let named = child
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let up = ["up.sql", "migration.sql", "up.postgres.sql", "up.sqlite.sql"]
            .into_iter()
            .map(|name| child.join(name))
            .find(|path| path.is_file() && fits(engine, &stem(path)));
        if let Some(up) = up {
            let file = up.strip_prefix(directory).unwrap_or(&up).to_owned();
            found.push(Migration::new(file, &named));
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    // One directory a dialect, or one a release.
    let words: &[&str] = match engine {
        Engine::Postgres => &POSTGRES_WORDS,
        Engine::Sqlite => &SQLITE_WORDS,
    };
    for child in &listing.directories {
        let name = child
            .file_name()
            .map(|name| name.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default();
        if words.contains(&name.as_str()) {
            return Ok(prefixed(directory, child, discover(engine, child)?, None));
        }
    }
    for child in &listing.directories {
        let name = child
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let release = version_and_name(&name).0.to_owned();
        found.extend(prefixed(directory, child, discover(engine, child)?, Some(&release)));
    }
    Ok(found)
}

/// The migrations of a directory inside, whose own version comes first.
fn prefixed(directory: &Path, child: &Path, migrations: Vec<Migration>, release: Option<&str>) -> Vec<Migration> {
    let inside = child.strip_prefix(directory).unwrap_or(child);
    let with_prefix = |mut migration: Migration| {
        migration.file = inside.join(&migration.file);
        if let Some(release) = release.filter(|release| !release.is_empty()) {
            migration.version = match migration.version.as_str() {
                "" => release.to_owned(),
                version => format!("{release}.{version}"),
            };
        }
        migration
    };
    migrations.into_iter().map(with_prefix).collect()
}

/// The migrations among files of one directory: no Down files, and of several dialects this engine's.
fn flat(engine: Engine, directory: &Path, files: &[PathBuf]) -> Vec<Migration> {
    let mut found: Vec<(Migration, bool)> = Vec::new();
    for path in files {
        let full = stem(path);
        if is_down(&full) || !fits(engine, &full) {
            continue;
        }
        let specific = dialect_words(&full).next().is_some();
        let file = path.strip_prefix(directory).unwrap_or(path).to_owned();
        found.push((Migration::new(file, &without_marks(&full)), specific));
    }
    // A file for one dialect replaces the one for all of them.
    let specific: BTreeSet<(Vec<u128>, String)> = found
        .iter()
        .filter(|(_, specific)| *specific)
        .map(|(migration, _)| (migration.numbers(), migration.name.clone()))
        .collect();
    found.retain(|(migration, own)| *own || !specific.contains(&(migration.numbers(), migration.name.clone())));
    let mut found: Vec<Migration> = found.into_iter().map(|(migration, _)| migration).collect();
    // Beside numbered files, others are notes (schema dumps, seeds); alone, they are the migrations.
    let repeatable = |migration: &Migration| migration.name.starts_with("R__");
    if found.iter().any(|migration| !migration.version.is_empty()) {
        found.retain(|migration| !migration.version.is_empty() || repeatable(migration));
    } else if found.iter().any(|migration| migration.name == "up") {
        // The directory of one migration.
        found.retain(|migration| migration.name == "up");
    }
    found
}

fn is_down(stem: &str) -> bool {
    let lower = stem.to_ascii_lowercase();
    let mut words = lower.split('.');
    let flyway_undo = lower
        .strip_prefix('u')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains("__"));
    words.any(|word| matches!(word, "down" | "undo" | "rollback"))
        || lower.ends_with("_down")
        || lower.ends_with("-down")
        || lower.ends_with("_rollback")
        || flyway_undo
}

/// The parts of a stem between points, and the last word of the name, if they name a dialect.
fn dialect_words(stem: &str) -> impl Iterator<Item = String> {
    let lower = stem.to_ascii_lowercase();
    let mut words: Vec<String> = lower.split('.').skip(1).map(ToOwned::to_owned).collect();
    if let Some(first) = lower.split('.').next() {
        words.extend(first.rsplit(['_', '-']).next().map(ToOwned::to_owned));
    }
    words.into_iter().filter(|word| {
        let word = word.as_str();
        POSTGRES_WORDS.contains(&word) || SQLITE_WORDS.contains(&word) || OTHER_WORDS.contains(&word)
    })
}

/// Whether a file is for all dialects or for this one.
fn fits(engine: Engine, stem: &str) -> bool {
    let own: &[&str] = match engine {
        Engine::Postgres => &POSTGRES_WORDS,
        Engine::Sqlite => &SQLITE_WORDS,
    };
    let mut words = dialect_words(stem).peekable();
    words.peek().is_none() || words.any(|word| own.contains(&word.as_str()))
}

/// The stem without `.up`, dialects and the marks of runners.
fn without_marks(stem: &str) -> String {
    let mut parts = stem.split('.');
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let lower = part.to_ascii_lowercase();
        let mark = matches!(lower.as_str(), "up" | "do" | "all" | "autocommit" | "tx" | "notx")
            || dialect_words(&format!("x.{lower}")).next().is_some();
        if !mark {
            kept = format!("{kept}.{part}");
        }
    }
    for end in POSTGRES_WORDS.iter().chain(&SQLITE_WORDS) {
        for separator in ["_", "-"] {
            if let Some(shorter) = strip_suffix_ignoring_case(&kept, &format!("{separator}{end}")) {
                return shorter.to_owned();
            }
        }
    }
    for end in ["_up", "-up"] {
        if let Some(shorter) = strip_suffix_ignoring_case(&kept, end)
            && !version_and_name(shorter).0.is_empty()
        {
            return shorter.to_owned();
        }
    }
    kept
}

/// `0002_orders` is 0002 and orders, `V1.2__orders` 1.2 and orders, `2018-01-14-171611_orders` a date and orders.
fn version_and_name(stem: &str) -> (&str, &str) {
    let lower = stem.as_bytes();
    let digits_follow = lower.get(1).is_some_and(u8::is_ascii_digit);
    let text = match lower.first() {
        Some(b'v' | b'V') if digits_follow => &stem[1..],
        _ => stem,
    };
    let bytes = text.as_bytes();
    let is_end = |at: usize| {
        bytes
            .get(at)
            .is_none_or(|byte| matches!(byte, b'_' | b'-' | b'.' | b' '))
    };
    let mut end = 0;
    let mut at = 0;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        if end == 0 || is_end(at) {
            end = at;
        }
        if !matches!(bytes.get(at), Some(b'-' | b'.')) {
            break;
        }
        at += 1;
    }
    let name = text[end..].trim_start_matches(['_', '-', '.', ' ']);
    (&text[..end], name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(engine: Engine, files: &[&str]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "SELECT 1;").unwrap();
        }
        migrations(engine, directory.path(), None)
            .unwrap()
            .into_iter()
            .map(|migration| format!("{}|{}|{}", migration.version, migration.name, migration.file.display()))
            .collect()
    }

    #[test]
    fn numbers_are_ordered_as_numbers_and_one_version_by_name() {
        assert_eq!(
            found(
                Engine::Sqlite,
                &["10_c.sql", "9_b.sql", "9_a.sql", "0001_x.sql", "notes.sql"]
            ),
            ["0001|x|0001_x.sql", "9|a|9_a.sql", "9|b|9_b.sql", "10|c|10_c.sql"]
        );
    }

    #[test]
    fn down_files_are_left_out_in_every_layout() {
        assert_eq!(
            found(
                Engine::Sqlite,
                &["1_a.up.sql", "1_a.down.sql", "2_b_down.sql", "2_b_up.sql"]
            ),
            ["1|a|1_a.up.sql", "2|b|2_b_up.sql"]
        );
        assert_eq!(
            found(
                Engine::Postgres,
                &[
                    "2018-01-14-171611_a/up.sql",
                    "2018-01-14-171611_a/down.sql",
                    "00000000000000_initial/up.sql"
                ]
            ),
            [
                "00000000000000|initial|00000000000000_initial/up.sql",
                "2018-01-14-171611|a|2018-01-14-171611_a/up.sql"
            ]
        );
        assert_eq!(
            found(
                Engine::Postgres,
                &["V1__a.sql", "U1__a.sql", "V1.2__b.sql", "R__views.sql"]
            ),
            ["1|a|V1__a.sql", "1.2|b|V1.2__b.sql", "|R__views|R__views.sql"]
        );
    }

    #[test]
    fn one_directory_for_all_dialects_gives_each_its_files() {
        let files = [
            "1_a.sql",
            "2_b.sqlite3.up.sql",
            "2_b.postgres.up.sql",
            "2_b.mysql.up.sql",
            "3_c.up.sql",
            "3_c.sqlite.up.sql",
            "V0004.Some_Name.all.up.sql",
            "5_d_postgres.sql",
        ];
        assert_eq!(
            found(Engine::Postgres, &files),
            [
                "1|a|1_a.sql",
                "2|b|2_b.postgres.up.sql",
                "3|c|3_c.up.sql",
                "0004|Some_Name|V0004.Some_Name.all.up.sql",
                "5|d|5_d_postgres.sql",
            ]
        );
        assert_eq!(
            found(Engine::Sqlite, &files),
            [
                "1|a|1_a.sql",
                "2|b|2_b.sqlite3.up.sql",
                "3|c|3_c.sqlite.up.sql",
                "0004|Some_Name|V0004.Some_Name.all.up.sql",
            ]
        );
    }

    #[test]
    fn directories_of_dialects_and_of_releases_are_entered() {
        assert_eq!(
            found(Engine::Sqlite, &["sqlite/1_a.sql", "postgres/1_b.sql"]),
            ["1|a|sqlite/1_a.sql"]
        );
        assert_eq!(
            found(Engine::Sqlite, &["0.10/00__b.sql", "0.9/01__a.sql"]),
            ["0.9.01|a|0.9/01__a.sql", "0.10.00|b|0.10/00__b.sql"]
        );
    }

    #[test]
    fn digits_of_a_name_are_not_of_its_version() {
        assert_eq!(version_and_name("0001-2fa-tables"), ("0001", "2fa-tables"));
        assert_eq!(version_and_name("20240101120000_v2_api"), ("20240101120000", "v2_api"));
        assert_eq!(version_and_name("001a_x"), ("001", "a_x"));
        assert_eq!(version_and_name("init"), ("", "init"));
        assert_eq!(version_and_name("v7"), ("7", ""));
    }

    #[test]
    fn a_directory_without_migrations_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let error = migrations(Engine::Sqlite, directory.path(), None)
            .unwrap_err()
            .to_string();
        assert!(error.contains(&directory.path().display().to_string()), "{error}");
    }
}
