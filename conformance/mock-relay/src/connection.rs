//! One connection of the relay.

use std::collections::HashMap;
use std::sync::Arc;

use pallas_codec::minicbor::{self, Decode, Decoder, Encode};
use pallas_network::miniprotocols::chainsync::{HeaderContent, Message as ChainSync, Tip};
use pallas_network::miniprotocols::handshake::n2n::VersionData;
use pallas_network::miniprotocols::handshake::{Message as Handshake, RefuseReason};
use pallas_network::miniprotocols::{
    PROTOCOL_N2N_BLOCK_FETCH, PROTOCOL_N2N_CHAIN_SYNC, PROTOCOL_N2N_HANDSHAKE, PROTOCOL_N2N_KEEP_ALIVE,
    PROTOCOL_SERVER, Point, blockfetch, keepalive,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::block::{Era, MockBlock};
use crate::chain::{Fault, Shared, State};

/// The longest segment that is sent, as a node does, so that most messages come in several.
const SEGMENT: usize = 12_288;

/// The connection ends, because it has to or since the other side did.
struct Ended;

impl<E: std::error::Error> From<E> for Ended {
    fn from(_: E) -> Self {
        Self
    }
}

/// Serves a connection until one side ends it.
pub(crate) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let (read, write) = stream.into_split();
    let (sender, mut segments) = mpsc::unbounded_channel();
    let mut reading = JoinSet::new();
    reading.spawn(read_segments(read, sender));
    let mut changes = shared.changes();
    let (cuts, is_mute) = {
        let mut state = shared.state();
        (state.cuts, state.fault(|fault| *fault == Fault::NoKeepAlive).is_some())
    };
    let mut connection = Connection {
        shared,
        write,
        received: HashMap::new(),
        known: Vec::new(),
        rolls_back: true,
        requests: 0,
        is_awaiting: false,
        is_mute,
    };
    loop {
        tokio::select! {
            segment = segments.recv() => {
                let Some((protocol, bytes)) = segment else { return };
                if connection.receive(protocol, &bytes).await.is_err() {
                    return;
                }
            }
            more = changes.changed() => {
                if more.is_err() {
                    return;
                }
            }
        }
        if connection.shared.state().cuts != cuts || connection.answer_requests().await.is_err() {
            return;
        }
    }
}

async fn read_segments(mut read: OwnedReadHalf, segments: mpsc::UnboundedSender<(u16, Vec<u8>)>) -> Result<(), Ended> {
    loop {
        let _timestamp = read.read_u32().await?;
        let protocol = read.read_u16().await?;
        let mut bytes = vec![0; usize::from(read.read_u16().await?)];
        read.read_exact(&mut bytes).await?;
        segments.send((protocol, bytes))?;
    }
}

struct Connection {
    shared: Arc<Shared>,
    write: OwnedWriteHalf,
    received: HashMap<u16, Vec<u8>>,
    /// The blocks that the client knows of.
    known: Vec<Arc<MockBlock>>,
    /// Whether the next answer is a rollback to the last of them, as after every intersection.
    rolls_back: bool,
    /// Headers that were asked for.
    requests: usize,
    /// Whether the client was told to wait.
    is_awaiting: bool,
    is_mute: bool,
}

impl Connection {
    async fn receive(&mut self, protocol: u16, bytes: &[u8]) -> Result<(), Ended> {
        self.received.entry(protocol).or_default().extend_from_slice(bytes);
        match protocol {
            PROTOCOL_N2N_HANDSHAKE => {
                while let Some(message) = self.next(protocol)? {
                    self.shake_hands(message).await?;
                }
            }
            PROTOCOL_N2N_CHAIN_SYNC => {
                while let Some(message) = self.next(protocol)? {
                    match message {
                        ChainSync::<HeaderContent>::RequestNext => self.requests += 1,
                        ChainSync::FindIntersect(points) => self.intersect(&points).await?,
                        _ => return Err(Ended),
                    }
                }
            }
            PROTOCOL_N2N_BLOCK_FETCH => {
                while let Some(message) = self.next(protocol)? {
                    let blockfetch::Message::RequestRange { range } = message else {
                        return Err(Ended);
                    };
                    self.send_range(&range).await?;
                }
            }
            PROTOCOL_N2N_KEEP_ALIVE => {
                while let Some(message) = self.next(protocol)? {
                    let keepalive::Message::KeepAlive(cookie) = message else {
                        return Err(Ended);
                    };
                    if !self.is_mute {
                        let answer = keepalive::Message::ResponseKeepAlive(cookie);
                        self.send(protocol, &answer).await?;
                    }
                }
            }
            _ => return Err(Ended),
        }
        Ok(())
    }

