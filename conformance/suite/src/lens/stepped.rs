//! Futures that are polled one step at a time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// How long a call that can't go on is left alone before somebody else gets a turn: it may wait for them.
const PATIENCE: Duration = Duration::from_millis(100);

/// A call of a store that is polled step by step, each time only after it asked to be.
pub(crate) struct Stepped<'a, T> {
    /// `None` once it has ended or was dropped.
    future: Option<Pin<Box<dyn Future<Output = T> + Send + 'a>>>,
    signal: Arc<Signal>,
    pub(crate) polls: usize,
    output: Option<T>,
}

struct Signal {
    was_woken: AtomicBool,
    notify: Notify,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.was_woken.store(true, Ordering::Release);
        self.notify.notify_one();
    }
}

impl<'a, T> Stepped<'a, T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'a) -> Self {
        Self {
            future: Some(Box::pin(future)),
            signal: Arc::new(Signal {
                was_woken: AtomicBool::new(true),
                notify: Notify::new(),
            }),
            polls: 0,
            output: None,
        }
    }

    pub(crate) const fn has_ended(&self) -> bool {
        self.output.is_some()
    }

    /// Whether polling can bring it further.
    pub(crate) fn was_woken(&self) -> bool {
        self.signal.was_woken.load(Ordering::Acquire)
    }

    /// Waits until polling can bring it further.
    pub(crate) async fn woken(&self) {
        while !self.was_woken() {
            self.signal.notify.notified().await;
        }
    }

    /// As [`Stepped::woken`], but not for long; answers whether it was.
    pub(crate) async fn woken_soon(&self) -> bool {
        timeout(PATIENCE, self.woken()).await.is_ok()
    }

    /// Polls once, whether that brings it further or not. Answers whether it has ended.
    pub(crate) async fn poll(&mut self) -> bool {
        // Lets the runtime do its work, and gives the call a new share of it.
        tokio::task::yield_now().await;
        if let Some(future) = &mut self.future {
            self.signal.was_woken.store(false, Ordering::Release);
            self.polls += 1;
            let waker = Waker::from(Arc::clone(&self.signal));
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                self.output = Some(output);
                self.future = None;
            }
        }
        self.has_ended()
    }

    /// One step: waits until it can go on, and polls. Answers whether it has ended.
    pub(crate) async fn step(&mut self) -> bool {
        if !self.has_ended() {
            self.woken().await;
        }
        self.poll().await
    }

    /// All steps that are left.
    pub(crate) async fn finish(mut self) -> T {
        while !self.step().await {}
        self.into_output().expect("it has ended")
    }

    /// What it answered, if it has.
    pub(crate) fn into_output(self) -> Option<T> {
        self.output
    }
}

/// Takes steps of all of these until they have ended: each may wait for what another one holds.
pub(crate) async fn finish_all<T>(mut calls: Vec<Stepped<'_, T>>) -> Vec<T> {
    while let Some(first) = calls.iter().position(|call| !call.has_ended()) {
        let mut has_gone_on = false;
        for call in &mut calls {
            if !call.has_ended() && call.was_woken() {
                call.poll().await;
                has_gone_on = true;
            }
        }
        if !has_gone_on && let Some(call) = calls.get(first) {
            call.woken_soon().await;
        }
    }
    calls.into_iter().filter_map(Stepped::into_output).collect()
}

/// Takes steps of a call until it ends; where it waits, `other` takes one: it may be what the call waits for.
pub(crate) async fn finish_beside<T, O>(mut call: Stepped<'_, T>, other: &mut Stepped<'_, O>) -> T {
    loop {
        let is_stuck = !call.woken_soon().await;
        if is_stuck && !other.has_ended() {
            other.woken_soon().await;
            other.poll().await;
        } else if call.step().await {
            return call.into_output().expect("it has ended");
        }
    }
}

/// Polls all of these until none goes on by itself: each has ended, or waits for somebody else.
pub(crate) async fn poll_as_far_as_they_come<T>(calls: &mut [Stepped<'_, T>]) {
    loop {
        let mut has_gone_on = false;
        for call in calls.iter_mut() {
            if !call.has_ended() && call.was_woken() {
                call.poll().await;
                has_gone_on = true;
            }
        }
        if !has_gone_on {
            match calls.iter().find(|call| !call.has_ended()) {
                // Others are woken meanwhile, if any is.
                Some(call) => {
                    call.woken_soon().await;
                }
                None => return,
            }
            if !calls.iter().any(|call| !call.has_ended() && call.was_woken()) {
                return;
            }
        }
    }
}

/// All steps of a call that waits for nobody; `None` where it does, and can't go on for long.
pub(crate) async fn finish_soon<T>(mut call: Stepped<'_, T>) -> Option<T> {
    const TIMES: usize = 50;
    let mut times = 0;
    while !call.has_ended() {
        if call.woken_soon().await {
            call.poll().await;
            times = 0;
        } else {
            times += 1;
            if times == TIMES {
                return None;
            }
        }
    }
    call.into_output()
}
