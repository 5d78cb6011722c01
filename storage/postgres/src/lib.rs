//! The storage contract on PostgreSQL.
