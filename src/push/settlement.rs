//! What an answer comes to: how the message stands now, and what else has to be noted.

use std::time::Duration;

use chrono::DateTime;

use super::Settings;
use super::claim::{Claimed, SAFE_MS, lost_at};
use super::deliver::Answer;
use super::outcome::{Hold, News, Pause, Verdict, in_words, is_about_reach, judge};
use crate::model::{Attempt, Channel, MessageState, Reason};
use crate::store::messages::{Progress, Route};
use crate::wechat::{self, RetryPolicy, Upstream, next_renewal};

/// Attempts kept of a message: of more, the latest.
const ATTEMPTS_KEPT: usize = 100;

/// The longest pause before a message is tried again because WeChat was busy, in minutes.
const LONGEST_BACK_OFF: u32 = 5;

/// The first and the longest pause for a person who was sent too much, in minutes.
const FIRST_REST: u32 = 5;
const LONGEST_REST: u32 = 4 * 60;

/// How long an account waits for an operator, and a template for WeChat, in minutes.
const STOP: u32 = 10;

/// What an answer comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settlement {
    pub(super) next: Next,
    /// Nothing of the account leaves until then, for this reason.
    pub(super) hold: Option<(i64, String)>,
    pub(super) news: News,
    /// Until when, where the news is that the template is stopped.
    pub(super) stop_until: i64,
}

/// What becomes of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// It stands like this.
    Stands(Progress),
    /// It goes by its other way.
    Goes(Route, Vec<Attempt>),
}

/// A message and its answer.
pub(super) struct Case<'a> {
    pub(super) claimed: &'a Claimed,
    pub(super) settings: &'a Settings,
    /// On the database's clock.
    pub(super) now: i64,
    /// From 0 to 1.
    pub(super) random: f64,
}

