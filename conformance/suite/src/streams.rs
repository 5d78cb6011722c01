//! Streams of calls: whatever comes one after another, a backend answers what the reference model answers.
//!
//! A stream is a list of [`Step`]s. [`run`] takes each of them on the [`Model`] and on a store, and compares their answers and
//! everything that can be read afterwards. A stream may move: what the store holds goes into a new one by way of archives.
//! [`streams`] makes streams at random; [`assert_same_as_model`] tries many of them and shortens one that finds a difference, and
//! prints a test of it that can be pasted.
//!
//! The streams are the same in every run. `PROPTEST_RNG_SEED`, a number, gives others, and `PROPTEST_CASES` says how many; the
//! other variables of proptest work too. The seeds of streams that have found something are kept in a file, and tried first.

mod call;
mod contradiction;
mod detail;
mod difference;
mod generate;
mod interpret;
mod moving;
mod step;
mod trial;
mod vocabulary;

use std::env;
use std::fmt;

use node_storage_contract::{ConflictReason, StorageError};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestCaseError, TestError, TestRunner};
use tokio::runtime;

pub(crate) use difference::{first_difference, list, same_refusal, short};
pub use generate::streams;
pub use step::{
    After, BatchFlaw, Belief, Block, Change, Flaw, Operation, Order, Outcome, Place, Question, Step, Time, Transaction,
};

use crate::factory::open;
use crate::model::Model;
use crate::observe::observe;
use crate::{AnyFactory, StoreFactory};
use interpret::Known;
use trial::Trial;

/// Everything that a printed stream names.
#[allow(clippy::enum_glob_use, reason = "the names of all variants are different")]
pub mod literals {
    pub use super::{
        After::*, BatchFlaw::*, Belief::*, Block, Change::*, Flaw::*, Operation::*, Order::*, Outcome::*, Place::*,
        Question::*, Step::*, Time::*, Transaction,
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

/// Takes the steps on the model and on an empty store, comparing them after each. `factory` makes the factory of the store, and
/// one for each store that it moves into; the one before is not used any more then.
///
/// # Errors
/// The first difference. A panic of the store counts as one.
pub async fn run<F: StoreFactory>(factory: impl AsyncFn() -> F, steps: &[Step]) -> Result<(), Divergence> {
    let mut trial = Trial::new(steps).await;
    let mut moving = None;
    loop {
        let factory = factory().await;
        moving = trial.go_on(&AnyFactory::new(&factory), moving).await?;
        if moving.is_none() {
            return Ok(());
        }
    }
}

/// As [`run`], on the one store of this factory. The stream does not move.
pub(crate) async fn take<F: StoreFactory>(factory: &F, steps: &[Step]) -> Result<(), Divergence> {
    let moving = Trial::new(steps).await.go_on(&AnyFactory::new(factory), None).await?;
    assert!(moving.is_none(), "a stream that moves needs more than one store");
    Ok(())
}

/// A stream for one store: it does not move, and does not take the highest numbers, above which nothing can be added.
pub(crate) fn long_stream(length: usize) -> Vec<Step> {
    let config = Config {
        rng_seed: RngSeed::Fixed(SEED),
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let mut steps = Vec::new();
    while steps.len() < length {
        let stream = streams().new_tree(&mut runner).expect("streams can be made").current();
        let lasting = |step: &Step| *step != Step::Move && !step.takes_the_highest();
        steps.extend(stream.into_iter().filter(lasting));
    }
    steps.truncate(length);
    steps
}

/// As [`run`], for a test of one stream.
///
/// Panics with the difference.
pub async fn replay<F: StoreFactory>(factory: impl AsyncFn() -> F, steps: &[Step]) {
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
        config.cases = crate::Level::chosen().often(STREAMS);
    }
    if env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(SEED);
    }
    config
}

/// Tries streams on stores, each on its own ones, which `factory` makes; `expression` is the Rust expression of one.
///
/// Panics where a store differs from the model, with a test of the shortest stream found that shows it.
pub fn assert_same_as_model<F: StoreFactory>(config: Config, expression: &str, factory: impl AsyncFn() -> F) {
    // As a case does: a store may block the thread that polls it.
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be started");
    let result = TestRunner::new(config).run(&streams(), |steps| {
        let ran = runtime.block_on(run(&factory, &steps));
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

/// Makes a test of a backend that tries streams on its stores: its name, and an expression that makes a new
/// [`StoreFactory`](crate::StoreFactory) and may `.await`.
///
/// The seeds of streams that have found something are kept in `proptest-regressions/streams.txt` of that crate.
#[macro_export]
macro_rules! stream_test {
    ($backend:ident, $factory:expr $(,)?) => {
        #[test]
        fn streams_are_answered_as_the_model_answers_them() {
            if $crate::is_chosen(stringify!($backend)) {
                let regressions = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/streams.txt");
                let config = $crate::streams::configuration(Some(regressions));
                $crate::streams::assert_same_as_model(config, stringify!($factory), async || $factory);
            }
        }
    };
}

/// A test that runs this stream on the store of a factory, given as a Rust expression.
pub fn to_test_source(factory: &str, steps: &[Step]) -> String {
    let start = "#[tokio::test]\nasync fn stream_is_answered_as_the_model_answers_it() {\n    \
        use node_storage_conformance::streams::{self, literals::*};\n    let steps = vec![\n";
    let steps: Vec<_> = steps.iter().map(|step| format!("        {step},\n")).collect();
    let end = format!("    ];\n    streams::replay(async || {factory}, &steps).await;\n}}\n");
    format!("{start}{}{end}", steps.concat())
}
