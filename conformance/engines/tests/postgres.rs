//! The suite on PostgreSQL.

use engine_tests::PostgresFactory;

node_storage_conformance::conformance_tests!(postgres, PostgresFactory::new().await);