    fn next<M: for<'b> Decode<'b, ()>>(&mut self, protocol: u16) -> Result<Option<M>, Ended> {
        let received = self.received.entry(protocol).or_default();
        if received.is_empty() {
            return Ok(None);
        }
        let mut decoder = Decoder::new(received);
        match decoder.decode() {
            Ok(message) => {
                let length = decoder.position();
                received.drain(..length);
                Ok(Some(message))
            }
            Err(error) if error.is_end_of_input() => Ok(None),
            Err(_) => Err(Ended),
        }
    }

    async fn send<M: Encode<()>>(&mut self, protocol: u16, message: &M) -> Result<(), Ended> {
        let bytes = minicbor::to_vec(message).map_err(|_| Ended)?;
        self.send_bytes(protocol, &bytes).await
    }

    async fn send_bytes(&mut self, protocol: u16, bytes: &[u8]) -> Result<(), Ended> {
        for segment in bytes.chunks(SEGMENT) {
            let length = u16::try_from(segment.len()).map_err(|_| Ended)?;
            let mut header = vec![0; 4];
            header.extend((protocol | PROTOCOL_SERVER).to_be_bytes());
            header.extend(length.to_be_bytes());
            header.extend_from_slice(segment);
            self.write.write_all(&header).await?;
        }
        Ok(())
    }

    /// Accepts the highest version, or refuses as cardano-node does.
    async fn shake_hands(&mut self, message: Handshake<VersionData>) -> Result<(), Ended> {
        let Handshake::Propose(versions) = message else {
            return Err(Ended);
        };
        let (version, data) = versions
            .values
            .into_iter()
            .max_by_key(|(version, _)| *version)
            .ok_or(Ended)?;
        let own = self.shared.magic;
        let answer = if data.network_magic == own {
            Handshake::Accept(version, data)
        } else {
            let reason = format!(
                "version data mismatch: NodeToNodeVersionData {{networkMagic = NetworkMagic {{unNetworkMagic = {own}}}}} /= \
                 NodeToNodeVersionData {{networkMagic = NetworkMagic {{unNetworkMagic = {}}}}}",
                data.network_magic
            );
            Handshake::Refuse(RefuseReason::Refused(version, reason))
        };
        self.send(PROTOCOL_N2N_HANDSHAKE, &answer).await
    }

    async fn intersect(&mut self, points: &[Point]) -> Result<(), Ended> {
        let answer = {
            let state = self.shared.state();
            let found = points.iter().find_map(|point| match point {
                Point::Origin => Some((point, 0)),
                point @ Point::Specific(..) => Some((point, state.index_of(point)? + 1)),
            });
            match found {
                Some((point, known)) => {
                    self.known = state.blocks[..known].to_vec();
                    self.rolls_back = true;
                    ChainSync::<HeaderContent>::IntersectFound(point.clone(), tip(&state))
                }
                None => ChainSync::IntersectNotFound(tip(&state)),
            }
        };
        self.send(PROTOCOL_N2N_CHAIN_SYNC, &answer).await
    }

    /// Answers requests for headers as far as there is something to say.
    async fn answer_requests(&mut self) -> Result<(), Ended> {
        while self.requests > 0 {
            let answer = self.next_header();
            match answer {
                Some(answer) => {
                    self.requests -= 1;
                    self.is_awaiting = false;
                    self.send(PROTOCOL_N2N_CHAIN_SYNC, &answer).await?;
                }
                None if self.is_awaiting => return Ok(()),
                None => {
                    if self
                        .shared
                        .state()
                        .fault(|fault| *fault == Fault::StallHeaders)
                        .is_some()
                    {
                        std::future::pending::<()>().await;
                    }
                    self.is_awaiting = true;
                    self.send(PROTOCOL_N2N_CHAIN_SYNC, &ChainSync::<HeaderContent>::AwaitReply)
                        .await?;
                }
            }
        }
        Ok(())
    }

