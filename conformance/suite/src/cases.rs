//! The cases, one file for each concern. A case panics where the store does not keep the contract.

pub mod append;
pub mod atomicity;
pub mod bytes;
pub mod concurrency;
pub mod conflict;
pub mod cursor;
pub mod dropped;
pub mod errors;
pub mod in_flight;
pub mod indexing;
pub mod instants;
pub mod large_batches;
pub mod load;
pub mod lookup;
pub mod network;
pub mod order;
pub mod paging;
pub mod ranges;
pub mod refused;
pub mod reopening;
pub mod schedules;
pub mod state;
pub mod storage_chains;
pub mod streams;
pub mod visibility;
