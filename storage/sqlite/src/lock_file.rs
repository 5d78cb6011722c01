//! The right to be the one writer of a file.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use node_storage_contract::{Result, StorageError};
use tokio::time::{Instant, sleep};

use crate::file_identity::FileIdentity;

/// The right to be the one process that writes a database file: a lock of the operating system on a file beside it.
///
/// The lock ends with the process, however that ends, or when this is dropped. The lock file stays and means nothing by itself.
#[derive(Debug)]
pub(crate) struct LockFile {
    _file: File,
    identity: FileIdentity,
}

impl LockFile {
    /// Takes the lease of this database file, waiting up to `patience` for a process that holds it.
    ///
    /// # Errors
    /// `Busy` where it is still held then.
    pub(crate) async fn acquire(database: &Path, patience: Duration) -> Result<Self> {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        let path = Path::new(&path);
        let unavailable = |error: std::io::Error| StorageError::Unavailable {
            retryable: false,
            detail: format!("the lock file {} can't be used: {error}", path.display()),
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(unavailable)?;
        let deadline = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => {
                    // One that was deleted meanwhile is checked, and refused, like one that is deleted later.
                    let identity = FileIdentity::of_open(path, &file).map_err(unavailable)?;
                    return Ok(Self { _file: file, identity });
                }
                Err(TryLockError::Error(error)) => return Err(unavailable(error)),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(StorageError::Busy {
                        detail: format!("another process writes {}", database.display()),
                    });
                }
                Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Makes sure that other processes find the file that is locked.
    ///
    /// # Errors
    /// `Replaced` where they don't, `Unavailable` where that can't be told just now.
    pub(crate) fn check(&self) -> Result<()> {
        self.identity.check()
    }
}
