//! Publishes operations on Cardano through the HTTP API of
//! [cardano-wallet](https://github.com/cardano-foundation/cardano-wallet), version 2 of it.
//!
//! A submission becomes one payment from the wallet to an address, with the operations in its metadata. The wallet chooses what to
//! spend, computes the fee, signs and submits.

mod api;
mod kind;
mod metadata;
mod once;
mod options;
mod passphrase;
mod refusal;
mod sink;

pub use kind::WalletKind;
pub use metadata::{MAX_TRANSACTION_LENGTH, RESERVED_LENGTH, metadata_json};
pub use options::{TimeLimits, WalletOptions};
pub use passphrase::Passphrase;
pub use sink::WalletSink;
