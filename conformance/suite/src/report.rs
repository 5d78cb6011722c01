//! What a run says: how each registered case ended on each backend, as a matrix for the terminal and as Markdown.
//!
//! All of it comes from one directory, the one that `CONFORMANCE_RESULTS` named while the tests ran:
//!
//! | File | Written by | Needed |
//! |---|---|---|
//! | `BACKEND/CONCERN.CASE` | the case itself: how it ended | yes: a case without it did not run |
//! | `junit.xml` | nextest, put there after the run: times, and the output of what failed | no |
//! | `isolation.tsv` | what makes the databases: what each cost | no |
//! | `defects.md` | the test of the seeded defects: which cases find each | no |
//!
//! A backend of your own gets the report with a program of three lines, for example `examples/report.rs`:
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     node_storage_conformance::report::main(&["redb"])
//! }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::{self, Write};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::record::{Outcome, Record};
use crate::run::{RESULTS, chosen_backends};
use crate::{Case, Level, VERSION};

mod isolation;
mod junit;
mod markdown;

use isolation::Isolation;
use junit::{TestResult, read_junit};

/// How the registered cases ended in a run on some backends.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    level: Level,
    backends: Vec<BackendReport>,
    left_out: Vec<String>,
    isolation: Vec<Isolation>,
    defects: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct BackendReport {
    backend: String,
    results: Vec<CaseResult>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct CaseResult {
    case: Case,
    outcome: Outcome,
    /// How long the test took; the making of the store and its removal included where it is known.
    time: Option<Duration>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A backend is chosen that has no tests.
    #[error(
        "TEST_BACKENDS names {}, which no test stands for; correct it, or unset it to expect all backends",
        _0.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    )]
    UnknownBackends(BTreeSet<String>),
    /// `CONFORMANCE_RESULTS` is not set.
    #[error("CONFORMANCE_RESULTS is not set; set it to a directory, for the tests and for the report")]
    NoDirectory,
    /// A file of the run can't be read.
    #[error("{} can't be read: {reason}; remove the directory and run the tests again", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl ReportError {
    fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |error| Self::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }
}

/// Prints the report on these backends: on the terminal, or as Markdown where `--markdown` is the program's first argument.
/// `CONFORMANCE_RESULTS` names the directory of the run; what `TEST_BACKENDS` leaves out is named and not expected.
///
/// The exit code is 0 where no case failed or is missing, 1 otherwise, 2 where there is no report.
pub fn main(backends: &[&str]) -> ExitCode {
    let markdown = env::args().nth(1).is_some_and(|argument| argument == "--markdown");
    let tested: Vec<String> = backends.iter().map(|&backend| backend.to_owned()).collect();
    let report = env::var_os(RESULTS)
        .ok_or(ReportError::NoDirectory)
        .and_then(|directory| {
            Report::read(
                Path::new(&directory),
                &tested,
                chosen_backends().as_ref(),
                Level::chosen(),
            )
        });
    match report {
        Ok(report) => {
            if markdown {
                print!("{}", report.to_markdown());
            } else {
                println!("{report}");
            }
            if report.is_complete() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("conformance-report: {error}");
            ExitCode::from(2)
        }
    }
}

impl Report {
    /// Reads what a run at a level has left in `directory`: on those of the backends that have tests that are chosen, or on all.
    ///
    /// # Errors
    /// Where a backend is chosen that has no tests, and where a file of the run can't be read.
    pub fn read(
        directory: &Path,
        tested: &[String],
        chosen: Option<&BTreeSet<String>>,
        level: Level,
    ) -> Result<Self, ReportError> {
        if let Some(chosen) = chosen {
            let unknown: BTreeSet<String> = chosen.iter().filter(|name| !tested.contains(name)).cloned().collect();
            if !unknown.is_empty() {
                return Err(ReportError::UnknownBackends(unknown));
            }
        }
        let (expected, left_out): (Vec<String>, Vec<String>) = tested
            .iter()
            .cloned()
            .partition(|name| chosen.is_none_or(|chosen| chosen.contains(name)));
        let tests = match optional(&directory.join("junit.xml"))? {
            None => BTreeMap::new(),
            Some(text) => read_junit(&text).map_err(|reason| ReportError::Unreadable {
                path: directory.join("junit.xml"),
                reason,
            })?,
        };
        Ok(Self {
            level,
            backends: expected
                .into_iter()
                .map(|backend| BackendReport::read(directory, backend, level, &tests))
                .collect::<Result<_, _>>()?,
            left_out,
            isolation: optional(&directory.join("isolation.tsv"))?
                .map(|text| isolation::medians(&text))
                .unwrap_or_default(),
            defects: optional(&directory.join("defects.md"))?,
        })
    }

