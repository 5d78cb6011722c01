//! A call that is dropped at any of its steps has happened or has not, and leaves nothing behind (lines 2, 6 and 7 of the storage
//! contract).

use node_storage_contract::{NodeStorage, Result, StorageError};

use crate::StoreFactory;
use crate::lens::author::Kind;
use crate::lens::handles::{Handles, same_answer};
use crate::lens::read::{Read, Telling, brief, questions, telling};
use crate::lens::stepped::Stepped;
use crate::lens::write::{Write, Written};
use crate::lens::{is_after, look};
use crate::model::ModelStore;
use crate::streams::short;

/// Every step is tried up to this one; after it one in so many.
const EACH_STEP: usize = 20;
const ONE_IN: usize = 13;

/// A write that takes more steps than this waits for something that never comes.
const MOST_STEPS: usize = 10_000;

/// An append that is dropped at any of its steps is stored whole or not at all, and what it held is free for the next one.
// edge-cases.md#o13
pub async fn append_dropped_at_any_step_is_whole_or_nothing(factory: &impl StoreFactory) {
    drop_at_every_step(factory, &[Kind::Append, Kind::AppendMany, Kind::AppendNothing]).await;
}

/// A load that is dropped at any of its steps is stored whole or not at all, and what it held is free for the next one.
pub async fn load_dropped_at_any_step_is_whole_or_nothing(factory: &impl StoreFactory) {
    drop_at_every_step(factory, &[Kind::Load, Kind::LoadMany]).await;
}

/// An index batch that is dropped at any of its steps is stored whole or not at all, and what it held is free for the next one.
// edge-cases.md#o15
pub async fn index_dropped_at_any_step_is_whole_or_nothing(factory: &impl StoreFactory) {
    drop_at_every_step(factory, &[Kind::Index, Kind::IndexAll]).await;
}

/// A move of the cursor that is dropped at any of its steps has moved it or not, and what it held is free for the next one.
pub async fn cursor_move_dropped_at_any_step_is_whole_or_nothing(factory: &impl StoreFactory) {
    drop_at_every_step(factory, &[Kind::Move]).await;
}

/// A write of more than a thousand operations, which a store may do in parts, and which is dropped at any of its first steps, has
/// happened as a whole or not at all.
pub async fn large_writes_dropped_at_any_step_are_whole_or_nothing(factory: &impl StoreFactory) {
    const STEPS: [usize; 5] = [1, 2, 3, 5, 8];
    let mut handles = Handles::open(factory).await;
    for kind in [Kind::AppendLarge, Kind::IndexAll, Kind::LoadLarge] {
        for steps in STEPS {
            if kind == Kind::IndexAll && is_indexed(&handles.model) {
                let write = Kind::AppendLarge.next(&handles.model);
                handles.write(steps, &write).await;
            }
            let write = kind.next(&handles.model);
            let (after, expected) = write.expected(&handles.model).await;
            let (_, store) = handles.writer(steps);
            let mut call = Stepped::new(write.ask(store));
            while call.polls < steps && !call.step().await {}
            drop(call);
            let what = format!("{} that was dropped at its step {steps}", write.describe());
            for (number, telling) in brief(telling(&handles.model, &after, 2).await).iter().enumerate() {
                let (handle, store) = handles.nth(steps + number);
                is_after(
                    telling,
                    telling.read.ask(store).await,
                    &format!("after {what}, through {handle}"),
                );
            }
            repeat(&write, &expected, &after, handles.writer(steps + 1).1, &what).await;
            handles.model = after;
            handles.last = what;
        }
    }
    handles.look_once().await;
    handles.close().await;
}

/// A write that waits for a load, and is dropped at any of its steps, leaves nothing behind: neither for the load nor for those
/// that come after it.
pub async fn waiting_write_dropped_at_any_step_leaves_nothing_behind(factory: &impl StoreFactory) {
    const STEPS: usize = 9;
    let mut handles = Handles::open(factory).await;
    for (step, kind) in [Kind::AppendMany, Kind::Index].into_iter().enumerate() {
        let write = kind.next(&handles.model);
        handles.write(step, &write).await;
    }
    for (step, kind) in Kind::ALL.into_iter().enumerate() {
        let load = Kind::LoadMany.next(&handles.model);
        let (loaded, expected) = load.expected(&handles.model).await;
        let beside = kind.next(&handles.model);
        let stores = [0, 1, 2].map(|number| handles.writer(step + number).1.clone());
        let mut loading = Stepped::new(load.ask(&stores[0]));
        let asked = load.chunks_asked_for();
        while load.chunks_asked_for() == asked && !loading.step().await {}
        // Those that are polled far beyond their wait are more than any store has connections.
        for polls in (1..=STEPS).chain([3 * STEPS; 12]) {
            let mut waiting = Stepped::new(beside.ask(&stores[1 + polls % 2]));
            if polls == STEPS {
                // As far as it comes.
                while waiting.woken_soon().await && !waiting.has_ended() {
                    waiting.poll().await;
                }
            }
            while waiting.polls < polls && !waiting.has_ended() {
                waiting.poll().await;
            }
        }
        let what = format!("{} that waited for a load and was dropped", beside.describe());
        let answer = loading.finish().await;
        handles.accept(loaded, &expected, &answer, &format!("{}, and {what}", load.describe()));
        let next = kind.next(&handles.model);
        handles.write(step, &next).await;
        handles.glance(&[Read::Cursor, Read::Bound, Read::IndexerState]).await;
    }
    handles.look().await;
    handles.close().await;
}

