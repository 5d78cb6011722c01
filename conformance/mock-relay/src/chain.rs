//! The relay as a test sees it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pallas_network::miniprotocols::Point;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::block::{Era, MockBlock, MockTransaction};
use crate::connection::serve;

/// What a relay does wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Sends so many blocks of the next batch, and a part of one more, and closes the connection.
    CutWithinBlock {
        /// The blocks that are sent whole.
        after: usize,
    },
    /// Does not answer the next request for blocks.
    StallBodies,
    /// Does not answer the next request for a header.
    StallHeaders,
    /// Answers no sign of life on the next connection.
    NoKeepAlive,
    /// Has nothing of the next range that is asked for.
    NoBlocks,
    /// Sends the next block as bytes that are no block.
    UndecodableBlock,
    /// Sends the next block with the header that was asked for, and without its auxiliary data.
    OtherBody,
    /// Sends the block after the one that was asked for.
    OtherBlock,
    /// Answers the next request for blocks with what is no message.
    UndecodableMessage,
    /// Answers the next request for blocks with a message that has no end.
    EndlessMessage,
    /// Sends the header after the next one.
    LeaveOutHeader,
}

/// A relay. It listens until it is dropped.
#[derive(Debug)]
pub struct MockRelay {
    shared: Arc<Shared>,
    address: SocketAddr,
    _server: JoinSet<()>,
}

/// What a relay and its connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) magic: u64,
    state: Mutex<State>,
    /// Changes with the chain, and where connections are cut.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) blocks: Vec<Arc<MockBlock>>,
    pub(crate) faults: VecDeque<Fault>,
    /// How often all connections were cut.
    pub(crate) cuts: u64,
    connections: usize,
    open: usize,
    largest_range: usize,
}

impl State {
    /// Takes a fault that one of these is, if it is the next one.
    pub(crate) fn fault(&mut self, is_one: impl FnOnce(&Fault) -> bool) -> Option<Fault> {
        self.faults.pop_front_if(|fault| is_one(fault))
    }

    /// The index of the block at a point.
    pub(crate) fn index_of(&self, point: &Point) -> Option<usize> {
        let Point::Specific(slot, hash) = point else {
            return None;
        };
        self.blocks
            .iter()
            .position(|block| block.slot == *slot && block.hash.as_slice() == hash.as_slice())
    }

    pub(crate) fn note_range(&mut self, blocks: usize) {
        self.largest_range = self.largest_range.max(blocks);
    }
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let answer = change(&mut self.state());
        self.changes.send_modify(|changes| *changes += 1);
        answer
    }
}

impl MockRelay {
    /// A relay of the network with this magic, on a free port, with an empty chain.
    pub async fn start(magic: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            magic: magic.into(),
            state: Mutex::default(),
            changes: watch::Sender::default(),
        });
        let mut server = JoinSet::new();
        let of_server = Arc::clone(&shared);
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                of_server.state().connections += 1;
                let shared = Arc::clone(&of_server);
                connections.spawn(async move {
                    shared.state().open += 1;
                    serve(stream, Arc::clone(&shared)).await;
                    shared.state().open -= 1;
                });
            }
        });
        Self {
            shared,
            address,
            _server: server,
        }
    }

    /// Where it listens, `HOST:PORT`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Adds a block with this number and slot on top.
    pub fn publish(&self, era: Era, place: (u64, u64), seed: u64, transactions: &[MockTransaction]) -> Arc<MockBlock> {
        self.shared.change(|state| {
            let previous = state.blocks.last().map(|block| block.hash);
            let block = Arc::new(MockBlock::new(era, place, previous, seed, transactions));
            state.blocks.push(Arc::clone(&block));
            block
        })
    }

    /// Takes back every block above this number.
    pub fn roll_back_to(&self, number: u64) {
        self.shared
            .change(|state| state.blocks.retain(|block| block.number <= number));
    }

    /// Exchanges the blocks above a number for others at once, as a relay does that changes to another chain.
    pub fn change_chain(&self, above: u64, others: impl IntoIterator<Item = (Era, (u64, u64), Vec<MockTransaction>)>) {
        self.shared.change(|state| {
            state.blocks.retain(|block| block.number <= above);
            for (era, place, transactions) in others {
                let previous = state.blocks.last().map(|block| block.hash);
                let block = MockBlock::new(era, place, previous, u64::MAX, &transactions);
                state.blocks.push(Arc::new(block));
            }
        });
    }

    /// The chain.
    pub fn blocks(&self) -> Vec<Arc<MockBlock>> {
        self.shared.state().blocks.clone()
    }

    /// Does this wrong once, after what was asked for before.
    pub fn fail_with(&self, fault: Fault) {
        self.shared.state().faults.push_back(fault);
    }

    /// Whether every fault has happened.
    pub fn has_failed(&self) -> bool {
        self.shared.state().faults.is_empty()
    }

    /// Cuts every connection.
    pub fn disconnect(&self) {
        self.shared.change(|state| state.cuts += 1);
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// How many connections are open.
    pub fn open_connections(&self) -> usize {
        self.shared.state().open
    }

    /// The most blocks that were asked for at once.
    pub fn largest_range(&self) -> usize {
        self.shared.state().largest_range
    }
}
