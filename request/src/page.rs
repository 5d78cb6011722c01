//! Which page of a listing is asked for.

use std::fmt;
use std::str::FromStr;

use did_prism::ledger::{BlockNo, OperationIndex, OperationPosition, OutOfRange, TransactionIndex};
use node_storage_contract::PageLimit;

/// Most items of a page that a client may ask for.
const MAX_LIMIT: u64 = 1000;
/// Items of a page for a client that does not say.
const DEFAULT_LIMIT: u64 = 100;

/// A `limit` that no page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("limit must be 1 to {MAX_LIMIT}")]
pub struct InvalidLimit;

/// The length of a page that `limit` in a query asks for, 1 to 1000, by default 100; and one more, to see whether
/// another page follows.
pub fn page_limit(limit: Option<u64>) -> Result<(usize, PageLimit), InvalidLimit> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    let with_next = limit.checked_add(1).and_then(|limit| PageLimit::try_from(limit).ok());
    match (usize::try_from(limit), with_next) {
        (Ok(length), Some(with_next)) if (1..=MAX_LIMIT).contains(&limit) => Ok((length, with_next)),
        _ => Err(InvalidLimit),
    }
}

/// A position as clients see it: `block:absn:osn`, in decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionToken(pub OperationPosition);

impl fmt::Display for PositionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.0.block, self.0.absn, self.0.osn)
    }
}

/// Text that is not a position.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPosition {
    /// Not three numbers.
    #[error("a position has the form block:absn:osn, for example 7000000:3:0")]
    Syntax,
    /// A number that no position has.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

impl FromStr for PositionToken {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let mut numbers = text.split(':').map(|digits| {
            let is_decimal = digits.bytes().all(|digit| digit.is_ascii_digit());
            digits.parse::<u64>().ok().filter(|_| is_decimal)
        });
        match (numbers.next(), numbers.next(), numbers.next(), numbers.next()) {
            (Some(Some(block)), Some(Some(absn)), Some(Some(osn)), None) => Ok(Self(OperationPosition {
                block: BlockNo::try_from(block)?,
                absn: TransactionIndex::try_from(absn)?,
                osn: OperationIndex::try_from(osn)?,
            })),
            _ => Err(InvalidPosition::Syntax),
        }
    }
}
