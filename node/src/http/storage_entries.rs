//! Storage entries (verifiable data registry): their data, their status and their events.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::response::{IntoResponse, Response};
use did_prism::did::PrismDid;
use did_prism::digest::OperationHash;
use did_prism::state::{StorageData, StorageEntry, StorageStatus};
use node_request::VersionQuery;
use node_service::resolver::{DidResolver, EventPage, OwnedEntry};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::extract::{Paging, PathDigest, QueryOf};
use super::ledger::{PublishedOperation, position};
use super::problem::{PROBLEM_JSON, Problem};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(storage_entry_data))
        .routes(routes!(storage_entry_metadata))
        .routes(routes!(storage_entry_events))
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

/// Status of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum EntryStatus {
    /// It has content, perhaps an empty one.
    Active,
    /// The entry or its DID was deactivated.
    Deactivated,
    /// An event of it has a validation field that this node does not know: it may be alive or not, with this or other
    /// content.
    Unsupported,
}

impl From<StorageStatus> for EntryStatus {
    fn from(status: StorageStatus) -> Self {
        match status {
            StorageStatus::Active => Self::Active,
            StorageStatus::Deactivated => Self::Deactivated,
            StorageStatus::Unsupported => Self::Unsupported,
        }
    }
}

/// The kind of an entry's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DataKind {
    /// Bytes.
    Bytes,
    /// An IPFS content identifier.
    Ipfs,
    /// An entry of a status list.
    StatusList,
    /// The last create or update has no data.
    None,
    /// A kind that this node does not know: its content is answered as empty.
    Unknown,
}

impl From<&StorageData> for DataKind {
    fn from(data: &StorageData) -> Self {
        match data {
            StorageData::Absent => Self::None,
            StorageData::Bytes(_) => Self::Bytes,
            StorageData::Ipfs(_) => Self::Ipfs,
            StorageData::StatusList(_) => Self::StatusList,
            StorageData::Unknown => Self::Unknown,
        }
    }
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
    /// Kind of the data of the last create or update, whatever the status.
    data_kind: DataKind,
    /// The owner, in canonical form.
    did: String,
}

impl From<OwnedEntry> for EntryMetadata {
    fn from(OwnedEntry { owner, entry }: OwnedEntry) -> Self {
        Self {
            entry_hash: entry.reference.to_string(),
            latest_event_hash: entry.latest_event.to_string(),
            status: entry.status.into(),
            data_kind: DataKind::from(&entry.data),
            did: PrismDid::from(owner).to_string(),
        }
    }
}

async fn find(api: &Api, reference: &OperationHash, version: &VersionQuery) -> Result<OwnedEntry, Problem> {
    let version = version.version()?;
    let resolver = DidResolver::new(api.storage()?);
    Ok(resolver.storage_entry(reference, version).await?)
}

