//! The lines that a diff adds or changes, so that a run can be limited to them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A unified diff, as `git diff` prints it.
#[derive(Debug, Clone, Default)]
pub struct Diff {
    files: BTreeMap<PathBuf, Vec<Range<usize>>>,
}

impl Diff {
    /// Reads a diff. What is no part of one is passed over.
    pub fn parse(text: &str) -> Self {
        let mut files: BTreeMap<PathBuf, Vec<Range<usize>>> = BTreeMap::new();
        let mut file = None;
        let mut line = 0;
        for row in text.lines() {
            if let Some(name) = row.strip_prefix("+++ ") {
                let name = name.split('\t').next().unwrap_or(name);
                file = Some(PathBuf::from(name.strip_prefix("b/").unwrap_or(name)));
            } else if let Some(hunk) = row.strip_prefix("@@ ") {
                // "-12,3 +14,5 @@": the new lines start at 14.
                line = hunk
                    .split('+')
                    .nth(1)
                    .and_then(|new| new.split([',', ' ']).next())
                    .and_then(|start| start.parse().ok())
                    .unwrap_or(0);
            } else if let Some(file) = &file {
                if row.starts_with('+') {
                    files.entry(file.clone()).or_default().push(line..line + 1);
                    line += 1;
                } else if row.starts_with('-') {
                    // What stands around a removed line has changed too.
                    files.entry(file.clone()).or_default().push(line..line + 1);
                } else {
                    line += 1;
                }
            }
        }
        Self { files }
    }

    /// Whether the diff changes one of these lines.
    pub fn touches(&self, file: &Path, lines: &Range<usize>) -> bool {
        self.files.get(file).is_some_and(|changed| {
            changed
                .iter()
                .any(|range| range.start < lines.end && lines.start < range.end)
        })
    }
}
