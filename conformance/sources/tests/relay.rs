//! The suite on relays.
//!
//! A relay has blocks of its own making: their hashes and the ids of their transactions follow from their content, and their times
//! from their slots. So what the source delivers is compared with what is on the relay's chain, and then renamed to what the
//! suite has published, as is what the suite says about it.
#![allow(clippy::panic, clippy::unwrap_used, reason = "all of this is test code")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use did_prism::digest::{BlockHash, TransactionId};
use did_prism::envelope::{encode_metadata, encode_object};
use did_prism::ledger::BlockTime;
use dlt_source::{BatchLimits, DltSource, Heard, SourceError, SourceEvent};
use dlt_source_conformance::{Ability, TestLedger, source_tests};
use dlt_source_relay::{Genesis, RelayOptions, RelaySource, SlotTimes, TimeLimits};
use mock_relay::{Era, MockRelay, MockTransaction};
use node_storage_contract::{AnyStore, BlockNo, Cursor, PublishedBlock, PublishedTransaction};
use tokio::sync::watch;

source_tests!(relay, RelayLedger::new().await);

const MAGIC: u32 = 42;

/// The second in which slot 0 begins.
const SYSTEM_START: i64 = 1_700_000_000;

/// A relay, and what each of its blocks was published as.
struct RelayLedger {
    relay: MockRelay,
    names: Names,
}

/// The blocks of the suite by the hashes that they have on the relay's chain.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<HashMap<BlockHash, Named>>>);

#[derive(Clone)]
struct Named {
    published: PublishedBlock,
    /// The ids of its transactions on the chain, by their index.
    transactions: Vec<TransactionId>,
}

impl RelayLedger {
    async fn new() -> Self {
        Self {
            relay: MockRelay::start(MAGIC).await,
            names: Names::default(),
        }
    }
}

impl Names {
    /// The block that is published with this hash, on the chain, and the other way round. A hash that nobody knows is itself.
    fn on_chain(&self, published: BlockHash) -> BlockHash {
        let names = self.0.lock().unwrap();
        let found = names.iter().find(|(_, named)| named.published.hash == published);
        found.map_or(published, |(hash, _)| *hash)
    }

    fn named(&self, on_chain: BlockHash) -> Named {
        let names = self.0.lock().unwrap();
        names
            .get(&on_chain)
            .cloned()
            .unwrap_or_else(|| panic!("{on_chain} is not on the chain"))
    }

    fn block(&self, block: PublishedBlock) -> PublishedBlock {
        let Named {
            published,
            transactions,
        } = self.named(block.hash);
        let seconds = SYSTEM_START + i64::from(block.slot);
        assert_eq!(
            block.time.unix_micros(),
            seconds * 1_000_000,
            "the time of slot {}",
            block.slot
        );
        let rename = |transaction: PublishedTransaction| {
            let index = usize::try_from(transaction.absn.get()).unwrap();
            assert_eq!(transaction.id, transactions[index], "the id of transaction {index}");
            let published = published.transactions.iter().find(|one| one.absn == transaction.absn);
            PublishedTransaction {
                id: published.map_or(transaction.id, |published| published.id),
                ..transaction
            }
        };
        PublishedBlock {
            hash: published.hash,
            time: published.time,
            transactions: block.transactions.into_iter().map(rename).collect(),
            ..block
        }
    }

    fn error(&self, error: SourceError) -> SourceError {
        let SourceError::Contradiction { at, mut detail } = error else {
            return error;
        };
        for (on_chain, named) in self.0.lock().unwrap().iter() {
            detail = detail.replace(&on_chain.to_string(), &named.published.hash.to_string());
        }
        SourceError::Contradiction { at, detail }
    }
}

impl TestLedger for RelayLedger {
    type Source = Renamed;

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
        let eras = u64::try_from(Era::WITH_METADATA.len()).unwrap();
        let era = Era::WITH_METADATA[usize::try_from(block.number.get() % eras).unwrap()];
        let count = block
            .transactions
            .iter()
            .map(|transaction| transaction.absn.get() + 1)
            .max();
        let transactions: Vec<_> = (0..count.unwrap_or(0))
            .map(|absn| {
                let published = block
                    .transactions
                    .iter()
                    .find(|transaction| transaction.absn.get() == absn);
                published.map_or_else(MockTransaction::plain, |transaction| {
                    let operations: Vec<_> = transaction
                        .operations
                        .iter()
                        .map(|operation| operation.bytes.as_slice().to_vec())
                        .collect();
                    MockTransaction::with_metadata(era, &encode_metadata(&encode_object(&operations)))
                })
            })
            .collect();
        let place = (block.number.get(), block.slot.get());
        let on_chain = self.relay.publish(era, place, 1, &transactions);
        let named = Named {
            published: block.clone(),
            transactions: on_chain
                .transaction_ids
                .iter()
                .copied()
                .map(TransactionId::new)
                .collect(),
        };
        self.names
            .0
            .lock()
            .unwrap()
            .insert(BlockHash::new(on_chain.hash), named);
    }

    async fn roll_back_to(&self, number: BlockNo) {
        self.relay.roll_back_to(number.get());
    }

    async fn interrupt(&self) {
        self.relay.disconnect();
    }

    async fn end(&self) {
        unimplemented!("a chain has no end");
    }

    async fn open(
        &self,
        start: Option<Cursor>,
        confirmations: u32,
        storage: &AnyStore,
    ) -> Result<Self::Source, SourceError> {
        let options = RelayOptions {
            relays: vec![self.relay.address().parse().unwrap()],
            genesis: Genesis {
                magic: MAGIC,
                times: SlotTimes::since(BlockTime::from_unix_micros(SYSTEM_START * 1_000_000).unwrap()),
                start: None,
            },
            start: None,
            confirmations,
            limits: TimeLimits::default(),
            batch: BatchLimits::default(),
        };
        let start = start.map(|cursor| Cursor {
            hash: self.names.on_chain(cursor.hash),
            ..cursor
        });
        Ok(Renamed {
            source: RelaySource::new(options, start, storage.clone()),
            names: self.names.clone(),
        })
    }
}

/// The source of a relay, whose blocks have the names of the suite.
struct Renamed {
    source: RelaySource,
    names: Names,
}

impl DltSource for Renamed {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        match self.source.next().await {
            Ok(SourceEvent::Blocks { blocks, cursor }) => Ok(SourceEvent::Blocks {
                blocks: blocks.into_iter().map(|block| self.names.block(block)).collect(),
                cursor: Cursor {
                    hash: self.names.named(cursor.hash).published.hash,
                    ..cursor
                },
            }),
            Ok(event) => Ok(event),
            Err(error) => Err(self.names.error(error)),
        }
    }

    fn heard(&self) -> watch::Receiver<Heard> {
        self.source.heard()
    }
}
