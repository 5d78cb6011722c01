//! Protobuf messages of the protocol, generated from `proto/prism.proto`.
//!
//! These are the wire format only: nothing here is validated. The field documentation is in the `.proto` file.
#![allow(missing_docs, unreachable_pub, clippy::pedantic, clippy::as_conversions)]

include!(concat!(env!("OUT_DIR"), "/prism.rs"));
