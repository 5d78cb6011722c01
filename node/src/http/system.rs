//! What the node is, and the description of its API.

use axum::Json;
use axum::extract::State;
use node_storage::IndexerStateRepo;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::problem::{PROBLEM_JSON, Problem};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(system_health))
        .routes(routes!(node_metadata))
        .routes(routes!(healthz))
        .routes(routes!(openapi_document))
}

/// What a node without a database can't say.
pub(super) fn database_router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(indexer_stats))
}

/// How far indexing has come.
#[derive(Debug, Serialize, ToSchema)]
struct IndexerStats {
    /// Slot of the last block with PRISM operations of which everything is indexed; null before the first.
    #[schema(required)]
    last_prism_slot_number: Option<u64>,
    /// Number of that block; null before the first.
    #[schema(required)]
    last_prism_block_number: Option<u64>,
}

/// Get how far indexing has come
#[utoipa::path(
    get,
    path = "/api/indexer-stats",
    tag = "System",
    responses(
        (status = 200, description = "The last indexed block", body = IndexerStats),
        (status = 503, description = "The database is not ready", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn indexer_stats(State(api): State<Api>) -> Result<Json<IndexerStats>, Problem> {
    let block = api.storage()?.indexer_state().await?.last_indexed_block;
    Ok(Json(IndexerStats {
        last_prism_slot_number: block.map(|block| block.slot.get()),
        last_prism_block_number: block.map(|block| block.number.get()),
    }))
}

/// Whether the node is alive
///
/// The same as `/healthz`, under an older name.
#[utoipa::path(
    get,
    path = "/api/_system/health",
    tag = "System",
    responses((status = 200, description = "The process runs", body = String, content_type = "text/plain", example = "Ok")),
)]
async fn system_health() -> &'static str {
    "Ok"
}

/// What the node is.
#[derive(Debug, Serialize, ToSchema)]
struct NodeMetadata {
    /// Version of the program.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// How it runs: `indexer`, `resolver`, `dev` or `submitter`.
    #[schema(example = "indexer")]
    mode: &'static str,
}

/// Get what the node is
#[utoipa::path(
    get,
    path = "/api/_system/metadata",
    tag = "System",
    responses((status = 200, description = "Version and mode", body = NodeMetadata)),
)]
async fn node_metadata(State(api): State<Api>) -> Json<NodeMetadata> {
    Json(NodeMetadata {
        version: env!("CARGO_PKG_VERSION"),
        mode: api.config.mode,
    })
}

/// Whether the node is alive
///
/// It is, whatever the state of the database.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "System",
    responses((status = 200, description = "The process runs", body = String, content_type = "text/plain", example = "Ok")),
)]
async fn healthz() -> &'static str {
    "Ok"
}

/// Get the description of this API
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "System",
    responses((status = 200, description = "An OpenAPI 3.1 document", body = Object)),
)]
async fn openapi_document(State(api): State<Api>) -> Json<utoipa::openapi::OpenApi> {
    Json(super::openapi_of(api.config.routes))
}
