//! Positions are the key: nothing depends on the order within a call, on batches, or on a collation (lines 1, 3 and 13).

use node_storage_contract::{DltCursorRepo, IndexedOperationRepo, PublishedBlock};

use crate::StoreFactory;
use crate::assertions::{append, assert_holds, index};
use crate::data::{
    SEED, absn, all_ignored, block_with, bytes, cursor_after, ledger, ledger_of, limit, of_did, osn, positions,
    transaction_of,
};
use crate::expected::index_entries;
use crate::factory::open;
use crate::observe::all_operations_of;
use prism_fixtures::LedgerShape;

/// The same blocks, transactions and operations, each in descending order.
fn reversed(blocks: &[PublishedBlock]) -> Vec<PublishedBlock> {
    let mut blocks: Vec<_> = blocks.iter().rev().cloned().collect();
    for block in &mut blocks {
        block.transactions.reverse();
        for transaction in &mut block.transactions {
            transaction.operations.reverse();
        }
    }
    blocks
}

/// Blocks, transactions and operations may come in any order within a call.
// edge-cases.md#o4
pub async fn order_within_an_append_does_not_matter(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let ledger = ledger();
    append(&store, &reversed(&ledger)).await;
    assert_holds(&store, &ledger, cursor_after(&ledger), &[]).await;
}

/// Index entries may come in any order within a call.
pub async fn order_within_an_index_batch_does_not_matter(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let ledger = ledger();
    append(&store, &ledger).await;
    let entries = index_entries(&ledger);
    let mut batch = entries.clone();
    batch.reverse();
    batch.rotate_left(17);
    index(&store, &batch).await;
    assert_holds(&store, &ledger, cursor_after(&ledger), &entries).await;
}

/// A ledger delivered and indexed in one call each is what its content says.
pub async fn content_of_one_call_is_the_ledger(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let ledger = ledger();
    append(&store, &ledger).await;
    index(&store, &index_entries(&ledger)).await;
    assert_holds(&store, &ledger, cursor_after(&ledger), &index_entries(&ledger)).await;
}

/// A ledger delivered block by block, twice each, and indexed in batches that end anywhere is what its content says.
pub async fn content_of_many_calls_is_the_ledger(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let ledger = ledger();
    let entries = index_entries(&ledger);
    for (index, _) in ledger.iter().enumerate() {
        let delivered = &ledger[index.saturating_sub(1)..=index];
        append(&store, delivered).await;
    }
    for batch in entries.chunks(7) {
        index(&store, batch).await;
    }
    assert_holds(&store, &ledger, cursor_after(&ledger), &entries).await;
}

/// Numbers, absn and osn are ordered as numbers, where text and bytes would order them otherwise.
pub async fn positions_are_ordered_as_numbers(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let indices = [
        0_u64,
        1,
        2,
        9,
        10,
        11,
        99,
        100,
        255,
        256,
        65_535,
        65_536,
        1 << 24,
        (1 << 31) - 1,
    ];
    let numbers = [0_u64, 9, 10, 100, 255, 256, 65_536, 1 << 32, 1 << 40, 1 << 56];
    let blocks: Vec<_> = numbers
        .into_iter()
        .map(|number| {
            let transactions = indices.map(|index| {
                // All in the first transaction; what it is equal to, and the lowest, in the others.
                let others = indices
                    .into_iter()
                    .filter(|other| index == 0 || [0, index].contains(other));
                let operations = others.map(|other| (osn(other), bytes(format!("{number} {index} {other}"))));
                transaction_of(number, absn(index), operations)
            });
            block_with(number, transactions.to_vec())
        })
        .collect();
    append(&store, &blocks).await;
    let entries: Vec<_> = (0..)
        .zip(positions(&blocks))
        .map(|(did, position)| of_did(position, did, true))
        .collect();
    index(&store, &entries).await;
    assert_holds(&store, &blocks, cursor_after(&blocks), &entries).await;
}

/// The same bytes at two positions are two operations.
pub async fn equal_operations_at_two_positions_are_two(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let same = || [(osn(0), bytes(*b"same")), (osn(1), bytes(*b"same"))];
    let blocks = [
        block_with(
            1,
            vec![transaction_of(1, absn(0), same()), transaction_of(1, absn(1), same())],
        ),
        block_with(2, vec![transaction_of(2, absn(0), same())]),
    ];
    append(&store, &blocks).await;
    let entries = all_ignored(&positions(&blocks));
    index(&store, &entries).await;
    assert_holds(&store, &blocks, cursor_after(&blocks), &entries).await;
}

/// The operations of each of 200 DIDs with 8 operations come back by position, however they were delivered and indexed.
pub async fn operations_of_a_did_come_by_position(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let shape = LedgerShape {
        blocks: 8,
        transactions_per_block: 4,
        operations_per_transaction: 50,
        ..LedgerShape::small(SEED)
    };
    let ledger = ledger_of(&shape);
    append(&store, &reversed(&ledger)).await;
    // Eight rounds through the DIDs, each in another order.
    let entries: Vec<_> = (0_u64..)
        .zip(positions(&ledger))
        .map(|(number, position)| of_did(position, (number * 77 + number / 200) % 200, false))
        .collect();
    for batch in entries.chunks(333) {
        let mut batch = batch.to_vec();
        batch.reverse();
        index(&store, &batch).await;
    }
    for number in 0..200 {
        let did = crate::data::did(number);
        let found = all_operations_of(&store, &did).await;
        let expected: Vec<_> = entries
            .iter()
            .filter(|entry| entry.outcome.did() == Some(did))
            .map(|entry| entry.position)
            .collect();
        assert_eq!(expected.len(), 8);
        let found: Vec<_> = found.iter().map(|record| record.operation.position).collect();
        assert_eq!(found, expected, "DID {number}");
    }
    assert_eq!(store.cursor().await.unwrap(), Some(cursor_after(&ledger)));
    let page = store
        .operations_of_did(&crate::data::did(3), None, limit(3))
        .await
        .unwrap();
    assert_eq!(page.len(), 3);
}
