//! The suite on an embedded SQLite file.

mod common;

use common::SqliteFactory;

node_storage_conformance::conformance_tests!(sqlite, SqliteFactory::new().await);
