//! Stagger: without them the replica whose beat comes first would take every account of a tick.

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until};

use crate::model::AppId;

/// For how long the others go first once this process has taken an account: longer than the second
/// between two beats, so that each of them has had one.
const HEAD_START: Duration = Duration::from_millis(1_250);

/// One account of this process after the other, with a head start for the others in between.
#[derive(Debug, Default)]
pub(super) struct Stagger(Mutex<Option<Taken>>);

/// The account that this process took last.
#[derive(Debug)]
struct Taken {
    appid: AppId,
    at: Instant,
}

/// This process may try for the account; it tries for no other meanwhile.
pub(super) struct Turn<'t> {
    last: MutexGuard<'t, Option<Taken>>,
    appid: &'t AppId,
}

impl Stagger {
    /// Waits until it is our turn. The same account again takes nothing from the others.
    pub(super) async fn next<'t>(&'t self, appid: &'t AppId) -> Turn<'t> {
        let last = self.0.lock().await;
        if let Some(taken) = last.as_ref().filter(|taken| taken.appid != *appid) {
            sleep_until(taken.at + HEAD_START).await;
        }
        Turn { last, appid }
    }
}

impl Turn<'_> {
    /// The account was taken, so that now it is the others' turn. Dropped without this, the next try
    /// need not wait.
    pub(super) fn taken(mut self) {
        *self.last = Some(Taken { appid: self.appid.clone(), at: Instant::now() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appid(number: u8) -> AppId {
        format!("wx0a0000000000000{number}").parse().unwrap()
    }

    async fn waited(stagger: &Stagger, appid: &AppId, take: bool) -> Duration {
        let asked = Instant::now();
        let turn = stagger.next(appid).await;
        if take {
            turn.taken();
        }
        asked.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn who_took_an_account_lets_the_others_go_first() {
        let (stagger, [one, two]) = (Stagger::default(), [1, 2].map(appid));
        assert_eq!(waited(&stagger, &one, true).await, Duration::ZERO);
        assert!(waited(&stagger, &two, true).await >= HEAD_START);
        assert!(waited(&stagger, &one, true).await >= HEAD_START);
        // All who wait have their turn, one after the other.
        let tries = [3, 4].map(appid);
        let asked = Instant::now();
        tokio::join!(waited(&stagger, &tries[0], true), waited(&stagger, &tries[1], true));
        assert!(asked.elapsed() >= HEAD_START * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_failed_costs_nothing_and_neither_does_the_same_account_again() {
        let (stagger, [one, two]) = (Stagger::default(), [1, 2].map(appid));
        for take in [false, true, true] {
            assert_eq!(waited(&stagger, &one, take).await, Duration::ZERO);
        }
        assert!(waited(&stagger, &two, false).await >= HEAD_START);
        assert_eq!(waited(&stagger, &two, true).await, Duration::ZERO);
    }
}
