//! From rows to blocks.

use did_prism::digest::{BlockHash, TransactionId};
use did_prism::envelope::{EnvelopeError, operations_in_json, operations_in_metadata};
use did_prism::ledger::{
    BlockNo, BlockTime, OutOfRange, PublishedBlock, PublishedOperation, PublishedTransaction, SlotNo, TransactionIndex,
};
use node_storage_contract::{BlockHeader, Cursor};
use sqlx::Row;
use sqlx::postgres::PgRow;

/// A block as the table `block` has it, with as much of it as a cursor needs.
#[derive(Debug, Clone)]
pub(crate) struct BlockRow {
    number: i64,
    slot: Option<i64>,
    hash: Vec<u8>,
}

impl BlockRow {
    pub(crate) fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            number: row.try_get("number")?,
            slot: row.try_get("slot")?,
            hash: row.try_get("hash")?,
        })
    }

    /// The cursor at this block.
    pub(crate) fn cursor(&self) -> Result<Cursor, Malformed> {
        let at = || format!("block {}", self.number);
        Ok(Cursor {
            slot: slot(self.slot).map_err(|detail| Malformed::new(at(), detail))?,
            block: number(self.number).map_err(|detail| Malformed::new(at(), detail))?,
            hash: hash(&self.hash)
                .map(BlockHash::new)
                .map_err(|detail| Malformed::new(at(), detail))?,
        })
    }
}

/// An entry of ours with its transaction and its block.
#[derive(Debug, Clone)]
pub(crate) struct EntryRow {
    block: BlockRow,
    /// Microseconds since 1970.
    time: i64,
    absn: i64,
    transaction: Vec<u8>,
    bytes: Option<Vec<u8>>,
    json: Option<String>,
}

impl EntryRow {
    pub(crate) fn read(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            block: BlockRow::read(row)?,
            time: row.try_get("time")?,
            absn: row.try_get("absn")?,
            transaction: row.try_get("transaction")?,
            bytes: row.try_get("bytes")?,
            json: row.try_get("json")?,
        })
    }

    /// The number of its block.
    pub(crate) const fn number(&self) -> i64 {
        self.block.number
    }

    /// The operations of the entry.
    ///
    /// `bytes` is a CBOR map of the one label with its entry, which tells byte strings from text. The JSON view is for rows
    /// that lack it.
    fn operations(&self) -> Result<Vec<PublishedOperation>, EnvelopeError> {
        if let Some(bytes) = self.bytes.as_ref().filter(|bytes| !bytes.is_empty()) {
            let operations = operations_in_metadata(bytes)?;
            return operations.ok_or(EnvelopeError::Shape(
                "the metadata has no entry with the label of its row",
            ));
        }
        let json = self.json.as_deref().unwrap_or("null");
        let entry =
            serde_json::from_str(json).map_err(|_| EnvelopeError::Shape("the entry is neither CBOR nor JSON"))?;
        operations_in_json(&entry)
    }

    fn at(&self) -> String {
        format!("block {}, absn {}", self.block.number, self.absn)
    }
}

/// A row that can't be what db-sync writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// The block, and the transaction where it is about one.
    pub(crate) at: String,
    pub(crate) detail: String,
}

impl Malformed {
    const fn new(at: String, detail: String) -> Self {
        Self { at, detail }
    }
}

/// The blocks with operations among these rows, which come by block number and `absn`.
///
/// A malformed entry is told and passed over (edge-cases.md#o14).
pub(crate) fn blocks(rows: &[EntryRow]) -> Result<Vec<PublishedBlock>, Malformed> {
    let mut blocks = Vec::new();
    for rows in rows.chunk_by(|a, b| a.number() == b.number()) {
        blocks.extend(block(rows)?);
    }
    Ok(blocks)
}

/// The block that all of these rows are of. `None` if none of its entries has operations.
fn block(rows: &[EntryRow]) -> Result<Option<PublishedBlock>, Malformed> {
    let mut transactions: Vec<PublishedTransaction> = Vec::new();
    for row in rows {
        let Some(transaction) = transaction(row)? else { continue };
        match transactions.last() {
            Some(last) if *last == transaction => {}
            Some(last) if last.absn == transaction.absn => {
                let detail = "two transactions, or entries, have this place".to_owned();
                return Err(Malformed::new(row.at(), detail));
            }
            _ => transactions.push(transaction),
        }
    }
    let (Some(first), false) = (rows.first(), transactions.is_empty()) else {
        return Ok(None);
    };
    let header = header(first)?;
    Ok(Some(PublishedBlock {
        number: header.number,
        slot: header.slot,
        hash: header.hash,
        time: header.time,
        transactions,
    }))
}

