//! What a did:prism node asks of a source of the ledger (distributed ledger technology, DLT): a relay, a database that follows
//! the chain, a service, or a file.
//!
//! [`DltSource`] is the contract, [`SourceKind`] what an application needs to offer it. The suite `dlt-source-conformance`
//! checks every source against the contract.

mod batch;
mod error;
mod kind;
mod looking;
mod source;
mod tip;

pub use batch::{BatchLimits, BlockBatch};
pub use error::SourceError;
pub use kind::{DEFAULT_CONFIRMATION_BLOCKS, SourceConfig, SourceKind, SourceSettings};
pub use looking::{Look, Looker, LookingSource, Page};
pub use source::{AnySource, DltSource, SourceEvent};
pub use tip::{Heard, Tip, TipSender};
