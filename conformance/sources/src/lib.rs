//! The conformance suite of sources: generic cases that no wrong [`DltSource`](dlt_source::DltSource) survives.
//!
//! Whoever writes a source implements [`TestLedger`] for a ledger that a test can write, says which [`Ability`]s it has, and
//! writes one line into a file below `tests/`:
//!
//! ```ignore
//! dlt_source_conformance::source_tests!(relay, MockRelay::new());
//! ```
//!
//! That makes one test of each case, `relay::start::starts_after_the_cursor` for example, each with an empty ledger of its own.
//! A case that needs an ability which the ledger lacks says so on stderr and passes: what such a source can't do, it can't do
//! wrong.
//!
//! [`ReferenceLedger`] is a chain in memory that has every ability; [`DEFECTS`] are wrong sources of it, each of which a case
//! refuses.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a case reports a failure by panicking, as every test does"
)]

mod blocks;
pub mod cases;
mod defects;
mod ledger;
mod reading;
mod reference;
mod registry;

pub use defects::{DEFECTS, Defect, DefectiveLedger};
pub use ledger::{Ability, AnyLedger, TestLedger};
pub use reference::{ReferenceLedger, ReferenceSource};
pub use registry::{CASES, Case, run_case, run_case_in_no_time};
