//! One transaction for each submission, however often it is sent.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use did_prism::digest::{TransactionId, sha256};
use dlt_sink::{Publication, SubmitError};
use tokio::sync::watch;
use tokio::time::Instant;

/// How long an answer is remembered.
pub(crate) const MEMORY: Duration = Duration::from_mins(1);

pub(crate) type Outcome = Result<TransactionId, SubmitError>;

/// Answers of the last minute, and submissions that are under way. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Once(Arc<Mutex<HashMap<[u8; 32], Entry>>>);

#[derive(Debug)]
struct Entry {
    outcome: watch::Receiver<Option<Outcome>>,
    /// When the answer was there; `None` while the submission is under way.
    answered: Option<Instant>,
}

impl Once {
    fn entries(&self) -> MutexGuard<'_, HashMap<[u8; 32], Entry>> {
        // Entries are put in and taken out whole, so a panic elsewhere can't leave one half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `publish` answers, or what it answered to the same operations within the last minute, or will answer to them. It goes
    /// on to its end when the future is dropped.
    ///
    /// A refusal is not remembered: nothing was published, so that trying again may help and does no harm.
    pub(crate) async fn publish<F>(&self, publication: Publication, publish: impl FnOnce(Publication) -> F) -> Outcome
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let key = sha256(publication.object());
        let mut outcome = self.join_or_start(key, || publish(publication));
        let answer = outcome.wait_for(Option::is_some).await;
        let answer = answer.ok().and_then(|answer| answer.clone());
        answer.unwrap_or_else(|| Err(SubmitError::Unknown("the submission was cut off".to_owned())))
    }

    fn join_or_start<F>(&self, key: [u8; 32], publish: impl FnOnce() -> F) -> watch::Receiver<Option<Outcome>>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut entries = self.entries();
        entries.retain(|_, entry| entry.answered.is_none_or(|answered| answered.elapsed() < MEMORY));
        if let Some(entry) = entries.get(&key) {
            return entry.outcome.clone();
        }
        let (answer, outcome) = watch::channel(None);
        let entry = Entry {
            outcome: outcome.clone(),
            answered: None,
        };
        entries.insert(key, entry);
        drop(entries);
        let publishing = publish();
        let mut underway = Underway {
            once: self.clone(),
            key: Some(key),
        };
        tokio::spawn(async move {
            let outcome = publishing.await;
            underway.end(&outcome);
            answer.send_replace(Some(outcome));
        });
        outcome
    }
}

/// A submission under way. Where it is cut off, nobody knows what became of it, and the same is not begun again for a minute.
struct Underway {
    once: Once,
    /// `None` once it was forgotten.
    key: Option<[u8; 32]>,
}

impl Underway {
    fn end(&mut self, outcome: &Outcome) {
        if !matches!(outcome, Ok(_) | Err(SubmitError::Unknown(_)))
            && let Some(key) = self.key.take()
        {
            self.once.entries().remove(&key);
        }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if let Some(key) = self.key
            && let Some(entry) = self.once.entries().get_mut(&key)
        {
            entry.answered = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use did_prism::ledger::OperationBytes;
    use prism_fixtures::Identity;
    use tokio::time::{advance, sleep, timeout};

    use super::*;

    fn create(index: u64) -> Publication {
        Publication::new([OperationBytes::try_from(Identity::new(1, index).create().bytes).unwrap()]).unwrap()
    }

    /// Counts what is published. Each takes 5 s, and answers its number.
    #[derive(Default)]
    struct Wallet {
        once: Once,
        published: Arc<AtomicU8>,
    }

    impl Wallet {
        async fn submit(&self, index: u64, refusal: Option<SubmitError>) -> Outcome {
            let published = Arc::clone(&self.published);
            self.once
                .publish(create(index), |_| async move {
                    sleep(Duration::from_secs(5)).await;
                    let number = published.fetch_add(1, Ordering::SeqCst);
                    refusal.map_or(Ok(TransactionId::new([number; 32])), Err)
                })
                .await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_repeated_submission_gets_the_first_answer_for_a_minute() {
        let wallet = Wallet::default();
        let first = wallet.submit(1, None).await.unwrap();
        advance(Duration::from_secs(59)).await;
        assert_eq!(wallet.submit(1, None).await, Ok(first));
        assert_ne!(wallet.submit(2, None).await, Ok(first));
        advance(Duration::from_secs(2)).await;
        assert_ne!(wallet.submit(1, None).await, Ok(first));
        assert_eq!(wallet.published.load(Ordering::SeqCst), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn submissions_at_the_same_time_share_one_answer() {
        let wallet = Wallet::default();
        let (first, second, other) =
            tokio::join!(wallet.submit(1, None), wallet.submit(1, None), wallet.submit(2, None));
        assert_eq!(first, second);
        assert_ne!(first, other);
        assert_eq!(wallet.published.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_stops_nothing() {
        let wallet = Wallet::default();
        let impatient = timeout(Duration::from_secs(1), wallet.submit(1, None)).await;
        assert!(impatient.is_err());
        assert!(wallet.submit(1, None).await.is_ok());
        assert_eq!(wallet.published.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_forgotten_and_an_unknown_outcome_is_not() {
        let wallet = Wallet::default();
        let refused = SubmitError::Refused("no money".to_owned());
        assert_eq!(wallet.submit(1, Some(refused.clone())).await, Err(refused));
        assert!(wallet.submit(1, None).await.is_ok());
        let unknown = SubmitError::Unknown("no answer".to_owned());
        assert_eq!(wallet.submit(2, Some(unknown.clone())).await, Err(unknown.clone()));
        assert_eq!(wallet.submit(2, None).await, Err(unknown));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_cut_off_is_not_begun_again() {
        let once = Once::default();
        let cut = once
            .publish(create(1), |_| async { panic!("a defect while it was under way") })
            .await;
        assert!(matches!(cut, Err(SubmitError::Unknown(_))), "{cut:?}");
        let again = once
            .publish(create(1), |_| async { Ok(TransactionId::new([1; 32])) })
            .await;
        assert!(matches!(again, Err(SubmitError::Unknown(_))), "{again:?}");
    }
}
