//! Indexing follows a watermark (line 7 of the storage contract).

use node_storage_contract::{
    Conflict, ConflictReason, IndexEntry, IndexOutcome, Indexed, IndexedOperationRepo, IndexerStateRepo, ListedDid,
    OperationPosition, PublishedBlock, Reason, StorageError,
};

use crate::StoreFactory;
use crate::assertions::{append, assert_answers, assert_conflict, assert_holds, assert_no_op, index};
use crate::data::{all_ignored, blocks, cursor_at, did, ignored, ledger, of_did, of_storage, position, positions};
use crate::expected::index_entries;
use crate::factory::open;
use crate::observe::observe;

/// A store that holds the blocks 1 to 3, with five operations each, and the positions of these.
async fn with_three_blocks<F: StoreFactory>(factory: &F) -> (F::Store, Vec<PublishedBlock>, Vec<OperationPosition>) {
    let store = open(factory).await;
    let all = blocks([1, 2, 3]);
    append(&store, &all).await;
    let places = positions(&all);
    (store, all, places)
}

/// A batch covers stored operations from the first on; the answer says how many entries were added and where it stands.
pub async fn batch_moves_the_watermark_to_its_last_position(factory: &impl StoreFactory) {
    let (store, all, places) = with_three_blocks(factory).await;
    let entries = all_ignored(&places);
    let indexed = store.index(&entries[..4]).await.unwrap();
    assert_eq!(
        indexed,
        Indexed {
            entries: 4,
            watermark: Some(places[3])
        }
    );
    let indexed = store.index(&entries[4..]).await.unwrap();
    assert_eq!(
        indexed,
        Indexed {
            entries: 11,
            watermark: Some(places[14])
        }
    );
    assert_holds(&store, &all, cursor_at(&all[2]), &entries).await;
}

/// What stands at or below the watermark is passed over, whatever it says; the rest is added.
pub async fn entries_below_the_watermark_are_passed_over(factory: &impl StoreFactory) {
    let (store, all, places) = with_three_blocks(factory).await;
    let entries: Vec<_> = (0..)
        .zip(&places)
        .map(|(number, at)| of_did(*at, number, true))
        .collect();
    index(&store, &entries[..6]).await;
    let others: Vec<_> = (100..)
        .zip(&places)
        .map(|(number, at)| of_did(*at, number, true))
        .collect();
    let answer = Indexed {
        entries: 0,
        watermark: Some(places[5]),
    };
    assert_no_op(&store, store.index(&others[..6]), answer).await;
    assert_no_op(&store, store.index(&others[2..5]), answer).await;
    let overlapping = [&others[3..6], &entries[6..9]].concat();
    let indexed = store.index(&overlapping).await.unwrap();
    assert_eq!(
        indexed,
        Indexed {
            entries: 3,
            watermark: Some(places[8])
        }
    );
    assert_holds(&store, &all, cursor_at(&all[2]), &entries[..9]).await;
}

/// An empty batch does nothing, before the first entry and after.
pub async fn empty_batch_does_nothing(factory: &impl StoreFactory) {
    let store = open(factory).await;
    assert_eq!(
        store.index(&[]).await.unwrap(),
        Indexed {
            entries: 0,
            watermark: None
        }
    );
    let all = blocks([1]);
    append(&store, &all).await;
    index(&store, &all_ignored(&positions(&all)[..2])).await;
    let watermark = Some(positions(&all)[1]);
    assert_no_op(&store, store.index(&[]), Indexed { entries: 0, watermark }).await;
}

