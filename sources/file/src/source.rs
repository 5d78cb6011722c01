//! Reading a ledger file as a source.

use std::io;
use std::time::Duration;

use did_prism::envelope::operations_in_metadata;
use did_prism::ledger::{BlockNo, PublishedTransaction};
use dlt_source::{BatchLimits, BlockBatch, DltSource, Heard, SourceError, SourceEvent, Tip, TipSender};
use node_storage_contract::{Cursor, Network, RawOperationRepo};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::Input;
use crate::blocks::{Blocks, Complete, Content};
use crate::line::{LedgerLine, Line};
use crate::lines::{Lines, Next};

/// How often a file that is followed is looked at for more.
const POLL: Duration = Duration::from_millis(200);
/// How long blocks wait for others to go with, when the input gives nothing.
const LINGER: Duration = Duration::from_millis(50);

/// How a ledger file is read.
#[derive(Debug, Clone)]
pub struct FileOptions {
    /// What to read.
    pub input: Input,
    /// The network that every line has to be of.
    pub network: Network,
    /// How many block numbers below the highest one seen are held back.
    pub confirmations: u64,
    /// Whether to wait for more at the end of the file.
    pub follow: bool,
}

/// Reads a ledger file.
///
/// Every line is checked completely, also where its block was stored earlier; only the PRISM metadata of such a line is not
/// decoded again. A block with operations that should have been stored earlier, and was not, is a contradiction: the database
/// has lost it.
pub struct FileSource<S> {
    storage: S,
    options: FileOptions,
    /// Blocks below it were stored earlier; it is delivered again.
    start: Option<Cursor>,
    lines: Lines,
    blocks: Blocks,
    batch: BlockBatch,
    /// A block without transactions, above those in the batch; delivered as the cursor of the last of them.
    cursor: Option<Cursor>,
    /// Read, and not yet taken over.
    line: Option<Line>,
    /// Whether the block of the last line is passed over, and is not stored.
    is_missing: bool,
    stage: Stage,
    /// Whether the file that is followed was seen to be another one or none by now. What it holds is still read.
    is_gone: bool,
    skipped: u64,
    tips: TipSender,
    /// The highest block that was seen, be it by a look at the end of the file.
    tip: Option<Tip>,
}

/// Where reading stands.
#[derive(Debug)]
enum Stage {
    Reading,
    /// At the end of a file that is followed, and whether the reader was told.
    Waiting {
        told: bool,
    },
    /// At the end of the input.
    Ended,
    /// Nothing behind the error is read; what was read before goes first.
    Failed(Option<SourceError>),
}

impl<S: RawOperationRepo + Send + Sync> FileSource<S> {
    /// Opens the file, to read on from the stored cursor. Lines below it are compared with `storage`.
    pub async fn open(options: FileOptions, storage: S, start: Option<Cursor>) -> Result<Self, SourceError> {
        let lines = Lines::open(options.input.clone())
            .await
            .map_err(|error| unreadable(&options.input, &error))?;
        let last = lines.last_of_the_file().await;
        let last = last.and_then(|line| Line::parse(&line, options.network).ok());
        let mut source = Self {
            storage,
            start,
            lines,
            blocks: Blocks::new(options.confirmations),
            options,
            batch: BlockBatch::new(BatchLimits::default()),
            cursor: None,
            line: None,
            is_missing: false,
            stage: Stage::Reading,
            is_gone: false,
            skipped: 0,
            tips: TipSender::default(),
            tip: None,
        };
        if let Some(last) = last {
            source.tell(last.block());
        }
        Ok(source)
    }

    /// Tells how high the ledger is, as far as this line shows.
    fn tell(&mut self, block: Cursor) {
        let of_line = Tip::from(block);
        let tip = self.tip.filter(|tip| tip.block >= of_line.block).unwrap_or(of_line);
        self.tip = Some(tip);
        self.tips.tell(tip);
    }

