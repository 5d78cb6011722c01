//! Transactions and operations as they were published, indexed or not, and what became of them.

use axum::Json;
use axum::extract::State;
use data_encoding::HEXLOWER;
use did_prism::did::PrismDid;
use did_prism::digest::{OperationId, TransactionId};
use did_prism::ledger::OperationPosition;
use did_prism::rule::Rule;
use node_request::PositionToken;
use node_service::index::LOOK_AGAIN;
use node_service::resolver::DidResolver;
use node_service::status::{BrokenRule, OperationStatus};
use node_storage::RawOperationRepo;
use node_storage::contract::{IndexOutcome, OperationRecord, TransactionRecord};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::extract::{Paging, PathDigest, QueryOf, one};
use super::problem::{PROBLEM_JSON, Problem};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(transaction))
        .routes(routes!(operation))
}

/// The position that `after` in a query names.
pub(super) fn position(after: Option<&str>) -> Result<Option<OperationPosition>, Problem> {
    let token = after.map(str::parse::<PositionToken>).transpose();
    let token = token.map_err(|error| Problem::bad_request(format!("after: {error}")))?;
    Ok(token.map(|PositionToken(position)| position))
}

/// Which page of operations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OperationPage {
    /// Return operations after this position, `block:absn:osn` in decimal: the `next` of the previous page, or the
    /// `position` of any operation. Without it, start at the first.
    #[param(example = "7000000:3:0")]
    pub(super) after: Option<String>,
    /// The largest number of items to return.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(super) limit: Option<u64>,
}

/// What became of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// It is stored and not yet indexed.
    Pending,
    /// It had an effect on its DID, or on a storage entry of it.
    Applied,
    /// It belongs to a DID and broke a rule there, so that it changed nothing.
    NoEffect,
    /// It belongs to no DID.
    Ignored,
    /// Its bytes are no operation.
    Undecodable,
}

impl From<&OperationStatus> for Status {
    fn from(status: &OperationStatus) -> Self {
        match status {
            OperationStatus::Pending => Self::Pending,
            OperationStatus::Applied => Self::Applied,
            OperationStatus::NoEffect(_) => Self::NoEffect,
            OperationStatus::Ignored(_) => Self::Ignored,
            OperationStatus::Undecodable(_) => Self::Undecodable,
        }
    }
}

/// The names of rules, each with its meaning and the sections of the book.
fn rules() -> Object {
    let mut description =
        "The name of the rule that kept it from having an effect, for programs; null where `reason` is. Of several broken rules it \
         is the one that was found first. A name keeps its meaning; later versions may add names.\n".to_owned();
    for rule in Rule::ALL {
        description.push_str(&meaning(*rule));
    }
    let tokens = Rule::ALL.iter().map(|rule| Some(rule.token()));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(tokens.chain([None])))
        .description(Some(description))
        .examples([Rule::Signature.token()])
        .build()
}

/// What the citation of a section of the book begins with.
const SECTION_LINK: &str = concat!("protocol.md", "#");

/// A line with the name of a rule, what it says, and where.
fn meaning(rule: Rule) -> String {
    let sections: Vec<_> = rule
        .sections()
        .iter()
        .map(|section| format!("{SECTION_LINK}{section}"))
        .collect();
    format!("\n- `{rule}`: {} ({})", rule.meaning(), sections.join(", "))
}

/// What became of an operation.
#[derive(Debug, Serialize, ToSchema)]
struct Outcome {
    /// The DID that it belongs to, in canonical form; null if there is none, or none yet.
    #[schema(required)]
    did: Option<String>,
    /// Hash of the operation without its signature: the `versionId` that it gives its DID, or the reference of a
    /// storage entry. Null where `did` is.
    #[schema(required)]
    operation_hash: Option<String>,
    /// What became of it at this position. All but `pending` is final.
    status: Status,
    #[schema(required, schema_with = rules)]
    rule: Option<&'static str>,
    /// Why it had no effect, for people: how it breaks the rule. It may quote the operation. Null while it is pending, and where it
    /// was applied.
    #[schema(required, example = "signature does not verify")]
    reason: Option<String>,
}

