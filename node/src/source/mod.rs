//! Where this node reads the ledger.

pub(crate) mod file;
pub(crate) mod memory;