    /// Reads one line, or notices that there is none. Dropping the future loses nothing.
    async fn step(&mut self) -> Result<(), SourceError> {
        if self.line.is_none() {
            let next = self.lines.next().await.map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => self.malformed(None, error.to_string()),
                _ => unreadable(self.lines.input(), &error),
            })?;
            if self.options.follow && self.lines.is_compressed() {
                let cause =
                    "it is compressed, and only a file that grows line by line can be followed; leave --follow out";
                return Err(unreadable(self.lines.input(), &io::Error::other(cause)));
            }
            match next {
                Next::Line(line) => {
                    self.stage = Stage::Reading;
                    self.line = Some(self.parse(&line)?);
                }
                Next::End if self.options.follow => {
                    let happened = self.lines.what_happened().await;
                    match happened.map_err(|error| unreadable(self.lines.input(), &error))? {
                        // Something may have been written before that.
                        Some(what) if self.is_gone => return Err(self.gone(what)),
                        Some(_) => {
                            self.is_gone = true;
                            return Ok(());
                        }
                        None => {}
                    }
                    self.tips.tell_of_life();
                    if !matches!(self.stage, Stage::Waiting { .. }) {
                        self.stage = Stage::Waiting { told: false };
                    }
                }
                Next::End => {
                    if let Some(line) = self.lines.take_partial() {
                        self.line = Some(self.parse(&line)?);
                    } else {
                        self.end();
                    }
                }
            }
        }
        if let Some(line) = &self.line {
            self.is_missing = self.compare_with_stored(line.block()).await?;
            self.take_over_line()?;
        }
        self.release();
        Ok(())
    }

    fn end(&mut self) {
        self.blocks.close();
        self.stage = Stage::Ended;
        if self.skipped > 0 {
            let skipped = self.skipped;
            tracing::info!("{skipped} transactions with malformed PRISM metadata were passed over");
        }
    }

    /// Lets go the blocks that are complete and confirmed.
    fn release(&mut self) {
        while let Some(complete) = self.blocks.next_confirmed() {
            self.cursor = match complete {
                Complete::Block(block) => {
                    self.batch.push(block);
                    None
                }
                Complete::Cursor(cursor) => Some(cursor),
            };
        }
    }

    /// The next delivery of what was let go.
    fn take(&mut self) -> Option<SourceEvent> {
        let (blocks, of_blocks) = match self.batch.take() {
            Some(SourceEvent::Blocks { blocks, cursor }) => (blocks, Some(cursor)),
            _ => (Vec::new(), None),
        };
        let end = if self.batch.is_empty() {
            self.cursor.take()
        } else {
            None
        };
        let cursor = end.or(of_blocks)?;
        Some(SourceEvent::Blocks { blocks, cursor })
    }

    fn parse(&mut self, line: &[u8]) -> Result<Line, SourceError> {
        let parsed = Line::parse(line, self.options.network);
        let number = match &parsed {
            Ok(line) => Some(line.block().block),
            Err(error) => error.block,
        };
        // A line of a higher block, be it wrong in itself, completes the one before.
        if number > self.blocks.last_number() {
            self.blocks.close();
        }
        let line = parsed.map_err(|error| self.malformed(error.field, error.detail))?;
        let transaction = match &line {
            Line::Transaction(line) => Some((line.block.time, line.absn)),
            Line::Cursor(_) => None,
        };
        match self.blocks.check(line.block(), transaction) {
            Ok(()) => {
                self.tell(line.block());
                Ok(line)
            }
            Err(error) => Err(self.malformed(Some(error.field), error.detail)),
        }
    }

    /// The block of the cursor, and one below it that is stored, have to be the same blocks. Answers whether the block stands
    /// below the cursor and is not stored.
    async fn compare_with_stored(&self, block: Cursor) -> Result<bool, SourceError> {
        let (number, hash) = (block.block, block.hash);
        if let Some(cursor) = self
            .start
            .filter(|cursor| cursor.block == number && cursor.hash != hash)
        {
            return Err(SourceError::Contradiction {
                at: self.at(Some("block_hash")),
                detail: format!(
                    "block {number} has the hash {hash}, but the stored cursor has the hash {}",
                    cursor.hash
                ),
            });
        }
        if !self.is_passed_over(number) {
            return Ok(false);
        }
        if self.blocks.last_number() == Some(number) {
            return Ok(self.is_missing);
        }
        match self.storage.block(number).await? {
            Some(stored) if stored.hash != hash => Err(SourceError::Contradiction {
                at: self.at(Some("block_hash")),
                detail: format!(
                    "block {number} has the hash {hash}, but is stored with the hash {}",
                    stored.hash
                ),
            }),
            stored => Ok(stored.is_none()),
        }
    }

    fn take_over_line(&mut self) -> Result<(), SourceError> {
        let line = match self.line.take() {
            None => return Ok(()),
            Some(Line::Cursor(cursor)) => {
                let is_passed_over = self.start.is_some_and(|start| cursor.block <= start.block);
                self.blocks.push_cursor(cursor, is_passed_over);
                return Ok(());
            }
            Some(Line::Transaction(line)) => line,
        };
        let number = line.block.number;
        let content = if self.is_passed_over(number) {
            // Only blocks with operations are stored, so that without any it may be missing.
            if self.is_missing && has_operations(&line) {
                return Err(SourceError::Contradiction {
                    at: self.at(Some("block_number")),
                    detail: format!("block {number} has operations, is below the stored cursor, and is not stored"),
                });
            }
            Content::PassOver
        } else {
            Content::Deliver(self.transaction(&line))
        };
        self.blocks.push(line.block, line.absn, content);
        Ok(())
    }

    fn is_passed_over(&self, number: BlockNo) -> bool {
        self.start.is_some_and(|start| number < start.block)
    }

    /// The transaction with its operations, if it has any that can be read.
    fn transaction(&mut self, line: &LedgerLine) -> Option<PublishedTransaction> {
        match operations_in_metadata(&line.metadata) {
            Ok(operations) => Some(PublishedTransaction {
                absn: line.absn,
                id: line.transaction,
                operations: operations.filter(|operations| !operations.is_empty())?,
            }),
            Err(error) => {
                self.skipped += 1;
                tracing::warn!(
                    "{}: transaction {} is passed over: {error}",
                    self.at(Some("metadata_cbor")),
                    line.transaction
                );
                None
            }
        }
    }

    fn at(&self, field: Option<&str>) -> String {
        let line = format!("{}, line {}", self.lines.input(), self.lines.number());
        match field {
            Some(field) => format!("{line}, field {field}"),
            None => line,
        }
    }

    /// Nothing follows in the file that is read.
    fn gone(&self, what: &str) -> SourceError {
        let detail = format!(
            "it {what} while it was followed; its complete blocks are stored, start again with a file that goes on behind them or \
             holds the whole ledger"
        );
        unreadable(self.lines.input(), &io::Error::other(detail))
    }

    fn malformed(&self, field: Option<&str>, detail: String) -> SourceError {
        SourceError::Malformed {
            at: self.at(field),
            detail,
        }
    }
}

