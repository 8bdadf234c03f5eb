//! How many codes of a caller WeChat may refuse: more, and somebody is guessing.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};
use tokio::time::Instant;

/// The budgets of all callers. There are as many as API keys.
pub(super) struct Budgets {
    quota: Quota,
    budgets: Mutex<HashMap<Box<str>, Budget>>,
}

struct Budget {
    limiter: Arc<DefaultDirectRateLimiter>,
    spent_until: Option<Instant>,
}

impl Budgets {
    pub(super) fn new(refused_codes_per_minute: u32) -> Self {
        let most = NonZeroU32::new(refused_codes_per_minute).unwrap_or(NonZeroU32::MIN);
        Self { quota: Quota::per_minute(most), budgets: Mutex::default() }
    }

    /// How long the caller has to wait, if the budget is spent.
    pub(super) fn wait(&self, caller: &str) -> Option<Duration> {
        let budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let until = budgets.get(caller)?.spent_until?;
        let wait = until.saturating_duration_since(Instant::now());
        (!wait.is_zero()).then_some(wait)
    }

    /// Counts a code of the caller's that WeChat refused.
    pub(super) fn count(&self, caller: &str) {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if !budgets.contains_key(caller) {
            let limiter = Arc::new(DefaultDirectRateLimiter::direct(self.quota));
            budgets.insert(caller.into(), Budget { limiter, spent_until: None });
        }
        let Some(budget) = budgets.get_mut(caller) else { return };
        if let Err(not_until) = budget.limiter.check() {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            budget.spent_until = Some(Instant::now() + wait);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_budget_is_the_callers_own() {
        let budgets = Budgets::new(3);
        for _ in 0..3 {
            budgets.count("a");
            assert_eq!(budgets.wait("a"), None);
        }
        budgets.count("a");
        // Three a minute: another one after 20 s.
        let wait = budgets.wait("a").unwrap();
        assert!((19..=20).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(budgets.wait("b"), None);
    }
}
