//! The directory in which the processes of a user keep what they share.
//!
//! `<temporary directory>/test-databases-<user id>` holds a lock file, one record for each image that was asked for, the
//! mark of this directory's containers, and the templates of SQLite files. It is private: records hold passwords.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use crate::{Error, Found, Result, random};

/// What the templates of SQLite files end with.
const TEMPLATE_EXTENSION: &str = "sqlite";
const TEMPLATE_LIFE: Duration = Duration::from_hours(7 * 24);

/// A server that was started, as every process of the user can find it again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// How it was found.
    pub(crate) found: Found,
    /// The URL of the maintenance database.
    pub(crate) url: Url,
    /// What to remove when it is stopped.
    pub(crate) remains: Remains,
}

/// What a server that was started consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Remains {
    /// A container.
    Container {
        /// Its identifier.
        id: String,
    },
    /// A process and its directory.
    Process {
        /// Holds the data directory and the log.
        directory: PathBuf,
    },
}

/// The directory.
#[derive(Debug)]
pub(crate) struct SharedDirectory {
    path: PathBuf,
}

/// Held while a server is looked for, started or stopped; released when dropped.
pub(crate) struct Lock {
    _file: File,
}

impl SharedDirectory {
    /// Opens the directory, makes it if need be, and makes sure that nobody else can write to it.
    pub(crate) fn open() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("test-databases-{}", effective_user()?));
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(Error::SharedDirectory {
                    path,
                    reason: error.to_string(),
                });
            }
            _ => {}
        }
        // Temporary directories are everybody's: another user may have made it first, or put a link there.
        let metadata =
            fs::symlink_metadata(&path).map_err(Error::io(format!("look at the directory {}", path.display())))?;
        if !metadata.is_dir() || metadata.uid() != effective_user()? || metadata.permissions().mode() & 0o077 != 0 {
            let reason = "it is not a directory that its owner alone can enter; remove it".to_owned();
            return Err(Error::SharedDirectory { path, reason });
        }
        Ok(Self { path })
    }

    /// Waits until no other process looks for, starts or stops a server. Each of them is bounded in time.
    pub(crate) async fn lock(&self) -> Result<Lock> {
        let path = self.path.join("lock");
        let locked = tokio::task::spawn_blocking(move || {
            let file = File::options().create(true).truncate(false).write(true).open(path)?;
            file.lock()?;
            Ok(Lock { _file: file })
        });
        locked
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(Error::io("lock the shared server"))
    }

    /// The record for an image, if there is one that can be read.
    pub(crate) fn record(&self, image: &str) -> Option<Record> {
        read(&self.record_path(image))
    }

    /// All records with their files, without those that can't be read.
    pub(crate) fn records(&self) -> Result<Vec<(PathBuf, Record)>> {
        let mut records = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(Error::io("list the shared servers"))? {
            let path = entry.map_err(Error::io("list the shared servers"))?.path();
            if path.extension().is_some_and(|extension| extension == "json")
                && let Some(record) = read(&path)
            {
                records.push((path, record));
            }
        }
        Ok(records)
    }

    /// Writes the record for an image; a reader sees the old one or the new one.
    pub(crate) fn write_record(&self, image: &str, record: &Record) -> Result<()> {
        let written = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
            serde_json::to_writer_pretty(&mut file, record)?;
            file.flush()?;
            file.persist(self.record_path(image)).map_err(|error| error.error)?;
            Ok(())
        };
        written().map_err(Error::io("write down which server is shared"))
    }

    /// The value of the label by which this directory's containers are told from those of others on the same Docker.
    pub(crate) fn container_mark(&self) -> Result<String> {
        let path = self.path.join("container-mark");
        match fs::read_to_string(&path) {
            Ok(mark) if !mark.is_empty() => Ok(mark),
            _ => {
                let mark = random::hexadecimal::<16>()?;
                fs::write(&path, &mark).map_err(Error::io(format!("write {}", path.display())))?;
                Ok(mark)
            }
        }
    }

    /// The migrated SQLite file that another process has left for migrations of this hash.
    pub(crate) fn sqlite_template(&self, hash: &str) -> Option<Vec<u8>> {
        let path = self.sqlite_template_path(hash);
        let content = fs::read(&path).ok()?;
        // The time of its last use; without it, it is built anew after a week.
        let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        Some(content)
    }

    /// Leaves a migrated SQLite file for other processes, and removes those that were not used for a week.
    pub(crate) fn write_sqlite_template(&self, hash: &str, content: &[u8]) -> Result<()> {
        self.remove_sqlite_templates(TEMPLATE_LIFE)?;
        let written = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
            file.write_all(content)?;
            file.persist(self.sqlite_template_path(hash))
                .map_err(|error| error.error)?;
            Ok(())
        };
        written().map_err(Error::io("keep the template of an SQLite file"))
    }

    /// Removes the templates of SQLite files that were last used this long ago.
    pub(crate) fn remove_sqlite_templates(&self, unused_for: Duration) -> Result<()> {
        for entry in fs::read_dir(&self.path).map_err(Error::io("list the templates of SQLite files"))? {
            let path = entry.map_err(Error::io("list the templates of SQLite files"))?.path();
            let used = fs::metadata(&path).and_then(|metadata| metadata.modified());
            let age = used.ok().and_then(|used| used.elapsed().ok()).unwrap_or_default();
            if path
                .extension()
                .is_some_and(|extension| extension == TEMPLATE_EXTENSION)
                && age >= unused_for
            {
                // Another process may have removed it.
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }

    fn sqlite_template_path(&self, hash: &str) -> PathBuf {
        self.path.join(hash).with_extension(TEMPLATE_EXTENSION)
    }

    fn record_path(&self, image: &str) -> PathBuf {
        let mut digits = HEXLOWER.encode(&Sha256::digest(image));
        digits.truncate(16);
        self.path.join(format!("{digits}.json"))
    }
}

fn read(path: &Path) -> Option<Record> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// The user that new files belong to. The standard library can't say it, a file can.
pub(crate) fn effective_user() -> Result<u32> {
    tempfile::tempfile()
        .and_then(|file| file.metadata())
        .map(|metadata| metadata.uid())
        .map_err(Error::io("make a temporary file"))
}
