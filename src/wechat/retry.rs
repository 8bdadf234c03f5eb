//! When a failed call is repeated, and after how long.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Class;

/// How often and after how long failed calls are repeated.
///
/// The pause before a repetition is anything up to `base`, doubled for each earlier one, at most
/// `cap`: with full jitter, so that callers that failed together do not return together.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// The longest first pause.
    pub base: Duration,
    /// The longest pause.
    pub cap: Duration,
    /// Repetitions of a call that met a busy WeChat or a broken connection.
    pub transient: u32,
    /// Repetitions of a call that met the limit per minute.
    pub rate_limited: u32,
    /// The length of WeChat's minute.
    pub minute: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(200),
            cap: Duration::from_secs(10),
            transient: 5,
            rate_limited: 3,
            minute: Duration::from_secs(60),
        }
    }
}

impl RetryPolicy {
    /// No repetitions at all.
    pub fn never() -> Self {
        Self { transient: 0, rate_limited: 0, ..Self::default() }
    }

    /// The pause after so many repetitions; `random` is from 0 to 1.
    pub fn back_off(&self, repetitions: u32, random: f64) -> Duration {
        let ceiling = self.base.saturating_mul(2_u32.saturating_pow(repetitions)).min(self.cap);
        ceiling.mul_f64(random)
    }

    /// Until the next minute begins, and up to a tenth of one more; `random` is from 0 to 1.
    pub fn next_minute(&self, now: DateTime<Utc>, random: f64) -> Duration {
        let minute = (self.minute.as_millis() as i64).max(1);
        let passed = now.timestamp_millis().rem_euclid(minute);
        Duration::from_millis((minute - passed) as u64) + self.minute.mul_f64(random / 10.0)
    }
}

/// The repetitions of one call so far.
#[derive(Debug, Default)]
pub(super) struct Repetitions {
    transient: u32,
    rate_limited: u32,
    doubtful: u32,
}

impl Repetitions {
    /// The pause before the call is repeated after a failure of this class; `None` where it is not.
    /// `random` is from 0 to 1.
    pub(super) fn pause(
        &mut self,
        policy: &RetryPolicy,
        class: Class,
        now: DateTime<Utc>,
        random: f64,
    ) -> Option<Duration> {
        let all = self.transient + self.doubtful;
        match class {
            Class::Transient if self.transient < policy.transient => {
                self.transient += 1;
                Some(policy.back_off(all, random))
            }
            Class::Undecodable | Class::Unknown if self.doubtful < policy.transient.min(1) => {
                self.doubtful += 1;
                Some(policy.back_off(all, random))
            }
            Class::RateLimited if self.rate_limited < policy.rate_limited => {
                self.rate_limited += 1;
                Some(policy.next_minute(now, random))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn pauses(class: Class, random: f64) -> Vec<u128> {
        let (policy, mut repetitions) = (RetryPolicy::default(), Repetitions::default());
        let next = || repetitions.pause(&policy, class, at(0), random);
        std::iter::from_fn(next).map(|pause| pause.as_millis()).collect()
    }

    #[test]
    fn pauses_double_and_end() {
        assert_eq!(pauses(Class::Transient, 1.0), [200, 400, 800, 1600, 3200]);
        assert_eq!(pauses(Class::Transient, 0.0), [0; 5]);
    }

    #[test]
    fn no_pause_is_longer_than_the_cap() {
        let policy = RetryPolicy { base: Duration::from_secs(4), ..RetryPolicy::default() };
        assert_eq!(policy.back_off(31, 1.0), policy.cap);
        assert_eq!(policy.back_off(400, 0.5), policy.cap / 2);
    }

    #[test]
    fn what_may_be_chance_is_repeated_once_and_what_is_not_never() {
        assert_eq!(pauses(Class::Undecodable, 1.0), [200]);
        assert_eq!(pauses(Class::Unknown, 1.0), [200]);
        for class in [Class::Token, Class::Quota, Class::Config, Class::Caller, Class::Person] {
            assert!(pauses(class, 1.0).is_empty(), "{class:?}");
        }
    }

    #[test]
    fn the_limit_per_minute_is_waited_out() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.next_minute(at(1_700_000_045), 0.0), Duration::from_secs(55));
        assert_eq!(policy.next_minute(at(1_700_000_045), 1.0), Duration::from_secs(61));
        assert_eq!(pauses(Class::RateLimited, 0.0).len(), 3);
    }
}
