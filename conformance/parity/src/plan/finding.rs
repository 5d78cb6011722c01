//! What is wrong with a plan.

use serde::Serialize;

use crate::engine::Engine;

/// What is wrong with a plan, or with the register of queries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The query's name.
    pub query: String,
    /// The scenario's name, where the file has any and the plan is what is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// Whose plan it is.
    pub engine: Engine,
    /// What is wrong, in a sentence.
    pub problem: String,
    /// The plan, a step a line.
    pub plan: Vec<String>,
}

/// The result of reading all plans.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plans {
    /// How many plans were read: one for each statement in each scenario.
    pub read: usize,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Plans {
    /// Adds what was read of another engine.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.read += other.read;
        self.findings.extend(other.findings);
        self
    }
}

/// What is wrong with one plan, before it is known whose it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) text: String,
    pub(super) plan: Vec<String>,
}
