//! While a write goes on, everybody else sees the state before or the state after, whole (lines 2, 7 and 9 of the storage
//! contract).

use std::time::Duration;

use node_storage_contract::{NodeStorage, PageLimit, Result, StorageError};
use tokio::time::{Instant, timeout};

use crate::StoreFactory;
use crate::lens::author::Kind;
use crate::lens::handles::Handles;
use crate::lens::is_after;
use crate::lens::read::{Read, Reading, brief, questions, questions_about, telling};
use crate::lens::refusals::contradictions;
use crate::lens::stepped::{Stepped, finish_all, finish_beside, finish_soon, poll_as_far_as_they_come};
use crate::lens::write::{Write, Written};
use crate::model::ModelStore;
use crate::streams::short;

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
            // Everything at first, there and back, so that each is asked before and after each other; and then one read after
            // another: some writes take hundreds of steps.
            let few = telling.iter().cycle().skip(looks).take(2);
            let asked: Vec<_> = if looks < 12 {
                telling.iter().chain(telling.iter().rev()).collect()
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

/// The same of writes of more than a thousand operations, which a store may do in parts: the cursor, the watermark and the last rows
/// are asked for.
pub async fn reads_beside_a_large_write_see_the_state_before_or_after_it(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    let kinds = [Kind::AppendLarge, Kind::IndexAll, Kind::LoadLarge, Kind::IndexAll];
    for (step, kind) in kinds.into_iter().enumerate() {
        let write = kind.next(&handles.model);
        let (after, expected) = write.expected(&handles.model).await;
        let telling = brief(telling(&handles.model, &after, 3).await);
        let (_, writer) = handles.writer(step);
        let mut call = Stepped::new(write.ask(writer));
        let mut looks = 0;
        while !call.step().await {
            for (number, telling) in telling.iter().cycle().skip(looks).take(3).enumerate() {
                let (handle, store) = handles.nth(looks + number);
                let lens = format!(
                    "during {}, after its step {}, through {handle}",
                    write.describe(),
                    call.polls
                );
                let found = finish_beside(Stepped::new(telling.read.ask(store)), &mut call).await;
                is_after(telling, found, &lens);
            }
            looks += 3;
        }
        let answer = call.into_output().expect("it has ended");
        handles.accept(after, &expected, &answer, &write.describe());
    }
    handles.look_once().await;
    handles.close().await;
}

/// Answers of more than a thousand rows are of one state, however much is written between their steps.
pub async fn long_answers_are_of_one_state(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    for step in 0..STEPS {
        let append = Kind::AppendLarge.next(&handles.model);
        handles.write(step, &append).await;
        let write = Kind::IndexAll.next(&handles.model);
        let (after, expected) = write.expected(&handles.model).await;
        let last = after
            .content()
            .blocks
            .values()
            .next_back()
            .map(|block| block.published());
        let id = last.and_then(|block| block.transactions.first().map(|transaction| transaction.id));
        let reads: Vec<Read> = questions_about(&[&after])
            .into_iter()
            .filter(|read| match read {
                Read::Operations(_, limit)
                | Read::Published(_, limit)
                | Read::OperationsOfDid(_, _, limit)
                | Read::ListedDids(_, limit) => *limit == PageLimit::MAX,
                Read::Transaction(asked, _, limit) => Some(*asked) == id && *limit == PageLimit::MAX,
                Read::StorageOwners(_) => true,
                _ => false,
            })
            .collect();
        // Each through a handle of its own kind: none has more than a few at a time.
        let stores: Vec<_> = (0..reads.len()).map(|number| handles.nth(number).1.clone()).collect();
        let mut states = Vec::new();
        for read in &reads {
            states.push([read.expected(&handles.model).await, read.expected(&after).await]);
        }
        let mut calls: Vec<_> = reads
            .iter()
            .zip(&stores)
            .map(|(read, store)| Stepped::new(read.ask(store)))
            .collect();
        for call in &mut calls {
            // One that waits for a connection, which those before it have, goes on when they do.
            while call.polls <= step && call.woken_soon().await && !call.poll().await {}
        }
        let (_, writer) = handles.writer(step);
        let mut writing = Stepped::new(write.ask(writer));
        // A read that has begun may hold what the write waits for.
        while !writing.woken_soon().await || !writing.step().await {
            for call in calls.iter_mut().filter(|_| !writing.was_woken()) {
                call.poll().await;
            }
        }
        let answer = writing.into_output().expect("it has ended");
        let polls: Vec<_> = calls.iter().map(|call| call.polls).collect();
        for (((read, found), states), polls) in reads.iter().zip(finish_all(calls).await).zip(states).zip(polls) {
            match found {
                Ok(found) => assert!(
                    states.contains(&found),
                    "{}, polled {polls} times before {}, answers neither the state before it nor the one after; the call is {}",
                    read.method(),
                    write.describe(),
                    short(read)
                ),
                Err(error) => panic!("{} fails beside {}: {error}", read.method(), write.describe()),
            }
        }
        drop(stores);
        handles.accept(after, &expected, &answer, &write.describe());
    }
    handles.look_once().await;
    handles.close().await;
}

/// The writes that come between the steps of a read, in turn: what is appended at once is indexed at once.
const BETWEEN: [Kind; 6] = [
    Kind::AppendMany,
    Kind::IndexAll,
    Kind::Move,
    Kind::Append,
    Kind::LoadMany,
    Kind::IndexAll,
];

/// The steps of a read that are looked at; one that takes many more reads on and on.
const STEPS: usize = 6;

/// The same where two writes come between any two of them.
const STEPS_WITH_TWO: usize = 3;

/// Each read is polled step by step while others write between its steps, once or twice: its answer is that of one state, of those
/// there were while it went on. For each of its first steps something is asked for that changes just then.
pub async fn read_answers_one_state_however_much_is_written_meanwhile(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    for (step, kind) in [Kind::Append, Kind::Index, Kind::AppendMany, Kind::Index]
        .into_iter()
        .enumerate()
    {
        let write = kind.next(&handles.model);
        handles.write(step, &write).await;
    }
    // What is read in two parts may mix states only if what both parts tell of has changed in between.
    for (writes, steps) in [(1, STEPS), (2, STEPS_WITH_TWO)] {
        for (place, method, step) in Read::METHODS
            .into_iter()
            .enumerate()
            .flat_map(|(place, method)| (0..steps).map(move |step| (place, method, step)))
        {
            // The second kind of the list comes last before the step after this one, or its last.
            let last = (step + 1) * writes - 1;
            let first = [1, 5][step % 2] + BETWEEN.len() * STEPS - last;
            let plan = plan(&handles.model, first, writes).await;
            if let Some(read) = changing_at(last, method, &plan).await {
                write_between_its_steps(&mut handles, &read, &plan, writes, place + step).await;
            }
        }
    }
    handles.look().await;
    handles.close().await;
}

async fn write_between_its_steps<F: StoreFactory>(
    handles: &mut Handles<'_, F>,
    read: &Read,
    plan: &[(Write, ModelStore)],
    writes: usize,
    turn: usize,
) {
    let (handle, store) = handles.nth(turn);
    let store = store.clone();
    let mut states = vec![read.expected(&handles.model).await];
    let mut call = Stepped::new(read.ask(&store));
    let mut steps = 0;
    // The first step comes before the first write, and so many writes before every further step.
    'steps: while !call.step().await {
        for _ in 0..writes {
            let Some((write, _)) = plan.get(steps) else {
                break 'steps;
            };
            steps += 1;
            let (after, expected) = write.expected(&handles.model).await;
            let other = handles.writer(steps).1.clone();
            let answer = finish_beside(Stepped::new(write.ask(&other)), &mut call).await;
            handles.accept(after, &expected, &answer, &write.describe());
            states.push(read.expected(&handles.model).await);
        }
    }
    let polls = call.polls;
    let found = call.finish().await;
    match found {
        Ok(found) => assert!(
            states.contains(&found),
            "{}, polled {polls} times through {handle} while others wrote {steps} times in between, answers {}, which is none of \
             the states there were; the first was {}, the last {}; the call is {}",
            read.method(),
            short(&found),
            short(&states.first()),
            short(&states.last()),
            short(read)
        ),
        Err(error) => panic!("{} fails while others write: {error}", read.method()),
    }
}

