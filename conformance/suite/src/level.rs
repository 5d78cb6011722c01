//! How much of the suite is run, and which lines of the contract it is about.

use std::env;
use std::fmt;

use crate::{CASES, Case};

/// The variable that names the level.
const LEVEL: &str = "CONFORMANCE_LEVEL";

/// The version of the suite: what a backend passes is what this version asks.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How much of the suite is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The cases that ask one question each, and those of visibility: what fits in 30 s. Enough while a backend grows.
    Basic,
    /// Every case. What certifies a backend.
    Full,
    /// Every case, with many more schedules and streams. For a run at night.
    Nightly,
}

impl Level {
    /// The level that `CONFORMANCE_LEVEL` names; full, unless it is set.
    ///
    /// # Panics
    /// Where it names none.
    pub fn chosen() -> Self {
        match env::var(LEVEL).as_deref() {
            Err(_) | Ok("" | "full") => Self::Full,
            Ok("basic") => Self::Basic,
            Ok("nightly") => Self::Nightly,
            Ok(other) => panic!("{LEVEL} is {other:?}; it is basic, full or nightly"),
        }
    }

    /// The cases that are run.
    pub fn cases(self) -> impl Iterator<Item = &'static Case> {
        CASES.iter().filter(move |case| case.level <= self)
    }

    /// How often something is tried that is tried so often at the level full.
    pub(crate) fn often<T: std::ops::Mul<Output = T> + From<u8>>(self, times: T) -> T {
        match self {
            Self::Basic | Self::Full => times,
            Self::Nightly => times * T::from(16),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic => "basic",
            Self::Full => "full",
            Self::Nightly => "nightly",
        })
    }
}

/// The lines of the storage contract, from 1 on: "The storage contract" in `docs/src/architecture.md`.
pub const LINES: [&str; 13] = [
    "Append-only, in ledger order",
    "Append is atomic, and so is a load",
    "The position (block number, absn, osn) is the key",
    "What an operation is",
    "Ranges are the contract's, not the engine's",
    "Cursor",
    "Indexing follows a watermark",
    "State",
    "Reads see a committed state",
    "Network",
    "Errors are a taxonomy",
    "Cost does not grow with the database",
    "No clock",
];

impl Case {
    /// The lines of the contract that the case is about, in words.
    pub fn contract(&self) -> String {
        let names = self.lines.iter().map(|line| {
            let name = LINES.get(usize::from(*line).wrapping_sub(1)).unwrap_or(&"unknown");
            format!("line {line}, {name}")
        });
        names.collect::<Vec<_>>().join("; ")
    }
}

/// Prints which cases the tests of a backend run, and what of the suite that is.
pub fn print_level(backend: &str, exclusions: &[crate::Exclusion]) {
    let level = Level::chosen();
    println!(
        "{backend}: node-storage-conformance {VERSION}, level {level}: {} of {} cases, {} of them excluded",
        level.cases().count(),
        CASES.len(),
        exclusions.len()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_contract_is_held_by_a_case_and_every_case_holds_one() {
        for (number, line) in (1..).zip(LINES) {
            assert!(
                CASES.iter().any(|case| case.lines.contains(&number)),
                "line {number}, {line}"
            );
        }
        for case in CASES {
            assert!(!case.lines.is_empty(), "{case}");
            assert!(!case.contract().contains("unknown"), "{case}");
        }
    }

    #[test]
    fn lines_are_those_of_the_book() {
        let book = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/architecture.md");
        let book = std::fs::read_to_string(book).unwrap();
        for (number, line) in (1..).zip(LINES) {
            // The name of line 2 is two of the book's.
            let begins = line.split(", and ").next().unwrap_or(line);
            assert!(
                book.contains(&format!("\n{number}. **{begins}")),
                "line {number}, {line}"
            );
        }
    }

    #[test]
    fn full_is_every_case_and_basic_fewer() {
        assert_eq!(Level::Full.cases().count(), CASES.len());
        assert!(Level::Basic.cases().count() < CASES.len());
        assert!(Level::Basic < Level::Full && Level::Full < Level::Nightly);
    }
}
