//! What an application asks of a kind of sink besides publishing: its name, its flags, and the sink that flags describe.
//!
//! A crate of a sink implements [`SinkKind`], and the registry of the application lists it. Nobody else needs to know which sink
//! it is.

use std::fmt;

use clap::{ArgMatches, Command};
use node_storage_contract::Network;

use crate::AnySink;

/// A kind of sink.
pub trait SinkKind: fmt::Debug + Send + Sync {
    /// The name as `--dlt-sink` takes it.
    fn name(&self) -> &'static str;

    /// The command with the flags and environment variables of this sink added. Each flag is required at most if the value of
    /// the argument `dlt_sink` is this sink's name.
    fn add_flags(&self, command: Command) -> Command;

    /// The sink that the flags describe. Nothing is asked of the other side.
    ///
    /// # Errors
    /// What is wrong with the flags, and what to give in their place, without secrets.
    fn configure(&self, flags: &ArgMatches, settings: SinkSettings) -> Result<AnySink, String>;
}

/// What every sink is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkSettings {
    /// The network on whose ledger it publishes.
    pub network: Network,
}
