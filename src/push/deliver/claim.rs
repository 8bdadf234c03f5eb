//! Taking messages up, so that each is sent by one process, and all processes together keep the pace.
//!
//! The account's row is locked while messages are taken, and not while they are sent. Once the claim is
//! committed WeChat may have the messages: one whose claim ends without a word from its process is in
//! doubt, and is sent again only as long as WeChat suppresses a second copy.

mod sort;

use std::time::Duration;

use super::pace::Slots;
use crate::clock::DatabaseClock;
use crate::push::Push;
use crate::store::messages::{self, Claim, Message};
use crate::store::push_pace::{self, Pace};
use crate::store::template_stops;
use crate::store::{self, AccountId, Transaction};

use sort::Sorter;

pub(in crate::push) use sort::lost_at;

/// WeChat delivers one of several messages with the same `client_msg_id` for ten minutes; until a minute
/// before their end a message in doubt is taken up once more.
pub(in crate::push) const SAFE_MS: i64 = 9 * 60_000;

/// By half a minute before their end it has left.
const SAFE_UNDER_WAY_MS: i64 = SAFE_MS + 30_000;

/// Between the end of an attempt and that of its claim: time to note what came of it.
const NOTING_MS: i64 = 5_000;

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
    /// When it may leave.
    pub(in crate::push) sends_at: i64,
    /// The database's clock.
    pub(in crate::push) clock: DatabaseClock,
}

/// What was taken up.
#[derive(Debug, Default)]
pub(in crate::push) struct Batch {
    /// The messages, in the order in which they leave.
    pub(in crate::push) messages: Vec<Claimed>,
    /// For how long there is no need to look for more, where the pace says so.
    pub(in crate::push) rest: Option<Duration>,
}

impl Push {
    /// Takes up to `room` messages of the account up.
    pub(in crate::push) async fn claim(
        &self,
        account: AccountId,
        room: usize,
    ) -> Result<Batch, store::Error> {
        let transaction = self.store.begin().await?;
        let pace = push_pace::lock(&transaction, account).await?;
        let clock = DatabaseClock::saying(store::now(&transaction).await?);
        if pace.held_until > clock.read_ms() {
            return Ok(Batch::default());
        }
        // Where the account was held, one message goes ahead.
        let most = if pace.held_until > 0 { 1 } else { room };
        let rate = self.settings.rate_per_second;
        let slots = match Slots::from(pace.next_at, clock.read_ms(), rate, most) {
            Ok(slots) => slots,
            Err(rest) => {
                return Ok(Batch { rest: Some(Duration::from_millis(rest)), ..Batch::default() });
            }
        };
        let messages = self.take(&transaction, account, pace, slots, clock).await?;
        transaction.commit().await?;
        Ok(Batch { messages, rest: None })
    }

    async fn take(
        &self,
        transaction: &Transaction,
        account: AccountId,
        mut pace: Pace,
        slots: Slots,
        clock: DatabaseClock,
    ) -> Result<Vec<Claimed>, store::Error> {
        let (now, until) =
            (clock.read_ms(), clock.read_ms() + self.settings.hold.as_millis() as i64);
        let stops = template_stops::list(transaction, account).await?;
        let mut sorter = Sorter::new(stops, slots.count, now, until);
        let due = messages::list_due(transaction, account, now, sorter.looks_at()).await?;
        for message in messages::lock_due(transaction, &due, now).await? {
            sorter.sort(message);
        }
        let leaving = sorter.write(transaction, account).await?;
        if leaving.is_empty() {
            return Ok(Vec::new());
        }
        let tests_account = pace.held_until > 0;
        pace.next_at = slots.at(leaving.len());
        // Nobody else tries until this one is back, or given up.
        pace.held_until = if tests_account { until } else { 0 };
        push_pace::save(transaction, account, &pace).await?;
        let claimed = leaving.into_iter().enumerate().map(|(place, leaving)| Claimed {
            claim: Claim {
                id: leaving.message.id.clone(),
                attempt: leaving.message.attempt + 1,
                due_at: until,
            },
            first_sent_at: leaving.message.first_sent_at.unwrap_or(now),
            message: leaving.message,
            in_doubt: leaving.in_doubt,
            tests_account,
            tests_template: leaving.tests_template,
            sends_at: slots.at(place),
            clock,
        });
        Ok(claimed.collect())
    }
}

impl Claimed {
    /// Whether it is too late to begin: another process may have the message, or is about to.
    pub(in crate::push) fn is_over(&self) -> bool {
        self.clock.now_ms() >= self.ends_at()
    }

    /// By when the attempt has to have an outcome.
    pub(in crate::push) fn ends_at(&self) -> i64 {
        let noted = self.claim.due_at - NOTING_MS;
        match self.in_doubt {
            true => noted.min(self.first_sent_at + SAFE_UNDER_WAY_MS),
            false => noted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Channel, Content, MessageId, MessageState};
    use crate::store::messages::Route;

    const NOW: i64 = 1_700_000_000_000;

    fn claimed(due_at: i64, first_sent_at: i64, in_doubt: bool) -> Claimed {
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
        let claim = Claim { id, attempt: 1, due_at };
        let (tests_account, tests_template) = (false, false);
        let (sends_at, clock) = (NOW, DatabaseClock::saying(NOW));
        Claimed {
            message,
            claim,
            in_doubt,
            first_sent_at,
            tests_account,
            tests_template,
            sends_at,
            clock,
        }
    }

    #[test]
    fn nothing_leaves_where_its_outcome_could_not_be_noted_or_its_copy_not_be_suppressed() {
        let far = NOW + 60_000 + NOTING_MS;
        assert!(!claimed(far, NOW, false).is_over());
        assert!(!claimed(far, NOW - SAFE_MS, true).is_over());
        assert!(claimed(NOW + NOTING_MS, NOW, false).is_over());
        assert!(claimed(far, NOW - SAFE_UNDER_WAY_MS, true).is_over());
    }
}
