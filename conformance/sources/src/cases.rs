//! The cases, a module for each concern. What holds for every delivery (blocks ascend, each comes once, the cursor moves, a
//! batch stays within its limits) is checked wherever a source is read.

pub mod blocks;
pub mod confirmations;
pub mod errors;
pub mod root;
pub mod start;
pub mod tip;
pub mod waiting;
