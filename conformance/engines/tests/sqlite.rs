//! The suite on an embedded SQLite file.

use engine_tests::SqliteFactory;

node_storage_conformance::conformance_tests!(sqlite, SqliteFactory::new().await);
