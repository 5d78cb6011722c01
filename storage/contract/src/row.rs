//! Rows as every SQL engine delivers them, in its widest types, and their way back into the contract's types.
//!
//! A value that no write of this contract can have stored makes [`StorageError::Corrupt`], never a panic or a wrapped number.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use did_prism::digest::{BlockHash, DidSuffix, InvalidDigest, OperationHash, OperationId, TransactionId};
use did_prism::ledger::{
    BlockNo, BlockTime, OperationBytes, OperationIndex, OperationPosition, SlotNo, TransactionIndex,
};
use did_prism::state::LedgerOperation;

use crate::{
    BlockHeader, Cursor, IndexOutcome, ListedDid, OperationRecord, PageLimit, PublishedRecord, Reason, Result,
    StorageError, StorageOwner, StoredBlocks, TransactionRecord,
};

/// A position.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // Each field is the column of that name.
pub struct PositionRow {
    pub block_number: i64,
    pub absn: i64,
    pub osn: i64,
}

impl PositionRow {
    /// The key that a page after `position` starts above; without one, a key below every position.
    pub fn after(position: Option<OperationPosition>) -> Self {
        position.map_or(
            Self {
                block_number: -1,
                absn: -1,
                osn: -1,
            },
            Self::from,
        )
    }
}

impl From<OperationPosition> for PositionRow {
    fn from(position: OperationPosition) -> Self {
        Self {
            block_number: position.block.into(),
            absn: i32::from(position.absn).into(),
            osn: i32::from(position.osn).into(),
        }
    }
}

/// A block.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct BlockRow {
    pub block_number: i64,
    pub slot: i64,
    pub block_hash: Vec<u8>,
    pub block_time: i64,
}

/// A transaction's place.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct TransactionRow {
    pub block_number: i64,
    pub absn: i64,
    pub transaction_id: Vec<u8>,
}

/// The cursor; all columns are empty together.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct CursorRow {
    pub slot: Option<i64>,
    pub block_number: Option<i64>,
    pub block_hash: Option<Vec<u8>>,
}

/// The watermark, or another position that may be absent; all columns are empty together.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct OptionalPositionRow {
    pub block_number: Option<i64>,
    pub absn: Option<i64>,
    pub osn: Option<i64>,
}

/// What is compared when a stored block is delivered again: an operation's place and ids, and those of its block.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct ContentRow {
    pub block_number: i64,
    pub slot: i64,
    pub block_hash: Vec<u8>,
    pub block_time: i64,
    pub absn: i64,
    pub transaction_id: Vec<u8>,
    pub osn: i64,
    pub operation_id: Vec<u8>,
}

/// An operation alone.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct PublishedOperationRow {
    pub block_number: i64,
    pub absn: i64,
    pub osn: i64,
    pub operation_id: Vec<u8>,
    pub signed_operation: Vec<u8>,
}

/// A transaction with its block.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct PublishedTransactionRow {
    pub block_number: i64,
    pub absn: i64,
    pub transaction_id: Vec<u8>,
    pub slot: i64,
    pub block_hash: Vec<u8>,
    pub block_time: i64,
}

/// A transaction with its block, and the number of its operations.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct TransactionHeaderRow {
    pub block_number: i64,
    pub absn: i64,
    pub slot: i64,
    pub block_hash: Vec<u8>,
    pub block_time: i64,
    pub operation_count: i64,
}

/// An operation with its transaction, its block and its index entry.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct OperationRow {
    pub block_number: i64,
    pub absn: i64,
    pub osn: i64,
    pub slot: i64,
    pub block_hash: Vec<u8>,
    pub block_time: i64,
    pub transaction_id: Vec<u8>,
    pub operation_id: Vec<u8>,
    pub signed_operation: Vec<u8>,
    pub kind: Option<String>,
    pub did: Option<Vec<u8>>,
    pub operation_hash: Option<Vec<u8>>,
    pub lists_did: Option<bool>,
    pub ignored_reason: Option<String>,
}

/// A listed DID.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct ListedDidRow {
    pub did: Vec<u8>,
    pub block_number: i64,
    pub absn: i64,
    pub osn: i64,
}

/// An indexed storage operation.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct StorageOwnerRow {
    pub operation_hash: Vec<u8>,
    pub did: Vec<u8>,
    pub block_number: i64,
    pub absn: i64,
    pub osn: i64,
}

