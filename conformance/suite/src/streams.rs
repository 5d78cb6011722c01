//! Streams of calls: whatever comes one after another, a backend answers what the reference model answers.
//!
//! A stream is a list of [`Step`]s. [`run`] takes each of them on the [`Model`] and on a store, and compares their answers and
//! everything that can be read afterwards. [`streams`] makes streams at random; [`assert_same_as_model`] tries many of them and
//! shortens one that finds a difference, and prints a test of it that can be pasted.
//!
//! The streams are the same in every run. `PROPTEST_RNG_SEED`, a number, gives others, and `PROPTEST_CASES` says how many; the
//! other variables of proptest work too. The seeds of streams that have found something are kept in a file, and tried first.

mod call;
mod contradiction;
mod detail;
mod generate;
mod interpret;
mod step;
mod vocabulary;

use std::env;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem::discriminant;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use node_storage_contract::{ConflictReason, StorageError};
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestCaseError, TestError, TestRunner};
use tokio::runtime;

pub use generate::streams;
pub use step::{
    After, BatchFlaw, Block, Change, Flaw, Operation, Order, Outcome, Place, Question, Step, Time, Transaction,
};

use crate::factory::open;
use crate::model::Model;
use crate::observe::{Observation, observe};
use crate::{AnyFactory, StoreFactory};
use call::{Answer, Call};
use interpret::Known;

/// Everything that a printed stream names.
#[allow(clippy::enum_glob_use, reason = "the names of all variants are different")]
pub mod literals {
    pub use super::{
        After::*, BatchFlaw::*, Block, Change::*, Flaw::*, Operation::*, Order::*, Outcome::*, Place::*, Question::*,
        Step::*, Time::*, Transaction,
    };
}

/// How many streams a property tries, unless `PROPTEST_CASES` says otherwise.
const STREAMS: u32 = 64;
/// Where the streams come from, unless `PROPTEST_RNG_SEED` says otherwise.
const SEED: u64 = crate::data::SEED;

/// A difference between a store and the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// The step at which it shows, counted from 0.
    pub step: usize,
    /// The first thing that differs.
    pub difference: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at step {}, {}", self.step, self.difference)
    }
}

/// Takes the steps on the model and on an empty store, comparing them after each.
///
/// # Errors
/// The first difference. A panic of the store counts as one.
pub async fn run<F: StoreFactory>(factory: &F, steps: &[Step]) -> Result<(), Divergence> {
    run_erased(&AnyFactory::new(factory), steps).await
}

async fn run_erased(factory: &AnyFactory<'_>, steps: &[Step]) -> Result<(), Divergence> {
    let model = open(&Model::default()).await;
    let mut expected = observe(&model).await;
    let mut store = Some(open(factory).await);
    let mut result = Ok(());
    for (number, step) in steps.iter().enumerate() {
        let call = Known::new(&expected).call(step);
        let is_one_contradiction = step.is_one_contradiction(expected.cursor);
        let answer = call.ask(&model).await;
        expected = observe(&model).await;
        let compared = catch_panic(async {
            if matches!(call, Call::Reopen) {
                if let Some(open) = store.take() {
                    factory.close(open).await;
                }
                store = Some(open(factory).await);
            }
            let store = store.as_ref().expect("the store is open");
            let found = call.ask(store).await;
            difference(&answer, &found, is_one_contradiction).or(first_difference(&expected, &observe(store).await))
        });
        if let Some(difference) = compared.await.unwrap_or_else(Some) {
            result = Err(Divergence {
                step: number,
                difference,
            });
            break;
        }
    }
    if let Some(store) = store {
        factory.close(store).await;
    }
    result
}

/// As [`run`], for a test of one stream.
///
/// Panics with the difference.
pub async fn replay<F: StoreFactory>(factory: &F, steps: &[Step]) {
    if let Err(divergence) = run(factory, steps).await {
        panic!("the store differs from the model {divergence}");
    }
}

/// What the model answers to each step: why it refuses it as a conflict, if it does.
pub async fn refusals(steps: &[Step]) -> Vec<Option<ConflictReason>> {
    let model = open(&Model::default()).await;
    let mut refusals = Vec::new();
    for step in steps {
        let call = Known::new(&observe(&model).await).call(step);
        refusals.push(match call.ask(&model).await {
            Err(StorageError::Conflict(conflict)) => Some(conflict.reason),
            _ => None,
        });
    }
    refusals
}

/// The configuration of a property: the seeds of streams that have found something stand in the file `regressions`.
pub fn configuration(regressions: Option<&'static str>) -> Config {
    let mut config = Config {
        failure_persistence: regressions.map(|path| Box::new(FileFailurePersistence::Direct(path)) as _),
        source_file: None,
        ..Config::default()
    };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = STREAMS;
    }
    if env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    config
}

