//! One storage for a did:prism node, on the engine that the configuration names.
//!
//! An application needs this one dependency: it re-exports the contract and the engines that are built in. The features
//! `postgres` and `sqlite-backend` choose them; both are on by default.

#[cfg(not(any(feature = "postgres", feature = "sqlite-backend")))]
compile_error!("node-storage needs at least one of the features `postgres` and `sqlite-backend`");

mod config;
mod sqlite_url;
mod storage;

pub use config::{ConfigError, DbBackend, DbBackendConfig, UnknownBackend};
pub use storage::{NodeStorageBackend, WriterLease};

pub use node_storage_contract as contract;
pub use node_storage_contract::{DltCursorRepo, IndexedOperationRepo, IndexerStateRepo, NodeStorage, RawOperationRepo};
#[cfg(feature = "postgres")]
pub use node_storage_postgres::{PostgresDb, PostgresOptions};
#[cfg(feature = "sqlite-backend")]
pub use node_storage_sqlite::{SqliteDb, SqliteOptions, write_empty_file};