    /// Whether every registered case of every backend passed or is excluded.
    pub fn is_complete(&self) -> bool {
        self.backends.iter().all(|report| report.unmet().next().is_none())
    }

    /// For each backend, what a page about it may show: the version of the suite, the level, and passed of registered.
    fn badges(&self) -> impl Iterator<Item = String> {
        self.backends.iter().map(|report| {
            format!(
                "badge: {} | node-storage-conformance {VERSION} | {} | {}",
                report.backend,
                self.level,
                report.passed(|_| true)
            )
        })
    }

    /// Backends, cases, and one line: `conformance: model 117/117 sqlite 116/117`, passed of registered.
    fn summary(&self) -> String {
        let mut summary = String::from("conformance:");
        for report in &self.backends {
            let _ = write!(summary, " {} {}", report.backend, report.passed(|_| true));
        }
        if self.level != Level::Full {
            let _ = write!(summary, " (level {})", self.level);
        }
        if !self.left_out.is_empty() {
            let _ = write!(summary, " ({} left out by TEST_BACKENDS)", self.left_out.join(", "));
        }
        summary
    }
}

/// The text of a file that need not be there.
fn optional(path: &Path) -> Result<Option<String>, ReportError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ReportError::unreadable(path)(error)),
    }
}

impl BackendReport {
    fn read(
        directory: &Path,
        backend: String,
        level: Level,
        tests: &BTreeMap<String, TestResult>,
    ) -> Result<Self, ReportError> {
        let results = level.cases().map(|&case| {
            let record = Record::new(directory, &backend, case);
            let outcome = record.read().map_err(ReportError::unreadable(record.path()))?;
            Ok(CaseResult::new(case, outcome, tests.get(&format!("{backend}::{case}"))))
        });
        let results = results.collect::<Result<_, _>>()?;
        Ok(Self { backend, results })
    }

    /// Passed of registered, of those cases that are meant; those that are excluded are named beside.
    fn passed(&self, is_meant: impl Fn(&Case) -> bool) -> String {
        let meant = || self.results.iter().filter(|result| is_meant(&result.case));
        let passed = meant().filter(|result| matches!(result.outcome, Outcome::Passed { .. }));
        let excluded = meant().filter(|result| matches!(result.outcome, Outcome::Excluded { .. }));
        let text = format!("{}/{}", passed.count(), meant().count());
        match excluded.count() {
            0 => text,
            excluded => format!("{text} ({excluded} excluded)"),
        }
    }

    /// What neither passed nor is excluded, and what is known of it.
    fn unmet(&self) -> impl Iterator<Item = (Case, &str)> {
        self.results.iter().filter_map(|result| match &result.outcome {
            Outcome::Passed { .. } | Outcome::Excluded { .. } => None,
            Outcome::Failed { message } => Some((result.case, message.as_str())),
            Outcome::DidNotEnd => Some((result.case, "its process ended before it did")),
            Outcome::DidNotRun => Some((result.case, "did not run")),
        })
    }

    fn excluded(&self) -> impl Iterator<Item = (Case, &str)> {
        self.results.iter().filter_map(|result| match &result.outcome {
            Outcome::Excluded { reason } => Some((result.case, reason.as_str())),
            _ => None,
        })
    }
}

impl CaseResult {
    /// What the runner of the tests saw counts where it is worse than the record: a test may fail behind its case.
    fn new(case: Case, recorded: Outcome, test: Option<&TestResult>) -> Self {
        let time = match (test, &recorded) {
            (Some(test), _) => test.time,
            (None, Outcome::Passed { time }) => *time,
            (None, _) => None,
        };
        let outcome = match (test.and_then(|test| test.failure.as_deref()), recorded) {
            (Some(failure), _) => Outcome::Failed {
                message: failure.to_owned(),
            },
            (None, recorded) => recorded,
        };
        Self { case, outcome, time }
    }
}

