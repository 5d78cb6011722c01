//! `dev`: an indexer with an in-memory ledger that accepts submissions.

use std::future::pending;

use data_encoding::HEXLOWER;
use did_prism::ledger::OperationBytes;
use dlt_sinks::contract::{AnySink, DltSink, Publication};
use dlt_source_memory::{DevLedger, MemoryConfig, system_clock};
use node_service::index::IndexWorker;
use node_service::sync::SyncWorker;
use node_storage::contract::{Network, StorageError};
use node_storage::{DltCursorRepo, IndexedOperationRepo, NodeStorageBackend};
use prism_fixtures::{SampleDid, sample};
use tokio::sync::watch;

use crate::answer::print_answer;
use crate::cli::DevArguments;
use crate::exit::Failure;
use crate::http::{ApiConfig, Routes, SyncWatch, router};
use crate::logging::Console;
use crate::serve::{PublishedStorage, Server};
use crate::writer::{Standby, Until, Writer, WriterState};

/// Runs until a signal or an error ends it.
pub(crate) async fn run(arguments: DevArguments, console: &Console) -> Result<(), Failure> {
    let config = arguments.database.serving_config(Network::Custom)?;
    let server = Server::bind(&arguments.server).await?;
    let url = server.url();
    let index = IndexWorker::new();
    let (ledger, submissions) = DevLedger::new(index.progress());
    let storage = PublishedStorage::new(None);
    let state = watch::Sender::<WriterState>::default();
    let source = MemoryConfig::new(submissions, system_clock);
    let mut sync = SyncWorker::new(&source);
    let api = ApiConfig {
        style: arguments.server.did_document_style,
        mode: "dev",
        sink: Some(AnySink::new(ledger.clone())),
        routes: Routes::All,
        sync: Some(SyncWatch {
            progress: sync.progress(),
            heard: sync.heard(),
            writer: state.subscribe(),
            max_lag: None,
        }),
    };
    let router = router(storage.subscribe(), api);
    let writer = Writer {
        config: &config,
        migrate: !arguments.migration.skip_migration,
        standby: Standby::Refuse,
        until: Until::Signal,
        storage: Some(&storage),
        state: &state,
        console,
    };
    // The workers go with the work: submissions that wait for them learn that nothing will come of them.
    let writing = Box::pin(async move { writer.run(&index, &mut sync).await });
    let mut opened = storage.subscribe();
    let welcoming = async {
        let store = opened
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|store| store.clone());
        if let Some(store) = store {
            if arguments.sample {
                publish_sample(&ledger, store.cursor().await?.is_none()).await?;
            }
            print_answer(&welcome(&url, &store).await?)?;
        }
        pending().await
    };
    let work = async {
        tokio::select! {
            result = writing => result,
            result = welcoming => result,
        }
    };
    server.serve_while(router, &storage, work).await
}

async fn publish_sample(ledger: &DevLedger, is_empty: bool) -> Result<(), Failure> {
    if !is_empty {
        tracing::warn!("the sample is published into an empty database only; this one was left as it is");
        return Ok(());
    }
    for SampleDid {
        did,
        operations,
        description,
    } in sample()
    {
        let operations = operations
            .into_iter()
            .map(|operation| OperationBytes::try_from(operation.bytes))
            .collect::<Result<Vec<_>, _>>()
            .map_err(StorageError::from)?;
        ledger.submit(Publication::new(operations)?).await?;
        tracing::info!("sample: did:prism:{did} ({description})");
    }
    Ok(())
}

/// What to try: a DID to resolve, or an operation to submit where there is no sample DID.
async fn welcome(url: &str, store: &NodeStorageBackend) -> Result<String, Failure> {
    let Some(first) = sample().into_iter().next() else {
        return Ok(url.to_owned());
    };
    let resolving = format!("{url}/1.0/identifiers/did:prism:{}", first.did);
    if store.listed_did(&first.did).await?.is_some() {
        return Ok(format!("open  {resolving}\nor    curl {resolving}"));
    }
    let Some(create) = first.operations.first() else {
        return Ok(url.to_owned());
    };
    Ok(format!(
        "open  {url}/api/_system/metadata\nor    curl -X POST {url}/api/submissions/signed-operations -H 'Content-Type: application/json' -d '{{\"signed_operations\":[\"{}\"]}}'\nthen  curl {resolving}",
        HEXLOWER.encode(&create.bytes)
    ))
}
