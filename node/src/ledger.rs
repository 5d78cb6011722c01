//! `ledger`: a slow source is read once, into a file that is read as often as one likes.

use std::fs::File;

use dlt_source_file::{LedgerWriteError, LedgerWriter};
use dlt_sources::contract::SourceConfig;
use node_service::reading::LedgerReader;
use node_storage::contract::{Cursor, Network, OperationPosition, PublishedBlock};
use node_storage_archive::{ArchiveWriter, Compression, Entry, Header};
use serde_json::json;
use tokio::sync::mpsc;

use crate::answer::print_answer;
use crate::blocking::blocking;
use crate::cli::ExportArguments;
use crate::exit::Failure;
use crate::logging::Console;
use crate::progress;
use crate::shutdown::Shutdown;
use crate::summary::Described;
use crate::target::{Target, unwritable};

/// What `--output` is, for errors.
const WHAT: &str = "the ledger file";

/// Writes the ledger file, or ends with nothing left behind.
pub(crate) async fn export(arguments: &ExportArguments, console: &Console) -> Result<(), Failure> {
    let network = arguments.network.unwrap_or(Network::Mainnet);
    let source = arguments.source.config(network)?;
    let mut shutdown = Shutdown::listen()?;
    tokio::select! {
        result = write(arguments, network, &*source, console) => result,
        signal = shutdown.requested() => Err(Failure::Interrupted {
            signal,
            state: "no ledger file was written",
        }),
    }
}

async fn write(
    arguments: &ExportArguments,
    network: Network,
    source: &dyn SourceConfig,
    console: &Console,
) -> Result<(), Failure> {
    // Before the source is opened, so that what can't be written is known at once.
    let target = Target::open(&arguments.output, WHAT)?;
    if target.is_stdout() && arguments.json {
        let text = "with --output - the ledger goes to standard output; leave --json out";
        return Err(Failure::Usage(text.to_owned()));
    }
    let is_compressed = arguments.output.extension().is_some_and(|extension| extension == "zst");
    let file = target.file()?;
    let (deliveries, received) = mpsc::channel(1);
    let failed = {
        let output = arguments.output.clone();
        move |error| unwritten(error, &output)
    };
    let mut writing = Box::pin(blocking(move || {
        let written = Export::new(file, network, is_compressed).and_then(|export| export.write(received));
        written.map_err(failed)
    }));
    let reader = LedgerReader::new(source);
    let reading = read(&reader, deliveries);
    let telling = progress::tell_reading(console, reader.progress(), reader.heard());
    let written = tokio::select! {
        read = reading => {
            read?;
            writing.await?
        }
        // Before everything was read it ends only if it fails.
        written = &mut writing => written?,
        () = telling => None,
    };
    let Some((file, exported)) = written else {
        return Err(Failure::io("the ledger file was not written to its end")(
            std::io::ErrorKind::BrokenPipe.into(),
        ));
    };
    let is_stdout = target.is_stdout();
    blocking(move || target.keep(&file)).await?;
    tell(arguments, network, &exported, is_stdout)
}

/// What goes to the thread that writes.
enum Delivery {
    Blocks(Vec<PublishedBlock>),
    End(Option<Cursor>),
}

/// Why reading ends early.
enum Stopped {
    Source(dlt_sources::contract::SourceError),
    /// The thread that writes has ended, and says why.
    Writer,
}

impl From<dlt_sources::contract::SourceError> for Stopped {
    fn from(error: dlt_sources::contract::SourceError) -> Self {
        Self::Source(error)
    }
}

async fn read(reader: &LedgerReader<'_>, deliveries: mpsc::Sender<Delivery>) -> Result<(), Failure> {
    let pass_on = async |delivery| deliveries.send(delivery).await.map_err(|_closed| Stopped::Writer);
    let read = reader.read(async |blocks| pass_on(Delivery::Blocks(blocks)).await);
    let result = match read.await {
        Ok(cursor) => pass_on(Delivery::End(cursor)).await,
        Err(stopped) => Err(stopped),
    };
    match result {
        Err(Stopped::Source(error)) => Err(error.into()),
        Ok(()) | Err(Stopped::Writer) => Ok(()),
    }
}

