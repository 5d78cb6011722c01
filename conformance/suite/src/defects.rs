//! Stores that are wrong on purpose, each in one way: the proof that the cases find what they are there for.
//!
//! Each [`Defect`] breaks a line of the storage contract. [`Defective`] makes it out of a [`Model`]: it changes what goes in, what
//! comes out, or what a transaction does to the content, so that the model itself stays correct and knows nothing of defects.
//!
//! A case that no defect fails may be left out without anybody noticing; a defect that fails no case is a hole in the suite.

mod answers;
mod conflicts;
mod connections;
mod deliveries;
mod list;
mod listings;
mod loads;
mod lookups;
mod store;
mod writes;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use node_storage_contract::{
    Access, BlockHash, BlockNo, Cursor, DltCursorRepo, Network, OperationPosition, PublishedBlock, Result, SlotNo,
    StorageError, TransactionId, TransactionIndex,
};

pub use list::{DEFECTS, Fault};
pub use store::DefectiveStore;

use crate::StoreFactory;
use crate::model::{Content, Model, ModelStore};

/// More calls than any case makes.
const MOST_CALLS: usize = 60_000;

/// One way in which a store can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defect {
    /// What is wrong, as one word.
    pub name: &'static str,
    /// What is wrong, as a sentence.
    pub description: &'static str,
    /// The line of the storage contract, 1 to 13, that forbids it: "The storage contract" in `docs/src/architecture.md`.
    pub line: u8,
    /// How it is made.
    pub fault: Fault,
}

impl Defect {
    /// An empty store in memory with this defect.
    pub fn store(&self) -> Defective {
        Defective::new(Some(self.fault))
    }
}

/// The factory of a store in memory with at most one fault.
///
/// The calls of its stores take turns in an order that looks random and is the same in every run, where the runtime has one
/// thread.
#[derive(Debug, Clone)]
pub struct Defective {
    model: Model,
    fault: Option<Fault>,
    shared: Arc<Shared>,
}

/// What all stores of a factory share.
#[derive(Debug, Default)]
struct Shared {
    /// Calls so far.
    calls: AtomicUsize,
    /// Calls that hold a connection.
    connections: AtomicUsize,
    /// Openings so far.
    openings: AtomicUsize,
    notes: Mutex<Notes>,
}

/// What faulty stores remember.
#[derive(Debug, Default)]
struct Notes {
    /// Whether the last append was refused.
    was_refused: bool,
    /// Whether an opening was refused.
    was_opening_refused: bool,
    /// Whether a clone was dropped.
    is_closed: bool,
    /// Openings to write that have not been closed.
    writers: usize,
    /// The positions delivered, in order of delivery.
    delivered: Vec<OperationPosition>,
    /// Operations that were delivered again.
    again: usize,
    /// Operations of refused calls.
    refused_operations: usize,
    /// Blocks of refused calls.
    refused_blocks: BTreeMap<BlockNo, PublishedBlock>,
    /// Transactions of refused calls.
    refused_transactions: BTreeMap<TransactionId, (BlockNo, TransactionIndex)>,
}

impl Defective {
    /// A model with this fault; without one, it behaves as the model does.
    pub fn new(fault: Option<Fault>) -> Self {
        Self {
            model: Model::default(),
            fault,
            shared: Arc::default(),
        }
    }

    /// Opens the model as the fault does.
    async fn open_model(&self, network: Network, access: Access) -> Result<ModelStore> {
        let write = Access::Write { migrate: true };
        match self.fault {
            Some(Fault::ReadersMayWrite) => self.model.open(network, write).await,
            Some(Fault::ReadersNameTheNetwork) => {
                drop(self.model.open(network, write).await?);
                self.model.open(network, access).await
            }
            Some(Fault::OnlyMigratingOpeningsNameTheNetwork) if access == (Access::Write { migrate: false }) => {
                let store = self.model.open(network, Access::Read).await?;
                let is_new = store.network().await?.is_none();
                let store = self.model.open(network, access).await?;
                if is_new {
                    store.content().network = None;
                }
                Ok(store)
            }
            Some(Fault::ReadersSeeContentOfOpening) if !access.is_write() => {
                self.model.copy().open(network, access).await
            }
            _ => self.model.open(network, access).await,
        }
    }

