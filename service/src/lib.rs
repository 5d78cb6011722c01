//! What a did:prism node does with its storage, generic over the backend: reading the ledger, indexing, resolving.
//! No command line, no HTTP.

pub mod check;
mod empty;
pub mod index;
pub mod reading;
pub mod resolver;
mod retry;
pub mod status;
pub mod sync;
