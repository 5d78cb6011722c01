//! The API of [Blockfrost](https://blockfrost.io) as a source of the ledger: the hosted one, or one of your own
//! ([blockfrost-backend-ryo](https://github.com/blockfrost/blockfrost-backend-ryo)).
//!
//! `metadata/txs/labels/21325/cbor` lists the entries of ours in the order of the chain, `txs/{hash}` says where a transaction
//! stands, and `blocks/…` how far the chain has come. The [description of the API](https://docs.blockfrost.io) defines the
//! answers, the status codes of errors, and the limits.

mod answer;
mod blocks;
mod client;
mod key;
mod kind;
mod listing;
mod look;
mod options;
mod pace;
mod source;

pub use key::ApiKey;
pub use kind::BlockfrostKind;
pub use options::{BlockfrostOptions, TimeLimits};
pub use source::BlockfrostSource;
