//! The API over an SQLite store, request by request.

mod dids;
mod ledger;
mod resolution;
mod storage_entries;
mod submissions;
mod support;
mod system;
