//! The listing of DIDs, their operations, and their state as the protocol's own message.

use axum::Json;
use axum::extract::State;
use data_encoding::HEXLOWER;
use did_prism::did::PrismDid;
use node_service::resolver::DidResolver;
use node_storage::IndexedOperationRepo;
use node_storage::contract::ListedDid;
use prost::Message;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::extract::{Paging, PathDid, QueryOf, one};
use super::ledger::{OperationPage, PublishedOperation, position};
use super::problem::{PROBLEM_JSON, Problem};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list_dids))
        .routes(routes!(list_operations_of_did))
        .routes(routes!(did_data))
}

/// Which page of DIDs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DidPage {
    /// Return DIDs after this one, which must be listed: the `next` of the previous page. Without it, start at the
    /// first.
    after: Option<String>,
    /// The largest number of items to return.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u64>,
}

/// DIDs by the position of their first valid create.
#[derive(Debug, Serialize, ToSchema)]
struct DidList {
    /// The DIDs.
    items: Vec<DidItem>,
    /// What to give as `after` for the next page; null at the end of the listing.
    #[schema(required)]
    next: Option<String>,
}

/// A DID, and where it was validly created first.
#[derive(Debug, Serialize, ToSchema)]
struct DidItem {
    /// The DID in canonical form.
    #[schema(example = "did:prism:9b5118411248d9663b6ab15128fba8106511230ff654e7514cdcc4ce919bde9b")]
    did: String,
    /// Number of the block.
    block_number: u64,
    /// Index of the transaction in the block.
    absn: u32,
    /// Index of the operation in the transaction.
    osn: u32,
}

impl From<&ListedDid> for DidItem {
    fn from(listed: &ListedDid) -> Self {
        Self {
            did: PrismDid::from(listed.did).to_string(),
            block_number: listed.position.block.get(),
            absn: listed.position.absn.get(),
            osn: listed.position.osn.get(),
        }
    }
}

/// List DIDs
///
/// Every DID that was validly created, deactivated ones included, by the position of its first valid create.
#[utoipa::path(
    get,
    path = "/api/dids",
    tag = "DIDs",
    params(DidPage),
    responses(
        (status = 200, description = "A page of DIDs", body = DidList),
        (status = 400, description = "Malformed query, or `after` is not a listed DID", body = Problem,
            content_type = PROBLEM_JSON),
        (status = 503, description = "The database is not ready", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn list_dids(State(api): State<Api>, QueryOf(page): QueryOf<DidPage>) -> Result<Json<DidList>, Problem> {
    let paging = Paging::new(page.limit)?;
    let storage = api.storage()?;
    let after = match page.after {
        None => None,
        Some(after) => {
            let did: PrismDid = after
                .parse()
                .map_err(|error| Problem::bad_request(format!("after: {error}")))?;
            let listed = storage.listed_did(&did.suffix()).await?;
            let listed =
                listed.ok_or_else(|| Problem::bad_request(format!("after: {} is not listed", did.canonical())))?;
            Some(listed.position)
        }
    };
    let listed = storage.listed_dids_after(after, paging.with_next()).await?;
    let mut items: Vec<_> = listed.iter().map(DidItem::from).collect();
    let next = paging.cut(&mut items).map(|last| last.did.clone());
    Ok(Json(DidList { items, next }))
}

/// Operations by position.
#[derive(Debug, Serialize, ToSchema)]
struct OperationList {
    /// The operations.
    items: Vec<PublishedOperation>,
    /// What to give as `after` for the next page; null at the end.
    #[schema(required, example = "7000000:3:0")]
    next: Option<String>,
}

/// List the operations of a DID
///
/// Every operation that names the DID, valid or not, and those on its storage entries, in ledger order, each with what
/// became of it. An operation that was published several times stands here several times, each with a status of its own.
///
/// A page ends after `limit` operations, or before their bytes would be more than 8 MiB.
///
/// For a page the DID is replayed once, from its first operation to the last of the page, so that a later page costs more
/// than the first.
#[utoipa::path(
    get,
    path = "/api/dids/{did}/operations",
    tag = "DIDs",
    params(("did" = String, Path, description = "The DID, in canonical or long form."), OperationPage),
    responses(
        (status = 200, description = "A page of operations", body = OperationList),
        (status = 400, description = "Not a did:prism DID, or a malformed query", body = Problem,
            content_type = PROBLEM_JSON),
        (status = 404, description = "No operation names this DID", body = Problem, content_type = PROBLEM_JSON),
        (status = 501, description = "A DID of another method", body = Problem, content_type = PROBLEM_JSON),
        (status = 503, description = "The database is not ready", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn list_operations_of_did(
    State(api): State<Api>,
    PathDid(did): PathDid,
    QueryOf(page): QueryOf<OperationPage>,
) -> Result<Json<OperationList>, Problem> {
    let paging = Paging::new(page.limit)?;
    let after = position(page.after.as_deref())?;
    let storage = api.storage()?;
    let did = did.suffix();
    let mut records = storage.operations_of_did(&did, after, paging.with_next()).await?;
    // The end of a list is an empty page; a DID without a list is not found.
    if records.is_empty() && (after.is_none() || storage.operations_of_did(&did, None, one()).await?.is_empty()) {
        return Err(Problem::not_found(format!(
            "no operation names {}",
            PrismDid::from(did)
        )));
    }
    let is_more_after = async |last| {
        let rest = storage.operations_of_did(&did, Some(last), one()).await?;
        Ok::<_, Problem>(!rest.is_empty())
    };
    let has_next = paging.cut_operations(&mut records, is_more_after).await?;
    let statuses = DidResolver::new(storage).statuses(&records).await?;
    let items: Vec<_> = records
        .iter()
        .zip(&statuses)
        .map(|(record, status)| PublishedOperation::new(record, status))
        .collect();
    let next = items.last().filter(|_| has_next).map(|last| last.position.clone());
    Ok(Json(OperationList { items, next }))
}

/// Get the state of a DID as a protobuf message
///
/// The `DIDData` message of the protocol in hexadecimal: active keys, services and storage entries, and the context. Of
/// a deactivated DID all lists are empty; of an unpublished long form it is what the DID itself carries.
#[utoipa::path(
    get,
    path = "/api/dids/{did}/protobuf",
    tag = "DIDs",
    params(("did" = String, Path, description = "The DID, in canonical or long form.")),
    responses(
        (status = 200, description = "The message in hexadecimal", body = String, content_type = "text/plain"),
        (status = 400, description = "Not a did:prism DID", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "The DID is not published", body = Problem, content_type = PROBLEM_JSON),
        (status = 501, description = "A DID of another method", body = Problem, content_type = PROBLEM_JSON),
        (status = 503, description = "The database is not ready", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn did_data(State(api): State<Api>, PathDid(did): PathDid) -> Result<String, Problem> {
    let data = DidResolver::new(api.storage()?).did_data(&did).await?;
    let data = data.ok_or_else(|| Problem::not_found(format!("{} is not published", did.canonical())))?;
    Ok(HEXLOWER.encode(&data.encode_to_vec()))
}