/// The values of an index entry's columns.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct OutcomeColumns<'a> {
    pub kind: &'static str,
    pub did: Option<&'a [u8]>,
    pub operation_hash: Option<&'a [u8]>,
    pub lists_did: bool,
    pub ignored_reason: Option<&'a str>,
}

impl<'a> From<&'a IndexOutcome> for OutcomeColumns<'a> {
    fn from(outcome: &'a IndexOutcome) -> Self {
        let routed = |kind, did: &'a DidSuffix, hash: &'a OperationHash, lists_did| Self {
            kind,
            did: Some(did.as_slice()),
            operation_hash: Some(hash.as_slice()),
            lists_did,
            ignored_reason: None,
        };
        let ignored = |kind, reason: &'a Reason| Self {
            kind,
            did: None,
            operation_hash: None,
            lists_did: false,
            ignored_reason: Some(reason.as_str()),
        };
        match outcome {
            IndexOutcome::Did {
                did,
                operation_hash,
                lists_did,
            } => routed("did", did, operation_hash, *lists_did),
            IndexOutcome::Storage { did, operation_hash } => routed("storage", did, operation_hash, false),
            IndexOutcome::Ignored { reason } => ignored("ignored", reason),
            IndexOutcome::Undecodable { reason } => ignored("undecodable", reason),
        }
    }
}

fn digest<'a, D>(subject: impl Display, bytes: &'a [u8]) -> Result<D>
where
    D: TryFrom<&'a [u8], Error = InvalidDigest>,
{
    D::try_from(bytes).map_err(|_| StorageError::corrupt(subject, format!("a hash of {} bytes", bytes.len())))
}

fn number<N, E: Display>(subject: impl Display, value: std::result::Result<N, E>) -> Result<N> {
    value.map_err(|error| StorageError::corrupt(subject, error))
}

fn narrow<N: TryFrom<i32>>(subject: impl Display, field: &str, value: i64) -> Result<N> {
    i32::try_from(value)
        .ok()
        .and_then(|value| N::try_from(value).ok())
        .ok_or_else(|| StorageError::corrupt(subject, format!("{field} {value} is out of range")))
}

impl TryFrom<PositionRow> for OperationPosition {
    type Error = StorageError;

    fn try_from(row: PositionRow) -> Result<Self> {
        let subject = "the position of an operation";
        Ok(Self {
            block: number(subject, BlockNo::try_from(row.block_number))?,
            absn: narrow(subject, "absn", row.absn)?,
            osn: narrow(subject, "osn", row.osn)?,
        })
    }
}

impl TryFrom<OptionalPositionRow> for Option<OperationPosition> {
    type Error = StorageError;

    fn try_from(row: OptionalPositionRow) -> Result<Self> {
        match (row.block_number, row.absn, row.osn) {
            (None, None, None) => Ok(None),
            (Some(block_number), Some(absn), Some(osn)) => OperationPosition::try_from(PositionRow {
                block_number,
                absn,
                osn,
            })
            .map(Some),
            _ => Err(StorageError::corrupt("a position", "it is stored in part")),
        }
    }
}

impl TryFrom<BlockRow> for BlockHeader {
    type Error = StorageError;

    fn try_from(row: BlockRow) -> Result<Self> {
        let subject = format!("block {}", row.block_number);
        Ok(Self {
            number: number(&subject, BlockNo::try_from(row.block_number))?,
            slot: number(&subject, SlotNo::try_from(row.slot))?,
            hash: digest::<BlockHash>(&subject, &row.block_hash)?,
            time: number(&subject, BlockTime::from_unix_micros(row.block_time))?,
        })
    }
}

impl TryFrom<TransactionRow> for (BlockNo, TransactionIndex, TransactionId) {
    type Error = StorageError;

    fn try_from(row: TransactionRow) -> Result<Self> {
        let subject = format!("a transaction of block {}", row.block_number);
        Ok((
            number(&subject, BlockNo::try_from(row.block_number))?,
            narrow(&subject, "absn", row.absn)?,
            digest(&subject, &row.transaction_id)?,
        ))
    }
}

impl TransactionHeaderRow {
    /// The key that a page of the transaction's operations starts above.
    pub fn after(&self, after: Option<OperationPosition>) -> PositionRow {
        let below = PositionRow { osn: -1, ..self.last() };
        let after = PositionRow::after(after);
        let key = |row: PositionRow| (row.block_number, row.absn, row.osn);
        if key(after) > key(below) { after } else { below }
    }

