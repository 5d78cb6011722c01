//! Runs one case, cuts it where it hangs, and leaves a record of how it ended.

use std::any::Any;
use std::collections::BTreeSet;
use std::env;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::factory::what_is_in;
use crate::record::{Outcome, Record};
use crate::{CASES, Case, StoreFactory};

/// The variable that names the chosen backends.
pub(crate) const BACKENDS: &str = "TEST_BACKENDS";

/// The variable that names the directory of records.
pub(crate) const RESULTS: &str = "CONFORMANCE_RESULTS";

/// The variable that says how many seconds a case may take.
const LIMIT: &str = "CONFORMANCE_CASE_LIMIT";

/// How long a case may take. The longest takes seconds: a case that takes this long waits for something that never comes.
const DEFAULT_LIMIT: Duration = Duration::from_mins(5);

/// How long a case that is past its limit gets to take its store down, before it is left to itself.
const GRACE: Duration = Duration::from_secs(2);

/// How long it may take to find out whether a factory hands out empty stores, after a case has failed.
const DIAGNOSIS_LIMIT: Duration = Duration::from_secs(20);

/// A case that a backend leaves out: `concern::name`, and the reason.
pub type Exclusion = (&'static str, &'static str);

/// The backends that `TEST_BACKENDS` names; `None` where it is unset or empty, which chooses all.
pub fn chosen_backends() -> Option<BTreeSet<String>> {
    let list = env::var(BACKENDS).ok()?;
    let names: BTreeSet<String> = list
        .split(',')
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    (!names.is_empty()).then_some(names)
}

/// Whether the tests of this backend run.
pub fn is_chosen(backend: &str) -> bool {
    chosen_backends().is_none_or(|chosen| chosen.contains(backend))
}

/// Runs a case on a new factory, and records how it ended where `CONFORMANCE_RESULTS` names a directory.
///
/// The case gets a thread and a runtime of its own, so that one which blocks its thread is cut too. One that is excluded is
/// recorded as such and not run; one of a backend that `TEST_BACKENDS` leaves out is neither run nor recorded.
///
/// # Panics
/// Where the case or the factory does; where they do not end within the limit (`CONFORMANCE_CASE_LIMIT` in seconds, five
/// minutes unless set); where an exclusion names no case or has no reason; and where the record can't be written.
pub fn run_case<F: StoreFactory + 'static>(
    backend: &str,
    case: Case,
    exclusions: &[Exclusion],
    factory: impl AsyncFn() -> F + Send + 'static,
    test: impl AsyncFnOnce(&F) + Send + 'static,
) {
    if !is_chosen(backend) {
        eprintln!("{backend}::{case} is left out: {BACKENDS} does not name {backend}");
        return;
    }
    check_exclusions(backend, exclusions);
    let record = env::var_os(RESULTS).map(|directory| Record::new(&PathBuf::from(directory), backend, case));
    let excluded = exclusions.iter().find(|(name, _)| *name == case.to_string());
    let outcome = if let Some((_, reason)) = excluded {
        eprintln!("{backend}::{case} is excluded: {reason}");
        Ok(Outcome::Excluded {
            reason: (*reason).to_owned(),
        })
    } else {
        // Stays where the process is killed.
        write(record.as_ref(), &Outcome::DidNotEnd);
        let started = Instant::now();
        let job = job(factory, test);
        run_within(limit(env::var(LIMIT).ok()), &format!("{backend}::{case}"), job).map(|()| Outcome::Passed {
            time: Some(started.elapsed()),
        })
    };
    match outcome {
        Ok(outcome) => write(record.as_ref(), &outcome),
        Err(payload) => {
            let message = message_of(payload.as_ref());
            write(record.as_ref(), &Outcome::Failed { message });
            // What happened has been printed where it happened.
            resume_unwind(payload);
        }
    }
}

fn write(record: Option<&Record>, outcome: &Outcome) {
    if let Some(record) = record
        && let Err(error) = record.write(outcome)
    {
        panic!("the record {} can't be written: {error}", record.path().display());
    }
}

/// The limit that the variable's value asks for.
fn limit(value: Option<String>) -> Duration {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return DEFAULT_LIMIT;
    };
    match value.parse() {
        Ok(seconds @ 1..) => Duration::from_secs(seconds),
        _ => panic!("{LIMIT} is {value:?}, which is no number of seconds above 0; correct or unset it"),
    }
}

