//! Places and times on the ledger, in the ranges that every store must hold.
//!
//! The bounds are those of signed 63- and 31-bit numbers, so that a value fits every engine's integer column; a value
//! outside is refused when it enters, never wrapped.

use std::fmt;

mod block;
mod block_time;

pub use block::{OperationBytes, PublishedBlock, PublishedOperation, PublishedTransaction};
pub use block_time::{BlockTime, InvalidBlockTime};

/// A value outside the range that its field may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {value} is out of range ({range})")]
pub struct OutOfRange {
    /// The field, in the standard's words, for example `slot`.
    pub field: &'static str,
    /// The value, as written by whoever delivered it.
    pub value: String,
    /// The range, for people.
    pub range: &'static str,
}

macro_rules! bounded_number {
    ($(#[$doc:meta])* $name:ident, $number:ty, $signed:ty, $field:literal, $range:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($number);

        impl $name {
            /// The lowest value.
            pub const MIN: Self = Self(0);
            /// The highest value.
            pub const MAX: Self = Self(<$signed>::MAX.unsigned_abs());

            /// The number.
            pub const fn get(self) -> $number {
                self.0
            }
        }

        impl TryFrom<u64> for $name {
            type Error = OutOfRange;

            fn try_from(value: u64) -> Result<Self, OutOfRange> {
                <$number>::try_from(value)
                    .ok()
                    .filter(|number| *number <= Self::MAX.0)
                    .map(Self)
                    .ok_or_else(|| OutOfRange { field: $field, value: value.to_string(), range: $range })
            }
        }

        impl TryFrom<$signed> for $name {
            type Error = OutOfRange;

            fn try_from(value: $signed) -> Result<Self, OutOfRange> {
                <$number>::try_from(value)
                    .map(Self)
                    .map_err(|_| OutOfRange { field: $field, value: value.to_string(), range: $range })
            }
        }

        impl From<$name> for $signed {
            fn from(value: $name) -> $signed {
                // Never saturates: the constructor keeps the value at or below the signed type's maximum.
                value.0.try_into().unwrap_or(<$signed>::MAX)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

bounded_number!(
    /// Number of a Cardano slot, 0…2⁶³−1.
    SlotNo, u64, i64, "slot", "0 to 2^63-1"
);
bounded_number!(
    /// Number (height) of a Cardano block, 0…2⁶³−1.
    BlockNo, u64, i64, "block number", "0 to 2^63-1"
);
bounded_number!(
    /// `absn`: index of a transaction in its Cardano block, all transactions counted, 0…2³¹−1.
    TransactionIndex, u32, i32, "absn", "0 to 2^31-1"
);
bounded_number!(
    /// `osn`: index of an operation in its `PrismBlock`, all operations counted, 0…2³¹−1.
    OperationIndex, u32, i32, "osn", "0 to 2^31-1"
);

/// Where an operation stands on the ledger. Operations are ordered by it (protocol.md#order).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationPosition {
    /// The block.
    pub block: BlockNo,
    /// The transaction in the block.
    pub absn: TransactionIndex,
    /// The operation in the transaction.
    pub osn: OperationIndex,
}

impl fmt::Display for OperationPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block {}, absn {}, osn {}", self.block, self.absn, self.osn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_their_range_are_refused_and_named() {
        assert_eq!(
            SlotNo::try_from(1_u64 << 63).unwrap_err().to_string(),
            "slot 9223372036854775808 is out of range (0 to 2^63-1)"
        );
        assert_eq!(i64::from(SlotNo::try_from((1_u64 << 63) - 1).unwrap()), i64::MAX);
        assert!(OperationIndex::try_from(1_u64 << 31).is_err());
        assert!(OperationIndex::try_from(-1_i32).is_err());
        assert_eq!(OperationIndex::MAX.get(), 0x7fff_ffff);
    }
}
