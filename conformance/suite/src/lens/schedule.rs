//! Calls at the same time, in an order that a seed decides, and whether some order one after another explains their answers.

use node_storage_contract::{NodeStorage, Result};

use super::handles::same_answer;
use super::read::{Read, Reading, questions};
use super::stepped::Stepped;
use super::write::{Write, Written, copy};
use crate::model::ModelStore;
use crate::streams::short;

/// A call of a schedule.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Write(Write),
    Read(Read),
}

/// Its answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Written(Written),
    Reading(Reading),
}

impl Call {
    async fn ask<S: NodeStorage>(&self, store: &S) -> Result<Answer> {
        match self {
            Self::Write(write) => write.ask(store).await.map(Answer::Written),
            Self::Read(read) => read.ask(store).await.map(Answer::Reading),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Write(write) => write.describe(),
            Self::Read(read) => format!("{} ({})", read.method(), short(read)),
        }
    }
}

/// A small generator of numbers (xorshift64*): the same from the same seed.
#[derive(Debug, Clone)]
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) const fn new(seed: u64) -> Self {
        // A state of zeros would stay so.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap_or(0) % end.max(1)
    }
}

/// What came of a schedule.
struct Outcome {
    answers: Vec<Result<Answer>>,
    /// When each call began and ended, counted in polls of all of them.
    spans: Vec<(usize, usize)>,
    /// Which call was polled, poll after poll.
    trace: Vec<usize>,
}

/// Polls the calls in an order that the seed decides, until all have ended.
async fn interleave<S: NodeStorage>(calls: &[Call], stores: &[&S], seed: u64) -> Outcome {
    let mut seeded = Seeded::new(seed);
    let mut stepped: Vec<_> = calls
        .iter()
        .zip(stores)
        .map(|(call, store)| Stepped::new(call.ask(*store)))
        .collect();
    let mut spans = vec![(usize::MAX, 0); calls.len()];
    let mut trace = Vec::new();
    loop {
        let open: Vec<usize> = (0..stepped.len()).filter(|call| !stepped[*call].has_ended()).collect();
        if open.is_empty() {
            break;
        }
        let ready: Vec<usize> = open.iter().copied().filter(|call| stepped[*call].was_woken()).collect();
        if ready.is_empty() {
            // None can go on before something outside has happened.
            let woken = open.iter().map(|call| Box::pin(stepped[*call].woken()));
            any(woken.collect()).await;
            continue;
        }
        let call = ready[seeded.below(ready.len())];
        spans[call].0 = spans[call].0.min(trace.len());
        trace.push(call);
        stepped[call].poll().await;
        spans[call].1 = trace.len();
    }
    let answers = stepped
        .into_iter()
        .map(|call| call.into_output().expect("it has ended"))
        .collect();
    Outcome { answers, spans, trace }
}

/// Waits until one of these futures is ready.
async fn any<F: Future<Output = ()> + Unpin>(mut futures: Vec<F>) {
    std::future::poll_fn(move |context| {
        let is_ready = futures
            .iter_mut()
            .any(|future| std::pin::Pin::new(future).poll(context).is_ready());
        if is_ready {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

/// Makes the calls at the same time, each through its store, and says what no order explains. Answers with the model after them.
pub(crate) async fn run<S: NodeStorage>(
    calls: &[Call],
    stores: &[&S],
    model: &ModelStore,
    seed: u64,
) -> std::result::Result<ModelStore, String> {
    let outcome = interleave(calls, stores, seed).await;
    let mut nearest = None;
    for order in orders(&outcome.spans) {
        match explains(&order, calls, &outcome.answers, stores[0], model).await {
            Ok(after) => return Ok(after),
            Err(difference) => nearest = nearest.or(Some((order, difference))),
        }
    }
    let calls: Vec<_> = calls
        .iter()
        .zip(&outcome.answers)
        .enumerate()
        .map(|(number, (call, answer))| format!("  {number}: {} -> {}", call.describe(), short(answer)))
        .collect();
    let (order, difference) = nearest.unwrap_or_default();
    Err(format!(
        "no order one after another explains these calls, which were made at the same time with seed {seed}:\n{}\npolled in this \
         order: {:?}\nin the order {order:?}, for example, {difference}",
        calls.join("\n"),
        outcome.trace
    ))
}

/// Whether the calls, one after another in this order, give these answers and leave this state.
async fn explains<S: NodeStorage>(
    order: &[usize],
    calls: &[Call],
    answers: &[Result<Answer>],
    store: &S,
    model: &ModelStore,
) -> std::result::Result<ModelStore, String> {
    let after = copy(model).await;
    for call in order {
        let expected = calls[*call].ask(&after).await;
        if !same_answer(&expected, &answers[*call]) {
            return Err(format!("call {call} answers {}", short(&expected)));
        }
    }
    let reads = questions(&after.content());
    for read in reads {
        let expected = read.expected(&after).await;
        match read.ask(store).await {
            Ok(found) if found == expected => {}
            found => {
                return Err(format!(
                    "{} answers {} afterwards instead of {}",
                    read.method(),
                    short(&found),
                    short(&expected)
                ));
            }
        }
    }
    Ok(after)
}

/// The orders of calls in which none comes before one that had ended when it began.
fn orders(spans: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for _ in spans {
        orders = orders
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                let rest = (0..spans.len())
                    .filter(|call| !order.contains(call))
                    .collect::<Vec<_>>();
                let may_be_next = rest.clone().into_iter().filter(move |call| {
                    let began = spans[*call].0;
                    rest.iter().all(|other| other == call || spans[*other].1 > began)
                });
                may_be_next
                    .map(|call| order.iter().copied().chain([call]).collect())
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_overlap_come_in_any_order_and_others_in_theirs() {
        assert_eq!(orders(&[(0, 3), (1, 4)]), [[0, 1], [1, 0]]);
        assert_eq!(orders(&[(0, 2), (2, 4)]), [[0, 1]]);
        assert_eq!(orders(&[(0, 2), (2, 4), (1, 5)]).len(), 3);
    }

    #[test]
    fn numbers_are_the_same_from_the_same_seed() {
        let numbers = |seed| {
            let mut seeded = Seeded::new(seed);
            (0..20).map(|_| seeded.below(5)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
        assert!((0..5).all(|number| numbers(7).contains(&number)));
    }
}