/// Get the data of a storage entry
///
/// Bytes are answered as they are, as `application/octet-stream`; an IPFS content identifier and an entry of a status
/// list as JSON, each under its name. An entry without data, and one whose data is of a kind that this node does not
/// know, has an empty body of type `application/octet-stream`; `data_kind` in the metadata tells them apart from empty
/// bytes.
///
/// A version is named by the time, or by the hash of an event that took effect, for which `took_effect` is true among the
/// events.
#[utoipa::path(
    get,
    path = "/api/vdr-data/{entry_hash}",
    tag = "Storage entries",
    params(("entry_hash" = String, Path, description = "Hash of the operation that created the entry.",
        pattern = "^[0-9a-f]{64}$"), VersionQuery),
    responses(
        (status = 200, description = "The data", content(
            (EntryBytes = "application/octet-stream"), (TypedData = "application/json"),
        )),
        (status = 400, description = "Not a hash, or a malformed query", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "No such entry or version, or the entry or its DID was deactivated",
            body = Problem, content_type = PROBLEM_JSON),
        (status = 501, description = "An event of the entry has a validation field that this node does not know",
            body = Problem, content_type = PROBLEM_JSON),
        (status = 503, description = "The database is not ready", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn storage_entry_data(
    State(api): State<Api>,
    PathDigest(reference): PathDigest<OperationHash>,
    QueryOf(version): QueryOf<VersionQuery>,
) -> Result<Response, Problem> {
    let StorageEntry { status, data, .. } = find(&api, &reference, &version).await?.entry;
    match status {
        StorageStatus::Active => {}
        StorageStatus::Deactivated => {
            return Err(Problem::not_found("the storage entry, or its DID, was deactivated"));
        }
        StorageStatus::Unsupported => {
            let detail = "an event of the storage entry has a validation field that this node does not know, so that it \
                can't say what the entry holds; all events are at /api/vdr-data/{entry_hash}/events";
            return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, detail));
        }
    }
    Ok(match data {
        StorageData::Bytes(bytes) => EntryBytes(bytes).into_response(),
        StorageData::Absent | StorageData::Unknown => EntryBytes(Vec::new()).into_response(),
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
        pattern = "^[0-9a-f]{64}$"), VersionQuery),
    responses(
        (status = 200, description = "The status", body = EntryMetadata),
        (status = 400, description = "Not a hash, or a malformed query", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "No such entry or version", body = Problem, content_type = PROBLEM_JSON),
        (status = 503, description = "The database is not ready", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn storage_entry_metadata(
    State(api): State<Api>,
    PathDigest(reference): PathDigest<OperationHash>,
    QueryOf(version): QueryOf<VersionQuery>,
) -> Result<Json<EntryMetadata>, Problem> {
    find(&api, &reference, &version)
        .await
        .map(EntryMetadata::from)
        .map(Json)
}

/// Which page of events, up to which version.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventQuery {
    /// Events up to the one with this hash, which took effect. Excludes `versionTime`.
    version_id: Option<String>,
    /// Events whose block time, floored to the second, is not later. RFC 3339.
    #[param(example = "2023-01-01T00:00:00Z")]
    version_time: Option<String>,
    /// Start after this position, `block:absn:osn` in decimal: the `next` of the page before, or the `position` of any
    /// operation. From the first on, without it.
    #[param(example = "7000000:3:0")]
    after: Option<String>,
    /// Most items.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
}

/// Events by position.
#[derive(Debug, Serialize, ToSchema)]
struct EventList {
    /// The events.
    items: Vec<Event>,
    /// What to give as `after` for the next page; null at the end.
    #[schema(required, example = "7000000:3:0")]
    next: Option<String>,
}

/// An operation whose link leads to the entry.
#[derive(Debug, Serialize, ToSchema)]
struct Event {
    /// Whether it was applied, so that its hash is a `versionId` of the entry.
    took_effect: bool,
    /// The operation, as published.
    #[serde(flatten)]
    operation: PublishedOperation,
}

/// List the events of a storage entry
///
/// The raw operations on the entry in ledger order, valid or not: each publication of its create, and every update and
/// deactivation whose chain of `previous_event_hash` leads to it. They let everybody judge for themselves an entry that
/// this node does not support. An operation published before the one it names is not among them: it is ignored for
/// good. A page ends after `limit` events, or before their bytes would be more than 8 MiB. Events are answered also for an entry that has ended, and where no publication of the create is valid.
#[utoipa::path(
    get,
    path = "/api/vdr-data/{entry_hash}/events",
    tag = "Storage entries",
    params(("entry_hash" = String, Path, description = "Hash of the operation that created the entry.",
        pattern = "^[0-9a-f]{64}$"), EventQuery),
    responses(
        (status = 200, description = "A page of events", body = EventList),
        (status = 400, description = "Not a hash, or a malformed query", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "No storage create has this hash, none at that time, or no such version",
            body = Problem, content_type = PROBLEM_JSON),
        (status = 503, description = "The database is not ready", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn storage_entry_events(
    State(api): State<Api>,
    PathDigest(reference): PathDigest<OperationHash>,
    QueryOf(query): QueryOf<EventQuery>,
) -> Result<Json<EventList>, Problem> {
    let version = VersionQuery {
        version_id: query.version_id,
        version_time: query.version_time,
    };
    let version = version.version()?;
    let after = position(query.after.as_deref())?;
    let limit = Paging::new(query.limit)?.limit();
    let resolver = DidResolver::new(api.storage()?);
    let page = resolver
        .storage_events(&reference, version, EventPage { after, limit })
        .await?;
    let items: Vec<_> = page
        .events
        .iter()
        .map(|event| Event {
            took_effect: event.status.is_applied(),
            operation: PublishedOperation::new(&event.record, &event.status),
        })
        .collect();
    let last = items.last().filter(|_| page.has_next);
    let next = last.map(|last| last.operation.position.clone());
    Ok(Json(EventList { items, next }))
}
