//! How many codes of a caller WeChat may refuse: more, and somebody is guessing.
//!
//! Whether a code is good is known only after WeChat was asked. So while much of the budget is left
//! nobody waits, however many ask at once; when it runs low, no more are under way than it has left.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::bucket::Bucket;

/// The budgets of all callers in this process. There are as many as API keys.
pub(super) struct Budgets {
    /// Refusals a minute.
    most: f64,
    budgets: Mutex<HashMap<Box<str>, Budget>>,
}

struct Budget {
    /// Refusals left.
    left: Bucket,
    under_way: u32,
}

/// A code under way.
pub(super) struct Ticket<'b> {
    budgets: &'b Budgets,
    caller: &'b str,
}

impl Budgets {
    pub(super) fn new(refused_codes_per_minute: u32) -> Self {
        Self { most: f64::from(refused_codes_per_minute.max(1)), budgets: Mutex::default() }
    }

    /// Lets a code of the caller's be asked for, or says how long to wait.
    pub(super) fn take<'b>(&'b self, caller: &'b str) -> Result<Ticket<'b>, Duration> {
        let mut budgets = self.lock();
        let most = self.most;
        if !budgets.contains_key(caller) {
            let full = Budget { left: Bucket::full(most), under_way: 0 };
            budgets.insert(caller.into(), full);
        }
        let Some(budget) = budgets.get_mut(caller) else { return Err(Duration::ZERO) };
        let left = budget.left.fill(most / 60.0, most);
        let missing = f64::from(budget.under_way) + 1.0 - left;
        if missing > 0.0 && left < most / 2.0 {
            return Err(Duration::from_secs_f64(missing * 60.0 / most));
        }
        budget.under_way += 1;
        Ok(Ticket { budgets: self, caller })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Budget>> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// WeChat refused the code.
    pub(super) fn refused(self) {
        if let Some(budget) = self.budgets.lock().get_mut(self.caller) {
            budget.left.take();
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(budget) = self.budgets.lock().get_mut(self.caller) {
            budget.under_way = budget.under_way.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(budgets: &Budgets, times: usize) {
        for _ in 0..times {
            budgets.take("a").ok().unwrap().refused();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_spent_budget_is_the_callers_own_and_comes_back() {
        let budgets = Budgets::new(3);
        refuse(&budgets, 3);
        // Three a minute: another one after 20 s.
        assert_eq!(budgets.take("a").err(), Some(Duration::from_secs(20)));
        assert!(budgets.take("b").is_ok());
        tokio::time::advance(Duration::from_secs(20)).await;
        refuse(&budgets, 1);
        assert!(budgets.take("a").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn good_codes_cost_nothing_however_many_are_under_way() {
        let budgets = Budgets::new(3);
        let many: Vec<_> = (0..100).map(|_| budgets.take("a").ok().unwrap()).collect();
        drop(many);
        refuse(&budgets, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn once_it_runs_low_no_more_are_under_way_than_are_left() {
        let budgets = Budgets::new(4);
        refuse(&budgets, 3);
        let last = budgets.take("a").ok().unwrap();
        assert!(budgets.take("a").is_err());
        // It was a good one.
        drop(last);
        assert!(budgets.take("a").is_ok());
    }
}
