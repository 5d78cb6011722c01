//! `indexer`: reads the ledger, indexes it, and serves the API.

use node_service::index::IndexWorker;
use node_service::sync::SyncWorker;
use node_storage::contract::Network;
use tokio::sync::watch;

use crate::cli::IndexerArguments;
use crate::exit::Failure;
use crate::http::{ApiConfig, Routes, SyncWatch, router};
use crate::logging::Console;
use crate::reader;
use crate::serve::{PublishedStorage, Server};
use crate::writer::{Standby, Until, Writer, WriterState};

/// Runs until a signal or an error ends it, or the source ends and the node was told to end with it.
pub(crate) async fn run(arguments: IndexerArguments, console: &Console) -> Result<(), Failure> {
    let config = arguments.database.serving_config(Network::Mainnet)?;
    let replica = arguments.database.replica(&arguments.reading, Network::Mainnet)?;
    let source = arguments.source.config(config.network())?;
    let sink = arguments.sink.config(config.network())?;
    let server = if arguments.exit_when_synced {
        Server::bind_if_free(&arguments.server).await?
    } else {
        Server::bind(&arguments.server).await?
    };
    let storage = PublishedStorage::new(None);
    let state = watch::Sender::<WriterState>::default();
    let mut sync = SyncWorker::new(&*source);
    let api = ApiConfig {
        style: arguments.server.did_document_style,
        mode: "indexer",
        sink,
        routes: Routes::All,
        sync: Some(SyncWatch {
            progress: sync.progress(),
            heard: sync.heard(),
            writer: state.subscribe(),
            max_lag: arguments.max_lag,
        }),
    };
    let router = router(storage.subscribe(), api);
    let index = IndexWorker::new();
    let (standby, until) = if arguments.exit_when_synced {
        (Standby::Refuse, Until::Synced)
    } else {
        (Standby::Wait, Until::Signal)
    };
    let writer = Writer {
        config: &config,
        migrate: !arguments.migration.skip_migration,
        standby,
        until,
        storage: replica.is_none().then_some(&storage),
        state: &state,
        console,
    };
    let writing = Box::pin(writer.run(&index, &mut sync));
    let work = async {
        match &replica {
            None => writing.await,
            Some(replica) => tokio::select! {
                result = writing => result,
                result = reader::keep_open(replica, &storage) => result,
            },
        }
    };
    server.serve_while(router, &storage, work).await
}