impl Outcome {
    fn new(indexing: Option<&IndexOutcome>, status: &OperationStatus) -> Self {
        let (did, operation_hash) = match indexing {
            None | Some(IndexOutcome::Ignored { .. } | IndexOutcome::Undecodable { .. }) => (None, None),
            Some(
                IndexOutcome::Did {
                    did, operation_hash, ..
                }
                | IndexOutcome::Storage { did, operation_hash },
            ) => (Some(PrismDid::from(*did).to_string()), Some(operation_hash.to_string())),
        };
        let (rule, reason) = status
            .broken_rule()
            .map(|BrokenRule { rule, detail }| (rule.token(), detail))
            .unzip();
        Self {
            did,
            operation_hash,
            status: status.into(),
            rule,
            reason,
        }
    }
}

/// An operation, as published.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PublishedOperation {
    /// SHA-256 of the signed operation.
    operation_id: String,
    /// Id of the transaction.
    tx_id: String,
    /// Position on the ledger: `block:absn:osn`.
    #[schema(example = "7000000:3:0")]
    pub(super) position: String,
    /// Slot of the block.
    slot_number: u64,
    /// Number of the block.
    block_number: u64,
    /// Hash of the block.
    block_hash: String,
    /// Time of the block (RFC 3339, UTC).
    #[schema(example = "2022-09-12T10:00:00Z")]
    block_timestamp: String,
    /// Index of the transaction in the block.
    absn: u32,
    /// Index of the operation in the transaction.
    osn: u32,
    /// The serialized `SignedPrismOperation`, in hexadecimal.
    signed_operation_data: String,
    /// What became of it.
    #[serde(flatten)]
    outcome: Outcome,
}

impl PublishedOperation {
    /// The operation of a record, and what became of it there.
    pub(super) fn new(record: &OperationRecord, status: &OperationStatus) -> Self {
        let position = record.operation.position;
        Self {
            operation_id: record.id.to_string(),
            tx_id: record.transaction_id.to_string(),
            position: PositionToken(position).to_string(),
            slot_number: record.slot.get(),
            block_number: position.block.get(),
            block_hash: record.block_hash.to_string(),
            block_timestamp: record.operation.block_time.to_string(),
            absn: position.absn.get(),
            osn: position.osn.get(),
            signed_operation_data: HEXLOWER.encode(record.operation.bytes.as_slice()),
            outcome: Outcome::new(record.indexing.as_ref(), status),
        }
    }
}

/// A transaction with PRISM operations, and a page of them.
#[derive(Debug, Serialize, ToSchema)]
struct Transaction {
    /// Id of the transaction.
    tx_id: String,
    /// How many operations it has, those of all pages.
    operation_count: u64,
    /// Slot of the block.
    slot_number: u64,
    /// Number of the block.
    block_number: u64,
    /// Hash of the block.
    block_hash: String,
    /// Time of the block (RFC 3339, UTC).
    #[schema(example = "2022-09-12T10:00:00Z")]
    block_timestamp: String,
    /// Index of the transaction in the block.
    absn: u32,
    /// The operations of the page, in order.
    operations: Vec<TransactionOperation>,
    /// What to give as `after` for the next page; null at the end.
    #[schema(required, example = "7000000:3:0")]
    next: Option<String>,
}

/// An operation of a transaction.
#[derive(Debug, Serialize, ToSchema)]
struct TransactionOperation {
    /// Index of the operation in the transaction.
    osn: u32,
    /// The serialized `SignedPrismOperation`, in hexadecimal.
    signed_operation_data: String,
    /// SHA-256 of the signed operation.
    operation_id: String,
    /// What became of it.
    #[serde(flatten)]
    outcome: Outcome,
}

impl TransactionOperation {
    fn new(record: &OperationRecord, status: &OperationStatus) -> Self {
        Self {
            osn: record.operation.position.osn.get(),
            signed_operation_data: HEXLOWER.encode(record.operation.bytes.as_slice()),
            operation_id: record.id.to_string(),
            outcome: Outcome::new(record.indexing.as_ref(), status),
        }
    }
}

impl Transaction {
    /// A transaction, what became of its operations, in their order, and whether further ones follow.
    fn new(record: &TransactionRecord, statuses: &[OperationStatus], has_next: bool) -> Self {
        let operations = record.operations.iter().zip(statuses);
        let last = record.operations.last().filter(|_| has_next);
        Self {
            tx_id: record.id.to_string(),
            operation_count: record.operation_count,
            slot_number: record.block.slot.get(),
            block_number: record.block.number.get(),
            block_hash: record.block.hash.to_string(),
            block_timestamp: record.block.time.to_string(),
            absn: record.absn.get(),
            operations: operations
                .map(|(record, status)| TransactionOperation::new(record, status))
                .collect(),
            next: last.map(|last| PositionToken(last.operation.position).to_string()),
        }
    }
}

