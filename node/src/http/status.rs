//! How far the node has come, and whether it may be asked.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use dlt_sinks::contract::DltSink;
use dlt_sources::contract::{Heard, Tip};
use node_service::sync::{SyncPhase, SyncProgress};
use node_storage::contract::{Cursor, Network, OperationPosition, StorageError};
use node_storage::{DltCursorRepo, IndexerStateRepo, NodeStorageBackend};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{PROBLEM_JSON, Problem};
use super::{Api, Routes};
use crate::writer::WriterState;

/// How long the database has for its answer to a readiness probe. Whoever probes has to learn it before giving up.
const READINESS_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(readyz))
}

/// What a node without a database can't say.
pub(super) fn database_router() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(status))
}

/// What a node that reads a ledger knows of its reading.
#[derive(Debug)]
pub(crate) struct SyncWatch {
    pub(crate) progress: watch::Receiver<SyncProgress>,
    pub(crate) heard: watch::Receiver<Heard>,
    pub(crate) writer: watch::Receiver<WriterState>,
    /// The lag, in blocks, above which the node is not ready.
    pub(crate) max_lag: Option<u64>,
}

impl SyncWatch {
    /// Whether this process is the one that writes.
    fn has_lease(&self) -> bool {
        matches!(*self.writer.borrow(), WriterState::Writing | WriterState::Waiting)
    }

    /// The highest block of the ledger. Only a writer reads it: what it heard before it lost the right to write is old.
    fn tip(&self) -> Option<Tip> {
        self.has_lease().then(|| self.heard.borrow().tip).flatten()
    }
}

/// How far the node has come.
#[derive(Debug, Serialize, ToSchema)]
struct NodeStatus {
    /// How it runs: `indexer`, `resolver` or `dev`.
    #[schema(example = "indexer")]
    mode: &'static str,
    /// The Cardano network; null before anything was written.
    #[schema(required, example = "mainnet")]
    network: Option<&'static str>,
    /// The last block that was read from the ledger and stored completely; null before the first.
    #[schema(required)]
    cursor: Option<BlockStatus>,
    /// The highest block of the ledger, confirmed or not, as its source said last; null where that is not known, as in a
    /// `resolver`.
    #[schema(required)]
    tip: Option<TipStatus>,
    /// How far the cursor is below the tip; null where the tip is not known. What is held back for lack of confirmations counts.
    #[schema(required)]
    lag: Option<Lag>,
    /// The last operation that is indexed; null before the first.
    #[schema(required)]
    watermark: Option<PositionStatus>,
    /// The last block with PRISM operations of which everything is indexed; null before the first.
    #[schema(required)]
    last_indexed_block: Option<BlockStatus>,
    /// `writing`; `waiting` while the database does not take what is to be written; `starting`, which includes waiting for a
    /// database that can't be reached; `standing_by` while another process writes; null in a `resolver`.
    #[schema(required, example = "writing")]
    writer: Option<&'static str>,
    /// What the source of the ledger is doing: `reading`, `waiting` for somebody who does not answer, `caught_up` and waiting for
    /// more, or `ended`; null unless the node writes.
    #[schema(required, example = "caught_up")]
    source: Option<&'static str>,
    /// Seconds since the source last heard anything of the ledger; null where it has not yet.
    #[schema(required)]
    seconds_since_source_spoke: Option<u64>,
}

/// A block.
#[derive(Debug, Serialize, ToSchema)]
struct BlockStatus {
    /// Its slot.
    slot: u64,
    /// Its number.
    block_number: u64,
    /// Its hash.
    block_hash: String,
}

impl From<Cursor> for BlockStatus {
    fn from(cursor: Cursor) -> Self {
        Self {
            slot: cursor.slot.get(),
            block_number: cursor.block.get(),
            block_hash: cursor.hash.to_string(),
        }
    }
}

/// The highest block of a ledger.
#[derive(Debug, Serialize, ToSchema)]
struct TipStatus {
    /// Its slot.
    slot: u64,
    /// Its number.
    block_number: u64,
}

/// The place of an operation.
#[derive(Debug, Serialize, ToSchema)]
struct PositionStatus {
    /// Number of its block.
    block_number: u64,
    /// Index of its transaction in the block.
    absn: u32,
    /// Its index in the transaction.
    osn: u32,
}

impl From<OperationPosition> for PositionStatus {
    fn from(position: OperationPosition) -> Self {
        Self {
            block_number: position.block.get(),
            absn: position.absn.get(),
            osn: position.osn.get(),
        }
    }
}

/// How far the cursor is below the tip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
struct Lag {
    /// Blocks between them.
    blocks: u64,
    /// Slots between them, which are seconds since the Shelley era.
    seconds: u64,
}

impl Lag {
    fn between(cursor: Option<Cursor>, tip: Tip) -> Self {
        let below = |tip: u64, cursor: Option<u64>| tip.saturating_sub(cursor.unwrap_or(0));
        Self {
            blocks: below(tip.block.get(), cursor.map(|cursor| cursor.block.get())),
            seconds: below(tip.slot.get(), cursor.map(|cursor| cursor.slot.get())),
        }
    }
}

