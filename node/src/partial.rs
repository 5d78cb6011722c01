//! Output that is not complete yet: files beside the one that is to be, which disappear unless they are kept.
//!
//! A process that is killed leaves its file behind. It holds a lock on it while it lives, so that the next process which
//! writes a file of the same name knows which of these files is nobody's any more.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tempfile::NamedTempFile;

const SUFFIX: &str = ".partial";

/// A new file beside `output`, readable by this user alone, as everything that the node makes. What earlier processes left
/// behind of a file of this name is removed.
pub(crate) fn create(output: &Path) -> io::Result<NamedTempFile> {
    let directory = output.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}.");
    remove_abandoned(directory, &prefix);
    loop {
        let file = tempfile::Builder::new()
            .prefix(&prefix)
            .suffix(SUFFIX)
            .tempfile_in(directory)?;
        match file.as_file().try_lock() {
            // Another process may have taken it for abandoned before it was locked.
            Ok(()) if file.as_file().metadata()?.nlink() == 0 => {}
            // That one holds the lock, and is about to remove the file.
            Err(TryLockError::WouldBlock) => {}
            // A file system without locks has no way to tell, and loses nothing but the tidying up.
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(file),
        }
    }
}

/// Removes the files of processes that have ended. What can't be removed stays, which harms nothing but space.
fn remove_abandoned(directory: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let random = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(SUFFIX));
        // The name between them has no dot, so that the files of an output `a` are not those of an output `a.b`.
        if random.is_none_or(|random| random.is_empty() || random.contains('.')) {
            continue;
        }
        let path = entry.path();
        // Opened to write, as a lock on some file systems asks for; a file of another user is left alone.
        let Ok(file) = File::options().write(true).open(&path) else {
            continue;
        };
        if file.try_lock().is_ok() && fs::remove_file(&path).is_ok() {
            tracing::info!("removed {}, which a process that has ended left behind", path.display());
        }
    }
}
