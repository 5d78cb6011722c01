//! Runs one case, cuts it where it hangs, and leaves a record of how it ended.

use std::any::Any;
use std::collections::BTreeSet;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::record::{Outcome, Record};
use crate::step::Step;
use crate::{AnyFactory, Case, EmptyAtFirst, Level, StoreFactory};

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

/// Runs the case of this name, `concern::name`, on a new factory, and records how it ended where `CONFORMANCE_RESULTS` names
/// a directory.
///
/// The case gets a thread and a runtime of its own, so that one which blocks its thread is cut too. One that is excluded is
/// recorded as such and not run; one of a backend that `TEST_BACKENDS` leaves out is neither run nor recorded.
///
/// # Panics
/// Where the case or the factory does; where the factory hands out a store that is not empty; where they do not end within
/// the limit (`CONFORMANCE_CASE_LIMIT` in seconds, five minutes unless set); where there is no such case, or an exclusion
/// names none or has no reason; and where the record can't be written.
pub fn run_case<F: StoreFactory + 'static>(
    backend: &str,
    name: &str,
    exclusions: &[Exclusion],
    factory: impl AsyncFn() -> F + Send + 'static,
) {
    let Some(&case) = Case::named(name) else {
        panic!("there is no case {name:?}; write it as CASES has it, concern::name");
    };
    if !is_chosen(backend) {
        eprintln!("{backend}::{case} is left out: {BACKENDS} does not name {backend}");
        return;
    }
    if case.level > Level::chosen() {
        eprintln!(
            "{backend}::{case} is left out: it is not of the level {}",
            Level::chosen()
        );
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
        let step = Step::default();
        let noted = step.clone();
        let job = job(factory, async move |factory| noted.note(case.run(factory)).await);
        run_within(limit(env::var(LIMIT).ok()), &format!("{backend}::{case}"), &step, job).map(|()| Outcome::Passed {
            time: Some(started.elapsed()),
        })
    };
    match outcome {
        Ok(outcome) => write(record.as_ref(), &outcome),
        Err(payload) => {
            let message = format!("{}\n{}", message_of(payload.as_ref()), held_by(case));
            eprintln!("{backend}::{case} {}", held_by(case));
            write(record.as_ref(), &Outcome::Failed { message });
            // What happened has been printed where it happened.
            resume_unwind(payload);
        }
    }
}

/// Which rule a case that failed is about.
fn held_by(case: Case) -> String {
    format!(
        "is about the storage contract, {} (the section \"The storage contract\" of docs/src/architecture.md)",
        case.contract()
    )
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
            Case::named(name).is_some(),
            "{backend} excludes {name:?}, which is no case; write it as CASES has it, concern::name"
        );
        assert!(
            !reason.trim().is_empty(),
            "{backend} excludes {name} without a reason; say why it can't pass"
        );
    }
}

/// A case with its factory, to be started on a thread of its own. Without their types, so that what runs them is compiled
/// once and not for each case.
type Job = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send>;

fn job<F: StoreFactory + 'static>(
    factory: impl AsyncFn() -> F + Send + 'static,
    test: impl AsyncFnOnce(&AnyFactory<'_>) + Send + 'static,
) -> Job {
    Box::new(|| Box::pin(async move { test(&AnyFactory::new(EmptyAtFirst::new(factory().await))).await }))
}

/// Runs a case on a thread of its own, within the limit; the error is what it panics with.
fn run_within(limit: Duration, name: &str, step: &Step, job: Job) -> Result<(), Box<dyn Any + Send>> {
    let (sender, outcome) = mpsc::channel();
    let thread = thread::Builder::new().name(name.to_owned());
    let (owned_name, own_step) = (name.to_owned(), step.clone());
    let spawned = thread.spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(|| {
            let runtime = new_runtime();
            let ended = runtime.block_on(async { tokio::time::timeout(limit, job()).await });
            // Does not wait for what a store may have left running.
            runtime.shutdown_background();
            ended.unwrap_or_else(|_| panic!("{}", overdue(&owned_name, limit, &own_step, "")));
        }));
        // Nobody receives where the limit has passed.
        let _ = sender.send(result);
    });
    if let Err(error) = spawned {
        panic!("no thread for {name}: {error}");
    }
    match outcome.recv_timeout(limit + GRACE) {
        Ok(result) => result,
        // The thread can't be ended from outside. It goes with the process.
        Err(_) => catch_unwind(|| panic!("{}", overdue(name, limit, step, "; it blocks its thread"))),
    }
}