impl<S: RawOperationRepo + Send + Sync> DltSource for FileSource<S> {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        loop {
            if (self.batch.is_full() || !matches!(self.stage, Stage::Reading))
                && let Some(event) = self.take()
            {
                return Ok(event);
            }
            match &mut self.stage {
                Stage::Reading => {}
                Stage::Waiting { told: true } => sleep(POLL).await,
                Stage::Waiting { told } => {
                    *told = true;
                    return Ok(SourceEvent::CaughtUp);
                }
                Stage::Failed(error) => return error.take().map_or(Ok(SourceEvent::End), Err),
                Stage::Ended => return Ok(SourceEvent::End),
            }
            let has_nothing = self.batch.is_empty() && self.cursor.is_none();
            let patience = if has_nothing { Duration::MAX } else { LINGER };
            match timeout(patience, self.step()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) if error.is_retryable() => return Err(error),
                Ok(Err(error)) => {
                    self.release();
                    self.stage = Stage::Failed(Some(error));
                }
                Err(_nothing_came) => {
                    if let Some(event) = self.take() {
                        return Ok(event);
                    }
                }
            }
        }
    }

    fn heard(&self) -> watch::Receiver<Heard> {
        self.tips.subscribe()
    }
}

/// Whether the transaction has operations that can be read.
fn has_operations(line: &LedgerLine) -> bool {
    matches!(operations_in_metadata(&line.metadata), Ok(Some(operations)) if !operations.is_empty())
}

fn unreadable(input: &Input, error: &io::Error) -> SourceError {
    SourceError::Unavailable {
        retryable: false,
        subject: input.to_string(),
        detail: error.to_string(),
    }
}
