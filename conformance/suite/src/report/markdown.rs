//! The report as Markdown, for a file or a summary of a CI run.

use std::fmt::Write;

use super::{BackendReport, CaseResult, Report, concerns};
use crate::LINES;
use crate::record::Outcome;

impl Report {
    /// Matrix, the lines of the contract with their cases, exclusions, failures with their messages, what isolation costs, the seeded defects, and every case with its
    /// outcome and time on every backend.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# Conformance report\n\n`{}`\n\n", self.summary());
        let mut table = Table::new(&mut text, "Concern", self);
        for concern in concerns(self.level) {
            table.row(concern, |report| report.passed(|case| case.concern == concern));
        }
        table.row("**all**", |report| report.passed(|_| true));
        for badge in self.badges() {
            let _ = write!(text, "\n`{badge}`\n");
        }
        self.list_lines(&mut text);
        self.list(&mut text, "Excluded", BackendReport::excluded);
        self.list(&mut text, "Did not pass", BackendReport::unmet);
        if !self.isolation.is_empty() {
            text += "\n## Isolation\n\n";
            for isolation in &self.isolation {
                let _ = writeln!(text, "- {isolation}");
            }
        }
        if let Some(defects) = &self.defects {
            let _ = write!(text, "\n## Seeded defects\n\n{}\n", defects.trim_end());
        }
        text += "\n## Cases\n\n";
        let mut table = Table::new(&mut text, "Case", self);
        for (index, case) in self.level.cases().enumerate() {
            table.row(&format!("`{case}`"), |report| {
                report.results.get(index).map(cell).unwrap_or_default()
            });
        }
        text
    }

    /// For each line of the storage contract, the cases that are about it.
    fn list_lines(&self, text: &mut String) {
        *text += "\n## Lines of the storage contract\n\n";
        let mut table = Table::new(text, "Line", self);
        for (number, line) in (1..).zip(LINES) {
            table.row(&format!("{number}. {line}"), |report| {
                report.passed(|case| case.lines.contains(&number))
            });
        }
        for (number, line) in (1..).zip(LINES) {
            let _ = write!(text, "\n### {number}. {line}\n\n");
            for concern in concerns(self.level) {
                let names: Vec<&str> = self
                    .level
                    .cases()
                    .filter(|case| case.concern == concern && case.lines.contains(&number))
                    .map(|case| case.name)
                    .collect();
                if !names.is_empty() {
                    let _ = writeln!(text, "- `{concern}`: {}", names.join(", "));
                }
            }
        }
    }

    /// A section with what some cases say on each backend; none where there are none.
    fn list<'a, Said>(&'a self, text: &mut String, title: &str, said: impl Fn(&'a BackendReport) -> Said)
    where
        Said: Iterator<Item = (crate::Case, &'a str)>,
    {
        let mut items = String::new();
        for report in &self.backends {
            for (case, what) in said(report) {
                let _ = writeln!(items, "- `{}::{case}`\n", report.backend);
                for line in what.lines() {
                    // A code block within the item, whatever the message holds.
                    let _ = writeln!(items, "      {line}");
                }
                items.push('\n');
            }
        }
        if !items.is_empty() {
            let _ = write!(text, "\n## {title}\n\n{items}");
        }
    }
}

fn cell(result: &CaseResult) -> String {
    match (&result.outcome, result.time) {
        (Outcome::Passed { .. }, Some(time)) => format!("{:.3} s", time.as_secs_f64()),
        (Outcome::Passed { .. }, None) => "passed".to_owned(),
        (Outcome::Excluded { .. }, _) => "excluded".to_owned(),
        (Outcome::Failed { .. }, _) => "**failed**".to_owned(),
        (Outcome::DidNotEnd, _) => "**did not end**".to_owned(),
        (Outcome::DidNotRun, _) => "**did not run**".to_owned(),
    }
}

/// A table with a column for each backend.
struct Table<'a> {
    text: &'a mut String,
    report: &'a Report,
}

impl<'a> Table<'a> {
    fn new(text: &'a mut String, head: &str, report: &'a Report) -> Self {
        let mut table = Self { text, report };
        table.row(head, |report| report.backend.clone());
        let rule = "|---".to_owned() + &"|---:".repeat(report.backends.len());
        let _ = writeln!(table.text, "{rule}|");
        table
    }

    fn row(&mut self, head: &str, cell: impl Fn(&BackendReport) -> String) {
        let _ = write!(self.text, "| {head} |");
        for report in &self.report.backends {
            let _ = write!(self.text, " {} |", cell(report));
        }
        self.text.push('\n');
    }
}
