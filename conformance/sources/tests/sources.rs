//! The suite on the sources of this repository.
#![allow(clippy::panic, clippy::unwrap_used, reason = "all of this is test code")]

mod blockfrost;
mod db_sync;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use blockfrost::BlockfrostLedger;
use db_sync::DbSyncLedger;
use dlt_sink::{DltSink, Publication};
use dlt_source::{DltSource, SourceConfig, SourceError, SourceEvent};
use dlt_source_conformance::{Ability, TestLedger, source_tests};
use dlt_source_file::{FileOptions, FileSource, Input};
use dlt_source_memory::{DevLedger, MemoryConfig, MemorySource, Submissions};
use node_service::index::IndexWorker;
use node_storage_conformance::StoreFactory;
use node_storage_conformance::model::Model;
use node_storage_contract::{
    Access, AnyStore, BlockNo, Cursor, Network, OperationBytes, PublishedBlock, RawOperationRepo,
};
use prism_fixtures::{Identity, LedgerShape};
use tempfile::TempDir;
use tokio::task::JoinSet;

source_tests!(blockfrost_api, BlockfrostLedger::new().await);
source_tests!(dbsync, DbSyncLedger::new().await);
source_tests!(file, FileLedger::new());
source_tests!(memory, MemoryLedger::new());

/// A ledger file that is written while it is read.
struct FileLedger {
    directory: TempDir,
    has_ended: AtomicBool,
}

impl FileLedger {
    fn new() -> Self {
        let ledger = Self {
            directory: TempDir::new().unwrap(),
            has_ended: AtomicBool::new(false),
        };
        ledger.write("");
        ledger
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("ledger.jsonl")
    }

    fn write(&self, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.path()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

impl TestLedger for FileLedger {
    type Source = FileSource<AnyStore>;

    fn abilities(&self) -> &'static [Ability] {
        &[Ability::KeepsBlocks, Ability::Rereads, Ability::Ends, Ability::Confirms]
    }

    async fn publish(&self, block: &PublishedBlock) {
        let lines = block
            .transactions
            .iter()
            .map(|transaction| prism_fixtures::ledger_line("custom", block, transaction) + "\n");
        self.write(&lines.collect::<String>());
    }

    async fn roll_back_to(&self, _number: BlockNo) {
        unimplemented!("a ledger file only grows");
    }

    async fn interrupt(&self) {
        unimplemented!("reading a file fails for good");
    }

    async fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }

    async fn open(
        &self,
        start: Option<Cursor>,
        confirmations: u32,
        storage: &AnyStore,
    ) -> Result<Self::Source, SourceError> {
        let options = FileOptions {
            input: Input::File(self.path()),
            network: Network::Custom,
            confirmations: confirmations.into(),
            follow: !self.has_ended.load(Ordering::Relaxed),
        };
        FileSource::open(options, storage.clone(), start).await
    }
}

/// The ledger of `dev`, which makes a block of each submission. It can be read once, from the moment it is made.
struct MemoryLedger {
    /// Dropped when the ledger ends.
    ledger: Mutex<Option<DevLedger>>,
    submissions: Mutex<Option<Submissions>>,
    /// Submitters, each of which holds the ledger.
    submitting: Mutex<JoinSet<()>>,
    /// Keeps the progress of indexing alive, which submitters wait for.
    _index: IndexWorker,
}

impl MemoryLedger {
    fn new() -> Self {
        let index = IndexWorker::new();
        let (ledger, submissions) = DevLedger::new(index.progress());
        Self {
            ledger: Mutex::new(Some(ledger)),
            submissions: Mutex::new(Some(submissions)),
            submitting: Mutex::new(JoinSet::new()),
            _index: index,
        }
    }
}

impl TestLedger for MemoryLedger {
    type Source = MemorySource;

