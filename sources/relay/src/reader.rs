//! Reading one relay: from a connection to blocks in order.

use std::sync::Arc;

use did_prism::ledger::{BlockNo, OperationIndex, OperationPosition, PublishedBlock, TransactionIndex};
use dlt_source::{SourceError, TipSender};
use node_storage_contract::{AnyStore, Cursor, PageLimit, RawOperationRepo};
use pallas_network::miniprotocols::chainsync::{HeaderContent, Message as ChainSync, Tip};
use pallas_network::miniprotocols::{Point as WirePoint, blockfetch};
use tokio::sync::mpsc;

use crate::block::published;
use crate::channel::{Channel, Failure};
use crate::connection::Connection;
use crate::headers::{Header, Headers, Position};
use crate::point::shown;
use crate::source::RelayOptions;
use crate::{Point, RelayAddress};

/// How many headers are asked for ahead, while the end of the chain is far. The answers wait in a queue of a hundred segments of
/// the connection, which must not fill: it carries bodies and signs of life too.
const PIPELINE: u64 = 64;

/// How many headers are gone through to name the block of the ledger that stands where a stored cursor is not. It takes seconds.
const SEARCH: u64 = 25_000;

/// How far below a cursor that the ledger does not have stored blocks are tried, which it may have: Cardano's security
/// parameter, 2160 blocks, the deepest that an honest chain is ever rolled back, and ten times that.
const SEARCH_DEPTHS: [u64; 2] = [2_160, 21_600];

/// What reading a relay gives.
#[derive(Debug)]
pub(crate) enum Event {
    /// Blocks with the cursor at the last one. There may be none, where only the cursor moves.
    Blocks(Vec<PublishedBlock>, Cursor),
    /// Everything that is confirmed was given.
    CaughtUp,
}

/// What a reader is told.
pub(crate) struct Reader {
    pub(crate) options: Arc<RelayOptions>,
    pub(crate) relay: RelayAddress,
    pub(crate) position: Position,
    pub(crate) storage: AnyStore,
    pub(crate) events: mpsc::Sender<Result<Event, SourceError>>,
    pub(crate) tips: TipSender,
}

impl Reader {
    /// Reads until reading fails, or nobody wants more. The failure is the last event.
    pub(crate) async fn run(self) {
        let failure = match self.connect_and_follow().await {
            Ok(never) => match never {},
            Err(Stop::Failed(failure)) => failure,
            Err(Stop::Unwanted) => return,
        };
        let error = failure.of_relay(self.relay.as_str());
        // Nobody hears it where the source was dropped.
        let _unheard = self.events.send(Err(error)).await;
    }

    async fn connect_and_follow(&self) -> Result<Never, Stop> {
        let Connection {
            chain_sync,
            block_fetch,
            keep_alive,
            guard,
        } = Connection::open(&self.relay, self.options.genesis.magic, &self.options.limits).await?;
        let follower = Follower {
            reader: self,
            chain_sync,
            block_fetch,
            headers: Headers::new(self.position, self.options.confirmations),
            outstanding: 0,
            is_at_tip: false,
            told: false,
        };
        let ended = tokio::select! {
            ended = follower.run() => ended,
            failure = keep_alive.run(&self.tips) => Err(failure.into()),
        };
        drop(guard);
        ended
    }
}

/// Why reading a relay stops.
enum Stop {
    Failed(Failure),
    /// The source was dropped.
    Unwanted,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What reading never comes to.
enum Never {}

/// A reader with a connection.
struct Follower<'a> {
    reader: &'a Reader,
    chain_sync: Channel,
    block_fetch: Channel,
    headers: Headers,
    /// Headers that were asked for and have not come.
    outstanding: u64,
    /// Whether the relay has said that it has no further header.
    is_at_tip: bool,
    /// Whether it was said that everything was given.
    told: bool,
}

