//! The did:prism protocol, version 1, as docs/src/reference/protocol.md states it.
//!
//! From the metadata of a Cardano transaction to a DID document: envelope decoding, operations and their rules, the
//! state machine of a DID, documents and resolution metadata. Pure functions of bytes: no I/O, no async, no clock.
//!
//! The way of the data: [`envelope`] takes signed operations out of a transaction's metadata, [`route`](mod@route) says
//! which DID each one belongs to, [`state`] judges the operations of one DID in ledger order, and [`resolution`] answers
//! with a [`document`] and its metadata.

pub mod content;
pub mod did;
pub mod digest;
pub mod document;
pub mod envelope;
pub mod item_id;
pub mod key;
pub mod ledger;
pub mod operation;
pub mod proto;
pub mod rejection;
pub mod resolution;
pub mod route;
pub mod rule;
pub mod service;
pub mod state;
mod update;
mod wire;