/// Indexed, ignored and undecodable operations all pass the watermark, and every field of an outcome comes back.
// edge-cases.md#o13
pub async fn every_outcome_passes_the_watermark(factory: &impl StoreFactory) {
    let (store, all, places) = with_three_blocks(factory).await;
    let undecodable = |at, reason: &str| IndexEntry {
        position: at,
        outcome: IndexOutcome::Undecodable {
            reason: Reason::new(reason),
        },
    };
    let entries = [
        undecodable(places[0], "wire type 7 in field 1"),
        ignored(places[1]),
        of_did(places[2], 1, false),
        of_did(places[3], 1, true),
        of_storage(places[4], 1, 2),
        undecodable(places[5], "last"),
    ];
    for entry in &entries {
        let indexed = store.index(std::slice::from_ref(entry)).await.unwrap();
        assert_eq!(
            indexed,
            Indexed {
                entries: 1,
                watermark: Some(entry.position)
            }
        );
    }
    assert_holds(&store, &all, cursor_at(&all[2]), &entries).await;
}

/// Reasons of the shortest and longest length, in any script, with what they replace for control characters.
pub async fn reasons_are_kept_to_the_longest(factory: &impl StoreFactory) {
    let (store, all, places) = with_three_blocks(factory).await;
    let reasons = [
        "x".to_owned(),
        String::new(),
        "é".repeat(Reason::MAX_LENGTH),
        "🦀".repeat(Reason::MAX_LENGTH + 50),
        "a\u{0}b\nc\u{7f}".to_owned(),
        "'; -- \\ %s {} ?1 $1".to_owned(),
        " \u{feff}leading and trailing ".to_owned(),
        "e\u{301} in two characters, UPPER CASE and \u{130}".to_owned(),
    ];
    let entries: Vec<_> = places
        .iter()
        .zip(&reasons)
        .map(|(at, text)| IndexEntry {
            position: *at,
            outcome: IndexOutcome::Ignored {
                reason: Reason::new(text),
            },
        })
        .collect();
    index(&store, &entries).await;
    assert_holds(&store, &all, cursor_at(&all[2]), &entries).await;
}

/// A batch that leaves a stored operation out, within it.
pub async fn gap_within_a_batch_is_a_conflict(factory: &impl StoreFactory) {
    let (store, _, places) = with_three_blocks(factory).await;
    for (from, left_out) in [(0, 1), (0, 5), (2, 4)] {
        index(&store, &all_ignored(&places[..from])).await;
        let mut batch = all_ignored(&places[from..8]);
        batch.retain(|entry| entry.position != places[left_out]);
        assert_conflict(&store, store.index(&batch), places[left_out], ConflictReason::IndexGap).await;
    }
}

/// A batch that leaves out a whole block, or several, with the watermark below, within or at the end of the one before.
pub async fn batch_that_leaves_out_whole_blocks_is_a_conflict(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([1, 2, 3, 7]);
    append(&store, &all).await;
    let places = positions(&all);
    for indexed in [0, 2, 5] {
        index(&store, &all_ignored(&places[..indexed])).await;
        for from in [10, 15] {
            let batch = [all_ignored(&places[indexed..5]), all_ignored(&places[from..])].concat();
            assert_conflict(&store, store.index(&batch), places[5], ConflictReason::IndexGap).await;
        }
    }
}

/// As many entries as operations, one of them unknown and one operation left out: no count makes that whole.
pub async fn unknown_position_does_not_make_up_for_a_gap(factory: &impl StoreFactory) {
    let (store, all, places) = with_three_blocks(factory).await;
    let before = observe(&store).await;
    for (left_out, unknown) in [(2, position(1, 3, 0)), (7, position(1, 2, 7)), (0, position(2, 3, 0))] {
        let mut batch = all_ignored(&places[..10]);
        batch[left_out] = ignored(unknown);
        let refused = store.index(&batch).await;
        // Either may be named.
        let is_named = matches!(
            &refused,
            Err(StorageError::Conflict(Conflict { at, reason: ConflictReason::IndexGap })) if *at == places[left_out].into()
        ) || matches!(
            &refused,
            Err(StorageError::Conflict(Conflict { at, reason: ConflictReason::UnknownPosition })) if *at == unknown.into()
        );
        assert!(
            is_named,
            "neither {} nor {unknown} is named: {refused:?}",
            places[left_out]
        );
    }
    assert_answers(&store, &before).await;
    let entries = all_ignored(&places);
    index(&store, &entries).await;
    assert_holds(&store, &all, cursor_at(&all[2]), &entries).await;
}

