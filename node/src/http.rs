//! The HTTP API: DID resolution, what the ledger says about DIDs, submissions, and the state of the node.
//!
//! Every route is described where it is defined, and [`openapi`] collects the descriptions. Errors are problem details
//! ([`problem`]), except where DIDs are resolved: there they are resolution results, as DID Resolution asks for.
//! Answers come from the database alone; nothing waits for the ledger, apart from submissions.

mod dids;
mod extract;
mod ledger;
mod problem;
mod resolution;
mod status;
mod storage_entries;
mod submissions;
mod system;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, OriginalUri, Request};
use axum::http::Method;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use did_prism::document::DocumentStyle;
use node_storage::NodeStorageBackend;
use tokio::time::timeout;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tower_http::timeout::{RequestBodyDeadlineLayer, RequestBodyTimeoutLayer};
use tower_http::trace::TraceLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use dlt_sinks::contract::AnySink;
use problem::Problem;
pub(crate) use status::SyncWatch;

/// The store that requests are answered from; `None` as long as it is not there yet, which is answered with 503.
pub(crate) type StorageHandle = tokio::sync::watch::Receiver<Option<NodeStorageBackend>>;

/// What the API needs to know of the node.
pub(crate) struct ApiConfig {
    /// The style of DID documents.
    pub(crate) style: DocumentStyle,
    /// How the node runs: `indexer`, `resolver`, `dev` or `submitter`.
    pub(crate) mode: &'static str,
    /// Where submissions go; without it they are refused.
    pub(crate) sink: Option<AnySink>,
    /// Which routes there are.
    pub(crate) routes: Routes,
    /// What is known of reading the ledger; nothing in a node that does not.
    pub(crate) sync: Option<SyncWatch>,
}

/// Which routes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Routes {
    /// Every route.
    All,
    /// Those that need no database: submissions and the state of the node.
    Submissions,
}

/// Most bytes that the body of a request may have: room for the longest operation, in hexadecimal.
const MAX_BODY_LENGTH: usize = 4 * 1024 * 1024;

/// How long the body of a request may stand still.
const BODY_PAUSE: Duration = Duration::from_secs(10);
/// How long the body of a request may take.
const BODY_TIME: Duration = Duration::from_mins(1);
/// How long an answer may take. A submission through a wallet has limits of its own, which come to less.
const ANSWER_TIME: Duration = Duration::from_mins(3);

/// What handlers share.
#[derive(Clone)]
struct Api {
    storage: StorageHandle,
    config: Arc<ApiConfig>,
}

impl Api {
    /// The store, if it is there.
    fn storage_if_ready(&self) -> Option<NodeStorageBackend> {
        self.storage.borrow().clone()
    }

    /// The store, or the problem that it is not there yet.
    fn storage(&self) -> Result<NodeStorageBackend, Problem> {
        self.storage_if_ready()
            .ok_or_else(|| Problem::database_away("the database is not ready yet, try again"))
    }
}

/// The API.
///
/// Browsers of every origin may use it (CORS): nothing in it depends on who asks, and there are no credentials.
pub(crate) fn router(storage: StorageHandle, config: ApiConfig) -> Router {
    let offered = config.routes;
    let api = Api {
        storage,
        config: Arc::new(config),
    };
    let (router, _) = described_router(offered).split_for_parts();
    let router = match offered {
        Routes::All => router.fallback(unrouted),
        Routes::Submissions => router.fallback(async || no_such_route()),
    };
    router
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY_LENGTH))
        .layer(RequestBodyTimeoutLayer::new(BODY_PAUSE))
        .layer(RequestBodyDeadlineLayer::new(BODY_TIME))
        .layer(middleware::from_fn(limit_time))
        .layer(CatchPanicLayer::custom(Problem::of_panic))
        .layer(CorsLayer::permissive())
        .layer(TraceLayer::new_for_http())
        .with_state(api)
}

/// The description of the API.
pub(crate) fn openapi() -> utoipa::openapi::OpenApi {
    openapi_of(Routes::All)
}

/// The description of these routes.
fn openapi_of(routes: Routes) -> utoipa::openapi::OpenApi {
    described_router(routes).into_openapi()
}

fn described_router(offered: Routes) -> OpenApiRouter<Api> {
    let router = OpenApiRouter::with_openapi(Description::openapi())
        .merge(submissions::router())
        .merge(status::router())
        .merge(system::router());
    if offered == Routes::Submissions {
        return router;
    }
    router
        .merge(resolution::router())
        .merge(dids::router())
        .merge(ledger::router())
        .merge(storage_entries::router())
        .merge(system::database_router())
        .merge(status::database_router())
}

/// What the OpenAPI document says about the API as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "did:prism node",
        description = "Resolves did:prism DIDs, and shows what their ledger holds.\n\nErrors are problem details \
            (RFC 9457), except where DIDs are resolved; any route that reads the database may answer 500 besides what \
            it lists. Hashes and ids are 64 lowercase hexadecimal digits. A path and query may have 65,534 bytes."
    ),
    tags(
        (name = "DID resolution", description = "W3C DID Resolution"),
        (name = "DIDs", description = "What is known of DIDs beyond their documents"),
        (name = "Ledger", description = "Transactions and operations as published"),
        (name = "Storage entries", description = "The verifiable data registry"),
        (name = "Submissions", description = "Publishing operations, where the node has a ledger of its own (`dev`) or a wallet (`--dlt-sink`)"),
        (name = "System", description = "The state of the node"),
    ),
)]
struct Description;

/// Answers what takes too long with 503.
async fn limit_time(uri: OriginalUri, request: Request, next: Next) -> Response {
    if let Ok(response) = timeout(ANSWER_TIME, next.run(request)).await {
        return response;
    }
    let seconds = ANSWER_TIME.as_secs();
    tracing::warn!(
        path = uri.path(),
        "a request took longer than {seconds} s and was given up"
    );
    let problem = Problem::unavailable("the node has worked on this request for too long and given up");
    resolution::answer_to_late(&uri).unwrap_or_else(|| problem.into_response())
}

async fn unrouted(method: Method, uri: OriginalUri) -> Response {
    let resolution = if method == Method::GET || method == Method::HEAD {
        resolution::answer_to_unrouted(&uri)
    } else {
        None
    };
    resolution.unwrap_or_else(|| no_such_route().into_response())
}

fn no_such_route() -> Problem {
    Problem::not_found("no such route; /openapi.json describes all of them")
}

async fn method_not_allowed(method: Method) -> Problem {
    let detail = format!("{method} is not possible here; the Allow header names what is");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