    fn abilities(&self) -> &'static [Ability] {
        &[Ability::DeliversTheHighest, Ability::Ends]
    }

    async fn publish(&self, block: &PublishedBlock) {
        let operations: Vec<OperationBytes> = block
            .transactions
            .iter()
            .flat_map(|transaction| &transaction.operations)
            .map(|operation| operation.bytes.clone())
            .collect();
        let ledger = self.ledger.lock().unwrap().clone().unwrap();
        self.submitting.lock().unwrap().spawn(async move {
            // Is answered when the block is indexed, which nobody does here.
            let Ok(publication) = Publication::new(operations) else {
                return;
            };
            let _ = ledger.submit(publication).await;
        });
        // The submission is in the queue as soon as it was polled once.
        tokio::task::yield_now().await;
    }

    async fn roll_back_to(&self, _number: BlockNo) {
        unimplemented!("the ledger only grows");
    }

    async fn interrupt(&self) {
        unimplemented!("memory can always be read");
    }

    async fn end(&self) {
        self.ledger.lock().unwrap().take();
        // A new set: the old one ends its tasks as it is dropped.
        *self.submitting.lock().unwrap() = JoinSet::new();
        tokio::task::yield_now().await;
    }

    async fn open(
        &self,
        start: Option<Cursor>,
        _confirmations: u32,
        _storage: &AnyStore,
    ) -> Result<Self::Source, SourceError> {
        let submissions = self.submissions.lock().unwrap().take().unwrap();
        Ok(MemorySource::new(submissions, start, || prism_fixtures::block_time(7)))
    }
}

/// A database that lost blocks below its cursor is not passed by: the file says which one is missing. A block without
/// operations is never stored, so it may be missing.
#[tokio::test]
async fn block_below_the_cursor_that_is_not_stored_is_a_contradiction() {
    let ledger = FileLedger::new();
    let shape = LedgerShape {
        blocks: 6,
        ..LedgerShape::small(5)
    };
    let blocks: Vec<_> = prism_fixtures::ledger(&shape).collect();
    for block in &blocks {
        ledger.publish(block).await;
    }
    let cursor = Cursor::at(&(&blocks[4]).into());
    for missing in 0..4 {
        let access = Access::Write { migrate: true };
        let store = AnyStore::new(Model::default().open(Network::Custom, access).await.unwrap());
        let mut stored = blocks[..5].to_vec();
        let lost = stored.remove(missing);
        store.append(None, &stored, cursor).await.unwrap();
        let mut source = ledger.open(Some(cursor), 0, &store).await.unwrap();
        let error = loop {
            match source.next().await {
                Ok(SourceEvent::Blocks { .. }) => {}
                Ok(event) => panic!("{event:?}, though block {} is missing", lost.number),
                Err(error) => break error.to_string(),
            }
        };
        let expected = format!(
            "block {} has operations, is below the stored cursor, and is not stored",
            lost.number
        );
        assert!(error.contains(&expected), "{error}");
    }
}

/// The ledger of `dev` keeps no block. Where the store has lost one, or has others, it can't be read on.
#[tokio::test]
async fn ledger_in_memory_is_not_read_again_from_elsewhere() {
    let index = IndexWorker::new();
    let (ledger, submissions) = DevLedger::new(index.progress());
    let config = MemoryConfig::new(submissions, || prism_fixtures::block_time(7));
    let store = AnyStore::new(Model::default().open(Network::Custom, Access::Read).await.unwrap());
    let mut source = config.open(None, store.clone()).await.unwrap();
    let submitting = tokio::spawn(async move {
        let operations = vec![Identity::new(1, 1).create().bytes.try_into().unwrap()];
        ledger.submit(Publication::new(operations).unwrap()).await
    });
    let last = loop {
        if let SourceEvent::Blocks { cursor, .. } = source.next().await.unwrap() {
            break cursor;
        }
    };
    drop(source);
    submitting.abort();
    match config.open(None, store.clone()).await {
        Err(error @ SourceError::Contradiction { .. }) => {
            assert!(error.to_string().contains("the stored cursor is empty"), "{error}");
        }
        other => panic!("no contradiction, but {other:?}"),
    }
    assert!(
        config.open(Some(last), store).await.is_ok(),
        "where it stood, it goes on"
    );
}