    /// The highest key that an operation of the transaction may have.
    pub fn last(&self) -> PositionRow {
        PositionRow {
            block_number: self.block_number,
            absn: self.absn,
            osn: i64::from(i32::MAX),
        }
    }

    /// The transaction with this id, and a page of its operations.
    ///
    /// # Errors
    /// `Corrupt` for a value out of its range.
    pub fn with_page(self, id: TransactionId, operations: Vec<OperationRecord>) -> Result<TransactionRecord> {
        let subject = format_args!("the transaction {id}");
        Ok(TransactionRecord {
            id,
            absn: narrow(subject, "absn", self.absn)?,
            operation_count: number(subject, u64::try_from(self.operation_count))?,
            block: BlockHeader::try_from(BlockRow {
                block_number: self.block_number,
                slot: self.slot,
                block_hash: self.block_hash,
                block_time: self.block_time,
            })?,
            operations,
        })
    }
}

/// How many operations with these lengths a page of this limit holds, as the value of a LIMIT.
///
/// # Errors
/// `Corrupt` for a length below zero.
pub fn rows_within(limit: PageLimit, lengths: Vec<i64>) -> Result<i64> {
    let lengths = lengths
        .into_iter()
        .map(|length| number("the length of an operation", u64::try_from(length)))
        .collect::<Result<Vec<_>>>()?;
    number("the number of operations", i64::try_from(limit.rows_of(lengths)))
}

impl TryFrom<CursorRow> for Option<Cursor> {
    type Error = StorageError;

    fn try_from(row: CursorRow) -> Result<Self> {
        let subject = "the cursor";
        match (row.slot, row.block_number, row.block_hash) {
            (None, None, None) => Ok(None),
            (Some(slot), Some(block), Some(hash)) => Ok(Some(Cursor {
                slot: number(subject, SlotNo::try_from(slot))?,
                block: number(subject, BlockNo::try_from(block))?,
                hash: digest(subject, &hash)?,
            })),
            _ => Err(StorageError::corrupt(subject, "it is stored in part")),
        }
    }
}

impl StoredBlocks {
    /// Takes over a row of a stored block.
    pub fn insert_row(&mut self, row: ContentRow) -> Result<()> {
        let header = BlockHeader::try_from(BlockRow {
            block_number: row.block_number,
            slot: row.slot,
            block_hash: row.block_hash,
            block_time: row.block_time,
        })?;
        let subject = format!("an operation of block {}", header.number);
        let absn = narrow::<TransactionIndex>(&subject, "absn", row.absn)?;
        let osn = narrow::<OperationIndex>(&subject, "osn", row.osn)?;
        self.insert(
            header,
            absn,
            digest(&subject, &row.transaction_id)?,
            osn,
            digest(&subject, &row.operation_id)?,
        );
        Ok(())
    }
}

/// The operations, each with its transaction and its block out of `transactions`, which come in any order.
///
/// # Errors
/// `Corrupt` for a value out of its range, and for an operation whose transaction is missing.
pub fn published(
    operations: Vec<PublishedOperationRow>,
    transactions: Vec<PublishedTransactionRow>,
) -> Result<Vec<PublishedRecord>> {
    let transactions = transactions
        .into_iter()
        .map(|row| {
            let place = (row.block_number, row.absn);
            let header = BlockHeader::try_from(BlockRow {
                block_number: row.block_number,
                slot: row.slot,
                block_hash: row.block_hash,
                block_time: row.block_time,
            })?;
            let subject = format_args!("a transaction of block {}", row.block_number);
            Ok((place, (header, digest::<TransactionId>(subject, &row.transaction_id)?)))
        })
        .collect::<Result<BTreeMap<_, _>>>()?;
    operations
        .into_iter()
        .map(|row| {
            let position = OperationPosition::try_from(PositionRow {
                block_number: row.block_number,
                absn: row.absn,
                osn: row.osn,
            })?;
            // Written out for a row that is wrong only.
            let subject = format_args!("the operation at {position}");
            let Some((block, transaction_id)) = transactions.get(&(row.block_number, row.absn)) else {
                return Err(StorageError::corrupt(subject, "its transaction is not stored"));
            };
            Ok(PublishedRecord {
                id: digest::<OperationId>(subject, &row.operation_id)?,
                slot: block.slot,
                block_hash: block.hash,
                transaction_id: *transaction_id,
                operation: LedgerOperation {
                    position,
                    block_time: block.time,
                    bytes: number(subject, OperationBytes::try_from(row.signed_operation))?,
                },
            })
        })
        .collect()
}

