//! Reading a source and checking what holds for every event.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use dlt_source::{AnySource, BatchLimits, DltSource, Heard, SourceError, SourceEvent};
use node_storage_conformance::StoreFactory;
use node_storage_conformance::model::Model;
use node_storage_contract::{Access, Network};
use node_storage_contract::{AnyStore, Cursor, PublishedBlock, RawOperationRepo};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::blocks::{cursor_at, kept, operations};
use crate::{Ability, AnyLedger, TestLedger};

/// How long a source may take for what is there.
const PATIENCE: Duration = Duration::from_secs(20);

/// So often in a row may a source answer without delivering anything.
const IDLE: usize = 100;

/// How often a future that should wait is polled before it counts as waiting.
const POLLS: usize = 50;

/// A store without content, for sources that look into it.
pub(crate) async fn empty_store() -> AnyStore {
    let access = Access::Write { migrate: true };
    let store = Model::default().open(Network::Custom, access).await;
    AnyStore::new(store.expect("the model opens"))
}

/// A store that holds these blocks, for sources that compare them with the ledger.
pub(crate) async fn store_with(blocks: &[PublishedBlock]) -> AnyStore {
    let store = empty_store().await;
    if let Some(last) = blocks.last() {
        let stored = store.append(None, blocks, cursor_at(last)).await;
        stored.expect("an empty store takes the blocks");
    }
    store
}

/// A source that is being read, and what it has delivered.
pub(crate) struct Reading {
    source: AnySource,
    start: Option<Cursor>,
    pub(crate) blocks: Vec<PublishedBlock>,
    pub(crate) cursor: Option<Cursor>,
    deliveries: usize,
    /// Answers in a row that delivered nothing.
    idle: usize,
    /// Whether nothing more will be published.
    pub(crate) may_end: bool,
}

impl Reading {
    /// Opens the source of this ledger, with an empty store.
    pub(crate) async fn open(ledger: &AnyLedger, start: Option<Cursor>, confirmations: u32) -> Self {
        Self::open_with(ledger, start, confirmations, &empty_store().await).await
    }

    /// Opens the source of this ledger, with a store that holds what was read before.
    pub(crate) async fn open_with(
        ledger: &AnyLedger,
        start: Option<Cursor>,
        confirmations: u32,
        storage: &AnyStore,
    ) -> Self {
        match ledger.open(start, confirmations, storage).await {
            Ok(source) => Self {
                source,
                start,
                blocks: Vec::new(),
                cursor: start,
                deliveries: 0,
                idle: 0,
                may_end: false,
            },
            Err(error) => panic!("the source can't be opened at {}: {error}", shown(start)),
        }
    }

    /// The next event, or error.
    pub(crate) async fn next_in_time(&mut self) -> Result<SourceEvent, SourceError> {
        let Ok(answer) = timeout(PATIENCE, self.source.next()).await else {
            panic!(
                "the source said nothing for {} s; its cursor is at {}",
                PATIENCE.as_secs(),
                shown(self.cursor)
            );
        };
        self.take(&answer);
        answer
    }

    /// Polls the next event at most so many times and lets it go where it is not ready by then.
    pub(crate) async fn next_within(&mut self, polls: usize) -> Option<Result<SourceEvent, SourceError>> {
        let answer = within_polls(self.source.next(), polls).await;
        if let Some(answer) = &answer {
            self.take(answer);
        }
        answer
    }

    /// Asserts that the source waits: its next event does not come by itself.
    pub(crate) async fn assert_waits(&mut self) {
        if let Some(answer) = self.next_within(POLLS).await {
            panic!("the source has told of everything and should wait for more, but answers {answer:?}");
        }
    }

    /// Reads until the cursor is at this block number or above; 0 is reached before anything is read.
    pub(crate) async fn read_to(&mut self, number: u64) {
        while number > 0 && self.cursor.is_none_or(|cursor| cursor.block.get() < number) {
            match self.next_in_time().await {
                Ok(_) => {}
                Err(error) => panic!("the source failed before block {number}: {error}"),
            }
        }
    }

    /// Reads until the source says that everything was delivered.
    pub(crate) async fn read_all(&mut self) {
        loop {
            match self.next_in_time().await {
                Ok(SourceEvent::Blocks { .. }) => {}
                Ok(SourceEvent::CaughtUp | SourceEvent::End) => return,
                Err(error) => panic!("the source failed at {}: {error}", shown(self.cursor)),
            }
        }
    }

