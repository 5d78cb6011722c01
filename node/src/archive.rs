//! `archive`: archives without a database.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use did_prism::did::PrismDid;
use did_prism::route::{Route, route};
use node_storage::contract::{BlockTime, DidSuffix, OperationHash};
use node_storage_archive::{ArchiveError, ArchiveReader, Difference, Entry, Summary, diff, entries, verify};
use serde_json::{Value, json};

use crate::answer::print_answer;
use crate::blocking::blocking;
use crate::cli::{ArchiveCommand, CatArguments, DiffArguments, InspectArguments};
use crate::exit::Failure;
use crate::summary::{Described, cursor};

/// Runs the command.
pub(crate) async fn run(command: ArchiveCommand) -> Result<(), Failure> {
    // A signal ends the process at once: nothing is written but answers.
    blocking(move || match command {
        ArchiveCommand::Verify(arguments) => each(&arguments, |name, summary| {
            format!(
                "{name}: verified, {} operations, root {}",
                summary.content.operations, summary.root
            )
        }),
        ArchiveCommand::Inspect(arguments) => each(&arguments, |name, summary| {
            let mut described = Described::new();
            described.archive(summary);
            format!("{name}\n{}", described.to_text())
        }),
        ArchiveCommand::Cat(arguments) => stop_quietly(cat(&arguments)),
        ArchiveCommand::Diff(arguments) => stop_quietly(differences(&arguments)),
    })
    .await
}

