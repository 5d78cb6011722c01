//! Writers queue, and readers see whole states (lines 2, 6, 7 and 9 of the storage contract).

use std::collections::BTreeMap;
use std::sync::OnceLock;

use node_storage_contract::{
    Appended, Conflict, ConflictReason, Cursor, DltCursorRepo, IndexedOperationRepo, IndexerStateRepo, PageLimit,
    PublishedBlock, RawOperationRepo, StorageError,
};
use prism_fixtures::LedgerShape;
use tokio::task::JoinSet;

use crate::StoreFactory;
use crate::assertions::{append, assert_holds, index};
use crate::data::{
    SEED, all_ignored, block, blocks, cursor, cursor_after, cursor_at, ledger_of, limit, position, positions, slot_of,
};
use crate::expected::index_entries;
use crate::factory::open;
use crate::writes::{deliver, move_cursor};

/// A ledger of 40 blocks with 2 operations each.
fn long_ledger() -> Vec<PublishedBlock> {
    static LEDGER: OnceLock<Vec<PublishedBlock>> = OnceLock::new();
    let made = LEDGER.get_or_init(|| {
        ledger_of(&LedgerShape {
            blocks: 40,
            transactions_per_block: 2,
            operations_per_transaction: 1,
            ..LedgerShape::small(SEED)
        })
    });
    made.clone()
}

/// Several tasks deliver one ledger in overlapping batches: each block is added by one of them, and the content is right.
pub async fn overlapping_deliveries_add_each_block_once(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let ledger = long_ledger();
    let mut tasks = JoinSet::new();
    for size in 1..=6_usize {
        let (store, ledger) = (store.clone(), ledger.clone());
        tasks.spawn(async move {
            let mut added = Appended::default();
            for start in (0..ledger.len()).step_by(size) {
                // One block more than needed on each side.
                let batch = &ledger[start.saturating_sub(1)..ledger.len().min(start + size + 1)];
                let appended = deliver(&store, batch, cursor_after(batch)).await.unwrap();
                added.blocks += appended.blocks;
                added.operations += appended.operations;
            }
            added
        });
    }
    let added = tasks.join_all().await;
    assert_eq!(added.iter().map(|added| added.blocks).sum::<usize>(), 40);
    assert_eq!(added.iter().map(|added| added.operations).sum::<usize>(), 80);
    assert_holds(&store, &ledger, cursor_after(&ledger), &[]).await;
}

/// Of competing forks of one block, one wins whole, and the others are refused naming the winner.
pub async fn one_of_competing_forks_wins(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let base = blocks([1]);
    append(&store, &base).await;
    let mut tasks = JoinSet::new();
    for seed in 100..108 {
        let store = store.clone();
        tasks.spawn(async move {
            let fork = prism_fixtures::block(seed, 2, slot_of(2), [[vec![1], vec![2]], [vec![3], vec![4]]]);
            let outcome = deliver(&store, std::slice::from_ref(&fork), cursor_at(&fork)).await;
            (fork, outcome)
        });
    }
    let outcomes = tasks.join_all().await;
    let winners: Vec<_> = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).collect();
    assert_eq!(winners.len(), 1, "one fork wins");
    let winner = winners[0].0.clone();
    for (fork, outcome) in outcomes {
        match outcome {
            Ok(appended) => assert_eq!(
                appended,
                Appended {
                    blocks: 1,
                    operations: 4
                }
            ),
            Err(StorageError::Conflict(conflict)) => {
                let stored = cursor_at(&winner);
                let expected = Conflict {
                    at: cursor_at(&fork).into(),
                    reason: ConflictReason::CursorFork { stored },
                };
                assert_eq!(conflict, expected);
            }
            Err(error) => panic!("neither won nor in conflict: {error}"),
        }
    }
    let content = [base[0].clone(), winner];
    assert_holds(&store, &content, cursor_at(&content[1]), &[]).await;
}

/// Blocks and cursor moves at once: the cursor ends at the highest, and every block is there or was refused.
pub async fn cursor_moves_do_not_lose_blocks(factory: &impl StoreFactory) {
    let store = open(factory).await;
    for round in 0..20_u64 {
        let number = round * 2 + 1;
        let moved = cursor(slot_of(number + 1), number + 1);
        let delivered = block(number);
        let (moving, appending) = tokio::join!(
            tokio::spawn({
                let store = store.clone();
                async move { move_cursor(&store, moved).await }
            }),
            tokio::spawn({
                let (store, delivered) = (store.clone(), delivered.clone());
                async move { deliver(&store, std::slice::from_ref(&delivered), cursor_at(&delivered)).await }
            }),
        );
        moving.unwrap().unwrap();
        assert_eq!(store.cursor().await.unwrap(), Some(moved));
        let found = store.block(delivered.number).await.unwrap();
        match appending.unwrap() {
            Ok(appended) => {
                assert_eq!(
                    appended,
                    Appended {
                        blocks: 1,
                        operations: 5
                    }
                );
                assert_eq!(found, Some((&delivered).into()));
            }
            Err(StorageError::Conflict(conflict)) => {
                assert_eq!(conflict.reason, ConflictReason::BelowCursor);
                assert_eq!(found, None);
            }
            Err(error) => panic!("neither stored nor in conflict: {error}"),
        }
    }
}

