//! What is said of one difference.

use serde::Serialize;

/// How much a difference matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A caller sees it.
    Drift,
    /// What the engines can't have alike, or only by a CHECK that is not there.
    Note,
}

/// Where two schemas differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Names it for `[[allow]]`, and never changes while the difference is the same.
    pub key: String,
    /// How much it matters.
    pub severity: Severity,
    /// `column users.email` or the like.
    pub object: String,
    /// PostgreSQL's text, or nothing.
    pub postgres: Option<String>,
    /// SQLite's text, or nothing.
    pub sqlite: Option<String>,
    /// Which file of PostgreSQL's side has introduced it, with its line.
    pub postgres_origin: Option<String>,
    /// Which file of SQLite's side has introduced it, with its line.
    pub sqlite_origin: Option<String>,
    /// What it means for a caller.
    pub meaning: String,
    /// Differences of one group are one convention of the project, and one line of the report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The table, and the columns, for failures that explain it.
    #[serde(skip)]
    pub(crate) concerns: Vec<String>,
}
