//! What the outcomes of a run say: the score, and whether each survivor has its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr;

use crate::{Error, Result};

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A test failed, or did not end.
    Killed,
    /// All tests passed.
    Survived,
    /// It does not compile, or its database does not prepare it.
    Unviable(String),
}

/// A mutant that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// The file it is a mutant of.
    pub file: String,
    /// Its name, the file included.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// One of several runs that share the mutants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    count: usize,
}

impl Shard {
    /// Whether the mutant at this place in the list is this shard's.
    pub fn has(self, place: usize) -> bool {
        place % self.count == self.number
    }
}

impl FromStr for Shard {
    type Err = String;

    /// "k/n", with k from 0 to n - 1.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no shard; write k/n, with k from 0 to n - 1");
        let (number, count) = text.split_once('/').ok_or_else(wrong)?;
        let (number, count) = (
            number.parse().map_err(|_| wrong())?,
            count.parse().map_err(|_| wrong())?,
        );
        if number < count {
            Ok(Self { number, count })
        } else {
            Err(wrong())
        }
    }
}

/// How the reason of a mutant starts that no test can tell from the original.
const EQUIVALENT: &str = "Equivalent:";

/// The mutants that are known to survive, each with the reason.
///
/// A mutant is equivalent where its reason starts with "Equivalent:". It is no mutant that a test could kill, so it does not
/// count in the score.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survivors(BTreeMap<String, String>);

impl Survivors {
    /// Reads a file in which each name stands at the start of a line, with its reason indented below it. Lines that start
    /// with `#` are comments.
    ///
    /// # Errors
    /// `Content` for a name without a reason, and for one that is listed twice.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(Error::io(format!("read {}", file.display())))?;
        Self::parse(&text).map_err(|detail| Error::content(file, detail))
    }

    /// Reads the content of such a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut known: BTreeMap<String, String> = BTreeMap::new();
        let mut current: Option<String> = None;
        for line in text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        {
            if line.starts_with(char::is_whitespace) {
                let reason = current
                    .as_ref()
                    .and_then(|name| known.get_mut(name))
                    .ok_or("a reason stands before the first name")?;
                if !reason.is_empty() {
                    reason.push(' ');
                }
                reason.push_str(line.trim());
            } else {
                let name = line.trim_end().to_owned();
                if known.insert(name.clone(), String::new()).is_some() {
                    return Err(format!("{name} is listed twice"));
                }
                current = Some(name);
            }
        }
        match known.iter().find(|(_, reason)| reason.is_empty()) {
            Some((name, _)) => Err(format!("{name} has no reason")),
            None => Ok(Self(known)),
        }
    }

    /// Whether a mutant is listed.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn are_equivalent(&self, tested: &Tested) -> bool {
        tested.outcome == Outcome::Survived
            && self
                .0
                .get(&tested.name)
                .is_some_and(|reason| reason.starts_with(EQUIVALENT))
    }
}

/// What a run has shown.
#[derive(Debug, Clone)]
pub struct Judgement {
    tested: Vec<Tested>,
    survivors: Survivors,
    minimum: f64,
    is_complete: bool,
}

#[derive(Default)]
struct Counts {
    unviable: usize,
    equivalent: usize,
    killed: usize,
    survived: usize,
}

impl Counts {
    fn add(&mut self, tested: &Tested, survivors: &Survivors) {
        match tested.outcome {
            Outcome::Killed => self.killed += 1,
            Outcome::Survived if survivors.are_equivalent(tested) => self.equivalent += 1,
            Outcome::Survived => self.survived += 1,
            Outcome::Unviable(_) => self.unviable += 1,
        }
    }

    fn all(&self) -> usize {
        self.unviable + self.equivalent + self.killed + self.survived
    }

    /// Killed ones among those that a test could kill, in percent.
    fn score(&self) -> f64 {
        share(self.killed, self.killed + self.survived)
    }

    fn row(&self, name: &str) -> String {
        format!(
            "| {name} | {} | {} | {} | {} | {} | {:.1} % |\n",
            self.all(),
            self.unviable,
            self.equivalent,
            self.killed,
            self.survived,
            rounded(self.score())
        )
    }
}