/// Writes that come one after another from this state on, so many between two steps, the kind with this number first; each with the
/// state after it.
async fn plan(model: &ModelStore, first: usize, writes: usize) -> Vec<(Write, ModelStore)> {
    let mut plan: Vec<(Write, ModelStore)> = Vec::new();
    for kind in BETWEEN
        .into_iter()
        .cycle()
        .skip(first % BETWEEN.len())
        .take((STEPS + 2) * writes)
    {
        let before = plan.last().map_or(model, |(_, after)| after);
        let write = kind.next(before);
        let (after, _) = write.expected(before).await;
        plan.push((write, after));
    }
    plan
}

/// The read of this method whose answer changes most around this write of a plan: with it, or at least with the one before.
async fn changing_at(step: usize, method: &str, plan: &[(Write, ModelStore)]) -> Option<Read> {
    let (_, after) = plan.get(step)?;
    let mut best: Option<(usize, Read)> = None;
    for read in questions_about(&[after]) {
        if read.method() != method {
            continue;
        }
        let mut states: Vec<Reading> = Vec::new();
        for (_, model) in plan.iter().take(step + 1).skip(step.saturating_sub(2)) {
            states.push(read.expected(model).await);
        }
        // What was longer before tells more when it is torn.
        let length = |state: Option<&Reading>| state.map_or(0, |state| short(state).len());
        let changes = |places: [usize; 2]| {
            let [before, after] = places.map(|place| states.len().checked_sub(place).and_then(|at| states.get(at)));
            usize::from(before.is_some() && before != after) * (1_000 + length(before))
        };
        let rank = 100 * changes([2, 1]) + changes([3, 2]);
        if rank > 0 && best.as_ref().is_none_or(|(known, _)| rank > *known) {
            best = Some((rank, read));
        }
    }
    best.map(|(_, read)| read)
}

