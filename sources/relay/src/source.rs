//! The source: reads one relay after another.

use std::collections::BTreeSet;
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
    /// The index of the relay that is read, counted on where a relay fails.
    relay: usize,
    /// The indices of the relays that were of no use since one was: of another network, or talking nonsense.
    useless: BTreeSet<usize>,
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
            useless: BTreeSet::new(),
            told: false,
            tips: TipSender::default(),
        }
    }

    /// The index of the relay whose turn it is.
    fn index(&self) -> Option<usize> {
        self.relay.checked_rem(self.options.relays.len())
    }

    /// What the failure of the relay that was read means for all of them: as long as another one may be of use, it passes.
    fn failed(&mut self, error: SourceError) -> SourceError {
        let index = self.index();
        self.reading = None;
        self.relay = self.relay.wrapping_add(1);
        // Whoever waits after an error wants to know again when the waiting has an end.
        self.told = false;
        // The others are about what is stored, and no other relay mends that.
        if error.is_retryable() || !matches!(error, SourceError::Malformed { .. } | SourceError::Unavailable { .. }) {
            return error;
        }
        self.useless.extend(index);
        if self.useless.len() >= self.options.relays.len() {
            return error;
        }
        match error {
            SourceError::Malformed { at: subject, detail } | SourceError::Unavailable { subject, detail, .. } => {
                SourceError::Unavailable {
                    retryable: true,
                    subject,
                    detail: format!("{detail}; another relay is tried"),
                }
            }
            error => error,
        }
    }

    /// Begins to read the relay whose turn it is.
    fn read(&self) -> Result<Reading, SourceError> {
        let Some(relay) = self.index().and_then(|index| self.options.relays.get(index)) else {
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
                    self.useless.clear();
                    self.position = Position::After(cursor);
                    for block in blocks {
                        self.batch.push(block);
                    }
                }
                Some(Ok(Event::CaughtUp)) if self.told => {}
                Some(Ok(Event::CaughtUp)) => {
                    self.useless.clear();
                    self.told = true;
                    return Ok(SourceEvent::CaughtUp);
                }
                Some(Err(error)) => return Err(self.failed(error)),
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