impl Follower<'_> {
    async fn run(mut self) -> Result<Never, Stop> {
        self.intersect().await?;
        let mut ahead = 1;
        loop {
            let ready = self.headers.ready(self.reader.options.batch);
            if ready.headers > 0 && (ready.is_full || self.is_at_tip) {
                self.fetch(ready.headers).await?;
                self.told = false;
                continue;
            }
            if self.is_at_tip && !self.told {
                self.told = true;
                self.give(Event::CaughtUp).await?;
            }
            while self.outstanding < ahead {
                self.chain_sync.send(&ChainSync::<HeaderContent>::RequestNext).await?;
                self.outstanding += 1;
            }
            let tip = self.follow().await?;
            ahead = tip.map_or(1, |tip| {
                let followed = self.headers.last_number().map_or(0, BlockNo::get);
                tip.saturating_sub(followed).clamp(1, PIPELINE)
            });
        }
    }

    async fn give(&self, event: Event) -> Result<(), Stop> {
        self.reader.events.send(Ok(event)).await.map_err(|_| Stop::Unwanted)
    }

    /// Takes the next answer of chain-sync. Answers the number of the relay's highest block, where it says it.
    async fn follow(&mut self) -> Result<Option<u64>, Failure> {
        let limits = &self.reader.options.limits;
        let within = if self.is_at_tip {
            limits.new_header
        } else {
            limits.header
        };
        match self.chain_sync.receive(within).await? {
            ChainSync::AwaitReply if !self.is_at_tip => {
                self.is_at_tip = true;
                Ok(None)
            }
            ChainSync::RollForward(content, Tip(point, tip)) => {
                self.answered();
                self.tell(&point, tip);
                let header = Header::decode(&content).map_err(|detail| Failure::nonsense("a header", detail))?;
                self.headers
                    .roll_forward(header)
                    .map_err(|detail| Failure::nonsense("the chain", detail))?;
                Ok(Some(tip))
            }
            ChainSync::RollBackward(point, Tip(highest, tip)) => {
                self.answered();
                self.tell(&highest, tip);
                let point = Point::from_wire(&point).map_err(|detail| Failure::nonsense("a rollback", detail))?;
                self.headers.roll_back(point).map_err(Failure::Contradiction)?;
                Ok(Some(tip))
            }
            _ => Err(self.chain_sync.unexpected("something else than a header or a rollback")),
        }
    }

    /// Tells how high the relay says that its chain is. A tip that can't be says nothing.
    fn tell(&self, point: &WirePoint, number: u64) {
        match (Point::from_wire(point), BlockNo::try_from(number)) {
            (Ok(Some(Point { slot, .. })), Ok(block)) => self.reader.tips.tell(dlt_source::Tip { slot, block }),
            _ => self.reader.tips.tell_of_life(),
        }
    }

    fn answered(&mut self) {
        self.outstanding = self.outstanding.saturating_sub(1);
        self.is_at_tip = false;
    }

    /// Fetches the bodies of the next headers, and gives their blocks. What came before a failure is given too.
    async fn fetch(&mut self, count: usize) -> Result<(), Stop> {
        let mut blocks = Vec::new();
        let mut cursor = None;
        let fetched = self.fetch_into(count, &mut blocks, &mut cursor).await;
        if let Some(cursor) = cursor {
            self.give(Event::Blocks(blocks, cursor)).await?;
        }
        Ok(fetched?)
    }

    async fn fetch_into(
        &mut self,
        count: usize,
        blocks: &mut Vec<PublishedBlock>,
        cursor: &mut Option<Cursor>,
    ) -> Result<(), Failure> {
        let within = self.reader.options.limits.body;
        let (Some(first), Some(last)) = (self.headers.get(0), self.headers.get(count.saturating_sub(1))) else {
            return Ok(());
        };
        let (first, last) = (first.point, last.point);
        let range = (first.to_wire(), last.to_wire());
        self.block_fetch
            .send(&blockfetch::Message::RequestRange { range })
            .await?;
        match self.block_fetch.receive(within).await? {
            blockfetch::Message::StartBatch => {}
            // It has changed to another chain, of which chain-sync tells on the next connection.
            blockfetch::Message::NoBlocks => {
                return Err(Failure::Passing(format!(
                    "it does not have the blocks from {first} to {last}"
                )));
            }
            _ => return Err(self.block_fetch.unexpected("something else than a batch")),
        }
        for received in 0..count {
            match self.block_fetch.receive(within).await? {
                blockfetch::Message::Block { body } => self.take_block(&body, blocks, cursor)?,
                blockfetch::Message::BatchDone => {
                    return Err(Failure::Passing(format!(
                        "it sent {received} of the {count} blocks from {first} to {last}"
                    )));
                }
                _ => return Err(self.block_fetch.unexpected("something else than a block")),
            }
        }
        match self.block_fetch.receive(within).await? {
            blockfetch::Message::BatchDone => Ok(()),
            _ => Err(self.block_fetch.unexpected("more than the blocks")),
        }
    }

    fn take_block(
        &mut self,
        body: &[u8],
        blocks: &mut Vec<PublishedBlock>,
        cursor: &mut Option<Cursor>,
    ) -> Result<(), Failure> {
        let Some(header) = self.headers.get(0) else {
            return Ok(());
        };
        let block = published(body, header, self.reader.options.genesis.times)
            .map_err(|detail| Failure::nonsense(format!("block {} ({})", header.number, header.point), detail))?;
        if !header.is_boundary {
            *cursor = Some(header.cursor());
            blocks.push(block);
        }
        self.headers.deliver();
        Ok(())
    }

    /// Makes chain-sync go on from where reading stands.
    async fn intersect(&mut self) -> Result<(), Failure> {
        let position = self.reader.position;
        let (found, tip) = self.find(&[position.point()]).await?;
        if found.is_some() {
            return Ok(());
        }
        let Tip(tip, tip_number) = tip;
        let tip_point = Point::from_wire(&tip).map_err(|detail| Failure::nonsense("its tip", detail))?;
        match position {
            // A relay that was just started, or is changing chains.
            Position::After(cursor) if tip_point.is_none() || tip_number < cursor.block.get() => {
                Err(Failure::Passing(format!(
                    "its chain ends at block {tip_number} ({}), below block {} ({}), the cursor; it may still be \
                     synchronizing",
                    shown(tip_point),
                    cursor.block,
                    Point::of(cursor)
                )))
            }
            Position::After(cursor) => Err(self.contradiction(cursor).await?),
            Position::Start(start) => {
                let is_behind = tip_point.is_none_or(|tip| start.is_some_and(|start| tip.slot < start.slot));
                let detail = format!(
                    "its chain ends at {} and does not have {}",
                    shown(tip_point),
                    shown(start)
                );
                Err(if is_behind {
                    Failure::Passing(format!(
                        "{detail}, after which reading starts; it may still be synchronizing"
                    ))
                } else {
                    Failure::Lasting(format!(
                        "{detail}, after which reading starts; give --network and --start-point of the chain that the relay \
                         follows"
                    ))
                })
            }
        }
    }

    /// Asks for the first of these points (the origin for `None`) that is on the relay's chain.
    async fn find(&mut self, points: &[Option<Point>]) -> Result<(Option<Option<Point>>, Tip), Failure> {
        let wire = points
            .iter()
            .map(|point| point.map_or(WirePoint::Origin, Point::to_wire))
            .collect();
        self.chain_sync
            .send(&ChainSync::<HeaderContent>::FindIntersect(wire))
            .await?;
        match self.chain_sync.receive(self.reader.options.limits.header).await? {
            ChainSync::<HeaderContent>::IntersectFound(point, tip) => {
                let point = Point::from_wire(&point).map_err(|detail| Failure::nonsense("an intersection", detail))?;
                if points.contains(&point) {
                    Ok((Some(point), tip))
                } else {
                    Err(Failure::nonsense(
                        "an intersection",
                        format!("{} is none of the points that were asked for", shown(point)),
                    ))
                }
            }
            ChainSync::IntersectNotFound(tip) => Ok((None, tip)),
            _ => Err(self.chain_sync.unexpected("something else than an intersection")),
        }
    }

    /// What to say of a cursor that the chain does not have: which block it has there.
    async fn contradiction(&mut self, cursor: Cursor) -> Result<Failure, Failure> {
        let stored = Point::of(cursor);
        let mut candidates = self.stored_points_below(cursor).await.map_err(Failure::Source)?;
        candidates.push(self.reader.options.start.or(self.reader.options.genesis.start));
        candidates.push(None);
        let (found, _tip) = self.find(&candidates).await?;
        let there = match found {
            Some(shared) => self.block_at(cursor.block, shared).await?,
            None => None,
        };
        Ok(Failure::Contradiction(match there {
            Some(point) => format!(
                "block {} is {point} on its chain, but the cursor is at {stored}",
                cursor.block
            ),
            None => format!(
                "its chain does not have block {} ({stored}), at which the cursor is; it has {}",
                cursor.block,
                shown(found.flatten())
            ),
        }))
    }

    /// Stored blocks below a cursor, from the highest one down.
    async fn stored_points_below(&self, cursor: Cursor) -> Result<Vec<Option<Point>>, SourceError> {
        let mut points = Vec::new();
        for depth in SEARCH_DEPTHS {
            let (Ok(below), Ok(one)) = (
                BlockNo::try_from(cursor.block.get().saturating_sub(depth)),
                PageLimit::try_from(1_u64),
            ) else {
                continue;
            };
            let after = OperationPosition {
                block: below,
                absn: TransactionIndex::MAX,
                osn: OperationIndex::MAX,
            };
            let page = self.reader.storage.published_after(Some(after), one).await?;
            points.extend(page.first().map(|record| {
                Some(Point {
                    slot: record.slot,
                    hash: record.block_hash,
                })
            }));
        }
        points.dedup();
        Ok(points)
    }

    /// The block with this number, found by going up from a point that the chain has; `None` where that takes too long.
    async fn block_at(&mut self, number: BlockNo, from: Option<Point>) -> Result<Option<Point>, Failure> {
        self.headers = Headers::new(Position::Start(from), 0);
        for _ in 0..SEARCH {
            self.chain_sync.send(&ChainSync::<HeaderContent>::RequestNext).await?;
            self.outstanding += 1;
            self.follow().await?;
            if self.is_at_tip {
                break;
            }
            if self.headers.last_number() >= Some(number) {
                return Ok(self.headers.last_point());
            }
            if self.headers.ready(self.reader.options.batch).headers > 1 {
                self.headers.deliver();
            }
        }
        Ok(None)
    }
}
