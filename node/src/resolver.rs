//! `resolver`: serves the API from a database that others write.

use node_storage::contract::Network;

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
