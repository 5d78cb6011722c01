//! `resolver`: serves the API from a database that others write.

use node_storage::contract::{Network, StorageError};
use tokio::time::sleep;

use crate::cli::ResolverArguments;
use crate::exit::Failure;
use crate::http::{ApiConfig, Routes, router};
use crate::reader;
use crate::serve::{PublishedStorage, Server};

/// Runs until a signal or an error ends it.
pub(crate) async fn run(arguments: ResolverArguments) -> Result<(), Failure> {
    let config = arguments.database.serving_config(Network::Mainnet)?;
    let replica = arguments.database.replica(&arguments.reading, Network::Mainnet)?;
    let server = Server::bind(&arguments.server).await?;
    let storage = PublishedStorage::new(None);
    let api = ApiConfig {
        style: arguments.server.did_document_style,
        mode: "resolver",
        sink: None,
        routes: Routes::All,
        sync: None,
    };
    let router = router(storage.subscribe(), api);
    let work = async {
        match &replica {
            None if config.backend().is_embedded() => tokio::select! {
                result = reader::keep_open(&config, &storage) => result,
                replaced = until_replaced(&storage) => Err(replaced.into()),
            },
            None => reader::keep_open(&config, &storage).await,
            Some(replica) => {
                // The network is checked where it is written; a replica may lag.
                reader::open(&config).await?.close().await;
                reader::keep_open(replica, &storage).await
            }
        }
    };
    server.serve_while(router, &storage, work).await
}

/// Waits until the file of the store that requests are answered from was deleted or replaced, and says so.
async fn until_replaced(storage: &PublishedStorage) -> StorageError {
    loop {
        sleep(reader::LOOK_AGAIN).await;
        let store = storage.borrow().clone();
        if let Some(store) = store
            && let Err(error @ StorageError::Replaced { .. }) = store.check_ready().await
        {
            return error;
        }
    }
}