/// Nothing of a refused batch is known afterwards: its operations may be indexed as something else.
pub async fn outcomes_of_a_refused_batch_are_forgotten(factory: &impl StoreFactory) {
    let (store, all, places) = with_three_blocks(factory).await;
    let mut batch: Vec<_> = places[..8].iter().map(|at| of_did(*at, 1, true)).collect();
    batch.push(ignored(position(2, 6, 0)));
    let at = position(2, 6, 0);
    assert_conflict(&store, store.index(&batch), places[8], ConflictReason::IndexGap).await;
    batch.push(ignored(places[8]));
    batch.push(ignored(places[9]));
    assert_conflict(&store, store.index(&batch), at, ConflictReason::UnknownPosition).await;
    let entries: Vec<_> = places.iter().map(|at| of_storage(*at, 3, 2)).collect();
    index(&store, &entries).await;
    assert_holds(&store, &all, cursor_at(&all[2]), &entries).await;
}

/// A batch that starts above the operation after the watermark: that one is named.
pub async fn gap_before_a_batch_is_a_conflict(factory: &impl StoreFactory) {
    let (store, _, places) = with_three_blocks(factory).await;
    let batch = all_ignored(&places[1..3]);
    assert_conflict(&store, store.index(&batch), places[0], ConflictReason::IndexGap).await;
    index(&store, &all_ignored(&places[..4])).await;
    for from in [5, 9, 14] {
        let batch = all_ignored(&places[from..]);
        assert_conflict(&store, store.index(&batch), places[4], ConflictReason::IndexGap).await;
    }
}

/// A gap at or below the watermark refuses a batch too: it covers a contiguous run.
pub async fn gap_below_the_watermark_is_a_conflict(factory: &impl StoreFactory) {
    let (store, _, places) = with_three_blocks(factory).await;
    index(&store, &all_ignored(&places[..6])).await;
    let mut batch = all_ignored(&places[..9]);
    batch.remove(2);
    assert_conflict(&store, store.index(&batch), places[2], ConflictReason::IndexGap).await;
}

/// An entry for a position where nothing is stored: in an empty store, between operations, and above the last.
pub async fn unknown_position_is_a_conflict(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let nowhere = position(1, 2, 0);
    let entry = [ignored(nowhere)];
    assert_conflict(&store, store.index(&entry), nowhere, ConflictReason::UnknownPosition).await;

    let all = blocks([1, 2, 3]);
    append(&store, &all).await;
    let places = positions(&all);
    let unknown = [
        (position(1, 2, 3), 3),
        (position(1, 3, 0), 3),
        (position(1, 5, 2), 5),
        (position(3, 5, 2), 15),
        (position(4, 0, 0), 15),
    ];
    for (at, stored_below) in unknown {
        let mut batch = all_ignored(&places[..stored_below]);
        batch.push(ignored(at));
        assert_conflict(&store, store.index(&batch), at, ConflictReason::UnknownPosition).await;
    }
    for (at, end) in [(position(1, 2, 3), 8), (position(2, 0, 0), 15)] {
        let mut batch = all_ignored(&places[..end]);
        batch.insert(1, ignored(at));
        assert_conflict(&store, store.index(&batch), at, ConflictReason::UnknownPosition).await;
    }
    let below_all = position(0, 0, 0);
    let batch = [ignored(below_all), ignored(places[0])];
    assert_conflict(&store, store.index(&batch), below_all, ConflictReason::UnknownPosition).await;
}

/// An entry for an unknown position is refused below the watermark too.
pub async fn unknown_position_below_the_watermark_is_a_conflict(factory: &impl StoreFactory) {
    let (store, _, places) = with_three_blocks(factory).await;
    index(&store, &all_ignored(&places)).await;
    let nowhere = position(2, 3, 0);
    let entry = [ignored(nowhere)];
    assert_conflict(&store, store.index(&entry), nowhere, ConflictReason::UnknownPosition).await;
}

