//! How long messages, accounts and templates wait, in units of [`RetryPolicy::minute`].

use std::time::Duration;

use chrono::DateTime;

use super::settlement::Case;
use super::verdict::{Delay, History, Hold};
use crate::wechat::{RetryPolicy, next_renewal};

/// Longest delay, in minutes, before a retry because WeChat was busy.
const MAX_BACK_OFF: u32 = 5;

/// First and longest delay, in minutes, for a user who was sent too many messages.
const MIN_USER_DELAY: u32 = 5;
const MAX_USER_DELAY: u32 = 4 * 60;

/// How long, in minutes, an account waits for an operator, and a template for WeChat.
const STOP: u32 = 10;

impl Case<'_> {
    /// The delay before the next attempt, in ms.
    pub(super) fn delay(&self, delay: Delay) -> i64 {
        match delay {
            Delay::BackOff => {
                let cap = self.settings.retry.minute * MAX_BACK_OFF;
                let policy = RetryPolicy { cap, ..self.settings.retry.clone() };
                millis(policy.back_off(self.claimed.message.attempt.unsigned_abs(), self.random))
            }
            Delay::Minute => self.minutes(1),
            Delay::UserLimit => {
                let refusals = History::of(self.claimed).count(43117) as u32;
                let doubled = MIN_USER_DELAY.saturating_mul(2_u32.saturating_pow(refusals));
                self.minutes(doubled.min(MAX_USER_DELAY))
            }
            Delay::Day => self.hold_until(Hold::Day) - self.now,
        }
    }

    /// Until when the account is held, in ms.
    pub(super) fn hold_until(&self, hold: Hold) -> i64 {
        let now = DateTime::from_timestamp_millis(self.now).unwrap_or_default();
        let retry = &self.settings.retry;
        match hold {
            Hold::Minute => self.now + millis(retry.next_minute(now, self.random)),
            Hold::TenMinutes => self.stop_until(),
            // A little later, because WeChat's exact reset time is unknown.
            Hold::Day => {
                next_renewal(now).timestamp_millis()
                    + millis(retry.minute.mul_f64(1.0 + self.random))
            }
        }
    }

    /// Until when a template is stopped, in ms.
    pub(super) fn stop_until(&self) -> i64 {
        self.now + self.minutes(STOP)
    }

    fn minutes(&self, minutes: u32) -> i64 {
        millis(self.settings.retry.minute * minutes)
    }
}

fn millis(duration: Duration) -> i64 {
    duration.as_millis() as i64
}
