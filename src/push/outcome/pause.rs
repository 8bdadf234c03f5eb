//! For how long messages, accounts and templates wait, in minutes of WeChat's.

use std::time::Duration;

use chrono::DateTime;

use super::settlement::Case;
use super::verdict::{Hold, Past, Pause};
use crate::wechat::{RetryPolicy, next_renewal};

/// The longest pause before a message is tried again because WeChat was busy.
const LONGEST_BACK_OFF: u32 = 5;

/// The first and the longest pause for a person who was sent too much.
const FIRST_REST: u32 = 5;
const LONGEST_REST: u32 = 4 * 60;

/// How long an account waits for an operator, and a template for WeChat.
const STOP: u32 = 10;

impl Case<'_> {
    /// How long a message waits.
    pub(super) fn pause(&self, pause: Pause) -> i64 {
        match pause {
            Pause::BackOff => {
                let cap = self.settings.retry.minute * LONGEST_BACK_OFF;
                let policy = RetryPolicy { cap, ..self.settings.retry.clone() };
                millis(policy.back_off(self.claimed.message.attempt.unsigned_abs(), self.random))
            }
            Pause::Minute => self.minutes(1),
            Pause::Person => {
                let times = Past::of(self.claimed).times(43117) as u32;
                let doubled = FIRST_REST.saturating_mul(2_u32.saturating_pow(times));
                self.minutes(doubled.min(LONGEST_REST))
            }
            Pause::Day => self.hold_until(Hold::Day) - self.now,
        }
    }

    /// Until when the account waits.
    pub(super) fn hold_until(&self, hold: Hold) -> i64 {
        let now = DateTime::from_timestamp_millis(self.now).unwrap_or_default();
        let retry = &self.settings.retry;
        match hold {
            Hold::Minute => self.now + millis(retry.next_minute(now, self.random)),
            Hold::TenMinutes => self.stop_until(),
            // A little later: nobody knows WeChat's instant.
            Hold::Day => {
                next_renewal(now).timestamp_millis()
                    + millis(retry.minute.mul_f64(1.0 + self.random))
            }
        }
    }

    /// Until when a template waits.
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
