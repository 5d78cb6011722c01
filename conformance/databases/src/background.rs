//! The runtime that database work is done on, and the one way of waiting for another process.
//!
//! A test brings its own runtime, or none at all, and both end with the test. Connections that several tests of a
//! process share, and the statement that drops a database in `Drop`, need a runtime that outlives them.

use std::io;
use std::panic::resume_unwind;
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{Error, Result};

/// How long to rest between two attempts.
const PAUSE: Duration = Duration::from_millis(2);

static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("test-databases")
        .enable_all()
        .build()
});

fn runtime() -> Result<&'static Runtime> {
    RUNTIME
        .as_ref()
        .map_err(|error| Error::io("start a runtime for the work on databases")(error.kind().into()))
}

/// Runs the work on a thread of the background runtime and waits for it, on whatever runtime the caller is.
///
/// On a thread of its own, since the work may block it: it takes file locks, and runs `initdb`.
pub(crate) async fn run<T, Work>(work: impl FnOnce() -> Work + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    Work: Future<Output = Result<T>>,
{
    let runtime = runtime()?;
    match runtime.spawn_blocking(move || runtime.block_on(work())).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        Err(_) => Err(unfinished(io::ErrorKind::Interrupted)),
    }
}

/// Runs the work as [`run`] does and blocks the calling thread until it is done, inside and outside a runtime.
///
/// After the limit the caller goes on without it.
pub(crate) fn run_blocking<T, Work>(limit: Duration, work: impl FnOnce() -> Work + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    Work: Future<Output = Result<T>>,
{
    let (sender, receiver) = mpsc::channel();
    let runtime = runtime()?;
    runtime.spawn_blocking(move || {
        // The receiver is gone if the limit has passed: nobody waits for the result then.
        let _ = sender.send(runtime.block_on(work()));
    });
    receiver
        .recv_timeout(limit)
        .unwrap_or_else(|_| Err(unfinished(io::ErrorKind::TimedOut)))
}

fn unfinished(reason: io::ErrorKind) -> Error {
    Error::io("finish the work on a database")(reason.into())
}

/// What one look at another process showed.
pub(crate) enum Attempt<T> {
    /// It is there.
    Done(T),
    /// It may come; the reason is what is known so far.
    NotYet(String),
    /// It will not come.
    Hopeless(String),
}

/// Looks again and again until the attempt is done or hopeless, at most until the limit has passed.
///
/// The error is the reason of the last attempt.
pub(crate) async fn poll<T>(limit: Duration, mut attempt: impl AsyncFnMut() -> Attempt<T>) -> Result<T, String> {
    let deadline = Instant::now() + limit;
    let mut last = "no answer".to_owned();
    loop {
        match timeout_at(deadline, attempt()).await {
            Ok(Attempt::Done(value)) => return Ok(value),
            Ok(Attempt::Hopeless(reason)) => return Err(reason),
            Ok(Attempt::NotYet(reason)) => last = reason,
            Err(_) => return Err(format!("not ready within {} s: {last}", limit.as_secs())),
        }
        sleep(PAUSE).await;
    }
}