fn check_exclusions(backend: &str, exclusions: &[Exclusion]) {
    for (name, reason) in exclusions {
        assert!(
            CASES.iter().any(|case| case.to_string() == *name),
            "{backend} excludes {name:?}, which is no case; write it as CASES has it, concern::name"
        );
        assert!(
            !reason.trim().is_empty(),
            "{backend} excludes {name} without a reason; say why it can't pass"
        );
    }
}

/// A future of the thread that a case runs on.
type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A case and its factory without their types, so that what runs them is compiled once and not for each case.
trait Job: Send {
    /// Runs the case on a new factory.
    fn run(&mut self) -> Local<'_, ()>;

    /// What the store of another new factory holds.
    fn look(&self) -> Local<'_, Option<String>>;
}

struct CaseJob<F, New, Test> {
    factory: New,
    /// Taken when it runs.
    test: Option<Test>,
    made: PhantomData<fn() -> F>,
}

impl<F, New, Test> Job for CaseJob<F, New, Test>
where
    F: StoreFactory,
    New: AsyncFn() -> F + Send,
    Test: AsyncFnOnce(&F) + Send,
{
    fn run(&mut self) -> Local<'_, ()> {
        Box::pin(async {
            let factory = (self.factory)().await;
            if let Some(test) = self.test.take() {
                test(&factory).await;
            }
        })
    }

    fn look(&self) -> Local<'_, Option<String>> {
        Box::pin(async { what_is_in(&(self.factory)().await).await })
    }
}

fn job<F: StoreFactory + 'static>(
    factory: impl AsyncFn() -> F + Send + 'static,
    test: impl AsyncFnOnce(&F) + Send + 'static,
) -> Box<dyn Job> {
    Box::new(CaseJob {
        factory,
        test: Some(test),
        made: PhantomData,
    })
}

/// Runs a case on a thread of its own, within the limit; the error is what it panics with.
fn run_within(limit: Duration, name: &str, mut job: Box<dyn Job>) -> Result<(), Box<dyn Any + Send>> {
    let (outcome_sender, outcome) = mpsc::channel();
    let (diagnosis_sender, diagnosis) = mpsc::channel();
    let thread = thread::Builder::new().name(name.to_owned());
    let owned_name = name.to_owned();
    let spawned =
        thread.spawn(move || on_own_thread(limit, &owned_name, job.as_mut(), &outcome_sender, &diagnosis_sender));
    if let Err(error) = spawned {
        panic!("no thread for {name}: {error}");
    }
    let payload = match outcome.recv_timeout(limit + GRACE) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(payload)) => payload,
        // The thread can't be ended from outside. It goes with the process.
        Err(_) => {
            return catch_unwind(|| panic!("{}", overdue(name, limit, "; it blocks its thread")));
        }
    };
    match diagnosis.recv_timeout(DIAGNOSIS_LIMIT) {
        Ok(Some(content)) => catch_unwind(|| {
            panic!(
                "{name} says nothing about the backend: its factory hands out a store that is not empty ({content}); \
                 hand out a new store each time"
            )
        }),
        _ => Err(payload),
    }
}

fn overdue(name: &str, limit: Duration, how: &str) -> String {
    format!("{name} did not end within {} s{how}", limit.as_secs_f32())
}

/// Sends how the case ended and, if it failed, what a new store of the factory holds where it should hold nothing.
fn on_own_thread(
    limit: Duration,
    name: &str,
    job: &mut dyn Job,
    outcome: &Sender<Result<(), Box<dyn Any + Send>>>,
    diagnosis: &Sender<Option<String>>,
) {
    let mut runtime = None;
    let result = catch_unwind(AssertUnwindSafe(|| {
        runtime.insert(new_runtime()).block_on(async {
            let mut run = job.run();
            // The future outlives the panic: what it holds is dropped while the thread panics, and stays to be looked at.
            tokio::time::timeout(limit, &mut run)
                .await
                .unwrap_or_else(|_| panic!("{}", overdue(name, limit, "")));
        });
    }));
    let failed = result.is_err();
    // Nobody receives where the limit has passed.
    let _ = outcome.send(result);
    let Some(runtime) = runtime else { return };
    if failed {
        let looked = catch_unwind(AssertUnwindSafe(|| runtime.block_on(job.look())));
        let _ = diagnosis.send(looked.unwrap_or_default());
    }
    // Does not wait for what a store may have left running.
    runtime.shutdown_background();
}

