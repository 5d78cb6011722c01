//! `backup`: everything that the ledger published, in one file.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use node_storage::contract::{Access, Network};
use node_storage::{DbBackendConfig, NodeStorageBackend};
use node_storage_archive::{BackupOptions, BaseArchive, Compression, Summary, backup};
use tempfile::NamedTempFile;

use crate::answer::print_answer;
use crate::blocking::blocking;
use crate::cli::{BackupArguments, CompressionName};
use crate::exit::Failure;
use crate::logging::Console;
use crate::partial;
use crate::progress::{Bar, Unit};
use crate::shutdown::Shutdown;
use crate::summary::Described;

const STDIO: &str = "-";

/// Writes the archive, or ends with nothing left behind.
pub(crate) async fn run(arguments: &BackupArguments, console: &Console) -> Result<(), Failure> {
    let config = arguments.database.config(Network::Mainnet)?;
    let mut shutdown = Shutdown::listen()?;
    tokio::select! {
        result = write(arguments, &config, console) => result,
        signal = shutdown.requested() => Err(Failure::Interrupted {
            signal,
            state: "no archive was written, and the database was not changed",
        }),
    }
}

async fn write(arguments: &BackupArguments, config: &DbBackendConfig, console: &Console) -> Result<(), Failure> {
    // Before the database is opened, so that what can't be written is known at once.
    let target = Target::open(&arguments.output)?;
    if let (Some(base), Target::File { path, .. }) = (&arguments.base, &target)
        && fs::canonicalize(base).ok() == fs::canonicalize(path).ok()
        && path.exists()
    {
        let text = "--output is the archive that --base names, which the increment needs; give another --output";
        return Err(Failure::Usage(text.to_owned()));
    }
    let base = match arguments.base.clone() {
        None => None,
        Some(path) => Some(blocking(move || read_base(&path)).await?),
    };
    let store = NodeStorageBackend::connect(config, Access::Read).await?;
    let bar = Bar::new(console, "backing up", Unit::Operations, None);
    let options = BackupOptions {
        network: config.network(),
        compression: match arguments.compression {
            CompressionName::Zstd => Compression::Zstd,
            CompressionName::None => Compression::None,
        },
        base,
        progress: Some(bar.progress()),
    };
    let (summary, output) = backup(&store, BufWriter::new(target.file()?), options).await?;
    let file = output
        .into_inner()
        .map_err(|error| Failure::io(unwritable(&arguments.output))(error.into_error()))?;
    bar.finish();
    store.close().await;
    let is_stdout = matches!(target, Target::Stdout(_));
    blocking(move || target.keep(&file)).await?;
    tell(arguments, &summary, is_stdout)
}

fn tell(arguments: &BackupArguments, summary: &Summary, is_stdout: bool) -> Result<(), Failure> {
    let mut described = Described::new();
    described.archive(summary);
    if is_stdout {
        tracing::info!(
            "wrote {} operations in {} bytes, root {}",
            summary.operations,
            summary.file_bytes,
            summary.root
        );
        return Ok(());
    }
    if arguments.json {
        print_answer(&described.to_json())
    } else {
        print_answer(&described.to_text())
    }
}

fn read_base(path: &Path) -> Result<BaseArchive, Failure> {
    let (name, input) = crate::archive::open(path)?;
    Ok(BaseArchive::read(name, input)?)
}

/// Where the archive goes.
enum Target {
    /// A file that replaces what is at `path` once it is complete, and disappears if it never is.
    File { path: PathBuf, temporary: NamedTempFile },
    /// Something that is no file, such as a pipe or a device.
    Other { path: PathBuf, file: File },
    /// Standard output.
    Stdout(File),
}

impl Target {
    fn open(output: &Path) -> Result<Self, Failure> {
        if output.as_os_str() == STDIO {
            let stdout = io::stdout();
            if stdout.is_terminal() {
                let text = "an archive is not for a terminal; give --output FILE, or send standard output elsewhere";
                return Err(Failure::Usage(text.to_owned()));
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
                let file = file.map_err(Failure::io(unwritable(output)))?;
                Ok(Self::Other { path, file })
            }
            _ => {
                let temporary = partial::create(&path).map_err(Failure::io(unwritable(output)))?;
                Ok(Self::File { path, temporary })
            }
        }
    }

    /// What is written to.
    fn file(&self) -> Result<File, Failure> {
        let (file, path) = match self {
            Self::File { path, temporary } => (temporary.as_file(), path.as_path()),
            Self::Other { path, file } => (file, path.as_path()),
            Self::Stdout(file) => (file, Path::new(STDIO)),
        };
        file.try_clone().map_err(Failure::io(unwritable(path)))
    }

    /// Makes what was written stay, also when the power fails.
    fn keep(self, file: &File) -> Result<(), Failure> {
        let Self::File { path, temporary } = self else {
            return Ok(());
        };
        let failed = |error| Failure::io(unwritable(&path))(error);
        file.sync_all().map_err(failed)?;
        temporary.persist(&path).map_err(|error| failed(error.error))?;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = File::open(directory.unwrap_or(Path::new("."))).map_err(failed)?;
        directory.sync_all().map_err(failed)
    }
}

fn unwritable(path: &Path) -> String {
    format!(
        "the archive {} can't be written; what was there before is there still, choose another --output",
        path.display()
    )
}
