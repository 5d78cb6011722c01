//! What a case is doing, for the message where it hangs or fails.

use std::sync::{Arc, Mutex, PoisonError};

tokio::task_local! {
    static STEP: Step;
}

/// What the case that runs on this task did last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Step(Arc<Mutex<String>>);

impl Step {
    /// Runs a case, whose steps are noted here.
    pub(crate) async fn note<T>(&self, case: impl Future<Output = T>) -> T {
        STEP.scope(self.clone(), case).await
    }

    /// What was noted last; empty where the case has noted nothing.
    pub(crate) fn last(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Notes what the case does now. Tasks that a case has started note nothing.
pub(crate) fn now(step: impl FnOnce() -> String) {
    let _ = STEP.try_with(|noted| *noted.0.lock().unwrap_or_else(PoisonError::into_inner) = step());
}
