//! What was written is there when the store is opened again.

use node_storage_contract::{
    Appended, ConflictReason, Cursor, Indexed, IndexedOperationRepo, IndexerStateRepo, Subject,
};

use crate::StoreFactory;
use crate::assertions::{append, assert_answers, assert_conflict, assert_holds, assert_no_op, index};
use crate::data::{
    absn, all_ignored, block, blocks, bytes, cursor_after, cursor_at, ledger, of_did, other_hash, position, positions,
};
use crate::expected::index_entries;
use crate::factory::{open, open_read_only};
use crate::observe::observe;
use crate::writes::{deliver, move_cursor};

/// Everything survives closing and opening, to write and to read.
pub async fn content_survives_closing(factory: &impl StoreFactory) {
    let ledger = ledger();
    let entries = index_entries(&ledger);
    let store = open(factory).await;
    append(&store, &ledger).await;
    index(&store, &entries[..73]).await;
    let before = observe(&store).await;
    factory.close(store).await;

    let reader = open_read_only(factory).await;
    assert_answers(&reader, &before).await;
    factory.close(reader).await;

    let store = open(factory).await;
    assert_answers(&store, &before).await;
    assert_holds(&store, &ledger, cursor_after(&ledger), &entries[..73]).await;
}

/// A ledger delivered and indexed with an opening for each part, the last delivery repeated, is what its content says.
pub async fn work_goes_on_where_it_was_left(factory: &impl StoreFactory) {
    let ledger = ledger();
    let entries = index_entries(&ledger);
    let mut delivered = 0;
    let mut indexed = 0;
    while delivered < ledger.len() {
        let store = open(factory).await;
        if delivered > 0 {
            let last = &ledger[delivered - 1..delivered];
            assert_no_op(&store, deliver(&store, last, cursor_after(last)), Appended::default()).await;
            assert_eq!(
                store.indexer_state().await.unwrap().watermark,
                entries[..indexed].last().map(|entry| entry.position)
            );
        }
        append(&store, &ledger[delivered.saturating_sub(1)..delivered + 2]).await;
        delivered += 2;
        index(&store, &entries[indexed..indexed + 13]).await;
        indexed += 13;
        factory.close(store).await;
    }
    let store = open(factory).await;
    assert_holds(&store, &ledger, cursor_after(&ledger), &entries[..indexed]).await;
    index(&store, &entries[indexed..]).await;
    assert_holds(&store, &ledger, cursor_after(&ledger), &entries).await;
}

/// What was stored before the store was opened again contradicts as before: blocks, transactions, cursor and index.
pub async fn contradictions_are_found_after_reopening(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([1, 2, 4]);
    append(&store, &all).await;
    let entries = all_ignored(&positions(&all));
    index(&store, &entries[..7]).await;
    factory.close(store).await;

    let store = open(factory).await;
    let mut changed = all.clone();
    changed[1].transactions[1].operations[0].bytes = bytes(*b"changed");
    let write = deliver(&store, &changed, cursor_after(&changed));
    assert_conflict(&store, write, position(2, 5, 0), ConflictReason::OtherOperation).await;
    let late = block(3);
    let write = deliver(&store, std::slice::from_ref(&late), cursor_at(&late));
    assert_conflict(&store, write, late.number, ConflictReason::BelowCursor).await;
    let mut repeated = block(5);
    let id = all[0].transactions[1].id;
    repeated.transactions[0].id = id;
    let elsewhere = ConflictReason::TransactionElsewhere {
        id,
        block: all[0].number,
        absn: absn(5),
    };
    let write = deliver(&store, std::slice::from_ref(&repeated), cursor_at(&repeated));
    assert_conflict(&store, write, Subject::Transaction(repeated.number, absn(2)), elsewhere).await;
    let stored = cursor_after(&all);
    let fork = Cursor {
        hash: other_hash(4),
        ..stored
    };
    let reason = ConflictReason::CursorFork { stored };
    assert_conflict(&store, move_cursor(&store, fork), fork, reason).await;
    let gap = store.index(&entries[8..]);
    assert_conflict(&store, gap, entries[7].position, ConflictReason::IndexGap).await;
    let passed_over = [of_did(entries[0].position, 1, true)];
    let answer = Indexed {
        entries: 0,
        watermark: Some(entries[6].position),
    };
    assert_no_op(&store, store.index(&passed_over), answer).await;
    index(&store, &entries).await;
    assert_holds(&store, &all, stored, &entries).await;
}

/// Clones are the same store: what one writes, the other answers at once.
pub async fn clones_read_each_others_writes(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let ledger = ledger();
    let entries = index_entries(&ledger);
    for (position, _) in ledger.iter().enumerate() {
        let (writer, reader) = (store.clone(), store.clone());
        append(&writer, &ledger[position..=position]).await;
        drop(writer);
        assert_holds(&reader, &ledger[..=position], cursor_after(&ledger[..=position]), &[]).await;
    }
    let (writer, reader) = (store.clone(), store.clone());
    drop(store);
    index(&writer, &entries).await;
    assert_holds(&reader, &ledger, cursor_after(&ledger), &entries).await;
}
