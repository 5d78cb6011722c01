//! What a store answers.

use std::collections::BTreeSet;

use did_prism::digest::{BlockHash, DidSuffix, OperationHash, OperationId, TransactionId};
use did_prism::ledger::{
    BlockNo, BlockTime, OperationBytes, OperationPosition, OutOfRange, PublishedBlock, SlotNo, TransactionIndex,
};
use did_prism::state::LedgerOperation;

use crate::{Cursor, IndexOutcome};

/// A block without its transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockHeader {
    /// Number (height) of the block.
    pub number: BlockNo,
    /// Slot of the block.
    pub slot: SlotNo,
    /// Hash of the block.
    pub hash: BlockHash,
    /// Time of the block.
    pub time: BlockTime,
}

impl From<&PublishedBlock> for BlockHeader {
    fn from(block: &PublishedBlock) -> Self {
        Self {
            number: block.number,
            slot: block.slot,
            hash: block.hash,
            time: block.time,
        }
    }
}

/// One stored operation as the ledger published it: everything but what indexing made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedRecord {
    /// Position, block time and bytes.
    pub operation: LedgerOperation,
    /// Id of the operation: SHA-256 of its bytes.
    pub id: OperationId,
    /// Slot of the block.
    pub slot: SlotNo,
    /// Hash of the block.
    pub block_hash: BlockHash,
    /// Id of the transaction.
    pub transaction_id: TransactionId,
}

impl From<OperationRecord> for PublishedRecord {
    fn from(record: OperationRecord) -> Self {
        Self {
            operation: record.operation,
            id: record.id,
            slot: record.slot,
            block_hash: record.block_hash,
            transaction_id: record.transaction_id,
        }
    }
}

/// One stored operation, with everything the store knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRecord {
    /// Position, block time and bytes.
    pub operation: LedgerOperation,
    /// Id of the operation: SHA-256 of its bytes.
    pub id: OperationId,
    /// Slot of the block.
    pub slot: SlotNo,
    /// Hash of the block.
    pub block_hash: BlockHash,
    /// Id of the transaction.
    pub transaction_id: TransactionId,
    /// What indexing made of it; `None` until it has been indexed.
    pub indexing: Option<IndexOutcome>,
}

/// One stored transaction, with a page of its operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionRecord {
    /// Id of the transaction.
    pub id: TransactionId,
    /// The block it stands in.
    pub block: BlockHeader,
    /// `absn`: index in that block.
    pub absn: TransactionIndex,
    /// How many operations it has, those of all pages; at least one.
    pub operation_count: u64,
    /// The operations of the page, by position. None where all of them stand at or below the position that it begins after.
    pub operations: Vec<OperationRecord>,
}

/// A DID that was validly created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedDid {
    /// The DID's suffix.
    pub did: DidSuffix,
    /// Position of the first valid create.
    pub position: OperationPosition,
}

/// The DID that a storage operation is routed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StorageOwner {
    /// Hash of the storage operation.
    pub operation_hash: OperationHash,
    /// The lowest position at which a storage operation with that hash is indexed.
    pub position: OperationPosition,
    /// The owner.
    pub did: DidSuffix,
}

/// How far indexing has come, read at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexerState {
    /// Every stored operation at or below this position is indexed, and none above; `None` before the first.
    pub watermark: Option<OperationPosition>,
    /// Position of the highest stored operation.
    pub last_stored: Option<OperationPosition>,
    /// The highest stored block whose operations all stand at or below the watermark; `None` while there is no such block.
    pub last_indexed_block: Option<BlockHeader>,
}

impl IndexerState {
    /// Whether every stored operation is indexed.
    pub fn is_complete(&self) -> bool {
        self.watermark == self.last_stored
    }
}

/// The extent of what is stored, read at one instant: everything up to `last` is and stays exactly `operations` operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LedgerBound {
    /// The cursor.
    pub cursor: Option<Cursor>,
    /// Position of the highest stored operation.
    pub last: Option<OperationPosition>,
    /// Number of stored operations.
    pub operations: u64,
}

/// What an append added; nothing where all of it was stored before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Appended {
    /// Blocks added.
    pub blocks: usize,
    /// Operations added.
    pub operations: usize,
}

/// What an index batch added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indexed {
    /// Entries added; those at or below the watermark were passed over.
    pub entries: usize,
    /// The watermark after the batch.
    pub watermark: Option<OperationPosition>,
}

/// How much a page may hold: 1…10,000 rows and, where that is said, so many bytes of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit {
    rows: u32,
    /// `None` without a bound.
    bytes: Option<u64>,
}

impl PageLimit {
    /// The highest limit of rows, without one of bytes.
    pub const MAX: Self = Self {
        rows: 10_000,
        bytes: None,
    };

    /// The number of rows.
    pub const fn get(self) -> u32 {
        self.rows
    }

    /// The same number of rows, of which the operations have at most so many bytes together. A page holds one operation at least,
    /// however long it is.
    #[must_use]
    pub const fn within_bytes(self, bytes: u64) -> Self {
        Self {
            bytes: Some(bytes),
            ..self
        }
    }

    /// The number of bytes; `None` where a page has no bound of bytes.
    pub const fn bytes(self) -> Option<u64> {
        self.bytes
    }

    /// Whether an operation of `length` bytes belongs on a page that holds `rows` operations of `bytes` bytes so far.
    pub fn admits(self, rows: usize, bytes: u64, length: u64) -> bool {
        let has_rows_left = u32::try_from(rows).is_ok_and(|rows| rows < self.rows);
        let fits = self.bytes.is_none_or(|most| bytes.saturating_add(length) <= most);
        has_rows_left && (rows == 0 || fits)
    }

    /// How many of the operations with these lengths, in their order, a page holds.
    pub fn rows_of(self, lengths: impl IntoIterator<Item = u64>) -> usize {
        let (mut rows, mut bytes) = (0, 0_u64);
        for length in lengths {
            if !self.admits(rows, bytes, length) {
                break;
            }
            rows += 1;
            bytes = bytes.saturating_add(length);
        }
        rows
    }

    /// Whether a page that holds `rows` operations of `bytes` bytes has room for any further one. Then it is the last page: one that
    /// follows would stand on it.
    pub fn has_room(self, rows: usize, bytes: u64) -> bool {
        let longest = u64::try_from(OperationBytes::MAX_LENGTH).unwrap_or(u64::MAX);
        self.admits(rows, bytes, longest)
    }
}

impl TryFrom<u64> for PageLimit {
    type Error = OutOfRange;

    fn try_from(rows: u64) -> Result<Self, OutOfRange> {
        u32::try_from(rows)
            .ok()
            .filter(|rows| (1..=Self::MAX.rows).contains(rows))
            .map(|rows| Self { rows, bytes: None })
            .ok_or_else(|| OutOfRange {
                field: "page limit",
                value: rows.to_string(),
                range: "1 to 10000",
            })
    }
}

impl ListedDid {
    /// The DIDs that these entries, by position, list, each once and at its lowest position.
    pub fn lowest_of(entries: &[(OperationPosition, &IndexOutcome)]) -> Vec<Self> {
        let mut seen = BTreeSet::new();
        entries
            .iter()
            .filter_map(|(position, outcome)| match outcome {
                IndexOutcome::Did {
                    did, lists_did: true, ..
                } => Some(Self {
                    did: *did,
                    position: *position,
                }),
                _ => None,
            })
            .filter(|listed| seen.insert(listed.did))
            .collect()
    }
}
