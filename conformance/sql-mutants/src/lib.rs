//! Mutation testing of the SQL in a crate that uses sqlx: does a test fail when a statement is wrong?
//!
//! The statements are the string literals that the crate hands to sqlx: to its macros, also through a macro of the
//! crate's own, to its functions, and to a `QueryBuilder`. Each mutant is a change of one literal, such as a lost
//! `ORDER BY` or a shifted bound. One that the database does not prepare, or that the macros would refuse, is left out.
//!
//! The crate is built once, in a copy of its workspace, where each literal has a comment that names it and where sqlx
//! exchanges the text of one literal as the file that `SQL_MUTANT` names says. Then the tests run once for each mutant.

mod catalog;
mod diff;
mod error;
mod judgement;
mod mutant;
mod operators;
mod report;
mod scratch;
mod source;
mod sql;
mod tests_command;
mod viability;

pub use catalog::Catalog;
pub use diff::Diff;
pub use error::Error;
pub use judgement::{Judgement, Outcome, Shard, Survivors, Tested};
pub use mutant::{Mutant, mutants};
pub use operators::{Edit, Mutation, mutations};
pub use report::{cargo_mutants_outcomes, read_outcomes, write_outcomes};
pub use scratch::{MUTANT_VARIABLE, Scratch};
pub use source::{Check, Literal, LiteralId, Piece, Source, Statement};
pub use tests_command::{TestsCommand, TestsResult};
pub use viability::Database;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The database engine that a crate's statements are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}
