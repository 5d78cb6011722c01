//! The did:prism protocol, version 1.
//!
//! From the metadata of a Cardano transaction to a DID document: envelope decoding, operations and their rules, the
//! state machine of a DID, documents and resolution metadata. Pure functions of bytes: no I/O, no async, no clock.

pub mod digest;
pub mod ledger;
pub mod proto;
