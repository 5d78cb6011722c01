//! A ledger in memory, with one block for each submission.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use did_prism::digest::{BlockHash, TransactionId, sha256};
use did_prism::ledger::{
    BlockNo, BlockTime, OperationPosition, OutOfRange, PublishedBlock, PublishedOperation, PublishedTransaction,
    SlotNo, TransactionIndex,
};
use dlt_sink::{DltSink, Publication, SubmitError};
use dlt_source::{AnySource, DltSource, Heard, SourceConfig, SourceError, SourceEvent, TipSender};
use node_service::index::IndexProgress;
use node_storage_contract::{AnyStore, BoxFuture, Cursor};
use tokio::sync::{mpsc, oneshot, watch};

/// Submissions that wait for their block before further ones have to wait to be taken.
const QUEUE: usize = 64;

/// The side of the in-memory ledger that takes submissions. Clones share one ledger.
#[derive(Debug, Clone)]
pub struct DevLedger {
    queue: mpsc::Sender<Request>,
    indexing: watch::Receiver<IndexProgress>,
}

/// Operations on their way into a block.
#[derive(Debug)]
struct Request {
    operations: Vec<PublishedOperation>,
    /// Told when the block is made.
    published: oneshot::Sender<(TransactionId, OperationPosition)>,
}

impl DevLedger {
    /// A ledger, and what its source takes submissions from. `indexing` is the progress of the index worker behind it.
    pub fn new(indexing: watch::Receiver<IndexProgress>) -> (Self, Submissions) {
        let (queue, requests) = mpsc::channel(QUEUE);
        let submissions = Submissions(Arc::new(Queue {
            requests: tokio::sync::Mutex::new(requests),
            last: Mutex::default(),
        }));
        (Self { queue, indexing }, submissions)
    }
}

impl DltSink for DevLedger {
    /// Publishes the operations as one transaction in a block of its own, and returns once they are stored and indexed.
    async fn submit(&self, publication: Publication) -> Result<TransactionId, SubmitError> {
        let operations = publication.operations().to_vec();
        let (published, block_made) = oneshot::channel();
        let request = Request { operations, published };
        self.queue
            .send(request)
            .await
            .map_err(|_closed| SubmitError::ShuttingDown)?;
        let (transaction_id, last) = block_made.await.map_err(|_closed| SubmitError::ShuttingDown)?;
        self.indexing
            .clone()
            .wait_for(|progress| progress.state.watermark >= Some(last))
            .await
            .map_err(|_closed| SubmitError::ShuttingDown)?;
        Ok(transaction_id)
    }

    async fn check_ready(&self) -> Result<(), SubmitError> {
        if self.queue.is_closed() {
            return Err(SubmitError::ShuttingDown);
        }
        Ok(())
    }
}

/// Submissions that wait for their block. Clones share one queue, from which one source takes at a time.
#[derive(Debug, Clone)]
pub struct Submissions(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    requests: tokio::sync::Mutex<mpsc::Receiver<Request>>,
    /// The last block that was made.
    last: Mutex<Option<Cursor>>,
}

impl Submissions {
    fn last(&self) -> MutexGuard<'_, Option<Cursor>> {
        // It is replaced as a whole, so a panic elsewhere can't leave it half written.
        self.0.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the time of a block that is made now.
pub type Clock = fn() -> BlockTime;

/// The machine's clock.
pub fn system_clock() -> BlockTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_micros())
        .ok()
        .and_then(|micros| BlockTime::from_unix_micros(micros).ok())
        .unwrap_or(BlockTime::MAX)
}

/// Makes a block of each submission, on top of the cursor.
#[derive(Debug)]
pub struct MemorySource {
    submissions: Submissions,
    clock: Clock,
    tip: Option<Cursor>,
    last_time: BlockTime,
    said_caught_up: bool,
    tips: TipSender,
}

