//! How many codes WeChat may refuse a caller: whose codes are refused all the time is guessing.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use super::Error;

/// The refusals of every caller.
pub(super) struct Refusals {
    limiter: DefaultKeyedRateLimiter<String>,
    /// Who has to wait, and until when.
    waiting: Mutex<HashMap<String, Instant>>,
}

impl Refusals {
    pub(super) fn new(per_minute: u32) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        Self { limiter: DefaultKeyedRateLimiter::keyed(quota), waiting: Mutex::default() }
    }

    /// Lets a caller in who does not have to wait.
    pub(super) fn admit(&self, caller: &str) -> Result<(), Error> {
        let mut waiting = self.waiting();
        let Some(until) = waiting.get(caller) else { return Ok(()) };
        let left = until.saturating_duration_since(Instant::now());
        if left > Duration::ZERO {
            return Err(Error::TooManyRefused { retry_after: left });
        }
        waiting.remove(caller);
        Ok(())
    }

    /// Counts a code that WeChat refused.
    pub(super) fn count(&self, caller: &str) {
        if let Err(not_yet) = self.limiter.check_key(&caller.to_owned()) {
            let wait = not_yet.wait_time_from(DefaultClock::default().now());
            self.waiting().insert(caller.to_owned(), Instant::now() + wait);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_too_often_waits_and_nobody_else_does() {
        let refusals = Refusals::new(3);
        for _ in 0..3 {
            refusals.count("guesser");
            assert!(refusals.admit("guesser").is_ok());
        }
        refusals.count("guesser");
        let refused = refusals.admit("guesser").unwrap_err();
        assert!(
            matches!(refused, Error::TooManyRefused { retry_after } if retry_after.as_secs() < 60)
        );
        assert!(refusals.admit("other").is_ok());
    }
}
