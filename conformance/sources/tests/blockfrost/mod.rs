//! The suite on a Blockfrost that a test writes.
//!
//! Its times are whole seconds, as those of the chain are, and the suite's have a fraction: so what the source delivers is compared
//! with the second, and then given the published time.

mod behaviour;
mod faults;
mod requests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use did_prism::digest::BlockHash;
use did_prism::envelope::{encode_metadata, encode_object};
use did_prism::ledger::{BlockTime, PublishedTransaction};
use dlt_source::{DltSource, Heard, SourceError, SourceEvent};
use dlt_source_blockfrost::{BlockfrostOptions, BlockfrostSource, TimeLimits};
use dlt_source_conformance::{Ability, TestLedger};
use mock_blockfrost::{Answer, Metadata, MockBlock, MockBlockfrost, MockTransaction};
use node_storage_contract::{AnyStore, BlockNo, Cursor, Network, PublishedBlock};
use serde_json::json;
use tokio::sync::watch;

pub(crate) const MAGIC: u64 = 42;

/// So long that an entry is shown once, and not in both members.
const LONG: usize = 100_000;

/// A Blockfrost. Entries are shown in each way that there is, and blocks come with what Blockfrost lists besides: failed scripts,
/// and entries without content.
pub(crate) struct BlockfrostLedger {
    pub(crate) mock: MockBlockfrost,
    times: Times,
}

/// The times that blocks were published with.
#[derive(Clone, Default)]
struct Times(Arc<Mutex<HashMap<BlockHash, BlockTime>>>);

impl BlockfrostLedger {
    pub(crate) async fn new() -> Self {
        Self {
            mock: MockBlockfrost::start(MAGIC, None).await,
            times: Times::default(),
        }
    }
}

/// How this Blockfrost is read by tests: failures are over soon.
pub(crate) fn options(mock: &MockBlockfrost) -> BlockfrostOptions {
    BlockfrostOptions::new(&mock.url(), Network::Custom)
        .unwrap()
        .poll_interval(Duration::from_millis(2))
        .limits(limits())
}

pub(crate) fn limits() -> TimeLimits {
    TimeLimits {
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(4),
        rest: Duration::from_millis(10),
        interval: Duration::from_millis(1),
        ..TimeLimits::default()
    }
}

/// A block as Blockfrost has it, with so many of the entries shown in one way.
pub(crate) fn mock_block(block: &PublishedBlock) -> MockBlock {
    MockBlock {
        number: block.number.get(),
        slot: block.slot.get(),
        hash: *block.hash.as_bytes(),
        time: block.time.unix_micros().div_euclid(1_000_000),
        transactions: block
            .transactions
            .iter()
            .map(|transaction| mock_transaction(block, transaction))
            .collect(),
    }
}

fn mock_transaction(block: &PublishedBlock, transaction: &PublishedTransaction) -> MockTransaction {
    let operations: Vec<_> = transaction
        .operations
        .iter()
        .map(|operation| operation.bytes.as_slice().to_vec())
        .collect();
    let object = encode_object(&operations);
    let metadata = encode_metadata(&object);
    MockTransaction {
        id: *transaction.id.as_bytes(),
        index: transaction.absn.get().into(),
        is_valid: true,
        metadata: match block.number.get() % 4 {
            _ if metadata.len() > LONG => Metadata::Newer(metadata),
            0 => Metadata::Newer(metadata),
            1 => Metadata::Older(metadata),
            2 => Metadata::Both(metadata),
            _ => Metadata::Json(view(&object)),
        },
    }
}

fn view(object: &[u8]) -> serde_json::Value {
    let chunks: Vec<_> = object
        .chunks(64)
        .map(|chunk| format!("0x{}", data_encoding::HEXLOWER.encode(chunk)))
        .collect();
    json!({"v": 1, "c": chunks})
}

/// An entry of an operation that must not be published.
pub(crate) fn noise(block: &PublishedBlock, index: u64, metadata: Metadata, is_valid: bool) -> MockTransaction {
    let mut content = block.hash.as_bytes().to_vec();
    content.extend(index.to_be_bytes());
    MockTransaction {
        id: did_prism::digest::sha256(&content),
        index,
        is_valid,
        metadata,
    }
}

/// The metadata of one operation.
pub(crate) fn some_metadata() -> Vec<u8> {
    let operation = prism_fixtures::Identity::new(9, 9).create().bytes;
    encode_metadata(&encode_object(&[operation]))
}

impl TestLedger for BlockfrostLedger {
    type Source = Timed;

