//! What the tests of the source share: relays with chains, and a reader that stores what it is given.

use std::time::Duration;

use did_prism::envelope::{encode_metadata, encode_object};
use did_prism::ledger::{BlockTime, PublishedBlock};
use dlt_source::{BatchLimits, DltSource, Heard, SourceError, SourceEvent};
use dlt_source_relay::{Genesis, RelayOptions, RelaySource, SlotTimes, TimeLimits};
use mock_relay::{Era, MockRelay, MockTransaction};
use node_storage_conformance::StoreFactory;
use node_storage_conformance::model::Model;
use node_storage_contract::{Access, AnyStore, Cursor, Network};
use prism_fixtures::Identity;
use tokio::sync::watch;

/// The magic of the networks here.
pub(crate) const MAGIC: u32 = 42;

/// How long a test waits for what should come at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The second in which slot 0 begins.
pub(crate) const SYSTEM_START: i64 = 1_700_000_000;

pub(crate) fn options(relays: &[&MockRelay]) -> RelayOptions {
    RelayOptions {
        relays: relays.iter().map(|relay| relay.address().parse().unwrap()).collect(),
        genesis: Genesis {
            magic: MAGIC,
            times: SlotTimes::since(BlockTime::from_unix_micros(SYSTEM_START * 1_000_000).unwrap()),
            start: None,
        },
        start: None,
        confirmations: 0,
        limits: TimeLimits::default(),
        batch: BatchLimits::default(),
    }
}

/// The operation that block `number` publishes on the chain `seed`, signed.
pub(crate) fn operation(seed: u64, number: u64) -> Vec<u8> {
    Identity::new(seed, number).create().bytes
}

pub(crate) fn metadata(operations: &[Vec<u8>]) -> Vec<u8> {
    encode_metadata(&encode_object(operations))
}

/// Publishes the blocks with these numbers, each with an operation of its own in its second transaction.
pub(crate) fn publish(relay: &MockRelay, seed: u64, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        let (era, place, transactions) = block(seed, number);
        relay.publish(era, place, seed, &transactions);
    }
}

/// The block with this number on the chain `seed`.
pub(crate) fn block(seed: u64, number: u64) -> (Era, (u64, u64), Vec<MockTransaction>) {
    let carrier = MockTransaction::with_metadata(Era::Conway, &metadata(&[operation(seed, number)]));
    (
        Era::Conway,
        (number, number * 20 + seed),
        vec![MockTransaction::plain(), carrier],
    )
}

pub(crate) async fn empty_store() -> AnyStore {
    let access = Access::Write { migrate: true };
    AnyStore::new(Model::default().open(Network::Custom, access).await.unwrap())
}

/// A source that is read, and what it gave.
pub(crate) struct Reading {
    source: RelaySource,
    pub(crate) blocks: Vec<PublishedBlock>,
    pub(crate) cursor: Option<Cursor>,
    /// Errors that pass.
    pub(crate) errors: Vec<SourceError>,
    pub(crate) deliveries: Vec<usize>,
}

impl Reading {
    pub(crate) async fn open(options: RelayOptions, start: Option<Cursor>) -> Self {
        Self::open_with(options, start, empty_store().await)
    }

    pub(crate) fn open_with(options: RelayOptions, start: Option<Cursor>, storage: AnyStore) -> Self {
        Self {
            source: RelaySource::new(options, start, storage),
            blocks: Vec::new(),
            cursor: start,
            errors: Vec::new(),
            deliveries: Vec::new(),
        }
    }

    /// What the source has heard of its ledger.
    pub(crate) fn heard(&self) -> watch::Receiver<Heard> {
        self.source.heard()
    }

    /// The next event, or the next error that does not pass.
    pub(crate) async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        loop {
            let answer = tokio::time::timeout(PATIENCE, self.source.next())
                .await
                .expect("the source says something in time");
            match answer {
                Ok(event) => {
                    if let SourceEvent::Blocks { blocks, cursor } = &event {
                        self.deliveries.push(blocks.len());
                        self.blocks.extend(blocks.iter().cloned());
                        self.cursor = Some(*cursor);
                    }
                    return Ok(event);
                }
                Err(error) if error.is_retryable() => {
                    self.errors.push(error);
                    assert!(
                        self.errors.len() < 1_000,
                        "the source fails again and again: {:?}",
                        self.errors.last()
                    );
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads until the cursor is at this block.
    pub(crate) async fn read_to(&mut self, number: u64) {
        while self.cursor.is_none_or(|cursor| cursor.block.get() < number) {
            self.next().await.unwrap();
        }
    }

    /// Reads until the source has caught up.
    pub(crate) async fn read_all(&mut self) {
        while self.next().await.unwrap() != SourceEvent::CaughtUp {}
    }

    /// Reads until an error that does not pass.
    pub(crate) async fn read_to_error(&mut self) -> SourceError {
        loop {
            if let Err(error) = self.next().await {
                return error;
            }
        }
    }

    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.blocks.iter().map(|block| block.number.get()).collect()
    }

    /// The operations, in order.
    pub(crate) fn operations(&self) -> Vec<Vec<u8>> {
        self.blocks
            .iter()
            .flat_map(|block| &block.transactions)
            .flat_map(|transaction| &transaction.operations)
            .map(|operation| operation.bytes.as_slice().to_vec())
            .collect()
    }
}
