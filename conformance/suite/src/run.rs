//! Runs one case, and leaves a record where it passed.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The variable that names the chosen backends.
pub(crate) const BACKENDS: &str = "TEST_BACKENDS";

/// The variable that names the directory of records.
pub(crate) const RESULTS: &str = "CONFORMANCE_RESULTS";

/// How long a case may take. The longest takes seconds: a case that takes this long waits for something that never comes.
const LIMIT: Duration = Duration::from_mins(5);

/// The backends that `TEST_BACKENDS` names; `None` where it is unset or empty, which chooses all.
pub fn chosen_backends() -> Option<BTreeSet<String>> {
    let list = env::var(BACKENDS).ok()?;
    let names: BTreeSet<String> = list
        .split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    (!names.is_empty()).then_some(names)
}

/// Whether the tests of this backend run.
pub fn is_chosen(backend: &str) -> bool {
    chosen_backends().is_none_or(|chosen| chosen.contains(backend))
}

/// Runs a case on a backend, and records that it passed where `CONFORMANCE_RESULTS` says so.
///
/// Panics where the case does, where it does not end within five minutes, and where the record can't be written.
pub async fn run_case(backend: &str, concern: &str, name: &str, case: impl Future<Output = ()>) {
    let record = env::var_os(RESULTS).map(|directory| record_path(Path::new(&directory), backend, concern, name));
    if let Some(path) = &record {
        // A run before this one may have left it.
        if let Err(error) = fs::remove_file(path)
            && error.kind() != ErrorKind::NotFound
        {
            panic!("the record {} can't be removed: {error}", path.display());
        }
    }
    tokio::time::timeout(LIMIT, case)
        .await
        .unwrap_or_else(|_| panic!("{backend}::{concern}::{name} did not end within {} s", LIMIT.as_secs()));
    if let Some(path) = &record {
        let written = path
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(path, "passed\n"));
        if let Err(error) = written {
            panic!("the record {} can't be written: {error}", path.display());
        }
    }
}

/// The file that says that a case passed on a backend.
pub(crate) fn record_path(directory: &Path, backend: &str, concern: &str, name: &str) -> PathBuf {
    directory.join(backend).join(format!("{concern}.{name}"))
}
