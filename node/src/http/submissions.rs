//! Publishing operations, where the node has a ledger of its own or a wallet.

use axum::Json;
use axum::extract::State;
use data_encoding::HEXLOWER_PERMISSIVE;
use did_prism::envelope::operations_in_object;
use did_prism::ledger::OperationBytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::extract::JsonBody;
use super::problem::{PROBLEM_JSON, Problem};
use dlt_sinks::contract::{DltSink, Publication};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(submit_signed_operations))
        .routes(routes!(submit_object))
}

/// Operations to publish.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignedOperationsSubmission {
    /// At least one serialized `SignedPrismOperation`, each in hexadecimal.
    #[schema(min_items = 1)]
    signed_operations: Vec<String>,
}

/// An object to publish.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ObjectSubmission {
    /// A serialized `PrismObject` with at least one operation, in hexadecimal.
    object: String,
}

/// What became of a submission.
#[derive(Debug, Serialize, ToSchema)]
struct Submitted {
    /// Id of the transaction that published the operations.
    tx_id: String,
    /// Ids of the operations, in the order in which they were given.
    operation_ids: Vec<String>,
}

/// Publish signed operations
///
/// All of them in one transaction, in this order. `dev` answers once they are indexed, so that what is asked next sees them. With
/// a wallet, the answer comes once the wallet has submitted the transaction; they appear when the chain has confirmed it, and the
/// same operations sent again within a minute get the same answer. Whether they have an effect is not judged here.
#[utoipa::path(
    post,
    path = "/api/submissions/signed-operations",
    tag = "Submissions",
    request_body = SignedOperationsSubmission,
    responses(
        (status = 200, description = "Published, or submitted by the wallet", body = Submitted),
        (status = 400, description = "Malformed JSON, hexadecimal or protobuf, or no operation. Nothing was published.",
            body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "This node does not accept submissions", body = Problem, content_type = PROBLEM_JSON),
        (status = 413, description = "The body is longer than 4 MiB, or the operations do not fit into one transaction; \
            `detail` says how many do. Nothing was published.", body = Problem, content_type = PROBLEM_JSON),
        (status = 415, description = "Content-Type is not application/json", body = Problem,
            content_type = PROBLEM_JSON),
        (status = 502, description = "The wallet refuses until somebody corrects what `detail` says. Nothing was published.",
            body = Problem, content_type = PROBLEM_JSON),
        (status = 503, description = "Not now: the wallet is synchronizing, busy or away, or the node is shutting down. \
            Nothing was published.", body = Problem, content_type = PROBLEM_JSON),
        (status = 504, description = "The wallet took the transaction and did not say what became of it. It may have been \
            published.", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn submit_signed_operations(
    State(api): State<Api>,
    body: Result<JsonBody<SignedOperationsSubmission>, Problem>,
) -> Result<Json<Submitted>, Problem> {
    submit(&api, || {
        let JsonBody(body) = body?;
        let operations = body.signed_operations.iter().enumerate();
        operations
            .map(|(index, hex)| {
                let field = format!("signed_operations[{index}]");
                let bytes = decode_hex(&field, hex)?;
                OperationBytes::try_from(bytes).map_err(|error| Problem::bad_request(format!("{field}: {error}")))
            })
            .collect()
    })
    .await
}

/// Publish an object
///
/// The operations in a `PrismObject`, in its order, as if they were submitted one by one.
#[utoipa::path(
    post,
    path = "/api/submissions/objects",
    tag = "Submissions",
    request_body = ObjectSubmission,
    responses(
        (status = 200, description = "Published, or submitted by the wallet", body = Submitted),
        (status = 400, description = "Malformed JSON, hexadecimal or protobuf, or no operation. Nothing was published.",
            body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "This node does not accept submissions", body = Problem, content_type = PROBLEM_JSON),
        (status = 413, description = "The body is longer than 4 MiB, or the operations do not fit into one transaction; \
            `detail` says how many do. Nothing was published.", body = Problem, content_type = PROBLEM_JSON),
        (status = 415, description = "Content-Type is not application/json", body = Problem,
            content_type = PROBLEM_JSON),
        (status = 502, description = "The wallet refuses until somebody corrects what `detail` says. Nothing was published.",
            body = Problem, content_type = PROBLEM_JSON),
        (status = 503, description = "Not now: the wallet is synchronizing, busy or away, or the node is shutting down. \
            Nothing was published.", body = Problem, content_type = PROBLEM_JSON),
        (status = 504, description = "The wallet took the transaction and did not say what became of it. It may have been \
            published.", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn submit_object(
    State(api): State<Api>,
    body: Result<JsonBody<ObjectSubmission>, Problem>,
) -> Result<Json<Submitted>, Problem> {
    submit(&api, || {
        let JsonBody(body) = body?;
        let object = decode_hex("object", &body.object)?;
        let operations =
            operations_in_object(&object).map_err(|error| Problem::bad_request(format!("object: {error}")))?;
        Ok(operations.into_iter().map(|operation| operation.bytes).collect())
    })
    .await
}

fn decode_hex(field: &str, hex: &str) -> Result<Vec<u8>, Problem> {
    HEXLOWER_PERMISSIVE
        .decode(hex.as_bytes())
        .map_err(|error| Problem::bad_request(format!("{field} is not hexadecimal: {error}")))
}

/// Publishes the operations that `operations` reads from the request, which is looked at only where there is a sink.
async fn submit(
    api: &Api,
    operations: impl FnOnce() -> Result<Vec<OperationBytes>, Problem>,
) -> Result<Json<Submitted>, Problem> {
    let Some(sink) = &api.config.sink else {
        return Err(Problem::not_found(format!(
            "this node runs as {} and publishes nothing; `indexer` and `submitter` publish through a wallet with --dlt-sink, and \
             `neoprism-node dev` has a ledger that takes submissions",
            api.config.mode
        )));
    };
    let publication = Publication::new(operations()?)?;
    let operation_ids = publication.operation_ids().iter().map(ToString::to_string).collect();
    let tx_id = sink.submit(publication).await?.to_string();
    Ok(Json(Submitted { tx_id, operation_ids }))
}
