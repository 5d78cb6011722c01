//! What the records of a run say: which of the registered cases passed on which backend.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::path::Path;

use crate::run::record_path;
use crate::{CASES, Case};

/// The outcome of a run on some backends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    backends: Vec<BackendReport>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct BackendReport {
    backend: String,
    missing: Vec<Case>,
}

/// A choice of backends that can't be reported on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownBackends(BTreeSet<String>);

impl fmt::Display for UnknownBackends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(String::as_str).collect();
        write!(
            f,
            "TEST_BACKENDS names {}, which no test stands for; correct it, or unset it to expect all backends",
            names.join(", ")
        )
    }
}

/// The backends to report on: those that have tests and are chosen, in the order of the former.
///
/// # Errors
/// Where a backend is chosen that has no tests.
pub fn expected_backends(tested: &[String], chosen: Option<&BTreeSet<String>>) -> Result<Vec<String>, UnknownBackends> {
    let Some(chosen) = chosen else {
        return Ok(tested.to_vec());
    };
    let unknown: BTreeSet<String> = chosen.iter().filter(|name| !tested.contains(name)).cloned().collect();
    if !unknown.is_empty() {
        return Err(UnknownBackends(unknown));
    }
    Ok(tested.iter().filter(|name| chosen.contains(*name)).cloned().collect())
}

impl Report {
    /// Reads the records in `directory`. A case without a record did not run, or failed.
    pub fn read(directory: &Path, backends: &[String]) -> Self {
        let passed = |backend: &str, case: &Case| record_path(directory, backend, case.concern, case.name).is_file();
        Self {
            backends: backends
                .iter()
                .map(|backend| BackendReport {
                    backend: backend.clone(),
                    missing: CASES.iter().filter(|case| !passed(backend, case)).copied().collect(),
                })
                .collect(),
        }
    }

    /// Whether every registered case passed on every backend.
    pub fn is_complete(&self) -> bool {
        self.backends.iter().all(|report| report.missing.is_empty())
    }
}

impl BackendReport {
    fn passed(&self, concern: Option<&str>) -> String {
        let of_concern = |case: &&Case| concern.is_none_or(|concern| case.concern == concern);
        let registered = CASES.iter().filter(of_concern).count();
        let missing = self.missing.iter().filter(of_concern).count();
        format!("{}/{registered}", registered - missing)
    }
}

impl fmt::Display for Report {
    /// A row for each concern and a column for each backend, the cases that are missing, and one line that sums it up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut concerns: Vec<&str> = CASES.iter().map(|case| case.concern).collect();
        concerns.dedup();
        let row = |f: &mut fmt::Formatter<'_>, head: &str, cell: &dyn Fn(&BackendReport) -> String| {
            write!(f, "{head:<16}")?;
            for report in &self.backends {
                write!(f, "{:>12}", cell(report))?;
            }
            writeln!(f)
        };
        row(f, "", &|report| report.backend.clone())?;
        for concern in concerns {
            row(f, concern, &|report| report.passed(Some(concern)))?;
        }
        for report in &self.backends {
            for case in &report.missing {
                writeln!(f, "did not pass: {}::{}::{}", report.backend, case.concern, case.name)?;
            }
        }
        let mut summary = String::from("conformance:");
        for report in &self.backends {
            write!(summary, " {} {}", report.backend, report.passed(None))?;
        }
        f.write_str(&summary)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn directory_with_all_but(missing: usize, backend: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join(backend)).unwrap();
        for case in CASES.iter().skip(missing) {
            fs::write(record_path(directory.path(), backend, case.concern, case.name), "").unwrap();
        }
        directory
    }

    #[test]
    fn case_without_a_record_is_named_and_spoils_the_report() {
        let directory = directory_with_all_but(1, "one");
        let report = Report::read(directory.path(), &names(&["one"]));
        assert!(!report.is_complete());
        let text = report.to_string();
        let first = CASES[0];
        assert!(
            text.contains(&format!("did not pass: one::{}::{}", first.concern, first.name)),
            "{text}"
        );
        let summary = format!("conformance: one {}/{}", CASES.len() - 1, CASES.len());
        assert_eq!(text.lines().last(), Some(summary.as_str()));
    }

    #[test]
    fn report_is_complete_where_every_case_has_a_record_on_every_backend() {
        let directory = directory_with_all_but(0, "one");
        assert!(Report::read(directory.path(), &names(&["one"])).is_complete());
        assert!(!Report::read(directory.path(), &names(&["one", "two"])).is_complete());
    }

    #[test]
    fn expected_are_the_chosen_backends_and_a_misspelt_choice_is_refused() {
        let tested = names(&["sqlite", "postgres"]);
        let choice = |text: &[&str]| names(text).into_iter().collect::<BTreeSet<_>>();
        assert_eq!(expected_backends(&tested, None), Ok(tested.clone()));
        assert_eq!(
            expected_backends(&tested, Some(&choice(&["postgres"]))),
            Ok(names(&["postgres"]))
        );
        let error = expected_backends(&tested, Some(&choice(&["sqlite", "postgre"]))).unwrap_err();
        assert!(error.to_string().starts_with("TEST_BACKENDS names postgre,"), "{error}");
    }
}