/// Two different entries for one position, also below the watermark; equal ones are one.
pub async fn two_entries_for_one_position_are_a_conflict(factory: &impl StoreFactory) {
    let (store, all, places) = with_three_blocks(factory).await;
    let twice = [ignored(places[0]), ignored(places[0]), ignored(places[1])];
    let indexed = store.index(&twice).await.unwrap();
    assert_eq!(
        indexed,
        Indexed {
            entries: 2,
            watermark: Some(places[1])
        }
    );
    assert_holds(&store, &all, cursor_at(&all[2]), &twice[1..]).await;
    for place in [places[0], places[2]] {
        let batch = [ignored(place), of_did(place, 1, true)];
        assert_conflict(&store, store.index(&batch), place, ConflictReason::IndexedTwice).await;
        let batch = [of_did(place, 1, true), of_did(place, 1, false)];
        assert_conflict(&store, store.index(&batch), place, ConflictReason::IndexedTwice).await;
    }
}

/// A DID that several entries list keeps its lowest position, within a batch and across batches.
pub async fn listed_did_keeps_its_lowest_position(factory: &impl StoreFactory) {
    let (store, all, places) = with_three_blocks(factory).await;
    let entries = [
        of_did(places[0], 1, false),
        of_did(places[1], 2, true),
        of_did(places[2], 1, true),
        of_did(places[3], 2, true),
        of_did(places[4], 1, true),
        of_did(places[5], 2, false),
        of_did(places[6], 1, true),
    ];
    let mut batch = entries[..4].to_vec();
    batch.reverse();
    index(&store, &batch).await;
    index(&store, &entries[4..]).await;
    assert_holds(&store, &all, cursor_at(&all[2]), &entries).await;
    let listed = |number, place: usize| ListedDid {
        did: did(number),
        position: places[place],
    };
    assert_eq!(store.listed_did(&did(1)).await.unwrap(), Some(listed(1, 2)));
    assert_eq!(store.listed_did(&did(2)).await.unwrap(), Some(listed(2, 1)));
}

/// A DID that no valid create names is not listed, however many operations are routed to it.
pub async fn did_without_a_valid_create_is_not_listed(factory: &impl StoreFactory) {
    let (store, _, places) = with_three_blocks(factory).await;
    let entries = [
        of_did(places[0], 1, false),
        of_storage(places[1], 1, 1),
        of_did(places[2], 1, false),
    ];
    index(&store, &entries).await;
    assert_eq!(store.listed_did(&did(1)).await.unwrap(), None);
    assert_eq!(
        store.listed_dids_after(None, crate::data::limit(10)).await.unwrap(),
        vec![]
    );
    let operations = store
        .operations_of_did(&did(1), None, crate::data::limit(10))
        .await
        .unwrap();
    assert_eq!(operations.len(), 3);
}

/// What the node's own indexer makes of a ledger of every kind of operation is what the contract says.
pub async fn indexer_of_the_node_indexes_everything(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let ledger = ledger();
    append(&store, &ledger[..4]).await;
    node_service::index::index_all(&store).await.unwrap();
    append(&store, &ledger).await;
    let state = node_service::index::index_all(&store).await.unwrap();
    assert!(state.is_complete());
    assert_eq!(store.indexer_state().await.unwrap(), state);
    let found = crate::observe::all_operations(&store).await;
    for (record, entry) in found.iter().zip(index_entries(&ledger)) {
        assert_eq!(record.operation.position, entry.position);
        match (&record.indexing, &entry.outcome) {
            (Some(IndexOutcome::Ignored { .. }), IndexOutcome::Ignored { .. }) => {}
            (found, expected) => assert_eq!(found.as_ref(), Some(expected), "{}", entry.position),
        }
    }
    assert_eq!(found.len(), positions(&ledger).len());
}