/// Several indexers at once: each operation is indexed by one of them, none fails.
pub async fn several_indexers_index_each_operation_once(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let ledger = long_ledger();
    append(&store, &ledger).await;
    let entries = index_entries(&ledger);
    let by_position: BTreeMap<_, _> = entries.iter().map(|entry| (entry.position, entry.clone())).collect();
    let mut tasks = JoinSet::new();
    for rows in [3, 4, 5, 7] {
        let (store, by_position) = (store.clone(), by_position.clone());
        tasks.spawn(async move {
            let mut added = 0;
            loop {
                let state = store.indexer_state().await.unwrap();
                if state.is_complete() {
                    return added;
                }
                let page = store.operations_after(state.watermark, limit(rows)).await.unwrap();
                let batch: Vec<_> = page
                    .iter()
                    .map(|record| by_position[&record.operation.position].clone())
                    .collect();
                added += store.index(&batch).await.unwrap().entries;
            }
        });
    }
    let added = tasks.join_all().await;
    assert_eq!(added.into_iter().sum::<usize>(), entries.len());
    assert_holds(&store, &ledger, cursor_after(&ledger), &entries).await;
}

/// Two of the node's indexers and a sync at once end with everything indexed.
pub async fn indexers_and_a_sync_run_at_once(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let ledger = long_ledger();
    let last = positions(&ledger).last().copied();
    let indexer = || async {
        while node_service::index::index_all(&store).await.unwrap().watermark != last {
            tokio::task::yield_now().await;
        }
    };
    let sync = async {
        for delivered in ledger.chunks(3) {
            append(&store, delivered).await;
        }
    };
    tokio::join!(indexer(), indexer(), sync);
    let state = store.indexer_state().await.unwrap();
    assert!(state.is_complete());
    let found = crate::observe::all_operations(&store).await;
    for (record, entry) in found.iter().zip(index_entries(&ledger)) {
        assert_eq!(
            record
                .indexing
                .as_ref()
                .and_then(node_storage_contract::IndexOutcome::did),
            entry.outcome.did()
        );
    }
    assert_eq!(found.len(), 80);
}

/// A reader sees blocks whole, with their cursor, and never one without the other.
pub async fn readers_see_whole_blocks_with_their_cursor(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks(1..=60);
    let last = cursor_after(&all);
    let mut readers = JoinSet::new();
    for _ in 0..3 {
        let store = store.clone();
        readers.spawn(async move {
            loop {
                let bound = store.bound().await.unwrap();
                let Some(cursor) = bound.cursor else {
                    assert_eq!((bound.last, bound.operations), (None, 0));
                    continue;
                };
                assert_eq!(bound.operations, cursor.block.get() * 5);
                assert_eq!(bound.last, Some(position(cursor.block.get(), 5, 1)));
                let page = store.operations_after(None, PageLimit::MAX).await.unwrap();
                assert_eq!(page.len() % 5, 0, "a part of a block");
                assert!(
                    page.len() >= usize::try_from(bound.operations).unwrap(),
                    "less than was seen before"
                );
                if cursor == last {
                    return;
                }
            }
        });
    }
    for block in &all {
        append(&store, std::slice::from_ref(block)).await;
    }
    readers.join_all().await;
}

/// A reader sees entries with their watermark, and a state whose parts belong to one instant.
pub async fn readers_see_entries_with_their_watermark(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks(1..=40);
    let mut readers = JoinSet::new();
    for _ in 0..3 {
        let store = store.clone();
        readers.spawn(async move {
            loop {
                let state = store.indexer_state().await.unwrap();
                let watermark = state.watermark.map(|watermark| watermark.block);
                let Some(last) = state.last_stored else { continue };
                assert_eq!(state.last_indexed_block.map(|block| block.number), watermark);
                assert!(watermark.is_none_or(|watermark| watermark <= last.block));
                let page = store.operations_after(None, PageLimit::MAX).await.unwrap();
                let indexed = page.iter().take_while(|record| record.indexing.is_some()).count();
                assert_eq!(indexed % 5, 0, "a part of a batch");
                assert!(
                    page.iter().skip(indexed).all(|record| record.indexing.is_none()),
                    "a hole in the index"
                );
                if last.block.get() == 40 && state.is_complete() {
                    return;
                }
            }
        });
    }
    for block in &all {
        append(&store, std::slice::from_ref(block)).await;
        index(&store, &all_ignored(&positions(std::slice::from_ref(block)))).await;
    }
    readers.join_all().await;
}

/// More calls at once than any pool has connections: none fails, and none waits for ever.
pub async fn many_calls_at_once_are_all_answered(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks(1..=3);
    append(&store, &all).await;
    let entries = all_ignored(&positions(&all));
    let mut tasks = JoinSet::new();
    for number in 0..120_u64 {
        let (store, all, entries) = (store.clone(), all.clone(), entries.clone());
        tasks.spawn(async move {
            match number % 4 {
                0 => drop(deliver(&store, &all, cursor_after(&all)).await.unwrap()),
                1 => drop(store.index(&entries).await.unwrap()),
                2 => move_cursor(
                    &store,
                    Cursor {
                        ..cursor(slot_of(3) + number, 3 + number)
                    },
                )
                .await
                .unwrap(),
                _ => drop(store.bound().await.unwrap()),
            }
        });
    }
    tasks.join_all().await;
    assert_holds(&store, &all, cursor(slot_of(3) + 118, 121), &entries).await;
}
