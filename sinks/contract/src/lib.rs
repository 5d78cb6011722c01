//! What a did:prism node asks of a sink: of what publishes operations on the ledger (distributed ledger technology, DLT), as a
//! wallet does.
//!
//! [`DltSink`] is the contract, [`SinkKind`] what an application needs to offer it. [`Publication`] is what is published.

mod error;
mod kind;
mod publication;
mod sink;

pub use error::SubmitError;
pub use kind::{SinkKind, SinkSettings};
pub use publication::Publication;
pub use sink::{AnySink, DltSink};
