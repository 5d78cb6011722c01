//! Where blocks come from.

use std::collections::VecDeque;
use std::future::Future;

use did_prism::ledger::PublishedBlock;
use node_storage_contract::{Cursor, StorageError};

use crate::retry::Retryable;

/// A reader of the ledger, made for one position (the stored cursor) and read from there on.
///
/// Block by block it delivers everything that is to be stored, in ascending order and never a part of a block. Whatever it
/// holds back (blocks with too few confirmations, a block that may still grow) is its own business.
pub trait DltSource: Send {
    /// The next part of the ledger.
    ///
    /// Dropping the future loses nothing: what has not been delivered comes with the next call. After a
    /// [retryable](SourceError::is_retryable) error it may be called again; after any other error or
    /// [`SourceEvent::End`] it is not called again.
    fn next(&mut self) -> impl Future<Output = Result<SourceEvent, SourceError>> + Send;
}

/// What a source has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceEvent {
    /// Whole blocks, ascending, as many as a [`BlockBatch`] takes; blocks without operations may be among them.
    Blocks {
        /// The blocks.
        blocks: Vec<PublishedBlock>,
        /// The last block that has been read completely, at the last of `blocks` or above.
        cursor: Cursor,
    },
    /// Everything that there is for now has been delivered. The next call waits for more.
    CaughtUp,
    /// Nothing will follow.
    End,
}

/// Why a source can't go on. What it delivered before is not affected.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The ledger is not what it has to be.
    #[error(
        "{at}: {detail}; the blocks before it are stored, nothing of its block or behind it is; correct it and start again"
    )]
    Malformed {
        /// Where, as exactly as it can be said: file, line and field, for example.
        at: String,
        /// What is wrong there.
        detail: String,
    },
    /// The ledger is another one than what is stored was read from.
    #[error(
        "{at}: {detail}; nothing was changed, give the ledger that this database was filled from, or another database"
    )]
    Contradiction {
        /// Where.
        at: String,
        /// What contradicts what.
        detail: String,
    },
    /// The source can't be read, just now (`retryable`) or not without somebody's help.
    #[error("{subject} can't be read: {detail}; what was read before stays stored")]
    Unavailable {
        /// Whether reading again later may succeed.
        retryable: bool,
        /// What was to be read.
        subject: String,
        /// What the operating system or the other side said, without credentials.
        detail: String,
    },
    /// A source that compares the ledger with what is stored could not read the latter.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl SourceError {
    /// Whether the same call may succeed later without anybody's help.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { retryable, .. } => *retryable,
            Self::Storage(error) => error.is_retryable(),
            Self::Malformed { .. } | Self::Contradiction { .. } => false,
        }
    }
}

impl Retryable for SourceError {
    fn is_retryable(&self) -> bool {
        Self::is_retryable(self)
    }
}

/// How much a batch of blocks may hold, so that memory stays bounded and a transaction short. A single block larger than
/// that makes a batch of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Blocks.
    pub blocks: usize,
    /// Operations in all blocks together.
    pub operations: usize,
    /// Bytes of all operations together.
    pub bytes: usize,
}

impl Default for BatchLimits {
    /// 2,000 blocks, 2,000 operations, 4 MiB: large enough that a commit costs little for each operation, and a small part
    /// of the memory of a node.
    fn default() -> Self {
        Self {
            blocks: 2_000,
            operations: 2_000,
            bytes: 4 * 1024 * 1024,
        }
    }
}

/// Blocks on their way to the store, cut into batches between blocks.
#[derive(Debug)]
pub struct BlockBatch {
    limits: BatchLimits,
    blocks: VecDeque<PublishedBlock>,
    size: Size,
}

#[derive(Debug, Clone, Copy, Default)]
struct Size {
    operations: usize,
    bytes: usize,
}

impl Size {
    fn of(block: &PublishedBlock) -> Self {
        block
            .transactions
            .iter()
            .flat_map(|transaction| &transaction.operations)
            .fold(Self::default(), |size, operation| Self {
                operations: size.operations + 1,
                bytes: size.bytes + operation.bytes.as_slice().len(),
            })
    }
}