    fn next_header(&mut self) -> Option<ChainSync<HeaderContent>> {
        let mut state = self.shared.state();
        while let Some(last) = self.known.last()
            && state
                .blocks
                .get(self.known.len() - 1)
                .is_none_or(|block| block.hash != last.hash)
        {
            self.known.pop();
            self.rolls_back = true;
        }
        if std::mem::take(&mut self.rolls_back) {
            let point = self.known.last().map_or(Point::Origin, |block| point(block));
            return Some(ChainSync::RollBackward(point, tip(&state)));
        }
        let next = Arc::clone(state.blocks.get(self.known.len())?);
        self.known.push(Arc::clone(&next));
        let block = match state.blocks.get(self.known.len()).map(Arc::clone) {
            Some(after) if state.fault(|fault| *fault == Fault::LeaveOutHeader).is_some() => after,
            _ => next,
        };
        let content = HeaderContent {
            variant: block.era.in_chain_sync(),
            byron_prefix: (block.era == Era::ByronBoundary).then_some((0, 0)),
            cbor: block.header.clone(),
        };
        Some(ChainSync::RollForward(content, tip(&state)))
    }

    async fn send_range(&mut self, (first, last): &(Point, Point)) -> Result<(), Ended> {
        let (mut blocks, fault) = {
            let mut state = self.shared.state();
            let range = state.index_of(first).zip(state.index_of(last));
            let mut blocks = range.map_or_else(Vec::new, |(first, last)| state.blocks[first..=last].to_vec());
            state.note_range(blocks.len());
            let fault =
                state.fault(|fault| !matches!(fault, Fault::NoKeepAlive | Fault::StallHeaders | Fault::LeaveOutHeader));
            if fault == Some(Fault::OtherBlock)
                && let Some(other) = state.blocks.last()
                && let Some(first) = blocks.first_mut()
            {
                *first = Arc::clone(other);
            }
            (blocks, fault)
        };
        match fault {
            Some(Fault::StallBodies) => return Ok(()),
            Some(Fault::NoBlocks) => blocks.clear(),
            Some(Fault::UndecodableMessage) => {
                return self.send_bytes(PROTOCOL_N2N_BLOCK_FETCH, &[0x81, 0x18, 0x63]).await;
            }
            Some(Fault::EndlessMessage) => return self.send_endlessly().await,
            _ => {}
        }
        if blocks.is_empty() {
            return self
                .send(PROTOCOL_N2N_BLOCK_FETCH, &blockfetch::Message::NoBlocks)
                .await;
        }
        self.send(PROTOCOL_N2N_BLOCK_FETCH, &blockfetch::Message::StartBatch)
            .await?;
        for (index, block) in blocks.iter().enumerate() {
            let body = match fault {
                Some(Fault::UndecodableBlock) if index == 0 => b"no block".to_vec(),
                Some(Fault::OtherBody) if index == 0 => block.bytes_without_auxiliary_data.clone(),
                _ => block.bytes.clone(),
            };
            let message = minicbor::to_vec(blockfetch::Message::Block { body }).map_err(|_| Ended)?;
            if fault == Some(Fault::CutWithinBlock { after: index }) {
                self.send_bytes(PROTOCOL_N2N_BLOCK_FETCH, &message[..message.len() / 2])
                    .await?;
                return Err(Ended);
            }
            self.send_bytes(PROTOCOL_N2N_BLOCK_FETCH, &message).await?;
        }
        self.send(PROTOCOL_N2N_BLOCK_FETCH, &blockfetch::Message::BatchDone)
            .await
    }

    /// Begins a block of a terabyte and sends of it what the other side takes.
    async fn send_endlessly(&mut self) -> Result<(), Ended> {
        self.send(PROTOCOL_N2N_BLOCK_FETCH, &blockfetch::Message::StartBatch)
            .await?;
        let start = [0x82, 0x04, 0xd8, 0x18, 0x5b, 0, 0, 1, 0, 0, 0, 0, 0];
        self.send_bytes(PROTOCOL_N2N_BLOCK_FETCH, &start).await?;
        loop {
            self.send_bytes(PROTOCOL_N2N_BLOCK_FETCH, &[0; SEGMENT]).await?;
        }
    }
}

fn point(block: &MockBlock) -> Point {
    Point::Specific(block.slot, block.hash.to_vec())
}

fn tip(state: &State) -> Tip {
    state
        .blocks
        .last()
        .map_or(Tip(Point::Origin, 0), |block| Tip(point(block), block.number))
}
