//! Places on the chain, as the protocols and the command line name them.

use std::fmt;
use std::str::FromStr;

use did_prism::digest::BlockHash;
use did_prism::ledger::SlotNo;
use node_storage_contract::Cursor;
use pallas_network::miniprotocols::Point as WirePoint;

/// A block, named by its slot and hash. Written and parsed as `SLOT.HASH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Slot of the block.
    pub slot: SlotNo,
    /// Hash of the block.
    pub hash: BlockHash,
}

impl Point {
    /// The block that a cursor stands at.
    pub const fn of(cursor: Cursor) -> Self {
        Self {
            slot: cursor.slot,
            hash: cursor.hash,
        }
    }

    /// As it is sent.
    pub(crate) fn to_wire(self) -> WirePoint {
        WirePoint::Specific(self.slot.get(), self.hash.as_slice().to_vec())
    }

    /// As it was received; `None` for the origin, the place before the first block.
    pub(crate) fn from_wire(point: &WirePoint) -> Result<Option<Self>, String> {
        match point {
            WirePoint::Origin => Ok(None),
            WirePoint::Specific(slot, hash) => Ok(Some(Self {
                slot: SlotNo::try_from(*slot).map_err(|error| error.to_string())?,
                hash: BlockHash::try_from(hash.as_slice())
                    .map_err(|_| format!("a block hash of {} bytes in place of 32", hash.len()))?,
            })),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.hash)
    }
}

/// Text that is not `SLOT.HASH`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not SLOT.HASH: a slot number, a dot, and the 64 lowercase hexadecimal digits of the block's hash")]
pub struct InvalidPoint(String);

impl FromStr for Point {
    type Err = InvalidPoint;

    fn from_str(text: &str) -> Result<Self, InvalidPoint> {
        let point = || {
            let (slot, hash) = text.split_once('.')?;
            // A number as Rust reads it, but for its sign.
            let slot: u64 = slot
                .bytes()
                .all(|byte| byte.is_ascii_digit())
                .then_some(slot)?
                .parse()
                .ok()?;
            Some(Self {
                slot: SlotNo::try_from(slot).ok()?,
                hash: hash.parse().ok()?,
            })
        };
        point().ok_or_else(|| InvalidPoint(text.to_owned()))
    }
}

/// A point, or the place before the first block.
pub(crate) fn shown(point: Option<Point>) -> String {
    point.map_or_else(|| "the origin".to_owned(), |point| point.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_written_as_it_is_read() {
        let text = format!("71482583.{}", "4d".repeat(32));
        assert_eq!(text.parse::<Point>().unwrap().to_string(), text);
    }

    #[test]
    fn other_text_is_refused() {
        let hash = "4d".repeat(32);
        for text in [
            String::new(),
            hash.clone(),
            format!(".{hash}"),
            format!("+1.{hash}"),
            format!("-1.{hash}"),
            format!("9223372036854775808.{hash}"),
            format!("1,{hash}"),
            format!("1.{}", &hash[1..]),
            format!("1.{}", hash.to_uppercase()),
            format!("1.{hash}.2"),
        ] {
            assert!(text.parse::<Point>().is_err(), "{text}");
        }
    }
}