/// Reads go on while far more writes wait for a load than a pool has connections.
pub async fn reads_wait_for_no_write(factory: &impl StoreFactory) {
    const KINDS: [Kind; 3] = [Kind::Append, Kind::Index, Kind::Move];
    const WAITING: usize = 24 * KINDS.len();
    let mut handles = Handles::open(factory).await;
    for (step, kind) in [Kind::AppendMany, Kind::Index].into_iter().enumerate() {
        let write = kind.next(&handles.model);
        handles.write(step, &write).await;
    }
    let load = Kind::LoadMany.next(&handles.model);
    let (loaded, expected) = load.expected(&handles.model).await;
    let writes: Vec<_> = (0..WAITING)
        .map(|number| KINDS[number % KINDS.len()].next(&handles.model))
        .collect();
    let stores: Vec<_> = (0..=WAITING).map(|number| handles.writer(number).1.clone()).collect();
    let mut loading = Stepped::new(load.ask(&stores[WAITING]));
    let asked = load.chunks_asked_for();
    while load.chunks_asked_for() == asked && !loading.step().await {}
    let mut waiting: Vec<_> = writes
        .iter()
        .zip(&stores)
        .map(|(write, store)| Stepped::new(write.ask(store)))
        .collect();
    poll_as_far_as_they_come(&mut waiting).await;
    let reads = questions(&handles.model.content());
    for (handle, store) in handles.all() {
        for read in &reads {
            let Some(found) = finish_soon(Stepped::new(read.ask(store))).await else {
                panic!(
                    "{} through {handle} waits, while a load and {WAITING} writes that wait for it go on; the call is {}",
                    read.method(),
                    short(read)
                );
            };
            let expected = read.expected(&handles.model).await;
            assert!(
                found.as_ref().is_ok_and(|found| *found == expected),
                "{} through {handle}, while a load and {WAITING} writes that wait for it go on, answers {} instead of {}",
                read.method(),
                short(&found),
                short(&expected)
            );
        }
    }
    drop(waiting);
    let answer = loading.finish().await;
    drop(stores);
    handles.accept(loaded, &expected, &answer, &load.describe());
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
    for step in 0..Kind::ALL.len() + contradictions(&handles.model).len() + 2 {
        let load = Kind::LoadMany.next(&handles.model);
        let (loaded, expected) = load.expected(&handles.model).await;
        let beside = match Kind::ALL.get(step) {
            // Written by somebody who knows nothing of the load.
            Some(kind) => kind.next(&handles.model),
            // By somebody who knows what it leaves, and contradicts that, or goes on from there.
            None => match contradictions(&loaded).into_iter().nth(step - Kind::ALL.len()) {
                Some(write) => write,
                None => [Kind::Index, Kind::AppendAgain][step % 2].next(&loaded),
            },
        };
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
            short(&waiting.into_output())
        );
        // What both will change is asked for meanwhile, through every handle, and once more after them.
        "a load and a write that waits for it had begun".clone_into(&mut handles.last);
        let reads: Vec<Read> = telling(&handles.model, &after, 1)
            .await
            .into_iter()
            .map(|telling| telling.read)
            .collect();
        handles.glance(&reads).await;
        let answer = loading.finish().await;
        handles.accept(loaded, &expected, &answer, &load.describe());
        let answer = waiting.finish().await;
        handles.accept(
            after,
            &expected_beside,
            &answer,
            &format!("{} that waited for a load", beside.describe()),
        );
        handles.glance(&reads).await;
    }
    handles.look().await;
    handles.close().await;
}

