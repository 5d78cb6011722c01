//! While a write goes on, everybody else sees the state before or the state after, whole (lines 2, 7 and 9 of the storage
//! contract).

use crate::StoreFactory;
use crate::lens::author::Kind;
use crate::lens::handles::Handles;
use crate::lens::is_after;
use crate::lens::read::{Read, telling};
use crate::lens::stepped::{Stepped, finish_beside};

/// Between any two steps of a write, every read through every other handle answers the state before or the state after it, and
/// once one has answered the state after, all that are asked later do.
pub async fn reads_beside_a_write_see_the_state_before_or_after_it(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    for (step, kind) in [Kind::Append, Kind::Index].into_iter().chain(Kind::ALL).enumerate() {
        let write = kind.next(&handles.model);
        let (after, expected) = write.expected(&handles.model).await;
        let telling = telling(&handles.model, &after, 1).await;
        let (_, writer) = handles.writer(step);
        let mut call = Stepped::new(write.ask(writer));
        let mut is_visible = false;
        let mut looks = 0;
        while !call.step().await {
            // Everything at first, and then one read after another: some writes take hundreds of steps.
            let few = telling.iter().cycle().skip(looks).take(2);
            let asked: Vec<_> = if looks < 12 {
                telling.iter().collect()
            } else {
                few.collect()
            };
            looks += 1;
            for (number, telling) in asked.into_iter().enumerate() {
                let (handle, store) = handles.nth(looks + number);
                let lens = format!(
                    "during {}, after its step {}, through {handle}",
                    write.describe(),
                    call.polls
                );
                let found = finish_beside(Stepped::new(telling.read.ask(store)), &mut call).await;
                let is_after = is_after(telling, found, &lens);
                assert!(
                    is_after || !is_visible,
                    "{lens}, {} answers the state before it, after another read had answered the one after",
                    telling.read.method()
                );
                is_visible = is_after;
            }
        }
        let answer = call.into_output().expect("it has ended");
        handles.accept(after, &expected, &answer, &write.describe());
        handles
            .glance(
                &telling
                    .iter()
                    .map(|telling| telling.read.clone())
                    .collect::<Vec<Read>>(),
            )
            .await;
    }
    handles.look().await;
    handles.close().await;
}

/// Each read is polled step by step while others write between its steps: its answer is that of one state, of those there were
/// while it went on.
pub async fn read_answers_one_state_however_much_is_written_meanwhile(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    for (step, kind) in [Kind::Append, Kind::Index, Kind::AppendMany, Kind::Index]
        .into_iter()
        .enumerate()
    {
        let write = kind.next(&handles.model);
        handles.write(step, &write).await;
    }
    let mut turn = 0;
    for method in Read::METHODS {
        for first in [Kind::Append, Kind::Index, Kind::Move, Kind::IndexAll, Kind::LoadMany] {
            let write = first.next(&handles.model);
            let (after, _) = write.expected(&handles.model).await;
            let telling = telling(&handles.model, &after, 1).await;
            let Some(telling) = telling.into_iter().find(|telling| telling.read.method() == method) else {
                continue;
            };
            turn += 1;
            let (handle, store) = handles.nth(turn);
            let store = store.clone();
            let read = telling.read;
            let mut states = vec![telling.before, telling.after];
            let mut writes = vec![write];
            let mut call = Stepped::new(read.ask(&store));
            let mut steps = 0;
            // The first step comes before the first write, and a write before every further step.
            while !call.step().await {
                let next = match steps {
                    0 => writes.pop().expect("the first one"),
                    _ => [Kind::Index, Kind::Append, Kind::Move][steps % 3].next(&handles.model),
                };
                steps += 1;
                if steps > 40 {
                    // It reads on and on; nobody has to write for ever.
                    break;
                }
                let (after, expected) = next.expected(&handles.model).await;
                let other = handles.writer(steps).1.clone();
                let answer = finish_beside(Stepped::new(next.ask(&other)), &mut call).await;
                handles.accept(after, &expected, &answer, &next.describe());
                states.push(read.expected(&handles.model).await);
            }
            let polls = call.polls;
            let found = call.finish().await;
            match found {
                Ok(found) => assert!(
                    states.contains(&found),
                    "{}, polled {polls} times through {handle} while others wrote {steps} times in between, answers {}, which is \
                     none of the states there were; the first was {}, the last {}",
                    read.method(),
                    crate::streams::short(&found),
                    crate::streams::short(&states.first()),
                    crate::streams::short(&states.last()),
                ),
                Err(error) => panic!("{} fails while others write: {error}", read.method()),
            }
        }
    }
    handles.look().await;
    handles.close().await;
}

/// Every write that comes while a load goes on waits for its end, and is judged by what the load leaves.
pub async fn every_write_waits_for_a_load(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    for (step, kind) in [Kind::AppendMany, Kind::Index].into_iter().enumerate() {
        let write = kind.next(&handles.model);
        handles.write(step, &write).await;
    }
    for (step, kind) in Kind::ALL.into_iter().enumerate() {
        let load = Kind::LoadMany.next(&handles.model);
        let (loaded, expected) = load.expected(&handles.model).await;
        let beside = kind.next(&handles.model);
        let (after, expected_beside) = beside.expected(&loaded).await;
        let (loading_store, waiting_store) = (handles.writer(step).1.clone(), handles.writer(step + 1).1.clone());
        let mut loading = Stepped::new(load.ask(&loading_store));
        // The store is judged before the first chunk is asked for.
        let asked = load.chunks_asked_for();
        while load.chunks_asked_for() == asked && !loading.step().await {}
        assert!(
            !loading.has_ended(),
            "a load of several chunks ends before its source does"
        );
        let mut waiting = Stepped::new(beside.ask(&waiting_store));
        while waiting.woken_soon().await && !waiting.has_ended() {
            waiting.poll().await;
        }
        assert!(
            !waiting.has_ended(),
            "the {} answers {} while a load goes on, and does not wait for its end",
            beside.describe(),
            crate::streams::short(&waiting.into_output())
        );
        let answer = loading.finish().await;
        handles.accept(loaded, &expected, &answer, &load.describe());
        let answer = waiting.finish().await;
        handles.accept(
            after,
            &expected_beside,
            &answer,
            &format!("{} that waited for a load", beside.describe()),
        );
    }
    handles.look().await;
    handles.close().await;
}