/// Tries streams on stores, each on one of its own, which `factory` makes; `expression` is the Rust expression of one.
///
/// Panics where a store differs from the model, with a test of the shortest stream found that shows it.
pub fn assert_same_as_model<F: StoreFactory>(config: Config, expression: &str, factory: impl AsyncFn() -> F) {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be started");
    let result = TestRunner::new(config).run(&streams(), |steps| {
        let ran = runtime.block_on(async { run(&factory().await, &steps).await });
        ran.map_err(|divergence| TestCaseError::fail(divergence.to_string()))
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, steps)) => panic!(
            "the store differs from the model {}\n\nThis test shows it:\n\n{}",
            reason.message(),
            to_test_source(expression, &steps)
        ),
        Err(TestError::Abort(reason)) => panic!("the streams could not be tried: {}", reason.message()),
    }
}

/// A test that runs this stream on the store of a factory, given as a Rust expression.
pub fn to_test_source(factory: &str, steps: &[Step]) -> String {
    let start = "#[tokio::test]\nasync fn stream_is_answered_as_the_model_answers_it() {\n    \
        use node_storage_conformance::streams::{self, literals::*};\n    let steps = vec![\n";
    let steps: Vec<_> = steps.iter().map(|step| format!("        {step},\n")).collect();
    let end = format!("    ];\n    streams::replay(&{factory}, &steps).await;\n}}\n");
    format!("{start}{}{end}", steps.concat())
}

/// The output of a future, or what it said when it panicked.
async fn catch_panic<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => {
                let said = panic.downcast_ref::<String>().map(String::as_str);
                let said = said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("nothing");
                Poll::Ready(Err(format!("reading everything panics: {said}")))
            }
        },
    )
    .await
}

/// What the two answers differ in.
fn difference(
    expected: &Result<Answer, StorageError>,
    found: &Result<Answer, StorageError>,
    is_one_contradiction: bool,
) -> Option<String> {
    let is_same = match (expected, found) {
        (Ok(expected), Ok(found)) => expected == found,
        (Err(StorageError::Conflict(expected)), Err(StorageError::Conflict(found))) if is_one_contradiction => {
            expected == found
        }
        (Err(expected), Err(found)) => discriminant(expected) == discriminant(found),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    };
    (!is_same).then(|| format!("the answer is {} instead of {}", short(found), short(expected)))
}

/// The first thing that is observed differently.
pub(crate) fn first_difference(expected: &Observation, found: &Observation) -> Option<String> {
    // Named, so that a new field can't be forgotten.
    let Observation {
        cursor,
        bound,
        state,
        operations,
        blocks,
        transactions,
        by_id,
        of_dids,
        storage_owners,
        listed_dids,
        found_dids,
    } = expected;
    one("cursor", cursor, &found.cursor)
        .or_else(|| one("bound", bound, &found.bound))
        .or_else(|| one("indexer's state", state, &found.state))
        .or_else(|| list("operation", operations, &found.operations))
        .or_else(|| list("block", blocks, &found.blocks))
        .or_else(|| list("transaction", transactions, &found.transactions))
        .or_else(|| list("operation by id", by_id, &found.by_id))
        .or_else(|| list("DID with operations", of_dids, &found.of_dids))
        .or_else(|| list("storage owner", storage_owners, &found.storage_owners))
        .or_else(|| list("listed DID", listed_dids, &found.listed_dids))
        .or_else(|| list("found DID", found_dids, &found.found_dids))
}

fn one<T: PartialEq + fmt::Debug>(what: &str, expected: &T, found: &T) -> Option<String> {
    (expected != found).then(|| format!("the {what} is {} instead of {}", short(found), short(expected)))
}

/// The first row of a list that is another than expected, and how many rows there are.
pub(crate) fn list<T: PartialEq + fmt::Debug>(what: &str, expected: &[T], found: &[T]) -> Option<String> {
    let longest = expected.len().max(found.len());
    let index = (0..longest).find(|index| expected.get(*index) != found.get(*index))?;
    let lengths = format!("{} found, {} expected", found.len(), expected.len());
    let (expected, found) = (short(&expected.get(index)), short(&found.get(index)));
    Some(format!("{what} {index} is {found} instead of {expected} ({lengths})"))
}

/// The beginning of what `Debug` writes; operations may be long.
fn short(value: &impl fmt::Debug) -> String {
    const CHARACTERS: usize = 800;
    let text = format!("{value:?}");
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
