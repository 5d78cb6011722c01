//! Trying again what failed for a reason that passes.

use std::fmt::Display;
use std::time::Duration;

use dlt_source::SourceError;
use node_storage_contract::StorageError;

/// The pauses between the attempts: each twice as long as the one before, up to a few seconds.
#[derive(Debug)]
pub(crate) struct BackOff(Duration);

impl BackOff {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);

    pub(crate) const fn new() -> Self {
        Self(Self::FIRST)
    }

    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 2).min(Self::LONGEST);
        pause
    }
}

/// An error that may pass without anybody's help.
pub(crate) trait Retryable: Display {
    /// Whether the same call may succeed later.
    fn is_retryable(&self) -> bool;
}

impl Retryable for StorageError {
    fn is_retryable(&self) -> bool {
        Self::is_retryable(self)
    }
}

impl Retryable for SourceError {
    fn is_retryable(&self) -> bool {
        Self::is_retryable(self)
    }
}

/// Calls until the answer is not a retryable error, for as long as it takes. Nothing is lost where this is dropped.
///
/// `on_change` hears when waiting begins (`true`) and when it has ended (`false`); both are logged once.
pub(crate) async fn until_answered<T, E: Retryable>(
    what: &str,
    on_change: impl FnMut(bool),
    mut call: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut back_off = BackOff::new();
    let mut wait = Wait {
        on_change,
        has_begun: false,
    };
    loop {
        match call().await {
            Err(error) if error.is_retryable() => {
                if wait.set(true) {
                    tracing::warn!("{what} has to wait and tries again: {error}");
                }
                tokio::time::sleep(back_off.next()).await;
            }
            answer => {
                if wait.set(false) {
                    tracing::info!("{what} goes on");
                }
                return answer;
            }
        }
    }
}

/// A wait. It has ended where the future that waits is dropped, too.
struct Wait<F: FnMut(bool)> {
    on_change: F,
    has_begun: bool,
}

impl<F: FnMut(bool)> Wait<F> {
    /// Answers whether that is a change.
    fn set(&mut self, has_begun: bool) -> bool {
        let changes = self.has_begun != has_begun;
        if changes {
            self.has_begun = has_begun;
            (self.on_change)(has_begun);
        }
        changes
    }
}

impl<F: FnMut(bool)> Drop for Wait<F> {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_seconds() {
        let mut back_off = BackOff::new();
        let pauses: Vec<_> = (0..8).map(|_| back_off.next().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_passes_is_waited_for_and_told_once_each_way() {
        let mut attempts = 0;
        let mut changes = Vec::new();
        let answer: Result<i32, StorageError> = until_answered(
            "the test",
            |waiting| changes.push(waiting),
            async || {
                attempts += 1;
                if attempts < 30 {
                    Err(StorageError::Busy {
                        detail: "another writer".to_owned(),
                    })
                } else {
                    Ok(attempts)
                }
            },
        )
        .await;
        assert_eq!(answer.unwrap(), 30);
        assert_eq!(changes, [true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_given_up_has_ended() {
        let mut changes = Vec::new();
        let busy = async || {
            Err::<(), _>(StorageError::Busy {
                detail: "another writer".to_owned(),
            })
        };
        let waiting = until_answered("the test", |waiting| changes.push(waiting), busy);
        assert!(tokio::time::timeout(Duration::from_secs(9), waiting).await.is_err());
        assert_eq!(changes, [true, false]);
    }

    #[tokio::test]
    async fn an_error_that_does_not_pass_is_returned_at_once() {
        let mut attempts = 0;
        let answer: Result<(), StorageError> = until_answered(
            "the test",
            |_| (),
            async || {
                attempts += 1;
                Err(StorageError::ReadOnly)
            },
        )
        .await;
        assert!(matches!(answer, Err(StorageError::ReadOnly)));
        assert_eq!(attempts, 1);
    }
}
