//! Limits the concurrent calls of one account, and adapts the limit to how busy WeChat is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A semaphore for the calls of one account. Clones share the permits.
///
/// When WeChat is busy, the limit is halved, once for all calls that were in flight together. It then grows
/// by one after as many successes in a row as the current limit.
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit {
    permits: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    max: usize,
    limit: usize,
    /// Permits that were removed while in use. They are discarded when their calls end.
    to_discard: usize,
    /// Halvings so far. The outcome of a call that got its permit before the latest halving is ignored.
    halvings: u64,
    successes: usize,
}

/// What the outcome of a call implies about WeChat's load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::wechat) enum Signal {
    Success,
    Busy,
    Neutral,
}

/// A permit for one call. Dropping it returns it to the semaphore.
#[derive(Debug)]
pub(in crate::wechat) struct Permit {
    concurrency: ConcurrencyLimit,
    held: Option<OwnedSemaphorePermit>,
    halvings: u64,
}

impl ConcurrencyLimit {
    /// Creates a limit of at most `max` concurrent calls. Treats 0 as 1.
    pub fn new(max: usize) -> Self {
        let max = max.clamp(1, Semaphore::MAX_PERMITS);
        let state = State { max, limit: max, to_discard: 0, halvings: 0, successes: 0 };
        Self { permits: Arc::new(Semaphore::new(max)), state: Arc::new(Mutex::new(state)) }
    }

    /// The number of calls currently allowed at the same time.
    pub fn limit(&self) -> usize {
        self.state().limit
    }

    /// Waits for a permit. Permits are granted in the order of the requests.
    pub(in crate::wechat) async fn acquire(&self) -> Permit {
        // The semaphore is never closed. If it were, calls would continue without a limit.
        let held = Arc::clone(&self.permits).acquire_owned().await.ok();
        Permit { concurrency: self.clone(), held, halvings: self.state().halvings }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Returns the permit and adapts the limit to how the call went.
    pub(in crate::wechat) fn finish(self, signal: Signal) {
        let mut state = self.concurrency.state();
        if self.halvings != state.halvings {
            return;
        }
        match signal {
            Signal::Success => state.recover(&self.concurrency.permits),
            Signal::Busy => state.halve(&self.concurrency.permits),
            Signal::Neutral => {}
        }
    }
}

impl State {
    fn halve(&mut self, permits: &Semaphore) {
        let removed = self.limit - (self.limit / 2).max(1);
        self.limit -= removed;
        self.to_discard += removed - permits.forget_permits(removed);
        self.halvings += 1;
        self.successes = 0;
    }

    fn recover(&mut self, permits: &Semaphore) {
        self.successes += 1;
        if self.successes < self.limit || self.limit == self.max {
            return;
        }
        self.successes = 0;
        self.limit += 1;
        match self.to_discard {
            0 => permits.add_permits(1),
            _ => self.to_discard -= 1,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(permit) = self.held.take() else {
            return;
        };
        let mut state = self.concurrency.state();
        if state.to_discard > 0 {
            state.to_discard -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    async fn permits(concurrency: &ConcurrencyLimit, count: usize) -> Vec<Permit> {
        let mut permits = Vec::new();
        for _ in 0..count {
            permits.push(concurrency.acquire().await);
        }
        permits
    }

    fn is_full(concurrency: &ConcurrencyLimit) -> bool {
        concurrency.acquire().now_or_never().is_none()
    }

    #[tokio::test]
    async fn no_more_calls_are_admitted_than_there_are_permits() {
        let concurrency = ConcurrencyLimit::new(3);
        let taken = permits(&concurrency, 3).await;
        assert!(is_full(&concurrency));
        drop(taken);
        assert!(!is_full(&concurrency));
    }

    #[tokio::test]
    async fn calls_that_fail_together_halve_the_limit_once() {
        let concurrency = ConcurrencyLimit::new(16);
        for permit in permits(&concurrency, 16).await {
            permit.finish(Signal::Busy);
        }
        assert_eq!(concurrency.limit(), 8);
        let _taken = permits(&concurrency, 8).await;
        assert!(is_full(&concurrency));
    }

    #[tokio::test]
    async fn failures_in_a_row_leave_one_permit() {
        let concurrency = ConcurrencyLimit::new(16);
        for _ in 0..10 {
            concurrency.acquire().await.finish(Signal::Busy);
        }
        assert_eq!(concurrency.limit(), 1);
        let _taken = concurrency.acquire().await;
        assert!(is_full(&concurrency));
    }

    #[tokio::test]
    async fn permits_are_restored_one_by_one_after_successes() {
        let concurrency = ConcurrencyLimit::new(4);
        concurrency.acquire().await.finish(Signal::Busy);
        assert_eq!(concurrency.limit(), 2);
        let mut limits = Vec::new();
        for _ in 0..6 {
            concurrency.acquire().await.finish(Signal::Success);
            limits.push(concurrency.limit());
        }
        assert_eq!(limits, [2, 3, 3, 3, 4, 4]);
        let _taken = permits(&concurrency, 4).await;
        assert!(is_full(&concurrency));
    }

    #[tokio::test]
    async fn excess_permits_are_discarded_when_their_calls_end() {
        let concurrency = ConcurrencyLimit::new(4);
        let mut taken = permits(&concurrency, 4).await;
        taken.remove(0).finish(Signal::Busy);
        assert!(is_full(&concurrency));
        taken.pop();
        assert!(is_full(&concurrency));
        taken.pop();
        assert!(!is_full(&concurrency));
    }

    #[tokio::test]
    async fn a_cancelled_call_returns_its_permit() {
        let concurrency = ConcurrencyLimit::new(1);
        drop(concurrency.acquire().await);
        concurrency.acquire().await.finish(Signal::Neutral);
        assert!(!is_full(&concurrency));
        assert_eq!(concurrency.limit(), 1);
    }
}
