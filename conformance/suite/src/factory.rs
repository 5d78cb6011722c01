//! What a backend supplies.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use node_storage_contract::{Access, IndexerState, LedgerBound, Network, NodeStorage, PageLimit, Result, StorageError};

/// Opens the store of one case.
///
/// A factory stands for one store: a file, a database, an address. When a case gets it, that store has the schema but no
/// content, and nothing has opened it for writing yet. Everything that the factory opens is the same store, and what a
/// closed store has written is there when it is opened again.
pub trait StoreFactory: Sync {
    /// The backend.
    type Store: NodeStorage;

    /// Opens the store for `network`, to read it or to read and write it, and answers what opening answers.
    ///
    /// At most one store of a factory is open for writing at a time (with any number of clones); stores that only read are
    /// opened beside it. A backend without migrations ignores `migrate`.
    fn open(&self, network: Network, access: Access) -> impl Future<Output = Result<Self::Store>> + Send;

    /// Closes the store, whose clones are gone, so that the next one can be opened for writing. Unless implemented, it is dropped.
    fn close(&self, store: Self::Store) -> impl Future<Output = ()> + Send {
        async move { drop(store) }
    }
}

impl<F: StoreFactory> StoreFactory for &F {
    type Store = F::Store;

    fn open(&self, network: Network, access: Access) -> impl Future<Output = Result<Self::Store>> + Send {
        (**self).open(network, access)
    }

    fn close(&self, store: Self::Store) -> impl Future<Output = ()> + Send {
        (**self).close(store)
    }
}

/// A factory whose first opening must find an empty store: otherwise the case says so, and not that an answer is wrong.
#[derive(Debug)]
pub struct EmptyAtFirst<F> {
    factory: F,
    was_opened: AtomicBool,
}

impl<F: StoreFactory> EmptyAtFirst<F> {
    /// As this factory, which has not opened its store yet.
    pub const fn new(factory: F) -> Self {
        Self {
            factory,
            was_opened: AtomicBool::new(false),
        }
    }
}

impl<F: StoreFactory> StoreFactory for EmptyAtFirst<F> {
    type Store = F::Store;

    async fn open(&self, network: Network, access: Access) -> Result<Self::Store> {
        let opened = self.factory.open(network, access).await;
        if !self.was_opened.swap(true, Ordering::Relaxed) {
            let found = match &opened {
                Ok(store) => content(store).await,
                Err(StorageError::WrongNetwork { stored, .. }) => Some(format!("it belongs to the network {stored}")),
                // The case says what is wrong.
                Err(_) => None,
            };
            if let Some(found) = found {
                panic!(
                    "the factory handed out a store that is not empty: {found}; each case needs a new one, and a new one must \
                     not answer so"
                );
            }
        }
        opened
    }

    async fn close(&self, store: Self::Store) {
        self.factory.close(store).await;
    }
}

/// What a store holds that should be empty; `None` where it is.
async fn content<S: NodeStorage>(store: &S) -> Option<String> {
    if let Ok(Some(cursor)) = store.cursor().await {
        return Some(format!("its cursor is {cursor}"));
    }
    match store.operations_after(None, PageLimit::MAX).await.as_deref() {
        Ok([]) | Err(_) => {}
        Ok([first, ..]) => return Some(format!("it has an operation at {}", first.operation.position)),
    }
    match (store.bound().await, store.indexer_state().await) {
        (Ok(bound), _) if bound != LedgerBound::default() => Some(format!("it has {} operations", bound.operations)),
        (_, Ok(state)) if state != IndexerState::default() => Some("something is indexed in it".to_owned()),
        _ => None,
    }
}

/// The network of every store whose case is not about networks.
pub(crate) const NETWORK: Network = Network::Custom;

/// Reading and writing, as the node opens a store that it fills.
pub(crate) const WRITE: Access = Access::Write { migrate: true };

/// Opens the store to read and write it.
pub(crate) async fn open<F: StoreFactory>(factory: &F) -> F::Store {
    factory
        .open(NETWORK, WRITE)
        .await
        .expect("the store of a case can be opened for writing")
}

/// Opens the store to read it, beside the one that writes.
pub(crate) async fn open_read_only<F: StoreFactory>(factory: &F) -> F::Store {
    factory
        .open(NETWORK, Access::Read)
        .await
        .expect("the store of a case can be opened for reading")
}
