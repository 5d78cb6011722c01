//! How a case ended, as a file in the directory of records.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Case;

/// How a case ended on a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It passed.
    Passed {
        /// How long it took, where that is known.
        time: Option<Duration>,
    },
    /// The backend declares that it leaves the case out.
    Excluded {
        /// Why.
        reason: String,
    },
    /// It panicked, or was cut by its limit.
    Failed {
        /// With what it panicked.
        message: String,
    },
    /// It was started, and its process ended before it did.
    DidNotEnd,
    /// Nothing is known of it.
    DidNotRun,
}

/// The record of one case on one backend: a word, and behind the first line end what belongs to it.
pub(crate) struct Record(PathBuf);

impl Record {
    pub(crate) fn new(directory: &Path, backend: &str, case: Case) -> Self {
        Self(directory.join(backend).join(format!("{}.{}", case.concern, case.name)))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, outcome: &Outcome) -> io::Result<()> {
        let text = match outcome {
            Outcome::Passed { time } => format!("passed\n{}", time.unwrap_or_default().as_micros()),
            Outcome::Excluded { reason } => format!("excluded\n{reason}"),
            Outcome::Failed { message } => format!("failed\n{message}"),
            Outcome::DidNotEnd => "started\n".to_owned(),
            Outcome::DidNotRun => return Ok(()),
        };
        if let Some(directory) = self.0.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(&self.0, text)
    }

    /// What was written; nothing is [`Outcome::DidNotRun`].
    pub(crate) fn read(&self) -> io::Result<Outcome> {
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Outcome::DidNotRun),
            Err(error) => return Err(error),
        };
        let (word, rest) = text.split_once('\n').unwrap_or((&text, ""));
        Ok(match word {
            "passed" => Outcome::Passed {
                time: rest.parse().ok().map(Duration::from_micros),
            },
            "excluded" => Outcome::Excluded {
                reason: rest.to_owned(),
            },
            "failed" => Outcome::Failed {
                message: rest.to_owned(),
            },
            "started" => Outcome::DidNotEnd,
            _ => return Err(io::Error::new(ErrorKind::InvalidData, "it is no record of a case")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CASES;

    #[test]
    fn outcome_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let record = Record::new(directory.path(), "one", CASES[0]);
        assert_eq!(record.read().unwrap(), Outcome::DidNotRun);
        for outcome in [
            Outcome::DidNotEnd,
            Outcome::Passed {
                time: Some(Duration::from_micros(1_234_567)),
            },
            Outcome::Excluded {
                reason: "its reason".to_owned(),
            },
            Outcome::Failed {
                message: "left: 1\nright: 2".to_owned(),
            },
        ] {
            record.write(&outcome).unwrap();
            assert_eq!(record.read().unwrap(), outcome);
        }
    }
}
