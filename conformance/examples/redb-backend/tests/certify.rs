//! The certification: every case of the conformance suite, and streams of calls, each on files of their own.
#![allow(clippy::expect_used, reason = "a store that can't be made fails its case")]

use std::path::PathBuf;

use node_storage_conformance::StoreFactory;
use node_storage_contract::{Access, Network, Result};
use redb_backend::RedbStore;
use tempfile::TempDir;

/// A file with the tables and no content, in a directory that goes with the factory.
struct RedbFactory(TempDir);

impl RedbFactory {
    fn new() -> Self {
        let factory = Self(tempfile::tempdir().expect("a temporary directory"));
        RedbStore::migrate(&factory.file()).expect("a new file");
        factory
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("node.redb")
    }
}

impl StoreFactory for RedbFactory {
    type Store = RedbStore;

    async fn open(&self, network: Network, access: Access) -> Result<RedbStore> {
        RedbStore::open(&self.file(), network, access).await
    }
}

node_storage_conformance::conformance_tests!(redb, RedbFactory::new());
node_storage_conformance::stream_test!(redb, RedbFactory::new());
