//! What an application asks of a database engine besides the storage contract: how a store is named, opened and guarded.
//!
//! An engine crate implements [`Engine`], and the registry of the application lists it. Nobody else needs to know which engine
//! it is.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::{Access, AnyStore, BoxFuture, Network, Result};

/// A database engine.
pub trait Engine: fmt::Debug + Send + Sync {
    /// The schemes of its URLs, without the colon.
    fn schemes(&self) -> &'static [&'static str];

    /// An example of its URLs, for messages.
    fn example_url(&self) -> &'static str;

    /// Whether its stores are files that the process opens itself, in place of databases of a server. An embedded engine has a
    /// default place, no replicas, and no store before the first writer has made it.
    fn is_embedded(&self) -> bool;

    /// The store at a URL of one of its schemes. Nothing is opened.
    ///
    /// # Errors
    /// What is wrong with the URL, without any password.
    fn at_url(&self, url: &str) -> std::result::Result<Box<dyn StoreConfig>, String>;

    /// The store of an embedded engine in this directory, under the name that the engine gives its files. `None` for servers.
    fn in_directory(&self, directory: &Path) -> Option<Box<dyn StoreConfig>>;
}

/// A store that has been named, and how patiently it is opened. No text of it, `Debug` included, shows a password.
pub trait StoreConfig: fmt::Debug + Send + Sync {
    /// The same configuration once more.
    fn boxed_clone(&self) -> Box<dyn StoreConfig>;

    /// How long opening waits for a server that can't be reached, or for another process that is in the way.
    fn set_connect_timeout(&mut self, timeout: Duration);

    /// How long a call of an open store waits for a connection to a server; as long as opening does where this is not set. Embedded
    /// engines decide for themselves.
    fn set_answer_timeout(&mut self, timeout: Duration);

    /// The most connections to a server, the one of the lease included. Embedded engines decide for themselves.
    fn set_max_connections(&mut self, connections: u32);

    /// Where the store is, for people.
    fn location(&self) -> String;

    /// The file of an embedded store.
    fn file(&self) -> Option<&Path>;

    /// Opens the store.
    ///
    /// # Errors
    /// As [`AnyStore::connect`].
    fn open(&self, network: Network, access: Access) -> BoxFuture<'_, Result<AnyStore>>;

    /// Opens the store for writing, as the one process that does. [`OtherWriter`] while another process is the writer and one can
    /// stand by for it.
    ///
    /// `migrate` says whether a schema that is missing or outdated is brought up to date.
    ///
    /// # Errors
    /// As [`AnyStore::connect`]; `Busy` while another process is the writer and standing by is not possible.
    fn open_as_writer(
        &self,
        network: Network,
        migrate: bool,
    ) -> BoxFuture<'_, Result<std::result::Result<OwnedStore, OtherWriter>>>;
}

/// Somebody else is the writer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OtherWriter {
    /// What the server says of the session that holds the lease, if anything.
    pub holder: Option<String>,
}

impl OtherWriter {
    /// That another process writes what is at `location`, and what is known of it.
    pub fn describe(&self, location: &str) -> String {
        match &self.holder {
            Some(holder) => format!("another process writes {location}: {holder}"),
            None => format!("another process writes {location}"),
        }
    }
}

/// A store that this process alone writes.
pub type OwnedStore = (AnyStore, Box<dyn WriterLease>);

/// The right to be the one process that writes a store. Dropping it gives it back as well, perhaps later.
///
/// It keeps two indexers from doing the same work. It is not what keeps the data right: the locks of the contract do that.
pub trait WriterLease: fmt::Debug + Send + Sync {
    /// Makes sure that the lease is still held.
    ///
    /// # Errors
    /// Why that is not certain any more.
    fn check(&mut self) -> BoxFuture<'_, Result<()>>;

    /// Takes the lease again after [`WriterLease::check`] failed, having let go of what is left of the old one. [`OtherWriter`]
    /// while another process holds it.
    fn regain(&mut self) -> BoxFuture<'_, Result<std::result::Result<(), OtherWriter>>>;

    /// Gives the lease back.
    fn release(self: Box<Self>) -> BoxFuture<'static, Result<()>>;
}
