//! Where a command writes its output: all of it or nothing.

use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::exit::Failure;
use crate::partial;

const STDIO: &str = "-";

/// What `--output` names.
pub(crate) struct Target {
    place: Place,
    /// What is written, for errors: `the archive`, for example.
    what: &'static str,
}

enum Place {
    /// A file that replaces what is at `path` once it is complete, and disappears if it never is.
    File { path: PathBuf, temporary: NamedTempFile },
    /// Something that is no file, such as a pipe or a device.
    Other { path: PathBuf, file: File },
    /// Standard output.
    Stdout(File),
}

impl Target {
    /// Makes sure that it can be written.
    pub(crate) fn open(output: &Path, what: &'static str) -> Result<Self, Failure> {
        let place = Place::open(output, what)?;
        Ok(Self { place, what })
    }

    /// The file that is to be replaced, if there may be one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::File { path, .. } => Some(path),
            Place::Other { .. } | Place::Stdout(_) => None,
        }
    }

    pub(crate) const fn is_stdout(&self) -> bool {
        matches!(self.place, Place::Stdout(_))
    }

    /// What is written to.
    pub(crate) fn file(&self) -> Result<File, Failure> {
        let (file, path) = match &self.place {
            Place::File { path, temporary } => (temporary.as_file(), path.as_path()),
            Place::Other { path, file } => (file, path.as_path()),
            Place::Stdout(file) => (file, Path::new(STDIO)),
        };
        file.try_clone().map_err(Failure::io(unwritable(path, self.what)))
    }

    /// Makes what was written stay, also when the power fails.
    pub(crate) fn keep(self, file: &File) -> Result<(), Failure> {
        let Place::File { path, temporary } = self.place else {
            return Ok(());
        };
        let failed = |error| Failure::io(unwritable(&path, self.what))(error);
        file.sync_all().map_err(failed)?;
        temporary.persist(&path).map_err(|error| failed(error.error))?;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = File::open(directory.unwrap_or(Path::new("."))).map_err(failed)?;
        directory.sync_all().map_err(failed)
    }
}

impl Place {
    fn open(output: &Path, what: &str) -> Result<Self, Failure> {
        if output.as_os_str() == STDIO {
            let stdout = io::stdout();
            if stdout.is_terminal() {
                let text =
                    format!("{what} is not for a terminal; give --output FILE, or send standard output elsewhere");
                return Err(Failure::Usage(text));
            }
            let copy = stdout.as_fd().try_clone_to_owned();
            return Ok(Self::Stdout(File::from(
                copy.map_err(Failure::io("can't write to standard output"))?,
            )));
        }
        // Behind a symbolic link, so that the link stays.
        let path = fs::canonicalize(output).unwrap_or_else(|_| output.to_owned());
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => Err(Failure::Usage(format!(
                "--output {} is a directory; give a file",
                output.display()
            ))),
            Ok(found) if !found.is_file() => {
                let file = File::options().write(true).open(&path);
                let file = file.map_err(Failure::io(unwritable(output, what)))?;
                Ok(Self::Other { path, file })
            }
            _ => {
                let temporary = partial::create(&path).map_err(Failure::io(unwritable(output, what)))?;
                Ok(Self::File { path, temporary })
            }
        }
    }
}

/// What an error says of output that can't be written.
pub(crate) fn unwritable(path: &Path, what: &str) -> String {
    format!(
        "{what} {} can't be written; what was there before is there still, choose another --output",
        path.display()
    )
}
