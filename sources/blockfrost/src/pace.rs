//! When the next request may be sent.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Requests in their turn: so far apart, and none while the other side wants rest.
#[derive(Debug)]
pub(crate) struct Pace(Mutex<State>);

#[derive(Debug)]
struct State {
    /// When the next request may be sent.
    next: Instant,
    /// How far apart requests are.
    interval: Duration,
}

impl Pace {
    pub(crate) fn new(interval: Duration) -> Self {
        Self(Mutex::new(State {
            next: Instant::now(),
            interval,
        }))
    }

    /// Waits until a request may be sent.
    pub(crate) async fn turn(&self) {
        let turn = {
            let mut state = self.state();
            let turn = state.next.max(Instant::now());
            state.next = turn + state.interval;
            turn
        };
        sleep_until(turn).await;
    }

    /// No request takes its turn for so long.
    pub(crate) fn rest(&self, pause: Duration) {
        let mut state = self.state();
        state.next = state.next.max(Instant::now() + pause);
    }

    /// Requests are at least so far apart from now on.
    pub(crate) fn slow_down(&self, interval: Duration) {
        let mut state = self.state();
        state.interval = state.interval.max(interval);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When so many requests get their turn, in milliseconds from now.
    async fn turns(pace: &Pace, count: usize) -> Vec<u128> {
        let start = Instant::now();
        let mut turns = Vec::new();
        for _ in 0..count {
            pace.turn().await;
            turns.push(start.elapsed().as_millis());
        }
        turns
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_apart_and_wait_while_the_other_side_rests() {
        let pace = Pace::new(Duration::ZERO);
        assert_eq!(turns(&pace, 3).await, [0, 0, 0]);
        pace.slow_down(Duration::from_millis(100));
        assert_eq!(turns(&pace, 3).await, [0, 100, 200]);
        pace.rest(Duration::from_secs(2));
        pace.rest(Duration::from_secs(1));
        assert_eq!(turns(&pace, 2).await, [2000, 2100]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_used_is_not_made_up_for() {
        let pace = Pace::new(Duration::from_millis(100));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(turns(&pace, 3).await, [0, 100, 200]);
    }
}
