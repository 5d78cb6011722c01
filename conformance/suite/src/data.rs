//! What the cases deliver: small made-up ledgers in which no field is zero by accident, and values at the bounds.

use std::sync::OnceLock;

use node_storage_contract::{
    BlockHash, BlockNo, BlockTime, Cursor, IndexEntry, IndexOutcome, OperationBytes, OperationHash, OperationIndex,
    OperationPosition, PageLimit, PublishedBlock, PublishedOperation, PublishedTransaction, Reason, SlotNo,
    TransactionId, TransactionIndex,
};
use prism_fixtures::LedgerShape;

/// The seed of what the cases deliver, where they don't need several.
pub(crate) const SEED: u64 = 21_325;

pub(crate) fn block_no(number: u64) -> BlockNo {
    BlockNo::try_from(number).expect("a block number in range")
}

pub(crate) fn slot_no(number: u64) -> SlotNo {
    SlotNo::try_from(number).expect("a slot in range")
}

pub(crate) fn absn(index: u64) -> TransactionIndex {
    TransactionIndex::try_from(index).expect("an absn in range")
}

pub(crate) fn osn(index: u64) -> OperationIndex {
    OperationIndex::try_from(index).expect("an osn in range")
}

pub(crate) fn limit(rows: u64) -> PageLimit {
    PageLimit::try_from(rows).expect("a page limit in range")
}

pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> OperationBytes {
    OperationBytes::try_from(bytes.into()).expect("an operation of at most 1 MiB")
}

/// The position of an operation.
pub(crate) fn position(block: u64, transaction: u64, operation: u64) -> OperationPosition {
    OperationPosition {
        block: block_no(block),
        absn: absn(transaction),
        osn: osn(operation),
    }
}

/// A cursor that no block of a case stands at.
pub(crate) fn cursor(slot: u64, block: u64) -> Cursor {
    Cursor {
        slot: slot_no(slot),
        block: block_no(block),
        hash: prism_fixtures::block_hash(SEED, block),
    }
}

/// The cursor that stands at this block.
pub(crate) fn cursor_at(block: &PublishedBlock) -> Cursor {
    Cursor::at(&block.into())
}

/// The cursor that stands at the highest of these blocks.
pub(crate) fn cursor_after(blocks: &[PublishedBlock]) -> Cursor {
    cursor_at(
        blocks
            .iter()
            .max_by_key(|block| block.number)
            .expect("at least one block"),
    )
}

/// The slot that [`block`] gives this block.
pub(crate) fn slot_of(number: u64) -> u64 {
    number.saturating_mul(20).saturating_add(7).min(SlotNo::MAX.get())
}

/// A block of two transactions, `absn` 2 and 5, the first with three operations (`osn` 0, 1, 2), the second with two.
pub(crate) fn block(number: u64) -> PublishedBlock {
    block_with(number, vec![transaction(number, 2, 3), transaction(number, 5, 2)])
}

/// A block of these transactions.
pub(crate) fn block_with(number: u64, transactions: Vec<PublishedTransaction>) -> PublishedBlock {
    PublishedBlock {
        time: time_of(number),
        ..prism_fixtures::block_of(SEED, number, slot_of(number), transactions)
    }
}

/// Blocks with these numbers.
pub(crate) fn blocks(numbers: impl IntoIterator<Item = u64>) -> Vec<PublishedBlock> {
    numbers.into_iter().map(block).collect()
}

/// A transaction of `operations` operations, each with other bytes than any other one.
pub(crate) fn transaction(block: u64, absn: u32, operations: u32) -> PublishedTransaction {
    let contents = (0..operations).map(|osn| format!("operation {block} {absn} {osn}").into_bytes());
    prism_fixtures::transaction(SEED, block, absn, contents)
}

/// A transaction of operations at any `osn`.
pub(crate) fn transaction_of(
    block: u64,
    absn: TransactionIndex,
    operations: impl IntoIterator<Item = (OperationIndex, OperationBytes)>,
) -> PublishedTransaction {
    PublishedTransaction {
        absn,
        id: transaction_id(block, absn.get()),
        operations: operations
            .into_iter()
            .map(|(osn, bytes)| PublishedOperation { osn, bytes })
            .collect(),
    }
}

