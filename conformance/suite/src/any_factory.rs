//! Factories without their types, so that the cases are compiled once and not for each backend.

use node_storage_contract::{Access, AnyStore, BoxFuture, Network, Result};

use crate::StoreFactory;

/// The factory of any backend.
pub struct AnyFactory<'a>(Box<dyn ErasedFactory + 'a>);

impl<'a> AnyFactory<'a> {
    /// This factory, without its type.
    pub fn new<F: StoreFactory + 'a>(factory: F) -> Self {
        Self(Box::new(factory))
    }
}

impl StoreFactory for AnyFactory<'_> {
    type Store = AnyStore;

    async fn open(&self, network: Network, access: Access) -> Result<AnyStore> {
        self.0.open(network, access).await
    }

    async fn close(&self, store: AnyStore) {
        self.0.close(store).await;
    }
}

trait ErasedFactory: Sync {
    fn open(&self, network: Network, access: Access) -> BoxFuture<'_, Result<AnyStore>>;
    fn close(&self, store: AnyStore) -> BoxFuture<'_, ()>;
}

impl<F: StoreFactory> ErasedFactory for F {
    fn open(&self, network: Network, access: Access) -> BoxFuture<'_, Result<AnyStore>> {
        Box::pin(async move { Ok(AnyStore::new(StoreFactory::open(self, network, access).await?)) })
    }

    fn close(&self, store: AnyStore) -> BoxFuture<'_, ()> {
        let store = store.downcast().expect("a factory closes what it has opened");
        Box::pin(StoreFactory::close(self, store))
    }
}
