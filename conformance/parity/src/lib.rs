//! Compares the schemas of a project that keeps its SQL in two dialects, PostgreSQL's and SQLite's.
//!
//! A side is a directory of migrations, a file of SQL, or the URL of a database. Files are applied to fresh databases of
//! `test-databases`, both catalogs are read into one representation, and what differs is said with both texts, the files that
//! introduced them, and what it means for a caller.
//!
//! ```no_run
//! use dialect_parity::{Config, Engine, Options, Side, compare, load};
//!
//! # async fn example() -> dialect_parity::Result<()> {
//! let options = Options::default();
//! let postgres = load(Engine::Postgres, &Side::parse(Engine::Postgres, "migrations/postgres")?, &options).await?;
//! let sqlite = load(Engine::Sqlite, &Side::parse(Engine::Sqlite, "migrations/sqlite")?, &options).await?;
//! let comparison = compare(&postgres, &sqlite, &Config::default());
//! assert!(comparison.is_alike());
//! # Ok(())
//! # }
//! ```

mod catalog;
mod classes;
mod compare;
mod config;
mod difference;
mod engine;
mod error;
mod expression;
pub mod golden;
mod layout;
mod lexer;
mod model;
mod origin;
pub mod plan;
pub mod probe;
pub mod report;
mod side;
mod split;
mod witness;

pub use classes::{Affinity, Class, Type};
pub use compare::Comparison;
pub use config::{Config, allow_entries};
pub use difference::{Difference, Severity};
pub use engine::Engine;
pub use error::{Error, Result};
pub use layout::Migration;
pub use model::{
    Check, Column, Failure, ForeignKey, Index, IndexColumn, Key, Numbered, Origin, Other, Schema, Table, Trigger, View,
};
pub use side::{Loaded, Options, Side, load};
pub use witness::{Dump, dump};

/// Compares PostgreSQL's side with SQLite's.
#[must_use]
pub fn compare(postgres: &Loaded, sqlite: &Loaded, config: &Config) -> Comparison {
    compare::compare(
        compare::Input {
            schema: &postgres.schema,
            history: &postgres.history,
        },
        compare::Input {
            schema: &sqlite.schema,
            history: &sqlite.history,
        },
        config,
    )
}
