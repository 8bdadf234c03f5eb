//! A message taken up: how long a process has it, by when it leaves, and by when it has an outcome.

use crate::clock::DatabaseClock;
use crate::push::Settings;
use crate::store::messages::{Claim, Message};

/// WeChat delivers one of several messages with the same `client_msg_id` for ten minutes; until a minute
/// before their end a message in doubt is taken up once more.
pub(in crate::push) const SAFE_MS: i64 = 9 * 60_000;

/// By half a minute before their end it has left.
const SAFE_UNDER_WAY_MS: i64 = SAFE_MS + 30_000;

/// How long a message that was taken up waits for its moment, a token, and a place among the calls in
/// flight. Then it is given back.
const WAITING_MS: i64 = 5_000;

/// Between the end of an attempt and that of its claim: time to note what came of it.
const NOTING_MS: i64 = 5_000;

/// How much longer than that an answer may take to be noted, before nobody expects it any more.
const GRACE_MS: i64 = 1_000;

/// A message taken up.
#[derive(Debug, Clone)]
pub(in crate::push) struct Claimed {
    /// As it stood before.
    pub(in crate::push) message: Message,
    /// What this process holds of it.
    pub(in crate::push) claim: Claim,
    /// Whether an earlier attempt may have arrived.
    pub(in crate::push) in_doubt: bool,
    /// Since when WeChat may have it.
    pub(in crate::push) first_sent_at: i64,
    /// Whether it shows if the account is still to be held.
    pub(in crate::push) tests_account: bool,
    /// Whether it shows if its template is still to be stopped.
    pub(in crate::push) tests_template: bool,
    /// When WeChat last took a message of the account after it had refused the account; 0 for never.
    pub(in crate::push) passed_at: i64,
    /// When it may leave.
    pub(in crate::push) sends_at: i64,
    /// By when it leaves, if at all.
    pub(in crate::push) leaves_by: i64,
    /// The database's clock.
    pub(in crate::push) clock: DatabaseClock,
}

impl Settings {
    /// By when a message leaves that is taken up now.
    pub(super) fn leaves_by(&self, now: i64) -> i64 {
        now + WAITING_MS
    }

    /// Until when a process has a message to itself that it takes up now: as long as the message may wait,
    /// an answer may take, and noting it may take.
    pub(super) fn held_until(&self, now: i64) -> i64 {
        now + WAITING_MS + self.timeout.as_millis() as i64 + NOTING_MS
    }

    /// How long after a message was taken up no answer is expected any more.
    pub(in crate::push) fn answered_within_ms(&self) -> i64 {
        WAITING_MS + self.timeout.as_millis() as i64 + GRACE_MS
    }
}

impl Claimed {
    /// What is in doubt leaves while WeChat suppresses a second copy.
    pub(super) fn within_safety(mut self) -> Self {
        if self.in_doubt {
            self.leaves_by = self.leaves_by.min(self.first_sent_at + SAFE_UNDER_WAY_MS);
        }
        self
    }

    /// Whether it is too late to leave: the answer might come when another process has the message.
    pub(in crate::push) fn is_late(&self) -> bool {
        self.clock.now_ms() >= self.leaves_by
    }

    /// By when the attempt has to have an outcome.
    pub(in crate::push) fn ends_at(&self) -> i64 {
        self.claim.due_at - NOTING_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Channel, Content, MessageId, MessageState};
    use crate::store::messages::Route;

    const NOW: i64 = 1_700_000_000_000;

    fn claimed(leaves_by: i64, first_sent_at: i64, in_doubt: bool) -> Claimed {
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
        let (sends_at, clock) = (NOW, DatabaseClock::saying(NOW));
        Claimed {
            message,
            claim,
            in_doubt,
            first_sent_at,
            tests_account,
            tests_template,
            passed_at: 0,
            sends_at,
            leaves_by,
            clock,
        }
    }

    #[test]
    fn nothing_leaves_too_late_for_its_claim_or_for_its_copy_to_be_suppressed() {
        let leaves = |leaves_by, first_sent_at, in_doubt| {
            !claimed(leaves_by, first_sent_at, in_doubt).within_safety().is_late()
        };
        let soon = NOW + 60_000;
        assert!(leaves(soon, NOW, false));
        assert!(leaves(soon, NOW - SAFE_MS, true));
        assert!(!leaves(NOW, NOW, false));
        assert!(!leaves(soon, NOW - SAFE_UNDER_WAY_MS, true));
    }
}
