//! What became of an operation: what the index says of it, and how the replay of its DID judged it.

use std::fmt;

use did_prism::rejection::Rejection;
use did_prism::route::IgnoredReason;
use did_prism::rule::Rule;
use node_storage_contract::Reason;

/// What became of one occurrence of an operation on the ledger. All but `Pending` is final: it follows from what stands at
/// lower positions, which never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationStatus {
    /// It is stored and not yet indexed.
    Pending,
    /// It had an effect on its DID, or on a storage entry of it.
    Applied,
    /// It was routed to a DID and broke a rule there.
    NoEffect(Rejection),
    /// It belongs to no DID.
    Ignored(Reason),
    /// Its bytes are no operation.
    Undecodable(Reason),
}

impl OperationStatus {
    /// Whether it had an effect.
    pub fn is_applied(&self) -> bool {
        *self == Self::Applied
    }

    /// The rule that kept it from having an effect; none while it is pending, and where it was applied.
    pub fn broken_rule(&self) -> Option<BrokenRule> {
        match self {
            Self::Pending | Self::Applied => None,
            Self::NoEffect(rejection) => Some(BrokenRule::new(rejection.rule(), rejection)),
            Self::Ignored(reason) => {
                let rule = IgnoredReason::from_text(reason.as_str()).map_or(Rule::Other, IgnoredReason::rule);
                Some(BrokenRule::new(rule, reason))
            }
            Self::Undecodable(reason) => Some(BrokenRule::new(Rule::Undecodable, reason)),
        }
    }
}

impl From<Result<(), Rejection>> for OperationStatus {
    fn from(judgement: Result<(), Rejection>) -> Self {
        match judgement {
            Ok(()) => Self::Applied,
            Err(rejection) => Self::NoEffect(rejection),
        }
    }
}

/// The rule that an operation breaks, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRule {
    /// The rule.
    pub rule: Rule,
    /// How it is broken, for people. It may quote the operation, and is cut after [`BrokenRule::MAX_DETAIL`] characters.
    pub detail: String,
}

impl BrokenRule {
    /// The longest detail, in characters, without the mark of a cut. Room for the longest service endpoint.
    pub const MAX_DETAIL: usize = 500;

    fn new(rule: Rule, detail: impl fmt::Display) -> Self {
        let mut detail = detail.to_string();
        if let Some((end, _)) = detail.char_indices().nth(Self::MAX_DETAIL) {
            detail.truncate(end);
            detail.push('…');
        }
        Self { rule, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_only_another_version_knows_keeps_its_text() {
        let status = OperationStatus::Ignored(Reason::new("the moon was full"));
        let BrokenRule { rule, detail } = status.broken_rule().unwrap();
        assert_eq!((rule, detail.as_str()), (Rule::Other, "the moon was full"));
    }

    #[test]
    fn a_detail_that_quotes_too_much_is_cut() {
        let status = OperationStatus::NoEffect(Rejection::RevokedSigner("é".repeat(1_000)));
        let detail = status.broken_rule().unwrap().detail;
        assert_eq!(detail.chars().count(), BrokenRule::MAX_DETAIL + 1);
        assert!(detail.ends_with("é…"), "{detail}");
        let status = OperationStatus::NoEffect(Rejection::RevokedSigner("é".repeat(100)));
        assert!(status.broken_rule().unwrap().detail.ends_with("was revoked before"));
    }
}