impl BlockBatch {
    /// An empty batch.
    pub const fn new(limits: BatchLimits) -> Self {
        Self {
            limits,
            blocks: VecDeque::new(),
            size: Size {
                operations: 0,
                bytes: 0,
            },
        }
    }

    /// Adds the next higher block.
    pub fn push(&mut self, block: PublishedBlock) {
        let added = Size::of(&block);
        self.size.operations += added.operations;
        self.size.bytes += added.bytes;
        self.blocks.push_back(block);
    }

    /// Whether nothing waits for delivery.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Whether as much waits as one delivery takes.
    pub fn is_full(&self) -> bool {
        self.blocks.len() >= self.limits.blocks
            || self.size.operations >= self.limits.operations
            || self.size.bytes >= self.limits.bytes
    }

    /// The next delivery, within the limits unless its first block alone exceeds them, with the cursor at its last block.
    /// `None` when nothing waits.
    pub fn take(&mut self) -> Option<SourceEvent> {
        let mut blocks = Vec::new();
        let mut taken = Size::default();
        while let Some(block) = self.blocks.front() {
            let size = Size::of(block);
            let fits = blocks.len() < self.limits.blocks
                && taken.operations + size.operations <= self.limits.operations
                && taken.bytes + size.bytes <= self.limits.bytes;
            if !fits && !blocks.is_empty() {
                break;
            }
            taken.operations += size.operations;
            taken.bytes += size.bytes;
            blocks.extend(self.blocks.pop_front());
        }
        self.size.operations -= taken.operations;
        self.size.bytes -= taken.bytes;
        let last = blocks.last()?;
        let cursor = Cursor {
            slot: last.slot,
            block: last.number,
            hash: last.hash,
        };
        Some(SourceEvent::Blocks { blocks, cursor })
    }
}

#[cfg(test)]
mod tests {
    use prism_fixtures::block;

    use super::*;

    const LIMITS: BatchLimits = BatchLimits {
        blocks: 3,
        operations: 4,
        bytes: 100,
    };

    /// Takes batches of blocks whose operations have these lengths, as a source does, and shows which blocks go together.
    fn batches(blocks: &[&[usize]]) -> Vec<Vec<u64>> {
        let mut batch = BlockBatch::new(LIMITS);
        let mut taken = Vec::new();
        let mut take = |batch: &mut BlockBatch| {
            let Some(SourceEvent::Blocks { blocks, cursor }) = batch.take() else {
                return;
            };
            assert_eq!(blocks.last().map(|block| block.number), Some(cursor.block));
            taken.push(blocks.iter().map(|block| block.number.get()).collect());
        };
        for (number, lengths) in (1_u64..).zip(blocks) {
            let operations = lengths.iter().map(|length| vec![0_u8; *length]);
            batch.push(block(1, number, number * 20, [operations]));
            if batch.is_full() {
                take(&mut batch);
            }
        }
        while !batch.is_empty() {
            take(&mut batch);
        }
        taken
    }

    // edge-cases.md#o16
    #[test]
    fn a_batch_is_cut_by_blocks_operations_and_bytes_between_blocks() {
        assert_eq!(batches(&[&[], &[], &[], &[]]), [vec![1, 2, 3], vec![4]]);
        assert_eq!(batches(&[&[1, 1, 1], &[1, 1, 1], &[1]]), [vec![1], vec![2, 3]]);
        assert_eq!(batches(&[&[60], &[60], &[1]]), [vec![1], vec![2, 3]]);
    }

    // edge-cases.md#o16
    #[test]
    fn a_block_beyond_the_limits_goes_alone_and_whole() {
        assert_eq!(batches(&[&[1], &[1; 9], &[1]]), [vec![1], vec![2], vec![3]]);
        assert_eq!(batches(&[&[1000], &[1]]), [vec![1], vec![2]]);
    }

    #[test]
    fn an_empty_batch_delivers_nothing() {
        assert_eq!(BlockBatch::new(LIMITS).take(), None);
    }
}
