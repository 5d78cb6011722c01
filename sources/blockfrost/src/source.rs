//! Reading Blockfrost as a source.

use std::fmt;
use std::sync::Arc;

use dlt_source::{BatchLimits, BlockBatch, DltSource, Heard, SourceError, SourceEvent, TipSender};
use node_storage_contract::{BoxFuture, Cursor};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::BlockfrostOptions;
use crate::client::Client;
use crate::listing::Place;
use crate::look::{Look, look};

/// Reads the API of a Blockfrost.
pub struct BlockfrostSource {
    client: Arc<Client>,
    /// After the last delivery, or where reading began.
    cursor: Option<Cursor>,
    /// Read and not yet delivered.
    batch: BlockBatch,
    /// How far the blocks in the batch reach; delivered with the last of them.
    end: Option<Cursor>,
    /// Where reading goes on in the list. `None` until it was searched.
    place: Option<Place>,
    /// Whether Blockfrost is known to have the block of the cursor.
    is_checked: bool,
    /// The look that is under way. A call that is dropped leaves it here.
    looking: Option<BoxFuture<'static, Looked>>,
    /// When to look again, if the reader knows that it has everything.
    waits_until: Option<Instant>,
    tips: TipSender,
}

/// What a look found, and the place in the list, if it is known.
type Looked = (Option<Place>, Result<Look, SourceError>);

impl BlockfrostSource {
    /// Reads on after the cursor.
    ///
    /// # Errors
    /// `Unavailable`: it can't be reached, refuses the key, or is of another network.
    pub async fn open(options: BlockfrostOptions, cursor: Option<Cursor>) -> Result<Self, SourceError> {
        Self::open_with(Arc::new(Client::new(options)?), cursor).await
    }

    /// The same with a client that may have been used before.
    pub(crate) async fn open_with(client: Arc<Client>, cursor: Option<Cursor>) -> Result<Self, SourceError> {
        client.check_network().await?;
        Ok(Self {
            client,
            cursor,
            batch: BlockBatch::new(BatchLimits::default()),
            end: None,
            place: None,
            is_checked: false,
            looking: None,
            waits_until: None,
            tips: TipSender::default(),
        })
    }

    /// The next delivery of what was read.
    fn take(&mut self) -> Option<SourceEvent> {
        let (blocks, cursor) = match (self.batch.take(), self.end) {
            (Some(SourceEvent::Blocks { blocks, cursor }), _) if !self.batch.is_empty() => (blocks, cursor),
            (Some(SourceEvent::Blocks { blocks, .. }), Some(end)) => (blocks, end),
            (_, Some(end)) => (Vec::new(), end),
            (_, None) => return None,
        };
        if self.batch.is_empty() {
            self.end = None;
        }
        self.cursor = Some(cursor);
        self.waits_until = None;
        Some(SourceEvent::Blocks { blocks, cursor })
    }

    /// Looks at what follows the cursor.
    async fn look(&mut self) -> Result<Look, SourceError> {
        let (cursor, place, is_checked) = (self.cursor, self.place, self.is_checked);
        let client = &self.client;
        let looking = self.looking.get_or_insert_with(|| {
            let (client, tips) = (Arc::clone(client), self.tips.clone());
            Box::pin(async move {
                let mut place = place;
                let found = look(&client, cursor, &mut place, is_checked, &tips).await;
                (place, found)
            })
        });
        let (place, found) = looking.await;
        self.looking = None;
        self.place = place;
        self.is_checked |= found.is_ok();
        found
    }
}

impl DltSource for BlockfrostSource {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        loop {
            if let Some(event) = self.take() {
                return Ok(event);
            }
            if let Some(instant) = self.waits_until.filter(|_| self.looking.is_none()) {
                sleep_until(instant).await;
            }
            match self.look().await {
                Ok(Look::Page(page)) => {
                    for block in page.blocks {
                        self.batch.push(block);
                    }
                    self.end = Some(page.end);
                }
                Ok(Look::Nothing) => {
                    let had_told = self.waits_until.is_some();
                    self.waits_until = Some(Instant::now() + self.client.options.poll_interval);
                    if !had_told {
                        return Ok(SourceEvent::CaughtUp);
                    }
                }
                Err(error) => {
                    // The reader thinks that it waits for Blockfrost, so that it has to be told once more.
                    self.waits_until = None;
                    return Err(error);
                }
            }
        }
    }

    fn heard(&self) -> watch::Receiver<Heard> {
        self.tips.subscribe()
    }
}

impl fmt::Debug for BlockfrostSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockfrostSource")
            .field("options", &self.client.options)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}
