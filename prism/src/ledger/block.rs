//! What a source of the ledger delivers.

use std::fmt;

use super::{BlockNo, BlockTime, OperationIndex, OutOfRange, SlotNo, TransactionIndex};
use crate::digest::{BlockHash, OperationId, TransactionId};

/// A whole Cardano block, as far as did:prism is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedBlock {
    /// Number (height) of the block.
    pub number: BlockNo,
    /// Slot of the block.
    pub slot: SlotNo,
    /// Hash of the block.
    pub hash: BlockHash,
    /// Time of the block (`cbt`).
    pub time: BlockTime,
    /// The transactions that carry PRISM operations; others may be left out.
    pub transactions: Vec<PublishedTransaction>,
}

/// One transaction of a block, with the operations of its `PrismObject`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedTransaction {
    /// `absn`: index of the transaction in its block.
    pub absn: TransactionIndex,
    /// Id of the transaction.
    pub id: TransactionId,
    /// The operations, each with its index.
    pub operations: Vec<PublishedOperation>,
}

/// One operation of a `PrismObject`, valid or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedOperation {
    /// `osn`: index of the operation in its `PrismBlock`.
    pub osn: OperationIndex,
    /// The serialized `SignedPrismOperation`.
    pub bytes: OperationBytes,
}

/// The bytes of a `SignedPrismOperation` as found on the ledger, at most 1 MiB, possibly none.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OperationBytes(Vec<u8>);

impl OperationBytes {
    /// The longest an operation may be, in bytes. A Cardano transaction is at most 16 KiB today.
    pub const MAX_LENGTH: usize = 1024 * 1024;

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, owned.
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }

    /// The operation id: SHA-256 of the bytes.
    pub fn id(&self) -> OperationId {
        OperationId::of(&self.0)
    }
}

impl TryFrom<Vec<u8>> for OperationBytes {
    type Error = OutOfRange;

    fn try_from(bytes: Vec<u8>) -> Result<Self, OutOfRange> {
        if bytes.len() <= Self::MAX_LENGTH {
            Ok(Self(bytes))
        } else {
            Err(OutOfRange {
                field: "operation length in bytes",
                value: bytes.len().to_string(),
                range: "0 to 1048576",
            })
        }
    }
}

impl fmt::Debug for OperationBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OperationBytes({})", data_encoding::HEXLOWER.encode(&self.0))
    }
}
