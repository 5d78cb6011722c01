//! A directory of migrations, and the hash that names what it makes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use sqlx::migrate::{Migrate, MigrateError, Migrator};

use crate::{Error, Result};

/// A directory of `<version>_<name>.sql` files in sqlx's layout.
///
/// The hash covers the names and the bytes of all `.sql` files at the time of [`Migrations::new`], so that changed
/// migrations get a new template.
#[derive(Debug, Clone)]
pub struct Migrations {
    directory: PathBuf,
    hash: String,
}

impl Migrations {
    /// Reads the directory.
    ///
    /// Fails with [`Error::MigrationsUnreadable`] if it, or a file in it, can't be read.
    pub fn new(directory: impl Into<PathBuf>) -> Result<Self> {
        let directory = directory.into();
        match hash_of(&directory) {
            Ok(hash) => Ok(Self { directory, hash }),
            Err(source) => Err(Error::MigrationsUnreadable { directory, source }),
        }
    }

    /// The directory that was named.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The SHA-256 hash of names and bytes, as 64 hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Applies the migrations through an open connection.
    pub(crate) async fn apply<C: Migrate>(&self, engine: &'static str, connection: &mut C) -> Result<()> {
        let applied: Result<(), MigrateError> = async {
            let migrator = Migrator::new(self.directory.as_path()).await?;
            migrator.run_direct(None, connection, false).await
        }
        .await;
        applied.map_err(|source| Error::Migration {
            directory: self.directory.clone(),
            engine,
            source,
        })
    }
}

fn hash_of(directory: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sql") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();

    let mut hasher = Sha256::new();
    for path in files {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        // Hashes of fixed length: no name can pass for the beginning of a content.
        hasher.update(Sha256::digest(name));
        hasher.update(Sha256::digest(fs::read(&path)?));
    }
    Ok(HEXLOWER.encode(&hasher.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_with(files: &[(&str, &str)]) -> String {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(directory.path().join(name), content).unwrap();
        }
        Migrations::new(directory.path()).unwrap().hash
    }

    #[test]
    fn hash_depends_on_names_and_contents_and_on_nothing_else() {
        let hash = hash_with(&[("1_a.sql", "SELECT 1"), ("2_b.sql", "SELECT 2")]);
        assert_eq!(
            hash,
            hash_with(&[("2_b.sql", "SELECT 2"), ("1_a.sql", "SELECT 1"), ("notes.md", "x")])
        );
        assert_ne!(hash, hash_with(&[("1_a.sql", "SELECT 1"), ("2_c.sql", "SELECT 2")]));
        assert_ne!(hash, hash_with(&[("1_a.sql", "SELECT 1"), ("2_b.sql", "SELECT 3")]));
        assert_ne!(hash, hash_with(&[("1_a.sql", "SELECT 1")]));
    }

    #[test]
    fn missing_directory_is_an_error_that_names_it() {
        let error = Migrations::new("does/not/exist").unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("the migrations in does/not/exist can't be read"),
            "{error}"
        );
    }
}