impl TryFrom<OperationRow> for OperationRecord {
    type Error = StorageError;

    fn try_from(row: OperationRow) -> Result<Self> {
        let position = OperationPosition::try_from(PositionRow {
            block_number: row.block_number,
            absn: row.absn,
            osn: row.osn,
        })?;
        // Written out for a row that is wrong only.
        let subject = format_args!("the operation at {position}");
        Ok(Self {
            id: digest::<OperationId>(subject, &row.operation_id)?,
            slot: number(subject, SlotNo::try_from(row.slot))?,
            block_hash: digest(subject, &row.block_hash)?,
            transaction_id: digest(subject, &row.transaction_id)?,
            indexing: match row.kind {
                None => None,
                Some(kind) => Some(outcome(
                    subject,
                    &kind,
                    row.did.as_deref(),
                    row.operation_hash.as_deref(),
                    row.lists_did,
                    row.ignored_reason,
                )?),
            },
            operation: LedgerOperation {
                position,
                block_time: number(subject, BlockTime::from_unix_micros(row.block_time))?,
                bytes: number(subject, OperationBytes::try_from(row.signed_operation))?,
            },
        })
    }
}

fn outcome(
    subject: fmt::Arguments<'_>,
    kind: &str,
    did: Option<&[u8]>,
    operation_hash: Option<&[u8]>,
    lists_did: Option<bool>,
    ignored_reason: Option<String>,
) -> Result<IndexOutcome> {
    match (kind, did, operation_hash, ignored_reason) {
        ("did", Some(did), Some(hash), None) => Ok(IndexOutcome::Did {
            did: digest(subject, did)?,
            operation_hash: digest(subject, hash)?,
            lists_did: lists_did.unwrap_or(false),
        }),
        ("storage", Some(did), Some(hash), None) => Ok(IndexOutcome::Storage {
            did: digest(subject, did)?,
            operation_hash: digest(subject, hash)?,
        }),
        ("ignored", None, None, Some(reason)) => Ok(IndexOutcome::Ignored {
            reason: Reason::new(reason),
        }),
        ("undecodable", None, None, Some(reason)) => Ok(IndexOutcome::Undecodable {
            reason: Reason::new(reason),
        }),
        _ => Err(StorageError::corrupt(
            subject,
            format!("its index entry of kind {kind:?} is not complete"),
        )),
    }
}

impl TryFrom<ListedDidRow> for ListedDid {
    type Error = StorageError;

    fn try_from(row: ListedDidRow) -> Result<Self> {
        Ok(Self {
            did: digest("a listed DID", &row.did)?,
            position: PositionRow {
                block_number: row.block_number,
                absn: row.absn,
                osn: row.osn,
            }
            .try_into()?,
        })
    }
}

impl TryFrom<StorageOwnerRow> for StorageOwner {
    type Error = StorageError;

    fn try_from(row: StorageOwnerRow) -> Result<Self> {
        Ok(Self {
            operation_hash: digest("an indexed storage operation", &row.operation_hash)?,
            did: digest("an indexed storage operation", &row.did)?,
            position: PositionRow {
                block_number: row.block_number,
                absn: row.absn,
                osn: row.osn,
            }
            .try_into()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(absn: i64) -> PublishedOperationRow {
        PublishedOperationRow {
            block_number: 7,
            absn,
            osn: 0,
            operation_id: vec![1; 32],
            signed_operation: vec![2],
        }
    }

    fn transaction(absn: i64) -> PublishedTransactionRow {
        PublishedTransactionRow {
            block_number: 7,
            absn,
            transaction_id: vec![u8::try_from(absn).unwrap(); 32],
            slot: 70,
            block_hash: vec![3; 32],
            block_time: 0,
        }
    }

    /// The row beside those of the page, and the order in which they come, change nothing.
    #[test]
    fn every_operation_gets_its_own_transaction() {
        let transactions = vec![transaction(3), transaction(2), transaction(1)];
        let records = published(vec![operation(1), operation(3)], transactions).unwrap();
        let ids: Vec<_> = records.iter().map(|record| record.transaction_id).collect();
        assert_eq!(ids, [TransactionId::new([1; 32]), TransactionId::new([3; 32])]);
    }

    #[test]
    fn operation_without_its_transaction_is_corrupt() {
        let error = published(vec![operation(1), operation(2)], vec![transaction(1)]).unwrap_err();
        assert!(
            matches!(&error, StorageError::Corrupt { subject, .. } if subject.contains("absn 2")),
            "{error}"
        );
    }
}
