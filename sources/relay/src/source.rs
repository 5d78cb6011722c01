//! The source: reads one relay after another.

use std::sync::Arc;

use dlt_source::{BatchLimits, BlockBatch, DltSource, Heard, SourceError, SourceEvent, TipSender};
use node_storage_contract::{AnyStore, Cursor};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::headers::Position;
use crate::reader::{Event, Reader};
use crate::{Genesis, Point, RelayAddress, TimeLimits};

/// How relays are read.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// The relays, one at least. One is read at a time; where it fails, the next one is.
    pub relays: Vec<RelayAddress>,
    /// What is known of their network.
    pub genesis: Genesis,
    /// The block after which reading starts where nothing is stored; without one, that of the network.
    pub start: Option<Point>,
    /// How many of the highest block numbers are held back.
    pub confirmations: u32,
    /// How long exchanges may take.
    pub limits: TimeLimits,
    /// How much is fetched and delivered at once.
    pub batch: BatchLimits,
}

/// Reads relays.
///
/// A task of its own follows the chain, so that nothing is lost where a call is dropped. It holds a delivery ahead, and goes on
/// when that was taken.
pub struct RelaySource {
    options: Arc<RelayOptions>,
    storage: AnyStore,
    /// Up to where blocks were taken from readers.
    position: Position,
    batch: BlockBatch,
    reading: Option<Reading>,
    /// The index of the relay that is read.
    relay: usize,
    /// Whether it was said that everything was delivered.
    told: bool,
    tips: TipSender,
}

/// A relay that is being read.
struct Reading {
    events: mpsc::Receiver<Result<Event, SourceError>>,
    /// Ended when it is dropped.
    _task: JoinSet<()>,
}

impl RelaySource {
    /// A source that reads on after the stored cursor. Relays are connected to by the first call of [`DltSource::next`].
    pub fn new(options: RelayOptions, start: Option<Cursor>, storage: AnyStore) -> Self {
        let position = start.map_or_else(
            || Position::Start(options.start.or(options.genesis.start)),
            Position::After,
        );
        Self {
            batch: BlockBatch::new(options.batch),
            options: Arc::new(options),
            storage,
            position,
            reading: None,
            relay: 0,
            told: false,
            tips: TipSender::default(),
        }
    }

    /// Begins to read the relay whose turn it is.
    fn read(&self) -> Result<Reading, SourceError> {
        let relays = &self.options.relays;
        let relay = self.relay.checked_rem(relays.len()).and_then(|index| relays.get(index));
        let Some(relay) = relay else {
            return Err(SourceError::Unavailable {
                retryable: false,
                subject: "the ledger".to_owned(),
                detail: "no relay was named".to_owned(),
            });
        };
        let (sender, events) = mpsc::channel(1);
        let reader = Reader {
            options: Arc::clone(&self.options),
            relay: relay.clone(),
            position: self.position,
            storage: self.storage.clone(),
            events: sender,
            tips: self.tips.clone(),
        };
        let mut task = JoinSet::new();
        task.spawn(reader.run());
        Ok(Reading { events, _task: task })
    }
}

impl DltSource for RelaySource {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        loop {
            if let Some(event) = self.batch.take() {
                self.told = false;
                return Ok(event);
            }
            let reading = match &mut self.reading {
                Some(reading) => reading,
                None => self.reading.insert(self.read()?),
            };
            match reading.events.recv().await {
                Some(Ok(Event::Blocks(blocks, cursor))) => {
                    self.position = Position::After(cursor);
                    for block in blocks {
                        self.batch.push(block);
                    }
                }
                Some(Ok(Event::CaughtUp)) if self.told => {}
                Some(Ok(Event::CaughtUp)) => {
                    self.told = true;
                    return Ok(SourceEvent::CaughtUp);
                }
                Some(Err(error)) => {
                    self.reading = None;
                    self.relay = self.relay.wrapping_add(1);
                    // Whoever waits after an error wants to know again when the waiting has an end.
                    self.told = false;
                    return Err(error);
                }
                None => {
                    self.reading = None;
                    return Err(SourceError::Unavailable {
                        retryable: false,
                        subject: "the ledger".to_owned(),
                        detail: "reading it broke off".to_owned(),
                    });
                }
            }
        }
    }

    fn heard(&self) -> watch::Receiver<Heard> {
        self.tips.subscribe()
    }
}