/// Get how far the node has come
#[utoipa::path(
    get,
    path = "/api/_system/status",
    tag = "System",
    responses(
        (status = 200, description = "Cursor, tip, lag, watermark", body = NodeStatus),
        (status = 503, description = "The database is not ready", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn status(State(api): State<Api>) -> Result<Json<NodeStatus>, Problem> {
    let storage = api.storage()?;
    let (network, cursor) = (storage.network().await?, storage.cursor().await?);
    let state = storage.indexer_state().await?;
    let sync = api.config.sync.as_ref();
    let tip = sync.and_then(SyncWatch::tip);
    let writer = sync.map(|sync| *sync.writer.borrow());
    let phase = sync
        .filter(|sync| sync.has_lease())
        .map(|sync| sync.progress.borrow().phase);
    Ok(Json(NodeStatus {
        mode: api.config.mode,
        network: network.map(Network::name),
        cursor: cursor.map(BlockStatus::from),
        tip: tip.map(|tip| TipStatus {
            slot: tip.slot.get(),
            block_number: tip.block.get(),
        }),
        lag: tip.map(|tip| Lag::between(cursor, tip)),
        watermark: state.watermark.map(PositionStatus::from),
        last_indexed_block: state.last_indexed_block.map(|block| Cursor::at(&block).into()),
        writer: writer.map(|writer| match writer {
            WriterState::Starting => "starting",
            WriterState::StandingBy => "standing_by",
            WriterState::Writing => "writing",
            WriterState::Waiting => "waiting",
        }),
        source: phase.map(|phase| match phase {
            SyncPhase::Reading => "reading",
            SyncPhase::Waiting => "waiting",
            SyncPhase::CaughtUp => "caught_up",
            SyncPhase::Ended => "ended",
        }),
        seconds_since_source_spoke: sync
            .and_then(|sync| sync.heard.borrow().at)
            .map(|at| Instant::now().saturating_duration_since(at).as_secs()),
    }))
}

/// Whether the node can answer
///
/// It can if the database answers within 5 seconds and has the schema of this program. A node that writes must be able to: one that
/// stands by is ready, one that waits for the database to take what it has read is not. With `--max-lag BLOCKS`, a node that writes
/// must not be further below the tip of the ledger than that either. A `submitter`, which has no database, can if its wallet answers
/// within 5 seconds and has read the chain to its end.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "System",
    responses(
        (status = 200, description = "Ready", body = String, content_type = "text/plain", example = "Ok"),
        (status = 503, description = "Not ready; `detail` says what kind of fault it is, and the log says more", body = Problem, content_type = PROBLEM_JSON),
    ),
)]
async fn readyz(State(api): State<Api>) -> Result<&'static str, Problem> {
    if api.config.routes == Routes::Submissions
        && let Some(sink) = &api.config.sink
    {
        return match timeout(READINESS_TIMEOUT, sink.check_ready()).await {
            Ok(Ok(())) => Ok("Ok"),
            Ok(Err(error)) => Err(Problem::unavailable(error.to_string())),
            Err(_) => Err(Problem::unavailable("the wallet does not answer")),
        };
    }
    let storage = api.storage()?;
    match timeout(READINESS_TIMEOUT, look(&storage, api.config.sync.as_ref())).await {
        Ok(Ok(None)) => Ok("Ok"),
        Ok(Ok(Some(lag))) => Err(Problem::unavailable(lag)),
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready");
            Err(Problem::unavailable(fault(&error)))
        }
        Err(_) => Err(Problem::unavailable("the database does not answer")),
    }
}

/// What kind of fault it is, for anybody. What the engine says of it, with users, paths and addresses, is for the log.
const fn fault(error: &StorageError) -> &'static str {
    match error {
        StorageError::Migration(_) => "the schema of the database is not the one of this program",
        StorageError::WrongNetwork { .. } => "the database belongs to another network",
        StorageError::Foreign { .. } => "the database is not one of this program",
        StorageError::Replaced { .. } => "the file of the database was deleted or replaced",
        StorageError::Corrupt { .. } | StorageError::BoundMismatch(_) => "the database is damaged",
        StorageError::Busy { .. } => "the database is held by another process",
        StorageError::Unavailable { .. }
        | StorageError::ReadOnly
        | StorageError::Conflict(_)
        | StorageError::CursorMoved(_)
        | StorageError::OutOfRange(_) => "the database is not available",
    }
}

/// Looks at the database. Answers what is wrong with writing or with the lag, if anything is.
async fn look(storage: &NodeStorageBackend, sync: Option<&SyncWatch>) -> Result<Option<String>, StorageError> {
    storage.check_ready().await?;
    match sync.map(|sync| *sync.writer.borrow()) {
        Some(WriterState::Starting) => return Ok(Some("the node is getting the right to write".to_owned())),
        Some(WriterState::Waiting) => {
            return Ok(Some("the database does not take what is to be written".to_owned()));
        }
        Some(WriterState::Writing | WriterState::StandingBy) | None => {}
    }
    let Some((sync, max_lag)) = sync.and_then(|sync| Some((sync, sync.max_lag?))) else {
        return Ok(None);
    };
    if *sync.writer.borrow() != WriterState::Writing {
        return Ok(None);
    }
    let Some(tip) = sync.tip() else {
        return Ok(Some(
            "the source has not said yet how high the ledger is, and --max-lag is given".to_owned(),
        ));
    };
    let Lag { blocks, .. } = Lag::between(storage.cursor().await?, tip);
    Ok((blocks > max_lag).then(|| {
        format!(
            "the node is {blocks} blocks below the tip of the ledger, block {}, and --max-lag is {max_lag}",
            tip.block
        )
    }))
}
