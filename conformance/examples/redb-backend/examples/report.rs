//! `CONFORMANCE_RESULTS=DIRECTORY cargo run --example report [-- --markdown]`, after `cargo test` with the same directory: how
//! the cases of the suite ended on this backend.

use std::process::ExitCode;

fn main() -> ExitCode {
    node_storage_conformance::report::main(&["redb"])
}
