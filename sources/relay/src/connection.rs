//! A connection to a relay: connecting, the handshake, and keeping it alive.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use dlt_source::TipSender;
use futures_util::FutureExt;
use pallas_network::miniprotocols::handshake::n2n::{VersionData, VersionTable};
use pallas_network::miniprotocols::handshake::{Message, RefuseReason};
use pallas_network::miniprotocols::{
    PROTOCOL_N2N_BLOCK_FETCH, PROTOCOL_N2N_CHAIN_SYNC, PROTOCOL_N2N_HANDSHAKE, PROTOCOL_N2N_KEEP_ALIVE, keepalive,
};
use pallas_network::multiplexer::{Bearer, Plexer, RunningPlexer};
use tokio::time::sleep;

use crate::channel::{Channel, Failure, Protocol};

/// Where a relay listens: `HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayAddress(String);

/// Text that is no address of a relay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not HOST:PORT, for example relay.example.org:3001")]
pub struct InvalidRelayAddress(String);

impl RelayAddress {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RelayAddress {
    type Err = InvalidRelayAddress;

    fn from_str(text: &str) -> Result<Self, InvalidRelayAddress> {
        let is_address = text.rsplit_once(':').is_some_and(|(host, port)| {
            let is_host = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '/' || c == '@');
            is_host && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if is_address {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRelayAddress(text.to_owned()))
        }
    }
}

/// How long a relay may take for each kind of exchange, after which another connection is tried.
///
/// The defaults are the time limits that the [Ouroboros network
/// specification](https://ouroboros-network.cardano.intersectmbo.org/pdfs/network-spec/network-spec.pdf) sets for each
/// mini-protocol (chapter "Time and size limits").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// Connecting, names included.
    pub connect: Duration,
    /// The handshake.
    pub handshake: Duration,
    /// The search for a block, and the next header where the relay has one.
    pub header: Duration,
    /// The next header where the relay has none yet. The specification has a random time from 601 s to 911 s.
    pub new_header: Duration,
    /// Each body.
    pub body: Duration,
    /// The answer to a sign of life.
    pub keep_alive: Duration,
    /// The pause between two signs of life. The relay gives up after 97 s without one.
    pub keep_alive_pause: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(10),
            new_header: Duration::from_secs(911),
            body: Duration::from_mins(1),
            keep_alive: Duration::from_mins(1),
            keep_alive_pause: Duration::from_secs(20),
        }
    }
}

/// The longest message of chain-sync, keep-alive and the handshake, and of block-fetch, as the specification limits them.
const SHORT_MESSAGE: usize = 65_535;
const BODY_MESSAGE: usize = 2_500_000;

const HANDSHAKE: Protocol = Protocol {
    name: "the handshake",
    longest: SHORT_MESSAGE,
};
const CHAIN_SYNC: Protocol = Protocol {
    name: "chain-sync",
    longest: SHORT_MESSAGE,
};
const BLOCK_FETCH: Protocol = Protocol {
    name: "block-fetch",
    longest: BODY_MESSAGE,
};
const KEEP_ALIVE: Protocol = Protocol {
    name: "keep-alive",
    longest: SHORT_MESSAGE,
};

/// A connection after its handshake. Dropping it closes it.
pub(crate) struct Connection {
    pub(crate) chain_sync: Channel,
    pub(crate) block_fetch: Channel,
    pub(crate) keep_alive: KeepAlive,
    pub(crate) guard: Guard,
}

