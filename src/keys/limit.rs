//! A key's limit: so many requests a second, of which this process lets its share through.

use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::bucket::Bucket;

/// What bounds a key in this process.
#[derive(Debug)]
pub(super) struct Limit {
    /// Requests a second of all processes together.
    whole: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Requests that may be let through now.
    left: Bucket,
    /// Requests a second that this process may let through.
    share: f64,
    /// Requests since they were last taken note of, let through or not.
    asked: u32,
}

impl Limit {
    /// A limit whose share is all of it, until it is told that others are asked too.
    pub(super) fn new(requests_per_second: NonZeroU32) -> Self {
        let whole = f64::from(requests_per_second.get());
        Self {
            whole,
            state: Mutex::new(State { left: Bucket::full(whole), share: whole, asked: 0 }),
        }
    }

    /// Counts one request.
    ///
    /// # Errors
    /// How long to wait, where that was one too many.
    pub(super) fn count(&self) -> Result<(), Duration> {
        let mut state = self.lock();
        state.asked = state.asked.saturating_add(1);
        let share = state.share;
        // A second's worth may come at once, and one request always.
        let left = state.left.fill(share, share.max(1.0));
        if left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - left) / share));
        }
        state.left.take();
        Ok(())
    }

    /// Requests since this was last asked, let through or not.
    pub(super) fn take_asked(&self) -> u32 {
        std::mem::take(&mut self.lock().asked)
    }

    /// Leaves the other processes theirs, who are asked for so many requests a second.
    pub(super) fn share_with(&self, others: Vec<f64>) {
        self.lock().share = share(self.whole, others);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is there of `whole` for one more, if each gets the same, or what it asks for where that is less.
/// All shares together are `whole`, as long as everybody asks for what they said.
fn share(whole: f64, mut others: Vec<f64>) -> f64 {
    others.sort_by(f64::total_cmp);
    let (mut left, mut count) = (whole, others.len() as f64 + 1.0);
    for asked in others {
        if asked >= left / count {
            break;
        }
        left -= asked;
        count -= 1.0;
    }
    left / count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests let through of a thousand.
    fn let_through(limit: &Limit) -> usize {
        (0..1_000).filter(|_| limit.count().is_ok()).count()
    }

    #[test]
    fn who_asks_for_less_than_its_part_leaves_the_rest_to_the_others() {
        assert_eq!(share(90.0, vec![]), 90.0);
        assert_eq!(share(90.0, vec![0.0, 0.0]), 90.0);
        assert_eq!(share(90.0, vec![500.0, 45.0]), 30.0);
        assert_eq!(share(90.0, vec![500.0, 10.0]), 40.0);
        assert_eq!(share(90.0, vec![20.0, 10.0]), 60.0);
        assert_eq!(share(1.0, vec![7.0]), 0.5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_counts_at_once_and_another_share_gives_no_new_burst() {
        let limit = Limit::new(NonZeroU32::new(100).unwrap());
        assert_eq!(let_through(&limit), 100);
        limit.share_with(vec![1_000.0]);
        assert_eq!(limit.count(), Err(Duration::from_millis(20)));
        limit.share_with(vec![]);
        assert_eq!(let_through(&limit), 0);
        limit.share_with(vec![1_000.0]);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(let_through(&limit), 50);
        assert_eq!((limit.take_asked(), limit.take_asked()), (3_001, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn less_than_one_a_second_is_let_through_one_by_one() {
        let limit = Limit::new(NonZeroU32::MIN);
        limit.share_with(vec![5.0, 5.0]);
        assert_eq!(let_through(&limit), 1);
        tokio::time::advance(Duration::from_millis(3_001)).await;
        assert_eq!(let_through(&limit), 1);
    }
}
