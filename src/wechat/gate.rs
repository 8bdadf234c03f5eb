//! How many calls of one account may be in flight: fewer while WeChat is busy, more again when it is not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Admits calls of one account; clones share their places.
///
/// The places are halved when WeChat is busy, once for all calls that were in flight together, and
/// come back one by one, each after as many successes in a row as there are places.
#[derive(Debug, Clone)]
pub struct Gate {
    places: Arc<Semaphore>,
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

/// A place in the gate; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    gate: Gate,
    permit: Option<OwnedSemaphorePermit>,
    halvings: u64,
}

impl Gate {
    /// A gate for at most `most` calls at once; 0 is taken as 1.
    pub fn new(most: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        let state = State { most, limit: most, owed: 0, halvings: 0, successes: 0 };
        Self { places: Arc::new(Semaphore::new(most)), state: Arc::new(Mutex::new(state)) }
    }

    /// How many calls may be in flight now.
    pub fn limit(&self) -> usize {
        self.state().limit
    }

    /// Waits for a place, in the order of asking.
    pub(super) async fn enter(&self) -> Place {
        // The semaphore is never closed; were it, calls would go on ungated rather than stop.
        let permit = Arc::clone(&self.places).acquire_owned().await.ok();
        Place { gate: self.clone(), permit, halvings: self.state().halvings }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Gives the place back and tells how the call went.
    pub(super) fn leave(self, signal: Signal) {
        let mut state = self.gate.state();
        if self.halvings != state.halvings {
            return;
        }
        match signal {
            Signal::Well => state.recover(&self.gate.places),
            Signal::Busy => state.halve(&self.gate.places),
            Signal::Neither => {}
        }
    }
}

impl State {
    fn halve(&mut self, places: &Semaphore) {
        let taken = self.limit - (self.limit / 2).max(1);
        self.limit -= taken;
        self.owed += taken - places.forget_permits(taken);
        self.halvings += 1;
        self.successes = 0;
    }

    fn recover(&mut self, places: &Semaphore) {
        self.successes += 1;
        if self.successes < self.limit || self.limit == self.most {
            return;
        }
        self.successes = 0;
        self.limit += 1;
        match self.owed {
            0 => places.add_permits(1),
            _ => self.owed -= 1,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let mut state = self.gate.state();
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

    async fn places(gate: &Gate, count: usize) -> Vec<Place> {
        let mut places = Vec::new();
        for _ in 0..count {
            places.push(gate.enter().await);
        }
        places
    }

    fn is_full(gate: &Gate) -> bool {
        gate.enter().now_or_never().is_none()
    }

    #[tokio::test]
    async fn no_more_calls_are_admitted_than_there_are_places() {
        let gate = Gate::new(3);
        let taken = places(&gate, 3).await;
        assert!(is_full(&gate));
        drop(taken);
        assert!(!is_full(&gate));
    }

    #[tokio::test]
    async fn calls_that_fail_together_halve_the_places_once() {
        let gate = Gate::new(16);
        for place in places(&gate, 16).await {
            place.leave(Signal::Busy);
        }
        assert_eq!(gate.limit(), 8);
        let _taken = places(&gate, 8).await;
        assert!(is_full(&gate));
    }

    #[tokio::test]
    async fn failures_in_a_row_leave_one_place() {
        let gate = Gate::new(16);
        for _ in 0..10 {
            gate.enter().await.leave(Signal::Busy);
        }
        assert_eq!(gate.limit(), 1);
        let _taken = gate.enter().await;
        assert!(is_full(&gate));
    }

    #[tokio::test]
    async fn places_come_back_one_by_one_after_successes() {
        let gate = Gate::new(4);
        gate.enter().await.leave(Signal::Busy);
        assert_eq!(gate.limit(), 2);
        let mut limits = Vec::new();
        for _ in 0..6 {
            gate.enter().await.leave(Signal::Well);
            limits.push(gate.limit());
        }
        assert_eq!(limits, [2, 3, 3, 3, 4, 4]);
        let _taken = places(&gate, 4).await;
        assert!(is_full(&gate));
    }

    #[tokio::test]
    async fn places_still_in_use_when_halved_are_given_up_when_their_calls_end() {
        let gate = Gate::new(4);
        let mut taken = places(&gate, 4).await;
        taken.remove(0).leave(Signal::Busy);
        assert!(is_full(&gate));
        taken.pop();
        assert!(is_full(&gate));
        taken.pop();
        assert!(!is_full(&gate));
    }

    #[tokio::test]
    async fn a_call_given_up_halfway_gives_its_place_back() {
        let gate = Gate::new(1);
        drop(gate.enter().await);
        gate.enter().await.leave(Signal::Neither);
        assert!(!is_full(&gate));
        assert_eq!(gate.limit(), 1);
    }
}
