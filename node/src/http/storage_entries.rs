//! Storage entries (verifiable data registry): their data and their status.

use axum::Json;
use axum::extract::State;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::response::{IntoResponse, Response};
use did_prism::did::PrismDid;
use did_prism::digest::OperationHash;
use did_prism::state::StorageData;
use node_service::resolver::{DidResolver, OwnedEntry};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::extract::PathDigest;
use super::problem::{PROBLEM_JSON, Problem};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(storage_entry_data))
        .routes(routes!(storage_entry_metadata))
}

/// The data of an entry as it was published.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary)]
struct EntryBytes(Vec<u8>);

impl IntoResponse for EntryBytes {
    /// Whoever publishes bytes must not be able to make a browser run them.
    fn into_response(self) -> Response {
        ([(X_CONTENT_TYPE_OPTIONS, "nosniff")], self.0).into_response()
    }
}

/// The data of an entry that is not plain bytes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TypedData {
    /// An IPFS content identifier, as published.
    #[schema(example = json!({"ipfs": "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"}))]
    Ipfs(String),
    /// An entry of a status list, as published last.
    StatusListEntry(StatusListEntry),
}

/// An entry of a status list.
#[derive(Debug, Serialize, ToSchema)]
struct StatusListEntry {
    /// The status.
    state: i64,
    /// Name of the status.
    name: String,
    /// Details, for people.
    details: String,
}

/// Whether an entry is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum EntryStatus {
    /// It has data.
    Active,
    /// It, or its DID, was deactivated.
    Deactivated,
}

/// About a storage entry.
#[derive(Debug, Serialize, ToSchema)]
struct EntryMetadata {
    /// Hash of the operation that created the entry.
    entry_hash: String,
    /// Hash of the last operation on the entry: what the next one has to name.
    latest_event_hash: String,
    /// Whether it is alive.
    status: EntryStatus,
    /// The owner, in canonical form.
    did: String,
}

impl From<OwnedEntry> for EntryMetadata {
    fn from(OwnedEntry { owner, entry }: OwnedEntry) -> Self {
        Self {
            entry_hash: entry.reference.to_string(),
            latest_event_hash: entry.latest_event.to_string(),
            status: if entry.active {
                EntryStatus::Active
            } else {
                EntryStatus::Deactivated
            },
            did: PrismDid::from(owner).to_string(),
        }
    }
}

async fn find(api: &Api, reference: &OperationHash) -> Result<OwnedEntry, Problem> {
    let found = DidResolver::new(api.storage()?).storage_entry(reference).await?;
    found.ok_or_else(|| Problem::not_found("no storage entry was created by an operation with this hash"))
}

/// Get the data of a storage entry
///
/// Bytes are answered as they are, as `application/octet-stream`; an IPFS content identifier and an entry of a status
/// list as JSON, each under its name.
#[utoipa::path(
    get,
    path = "/api/vdr-data/{entry_hash}",
    tag = "Storage entries",
    params(("entry_hash" = String, Path, description = "Hash of the operation that created the entry.",
        pattern = "^[0-9a-f]{64}$")),
    responses(
        (status = 200, description = "The data", content(
            (EntryBytes = "application/octet-stream"), (TypedData = "application/json"),
        )),
        (status = 400, description = "Not a hash", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "No such entry, or it or its DID was deactivated", body = Problem,
            content_type = PROBLEM_JSON),
        (status = 503, description = "The database is not ready", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn storage_entry_data(
    State(api): State<Api>,
    PathDigest(reference): PathDigest<OperationHash>,
) -> Result<Response, Problem> {
    let entry = find(&api, &reference).await?.entry;
    if !entry.active {
        return Err(Problem::not_found("the storage entry, or its DID, was deactivated"));
    }
    Ok(match entry.data {
        StorageData::Bytes(bytes) => EntryBytes(bytes).into_response(),
        StorageData::Ipfs(cid) => Json(TypedData::Ipfs(cid)).into_response(),
        StorageData::StatusList(entry) => Json(TypedData::StatusListEntry(StatusListEntry {
            state: entry.state,
            name: entry.name,
            details: entry.details,
        }))
        .into_response(),
    })
}

/// Get the status of a storage entry
///
/// Answered also when the entry is no longer alive.
#[utoipa::path(
    get,
    path = "/api/vdr-data/{entry_hash}/metadata",
    tag = "Storage entries",
    params(("entry_hash" = String, Path, description = "Hash of the operation that created the entry.",
        pattern = "^[0-9a-f]{64}$")),
    responses(
        (status = 200, description = "The status", body = EntryMetadata),
        (status = 400, description = "Not a hash", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "No such entry", body = Problem, content_type = PROBLEM_JSON),
        (status = 503, description = "The database is not ready", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn storage_entry_metadata(
    State(api): State<Api>,
    PathDigest(reference): PathDigest<OperationHash>,
) -> Result<Json<EntryMetadata>, Problem> {
    find(&api, &reference).await.map(EntryMetadata::from).map(Json)
}