    /// What the fault makes of the refusal of another network.
    async fn another_network(&self, stored: Network, requested: Network, access: Access) -> Result<ModelStore> {
        let store = self.model.open(stored, access).await?;
        match self.fault {
            Some(Fault::AcceptsAnotherNetwork) => return Ok(store),
            Some(Fault::AcceptsAnotherNetworkToRead) if !access.is_write() => return Ok(store),
            Some(Fault::RefusedOpeningRenamesTheNetwork) => store.content().network = Some(requested),
            _ => {}
        }
        self.shared.notes(|notes| notes.was_opening_refused = true);
        Err(match self.fault {
            Some(Fault::SwapsNetworksInRefusal) => StorageError::WrongNetwork {
                stored: requested,
                requested: stored,
            },
            Some(Fault::AnotherNetworkIsForeign) => StorageError::Foreign {
                subject: "the store".to_owned(),
                detail: format!("it is one of {stored}"),
            },
            _ => StorageError::WrongNetwork { stored, requested },
        })
    }
}

impl StoreFactory for Defective {
    type Store = DefectiveStore;

    async fn open(&self, network: Network, access: Access) -> Result<Self::Store> {
        let (was_refused, writers) = self.shared.notes(|notes| (notes.was_opening_refused, notes.writers));
        match self.fault {
            Some(Fault::RefusedOpeningHoldsTheStore) if was_refused => return Err(busy()),
            Some(Fault::WriterLocksReadersOut) if writers > 0 => return Err(busy()),
            Some(Fault::HandsOutAFilledStore) => fill(&self.model, network).await?,
            _ => {}
        }
        let store = match self.open_model(network, access).await {
            Err(StorageError::WrongNetwork { stored, requested }) => {
                self.another_network(stored, requested, access).await?
            }
            opened => opened?,
        };
        let openings = self.shared.openings.fetch_add(1, Ordering::Relaxed);
        self.shared.notes(|notes| {
            notes.is_closed = false;
            notes.writers += usize::from(access.is_write());
        });
        let store = DefectiveStore::new(store, self.fault, Arc::clone(&self.shared), openings > 0);
        store.remember();
        Ok(store)
    }

    async fn close(&self, store: Self::Store) {
        let mut content = store.model().content();
        match self.fault {
            Some(Fault::ForgetsContentOnClosing) => *content = Content::default(),
            Some(Fault::ForgetsIndexOnClosing) => content.index.clear(),
            Some(Fault::ForgetsCursorOnClosing) => content.cursor = None,
            Some(Fault::ForgetsLastBlockOnClosing) => drop(content.blocks.pop_last()),
            _ => {}
        }
        drop(content);
        self.shared
            .notes(|notes| notes.writers = notes.writers.saturating_sub(1));
    }
}

/// Stores a cursor, as a factory does that hands out what another test has used.
async fn fill(model: &Model, network: Network) -> Result<()> {
    let store = model.open(network, Access::Write { migrate: true }).await?;
    let cursor = Cursor {
        slot: SlotNo::MIN,
        block: BlockNo::MIN,
        hash: BlockHash::new([1; 32]),
    };
    store.advance_cursor(cursor).await
}

impl Shared {
    /// Reads or changes the notes.
    fn notes<T>(&self, with: impl FnOnce(&mut Notes) -> T) -> T {
        let mut notes = self.notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        with(&mut notes)
    }

    /// Lets other calls run: one to three times, so that calls that began one after another do not stay in that order.
    ///
    /// Never ends where nobody can expect an answer any more, so that a case which asks again and again ends too.
    async fn take_turns(&self) {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if call > MOST_CALLS {
            std::future::pending::<()>().await;
        }
        for _ in 0..=call % 3 {
            pause().await;
        }
    }
}

/// Lets other calls run once.
async fn pause() {
    tokio::task::yield_now().await;
}

fn busy() -> StorageError {
    StorageError::Busy {
        detail: "all connections are in use".to_owned(),
    }
}
