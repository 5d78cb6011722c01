//! `conformance-report BACKEND…`: says which registered cases passed on these backends, from the records that a run with
//! `CONFORMANCE_RESULTS` left. `TEST_BACKENDS` restricts the backends as it restricts the tests.
//!
//! Exit code 0 where all passed, 1 where one did not pass or did not run, 2 for wrong usage.

use std::env;
use std::path::Path;
use std::process::ExitCode;

use node_storage_conformance::chosen_backends;
use node_storage_conformance::report::{Report, expected_backends};

fn main() -> ExitCode {
    let tested: Vec<String> = env::args().skip(1).collect();
    let (false, Some(directory)) = (tested.is_empty(), env::var_os("CONFORMANCE_RESULTS")) else {
        eprintln!("usage: CONFORMANCE_RESULTS=DIRECTORY conformance-report BACKEND… (for example sqlite postgres)");
        return ExitCode::from(2);
    };
    let backends = match expected_backends(&tested, chosen_backends().as_ref()) {
        Ok(backends) => backends,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let report = Report::read(Path::new(&directory), &backends);
    println!("{report}");
    if report.is_complete() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    }
}
