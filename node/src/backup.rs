//! `backup`: everything that the ledger published, in one file.

use std::fs;
use std::io::BufWriter;
use std::path::Path;

use node_storage::contract::{Access, Network};
use node_storage::{DbBackendConfig, NodeStorageBackend};
use node_storage_archive::{BackupOptions, BaseArchive, Compression, Summary, backup};

use crate::answer::print_answer;
use crate::blocking::blocking;
use crate::cli::{BackupArguments, CompressionName};
use crate::exit::Failure;
use crate::logging::Console;
use crate::progress::{Bar, Unit};
use crate::shutdown::Shutdown;
use crate::summary::Described;
use crate::target::{Target, unwritable};

/// What `--output` is, for errors.
const WHAT: &str = "the archive";

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
    let target = Target::open(&arguments.output, WHAT)?;
    if let (Some(base), Some(path)) = (&arguments.base, target.path())
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
        .map_err(|error| Failure::io(unwritable(&arguments.output, WHAT))(error.into_error()))?;
    bar.finish();
    store.close().await;
    let is_stdout = target.is_stdout();
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