    /// What holds for every event, whatever else is read.
    fn take(&mut self, answer: &Result<SourceEvent, SourceError>) {
        let Ok(SourceEvent::Blocks { blocks, cursor }) = answer else {
            self.idle += 1;
            assert!(
                self.may_end || !matches!(answer, Ok(SourceEvent::End)),
                "the source ended at {}, and the ledger goes on",
                shown(self.cursor)
            );
            assert!(
                self.idle <= IDLE,
                "the source should wait where there is nothing to tell, but has answered {IDLE} times without a delivery, now \
                 with {answer:?}"
            );
            return;
        };
        self.idle = 0;
        self.deliveries += 1;
        let mut last = self.blocks.last().map(|block| (block.number, block.slot));
        for block in blocks {
            let place = (block.number, block.slot);
            if let Some(last) = last {
                assert!(
                    place.0 > last.0 && place.1 > last.1,
                    "blocks ascend, each once: block {} (slot {}) came after block {} (slot {})",
                    place.0,
                    place.1,
                    last.0,
                    last.1
                );
            } else if let Some(start) = self.start {
                assert!(
                    place.0 >= start.block,
                    "block {} is below the cursor, which is at {}, and was delivered again",
                    place.0,
                    start.block
                );
            }
            last = Some(place);
        }
        if let Some(last) = blocks.last() {
            assert!(
                cursor.block >= last.number,
                "the cursor {cursor} is below block {}, which came with it",
                last.number
            );
        }
        // A source may deliver the block of the cursor again, since it may have grown.
        let is_redelivery =
            self.deliveries == 1 && blocks.first().map(|block| block.number) == self.start.map(|start| start.block);
        assert!(
            is_redelivery || Some(*cursor) != self.cursor,
            "a delivery moves the cursor, but this one left it at {cursor}"
        );
        let moved = self
            .cursor
            .is_none_or(|before| cursor.block >= before.block && cursor.slot >= before.slot);
        assert!(moved, "the cursor went back from {} to {cursor}", shown(self.cursor));
        assert_within_limits(blocks);
        self.blocks.extend(blocks.iter().cloned());
        self.cursor = Some(*cursor);
    }

    /// Asserts that exactly these blocks were delivered, the last of which the cursor has reached, apart from the block of the
    /// cursor at which reading began, which may have come again.
    pub(crate) fn assert_read(&self, ledger: &AnyLedger, expected: &[PublishedBlock], again: Option<&PublishedBlock>) {
        let mut delivered = self.blocks.as_slice();
        if let (Some(again), Some((first, rest))) = (again, delivered.split_first())
            && first.number == again.number
        {
            let once = std::slice::from_ref(again);
            assert_eq!(
                kept(std::slice::from_ref(first)),
                kept(once),
                "the block of the cursor came again, and differs from what was published"
            );
            delivered = rest;
        }
        if ledger.has(Ability::KeepsBlocks) {
            let (delivered, expected) = (kept(delivered), kept(expected));
            let numbers =
                |blocks: &[PublishedBlock]| -> Vec<u64> { blocks.iter().map(|block| block.number.get()).collect() };
            assert_eq!(
                numbers(&delivered),
                numbers(&expected),
                "the numbers of the blocks with operations that were delivered (left) and published (right)"
            );
            for (delivered, expected) in delivered.iter().zip(&expected) {
                assert_eq!(
                    delivered, expected,
                    "block {} was delivered (left) otherwise than published (right)",
                    expected.number
                );
            }
        } else {
            assert_eq!(
                operations(delivered),
                operations(expected),
                "the operations of the blocks that were delivered (left) and published (right)"
            );
        }
        if let (true, Some(last)) = (ledger.has(Ability::KeepsBlocks), expected.last()) {
            assert_eq!(
                self.cursor,
                Some(cursor_at(last)),
                "the cursor (left) is at the last block that can be read (right), with or without operations"
            );
        }
    }
}

/// What a worker reads is checked in the same way.
impl DltSource for Reading {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        let answer = self.source.next().await;
        self.take(&answer);
        answer
    }

    fn heard(&self) -> watch::Receiver<Heard> {
        self.source.heard()
    }
}

fn assert_within_limits(blocks: &[PublishedBlock]) {
    let limits = BatchLimits::default();
    let operations = blocks
        .iter()
        .flat_map(|block| &block.transactions)
        .flat_map(|transaction| &transaction.operations);
    let (count, bytes) = operations.fold((0, 0), |(count, bytes), operation| {
        (count + 1, bytes + operation.bytes.as_slice().len())
    });
    let within = blocks.len() <= limits.blocks && count <= limits.operations && bytes <= limits.bytes;
    assert!(
        within || blocks.len() == 1,
        "a delivery of {} blocks, {count} operations, {bytes} bytes exceeds its limits: {limits:?}",
        blocks.len()
    );
}

/// What a future answers if it is ready within so many polls. It is dropped otherwise.
pub(crate) async fn within_polls<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let polled = poll_fn(|context| {
            Poll::Ready(match future.as_mut().poll(context) {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => None,
            })
        });
        if let Some(answer) = polled.await {
            return Some(answer);
        }
        tokio::task::yield_now().await;
    }
    None
}

pub(crate) fn shown(cursor: Option<Cursor>) -> String {
    cursor.map_or_else(|| "the beginning".to_owned(), |cursor| cursor.to_string())
}
