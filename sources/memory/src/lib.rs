//! An in-memory ledger that takes submissions: what `neoprism-node dev` reads.

mod ledger;

pub use ledger::{Clock, DevLedger, MemoryConfig, MemorySource, Submissions, system_clock};