/// Get a transaction
///
/// A transaction that published PRISM operations, with a page of them, whether or not they are indexed, and what became of
/// each. A page ends after `limit` operations, or before their bytes would be more than 8 MiB; `operation_count` is that of
/// the whole transaction. Every DID that an operation of the page belongs to is replayed once, up to its last one there.
#[utoipa::path(
    get,
    path = "/api/transactions/{tx_id}",
    tag = "Ledger",
    params(("tx_id" = String, Path, description = "Id of the transaction.", pattern = "^[0-9a-f]{64}$"), OperationPage),
    responses(
        (status = 200, description = "The transaction, with a page of its operations", body = Transaction),
        (status = 400, description = "Not an id, or a malformed query", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "No transaction with PRISM operations has this id", body = Problem,
            content_type = PROBLEM_JSON),
        (status = 503, description = "The database is not ready", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn transaction(
    State(api): State<Api>,
    PathDigest(id): PathDigest<TransactionId>,
    QueryOf(page): QueryOf<OperationPage>,
) -> Result<Json<Transaction>, Problem> {
    let paging = Paging::new(page.limit)?;
    let after = position(page.after.as_deref())?;
    let storage = api.storage()?;
    let found = storage.transaction(&id, after, paging.with_next()).await?;
    let mut record = found.ok_or_else(|| Problem::not_found("no transaction with PRISM operations has this id"))?;
    let is_more_after = async |last| {
        let rest = storage.transaction(&id, Some(last), one()).await?;
        Ok::<_, Problem>(rest.is_some_and(|rest| !rest.operations.is_empty()))
    };
    let has_next = paging.cut_operations(&mut record.operations, is_more_after).await?;
    let statuses = DidResolver::new(storage).statuses(&record.operations).await?;
    Ok(Json(Transaction::new(&record, &statuses, has_next)))
}

/// How an operation that is not yet indexed is answered.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OperationQuery {
    /// Answer 404 with `Retry-After` as long as the operation is `pending`, for clients that take every 200 for the
    /// confirmation that it is done. Whether it was applied stands in `status` either way.
    #[serde(default)]
    #[param(default = false)]
    confirmed: bool,
}

/// Get an operation
///
/// An operation at the position where it was first published, whether or not it is indexed, and what became of it there.
/// An operation that was published several times stands once for each in the operations of its DID, with a status of
/// its own. The operations of the DID up to this one are replayed for the answer.
///
/// By default 200 says that the operation is on the ledger, also while it is `pending`. With `confirmed=true` it is
/// answered only once it is indexed.
#[utoipa::path(
    get,
    path = "/api/operations/{operation_id}",
    tag = "Ledger",
    params(("operation_id" = String, Path, description = "SHA-256 of the signed operation.",
        pattern = "^[0-9a-f]{64}$"), OperationQuery),
    responses(
        (status = 200, description = "The operation", body = PublishedOperation),
        (status = 400, description = "Not an id, or a malformed query", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "No operation has this id, or with `confirmed=true` it is pending", body = Problem,
            content_type = PROBLEM_JSON, headers(("Retry-After" = u64, description = "Seconds after which a pending \
                operation is indexed, unless the node is behind. Absent where no operation has this id."))),
        (status = 503, description = "The database is not ready", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn operation(
    State(api): State<Api>,
    PathDigest(id): PathDigest<OperationId>,
    QueryOf(query): QueryOf<OperationQuery>,
) -> Result<Json<PublishedOperation>, Problem> {
    let storage = api.storage()?;
    let found = storage.operation(&id).await?;
    let record = found.ok_or_else(|| Problem::not_found("no operation has this id"))?;
    let status = DidResolver::new(storage).status(&record).await?;
    if query.confirmed && status == OperationStatus::Pending {
        let detail =
            "the operation is on the ledger and waits for being indexed; ask again after the seconds in Retry-After";
        return Err(Problem::not_found(detail).retry_after(LOOK_AGAIN));
    }
    Ok(Json(PublishedOperation::new(&record, &status)))
}
