//! A key's rate limit, of which this process uses its share.

use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::bucket::Bucket;

/// A key's rate limit in this process.
#[derive(Debug)]
pub(super) struct Limit {
    /// The limit in requests per second, for all processes together.
    total: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// One token per request that may be accepted now.
    bucket: Bucket,
    /// The requests per second that this process may accept.
    share: f64,
    /// Requests since the last [`Limit::take_received`], accepted or not.
    received: u32,
}

impl Limit {
    /// Creates a limit. This process has the whole limit until [`Limit::share_with`].
    pub(super) fn new(requests_per_second: NonZeroU32) -> Self {
        let total = f64::from(requests_per_second.get());
        Self {
            total,
            state: Mutex::new(State { bucket: Bucket::full(total), share: total, received: 0 }),
        }
    }

    /// Counts one request.
    ///
    /// # Errors
    /// Returns how long to wait if the request exceeds the limit.
    pub(super) fn count(&self) -> Result<(), Duration> {
        let mut state = self.lock();
        state.received = state.received.saturating_add(1);
        let share = state.share;
        // The burst is one second's worth, but at least one request.
        let left = state.bucket.fill(share, share.max(1.0));
        if left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - left) / share));
        }
        state.bucket.take();
        Ok(())
    }

    /// Returns the number of requests since the last call, accepted or not.
    pub(super) fn take_received(&self) -> u32 {
        std::mem::take(&mut self.lock().received)
    }

    /// Shares the limit with the other processes, given the requests per second that each receives.
    pub(super) fn share_with(&self, others: Vec<f64>) {
        self.lock().share = share(self.total, others);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns this process's share of `total`. Each process gets an equal share, or what it demands if that
/// is less; unused shares are redistributed. The shares add up to `total` as long as the demands stay
/// the same.
fn share(total: f64, mut others: Vec<f64>) -> f64 {
    others.sort_by(f64::total_cmp);
    let (mut left, mut count) = (total, others.len() as f64 + 1.0);
    for demand in others {
        if demand >= left / count {
            break;
        }
        left -= demand;
        count -= 1.0;
    }
    left / count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many of a thousand requests are accepted.
    fn accepted(limit: &Limit) -> usize {
        (0..1_000).filter(|_| limit.count().is_ok()).count()
    }

    #[test]
    fn a_replica_that_needs_less_than_its_share_leaves_it_to_the_others() {
        assert_eq!(share(90.0, vec![]), 90.0);
        assert_eq!(share(90.0, vec![0.0, 0.0]), 90.0);
        assert_eq!(share(90.0, vec![500.0, 45.0]), 30.0);
        assert_eq!(share(90.0, vec![500.0, 10.0]), 40.0);
        assert_eq!(share(90.0, vec![20.0, 10.0]), 60.0);
        assert_eq!(share(1.0, vec![7.0]), 0.5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_share_applies_at_once_and_allows_no_new_burst() {
        let limit = Limit::new(NonZeroU32::new(100).unwrap());
        assert_eq!(accepted(&limit), 100);
        limit.share_with(vec![1_000.0]);
        assert_eq!(limit.count(), Err(Duration::from_millis(20)));
        limit.share_with(vec![]);
        assert_eq!(accepted(&limit), 0);
        limit.share_with(vec![1_000.0]);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(accepted(&limit), 50);
        assert_eq!((limit.take_received(), limit.take_received()), (3_001, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_below_one_per_second_admits_single_requests() {
        let limit = Limit::new(NonZeroU32::MIN);
        limit.share_with(vec![5.0, 5.0]);
        assert_eq!(accepted(&limit), 1);
        tokio::time::advance(Duration::from_millis(3_001)).await;
        assert_eq!(accepted(&limit), 1);
    }
}
