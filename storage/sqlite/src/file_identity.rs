//! Whether a file is still the one that was opened.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use node_storage_contract::{Result, StorageError};

/// A file at a path, and which one it was when the store was opened.
#[derive(Debug)]
pub(crate) struct FileIdentity {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// The file that stands at `path` now.
    ///
    /// # Errors
    /// `Replaced` where there is none, `Unavailable` where that can't be told.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(|error| lost(path, &error))?;
        Ok(Self::new(path, &metadata))
    }

    /// The file that was opened at `path`, whatever stands there now.
    pub(crate) fn of_open(path: &Path, file: &File) -> io::Result<Self> {
        Ok(Self::new(path, &file.metadata()?))
    }

    fn new(path: &Path, metadata: &Metadata) -> Self {
        Self {
            path: path.to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }

    /// Makes sure that the path still leads to this file. A look at a directory, a few microseconds long.
    ///
    /// # Errors
    /// `Replaced` where it leads to another one or to none, `Unavailable` where that can't be told just now.
    pub(crate) fn check(&self) -> Result<()> {
        let now = Self::of(&self.path)?;
        if (now.device, now.inode) == (self.device, self.inode) {
            Ok(())
        } else {
            Err(replaced(&self.path, "replaced"))
        }
    }

    /// Makes sure that the write-ahead log stands beside the file.
    ///
    /// # Errors
    /// As [`FileIdentity::check`].
    pub(crate) fn check_log(&self) -> Result<()> {
        let mut path = self.path.clone().into_os_string();
        path.push("-wal");
        Self::of(Path::new(&path)).map(drop)
    }
}

fn lost(path: &Path, error: &io::Error) -> StorageError {
    if error.kind() == ErrorKind::NotFound {
        return replaced(path, "deleted");
    }
    StorageError::Unavailable {
        retryable: true,
        detail: format!("{} can't be looked at: {error}", path.display()),
    }
}

fn replaced(path: &Path, what: &'static str) -> StorageError {
    StorageError::Replaced {
        file: path.display().to_string(),
        what,
    }
}
