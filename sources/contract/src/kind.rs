//! What an application asks of a kind of source besides reading it: its name, its flags, and how it is opened.
//!
//! A crate of a source implements [`SourceKind`], and the registry of the application lists it. Nobody else needs to know which
//! source it is.

use std::fmt;

use clap::{ArgMatches, Command};
use node_storage_contract::{AnyStore, BoxFuture, Cursor, Network};

use crate::{AnySource, SourceError};

/// How many of the highest block numbers a source of a public network holds back unless it is told otherwise, as the method asks
/// (protocol.md#confirmations).
pub const DEFAULT_CONFIRMATION_BLOCKS: u32 = 112;

/// A kind of source.
pub trait SourceKind: fmt::Debug + Send + Sync {
    /// The name as `--dlt-source` takes it.
    fn name(&self) -> &'static str;

    /// The command with the flags and environment variables of this source added. Each flag is required at most if the value of
    /// the argument `dlt_source` is this source's name.
    fn add_flags(&self, command: Command) -> Command;

    /// The source that the flags describe. Nothing is opened.
    ///
    /// # Errors
    /// What is wrong with the flags, and what to give in their place.
    fn configure(&self, flags: &ArgMatches, settings: SourceSettings) -> Result<Box<dyn SourceConfig>, String>;
}

/// What every source is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceSettings {
    /// The network whose ledger is read.
    pub network: Network,
    /// How many of the highest block numbers are held back, if that was said. Otherwise the source decides.
    pub confirmation_blocks: Option<u32>,
}

/// A source that has been named.
pub trait SourceConfig: fmt::Debug + Send + Sync {
    /// Opens the source, to read on after the stored cursor. It may compare the ledger with what `storage` holds.
    ///
    /// It is called again, after the source that it opened before was dropped, where the stored cursor is not the one that
    /// reading had come to: the database went back, or another process has written. A source that can't be read again from
    /// there must say so, since reading on from elsewhere would leave a hole.
    ///
    /// # Errors
    /// Why it can't be read.
    fn open(&self, cursor: Option<Cursor>, storage: AnyStore) -> BoxFuture<'_, Result<AnySource, SourceError>>;
}
