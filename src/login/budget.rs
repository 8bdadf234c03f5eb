//! Limits how many codes of one caller WeChat may refuse per minute. A caller that exceeds the
//! limit is guessing codes.
//!
//! Whether a code is valid is known only after WeChat has answered. While at least half of the
//! budget is left, any number of codes may be in flight. Below that, no more codes are in flight
//! than refusals are left.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::bucket::Bucket;

/// The budgets of all callers in this process, one per API key.
pub(super) struct Budgets {
    /// Refusals per minute.
    capacity: f64,
    budgets: Mutex<HashMap<Box<str>, Budget>>,
}

struct Budget {
    /// Refusals left.
    left: Bucket,
    in_flight: u32,
}

/// A code in flight.
pub(super) struct Ticket<'b> {
    budgets: &'b Budgets,
    caller: &'b str,
}

impl Budgets {
    pub(super) fn new(refused_codes_per_minute: u32) -> Self {
        Self { capacity: f64::from(refused_codes_per_minute.max(1)), budgets: Mutex::default() }
    }

    /// Admits a code of the caller, or returns how long to wait.
    pub(super) fn acquire<'b>(&'b self, caller: &'b str) -> Result<Ticket<'b>, Duration> {
        let mut budgets = self.lock();
        let capacity = self.capacity;
        if !budgets.contains_key(caller) {
            let full = Budget { left: Bucket::full(capacity), in_flight: 0 };
            budgets.insert(caller.into(), full);
        }
        let Some(budget) = budgets.get_mut(caller) else { return Err(Duration::ZERO) };
        let left = budget.left.fill(capacity / 60.0, capacity);
        let missing = f64::from(budget.in_flight) + 1.0 - left;
        if missing > 0.0 && left < capacity / 2.0 {
            return Err(Duration::from_secs_f64(missing * 60.0 / capacity));
        }
        budget.in_flight += 1;
        Ok(Ticket { budgets: self, caller })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Budget>> {
        self.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// Charges a refusal by WeChat to the budget.
    pub(super) fn refused(self) {
        if let Some(budget) = self.budgets.lock().get_mut(self.caller) {
            budget.left.take();
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(budget) = self.budgets.lock().get_mut(self.caller) {
            budget.in_flight = budget.in_flight.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(budgets: &Budgets, times: usize) {
        for _ in 0..times {
            budgets.acquire("a").ok().unwrap().refused();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_exhausted_budget_blocks_only_its_caller_and_refills() {
        let budgets = Budgets::new(3);
        refuse(&budgets, 3);
        // Three per minute: one more after 20 s.
        assert_eq!(budgets.acquire("a").err(), Some(Duration::from_secs(20)));
        assert!(budgets.acquire("b").is_ok());
        tokio::time::advance(Duration::from_secs(20)).await;
        refuse(&budgets, 1);
        assert!(budgets.acquire("a").is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn valid_codes_do_not_reduce_the_budget() {
        let budgets = Budgets::new(3);
        let many: Vec<_> = (0..100).map(|_| budgets.acquire("a").ok().unwrap()).collect();
        drop(many);
        refuse(&budgets, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_logins_do_not_exceed_the_remaining_budget() {
        let budgets = Budgets::new(4);
        refuse(&budgets, 3);
        let last = budgets.acquire("a").ok().unwrap();
        assert!(budgets.acquire("a").is_err());
        // WeChat accepted the code.
        drop(last);
        assert!(budgets.acquire("a").is_ok());
    }
}
