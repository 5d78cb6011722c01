//! A ledger that a test writes, and sources that read it.

use std::fmt;
use std::future::Future;

use dlt_source::{AnySource, DltSource, SourceConfig, SourceError};
use node_storage_contract::{AnyStore, BlockNo, BoxFuture, Cursor, PublishedBlock};

use crate::blocks::block;
use crate::reading::Reading;

/// What a ledger lets a test do, beside publishing blocks and reading them once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Blocks are delivered as they were published: with their numbers, slots, hashes and times. A ledger without it makes
    /// blocks of its own from the operations that are published.
    KeepsBlocks,
    /// The highest block is delivered at once. A source without it keeps that block until a higher one begins, since it may
    /// still grow.
    DeliversTheHighest,
    /// It can be read from any of its blocks on, as often as one likes.
    Rereads,
    /// It can come to an end.
    Ends,
    /// It holds back blocks with too few confirmations.
    Confirms,
    /// Blocks that are not confirmed can be replaced.
    RollsBack,
    /// Reading it can fail for a reason that passes.
    Interrupts,
}

/// A ledger under test: a test publishes on it and reads it through the source that is to be certified.
///
/// A method that belongs to an [`Ability`] is called only if [`TestLedger::abilities`] names it.
pub trait TestLedger: Send + Sync {
    /// The source.
    type Source: DltSource + 'static;

    /// What the ledger lets a test do.
    fn abilities(&self) -> &'static [Ability];

    /// Adds a block on top. Its number is one above that of the block before.
    fn publish(&self, block: &PublishedBlock) -> impl Future<Output = ()> + Send;

    /// Takes back every block above this number ([`Ability::RollsBack`]).
    fn roll_back_to(&self, number: BlockNo) -> impl Future<Output = ()> + Send;

    /// Makes reading fail once for a reason that passes, after what was read already ([`Ability::Interrupts`]).
    fn interrupt(&self) -> impl Future<Output = ()> + Send;

    /// Nothing more will be published ([`Ability::Ends`]). Called before the source is opened, or while it is read.
    fn end(&self) -> impl Future<Output = ()> + Send;

    /// Opens the source, to read on after `start`, and to hold back `confirmations` of the highest block numbers
    /// ([`Ability::Confirms`]; 0 otherwise). `storage` holds what was read before.
    fn open(
        &self,
        start: Option<Cursor>,
        confirmations: u32,
        storage: &AnyStore,
    ) -> impl Future<Output = Result<Self::Source, SourceError>> + Send;
}

/// A ledger of any kind, so that the cases are compiled once.
pub struct AnyLedger(Box<dyn ErasedLedger>);

impl AnyLedger {
    /// This ledger, without its type.
    pub fn new<L: TestLedger + 'static>(ledger: L) -> Self {
        Self(Box::new(ledger))
    }

    /// Whether it has an ability.
    pub fn has(&self, ability: Ability) -> bool {
        self.0.abilities().contains(&ability)
    }

    /// How many of the highest blocks the source keeps, whatever confirmations are asked for.
    pub(crate) fn kept(&self) -> u64 {
        u64::from(!self.has(Ability::DeliversTheHighest))
    }

    /// Adds as many blocks on top of this number as the source needs to deliver everything up to it.
    pub(crate) async fn complete(&self, number: u64) {
        for above in 1..=self.kept() {
            TestLedger::publish(self, &block(number + above)).await;
        }
    }
}

impl TestLedger for AnyLedger {
    type Source = AnySource;

    fn abilities(&self) -> &'static [Ability] {
        self.0.abilities()
    }

    async fn publish(&self, block: &PublishedBlock) {
        self.0.publish(block).await;
    }

    async fn roll_back_to(&self, number: BlockNo) {
        self.0.roll_back_to(number).await;
    }

    async fn interrupt(&self) {
        self.0.interrupt().await;
    }

    async fn end(&self) {
        self.0.end().await;
    }

    async fn open(
        &self,
        start: Option<Cursor>,
        confirmations: u32,
        storage: &AnyStore,
    ) -> Result<AnySource, SourceError> {
        self.0.open(start, confirmations, storage).await
    }
}

/// As a node reads it: without confirmations, and each event is checked.
impl SourceConfig for AnyLedger {
    fn open(&self, cursor: Option<Cursor>, storage: AnyStore) -> BoxFuture<'_, Result<AnySource, SourceError>> {
        Box::pin(async move {
            let reading = Reading::open_with(self, cursor, 0, &storage).await;
            Ok(AnySource::new(reading))
        })
    }
}

impl fmt::Debug for AnyLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyLedger").finish_non_exhaustive()
    }
}

trait ErasedLedger: Send + Sync {
    fn abilities(&self) -> &'static [Ability];
    fn publish<'a>(&'a self, block: &'a PublishedBlock) -> BoxFuture<'a, ()>;
    fn roll_back_to(&self, number: BlockNo) -> BoxFuture<'_, ()>;
    fn interrupt(&self) -> BoxFuture<'_, ()>;
    fn end(&self) -> BoxFuture<'_, ()>;
    fn open<'a>(
        &'a self,
        start: Option<Cursor>,
        confirmations: u32,
        storage: &'a AnyStore,
    ) -> BoxFuture<'a, Result<AnySource, SourceError>>;
}

impl<L: TestLedger> ErasedLedger for L {
    fn abilities(&self) -> &'static [Ability] {
        TestLedger::abilities(self)
    }

    fn publish<'a>(&'a self, block: &'a PublishedBlock) -> BoxFuture<'a, ()> {
        Box::pin(TestLedger::publish(self, block))
    }

    fn roll_back_to(&self, number: BlockNo) -> BoxFuture<'_, ()> {
        Box::pin(TestLedger::roll_back_to(self, number))
    }

    fn interrupt(&self) -> BoxFuture<'_, ()> {
        Box::pin(TestLedger::interrupt(self))
    }

    fn end(&self) -> BoxFuture<'_, ()> {
        Box::pin(TestLedger::end(self))
    }

    fn open<'a>(
        &'a self,
        start: Option<Cursor>,
        confirmations: u32,
        storage: &'a AnyStore,
    ) -> BoxFuture<'a, Result<AnySource, SourceError>> {
        Box::pin(async move {
            TestLedger::open(self, start, confirmations, storage)
                .await
                .map(AnySource::new)
        })
    }
}