impl MemorySource {
    /// A ledger whose last block is the stored cursor's.
    pub fn new(submissions: Submissions, tip: Option<Cursor>, clock: Clock) -> Self {
        let tips = TipSender::default();
        if let Some(tip) = tip {
            tips.tell(tip.into());
        }
        Self {
            submissions,
            clock,
            tip,
            last_time: BlockTime::MIN,
            said_caught_up: false,
            tips,
        }
    }

    fn publish(&mut self, request: Request) -> Result<SourceEvent, SourceError> {
        let Request { operations, published } = request;
        let block = self.next_block(operations).map_err(|full| SourceError::Unavailable {
            retryable: false,
            subject: "the in-memory ledger".to_owned(),
            detail: format!("no block can follow the last one: {full}"),
        })?;
        let cursor = Cursor {
            slot: block.slot,
            block: block.number,
            hash: block.hash,
        };
        self.tip = Some(cursor);
        self.tips.tell(cursor.into());
        *self.submissions.last() = Some(cursor);
        self.said_caught_up = false;
        self.last_time = block.time;
        if let Some((transaction, operation)) = block
            .transactions
            .first()
            .and_then(|transaction| Some((transaction, transaction.operations.last()?)))
        {
            let last = OperationPosition {
                block: block.number,
                absn: transaction.absn,
                osn: operation.osn,
            };
            // Whoever submitted may have stopped waiting.
            let _ = published.send((transaction.id, last));
        }
        Ok(SourceEvent::Blocks {
            blocks: vec![block],
            cursor,
        })
    }

    fn next_block(&self, operations: Vec<PublishedOperation>) -> Result<PublishedBlock, OutOfRange> {
        let above = |number: u64| number.saturating_add(1);
        let number = BlockNo::try_from(self.tip.map_or(1, |tip| above(tip.block.get())))?;
        let slot = SlotNo::try_from(self.tip.map_or(1, |tip| above(tip.slot.get())))?;
        // A clock may be set back; the time of a ledger is not.
        let time = (self.clock)().max(self.last_time);
        let mut content = b"neoprism dev block\0".to_vec();
        content.extend_from_slice(self.tip.map_or([0; 32], |tip| *tip.hash.as_bytes()).as_slice());
        content.extend_from_slice(&number.get().to_be_bytes());
        content.extend_from_slice(&slot.get().to_be_bytes());
        content.extend_from_slice(&time.unix_micros().to_be_bytes());
        for operation in &operations {
            content.extend_from_slice(operation.bytes.id().as_slice());
        }
        let hash = sha256(&content);
        let transaction_id = sha256(&[b"neoprism dev transaction\0".as_slice(), &hash].concat());
        Ok(PublishedBlock {
            number,
            slot,
            hash: BlockHash::new(hash),
            time,
            transactions: vec![PublishedTransaction {
                absn: TransactionIndex::MIN,
                id: TransactionId::new(transaction_id),
                operations,
            }],
        })
    }
}

impl DltSource for MemorySource {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        let Submissions(queue) = self.submissions.clone();
        let mut requests = queue.requests.lock().await;
        match requests.try_recv() {
            Ok(request) => return self.publish(request),
            Err(_) if !self.said_caught_up => {
                self.said_caught_up = true;
                return Ok(SourceEvent::CaughtUp);
            }
            Err(_) => {}
        }
        match requests.recv().await {
            Some(request) => self.publish(request),
            None => Ok(SourceEvent::End),
        }
    }

    fn heard(&self) -> watch::Receiver<Heard> {
        self.tips.subscribe()
    }
}

/// The in-memory ledger as what a node reads.
#[derive(Debug)]
pub struct MemoryConfig {
    submissions: Submissions,
    clock: Clock,
}

impl MemoryConfig {
    /// A ledger whose blocks are made of these submissions.
    pub const fn new(submissions: Submissions, clock: Clock) -> Self {
        Self { submissions, clock }
    }
}