    fn abilities(&self) -> &'static [Ability] {
        &[
            Ability::KeepsBlocks,
            Ability::DeliversTheHighest,
            Ability::Rereads,
            Ability::Confirms,
            Ability::RollsBack,
            Ability::Interrupts,
        ]
    }

    async fn publish(&self, block: &PublishedBlock) {
        self.times.0.lock().unwrap().insert(block.hash, block.time);
        let mut mock = mock_block(block);
        let number = block.number.get();
        if number.is_multiple_of(4) {
            let failed = noise(block, 1_000_000, Metadata::Newer(some_metadata()), false);
            mock.transactions.push(failed);
        }
        if number.is_multiple_of(5) {
            mock.transactions.push(noise(block, 1_000_001, Metadata::Null, true));
        }
        self.mock.chain(|chain| {
            chain.blocks.push(mock);
            chain.has_empty_pages = number.is_multiple_of(2);
        });
    }

    async fn roll_back_to(&self, number: BlockNo) {
        self.mock.chain(|chain| chain.roll_back_to(number.get()));
    }

    async fn interrupt(&self) {
        self.mock.answer("", 5, Answer::cut("{"));
    }

    async fn end(&self) {
        unimplemented!("a chain goes on");
    }

    async fn open(
        &self,
        start: Option<Cursor>,
        confirmations: u32,
        _storage: &AnyStore,
    ) -> Result<Self::Source, SourceError> {
        let options = options(&self.mock).confirmations(confirmations);
        Ok(Timed {
            source: BlockfrostSource::open(options, start).await?,
            times: self.times.clone(),
        })
    }
}

/// The source, whose blocks have the times of the suite.
pub(crate) struct Timed {
    source: BlockfrostSource,
    times: Times,
}

impl Timed {
    fn timed(&self, block: PublishedBlock) -> PublishedBlock {
        let published = self.times.0.lock().unwrap()[&block.hash];
        assert_eq!(
            block.time,
            published.floor_to_second(),
            "the time of block {}",
            block.number
        );
        PublishedBlock {
            time: published,
            ..block
        }
    }
}

impl DltSource for Timed {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        Ok(match self.source.next().await? {
            SourceEvent::Blocks { blocks, cursor } => SourceEvent::Blocks {
                blocks: blocks.into_iter().map(|block| self.timed(block)).collect(),
                cursor,
            },
            event => event,
        })
    }

    fn heard(&self) -> watch::Receiver<Heard> {
        self.source.heard()
    }
}

/// The block with this number, with so many transactions of one operation. Its time is a whole second.
pub(crate) fn block(seed: u64, number: u64, transactions: u64) -> PublishedBlock {
    let operation = |index| {
        prism_fixtures::Identity::new(seed, number * 10_000 + index)
            .create()
            .bytes
    };
    let mut block = prism_fixtures::block(
        seed,
        number,
        number * 20,
        (0..transactions).map(|index| [operation(index)]),
    );
    block.time = block.time.floor_to_second();
    block
}

pub(crate) fn at(block: &PublishedBlock) -> Cursor {
    Cursor::at(&block.into())
}

/// A Blockfrost with these blocks.
pub(crate) async fn mock(blocks: &[PublishedBlock]) -> MockBlockfrost {
    let mock = MockBlockfrost::start(MAGIC, None).await;
    publish(&mock, blocks);
    mock
}

pub(crate) fn publish(mock: &MockBlockfrost, blocks: &[PublishedBlock]) {
    mock.chain(|chain| chain.blocks.extend(blocks.iter().map(mock_block)));
}

/// A source that holds nothing back.
pub(crate) async fn source(mock: &MockBlockfrost, start: Option<Cursor>) -> BlockfrostSource {
    source_with(options(mock).confirmations(0), start).await
}

pub(crate) async fn source_with(options: BlockfrostOptions, start: Option<Cursor>) -> BlockfrostSource {
    BlockfrostSource::open(options, start).await.unwrap()
}

/// What is delivered until the source has caught up.
pub(crate) async fn read_all(source: &mut BlockfrostSource) -> Vec<PublishedBlock> {
    let mut read = Vec::new();
    loop {
        match source.next().await {
            Ok(SourceEvent::Blocks { blocks, .. }) => read.extend(blocks),
            Ok(SourceEvent::CaughtUp) => return read,
            other => panic!("{other:?}"),
        }
    }
}

/// The next error, and what is delivered before it.
pub(crate) async fn read_to_error(source: &mut BlockfrostSource) -> (Vec<PublishedBlock>, SourceError) {
    let mut read = Vec::new();
    loop {
        match source.next().await {
            Ok(SourceEvent::Blocks { blocks, .. }) => read.extend(blocks),
            Ok(SourceEvent::CaughtUp) => {}
            Ok(SourceEvent::End) => panic!("a chain has no end"),
            Err(error) => return (read, error),
        }
    }
}

pub(crate) async fn next_error(source: &mut BlockfrostSource) -> SourceError {
    read_to_error(source).await.1
}

/// Why it can't be opened.
pub(crate) async fn refused(options: BlockfrostOptions) -> SourceError {
    match BlockfrostSource::open(options, None).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}
