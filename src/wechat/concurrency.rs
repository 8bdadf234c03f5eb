//! How many calls of one account may be in flight: fewer while WeChat is busy, more again when it is not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Admits calls of one account; clones share their permits.
///
/// The permits are halved when WeChat is busy, once for all calls that were in flight together, and
/// come back one by one, each after as many successes in a row as there are permits.
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit {
    permits: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    most: usize,
    limit: usize,
    /// Places taken away that are still in use, given up as soon as their calls end.
    owed: usize,
    /// Halvings so far. A call admitted before the latest one says nothing new.
    halvings: u64,
    successes: usize,
}

/// What a call told about how busy WeChat is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Well,
    Busy,
    Neither,
}

/// A permit; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Permit {
    concurrency: ConcurrencyLimit,
    held: Option<OwnedSemaphorePermit>,
    halvings: u64,
}

impl ConcurrencyLimit {
    /// A limit for at most `most` calls at once; 0 is taken as 1.
    pub fn new(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        let state = State { most, limit: most, owed: 0, halvings: 0, successes: 0 };
        Self { permits: Arc::new(Semaphore::new(most)), state: Arc::new(Mutex::new(state)) }
    }

    /// How many calls may be in flight now.
    pub fn limit(&self) -> usize {
        self.state().limit
    }

    /// Waits for a permit, in the order of asking.
    pub(super) async fn acquire(&self) -> Permit {
        // The semaphore is never closed; were it, calls would go on ungated rather than stop.
        let held = Arc::clone(&self.permits).acquire_owned().await.ok();
        Permit { concurrency: self.clone(), held, halvings: self.state().halvings }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Gives the permit back and tells how the call went.
    pub(super) fn finish(self, signal: Signal) {
        let mut state = self.concurrency.state();
        if self.halvings != state.halvings {
            return;
        }
        match signal {
            Signal::Well => state.recover(&self.concurrency.permits),
            Signal::Busy => state.halve(&self.concurrency.permits),
            Signal::Neither => {}
        }
    }
}

impl State {
    fn halve(&mut self, permits: &Semaphore) {
        let taken = self.limit - (self.limit / 2).max(1);
        self.limit -= taken;
        self.owed += taken - permits.forget_permits(taken);
        self.halvings += 1;
        self.successes = 0;
    }

    fn recover(&mut self, permits: &Semaphore) {
        self.successes += 1;
        if self.successes < self.limit || self.limit == self.most {
            return;
        }
        self.successes = 0;
        self.limit += 1;
        match self.owed {
            0 => permits.add_permits(1),
            _ => self.owed -= 1,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(permit) = self.held.take() else {
            return;
        };
        let mut state = self.concurrency.state();
        if state.owed > 0 {
            state.owed -= 1;
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
    async fn no_more_calls_are_admitted_than_there_are_places() {
        let concurrency = ConcurrencyLimit::new(3);
        let taken = permits(&concurrency, 3).await;
        assert!(is_full(&concurrency));
        drop(taken);
        assert!(!is_full(&concurrency));
    }

    #[tokio::test]
    async fn calls_that_fail_together_halve_the_places_once() {
        let concurrency = ConcurrencyLimit::new(16);
        for permit in permits(&concurrency, 16).await {
            permit.finish(Signal::Busy);
        }
        assert_eq!(concurrency.limit(), 8);
        let _taken = permits(&concurrency, 8).await;
        assert!(is_full(&concurrency));
    }

    #[tokio::test]
    async fn failures_in_a_row_leave_one_place() {
        let concurrency = ConcurrencyLimit::new(16);
        for _ in 0..10 {
            concurrency.acquire().await.finish(Signal::Busy);
        }
        assert_eq!(concurrency.limit(), 1);
        let _taken = concurrency.acquire().await;
        assert!(is_full(&concurrency));
    }

    #[tokio::test]
    async fn places_come_back_one_by_one_after_successes() {
        let concurrency = ConcurrencyLimit::new(4);
        concurrency.acquire().await.finish(Signal::Busy);
        assert_eq!(concurrency.limit(), 2);
        let mut limits = Vec::new();
        for _ in 0..6 {
            concurrency.acquire().await.finish(Signal::Well);
            limits.push(concurrency.limit());
        }
        assert_eq!(limits, [2, 3, 3, 3, 4, 4]);
        let _taken = permits(&concurrency, 4).await;
        assert!(is_full(&concurrency));
    }

    #[tokio::test]
    async fn places_still_in_use_when_halved_are_given_up_when_their_calls_end() {
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
    async fn a_call_given_up_halfway_gives_its_place_back() {
        let concurrency = ConcurrencyLimit::new(1);
        drop(concurrency.acquire().await);
        concurrency.acquire().await.finish(Signal::Neither);
        assert!(!is_full(&concurrency));
        assert_eq!(concurrency.limit(), 1);
    }
}
