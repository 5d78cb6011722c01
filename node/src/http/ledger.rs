//! Transactions and operations as they were published, indexed or not.

use std::fmt;
use std::str::FromStr;

use axum::Json;
use axum::extract::State;
use data_encoding::HEXLOWER;
use did_prism::did::PrismDid;
use did_prism::digest::{OperationId, TransactionId};
use did_prism::ledger::{BlockNo, OperationIndex, OperationPosition, OutOfRange, TransactionIndex};
use node_storage::RawOperationRepo;
use node_storage::contract::{IndexOutcome, OperationRecord, TransactionRecord};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::extract::PathDigest;
use super::problem::{PROBLEM_JSON, Problem};

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(transaction))
        .routes(routes!(operation))
}

/// A position as clients see it: `block:absn:osn`, in decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PositionToken(OperationPosition);

impl fmt::Display for PositionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.0.block, self.0.absn, self.0.osn)
    }
}

/// Text that is not a position.
#[derive(Debug, thiserror::Error)]
enum InvalidPosition {
    /// Not three numbers.
    #[error("a position has the form block:absn:osn, for example 7000000:3:0")]
    Syntax,
    /// A number that no position has.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

impl FromStr for PositionToken {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let mut numbers = text.split(':').map(|digits| {
            let is_decimal = digits.bytes().all(|digit| digit.is_ascii_digit());
            digits.parse::<u64>().ok().filter(|_| is_decimal)
        });
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Some(block)), Some(Some(absn)), Some(Some(osn)), None) => Ok(Self(OperationPosition {
                block: BlockNo::try_from(block)?,
                absn: TransactionIndex::try_from(absn)?,
                osn: OperationIndex::try_from(osn)?,
            })),
            _ => Err(InvalidPosition::Syntax),
        }
    }
}

/// The position that `after` in a query names.
pub(super) fn position(after: Option<&str>) -> Result<Option<OperationPosition>, Problem> {
    let token = after.map(str::parse::<PositionToken>).transpose();
    let token = token.map_err(|error| Problem::bad_request(format!("after: {error}")))?;
    Ok(token.map(|PositionToken(position)| position))
}

/// The result of indexing an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// It is stored and not yet indexed.
    Pending,
    /// It belongs to a DID, whether or not it has an effect on it.
    Indexed,
    /// It belongs to no DID.
    Ignored,
    /// Its bytes are no operation.
    Undecodable,
}

/// The result of indexing an operation.
#[derive(Debug, Serialize, ToSchema)]
struct Indexing {
    /// The DID that it belongs to, in canonical form; null if there is none, or none yet.
    #[schema(required)]
    did: Option<String>,
    /// Hash of the operation without its signature: the `versionId` that it gives its DID, or the reference of a
    /// storage entry. Null where `did` is.
    #[schema(required)]
    operation_hash: Option<String>,
    /// What indexing made of it.
    status: Status,
    /// Why it belongs to no DID; null otherwise.
    #[schema(required)]
    reason: Option<String>,
}

impl From<Option<&IndexOutcome>> for Indexing {
    fn from(outcome: Option<&IndexOutcome>) -> Self {
        let without_did = |status, reason: Option<String>| Self {
            did: None,
            operation_hash: None,
            status,
            reason,
        };
        match outcome {
            None => without_did(Status::Pending, None),
            Some(IndexOutcome::Ignored { reason }) => without_did(Status::Ignored, Some(reason.to_string())),
            Some(IndexOutcome::Undecodable { reason }) => without_did(Status::Undecodable, Some(reason.to_string())),
            Some(
                IndexOutcome::Did {
                    did, operation_hash, ..
                }
                | IndexOutcome::Storage { did, operation_hash },
            ) => Self {
                did: Some(PrismDid::from(*did).to_string()),
                operation_hash: Some(operation_hash.to_string()),
                status: Status::Indexed,
                reason: None,
            },
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
    /// What indexing made of it.
    #[serde(flatten)]
    indexing: Indexing,
}

impl From<&OperationRecord> for PublishedOperation {
    fn from(record: &OperationRecord) -> Self {
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
            indexing: Indexing::from(record.indexing.as_ref()),
        }
    }
}

/// A transaction with PRISM operations.
#[derive(Debug, Serialize, ToSchema)]
struct Transaction {
    /// Id of the transaction.
    tx_id: String,
    /// How many operations it has.
    operation_count: usize,
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
    /// Its operations, in order.
    operations: Vec<TransactionOperation>,
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
    /// What indexing made of it.
    #[serde(flatten)]
    indexing: Indexing,
}

impl From<&OperationRecord> for TransactionOperation {
    fn from(record: &OperationRecord) -> Self {
        Self {
            osn: record.operation.position.osn.get(),
            signed_operation_data: HEXLOWER.encode(record.operation.bytes.as_slice()),
            operation_id: record.id.to_string(),
            indexing: Indexing::from(record.indexing.as_ref()),
        }
    }
}

impl From<&TransactionRecord> for Transaction {
    fn from(record: &TransactionRecord) -> Self {
        Self {
            tx_id: record.id.to_string(),
            operation_count: record.operations.len(),
            slot_number: record.block.slot.get(),
            block_number: record.block.number.get(),
            block_hash: record.block.hash.to_string(),
            block_timestamp: record.block.time.to_string(),
            absn: record.absn.get(),
            operations: record.operations.iter().map(TransactionOperation::from).collect(),
        }
    }
}

/// Get a transaction
///
/// A transaction that published PRISM operations, with all of its operations, whether or not they are indexed.
#[utoipa::path(
    get,
    path = "/api/transactions/{tx_id}",
    tag = "Ledger",
    params(("tx_id" = String, Path, description = "Id of the transaction.", pattern = "^[0-9a-f]{64}$")),
    responses(
        (status = 200, description = "The transaction", body = Transaction),
        (status = 400, description = "Not an id", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "No transaction with PRISM operations has this id", body = Problem,
            content_type = PROBLEM_JSON),
        (status = 503, description = "The database is not ready", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn transaction(
    State(api): State<Api>,
    PathDigest(id): PathDigest<TransactionId>,
) -> Result<Json<Transaction>, Problem> {
    let found = api.storage()?.transaction(&id).await?;
    let record = found.ok_or_else(|| Problem::not_found("no transaction with PRISM operations has this id"))?;
    Ok(Json(Transaction::from(&record)))
}

/// Get an operation
///
/// An operation at the position where it was first published, whether or not it is indexed.
#[utoipa::path(
    get,
    path = "/api/operations/{operation_id}",
    tag = "Ledger",
    params(("operation_id" = String, Path, description = "SHA-256 of the signed operation.",
        pattern = "^[0-9a-f]{64}$")),
    responses(
        (status = 200, description = "The operation", body = PublishedOperation),
        (status = 400, description = "Not an id", body = Problem, content_type = PROBLEM_JSON),
        (status = 404, description = "No operation has this id", body = Problem, content_type = PROBLEM_JSON),
        (status = 503, description = "The database is not ready", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn operation(
    State(api): State<Api>,
    PathDigest(id): PathDigest<OperationId>,
) -> Result<Json<PublishedOperation>, Problem> {
    let found = api.storage()?.operation(&id).await?;
    let record = found.ok_or_else(|| Problem::not_found("no operation has this id"))?;
    Ok(Json(PublishedOperation::from(&record)))
}