/// A ledger file that is being written, and what is in it.
struct Export {
    file: LedgerWriter<File>,
    /// An archive of the same content, of which only the root is kept.
    archive: ArchiveWriter<std::io::Sink>,
    blocks: u64,
    transactions: u64,
}

/// What a ledger file holds.
struct Exported {
    blocks: u64,
    transactions: u64,
    content: node_storage_archive::Content,
}

/// Why it is not written.
enum ExportError {
    File(LedgerWriteError),
    /// The source has delivered what no store would take.
    Content(node_storage_archive::ArchiveError),
}

impl From<LedgerWriteError> for ExportError {
    fn from(error: LedgerWriteError) -> Self {
        Self::File(error)
    }
}

impl From<node_storage_archive::ArchiveError> for ExportError {
    fn from(error: node_storage_archive::ArchiveError) -> Self {
        Self::Content(error)
    }
}

impl Export {
    fn new(file: File, network: Network, is_compressed: bool) -> Result<Self, ExportError> {
        let header = Header { network, base: None };
        Ok(Self {
            file: LedgerWriter::new(file, network, is_compressed)?,
            archive: ArchiveWriter::new(std::io::sink(), header, Compression::None)?,
            blocks: 0,
            transactions: 0,
        })
    }

    /// Writes what is delivered. `None` where the deliveries break off: the file is none then.
    fn write(mut self, mut received: mpsc::Receiver<Delivery>) -> Result<Option<(File, Exported)>, ExportError> {
        while let Some(delivery) = received.blocking_recv() {
            match delivery {
                Delivery::Blocks(blocks) => blocks.iter().try_for_each(|block| self.push(block))?,
                Delivery::End(cursor) => {
                    let file = self.file.finish(cursor)?;
                    let (summary, _) = self.archive.finish(cursor)?;
                    let exported = Exported {
                        blocks: self.blocks,
                        transactions: self.transactions,
                        content: summary.content,
                    };
                    return Ok(Some((file, exported)));
                }
            }
        }
        Ok(None)
    }

    fn push(&mut self, block: &PublishedBlock) -> Result<(), ExportError> {
        self.file.push(block)?;
        let published = block.transactions.iter().filter(|one| !one.operations.is_empty());
        let mut transactions = 0;
        for transaction in published {
            transactions += 1;
            for operation in &transaction.operations {
                self.archive.push(&Entry {
                    position: OperationPosition {
                        block: block.number,
                        absn: transaction.absn,
                        osn: operation.osn,
                    },
                    slot: block.slot,
                    block_hash: block.hash,
                    block_time: block.time,
                    transaction_id: transaction.id,
                    bytes: operation.bytes.clone(),
                })?;
            }
        }
        self.transactions += transactions;
        self.blocks += u64::from(transactions > 0);
        Ok(())
    }
}

fn unwritten(error: ExportError, output: &std::path::Path) -> Failure {
    match error {
        ExportError::Content(error) => error.into(),
        ExportError::File(LedgerWriteError::Write(error)) => Failure::io(unwritable(output, WHAT))(error),
        ExportError::File(error) => Failure::io(unwritable(output, WHAT))(std::io::Error::other(error)),
    }
}

fn tell(arguments: &ExportArguments, network: Network, exported: &Exported, is_stdout: bool) -> Result<(), Failure> {
    let content = &exported.content;
    tracing::info!(
        "wrote {} operations in {} transactions of {} blocks, {}, root {}",
        content.operations,
        exported.transactions,
        exported.blocks,
        content.cursor.map_or_else(
            || "of a ledger without a block".to_owned(),
            |cursor| format!("up to {cursor}")
        ),
        content.root(network)
    );
    if is_stdout || !arguments.json {
        return Ok(());
    }
    let mut described = Described::new();
    described
        .content(network, content)
        .add("blocks", exported.blocks, "blocks", json!(exported.blocks))
        .add(
            "transactions",
            exported.transactions,
            "transactions",
            json!(exported.transactions),
        );
    print_answer(&described.to_json())
}
