//! A Cardano relay as a source of the ledger: node-to-node chain-sync for the headers, block-fetch for the bodies.
//!
//! A relay is trusted: what it sends is checked for consistency (each block follows the one before, each body is the one that
//! its header names), and not for the signatures of those who made the blocks. Give relays of your own.

mod block;
mod channel;
mod connection;
mod headers;
mod kind;
mod network;
mod point;
mod reader;
mod source;

pub use connection::{RelayAddress, TimeLimits};
pub use kind::RelayKind;
pub use network::{Genesis, SlotTimes};
pub use point::Point;
pub use source::{RelayOptions, RelaySource};