impl Case<'_> {
    /// What the answer comes to.
    pub(super) fn settle(&self, answer: &Answer) -> Settlement {
        match answer {
            Answer::Accepted(msgid) => self.accepted(*msgid, "accepted".to_owned(), None),
            Answer::Nothing => self.in_doubt(Reason::AnswerLost.to_string(), None),
            Answer::Failed(error) => self.failed(error),
        }
    }

    fn failed(&self, error: &wechat::Error) -> Settlement {
        let channel = self.claimed.message.route.channel;
        let verdict = judge(error, channel, &self.claimed.message.attempts);
        let said = error.upstream();
        let words =
            verdict.reason().map_or_else(|| error.to_string(), |reason| in_words(reason, error));
        match verdict {
            Verdict::Accepted => self.accepted(None, words, said),
            Verdict::InDoubt => self.in_doubt(words, said),
            Verdict::Again(_, pause) => {
                let due_at = self.now + self.pause(pause);
                plain(self.waits(self.claimed.in_doubt, words, due_at, said))
            }
            Verdict::Held(_, hold) => {
                // In its place in the queue, for when the account goes on.
                let due_at = self.claimed.message.due_at.unwrap_or(self.now);
                let until = self.hold_until(hold);
                let due_at = if self.claimed.in_doubt { until } else { due_at };
                let waits = self.waits(self.claimed.in_doubt, words.clone(), due_at, said);
                Settlement { hold: Some((until, words)), ..plain(waits) }
            }
            Verdict::Refused(reason, news) => {
                let stop_until = self.now + self.minutes(STOP);
                let next = self.refused(reason, words, said);
                Settlement { next, hold: None, news, stop_until }
            }
        }
    }

    fn accepted(&self, msgid: Option<i64>, outcome: String, said: Option<&Upstream>) -> Settlement {
        plain(Progress {
            state: MessageState::Sent,
            msgid,
            reason: None,
            attempts: self.attempts(outcome, said),
            due_at: None,
            first_sent_at: Some(self.claimed.first_sent_at),
            sent_at: Some(self.now),
            finished_at: None,
        })
    }

    fn in_doubt(&self, words: String, said: Option<&Upstream>) -> Settlement {
        let due_at = self.now + self.pause(Pause::BackOff);
        plain(self.waits(true, words, due_at, said))
    }

    /// To be tried again; what is in doubt, only while WeChat suppresses a second copy.
    fn waits(
        &self,
        in_doubt: bool,
        words: String,
        due_at: i64,
        said: Option<&Upstream>,
    ) -> Progress {
        let first_sent_at = self.claimed.first_sent_at;
        let attempts = self.attempts(words.clone(), said);
        let (msgid, sent_at, finished_at) = (None, None, None);
        if !in_doubt {
            let (state, reason) = (MessageState::Queued, Some(words));
            let (due_at, first_sent_at) = (Some(due_at), None);
            return Progress {
                state,
                msgid,
                reason,
                attempts,
                due_at,
                first_sent_at,
                sent_at,
                finished_at,
            };
        }
        let is_safe = self.claimed.message.route.channel == Channel::Template
            && due_at < first_sent_at + SAFE_MS;
        Progress {
            state: MessageState::Unknown,
            msgid,
            reason: Some(Reason::AnswerLost.to_string()),
            attempts,
            due_at: is_safe.then_some(due_at),
            first_sent_at: Some(first_sent_at),
            sent_at,
            finished_at,
        }
    }

    fn refused(&self, reason: Reason, words: String, said: Option<&Upstream>) -> Next {
        if self.claimed.in_doubt && is_about_reach(reason) {
            // The person cannot be reached now; when an earlier attempt was made, they may have been. The
            // other way would then be a second message.
            return Next::Stands(self.waits(true, words, i64::MAX, said));
        }
        let attempts = self.attempts(words.clone(), said);
        if let Some(fallback) = &self.claimed.message.fallback
            && is_about_reach(reason)
        {
            return Next::Goes(fallback.clone(), attempts);
        }
        Next::Stands(Progress {
            state: MessageState::Failed,
            msgid: None,
            reason: Some(words),
            attempts,
            due_at: None,
            first_sent_at: Some(self.claimed.first_sent_at),
            sent_at: None,
            finished_at: Some(self.now),
        })
    }

    fn attempts(&self, outcome: String, said: Option<&Upstream>) -> Vec<Attempt> {
        let message = &self.claimed.message;
        let mut attempts = message.attempts.clone();
        attempts.extend(message.sending_at.map(lost_at));
        attempts.push(Attempt {
            at: DateTime::from_timestamp_millis(self.now).unwrap_or_default(),
            outcome,
            errcode: said.map(|said| said.errcode),
            rid: said.and_then(|said| said.rid.clone()),
        });
        let too_many = attempts.len().saturating_sub(ATTEMPTS_KEPT);
        attempts.drain(..too_many);
        attempts
    }

    fn pause(&self, pause: Pause) -> i64 {
        match pause {
            Pause::BackOff => {
                let cap = self.settings.retry.minute * LONGEST_BACK_OFF;
                let policy = RetryPolicy { cap, ..self.settings.retry.clone() };
                millis(policy.back_off(self.claimed.message.attempt.unsigned_abs(), self.random))
            }
            Pause::Minute => self.minutes(1),
            Pause::Person => {
                let told = |attempt: &&Attempt| attempt.errcode == Some(43117);
                let times = self.claimed.message.attempts.iter().filter(told).count() as u32;
                let doubled = FIRST_REST.saturating_mul(2_u32.saturating_pow(times));
                self.minutes(doubled.min(LONGEST_REST))
            }
            Pause::Day => self.hold_until(Hold::Day) - self.now,
        }
    }

    fn hold_until(&self, hold: Hold) -> i64 {
        let now = DateTime::from_timestamp_millis(self.now).unwrap_or_default();
        let retry = &self.settings.retry;
        match hold {
            Hold::Minute => self.now + millis(retry.next_minute(now, self.random)),
            Hold::TenMinutes => self.now + self.minutes(STOP),
            // A little later: nobody knows WeChat's instant.
            Hold::Day => {
                next_renewal(now).timestamp_millis()
                    + millis(retry.minute.mul_f64(1.0 + self.random))
            }
        }
    }

    fn minutes(&self, minutes: u32) -> i64 {
        millis(self.settings.retry.minute * minutes)
    }
}

fn plain(progress: Progress) -> Settlement {
    Settlement { next: Next::Stands(progress), hold: None, news: News::None, stop_until: 0 }
}

fn millis(duration: Duration) -> i64 {
    duration.as_millis() as i64
}
