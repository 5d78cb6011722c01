//! Blocks to publish, and what of a delivered block counts.

use did_prism::proto::SignedPrismOperation;
use node_storage_contract::{BlockTime, Cursor, PublishedBlock, PublishedTransaction};
use prost::Message;

/// The seed of every block here.
const SEED: u64 = 20;

/// The bytes of an operation that decodes, of about this length, and like no other with this number.
pub(crate) fn operation(number: u64, length: usize) -> Vec<u8> {
    let operation = SignedPrismOperation {
        signed_with: format!("key-{number}"),
        signature: vec![7; length],
        operation: Vec::new(),
    };
    operation.encode_to_vec()
}

/// The block with this number, one transaction with one operation in it.
pub(crate) fn block(number: u64) -> PublishedBlock {
    block_with(number, 1, 1)
}

/// The block with this number, with so many transactions of so many operations. Its time has a fraction.
pub(crate) fn block_with(number: u64, transactions: u64, operations: u64) -> PublishedBlock {
    let content = (0..transactions).map(|transaction| {
        (0..operations).map(move |index| operation(number * 1_000_000 + transaction * 1_000 + index, 10))
    });
    timed(prism_fixtures::block(SEED, number, number * 20, content))
}

/// The block with this number, with one transaction of operations of these lengths.
pub(crate) fn block_of_lengths(number: u64, lengths: &[usize]) -> PublishedBlock {
    let operations = (0_u64..)
        .zip(lengths)
        .map(|(index, length)| operation(number * 1_000_000 + index, *length));
    timed(prism_fixtures::block(SEED, number, number * 20, [operations]))
}

/// The block with this number, with a transaction that has no operation.
pub(crate) fn empty_block(number: u64) -> PublishedBlock {
    timed(prism_fixtures::block(SEED, number, number * 20, [Vec::new()]))
}

/// Another block with this number.
pub(crate) fn other_block(number: u64) -> PublishedBlock {
    let content = [[operation(number * 1_000_000 + 999_999, 10)]];
    timed(prism_fixtures::block(SEED + 1, number, number * 20 + 1, content))
}

/// Microseconds are part of a block's time.
fn timed(mut block: PublishedBlock) -> PublishedBlock {
    let micros = block.time.unix_micros() + 123_456;
    block.time = BlockTime::from_unix_micros(micros).expect("a time in range");
    block
}

/// The cursor at a block.
pub(crate) fn cursor_at(block: &PublishedBlock) -> Cursor {
    Cursor::at(&block.into())
}

/// What of these blocks a store keeps: those with operations, without transactions that have none.
pub(crate) fn kept(blocks: &[PublishedBlock]) -> Vec<PublishedBlock> {
    let kept = blocks.iter().cloned().map(|mut block| {
        block
            .transactions
            .retain(|transaction| !transaction.operations.is_empty());
        block.transactions.sort_by_key(|transaction| transaction.absn);
        block
    });
    kept.filter(|block| !block.transactions.is_empty()).collect()
}

/// The operations of each block, for a ledger that makes blocks of its own.
pub(crate) fn operations(blocks: &[PublishedBlock]) -> Vec<Vec<Vec<u8>>> {
    let of_transaction = |transaction: &PublishedTransaction| -> Vec<Vec<u8>> {
        let bytes = transaction
            .operations
            .iter()
            .map(|operation| operation.bytes.as_slice().to_vec());
        bytes.collect()
    };
    let of_block =
        |block: &PublishedBlock| -> Vec<Vec<u8>> { block.transactions.iter().flat_map(of_transaction).collect() };
    kept(blocks).iter().map(of_block).collect()
}
