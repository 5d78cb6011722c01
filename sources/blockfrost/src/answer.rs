//! What Blockfrost answers, as much of it as is read.

use did_prism::digest::{BlockHash, TransactionId};
use did_prism::ledger::{BlockNo, BlockTime, SlotNo, TransactionIndex};
use node_storage_contract::{BlockHeader, Cursor};
use serde::Deserialize;
use serde_json::Value;

/// `genesis`.
#[derive(Debug, Deserialize)]
pub(crate) struct Genesis {
    pub(crate) network_magic: u64,
}

/// The body of an error.
#[derive(Debug, Deserialize)]
pub(crate) struct ErrorBody {
    pub(crate) status_code: u16,
    pub(crate) message: String,
}

/// `blocks/latest`, `blocks/{hash_or_number}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Block {
    hash: String,
    /// Null for the boundary blocks of the Byron era.
    height: Option<u64>,
    slot: Option<u64>,
    #[serde(rename = "previous_block")]
    previous: Option<String>,
}

/// A block with a number, with as much of it as a cursor needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChainBlock {
    pub(crate) cursor: Cursor,
    /// The hash of the block before.
    pub(crate) previous: Option<BlockHash>,
}

impl Block {
    /// `None` for a block without a number.
    pub(crate) fn checked(&self) -> Result<Option<ChainBlock>, String> {
        let Some(height) = self.height else { return Ok(None) };
        let slot = self
            .slot
            .ok_or_else(|| format!("block {height} has a number and no slot"))?;
        let previous = self.previous.as_deref().map(str::parse).transpose();
        Ok(Some(ChainBlock {
            cursor: Cursor {
                block: BlockNo::try_from(height).map_err(|error| error.to_string())?,
                slot: SlotNo::try_from(slot).map_err(|error| error.to_string())?,
                hash: hash(&self.hash)?,
            },
            previous: previous.map_err(|_| format!("block {height} has a previous_block that is no hash"))?,
        }))
    }
}

/// An entry of `metadata/txs/labels/{label}/cbor`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Entry {
    tx_hash: String,
    /// Hexadecimal digits.
    #[serde(default)]
    metadata: Option<String>,
    /// The same with `\x` before it, which the API had before `metadata` and still has.
    #[serde(default)]
    cbor_metadata: Option<String>,
}

impl Entry {
    /// The id of its transaction.
    pub(crate) fn id(&self) -> Result<TransactionId, String> {
        let wrong = |error| format!("an entry has a tx_hash that is none: {error}");
        self.tx_hash.parse().map_err(wrong)
    }

    /// The digits of the metadata map. `None` where there is none.
    pub(crate) fn metadata(&self) -> Option<&str> {
        let former = || {
            let text = self.cbor_metadata.as_deref()?;
            Some(text.strip_prefix("\\x").unwrap_or(text))
        };
        let digits = self.metadata.as_deref().or_else(former);
        digits.filter(|digits| !digits.is_empty())
    }
}

/// `txs/{hash}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Transaction {
    block: String,
    block_height: u64,
    /// Seconds since 1970.
    block_time: i64,
    slot: u64,
    index: u64,
    valid_contract: bool,
}

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) block: BlockHeader,
    pub(crate) absn: TransactionIndex,
    /// Whether its scripts passed.
    pub(crate) is_valid: bool,
}

impl Transaction {
    pub(crate) fn position(&self) -> Result<Position, String> {
        let micros = self.block_time.saturating_mul(1_000_000);
        Ok(Position {
            block: BlockHeader {
                number: BlockNo::try_from(self.block_height).map_err(|error| error.to_string())?,
                slot: SlotNo::try_from(self.slot).map_err(|error| error.to_string())?,
                hash: hash(&self.block)?,
                // A saturated number is out of the range of times.
                time: BlockTime::from_unix_micros(micros).map_err(|error| error.to_string())?,
            },
            absn: TransactionIndex::try_from(self.index).map_err(|error| error.to_string())?,
            is_valid: self.valid_contract,
        })
    }
}

/// An entry of `txs/{hash}/metadata`.
#[derive(Debug, Deserialize)]
pub(crate) struct JsonEntry {
    pub(crate) label: String,
    pub(crate) json_metadata: Value,
}

fn hash(text: &str) -> Result<BlockHash, String> {
    text.parse()
        .map_err(|error| format!("the hash of a block is none: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(value: Value) -> Entry {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn metadata_is_read_from_the_newer_member_and_from_the_older_one() {
        for value in [
            json!({"tx_hash": "", "metadata": "a0", "cbor_metadata": null}),
            json!({"tx_hash": "", "metadata": "a0", "cbor_metadata": "\\xa0"}),
            json!({"tx_hash": "", "cbor_metadata": "\\xa0"}),
            json!({"tx_hash": "", "metadata": null, "cbor_metadata": "a0"}),
        ] {
            assert_eq!(entry(value).metadata(), Some("a0"));
        }
        for value in [
            json!({"tx_hash": "", "metadata": null, "cbor_metadata": null}),
            json!({"tx_hash": ""}),
            json!({"tx_hash": "", "cbor_metadata": "\\x"}),
        ] {
            assert_eq!(entry(value).metadata(), None);
        }
    }

    #[test]
    fn values_out_of_range_are_named() {
        let good = json!({
            "block": "ab".repeat(32), "block_height": 5, "block_time": 1_662_976_800, "slot": 100, "index": 3,
            "valid_contract": true,
        });
        let position = serde_json::from_value::<Transaction>(good.clone())
            .unwrap()
            .position()
            .unwrap();
        assert_eq!(position.block.time.to_string(), "2022-09-12T10:00:00Z");
        for (member, value, named) in [
            ("block", json!("ab"), "hash"),
            ("block_height", json!(u64::MAX), "block number"),
            ("block_time", json!(i64::MAX), "block time"),
            ("slot", json!(u64::MAX), "slot"),
            ("index", json!(1_u64 << 31), "absn"),
        ] {
            let mut wrong = good.clone();
            wrong[member] = value;
            let error = serde_json::from_value::<Transaction>(wrong).unwrap().position();
            assert!(error.clone().is_err_and(|error| error.contains(named)), "{error:?}");
        }
    }

    #[test]
    fn block_without_a_number_is_none() {
        let block = |height: Value, slot: Value| {
            let value = json!({"hash": "ab".repeat(32), "height": height, "slot": slot, "previous_block": null});
            serde_json::from_value::<Block>(value).unwrap().checked()
        };
        assert_eq!(block(json!(null), json!(null)), Ok(None));
        assert!(block(json!(5), json!(null)).is_err());
        assert_eq!(block(json!(5), json!(100)).unwrap().unwrap().previous, None);
    }
}
