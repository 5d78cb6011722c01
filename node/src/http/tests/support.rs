//! A node's API without the node: a router over a store in a temporary directory.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use did_prism::document::DocumentStyle;
use did_prism::ledger::PublishedBlock;
use node_service::index::{IndexWorker, index_all};
use node_service::sync::{SyncUntil, SyncWorker};
use node_storage::contract::{Access, BlockHeader, Cursor, Network};
use node_storage::{DbBackendConfig, DltCursorRepo, NodeStorageBackend, RawOperationRepo};
use prism_fixtures::{Signed, block};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Notify, watch};
use tower::ServiceExt;

use crate::http::{ApiConfig, Routes, SyncWatch, router};
use dlt_sinks::contract::AnySink;
use dlt_source_memory::{DevLedger, MemoryConfig};

const SEED: u64 = 7;

/// A router and the store behind it.
pub(super) struct TestApi {
    pub(super) storage: NodeStorageBackend,
    router: Router,
    handle: watch::Sender<Option<NodeStorageBackend>>,
    _directory: TempDir,
}

/// What a request was answered with.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn content_type(&self) -> &str {
        self.header(header::CONTENT_TYPE.as_str())
    }

    /// A header, empty if there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Asserts that it is problem details of this status, and returns their text for people.
    pub(super) fn problem(&self, status: StatusCode) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.content_type(), "application/problem+json");
        let body = self.json();
        assert_eq!(body["type"], "about:blank");
        assert_eq!(body["title"], status.canonical_reason().unwrap());
        assert_eq!(body["status"], status.as_u16());
        body["detail"].as_str().unwrap().to_owned()
    }
}

impl TestApi {
    /// An empty store.
    pub(super) async fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("node.db").display());
        let config = DbBackendConfig::new("sqlite".parse().unwrap(), Some(&url), None, Network::Custom).unwrap();
        let storage = NodeStorageBackend::connect(&config, Access::Write { migrate: true })
            .await
            .unwrap();
        let handle = watch::Sender::new(Some(storage.clone()));
        Self {
            router: router(handle.subscribe(), config_of("indexer", None)),
            storage,
            handle,
            _directory: directory,
        }
    }

    /// A store with these blocks, indexed.
    pub(super) async fn with_blocks(blocks: &[PublishedBlock]) -> Self {
        let api = Self::empty().await;
        api.append(blocks).await;
        index_all(&api.storage).await.unwrap();
        api
    }

    /// A store with these operations, each in a block of its own: number 1, 2, …, slot 20, 40, ….
    pub(super) async fn with_operations<'a>(operations: impl IntoIterator<Item = &'a Signed>) -> Self {
        let blocks: Vec<_> = (1..)
            .zip(operations)
            .map(|(number, signed)| block(SEED, number, number * 20, [[signed.bytes.clone()]]))
            .collect();
        Self::with_blocks(&blocks).await
    }

    /// Stores blocks without indexing them.
    pub(super) async fn append(&self, blocks: &[PublishedBlock]) {
        let Some(last) = blocks.last() else { return };
        let cursor = Cursor::at(&BlockHeader::from(last));
        let stored = self.storage.cursor().await.unwrap();
        self.storage.append(stored, blocks, cursor).await.unwrap();
    }

    /// The router of a node that reads a ledger.
    pub(super) fn router_with(&self, sync: SyncWatch) -> Router {
        let config = ApiConfig {
            sync: Some(sync),
            ..config_of("indexer", None)
        };
        router(self.handle.subscribe(), config)
    }

    pub(super) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[]).await
    }

    pub(super) async fn get_as(&self, path: &str, accept: &str) -> Answer {
        self.send(Method::GET, path, &[("accept", accept)]).await
    }

    pub(super) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(&self.router, method, path, headers, Body::empty()).await
    }

    pub(super) async fn post_json(&self, path: &str, body: impl Into<Body>) -> Answer {
        post_json(&self.router, path, body).await
    }
}

/// A router whose store is not there yet.
pub(super) fn without_storage() -> Router {
    // The sender may go: the value stays.
    router(watch::Sender::new(None).subscribe(), config_of("resolver", None))
}

pub(super) async fn get(router: &Router, path: &str) -> Answer {
    send(router, Method::GET, path, &[], Body::empty()).await
}

pub(super) async fn post_json(router: &Router, path: &str, body: impl Into<Body>) -> Answer {
    let headers = [("content-type", "application/json")];
    send(router, Method::POST, path, &headers, body.into()).await
}

pub(super) async fn send(router: &Router, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Answer {
    let request = headers
        .iter()
        .fold(Request::builder().method(method).uri(path), |request, (name, value)| {
            request.header(*name, *value)
        });
    let response = router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec(),
    }
}

/// Runs a test against a router whose ledger takes submissions, as `dev` has it, with the workers behind it.
pub(super) async fn with_ledger(test: impl AsyncFnOnce(Router)) {
    with_held_index(async |router, index| {
        index.begin.notify_one();
        test(router).await;
    })
    .await;
}

/// The index worker of a ledger that has not begun.
#[derive(Debug, Default)]
pub(super) struct HeldIndex {
    /// Told when something was stored.
    pub(super) stored: Notify,
    /// Lets the worker begin.
    pub(super) begin: Notify,
}

/// The same, but nothing is indexed until the test lets the worker begin.
pub(super) async fn with_held_index(test: impl AsyncFnOnce(Router, &HeldIndex)) {
    let api = TestApi::empty().await;
    let indexer = IndexWorker::new();
    let (ledger, submissions) = DevLedger::new(indexer.progress());
    let source = MemoryConfig::new(submissions, || prism_fixtures::block_time(20));
    let mut sync = SyncWorker::new(&source);
    let held = HeldIndex::default();
    let handle = watch::Sender::new(Some(api.storage.clone()));
    let router = router(handle.subscribe(), config_of("dev", Some(AnySink::new(ledger))));
    tokio::select! {
        () = test(router, &held) => {}
        ended = sync.run(&api.storage, &held.stored, SyncUntil::End) => panic!("{ended:?}"),
        ended = async {
            held.begin.notified().await;
            indexer.run(&api.storage, &held.stored).await
        } => panic!("{ended:?}"),
    }
}

fn config_of(mode: &'static str, sink: Option<AnySink>) -> ApiConfig {
    ApiConfig {
        style: DocumentStyle::Spec,
        mode,
        sink,
        routes: Routes::All,
        sync: None,
    }
}

/// The long form of the DID that these bytes of an operation create.
pub(super) fn long_form(create_operation: &[u8]) -> String {
    did_prism::did::LongFormDid::of_create(create_operation)
        .unwrap()
        .to_string()
}

/// The text with everything but letters and digits percent-encoded.
pub(super) fn percent_encoded(text: &str) -> String {
    percent_encoding::percent_encode(text.as_bytes(), percent_encoding::NON_ALPHANUMERIC).to_string()
}
