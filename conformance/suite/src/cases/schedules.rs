//! Calls at the same time: some order of them, one after another, explains every answer and what is stored then (lines 2, 6, 7
//! and 9 of the storage contract).

use node_storage_contract::Cursor;

use crate::data::{block, cursor_at};
use crate::factory::open;
use crate::lens::author::Kind;
use crate::lens::handles::Handles;
use crate::lens::read::questions;
use crate::lens::refusals::contradictions;
use crate::lens::schedule::{Call, Seeded, run};
use crate::lens::write::{Write, copy};
use crate::model::ModelStore;
use crate::streams::short;
use crate::{Level, StoreFactory};

/// Schedules of two calls, and of three.
const SCHEDULES: u64 = 60;

/// Two calls at the same time, of all kinds.
pub async fn two_calls_at_once_are_explained_by_an_order(factory: &impl StoreFactory) {
    schedules(factory, 2).await;
}

/// Three calls at the same time, of all kinds.
pub async fn three_calls_at_once_are_explained_by_an_order(factory: &impl StoreFactory) {
    schedules(factory, 3).await;
}

async fn schedules(factory: &impl StoreFactory, calls: usize) {
    let mut handles = Handles::open(factory).await;
    for (step, kind) in [Kind::Append, Kind::Index].into_iter().enumerate() {
        let write = kind.next(&handles.model);
        handles.write(step, &write).await;
    }
    for seed in 0..Level::chosen().often(SCHEDULES) {
        let mut seeded = Seeded::new(seed);
        let mut chosen = Vec::new();
        // The first one changes something; then there is something to see.
        chosen.push(Call::Write(
            Kind::ALL[seeded.below(Kind::ALL.len())].next(&handles.model),
        ));
        while chosen.len() < calls {
            chosen.push(call(&mut seeded, &handles.model).await);
        }
        let stores: Vec<_> = chosen
            .iter()
            .enumerate()
            .map(|(number, call)| match call {
                Call::Write(_) => handles.writer(number + seeded.below(3)).1,
                Call::Read(_) => handles.nth(seeded.below(5)).1,
            })
            .collect();
        match run(&chosen, &stores, &handles.model, seed).await {
            Ok(after) => handles.model = after,
            Err(difference) => panic!("{difference}"),
        }
        handles.last = format!("{calls} calls at the same time with seed {seed}: {}", short(&chosen));
    }
    handles.look().await;
    handles.close().await;
}

/// A call that somebody may make now, who knows the state before: some of them contradict each other.
async fn call(seeded: &mut Seeded, model: &ModelStore) -> Call {
    let kind = Kind::ALL[seeded.below(Kind::ALL.len())];
    match seeded.below(10) {
        // What others do too.
        0 | 1 => Call::Write(kind.next(model)),
        // Another fork of what others do.
        2 => Call::Write(fork(kind.next(model))),
        // What comes after what others do.
        3 => {
            let (after, _) = kind.next(model).expected(model).await;
            Call::Write(Kind::ALL[seeded.below(Kind::ALL.len())].next(&after))
        }
        // What contradicts that.
        8 | 9 => {
            let (after, _) = kind.next(model).expected(model).await;
            let mut wrong = contradictions(&after);
            let place = seeded.below(wrong.len());
            Call::Write(wrong.swap_remove(place))
        }
        // A transaction that others store too, in another block.
        4 => Call::Write(with_common_transaction(model)),
        _ => {
            let (after, _) = kind.next(model).expected(model).await;
            let reads = questions(&after.content());
            Call::Read(reads[seeded.below(reads.len())].clone())
        }
    }
}

/// The same with another hash.
fn fork(write: Write) -> Write {
    match write {
        Write::Append(expected, mut blocks, cursor) => {
            let hash = crate::data::other_hash(cursor.block.get());
            if let Some(last) = blocks.iter_mut().find(|block| block.number == cursor.block) {
                last.hash = hash;
            }
            Write::Append(expected, blocks, Cursor { hash, ..cursor })
        }
        Write::AdvanceCursor(expected, cursor) => Write::AdvanceCursor(
            expected,
            Cursor {
                hash: crate::data::other_hash(cursor.block.get()),
                ..cursor
            },
        ),
        other => other,
    }
}

/// A block two numbers above the cursor, with the transaction that [`Kind::Append`] has in the block below it.
fn with_common_transaction(model: &ModelStore) -> Write {
    let stored = model.content().cursor;
    let next = stored.map_or(1, |cursor| cursor.block.get() + 1);
    let mut new = block(next + 1);
    new.transactions = block(next).transactions;
    let at = cursor_at(&new);
    Write::Append(stored, vec![new], at)
}

/// Writers, an indexer and readers in as many tasks, on the threads there are: whatever was acknowledged to one of them is there
/// in the end, in its place, and nobody has seen a state that never was.
pub async fn tasks_on_threads_leave_what_was_acknowledged(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let model = open(&crate::model::Model::default()).await;
    for round in 0..12_u64 {
        // All begin from one state, at once.
        let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(4));
        let writes = [
            Kind::Append.next(&model),
            Kind::Move.next(&model),
            Kind::Load.next(&model),
            Kind::Index.next(&model),
        ];
        let mut tasks = tokio::task::JoinSet::new();
        for (number, write) in writes.iter().cloned().enumerate() {
            let (store, barrier) = (store.clone(), std::sync::Arc::clone(&barrier));
            tasks.spawn(async move {
                barrier.wait().await;
                (number, write.ask(&store).await)
            });
        }
        let mut answers: Vec<_> = tasks.join_all().await;
        answers.sort_by_key(|(number, _)| *number);
        // One of those that move the cursor is accepted, and indexing is independent of it.
        let accepted: Vec<usize> = answers
            .iter()
            .filter(|(_, answer)| answer.is_ok())
            .map(|(number, _)| *number)
            .collect();
        let moving = accepted.iter().filter(|number| **number < 3).count();
        assert_eq!(
            moving,
            1,
            "round {round}: of three writers that expect the same cursor one is accepted; the answers are {}",
            short(&answers)
        );
        assert!(
            accepted.contains(&3),
            "round {round}: the index batch is refused: {}",
            short(&answers)
        );
        let after = copy(&model).await;
        for number in accepted {
            let answer = writes[number].ask(&after).await;
            assert!(
                answer.is_ok(),
                "the model accepts what the store has accepted: {}",
                short(&answer)
            );
        }
        let content = after.content().clone();
        *model.content() = content;
        let reads = questions(&model.content());
        crate::lens::look(&store, &reads, &model, &format!("after round {round}")).await;
    }
}
