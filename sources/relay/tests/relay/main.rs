//! The source on relays of this machine, with generated chains.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is test code"
)]

mod blocks;
mod chain;
mod failures;
mod support;
