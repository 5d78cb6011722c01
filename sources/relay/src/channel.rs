//! Messages of one mini-protocol over a connection.

use std::fmt;
use std::time::Duration;

use dlt_source::SourceError;
use pallas_codec::minicbor;
use pallas_codec::minicbor::{Decode, Decoder, Encode};
use pallas_network::multiplexer::AgentChannel;
use tokio::time::timeout;

/// Why an exchange with a relay failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It may pass: another connection may do.
    Passing(String),
    /// Somebody has to change something before reading can go on.
    Lasting(String),
    /// The relay says what can't be.
    Nonsense {
        /// What of the relay: a block, a message.
        of: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The chain of the relay contradicts what was delivered. Names both points.
    Contradiction(String),
    /// What is stored could not be read.
    Source(SourceError),
}

impl Failure {
    pub(crate) fn nonsense(of: impl Into<String>, detail: impl fmt::Display) -> Self {
        Self::Nonsense {
            of: of.into(),
            detail: detail.to_string(),
        }
    }

    /// As a source says it.
    pub(crate) fn of_relay(self, relay: &str) -> SourceError {
        let unavailable = |retryable, detail| SourceError::Unavailable {
            retryable,
            subject: format!("relay {relay}"),
            detail,
        };
        match self {
            Self::Passing(detail) => unavailable(true, detail),
            Self::Lasting(detail) => unavailable(false, detail),
            Self::Nonsense { of, detail } => SourceError::Malformed {
                at: format!("relay {relay}, {of}"),
                detail,
            },
            Self::Contradiction(detail) => SourceError::Contradiction {
                at: format!("relay {relay}"),
                detail,
            },
            Self::Source(error) => error,
        }
    }
}

/// How long a message of a protocol may be and how its answers are called, for messages of errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Protocol {
    /// Its name.
    pub(crate) name: &'static str,
    /// The longest message, in bytes.
    pub(crate) longest: usize,
}

/// One mini-protocol of a connection. A message that is longer than the protocol allows is refused before it is complete, so
/// that no relay can fill the memory.
pub(crate) struct Channel {
    protocol: Protocol,
    agent: AgentChannel,
    /// Received, and not decoded yet.
    received: Vec<u8>,
}

impl Channel {
    pub(crate) fn new(protocol: Protocol, agent: AgentChannel) -> Self {
        Self {
            protocol,
            agent,
            received: Vec::new(),
        }
    }

    /// Sends a message, which has to fit into a segment, as every message of a client of these protocols does.
    pub(crate) async fn send<M: Encode<()>>(&mut self, message: &M) -> Result<(), Failure> {
        let bytes = minicbor::to_vec(message).map_err(|error| self.nonsense(error))?;
        self.agent.enqueue_chunk(bytes).await.map_err(|_| self.closed())
    }

    /// The next message, where it comes within this time.
    ///
    /// Dropping the future loses nothing.
    pub(crate) async fn receive<M: for<'b> Decode<'b, ()>>(&mut self, within: Duration) -> Result<M, Failure> {
        match timeout(within, self.next()).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(Failure::Passing(format!(
                "it has not answered in {} within {}",
                self.protocol.name,
                Seconds(within)
            ))),
        }
    }

    async fn next<M: for<'b> Decode<'b, ()>>(&mut self) -> Result<M, Failure> {
        loop {
            if let Some(message) = self.decode()? {
                return Ok(message);
            }
            let segment = self.agent.dequeue_chunk().await.map_err(|_| self.closed())?;
            self.received.extend_from_slice(&segment);
        }
    }

    /// The next message, if all of it was received.
    fn decode<M: for<'b> Decode<'b, ()>>(&mut self) -> Result<Option<M>, Failure> {
        if self.received.is_empty() {
            return Ok(None);
        }
        let mut decoder = Decoder::new(&self.received);
        match decoder.decode() {
            Ok(message) => {
                let length = decoder.position();
                self.received.drain(..length);
                Ok(Some(message))
            }
            Err(error) if error.is_end_of_input() && self.received.len() <= self.protocol.longest => Ok(None),
            Err(error) if error.is_end_of_input() => Err(self.nonsense(format!(
                "it is longer than {} bytes, the most that the protocol allows",
                self.protocol.longest
            ))),
            Err(error) => Err(self.nonsense(format!("it does not decode: {error}"))),
        }
    }

    fn nonsense(&self, detail: impl fmt::Display) -> Failure {
        Failure::nonsense(format!("a message of {}", self.protocol.name), detail)
    }

    /// A message that the protocol does not allow here.
    pub(crate) fn unexpected(&self, message: &str) -> Failure {
        self.nonsense(format!("{message} is no answer to what was asked"))
    }

    fn closed(&self) -> Failure {
        Failure::Passing(format!("it closed the connection during {}", self.protocol.name))
    }
}

/// A duration for people.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_nanos() == 0 {
            write!(f, "{} s", self.0.as_secs())
        } else {
            write!(f, "{} ms", self.0.as_millis())
        }
    }
}