fn new_runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime for the case")
}

/// What a panic said.
fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::LazyLock;

    use node_storage_contract::{Access, Network, Result};

    use super::*;
    use crate::cases;
    use crate::model::{Model, ModelStore};

    const SHORT: Duration = Duration::from_millis(200);

    async fn model() -> Model {
        Model::default()
    }

    fn failure<F: StoreFactory + 'static>(
        limit: Duration,
        factory: impl AsyncFn() -> F + Send + 'static,
        test: impl AsyncFnOnce(&F) + Send + 'static,
    ) -> String {
        message_of(
            run_within(limit, "one::concern::case", job(factory, test))
                .unwrap_err()
                .as_ref(),
        )
    }

    #[test]
    fn case_that_waits_for_ever_is_cut_and_named() {
        let message = failure(SHORT, model, async |_: &Model| pending().await);
        assert_eq!(message, "one::concern::case did not end within 0.2 s");
    }

    #[test]
    fn case_that_blocks_its_thread_is_cut_and_named() {
        // Longer than the limit and its grace, and no longer than this test should leave a thread behind.
        let message = failure(SHORT, model, async |_: &Model| thread::sleep(4 * GRACE));
        assert_eq!(
            message,
            "one::concern::case did not end within 0.2 s; it blocks its thread"
        );
    }

    #[test]
    fn case_that_panics_fails_with_its_message() {
        let message = failure(DEFAULT_LIMIT, model, async |_: &Model| panic!("the store has a defect"));
        assert_eq!(message, "the store has a defect");
    }

    #[test]
    fn factory_that_panics_fails_the_case_with_its_message() {
        let message = failure(
            DEFAULT_LIMIT,
            async || -> Model { panic!("no file for the store") },
            async |_| (),
        );
        assert_eq!(message, "no file for the store");
    }

    #[test]
    fn case_that_passes_is_no_failure() {
        let deliver = job(model, async |factory: &Model| {
            cases::append::new_block_is_stored_with_every_field(factory).await;
        });
        assert!(run_within(DEFAULT_LIMIT, "one::concern::case", deliver).is_ok());
    }

    /// Hands out one store again and again.
    struct Reused;

    static STORE: LazyLock<Model> = LazyLock::new(Model::default);

    impl StoreFactory for Reused {
        type Store = ModelStore;

        async fn open(&self, network: Network, access: Access) -> Result<ModelStore> {
            STORE.open(network, access).await
        }

        async fn close(&self, store: ModelStore) {
            STORE.close(store).await;
        }
    }

    #[test]
    fn factory_whose_store_is_not_empty_is_reported_as_such() {
        let deliver = job(
            async || Reused,
            async |factory: &Reused| cases::append::new_block_is_stored_with_every_field(factory).await,
        );
        assert!(run_within(DEFAULT_LIMIT, "one::concern::case", deliver).is_ok());
        let message = failure(
            DEFAULT_LIMIT,
            async || Reused,
            async |factory: &Reused| {
                cases::lookup::nothing_is_found_in_an_empty_store(factory).await;
            },
        );
        assert!(
            message.starts_with(
                "one::concern::case says nothing about the backend: its factory hands out a store that is not empty"
            ),
            "{message}"
        );
    }

    #[test]
    fn limit_is_a_number_of_seconds() {
        assert_eq!(limit(None), DEFAULT_LIMIT);
        assert_eq!(limit(Some("7".to_owned())), Duration::from_secs(7));
        for wrong in ["0", "-1", "1s"] {
            let refusal = catch_unwind(|| limit(Some(wrong.to_owned()))).unwrap_err();
            assert!(message_of(refusal.as_ref()).starts_with("CONFORMANCE_CASE_LIMIT is"));
        }
    }

    #[test]
    fn exclusion_of_an_unknown_case_or_without_a_reason_fails() {
        let refusal = |exclusion: Exclusion| {
            message_of(
                catch_unwind(|| check_exclusions("one", &[exclusion]))
                    .unwrap_err()
                    .as_ref(),
            )
        };
        assert!(refusal(("append::no_such_case", "a reason")).contains("which is no case"));
        assert!(refusal(("cursor::cursor_is_empty_at_first", " ")).contains("without a reason"));
        check_exclusions("one", &[("cursor::cursor_is_empty_at_first", "a reason")]);
    }
}
