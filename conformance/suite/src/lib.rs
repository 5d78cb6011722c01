//! The conformance suite of the storage contract: generic cases that no wrong backend survives.
//!
//! The author of a backend depends on this crate and on `node-storage-contract`, implements [`StoreFactory`] for a store of
//! their own, and writes one line into a file in `tests/`:
//!
//! ```ignore
//! node_storage_conformance::conformance_tests!(redb, RedbFactory::new());
//! ```
//!
//! That makes one test of each case, `redb::conflict::other_hash_for_a_number_is_a_conflict` for example, each with an
//! empty store of its own. The expression may `.await`.
//!
//! A case is a plain function of a factory, so it can also be called by hand. [`CASES`] lists them all, compiled for an
//! [`AnyFactory`], so that a backend's tests compile as fast as its factory. Each case drives a store through the traits of the
//! contract alone and compares whole answers with what was delivered, never with what another backend does.
//!
//! A case runs on a thread of its own. One that does not end is cut after five minutes and fails by its name, even if the store
//! blocks the thread that polls it.
//!
//! Environment variables, read while the tests run:
//!
//! * `TEST_BACKENDS` is a comma-separated list of backends. The tests of all others do nothing, and say so. If it is unset, all
//!   of them run.
//! * `CONFORMANCE_CASE_LIMIT` is the number of seconds after which a case is cut, including the making of its store. The default
//!   is 300.
//! * `CONFORMANCE_LEVEL` is `basic`, `full` or `nightly`: how much is run. The default is `full`, which certifies a backend.
//! * `CONFORMANCE_RESULTS` is the absolute path of a directory in which every case leaves a record of how it ended. The
//!   command `conformance-report`, or [`report::main`] in a program of one's own, compares these with [`CASES`], so that a
//!   case that did not run counts as one that failed.
//!
//! The feature `defects` adds stores that are wrong on purpose, which prove that the cases find what they are there for. Only
//! this crate's own tests need it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a case reports a failure by panicking, as every test does"
)]

mod any_factory;
mod assertions;
pub mod cases;
mod data;
#[cfg(feature = "defects")]
pub mod defects;
mod expected;
mod factory;
mod lens;
mod level;
pub mod model;
mod observe;
mod record;
mod registry;
pub mod report;
mod run;
mod step;
pub mod streams;
mod writes;

pub use any_factory::AnyFactory;
pub use factory::{EmptyAtFirst, StoreFactory};
pub use level::{LINES, Level, VERSION, print_level};
pub use registry::{CASES, Case};
pub use run::{Exclusion, chosen_backends, is_chosen, run_case};
pub use writes::{deliver, move_cursor};