impl SourceConfig for MemoryConfig {
    fn open(&self, cursor: Option<Cursor>, _storage: AnyStore) -> BoxFuture<'_, Result<AnySource, SourceError>> {
        Box::pin(async move {
            match *self.submissions.last() {
                // The blocks themselves are not kept: the store is all that holds them.
                Some(last) if cursor != Some(last) => Err(SourceError::Contradiction {
                    at: "the in-memory ledger".to_owned(),
                    detail: format!(
                        "its last block is {last}, but the stored cursor is {}",
                        cursor.map_or_else(|| "empty".to_owned(), |cursor| cursor.to_string())
                    ),
                }),
                _ => Ok(AnySource::new(MemorySource::new(
                    self.submissions.clone(),
                    cursor,
                    self.clock,
                ))),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use did_prism::ledger::OperationBytes;
    use node_storage_contract::IndexerState;
    use prism_fixtures::Identity;

    use super::*;

    fn clock() -> BlockTime {
        prism_fixtures::block_time(7)
    }

    fn create(index: u64) -> OperationBytes {
        OperationBytes::try_from(Identity::new(1, index).create().bytes).unwrap()
    }

    fn publication(indexes: &[u64]) -> Publication {
        Publication::new(indexes.iter().map(|index| create(*index))).unwrap()
    }

    fn ledger() -> (DevLedger, Submissions, watch::Sender<IndexProgress>) {
        let indexing = watch::Sender::default();
        let (ledger, submissions) = DevLedger::new(indexing.subscribe());
        (ledger, submissions, indexing)
    }

    async fn next_block(source: &mut MemorySource) -> PublishedBlock {
        loop {
            if let SourceEvent::Blocks { mut blocks, .. } = source.next().await.unwrap() {
                return blocks.pop().unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_submission_is_answered_once_its_operations_are_indexed() {
        let (ledger, submissions, indexing) = ledger();
        let mut source = MemorySource::new(submissions, None, clock);
        let submitted = tokio::spawn(async move { ledger.submit(publication(&[1, 2])).await });
        let block = next_block(&mut source).await;
        assert!(!submitted.is_finished());
        let [transaction] = block.transactions.as_slice() else {
            panic!("{block:?}")
        };
        let last = transaction.operations.last().unwrap();
        indexing.send_replace(IndexProgress {
            state: IndexerState {
                watermark: Some(OperationPosition {
                    block: block.number,
                    absn: transaction.absn,
                    osn: last.osn,
                }),
                ..IndexerState::default()
            },
            ..IndexProgress::default()
        });
        assert_eq!(submitted.await.unwrap(), Ok(transaction.id));
        let ids: Vec<_> = transaction.operations.iter().map(|one| one.bytes.id()).collect();
        assert_eq!(ids, [create(1).id(), create(2).id()]);
    }

    #[tokio::test]
    async fn blocks_continue_after_the_stored_cursor() {
        let (ledger, submissions, _indexing) = ledger();
        let stored = prism_fixtures::block_of(1, 41, 820, Vec::new());
        let tip = Cursor {
            slot: stored.slot,
            block: stored.number,
            hash: stored.hash,
        };
        let mut source = MemorySource::new(submissions, Some(tip), clock);
        let _submitted = tokio::spawn(async move { ledger.submit(publication(&[1])).await });
        let block = next_block(&mut source).await;
        assert_eq!((block.number.get(), block.slot.get()), (42, 821));
        assert_eq!(block.time, clock());
        assert_ne!(block.hash, stored.hash);
    }

    #[tokio::test]
    async fn a_ledger_that_nobody_reads_any_more_takes_nothing() {
        let (ledger, submissions, _indexing) = ledger();
        assert_eq!(ledger.check_ready().await, Ok(()));
        drop(submissions);
        assert_eq!(ledger.check_ready().await, Err(SubmitError::ShuttingDown));
        assert_eq!(ledger.submit(publication(&[1])).await, Err(SubmitError::ShuttingDown));
    }
}
