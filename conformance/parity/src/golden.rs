//! Golden files: both schemas as text in the repository, so that a reviewer sees in a diff what a migration does.

mod representation;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::side::{Loaded, Side};
use crate::witness;
use crate::{Error, Result};

/// The golden files of two sides, by name: both dumps, the representation, and the checksums of the migrations.
///
/// The dump of an engine whose tools can't be run is left out, with the reason; the checksums, where no side is a directory.
pub async fn files(
    postgres: &Loaded,
    sqlite: &Loaded,
    sides: [&Side; 2],
) -> Result<(BTreeMap<&'static str, String>, Vec<String>)> {
    let mut files = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, loaded) in [("postgres.sql", postgres), ("sqlite.sql", sqlite)] {
        match witness::dump(loaded).await {
            Ok(dump) => {
                files.insert(name, dump.text);
            }
            Err(reason) => missing.push(format!("no {name}: {reason}")),
        }
    }
    files.insert(
        "representation.txt",
        representation::text(&postgres.schema, &sqlite.schema),
    );
    let mut checksums = String::new();
    for (engine, loaded, side) in [("postgres", postgres, sides[0]), ("sqlite", sqlite, sides[1])] {
        let Side::Directory(directory) = side else { continue };
        for migration in &loaded.schema.migrations {
            let path = directory.join(&migration.file);
            let content = fs::read(&path).map_err(Error::file("read", &path))?;
            let digits = HEXLOWER.encode(&Sha256::digest(&content));
            // Writing to a String can't fail.
            let _ = writeln!(checksums, "{digits}  {engine}/{}", migration.file.display());
        }
    }
    // A database does not say which files it was made of.
    if !checksums.is_empty() {
        files.insert("checksums.txt", checksums);
    }
    Ok((files, missing))
}

/// Writes the files into a directory, which is made if it is missing.
pub fn write(directory: &Path, files: &BTreeMap<&'static str, String>) -> Result<()> {
    fs::create_dir_all(directory).map_err(Error::file("made", directory))?;
    for (name, text) in files {
        let path = directory.join(name);
        fs::write(&path, text).map_err(Error::file("written", &path))?;
    }
    Ok(())
}

/// What is stale in a directory, a line each; a migration that was edited after it was recorded is named.
pub fn stale(directory: &Path, files: &BTreeMap<&'static str, String>) -> Vec<String> {
    let mut stale = Vec::new();
    for (name, text) in files {
        let path = directory.join(name);
        let recorded = fs::read_to_string(&path).unwrap_or_default();
        if recorded == *text {
            continue;
        }
        if *name == "checksums.txt" {
            stale.extend(edited(&recorded, text));
        }
        stale.push(format!(
            "{} is stale{}",
            path.display(),
            first_difference(&recorded, text)
        ));
    }
    stale
}

/// The migrations whose recorded checksum is another one, or which are gone.
fn edited(recorded: &str, now: &str) -> Vec<String> {
    let by_file = |text: &str| -> BTreeMap<String, String> {
        text.lines()
            .filter_map(|line| line.split_once("  "))
            .map(|(sum, file)| (file.to_owned(), sum.to_owned()))
            .collect()
    };
    let now = by_file(now);
    by_file(recorded)
        .into_iter()
        .filter_map(|(file, sum)| match now.get(&file) {
            None => Some(format!(
                "{file} was removed after it was recorded: databases that have it will not start"
            )),
            Some(other) if *other != sum => Some(format!(
                "{file} was edited after it was recorded: add a migration instead"
            )),
            Some(_) => None,
        })
        .collect()
}

fn first_difference(recorded: &str, now: &str) -> String {
    let mut lines = 1;
    let (mut a, mut b) = (recorded.lines(), now.lines());
    loop {
        match (a.next(), b.next()) {
            (Some(left), Some(right)) if left == right => lines += 1,
            (None, None) => return String::new(),
            (left, right) => {
                let text = |line: Option<&str>| line.unwrap_or("the end").trim().to_owned();
                return format!(", from line {lines}: {} is now {}", text(left), text(right));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edited_or_removed_migration_is_named_and_a_new_one_is_not() {
        let lines = edited(
            "1  postgres/1_a.sql\n2  sqlite/1_a.sql\n",
            "1  postgres/1_a.sql\n3  sqlite/1_a.sql\n4  sqlite/2_b.sql\n",
        );
        assert_eq!(
            lines,
            ["sqlite/1_a.sql was edited after it was recorded: add a migration instead"]
        );
        assert_eq!(edited("1  sqlite/1_a.sql\n", "").len(), 1);
    }

    #[test]
    fn a_stale_file_is_named_with_its_first_other_line() {
        let directory = tempfile::tempdir().unwrap();
        let files = BTreeMap::from([("sqlite.sql", "a\nb\n".to_owned())]);
        assert!(stale(directory.path(), &files)[0].contains("sqlite.sql is stale, from line 1"));
        write(directory.path(), &files).unwrap();
        assert!(stale(directory.path(), &files).is_empty());
    }
}
