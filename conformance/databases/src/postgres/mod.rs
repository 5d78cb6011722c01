//! One PostgreSQL server for all tests of a user, and a database of its own for each.

mod binaries;
mod container;
mod database;
mod hostile;
mod locate;
mod probe;
mod server;
mod sweep;
mod template;

pub use database::PostgresDatabase;
pub use server::{Found, PostgresServer, Source};
