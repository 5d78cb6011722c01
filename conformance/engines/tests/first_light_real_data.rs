//! Real ledgers, through the node's sync, index and resolver, on both engines: every DID is what it is known to be.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a file that is not as described fails the test"
)]

use std::collections::VecDeque;

use did_prism::did::PrismDid;
use did_prism::document::DocumentStyle;
use did_prism::resolution::Version;
use dlt_source::{AnySource, DltSource, Heard, SourceConfig, SourceError, SourceEvent, TipSender};
use engine_tests::database::Database;
use engine_tests::real_data::{blocks, text, text_of};
use node_service::resolver::DidResolver;
use node_service::sync::{SyncUntil, SyncWorker};
use node_storage::contract::{
    Access, AnyStore, BoxFuture, Cursor, LedgerBound, ListedDid, Network, OperationRecord, PageLimit, PublishedBlock,
};
use node_storage::{DbBackend, IndexedOperationRepo, NodeStorageBackend, RawOperationRepo};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

/// Blocks that are delivered from the first on, whatever is stored of them.
#[derive(Debug)]
struct Ledger(Vec<PublishedBlock>);

impl SourceConfig for Ledger {
    fn open(&self, _cursor: Option<Cursor>, _storage: AnyStore) -> BoxFuture<'_, Result<AnySource, SourceError>> {
        Box::pin(async { Ok(AnySource::new(Blocks(self.0.clone().into()))) })
    }
}

/// A source that delivers some blocks at a time, and ends.
struct Blocks(VecDeque<PublishedBlock>);

impl DltSource for Blocks {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        let count = self.0.len().min(3);
        let blocks: Vec<_> = self.0.drain(..count).collect();
        let Some(last) = blocks.last() else {
            return Ok(SourceEvent::End);
        };
        let cursor = Cursor::at(&last.into());
        Ok(SourceEvent::Blocks { blocks, cursor })
    }

    fn heard(&self) -> watch::Receiver<Heard> {
        TipSender::default().subscribe()
    }
}

/// Everything that both engines have to agree on.
type Content = (LedgerBound, Vec<OperationRecord>, Vec<ListedDid>);

async fn content(store: &NodeStorageBackend) -> Content {
    (
        store.bound().await.unwrap(),
        store.operations_after(None, PageLimit::MAX).await.unwrap(),
        store.listed_dids_after(None, PageLimit::MAX).await.unwrap(),
    )
}

/// Reads and indexes the whole ledger from its start.
async fn sync(store: &NodeStorageBackend, blocks: &[PublishedBlock]) {
    let source = Ledger(blocks.to_vec());
    let mut worker = SyncWorker::new(&source);
    worker.run(store, &Notify::new(), SyncUntil::End).await.unwrap();
    node_service::index::index_all(store).await.unwrap();
}

/// Runs a ledger into a store twice, compares every DID with what it is known to be, and answers with the content.
async fn first_light(database: &Database, network: Network, states: &[Value]) -> Content {
    let blocks = blocks(network).unwrap();
    let store = database.open(network, Access::Write { migrate: true }).await.unwrap();
    sync(&store, &blocks).await;
    let first = content(&store).await;
    sync(&store, &blocks).await;
    assert_eq!(content(&store).await, first, "running twice changes nothing");

    let resolver = DidResolver::new(store);
    for expected in states {
        let did: PrismDid = text(&expected["did"]).parse().unwrap();
        for (style, member) in [
            (DocumentStyle::Spec, "did_document_spec_context"),
            (DocumentStyle::Minimal, "did_document_minimal_context"),
        ] {
            let resolution = resolver.resolve(&did, Version::Latest, style).await.unwrap();
            // Texts, so that the order of members counts.
            assert_eq!(
                serde_json::to_string_pretty(&json!(resolution.document)).unwrap(),
                serde_json::to_string_pretty(&expected[member]).unwrap()
            );
            assert_eq!(
                resolution.metadata.version_id.to_string(),
                text(&expected["last_operation_hash"])
            );
            assert_eq!(json!(resolution.metadata.deactivated), expected["deactivated"]);
        }
    }
    first
}

#[tokio::test]
async fn real_data_resolves_as_known_and_alike_on_both_engines() {
    let Some(states) = text_of("expected_states.json") else {
        return;
    };
    let states: Vec<Value> = serde_json::from_str(&states).unwrap();
    for network in [Network::Mainnet, Network::Preprod] {
        let of_network: Vec<_> = states
            .iter()
            .filter(|state| state["network"] == network.name())
            .cloned()
            .collect();
        assert!(!of_network.is_empty(), "{network}");
        let mut contents = Vec::new();
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            if let Some(database) = Database::migrated(backend).await {
                contents.push(first_light(&database, network, &of_network).await);
            }
        }
        for (_, operations, listed) in &contents {
            assert!(!operations.is_empty());
            assert_eq!(listed.len(), of_network.len(), "every DID of {network} is listed");
        }
        assert!(
            contents.windows(2).all(|pair| pair[0] == pair[1]),
            "the engines hold different content"
        );
    }
}
