//! One PostgreSQL server for all tests of a user, and a database of its own for each.

mod binaries;
mod connect;
mod container;
mod database;
mod found;
mod hostile;
mod locate;
mod probe;
mod server;
mod sweep;
mod template;
mod verifier;

pub use database::PostgresDatabase;
pub use found::{Found, Source};
pub use server::PostgresServer;
