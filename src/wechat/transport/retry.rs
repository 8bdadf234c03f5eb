//! Decides whether and after which pause a failed call is retried.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::wechat::Class;

/// How often and after which pause failed calls are retried.
///
/// The pause is random between 0 and a maximum, which starts at `base` and doubles with each retry up to
/// `cap`. This full jitter keeps callers that failed together from retrying together.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// The maximum pause before the first retry.
    pub base: Duration,
    /// The maximum pause before any retry.
    pub cap: Duration,
    /// The maximum number of retries while WeChat is busy or connections break.
    pub transient: u32,
    /// The maximum number of retries of a call that exceeds the limit per minute.
    pub rate_limited: u32,
    /// The length of WeChat's minute; shorter in tests.
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
    /// No retries.
    pub fn never() -> Self {
        Self { transient: 0, rate_limited: 0, ..Self::default() }
    }

    /// The pause after this number of retries. `random` is between 0 and 1.
    pub fn back_off(&self, retries: u32, random: f64) -> Duration {
        let ceiling = self.base.saturating_mul(2_u32.saturating_pow(retries)).min(self.cap);
        ceiling.mul_f64(random)
    }

    /// The time until the next minute begins, plus up to a tenth of a minute. `random` is between 0 and 1.
    pub fn next_minute(&self, now: DateTime<Utc>, random: f64) -> Duration {
        let minute = (self.minute.as_millis() as i64).max(1);
        let passed = now.timestamp_millis().rem_euclid(minute);
        Duration::from_millis((minute - passed) as u64) + self.minute.mul_f64(random / 10.0)
    }
}

/// Counts the retries of one call.
#[derive(Debug, Default)]
pub(in crate::wechat) struct Retries {
    transient: u32,
    rate_limited: u32,
    unclear: u32,
}

impl Retries {
    /// The pause before the next retry after a failure of this class; `None` if the call is not retried.
    /// `random` is between 0 and 1.
    pub(in crate::wechat) fn pause(
        &mut self,
        policy: &RetryPolicy,
        class: Class,
        now: DateTime<Utc>,
        random: f64,
    ) -> Option<Duration> {
        let previous = self.transient + self.unclear;
        match class {
            Class::Transient if self.transient < policy.transient => {
                self.transient += 1;
                Some(policy.back_off(previous, random))
            }
            Class::Undecodable | Class::Unknown if self.unclear < policy.transient.min(1) => {
                self.unclear += 1;
                Some(policy.back_off(previous, random))
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
        let (policy, mut retries) = (RetryPolicy::default(), Retries::default());
        let next = || retries.pause(&policy, class, at(0), random);
        std::iter::from_fn(next).map(|pause| pause.as_millis()).collect()
    }

    #[test]
    fn pauses_double_and_are_limited_in_number() {
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
    fn undecodable_responses_are_retried_once_and_permanent_errors_never() {
        assert_eq!(pauses(Class::Undecodable, 1.0), [200]);
        assert_eq!(pauses(Class::Unknown, 1.0), [200]);
        for class in [Class::Token, Class::Quota, Class::Config, Class::Caller, Class::Person] {
            assert!(pauses(class, 1.0).is_empty(), "{class:?}");
        }
    }

    #[test]
    fn a_rate_limited_call_waits_for_the_next_minute() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.next_minute(at(1_700_000_045), 0.0), Duration::from_secs(55));
        assert_eq!(policy.next_minute(at(1_700_000_045), 1.0), Duration::from_secs(61));
        assert_eq!(pauses(Class::RateLimited, 0.0).len(), 3);
    }
}
