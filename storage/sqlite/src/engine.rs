//! The engine as applications know it: its URLs, its stores, its one writer.

use std::path::Path;
use std::time::Duration;

use node_storage_contract::{
    Access, AnyStore, BoxFuture, Connection, Engine, EngineCheck, Network, OtherWriter, OwnedStore, Result,
    StoreConfig, WriterLease,
};

use crate::{SqliteDb, SqliteOptions, url};

/// An embedded SQLite file.
#[derive(Debug)]
pub struct SqliteEngine;

impl Engine for SqliteEngine {
    fn schemes(&self) -> &'static [&'static str] {
        &["sqlite"]
    }

    fn example_url(&self) -> &'static str {
        "sqlite:///path/to/node.db"
    }

    fn is_embedded(&self) -> bool {
        true
    }

    fn at_url(&self, url: &str) -> std::result::Result<Box<dyn StoreConfig>, String> {
        Ok(Box::new(SqliteOptions::new(url::file(url)?)))
    }

    fn in_directory(&self, directory: &Path) -> Option<Box<dyn StoreConfig>> {
        Some(Box::new(SqliteOptions::new(directory.join("node.db"))))
    }
}

impl StoreConfig for SqliteOptions {
    fn boxed_clone(&self) -> Box<dyn StoreConfig> {
        Box::new(self.clone())
    }

    fn set_connect_timeout(&mut self, timeout: Duration) {
        *self = self.clone().writer_timeout(timeout);
    }

    fn set_answer_timeout(&mut self, _timeout: Duration) {}

    fn set_max_connections(&mut self, _connections: u32) {}

    fn location(&self) -> String {
        self.path().display().to_string()
    }

    fn file(&self) -> Option<&Path> {
        Some(self.path())
    }

    fn open(&self, network: Network, access: Access) -> BoxFuture<'_, Result<AnyStore>> {
        Box::pin(async move { Ok(AnyStore::connected(SqliteDb::open(self, network, access).await?)) })
    }

    fn open_as_writer(
        &self,
        network: Network,
        migrate: bool,
    ) -> BoxFuture<'_, Result<std::result::Result<OwnedStore, OtherWriter>>> {
        Box::pin(async move {
            // Takes the lock of the file, and waits for a process that holds it.
            let store = SqliteDb::open(self, network, Access::Write { migrate }).await?;
            let lease = SqliteLease(store.clone());
            Ok(Ok((AnyStore::connected(store), Box::new(lease) as _)))
        })
    }
}

impl Connection for SqliteDb {
    async fn check_ready(&self) -> Result<()> {
        Self::check_ready(self).await
    }

    async fn close(&self) {
        Self::close(self).await;
    }

    async fn check_engine(&self) -> Result<EngineCheck> {
        Self::check_engine(self).await
    }

    async fn clear_index(&self) -> Result<()> {
        Self::clear_index(self).await
    }

    async fn optimize(&self, rewrite: bool) -> Result<Vec<String>> {
        Self::optimize(self, rewrite).await
    }
}

/// The store, which keeps the lock of its file as long as a clone of it exists. What is left to look at is whether the files
/// are still those that were opened.
#[derive(Debug)]
struct SqliteLease(SqliteDb);

impl WriterLease for SqliteLease {
    fn check(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { self.0.check_files() })
    }

    /// Never, once a file was deleted or replaced: the lock may be somebody else's by now, and so may the path.
    fn regain(&mut self) -> BoxFuture<'_, Result<std::result::Result<(), OtherWriter>>> {
        Box::pin(async { self.0.check_files().map(Ok) })
    }

    fn release(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}