pub(crate) fn transaction_id(block: u64, absn: u32) -> TransactionId {
    prism_fixtures::transaction_id(SEED, block, absn)
}

/// The hash of another fork's block with this number.
pub(crate) fn other_hash(block: u64) -> BlockHash {
    prism_fixtures::block_hash(SEED + 1, block)
}

/// The hash that differs from this one in its last bit alone.
pub(crate) fn last_bit_flipped(hash: BlockHash) -> BlockHash {
    let mut bytes = *hash.as_bytes();
    bytes[31] ^= 1;
    BlockHash::new(bytes)
}

/// The time of the block with this number: 20 seconds after that of the block before, from 2020-09-13 on, with microseconds.
fn time_of(number: u64) -> BlockTime {
    let seconds = prism_fixtures::block_time(20 * (number % 100_000_000)).unix_micros();
    BlockTime::from_unix_micros(seconds + 123_457).expect("a time before the year 2090")
}

/// A ledger of signed operations of every kind, valid and not: 10 blocks of 2 transactions of 5 operations.
pub(crate) fn ledger() -> Vec<PublishedBlock> {
    // Signing takes longer than most cases.
    static LEDGER: OnceLock<Vec<PublishedBlock>> = OnceLock::new();
    LEDGER.get_or_init(|| ledger_of(&LedgerShape::small(SEED))).clone()
}

/// A ledger of this shape, whose times have microseconds.
pub(crate) fn ledger_of(shape: &LedgerShape) -> Vec<PublishedBlock> {
    prism_fixtures::ledger(shape)
        .map(|block| PublishedBlock {
            time: BlockTime::from_unix_micros(block.time.unix_micros() + 654_321).expect("a time before the year 9999"),
            ..block
        })
        .collect()
}

/// The positions of the operations of these blocks, ascending.
pub(crate) fn positions(blocks: &[PublishedBlock]) -> Vec<OperationPosition> {
    let mut positions: Vec<_> = blocks
        .iter()
        .flat_map(prism_fixtures::ledger_operations)
        .map(|operation| operation.position)
        .collect();
    positions.sort();
    positions
}

/// An entry for an operation that belongs to no DID.
pub(crate) fn ignored(position: OperationPosition) -> IndexEntry {
    IndexEntry {
        position,
        outcome: IndexOutcome::Ignored {
            reason: Reason::new("no operation"),
        },
    }
}

/// Entries that ignore each of these operations.
pub(crate) fn all_ignored(positions: &[OperationPosition]) -> Vec<IndexEntry> {
    positions.iter().copied().map(ignored).collect()
}

/// An entry for an operation of the DID with this number.
pub(crate) fn of_did(position: OperationPosition, did: u64, lists_did: bool) -> IndexEntry {
    IndexEntry {
        position,
        outcome: IndexOutcome::Did {
            did: hash_of("DID", did).into(),
            operation_hash: hash_of("operation of a DID", did),
            lists_did,
        },
    }
}

/// An entry for a storage operation with the hash of this number, whose owner is the DID with that number.
pub(crate) fn of_storage(position: OperationPosition, hash: u64, did: u64) -> IndexEntry {
    IndexEntry {
        position,
        outcome: IndexOutcome::Storage {
            did: hash_of("DID", did).into(),
            operation_hash: storage_hash(hash),
        },
    }
}

/// The hash of the storage operation with this number.
pub(crate) fn storage_hash(number: u64) -> OperationHash {
    hash_of("storage operation", number)
}

/// The suffix of the DID with this number.
pub(crate) fn did(number: u64) -> node_storage_contract::DidSuffix {
    hash_of("DID", number).into()
}

fn hash_of(what: &str, number: u64) -> OperationHash {
    OperationHash::of(format!("{what} {number}").as_bytes())
}