/// A write that waits longer than a store may have patience for is still waiting, or is `Busy`: never lost, and never something that
/// says that the store is away.
pub async fn write_that_waits_long_waits_on_or_is_busy(factory: &impl StoreFactory) {
    /// A store answers `Busy` after ten seconds at the earliest.
    const LEAST: Duration = Duration::from_secs(10);
    const LONG: Duration = Duration::from_millis(11_500);
    const KINDS: [Kind; 4] = [Kind::Append, Kind::Index, Kind::Move, Kind::Load];
    let mut handles = Handles::open(factory).await;
    for (step, kind) in [Kind::AppendMany, Kind::Index].into_iter().enumerate() {
        let write = kind.next(&handles.model);
        handles.write(step, &write).await;
    }
    let load = Kind::LoadMany.next(&handles.model);
    let (loaded, expected) = load.expected(&handles.model).await;
    let stores: Vec<_> = (0..=KINDS.len()).map(|step| handles.writer(step).1.clone()).collect();
    let mut loading = Stepped::new(load.ask(&stores[0]));
    let asked = load.chunks_asked_for();
    while load.chunks_asked_for() == asked && !loading.step().await {}
    let writes = KINDS.map(|kind| kind.next(&handles.model));
    let (one, two, three, four) = tokio::join!(
        ask_for(LONG, &writes[0], &stores[1]),
        ask_for(LONG, &writes[1], &stores[2]),
        ask_for(LONG, &writes[2], &stores[3]),
        ask_for(LONG, &writes[3], &stores[4]),
    );
    for (write, (answer, waited)) in writes.iter().zip([one, two, three, four]) {
        match answer {
            None => {}
            Some(Err(StorageError::Busy { .. })) => assert!(
                waited >= LEAST,
                "the {} is Busy after {waited:?}, in which a load goes on",
                write.describe()
            ),
            Some(answer) => panic!(
                "the {} answers {} after {waited:?}, in which a load goes on, and neither waits nor is Busy",
                write.describe(),
                short(&answer)
            ),
        }
    }
    let answer = loading.finish().await;
    drop(stores);
    handles.accept(loaded, &expected, &answer, &load.describe());
    handles.look().await;
    for kind in KINDS {
        let write = kind.next(&handles.model);
        handles.write(0, &write).await;
    }
    handles.look().await;
    handles.close().await;
}

/// What a store answers within so long, if it does, and how long that took.
async fn ask_for<S: NodeStorage>(long: Duration, write: &Write, store: &S) -> (Option<Result<Written>>, Duration) {
    let began = Instant::now();
    let answer = timeout(long, write.ask(store)).await.ok();
    (answer, began.elapsed())
}
