//! What was written is there when the store is opened again.

use node_storage_contract::{Appended, IndexerStateRepo};

use crate::StoreFactory;
use crate::assertions::{append, assert_holds, assert_no_op, index};
use crate::data::{cursor_after, ledger};
use crate::expected::index_entries;
use crate::factory::{open, open_read_only};
use crate::observe::observe;
use node_storage_contract::RawOperationRepo;

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
    assert_eq!(observe(&reader).await, before);
    factory.close(reader).await;

    let store = open(factory).await;
    assert_eq!(observe(&store).await, before);
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
            assert_no_op(&store, store.append(last, cursor_after(last)), Appended::default()).await;
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
