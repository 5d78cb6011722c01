//! A cardano-wallet for tests: it takes transactions as the published description of its API has them, refuses what that does not
//! allow, and puts what it accepts on the chain of a mock relay.
//!
//! It turns the JSON form of metadata into CBOR by itself, so that the code under test is not checked against itself. It signs
//! nothing and has no money. A test says what it does wrong with [`Answer`].
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "only tests use it"
)]

mod metadata;
mod wallet;

pub use metadata::metadata_cbor;
pub use wallet::{Answer, MockWallet, WALLET_ID};