impl Connection {
    /// Connects, and agrees on a version of the protocols and on the network.
    pub(crate) async fn open(relay: &RelayAddress, magic: u32, limits: &TimeLimits) -> Result<Self, Failure> {
        let bearer = Bearer::connect_tcp_timeout(relay.as_str(), limits.connect)
            .await
            .map_err(|error| Failure::Passing(format!("connecting failed: {error}")))?;
        let mut plexer = Plexer::new(bearer);
        let mut handshake = Channel::new(HANDSHAKE, plexer.subscribe_client(PROTOCOL_N2N_HANDSHAKE));
        let chain_sync = Channel::new(CHAIN_SYNC, plexer.subscribe_client(PROTOCOL_N2N_CHAIN_SYNC));
        let block_fetch = Channel::new(BLOCK_FETCH, plexer.subscribe_client(PROTOCOL_N2N_BLOCK_FETCH));
        let keep_alive = Channel::new(KEEP_ALIVE, plexer.subscribe_client(PROTOCOL_N2N_KEEP_ALIVE));
        let guard = Guard(Some(plexer.spawn()));
        agree(&mut handshake, magic, limits.handshake).await?;
        Ok(Self {
            chain_sync,
            block_fetch,
            keep_alive: KeepAlive {
                channel: keep_alive,
                limits: *limits,
            },
            guard,
        })
    }
}

/// Agrees on a version and on the network.
///
/// A relay of another network refuses with a text that names its own magic and the one it was asked for.
async fn agree(handshake: &mut Channel, magic: u32, within: Duration) -> Result<(), Failure> {
    let magic = u64::from(magic);
    handshake
        .send(&Message::Propose(VersionTable::v11_and_above(magic)))
        .await?;
    let answer: Message<VersionData> = handshake.receive(within).await?;
    match answer {
        Message::Accept(_version, data) if data.network_magic == magic => Ok(()),
        Message::Accept(_version, data) => Err(Failure::Lasting(format!(
            "it is of the network with magic {}, and magic {magic} was asked for; give a relay of the network that --network \
             names",
            data.network_magic
        ))),
        Message::Refuse(RefuseReason::Refused(_version, reason)) => Err(Failure::Lasting(format!(
            "it refused magic {magic}: {reason}; give a relay of the network that --network names"
        ))),
        Message::Refuse(RefuseReason::VersionMismatch(versions)) => Err(Failure::Lasting(format!(
            "it speaks versions {versions:?} of the node-to-node protocols, and this node 11 to 14"
        ))),
        Message::Refuse(RefuseReason::HandshakeDecodeError(version, reason)) => Err(Failure::Lasting(format!(
            "it can't read the handshake of version {version}: {reason}"
        ))),
        Message::Propose(_) | Message::QueryReply(_) => Err(handshake.unexpected("a proposal of versions")),
    }
}

/// Ends what carries the connection when it is dropped.
pub(crate) struct Guard(Option<RunningPlexer>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(plexer) = self.0.take() {
            // Has nothing to wait for.
            let _ended = plexer.abort().now_or_never();
        }
    }
}

/// The signs of life of a connection.
pub(crate) struct KeepAlive {
    channel: Channel,
    limits: TimeLimits,
}

impl KeepAlive {
    /// Gives signs of life until one is not answered, and tells of each answer.
    pub(crate) async fn run(mut self, tips: &TipSender) -> Failure {
        let mut cookie: keepalive::Cookie = 0;
        loop {
            sleep(self.limits.keep_alive_pause).await;
            cookie = cookie.wrapping_add(1);
            if let Err(failure) = self.round_trip(cookie).await {
                return failure;
            }
            tips.tell_of_life();
        }
    }

    async fn round_trip(&mut self, cookie: keepalive::Cookie) -> Result<(), Failure> {
        self.channel.send(&keepalive::Message::KeepAlive(cookie)).await?;
        match self.channel.receive(self.limits.keep_alive).await? {
            keepalive::Message::ResponseKeepAlive(answer) if answer == cookie => Ok(()),
            _ => Err(self.channel.unexpected("another sign of life")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for text in ["localhost:3001", "10.0.0.1:1", "[::1]:65535", "relay.example.org:3001"] {
            assert_eq!(text.parse::<RelayAddress>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "localhost",
            "localhost:",
            ":3001",
            "localhost:0",
            "localhost:65536",
            "localhost:+1",
            "tcp://localhost:3001",
            "user@localhost:3001",
            "a b:1",
        ] {
            assert!(text.parse::<RelayAddress>().is_err(), "{text}");
        }
    }
}