/// A read that is dropped at any of its steps, far more often than there are connections, leaves a store that reads and writes.
pub async fn reads_dropped_at_any_step_leave_nothing_behind(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    for (step, kind) in [Kind::AppendMany, Kind::Index].into_iter().enumerate() {
        let write = kind.next(&handles.model);
        handles.write(step, &write).await;
    }
    let reads = crate::lens::read::questions(&handles.model.content());
    let of_each = Read::METHODS.map(|method| {
        reads
            .iter()
            .find(|read| read.method() == method)
            .expect("each is asked")
    });
    for steps in 1..=50 {
        for read in of_each {
            let (_, store) = handles.nth(steps);
            let mut call = Stepped::new(read.ask(store));
            // Two of three are dropped while they go on; the third may end.
            while call.polls < steps % 3 + 1 && !call.step().await {}
        }
        if steps % 10 == 0 {
            // No read comes between those that were dropped and the write, nor anything that would end what they have begun.
            let write = [Kind::Append, Kind::IndexAll][steps / 10 % 2].next(&handles.model);
            handles.last = format!("{steps} reads of each method that were dropped");
            handles.write(steps, &write).await;
            handles.look().await;
        }
    }
    "50 reads of each method that were dropped".clone_into(&mut handles.last);
    handles.look().await;
    let write = Kind::Append.next(&handles.model);
    handles.write(0, &write).await;
    handles.look().await;
    handles.close().await;
}

/// A read of everything there is, of more than a thousand rows, which a store may answer in parts, that is dropped at any of its first
/// steps, far more often than there are connections, leaves a store that reads and writes.
pub async fn long_reads_dropped_at_any_step_leave_nothing_behind(factory: &impl StoreFactory) {
    const TIMES: usize = 30;
    let mut handles = Handles::open(factory).await;
    for (step, kind) in [Kind::AppendLarge, Kind::IndexAll].into_iter().enumerate() {
        let write = kind.next(&handles.model);
        handles.write(step, &write).await;
    }
    let reads = questions(&handles.model.content());
    for method in Read::METHODS {
        let mut longest: Option<(usize, &Read)> = None;
        for read in reads.iter().filter(|read| read.method() == method && !read.is_brief()) {
            let length = read.expected(&handles.model).await.rows();
            if longest.is_none_or(|(known, _)| length > known) {
                longest = Some((length, read));
            }
        }
        // A few rows answer the others.
        let Some((_, read)) = longest else { continue };
        for steps in 0..TIMES {
            let (_, store) = handles.nth(steps);
            let mut call = Stepped::new(read.ask(store));
            // Two of three are dropped while they go on; the third may end.
            while call.polls < steps % 3 + 1 && !call.step().await {}
        }
        handles.last = format!("{TIMES} reads by {method} that were dropped");
        handles.glance(&[Read::Cursor, Read::Bound, Read::IndexerState]).await;
        let write = Kind::Append.next(&handles.model);
        handles.write(0, &write).await;
    }
    handles.look_once().await;
    handles.close().await;
}

async fn drop_at_every_step(factory: &impl StoreFactory, kinds: &[Kind]) {
    let mut handles = Handles::open(factory).await;
    for kind in kinds {
        let mut dropped = 0;
        let mut steps = 1;
        loop {
            assert!(steps < MOST_STEPS, "{kind:?} does not end within {MOST_STEPS} steps");
            if is_indexed(&handles.model) {
                let write = Kind::Append.next(&handles.model);
                handles.write(steps, &write).await;
            }
            let write = kind.next(&handles.model);
            let (after, expected) = write.expected(&handles.model).await;
            let (_, store) = handles.writer(steps);
            let store = store.clone();
            let mut call = Stepped::new(write.ask(&store));
            while call.polls < steps && !call.step().await {}
            if call.has_ended() {
                let answer = call.into_output().expect("it has ended");
                handles.accept(after, &expected, &answer, &write.describe());
                break;
            }
            drop(call);
            // Clones go before the store is closed.
            drop(store);
            dropped += 1;
            let what = format!("{} that was dropped at its step {steps}", write.describe());
            let telling = telling(&handles.model, &after, 1).await;
            for (number, telling) in telling.iter().enumerate() {
                // What was dropped may still be ending.
                let (handle, store) = handles.nth(steps + number);
                is_after(
                    telling,
                    telling.read.ask(store).await,
                    &format!("after {what}, through {handle}"),
                );
            }
            if steps <= 4 || steps % 3 == 2 {
                handles.last.clone_from(&what);
                // Where nobody writes in between, what was dropped may end as late as now, but not with a later opening.
                let settled = if steps % 2 == 0 {
                    settle(&handles, &after, &telling, &what).await
                } else {
                    None
                };
                handles.reopen_writers().await;
                let lens = format!("after {what}, and opening again");
                let seen = is_seen(&telling, handles.writer(0).1, &lens).await;
                if let Some(settled) = settled {
                    assert!(
                        seen == settled,
                        "{lens}, the reads answer the state {} it, and answered the one {} it to the last write before",
                        if seen { "after" } else { "before" },
                        if settled { "after" } else { "before" },
                    );
                }
                let state = if seen { &after } else { &handles.model };
                let reads = questions(&state.content());
                look(handles.writer(0).1, &reads, state, &lens).await;
            }
            repeat(&write, &expected, &after, handles.writer(steps + 1).1, &what).await;
            handles.model = after;
            handles.last = format!(
                "the same {} again, after one that was dropped at its step {steps}",
                write.method()
            );
            let reads: Vec<_> = telling.into_iter().map(|telling| telling.read).collect();
            let (handle, store) = handles.nth(steps);
            look(
                store,
                &reads,
                &handles.model,
                &format!("after {}, through {handle}", handles.last),
            )
            .await;
            steps += if steps < EACH_STEP { 1 } else { ONE_IN };
        }
        handles.last = format!("{}, dropped at {dropped} of its steps", short(kind));
        handles.look().await;
        drop_often(&mut handles, *kind).await;
        handles.look().await;
        handles.reopen().await;
        handles.look().await;
    }
    handles.close().await;
}

