//! What a backend supplies.

use std::future::Future;

use node_storage_contract::{Access, Network, NodeStorage, RawOperationRepo, Result};

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

    /// Closes the store, whose clones are gone, so that the next one can be opened for writing.
    fn close(&self, store: Self::Store) -> impl Future<Output = ()> + Send;
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

/// What the store of a new factory holds, in a word, where it should hold nothing. `None` where it is empty, and where it
/// can't be read: then it is the case that says what is wrong.
pub(crate) async fn what_is_in<F: StoreFactory>(factory: &F) -> Option<String> {
    let store = factory.open(NETWORK, Access::Read).await.ok()?;
    let content = store
        .bound()
        .await
        .ok()
        .and_then(|bound| match (bound.operations, bound.cursor) {
            (0, None) => None,
            (0, Some(_)) => Some("it has a cursor".to_owned()),
            (operations, _) => Some(format!("it has operations, {operations} of them")),
        });
    factory.close(store).await;
    content
}