fn header(row: &EntryRow) -> Result<BlockHeader, Malformed> {
    let cursor = row.block.cursor()?;
    Ok(BlockHeader {
        number: cursor.block,
        slot: cursor.slot,
        hash: cursor.hash,
        time: BlockTime::from_unix_micros(row.time).map_err(|error| Malformed::new(row.at(), error.to_string()))?,
    })
}

fn transaction(row: &EntryRow) -> Result<Option<PublishedTransaction>, Malformed> {
    let malformed = |detail: String| Malformed::new(row.at(), detail);
    let id = hash(&row.transaction).map(TransactionId::new).map_err(malformed)?;
    let absn = TransactionIndex::try_from(u64::try_from(row.absn).map_err(|_| malformed(negative(row.absn)))?)
        .map_err(|error| malformed(error.to_string()))?;
    match row.operations() {
        Ok(operations) => Ok((!operations.is_empty()).then_some(PublishedTransaction { absn, id, operations })),
        Err(error) => {
            tracing::warn!("{}: transaction {id} is passed over: {error}", row.at());
            Ok(None)
        }
    }
}

fn number(value: i64) -> Result<BlockNo, String> {
    BlockNo::try_from(value).map_err(|error: OutOfRange| error.to_string())
}

fn slot(value: Option<i64>) -> Result<SlotNo, String> {
    let slot = value.ok_or("it has a number and no slot")?;
    SlotNo::try_from(slot).map_err(|error: OutOfRange| error.to_string())
}

fn hash(bytes: &[u8]) -> Result<[u8; 32], String> {
    let length = bytes.len();
    bytes
        .try_into()
        .map_err(|_| format!("a hash of {length} bytes in place of 32"))
}

fn negative(value: i64) -> String {
    format!("{value} is negative")
}

#[cfg(test)]
mod tests {
    use did_prism::envelope::{encode_metadata, encode_object};

    use super::*;

    /// The entry of transaction `absn` in a block, with one operation.
    fn row(number: i64, absn: i64) -> EntryRow {
        let operation = prism_fixtures::Identity::new(1, 1).create().bytes;
        EntryRow {
            block: BlockRow {
                number,
                slot: Some(number * 20),
                hash: vec![1; 32],
            },
            time: 1_662_976_800_000_000,
            absn,
            transaction: vec![2; 32],
            bytes: Some(encode_metadata(&encode_object(&[operation]))),
            json: None,
        }
    }

    #[test]
    fn rows_of_a_block_become_one_block() {
        let found = blocks(&[row(5, 0), row(5, 3), row(6, 1)]).unwrap();
        let shape: Vec<_> = found
            .iter()
            .map(|block| (block.number.get(), block.transactions.len()))
            .collect();
        assert_eq!(shape, [(5, 2), (6, 1)]);
        assert_eq!(found[0].time.to_string(), "2022-09-12T10:00:00Z");
    }

    // edge-cases.md#o14
    #[test]
    fn malformed_entry_is_passed_over_with_its_transaction_alone() {
        let without_label = EntryRow {
            bytes: Some(vec![0xa0]),
            ..row(5, 1)
        };
        let nothing = EntryRow {
            bytes: None,
            ..row(5, 2)
        };
        let text = EntryRow {
            bytes: Some(Vec::new()),
            json: Some(r#"{"v": 1, "c": ["text"]}"#.to_owned()),
            ..row(6, 0)
        };
        let found = blocks(&[row(5, 0), without_label, nothing, text]).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].transactions.len(), 1);
    }

    #[test]
    fn row_that_came_twice_counts_once_and_two_for_one_place_are_malformed() {
        let found = blocks(&[row(5, 0), row(5, 0)]).unwrap();
        assert_eq!(found[0].transactions.len(), 1);
        let other = EntryRow {
            transaction: vec![3; 32],
            ..row(5, 0)
        };
        assert_eq!(blocks(&[row(5, 0), other]).unwrap_err().at, "block 5, absn 0");
    }

    #[test]
    fn values_out_of_range_are_malformed_and_named() {
        type Change = fn(&mut EntryRow);
        let cases: [(Change, &str); 5] = [
            (|row| row.block.slot = None, "no slot"),
            (|row| row.block.slot = Some(-1), "slot -1"),
            (|row| row.block.hash = vec![1; 31], "31 bytes"),
            (|row| row.time = i64::MAX, "block time"),
            (|row| row.absn = 1 << 31, "absn 2147483648"),
        ];
        for (change, named) in cases {
            let mut wrong = row(5, 0);
            change(&mut wrong);
            let malformed = blocks(&[wrong]).unwrap_err();
            assert!(malformed.detail.contains(named), "{malformed:?}");
        }
    }
}
