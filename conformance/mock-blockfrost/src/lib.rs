//! A Blockfrost for tests: a chain that a test writes, served over HTTP on a port of this machine.
//!
//! Answers have the members that the [description of the API](https://docs.blockfrost.io) gives them, as far as a reader of the
//! ledger needs them. A test says what goes wrong, and what happens to the chain between two requests, with
//! [`MockBlockfrost::when_asked`].
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "only tests use it"
)]

mod chain;
mod server;

pub use chain::{Chain, Hash, Metadata, MockBlock, MockTransaction};
pub use server::{Answer, MockBlockfrost};
