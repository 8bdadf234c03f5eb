//! What an answer comes to: how the message stands now, and what else has to be noted.

#[cfg(test)]
mod tests;

use chrono::DateTime;

use super::verdict::{News, Pause, Verdict, in_words, is_about_reach, judge};
use crate::model::{Attempt, Channel, MessageState, Reason};
use crate::push::Settings;
use crate::push::deliver::{Answer, Claimed, SAFE_MS, lost_at};
use crate::store::messages::{Progress, Route};
use crate::wechat::{self, Upstream};

/// Attempts kept of a message: of more, the latest.
const ATTEMPTS_KEPT: usize = 100;

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
                let stop_until = self.stop_until();
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
        let waits = Progress {
            state: MessageState::Queued,
            msgid: None,
            attempts: self.attempts(words.clone(), said),
            reason: Some(words),
            due_at: Some(due_at),
            first_sent_at: None,
            sent_at: None,
            finished_at: None,
        };
        if !in_doubt {
            return waits;
        }
        let first_sent_at = self.claimed.first_sent_at;
        let is_template = self.claimed.message.route.channel == Channel::Template;
        let is_safe = is_template && due_at < first_sent_at + SAFE_MS;
        Progress {
            state: MessageState::Unknown,
            reason: Some(Reason::AnswerLost.to_string()),
            due_at: is_safe.then_some(due_at),
            first_sent_at: Some(first_sent_at),
            ..waits
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
}

fn plain(progress: Progress) -> Settlement {
    Settlement { next: Next::Stands(progress), hold: None, news: News::None, stop_until: 0 }
}