/// A part of a whole, in percent; all of nothing.
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 100.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "numbers of mutants are small")]
    let share = part as f64 / whole as f64;
    share * 100.0
}

/// Rounded down to a tenth: a score must not look like one that it does not reach.
fn rounded(score: f64) -> f64 {
    (score * 10.0).floor() / 10.0
}

impl Judgement {
    /// Judges mutants by the survivors that are known and by the lowest score that is accepted, in percent.
    ///
    /// Where not all mutants were tried, only survivors without a reason are wrong.
    pub fn new(mut tested: Vec<Tested>, survivors: Survivors, minimum: f64, is_complete: bool) -> Self {
        tested.sort_by(|one, other| one.name.cmp(&other.name));
        Self {
            tested,
            survivors,
            minimum,
            is_complete,
        }
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for tested in &self.tested {
            counts.add(tested, &self.survivors);
        }
        counts
    }

    /// The score and what it is made of, on one line.
    pub fn summary(&self) -> String {
        let counts = self.counts();
        let viable = counts.killed + counts.survived + counts.equivalent;
        format!(
            "{} mutants: {} not viable, {} equivalent, {} killed, {} survived; score {:.1} % ({:.1} % with the equivalent ones)",
            counts.all(),
            counts.unviable,
            counts.equivalent,
            counts.killed,
            counts.survived,
            rounded(counts.score()),
            rounded(share(counts.killed, viable))
        )
    }

    /// What is wrong; nothing where the run is as it should be.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let survived = |tested: &&Tested| tested.outcome == Outcome::Survived;
        for tested in self.tested.iter().filter(survived) {
            if !self.survivors.0.contains_key(&tested.name) {
                problems.push(format!("survived without a reason: {}", tested.name));
            }
        }
        if self.is_complete {
            let found: BTreeSet<&str> = self
                .tested
                .iter()
                .filter(survived)
                .map(|tested| tested.name.as_str())
                .collect();
            for name in self.survivors.0.keys().filter(|name| !found.contains(name.as_str())) {
                problems.push(format!("listed as a survivor, and is none: {name}"));
            }
            if self.counts().score() < self.minimum {
                problems.push(format!("the score is below {} %", self.minimum));
            }
        }
        problems
    }

    /// The whole as Markdown: the same for the same outcomes.
    pub fn report(&self, title: &str, introduction: &[String]) -> String {
        let mut report = format!("# {title}\n\n");
        for line in introduction {
            let _ = writeln!(report, "- {line}");
        }
        let _ = writeln!(report, "- {}", self.summary());
        report += "\n| File | Mutants | Not viable | Equivalent | Killed | Survived | Score |\n";
        report += "|---|---:|---:|---:|---:|---:|---:|\n";
        let mut files: BTreeMap<&str, Counts> = BTreeMap::new();
        for tested in &self.tested {
            files.entry(&tested.file).or_default().add(tested, &self.survivors);
        }
        for (file, counts) in &files {
            report += &counts.row(file);
        }
        report += &self.counts().row("**all**");
        report += "\n## Survivors\n\n";
        let mut none = true;
        for tested in self.tested.iter().filter(|tested| tested.outcome == Outcome::Survived) {
            let reason = self
                .survivors
                .0
                .get(&tested.name)
                .map_or("**no reason yet**", String::as_str);
            let _ = writeln!(report, "- {}\n  {reason}", tested.name);
            none = false;
        }
        if none {
            report += "None.\n";
        }
        let unviable: Vec<String> = self
            .tested
            .iter()
            .filter_map(|tested| match &tested.outcome {
                Outcome::Unviable(reason) if reason.is_empty() => Some(format!("- {}\n", tested.name)),
                Outcome::Unviable(reason) => Some(format!("- {} ({reason})\n", tested.name)),
                _ => None,
            })
            .collect();
        if !unviable.is_empty() {
            let _ = write!(report, "\n## Not viable\n\n{}", unviable.concat());
        }
        report
    }
}
