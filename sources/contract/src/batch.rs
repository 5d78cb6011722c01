//! Batches of whole blocks, bounded in memory.

use std::collections::VecDeque;

use node_storage_contract::{Cursor, PublishedBlock};

use crate::SourceEvent;

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
