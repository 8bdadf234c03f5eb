//! A claimed message, with the deadlines for sending it and for recording the outcome.

use crate::clock::DatabaseClock;
use crate::push::Settings;
use crate::store::messages::{Claim, Message};

/// How long, in ms, a message whose outcome is unknown may be claimed again. WeChat delivers one of
/// several messages with the same `client_msg_id` for ten minutes; this leaves a minute of margin.
pub(in crate::push) const RESEND_WINDOW_MS: i64 = 9 * 60_000;

/// Until when, in ms after the first attempt, such a message may be sent: half a minute of margin.
const RESEND_SEND_BY_MS: i64 = RESEND_WINDOW_MS + 30_000;

/// How long, in ms, a claimed message waits for its send time, a token and a free connection. After
/// that the claim is released.
const MAX_WAIT_MS: i64 = 5_000;

/// Time to record the outcome, between the end of an attempt and the end of its claim, in ms.
const RECORDING_MS: i64 = 5_000;

/// How long, in ms, after an attempt's deadline its answer may still be recorded. After that,
/// readers see it as lost.
const GRACE_MS: i64 = 1_000;

/// A claimed message.
#[derive(Debug, Clone)]
pub(in crate::push) struct Claimed {
    /// The message before the claim.
    pub(in crate::push) message: Message,
    /// The claim of this process.
    pub(in crate::push) claim: Claim,
    /// Whether an earlier attempt may have arrived.
    pub(in crate::push) may_have_arrived: bool,
    /// Since when WeChat may have the message, in ms.
    pub(in crate::push) first_sent_at: i64,
    /// Whether the account is held, and this message tests whether WeChat accepts messages again.
    pub(in crate::push) tests_account: bool,
    /// Whether its template is stopped, and this message tests whether WeChat accepts it again.
    pub(in crate::push) tests_template: bool,
    /// When WeChat last accepted a message after it had refused the account, in ms; 0 for never.
    pub(in crate::push) passed_at: i64,
    /// The scheduled send time, in ms.
    pub(in crate::push) sends_at: i64,
    /// The message is not sent after this time, in ms.
    pub(in crate::push) send_by: i64,
    /// The database's clock.
    pub(in crate::push) clock: DatabaseClock,
}

impl Settings {
    /// The latest send time of a message claimed now, in ms.
    pub(super) fn send_by(&self, now: i64) -> i64 {
        now + MAX_WAIT_MS
    }

    /// When a claim made now ends, in ms: after the longest wait, the call's timeout, and the time
    /// to record the outcome.
    pub(super) fn claim_until(&self, now: i64) -> i64 {
        now + MAX_WAIT_MS + self.timeout.as_millis() as i64 + RECORDING_MS
    }

    /// How long after a claim its answer can still come, in ms.
    pub(in crate::push) fn answered_within_ms(&self) -> i64 {
        MAX_WAIT_MS + self.timeout.as_millis() as i64 + GRACE_MS
    }
}

impl Claimed {
    /// Limits the send time of a repeated message to the period in which WeChat suppresses a second
    /// copy.
    pub(super) fn limit_to_resend_window(mut self) -> Self {
        if self.may_have_arrived {
            self.send_by = self.send_by.min(self.first_sent_at + RESEND_SEND_BY_MS);
        }
        self
    }

    /// Whether it is too late to send: the answer could come when another process has the message.
    pub(in crate::push) fn is_late(&self) -> bool {
        self.clock.now_ms() >= self.send_by
    }

    /// The deadline of the attempt, in ms.
    pub(in crate::push) fn ends_at(&self) -> i64 {
        self.claim.due_at - RECORDING_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Channel, Content, MessageId, MessageState};
    use crate::store::messages::Route;

    const NOW: i64 = 1_700_000_000_000;

    fn claimed(send_by: i64, first_sent_at: i64, may_have_arrived: bool) -> Claimed {
        let id = MessageId::new(NOW.unsigned_abs(), [0; 10]);
        let route = Route {
            channel: Channel::Template,
            account: 1,
            openid: "oA".parse().unwrap(),
            template_id: "T1".parse().unwrap(),
            content: Content::default(),
        };
        let message = Message {
            id: id.clone(),
            state: MessageState::Queued,
            route,
            fallback: None,
            unionid: None,
            msgid: None,
            reason: None,
            attempt: 0,
            attempts: Vec::new(),
            due_at: Some(NOW),
            sending_at: None,
            first_sent_at: None,
            accepted_at: NOW,
            sent_at: None,
            finished_at: None,
        };
        let claim = Claim { id, attempt: 1, due_at: NOW + 60_000 };
        let (tests_account, tests_template) = (false, false);
        let (sends_at, clock) = (NOW, DatabaseClock::from_reading(NOW));
        Claimed {
            message,
            claim,
            may_have_arrived,
            first_sent_at,
            tests_account,
            tests_template,
            passed_at: 0,
            sends_at,
            send_by,
            clock,
        }
    }

    #[test]
    fn no_message_is_sent_after_its_claim_or_resend_window_ends() {
        let is_sent = |send_by, first_sent_at, may_have_arrived| {
            !claimed(send_by, first_sent_at, may_have_arrived).limit_to_resend_window().is_late()
        };
        let soon = NOW + 60_000;
        assert!(is_sent(soon, NOW, false));
        assert!(is_sent(soon, NOW - RESEND_WINDOW_MS, true));
        assert!(!is_sent(NOW, NOW, false));
        assert!(!is_sent(soon, NOW - RESEND_SEND_BY_MS, true));
    }
}
