//! The database that [cardano-db-sync](https://github.com/IntersectMBO/cardano-db-sync) keeps of the Cardano chain, as a source
//! of the ledger.
//!
//! The tables `meta`, `block`, `tx` and `tx_metadata` are read, as `doc/schema.md` of db-sync describes them, from release 13 on.
//! A role that may SELECT from them is enough; nothing is written, and no index is needed that db-sync does not make itself.

mod blocks;
mod error;
mod kind;
mod options;
#[cfg(test)]
mod plan;
mod query;
mod source;

pub use kind::DbSyncKind;
pub use options::DbSyncOptions;
pub use source::DbSyncSource;
