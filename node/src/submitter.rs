//! `submitter`: publishes what it is given, and nothing else. It has no database.

use std::future::pending;

use node_storage::contract::Network;

use crate::cli::SubmitterArguments;
use crate::exit::Failure;
use crate::http::{ApiConfig, Routes, router};
use crate::serve::{PublishedStorage, Server};

/// Runs until a signal ends it.
pub(crate) async fn run(arguments: SubmitterArguments) -> Result<(), Failure> {
    let network = arguments.network.unwrap_or(Network::Mainnet);
    let sink = arguments.sink.config(network)?.ok_or_else(|| {
        Failure::Usage(
            "give --dlt-sink SINK, where operations are published; --help lists those of this build".to_owned(),
        )
    })?;
    let server = Server::bind(&arguments.server).await?;
    let storage = PublishedStorage::new(None);
    let api = ApiConfig {
        style: arguments.server.did_document_style,
        mode: "submitter",
        sink: Some(sink),
        routes: Routes::Submissions,
        sync: None,
    };
    let router = router(storage.subscribe(), api);
    server.serve_while(router, &storage, pending()).await
}
