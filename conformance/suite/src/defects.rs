//! Stores that are wrong on purpose, each in one way: the proof that the cases find what they are there for.
//!
//! Each [`Defect`] breaks one line of the storage contract. [`Defective`] makes it out of a [`Model`]: it changes what goes in,
//! what comes out, or what a transaction does to the content. The model itself stays correct and knows nothing of defects.
//!
//! This crate's tests run every case on every defect. A defect that fails no case shows a hole in the suite. A case that no
//! defect fails could be deleted without anybody noticing. The module exists only with the feature `defects`, which those tests
//! turn on: a backend that depends on this crate does not compile it.

mod answers;
mod conflicts;
mod connections;
mod deliveries;
mod flaws;
mod list;
mod listings;
mod loads;
mod lookups;
mod shared;
mod store;
mod stored;
mod writes;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use node_storage_contract::{Access, BlockHash, BlockNo, Cursor, DltCursorRepo, Network, Result, SlotNo, StorageError};

pub use flaws::{Flaw, Flawed, FlawedStore};
pub use list::{DEFECTS, Defect, Fault};
pub use store::DefectiveStore;

use crate::StoreFactory;
use crate::model::{Content, Model, ModelStore};
use shared::{Shared, busy};

impl Defect {
    /// An empty store in memory with this defect.
    pub fn store(&self) -> Defective {
        Defective::new(Some(self.fault))
    }
}

/// The factory of a store in memory with at most one fault.
///
/// The calls of its stores take turns in an order that looks random. On a runtime of one thread, the order is the same in every
/// run.
#[derive(Debug, Clone)]
pub struct Defective {
    model: Model,
    fault: Option<Fault>,
    shared: Arc<Shared>,
}

impl Defective {
    /// A model with this fault. Without one, it behaves as the model does.
    pub fn new(fault: Option<Fault>) -> Self {
        Self {
            model: Model::default(),
            fault,
            shared: Arc::default(),
        }
    }

    /// Opens the model in the way of the fault.
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

    /// Refuses an opening for another network than the stored one, in the way of the fault.
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

/// Stores a cursor, as if another test had used the store before.
async fn fill(model: &Model, network: Network) -> Result<()> {
    let store = model.open(network, Access::Write { migrate: true }).await?;
    let cursor = Cursor {
        slot: SlotNo::MIN,
        block: BlockNo::MIN,
        hash: BlockHash::new([1; 32]),
    };
    store.advance_cursor(None, cursor).await
}
