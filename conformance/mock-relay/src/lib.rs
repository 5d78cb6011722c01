//! A Cardano relay for tests: a chain of generated blocks, served over the node-to-node protocols on a port of this machine.
//!
//! Blocks have the form that the ledger's CDDL gives each era, with zeros for signatures and keys. They are encoded by hand, so
//! that the decoder under test is not checked against itself. A test says what the relay does wrong with [`Fault`].
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "only tests use it"
)]

mod block;
mod chain;
mod connection;

pub use block::{Era, MockBlock, MockTransaction, auxiliary_data};
pub use chain::{Fault, MockRelay};
