//! The ledger file as applications know it: its name and its flags.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{ArgMatches, Args, Command, FromArgMatches};
use dlt_source::{AnySource, SourceConfig, SourceError, SourceKind, SourceSettings};
use node_storage_contract::{AnyStore, BoxFuture, Cursor};

use crate::{FileOptions, FileSource, Input};

/// Ledger files.
#[derive(Debug)]
pub struct FileKind;

/// The name as `--dlt-source` takes it.
const NAME: &str = "file";

/// Which file, and whether to wait for more.
#[derive(Debug, Args)]
struct FileFlags {
    /// The ledger file (JSON lines, one transaction per line), plain or compressed with Zstandard; - for standard input.
    #[arg(
        long,
        env = "NPRISM_LEDGER_FILE",
        value_name = "FILE",
        required_if_eq("dlt_source", NAME)
    )]
    ledger_file: Option<PathBuf>,
    /// Do not stop at the end of the ledger file: wait for lines to be appended.
    #[arg(long)]
    follow: bool,
}

impl SourceKind for FileKind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn add_flags(&self, command: Command) -> Command {
        FileFlags::augment_args(command)
    }

    fn configure(&self, flags: &ArgMatches, settings: SourceSettings) -> Result<Box<dyn SourceConfig>, String> {
        let flags = FileFlags::from_arg_matches(flags).map_err(|error| error.to_string())?;
        let Some(file) = flags.ledger_file else {
            return Err("give --ledger-file FILE, or - for standard input".to_owned());
        };
        let input = Input::from_argument(&file);
        if input == Input::Stdin && flags.follow {
            let text =
                "--follow is for files; standard input is read until its writer closes it, so leave --follow out";
            return Err(text.to_owned());
        }
        if input.is_named_as_compressed() && flags.follow {
            let text = format!(
                "{input} is compressed, and only a file that grows line by line can be followed; leave --follow out"
            );
            return Err(text);
        }
        Ok(Box::new(FileConfig {
            options: FileOptions {
                input,
                network: settings.network,
                confirmations: settings.confirmation_blocks.unwrap_or(0).into(),
                follow: flags.follow,
            },
            was_opened: AtomicBool::new(false),
        }))
    }
}

/// A ledger file that has been named.
#[derive(Debug)]
struct FileConfig {
    options: FileOptions,
    was_opened: AtomicBool,
}

impl SourceConfig for FileConfig {
    fn open(&self, cursor: Option<Cursor>, storage: AnyStore) -> BoxFuture<'_, Result<AnySource, SourceError>> {
        Box::pin(async move {
            let was_opened = self.was_opened.swap(true, Ordering::Relaxed);
            if was_opened && self.options.input == Input::Stdin {
                // What it gave is gone, and the rest would leave a hole.
                return Err(SourceError::Unavailable {
                    retryable: false,
                    subject: self.options.input.to_string(),
                    detail: format!(
                        "it can't be read again from {}; start again and give the whole ledger",
                        cursor.map_or_else(|| "the beginning".to_owned(), |cursor| cursor.to_string())
                    ),
                });
            }
            let source = FileSource::open(self.options.clone(), storage, cursor).await?;
            Ok(AnySource::new(source))
        })
    }
}