fn overdue(name: &str, limit: Duration, step: &Step, how: &str) -> String {
    let last = match step.last() {
        none if none.is_empty() => none,
        last => format!("; its last step was {last}"),
    };
    format!("{name} did not end within {} s{how}{last}", limit.as_secs_f32())
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

    use super::*;
    use crate::cases;
    use crate::model::Model;

    const SHORT: Duration = Duration::from_millis(200);

    async fn model() -> Model {
        Model::default()
    }

    fn failure<F: StoreFactory + 'static>(
        limit: Duration,
        factory: impl AsyncFn() -> F + Send + 'static,
        test: impl AsyncFnOnce(&AnyFactory<'_>) + Send + 'static,
    ) -> String {
        message_of(
            run_within(limit, "one::concern::case", &Step::default(), job(factory, test))
                .unwrap_err()
                .as_ref(),
        )
    }

    #[test]
    fn case_that_waits_for_ever_is_cut_and_named() {
        let message = failure(SHORT, model, async |_: &AnyFactory<'_>| pending().await);
        assert_eq!(message, "one::concern::case did not end within 0.2 s");
    }

    #[test]
    fn case_that_hangs_says_what_it_did_last() {
        let step = Step::default();
        let noted = step.clone();
        let case = async move |_: &AnyFactory<'_>| {
            let steps = async {
                crate::step::now(|| "the first".to_owned());
                crate::step::now(|| "the second".to_owned());
                pending::<()>().await;
            };
            noted.note(steps).await;
        };
        let failed = run_within(SHORT, "one::concern::case", &step, job(model, case)).unwrap_err();
        assert_eq!(
            message_of(failed.as_ref()),
            "one::concern::case did not end within 0.2 s; its last step was the second"
        );
    }

    #[test]
    fn case_that_blocks_its_thread_is_cut_and_named() {
        // Longer than the limit and its grace, and no longer than this test should leave a thread behind.
        let message = failure(SHORT, model, async |_: &AnyFactory<'_>| thread::sleep(4 * GRACE));
        assert_eq!(
            message,
            "one::concern::case did not end within 0.2 s; it blocks its thread"
        );
    }

    #[test]
    fn case_that_panics_fails_with_its_message() {
        let message = failure(DEFAULT_LIMIT, model, async |_: &AnyFactory<'_>| {
            panic!("the store has a defect")
        });
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
        let deliver = job(model, async |factory: &AnyFactory<'_>| {
            cases::append::new_block_is_stored_with_every_field(factory).await;
        });
        assert!(run_within(DEFAULT_LIMIT, "one::concern::case", &Step::default(), deliver).is_ok());
    }

    #[test]
    fn factory_whose_store_is_not_empty_is_reported_as_such() {
        let model = Model::default();
        let first = model.clone();
        let deliver = job(
            async move || first.clone(),
            async |factory: &AnyFactory<'_>| cases::append::new_block_is_stored_with_every_field(factory).await,
        );
        assert!(run_within(DEFAULT_LIMIT, "one::concern::case", &Step::default(), deliver).is_ok());
        let message = failure(
            DEFAULT_LIMIT,
            async move || model.clone(),
            async |factory: &AnyFactory<'_>| cases::append::redelivered_block_is_a_no_op(factory).await,
        );
        assert!(
            message.starts_with("the factory handed out a store that is not empty: its cursor is"),
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