/// Opens an archive, or standard input, and names it.
pub(crate) fn open(path: &Path) -> Result<(String, Box<dyn Read + Send>), Failure> {
    if path == Path::new("-") {
        return Ok(("standard input".to_owned(), Box::new(io::stdin())));
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(Failure::io(format!("the archive {name} can't be opened")))?;
    Ok((name, Box::new(file)))
}

fn open_buffered(path: &Path) -> Result<(String, impl Read + use<>), Failure> {
    let (name, input) = open(path)?;
    Ok((name, BufReader::with_capacity(1 << 16, input)))
}

/// Verifies each archive and prints what it is. All are looked at; the first failure is the command's.
fn each(arguments: &InspectArguments, text: impl Fn(&str, &Summary) -> String) -> Result<(), Failure> {
    let mut result = Ok(());
    for path in &arguments.files {
        let read = open_buffered(path).and_then(|(name, input)| {
            let summary = verify(name.clone(), input)?;
            if arguments.json {
                let mut described = Described::new();
                described
                    .add("archive", &name, "archive", json!(name))
                    .archive(&summary);
                print_answer(&described.to_json())
            } else {
                print_answer(&text(&name, &summary))
            }
        });
        match (&result, read) {
            (Ok(()), read) => result = read,
            (Err(_), Err(failure)) => tracing::error!("{}", failure.describe()),
            (Err(_), Ok(())) => {}
        }
    }
    result
}

/// Whoever reads the answers may have read enough.
fn stop_quietly(result: Result<(), Stopped>) -> Result<(), Failure> {
    match result {
        Ok(()) => Ok(()),
        Err(Stopped::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(Stopped::Output(error)) => Err(Failure::io("can't write to standard output")(error)),
        Err(Stopped::Failure(failure)) => Err(failure),
    }
}

/// Why lines are not printed any more.
enum Stopped {
    Output(io::Error),
    Failure(Failure),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<ArchiveError> for Stopped {
    fn from(error: ArchiveError) -> Self {
        Self::Failure(error.into())
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

fn cat(arguments: &CatArguments) -> Result<(), Stopped> {
    let mut output = BufWriter::new(io::stdout().lock());
    let mut filter = Filter::new(arguments);
    let result = arguments.files.iter().try_for_each(|path: &PathBuf| {
        let (name, input) = open_buffered(path)?;
        entries(name, input, |entry| {
            if filter.takes(&entry) {
                writeln!(output, "{}", to_json(&entry))?;
            }
            Ok::<_, Stopped>(())
        })
        .map(drop)
    });
    output.flush()?;
    result
}

/// Which operations are asked for.
struct Filter<'a> {
    arguments: &'a CatArguments,
    did: Option<DidSuffix>,
    /// Hashes of the DID's storage operations so far, which later ones name as what they follow.
    storage: BTreeSet<OperationHash>,
}

impl<'a> Filter<'a> {
    fn new(arguments: &'a CatArguments) -> Self {
        Self {
            arguments,
            did: arguments.did.as_ref().map(PrismDid::suffix),
            storage: BTreeSet::new(),
        }
    }

    fn takes(&mut self, entry: &Entry) -> bool {
        // First, since what it has seen counts also where another condition leaves it out.
        let of_did = self.is_of_did(entry);
        let number = entry.position.block.get();
        let arguments = self.arguments;
        of_did
            && arguments.from_block.is_none_or(|from| number >= from)
            && arguments.to_block.is_none_or(|to| number <= to)
            && arguments.transaction.is_none_or(|id| entry.transaction_id == id)
    }

    fn is_of_did(&mut self, entry: &Entry) -> bool {
        let Some(wanted) = self.did else { return true };
        match route(entry.bytes.as_slice()) {
            Ok(Route::Did { did, .. }) => did == wanted,
            Ok(Route::StorageCreate { did, operation_hash }) if did == wanted => {
                self.storage.insert(operation_hash);
                true
            }
            Ok(Route::StorageChange {
                predecessor,
                operation_hash,
            }) if self.storage.contains(&predecessor) => {
                self.storage.insert(operation_hash);
                true
            }
            _ => false,
        }
    }
}

fn to_json(entry: &Entry) -> Value {
    json!({
        "block_number": entry.position.block.get(),
        "slot": entry.slot.get(),
        "block_hash": entry.block_hash.to_string(),
        "block_time": BlockTime::to_string(&entry.block_time),
        "absn": entry.position.absn.get(),
        "tx_id": entry.transaction_id.to_string(),
        "osn": entry.position.osn.get(),
        "operation_id": entry.bytes.id().to_string(),
        "signed_operation": HEXLOWER.encode(entry.bytes.as_slice()),
    })
}

fn differences(arguments: &DiffArguments) -> Result<(), Stopped> {
    if arguments.first == Path::new("-") && arguments.second == Path::new("-") {
        let text = "standard input can be one of the two archives only";
        return Err(Failure::Usage(text.to_owned()).into());
    }
    let reader = |path| -> Result<_, Stopped> {
        let (name, input) = open_buffered(path)?;
        Ok(ArchiveReader::open(name, input)?)
    };
    let (first, second) = (reader(&arguments.first)?, reader(&arguments.second)?);
    let mut output = BufWriter::new(io::stdout().lock());
    let result = diff(first, second, |difference| {
        if arguments.json {
            writeln!(output, "{}", difference_to_json(&difference))?;
        } else {
            writeln!(output, "{}", difference_to_text(&difference))?;
        }
        Ok::<_, Stopped>(())
    });
    output.flush()?;
    result
}

fn difference_to_json(difference: &Difference) -> Value {
    match difference {
        Difference::Network(first, second) => {
            json!({"differs": "network", "first": first.name(), "second": second.name()})
        }
        Difference::Base(first, second) => json!({"differs": "base", "first": first, "second": second}),
        Difference::OnlyInFirst(entry) => json!({"differs": "operation", "first": to_json(entry), "second": null}),
        Difference::OnlyInSecond(entry) => json!({"differs": "operation", "first": null, "second": to_json(entry)}),
        Difference::Changed(first, second) => {
            json!({"differs": "operation", "first": to_json(first), "second": to_json(second)})
        }
        Difference::Cursor(first, second) => {
            json!({"differs": "cursor", "first": first.map(cursor), "second": second.map(cursor)})
        }
    }
}

fn difference_to_text(difference: &Difference) -> String {
    let shown = |cursor: &Option<node_storage::contract::Cursor>| cursor.map_or("none".to_owned(), |at| at.to_string());
    match difference {
        Difference::Network(first, second) => format!("network: {first} in the first, {second} in the second"),
        Difference::Base(first, second) => {
            format!("base: {first} operations in the first, {second} in the second, or other ones")
        }
        Difference::OnlyInFirst(entry) => format!("only in the first: {}", to_json(entry)),
        Difference::OnlyInSecond(entry) => format!("only in the second: {}", to_json(entry)),
        Difference::Changed(first, second) => format!("changed: {} became {}", to_json(first), to_json(second)),
        Difference::Cursor(first, second) => {
            format!("cursor: {} in the first, {} in the second", shown(first), shown(second))
        }
    }
}
