//! The suite on PostgreSQL.

mod common;

use common::PostgresFactory;

node_storage_conformance::conformance_tests!(postgres, PostgresFactory::new().await);
