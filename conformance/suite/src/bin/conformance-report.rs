//! `conformance-report [--markdown] BACKEND…`: says how the registered cases ended on these backends, from what a run has left
//! in the directory `CONFORMANCE_RESULTS`. `TEST_BACKENDS` restricts the backends as it restricts the tests.
//!
//! Exit code 0 where no case failed or is missing, 1 otherwise, 2 for wrong usage and where there is no report.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let backends: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|&argument| argument != "--markdown")
        .collect();
    if backends.is_empty() || backends.iter().any(|backend| backend.starts_with('-')) {
        eprintln!(
            "usage: CONFORMANCE_RESULTS=DIRECTORY conformance-report [--markdown] BACKEND… (for example sqlite postgres)"
        );
        return ExitCode::from(2);
    }
    node_storage_conformance::report::main(&backends)
}