/// Makes certain that what was dropped has ended, by a write that changes nothing: writes take turns. Answers whether it has
/// happened, or `None` for a store without a cursor, where no write changes nothing.
async fn settle<F: StoreFactory>(
    handles: &Handles<'_, F>,
    after: &ModelStore,
    telling: &[Telling],
    what: &str,
) -> Option<bool> {
    let (_, store) = handles.writer(0);
    for state in [&handles.model, after] {
        let stored = state.content().cursor?;
        let write = Write::AdvanceCursor(Some(stored), stored);
        match write.ask(store).await {
            Ok(_) => break,
            // It has moved the cursor.
            Err(StorageError::CursorMoved(_)) => {}
            Err(error) => panic!("after {what}, a move of the cursor to where it is fails: {error}"),
        }
    }
    let lens = format!("after {what}, and a move of the cursor to where it is");
    Some(is_seen(telling, store, &lens).await)
}

/// Whether what was dropped has happened, as all that are asked say.
async fn is_seen<S: NodeStorage>(telling: &[Telling], store: &S, lens: &str) -> bool {
    let mut seen = Vec::new();
    for telling in telling {
        seen.push(is_after(telling, telling.read.ask(store).await, lens));
    }
    let first = seen.first().copied().unwrap_or_default();
    assert!(
        seen.iter().all(|seen| *seen == first),
        "{lens}, some reads answer the state before it, and some the one after"
    );
    first
}

/// Drops far more writes of a kind than any store has connections, each few of them from one state.
async fn drop_often<F: StoreFactory>(handles: &mut Handles<'_, F>, kind: Kind) {
    const ROUNDS: usize = 12;
    const EACH: usize = 5;
    for round in 0..ROUNDS {
        if is_indexed(&handles.model) {
            let write = Kind::Append.next(&handles.model);
            handles.write(round, &write).await;
        }
        let write = kind.next(&handles.model);
        let (after, expected) = write.expected(&handles.model).await;
        for steps in 1..=EACH {
            let (_, store) = handles.writer(round + steps);
            let mut call = Stepped::new(write.ask(store));
            while call.polls < steps && !call.step().await {}
        }
        let what = format!("{} that was dropped {EACH} times, in round {round}", write.describe());
        repeat(&write, &expected, &after, handles.writer(round).1, &what).await;
        handles.model = after;
    }
    handles.last = format!(
        "{} writes of the kind {}, dropped after one to {EACH} steps",
        ROUNDS * EACH,
        short(&kind)
    );
}

/// Whether there is nothing to index.
fn is_indexed(model: &ModelStore) -> bool {
    let content = model.content();
    content.watermark() == content.bound().last
}

/// Does what was dropped once more: it is accepted, unless it had happened and the store says so.
async fn repeat<S: NodeStorage>(write: &Write, expected: &Result<Written>, after: &ModelStore, store: &S, what: &str) {
    let answer = write.ask(store).await;
    if same_answer(expected, &answer) {
        return;
    }
    let (cursor, bound, watermark) = {
        let content = after.content();
        (content.cursor, content.bound(), content.watermark())
    };
    let had_happened = match &answer {
        Err(StorageError::CursorMoved(moved)) => moved.stored == cursor,
        Err(StorageError::BoundMismatch(mismatch)) => mismatch.found == bound,
        Ok(Written::Indexed(indexed)) => indexed.entries == 0 && indexed.watermark == watermark,
        _ => false,
    };
    assert!(
        had_happened,
        "after {what}, the same again answers {}, which says neither that it is done now nor that it had been done",
        short(&answer)
    );
}
