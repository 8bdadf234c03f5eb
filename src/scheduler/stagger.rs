//! Staggers the start of syncs. Without it, the replica whose beat comes first would claim every
//! account of a tick.

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until};

use crate::model::AppId;

/// How long this process waits after it has claimed an account, before it tries another one. Longer
/// than the second between two beats, so that every other replica has had a beat.
const HEAD_START: Duration = Duration::from_millis(1_250);

/// Lets this process claim accounts one at a time, with a head start for the other replicas in between.
#[derive(Debug, Default)]
pub(super) struct Stagger(Mutex<Option<Claimed>>);

/// The account that this process claimed last.
#[derive(Debug)]
struct Claimed {
    appid: AppId,
    at: Instant,
}

/// Permission to try to claim the account. While it is held, this process tries no other account.
pub(super) struct Turn<'t> {
    last: MutexGuard<'t, Option<Claimed>>,
    appid: &'t AppId,
}

impl Stagger {
    /// Waits for this account's turn. Claiming the same account again needs no head start.
    pub(super) async fn next<'t>(&'t self, appid: &'t AppId) -> Turn<'t> {
        let last = self.0.lock().await;
        if let Some(claimed) = last.as_ref().filter(|claimed| claimed.appid != *appid) {
            sleep_until(claimed.at + HEAD_START).await;
        }
        Turn { last, appid }
    }
}

impl Turn<'_> {
    /// Records that the account was claimed, which gives the other replicas a head start. If the turn
    /// is dropped instead, the next turn does not wait.
    pub(super) fn claimed(mut self) {
        *self.last = Some(Claimed { appid: self.appid.clone(), at: Instant::now() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appid(number: u8) -> AppId {
        format!("wx0a0000000000000{number}").parse().unwrap()
    }

    async fn waited(stagger: &Stagger, appid: &AppId, claim: bool) -> Duration {
        let started_at = Instant::now();
        let turn = stagger.next(appid).await;
        if claim {
            turn.claimed();
        }
        started_at.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_claimed_an_account_delays_its_next_claim() {
        let (stagger, [one, two]) = (Stagger::default(), [1, 2].map(appid));
        assert_eq!(waited(&stagger, &one, true).await, Duration::ZERO);
        assert!(waited(&stagger, &two, true).await >= HEAD_START);
        assert!(waited(&stagger, &one, true).await >= HEAD_START);
        // Concurrent waiters get their turns one after the other.
        let tries = [3, 4].map(appid);
        let started_at = Instant::now();
        tokio::join!(waited(&stagger, &tries[0], true), waited(&stagger, &tries[1], true));
        assert!(started_at.elapsed() >= HEAD_START * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_claim_or_the_same_account_again_adds_no_delay() {
        let (stagger, [one, two]) = (Stagger::default(), [1, 2].map(appid));
        for claim in [false, true, true] {
            assert_eq!(waited(&stagger, &one, claim).await, Duration::ZERO);
        }
        assert!(waited(&stagger, &two, false).await >= HEAD_START);
        assert_eq!(waited(&stagger, &two, true).await, Duration::ZERO);
    }
}
