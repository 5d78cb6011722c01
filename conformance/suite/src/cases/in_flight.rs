//! While a write goes on, everybody else sees the state before or the state after, whole (lines 2, 7 and 9 of the storage
//! contract).

use crate::StoreFactory;
use crate::lens::author::Kind;
use crate::lens::handles::Handles;
use crate::lens::is_after;
use crate::lens::read::{Read, Reading, questions_about, telling};
use crate::lens::stepped::{Stepped, finish_beside};
use crate::lens::write::Write;
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

/// Each read is polled step by step while others write between its steps: its answer is that of one state, of those there were
/// while it went on. For each of its first steps something is asked for that changes just then.
pub async fn read_answers_one_state_however_much_is_written_meanwhile(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    for (step, kind) in [Kind::Append, Kind::Index, Kind::AppendMany, Kind::Index]
        .into_iter()
        .enumerate()
    {
        let write = kind.next(&handles.model);
        handles.write(step, &write).await;
    }
    for (place, method) in Read::METHODS.into_iter().enumerate() {
        for step in 0..STEPS {
            // The second kind of the list comes at this step, or its last.
            let first = [1, 5][step % 2] + BETWEEN.len() * STEPS - step;
            let plan = plan(&handles.model, first).await;
            if let Some(read) = changing_at(step, method, &plan).await {
                write_between_its_steps(&mut handles, &read, &plan, place + step).await;
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
    turn: usize,
) {
    let (handle, store) = handles.nth(turn);
    let store = store.clone();
    let mut states = vec![read.expected(&handles.model).await];
    let mut call = Stepped::new(read.ask(&store));
    let mut steps = 0;
    // The first step comes before the first write, and a write before every further step.
    while !call.step().await {
        let Some((write, _)) = plan.get(steps) else { break };
        steps += 1;
        let (after, expected) = write.expected(&handles.model).await;
        let other = handles.writer(steps).1.clone();
        let answer = finish_beside(Stepped::new(write.ask(&other)), &mut call).await;
        handles.accept(after, &expected, &answer, &write.describe());
        states.push(read.expected(&handles.model).await);
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

/// Writes that come one after another from this state on, the kind with this number first; each with the state after it.
async fn plan(model: &ModelStore, first: usize) -> Vec<(Write, ModelStore)> {
    let mut plan: Vec<(Write, ModelStore)> = Vec::new();
    for kind in BETWEEN.into_iter().cycle().skip(first % BETWEEN.len()).take(STEPS + 2) {
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
            short(&waiting.into_output())
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
