//! The engine as the node knows it: its URLs, its stores, its one writer. The conformance suite needs none of this.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use node_storage_contract::{
    Access, AnyStore, BoxFuture, Connection, DltCursorRepo, Engine, EngineCheck, Network, OtherWriter, OwnedStore, Result,
    StorageError, StoreConfig, WriterLease,
};

use crate::RedbStore;

/// redb files.
#[derive(Debug)]
pub struct RedbEngine;

impl Engine for RedbEngine {
    fn schemes(&self) -> &'static [&'static str] {
        &["redb"]
    }

    fn example_url(&self) -> &'static str {
        "redb:///path/to/node.redb"
    }

    fn is_embedded(&self) -> bool {
        true
    }

    fn at_url(&self, url: &str) -> std::result::Result<Box<dyn StoreConfig>, String> {
        match url.strip_prefix("redb://") {
            Some(path) if !path.is_empty() => Ok(Box::new(RedbConfig(path.into()))),
            _ => Err(format!("write {}", self.example_url())),
        }
    }

    fn in_directory(&self, directory: &Path) -> Option<Box<dyn StoreConfig>> {
        Some(Box::new(RedbConfig(directory.join("node.redb"))))
    }
}

/// A redb file that has been named.
#[derive(Debug, Clone)]
struct RedbConfig(PathBuf);

impl RedbConfig {
    async fn open_now(&self, network: Network, access: Access) -> Result<AnyStore> {
        if let (Access::Write { migrate: true }, Some(directory)) = (access, self.0.parent()) {
            fs::create_dir_all(directory).map_err(|error| StorageError::Unavailable {
                retryable: false,
                detail: format!("the directory {} can't be made: {error}", directory.display()),
            })?;
        }
        Ok(AnyStore::connected(RedbStore::open(&self.0, network, access).await?))
    }
}

impl StoreConfig for RedbConfig {
    fn boxed_clone(&self) -> Box<dyn StoreConfig> {
        Box::new(self.clone())
    }

    fn set_connect_timeout(&mut self, _timeout: Duration) {}

    fn set_answer_timeout(&mut self, _timeout: Duration) {}

    fn set_max_connections(&mut self, _connections: u32) {}

    fn location(&self) -> String {
        self.0.display().to_string()
    }

    fn file(&self) -> Option<&Path> {
        Some(&self.0)
    }

    fn open(&self, network: Network, access: Access) -> BoxFuture<'_, Result<AnyStore>> {
        Box::pin(self.open_now(network, access))
    }

    fn open_as_writer(
        &self,
        network: Network,
        migrate: bool,
    ) -> BoxFuture<'_, Result<std::result::Result<OwnedStore, OtherWriter>>> {
        Box::pin(async move {
            // redb lets one process open a file for writing, and the others are told that it is busy.
            let store = self.open_now(network, Access::Write { migrate }).await?;
            Ok(Ok((store, Box::new(OpenFile) as _)))
        })
    }
}

impl Connection for RedbStore {
    async fn check_ready(&self) -> Result<()> {
        self.network().await.map(drop)
    }

    /// The file is closed with the last clone.
    async fn close(&self) {}

    /// redb checks a file when it is opened for writing by itself; nothing more is looked at here.
    async fn check_engine(&self) -> Result<EngineCheck> {
        Ok(EngineCheck::default())
    }

    async fn clear_index(&self) -> Result<()> {
        RedbStore::clear_index(self).await
    }

    /// redb keeps no statistics.
    async fn optimize(&self, _rewrite: bool) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

/// Nothing to hold: the open file is the lease.
#[derive(Debug)]
struct OpenFile;

impl WriterLease for OpenFile {
    fn check(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn regain(&mut self) -> BoxFuture<'_, Result<std::result::Result<(), OtherWriter>>> {
        Box::pin(async { Ok(Ok(())) })
    }

    fn release(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}