/// The concerns of a level, in the order of the registry.
fn concerns(level: Level) -> Vec<&'static str> {
    let mut concerns: Vec<&str> = level.cases().map(|case| case.concern).collect();
    concerns.dedup();
    concerns
}

impl fmt::Display for Report {
    /// A row for each concern and a column for each backend; what is excluded, what is missing, what isolation costs; and one
    /// line that sums it up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![(
            String::new(),
            self.backends.iter().map(|report| report.backend.clone()).collect(),
        )];
        for concern in concerns(self.level) {
            let cells: Vec<String> = self
                .backends
                .iter()
                .map(|report| report.passed(|case| case.concern == concern))
                .collect();
            rows.push((concern.to_owned(), cells));
        }
        let width = rows
            .iter()
            .flat_map(|(_, cells)| cells)
            .map(String::len)
            .max()
            .unwrap_or(0);
        let head = rows.iter().map(|(head, _)| head.len()).max().unwrap_or(0);
        for (concern, cells) in &rows {
            write!(f, "{concern:<head$}")?;
            for cell in cells {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f)?;
        }
        for report in &self.backends {
            for (case, reason) in report.excluded() {
                writeln!(f, "excluded: {}::{case}: {reason}", report.backend)?;
            }
            for (case, what) in report.unmet() {
                let first_line = what.lines().next().unwrap_or_default();
                writeln!(f, "did not pass: {}::{case}: {first_line}", report.backend)?;
            }
        }
        for isolation in &self.isolation {
            writeln!(f, "{isolation}")?;
        }
        for badge in self.badges() {
            writeln!(f, "{badge}")?;
        }
        f.write_str(&self.summary())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CASES;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// A directory with a record of each case on the backend `one`: the given outcome for the first, passed for the others.
    fn directory_with_first(outcome: &Outcome) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let passed = Outcome::Passed {
            time: Some(Duration::from_millis(3)),
        };
        for (index, &case) in CASES.iter().enumerate() {
            let outcome = if index == 0 { outcome } else { &passed };
            Record::new(directory.path(), "one", case).write(outcome).unwrap();
        }
        directory
    }

    fn passed() -> Outcome {
        Outcome::Passed { time: None }
    }

    fn read(directory: &tempfile::TempDir, backends: &[&str]) -> Report {
        Report::read(directory.path(), &names(backends), None, Level::Full).unwrap()
    }

    fn junit(failing: &str) -> String {
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="nextest-run"><testsuite name="suite::one">
                <testcase name="one::{}" time="1.250">{failing}</testcase>
            </testsuite></testsuites>"#,
            CASES[0]
        )
    }

    #[test]
    fn case_without_a_record_is_named_and_spoils_the_report() {
        let directory = directory_with_first(&Outcome::DidNotRun);
        let report = read(&directory, &["one"]);
        assert!(!report.is_complete());
        let text = report.to_string();
        assert!(
            text.contains(&format!("did not pass: one::{}: did not run", CASES[0])),
            "{text}"
        );
        let summary = format!("conformance: one {}/{}", CASES.len() - 1, CASES.len());
        assert_eq!(text.lines().last(), Some(summary.as_str()));
        assert!(report.to_markdown().contains(&format!("`one::{}`", CASES[0])));
    }

    #[test]
    fn case_that_failed_or_was_cut_off_spoils_the_report() {
        let failed = Outcome::Failed {
            message: "it lost a block\nleft: 1".to_owned(),
        };
        for (outcome, said) in [
            (failed, "it lost a block"),
            (Outcome::DidNotEnd, "its process ended before it did"),
        ] {
            let report = read(&directory_with_first(&outcome), &["one"]);
            assert!(!report.is_complete());
            let line = format!("did not pass: one::{}: {said}\n", CASES[0]);
            assert!(report.to_string().contains(&line), "{report}");
        }
    }

    #[test]
    fn report_is_complete_where_every_case_passed_on_every_backend() {
        let directory = directory_with_first(&passed());
        assert!(read(&directory, &["one"]).is_complete());
        assert!(!read(&directory, &["one", "two"]).is_complete());
    }

    #[test]
    fn excluded_case_is_shown_with_its_reason_and_does_not_count_as_passed() {
        let directory = directory_with_first(&Outcome::Excluded {
            reason: "has no clock".to_owned(),
        });
        let report = read(&directory, &["one"]);
        assert!(report.is_complete());
        let summary = format!("conformance: one {}/{} (1 excluded)", CASES.len() - 1, CASES.len());
        for text in [report.to_string(), report.to_markdown()] {
            assert!(text.contains(&summary), "{text}");
            assert!(text.contains("has no clock"), "{text}");
        }
        let row = report.to_string().lines().nth(1).unwrap().to_owned();
        assert!(
            row.starts_with(CASES[0].concern) && row.ends_with("(1 excluded)"),
            "{row}"
        );
    }

    #[test]
    fn runner_says_how_long_a_case_took_and_whether_its_test_failed_behind_it() {
        let directory = directory_with_first(&passed());
        let path = directory.path().join("junit.xml");
        fs::write(&path, junit("")).unwrap();
        assert!(read(&directory, &["one"]).to_markdown().contains("| 1.250 s |"));
        fs::write(&path, junit(r#"<failure message="killed by a signal"/>"#)).unwrap();
        let report = read(&directory, &["one"]);
        assert!(!report.is_complete());
        assert!(report.to_string().contains("killed by a signal"), "{report}");
        fs::write(&path, "<testsuites>").unwrap();
        assert!(Report::read(directory.path(), &names(&["one"]), None, Level::Full).is_err());
    }

    #[test]
    fn runner_alone_is_no_proof_that_a_case_ran() {
        let directory = directory_with_first(&Outcome::DidNotRun);
        fs::write(directory.path().join("junit.xml"), junit("")).unwrap();
        assert!(!read(&directory, &["one"]).is_complete());
    }

    #[test]
    fn report_of_a_level_expects_its_cases_and_says_which_it_is() {
        let directory = directory_with_first(&passed());
        for case in CASES.iter().filter(|case| case.level > Level::Basic) {
            fs::remove_file(Record::new(directory.path(), "one", *case).path()).unwrap();
        }
        let basic = Report::read(directory.path(), &names(&["one"]), None, Level::Basic).unwrap();
        assert!(basic.is_complete());
        let count = Level::Basic.cases().count();
        let text = basic.to_string();
        assert!(
            text.ends_with(&format!("\nconformance: one {count}/{count} (level basic)")),
            "{text}"
        );
        let badge = format!("\nbadge: one | node-storage-conformance {VERSION} | basic | {count}/{count}\n");
        assert!(text.contains(&badge), "{text}");
        assert!(!read(&directory, &["one"]).is_complete());
    }

    #[test]
    fn report_says_which_cases_hold_each_line_of_the_contract() {
        let text = read(&directory_with_first(&passed()), &["one"]).to_markdown();
        let network: Vec<_> = CASES.iter().filter(|case| case.lines.contains(&10)).collect();
        let row = format!("| 10. Network | {0}/{0} |", network.len());
        assert!(text.contains(&row), "{text}");
        assert!(text.contains("### 10. Network\n\n- `network`: first_writing_opening_names_the_network, "));
    }

    #[test]
    fn what_isolation_and_defects_say_is_part_of_the_report() {
        let directory = directory_with_first(&passed());
        fs::write(directory.path().join("isolation.tsv"), "sqlite\t1000\t2000\t500\n").unwrap();
        fs::write(directory.path().join("defects.md"), "| defect | killers |\n").unwrap();
        let report = read(&directory, &["one"]);
        assert!(report.to_string().contains("sqlite 3.5 ms"), "{report}");
        assert!(report.to_markdown().contains("sqlite 3.5 ms"));
        assert!(report.to_markdown().contains("| defect | killers |"));
    }

    #[test]
    fn backends_that_are_not_chosen_are_named_and_a_misspelt_choice_is_refused() {
        let directory = directory_with_first(&passed());
        let choose = |text: &[&str]| {
            let choice: BTreeSet<_> = names(text).into_iter().collect();
            Report::read(directory.path(), &names(&["one", "two"]), Some(&choice), Level::Full)
        };
        let report = choose(&["one"]).unwrap();
        assert!(report.is_complete());
        assert!(
            report.to_string().ends_with(" (two left out by TEST_BACKENDS)"),
            "{report}"
        );
        let error = choose(&["one", "tow"]).unwrap_err();
        assert!(error.to_string().starts_with("TEST_BACKENDS names tow,"), "{error}");
    }
}
