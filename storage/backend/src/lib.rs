//! One storage for a did:prism node, on the engine that the configuration names.
//!
//! An application needs this one dependency: it re-exports the contract and the engines that are built in. The features
//! `postgres` and `sqlite` choose them; both are on by default.

#[cfg(not(any(feature = "postgres", feature = "sqlite")))]
compile_error!("node-storage needs an engine: turn on at least one of the features `postgres` and `sqlite`");

mod config;
mod registry;

pub use config::{ConfigError, DbBackendConfig};
pub use registry::{DbBackend, UnknownBackend};

/// The storage of a node, on one of the engines that are built in. Clones share one store.
///
/// `NodeStorageBackend::connect(&config, access)` opens the store that a [`DbBackendConfig`] names.
pub type NodeStorageBackend = contract::AnyStore;

pub use node_storage_contract as contract;
pub use node_storage_contract::{DltCursorRepo, IndexedOperationRepo, IndexerStateRepo, NodeStorage, RawOperationRepo};
#[cfg(feature = "postgres")]
pub use node_storage_postgres as postgres;
#[cfg(feature = "sqlite")]
pub use node_storage_sqlite as sqlite;
