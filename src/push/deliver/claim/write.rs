//! Writes the sorted messages, in the claim's transaction.

use chrono::DateTime;

use super::Batch;
use super::sort::{Bounds, Sorter};
use crate::model::{Attempt, Channel, MessageId, MessageState, Reason};
use crate::store::messages::{self, Claim, ClaimPeriod, Message, Progress};
use crate::store::{self, AccountId, Transaction, template_stops};

/// A claimed message to send.
pub(super) struct ToSend {
    pub(super) message: Message,
    /// Whether an earlier attempt may have arrived.
    pub(super) may_have_arrived: bool,
    /// Whether its template is stopped, and this message tests it.
    pub(super) tests_template: bool,
}

impl Sorter<'_> {
    /// Writes the changes and returns the messages to send.
    pub(super) async fn write(
        self,
        transaction: &Transaction,
        account: AccountId,
    ) -> Result<(Batch, Vec<ToSend>), store::Error> {
        // Templates are locked before messages, as in `outcome`.
        for stop in self.tested.values() {
            template_stops::upsert(transaction, account, stop).await?;
        }
        let mut batch = Batch { is_user_busy: self.is_user_busy, ..Batch::default() };
        batch.not_sent = self.ids().count() - self.to_send.len();
        if batch.not_sent > 0 {
            self.write_not_sent(transaction, &mut batch).await?;
        }
        let to_send = self.claim_to_send(transaction).await?;
        let newly_unknown = to_send.iter().filter(|sending| {
            sending.may_have_arrived && sending.message.state != MessageState::Unknown
        });
        batch.newly_unknown += newly_unknown.count() as u64;
        Ok((batch, to_send))
    }

    /// Postpones, expires or abandons the messages that are not sent.
    async fn write_not_sent(
        &self,
        transaction: &Transaction,
        batch: &mut Batch,
    ) -> Result<(), store::Error> {
        let now = self.bounds().now;
        // Locks all rows at once, including those to send, so that two processes cannot deadlock.
        let ids: Vec<MessageId> = self.ids().cloned().collect();
        messages::lock_ids(transaction, &ids, now).await?;
        for (until, ids) in &self.waiting {
            messages::postpone(transaction, ids, *until, Reason::TemplateStopped).await?;
        }
        for (until, ids) in &self.crowded {
            messages::postpone(transaction, ids, *until, Reason::UserBusy).await?;
        }
        batch.expired = messages::expire_ids(transaction, &self.expired, now).await?;
        let abandoned = messages::lock_due(transaction, &self.abandoned, now).await?;
        for message in abandoned.into_iter().filter(may_have_arrived) {
            batch.newly_unknown += u64::from(message.state != MessageState::Unknown);
            abandon(transaction, message, now).await?;
        }
        Ok(())
    }

    /// Claims the messages to send.
    async fn claim_to_send(&self, transaction: &Transaction) -> Result<Vec<ToSend>, store::Error> {
        let Bounds { now, claim_until, channel, .. } = *self.bounds();
        let locked = messages::lock_due(transaction, &self.to_send, now).await?;
        let ids: Vec<MessageId> = locked.iter().map(|message| message.id.clone()).collect();
        let term =
            ClaimPeriod { now, until: claim_until, is_sending: channel == Channel::Template };
        messages::claim(transaction, &ids, term).await?;
        let to_send = locked.into_iter().map(|message| ToSend {
            may_have_arrived: may_have_arrived(&message),
            tests_template: self.tested.contains_key(&message.id),
            message,
        });
        Ok(to_send.collect())
    }
}

/// Whether WeChat may have the message although it did not confirm it.
fn may_have_arrived(message: &Message) -> bool {
    message.state == MessageState::Unknown || message.sending_at.is_some()
}

/// Records that the outcome is unknown. Only a receipt can change that.
async fn abandon(
    transaction: &Transaction,
    message: Message,
    now: i64,
) -> Result<(), store::Error> {
    let Message { id, attempt, due_at, sending_at, mut attempts, first_sent_at, .. } = message;
    attempts.extend(sending_at.map(lost_attempt));
    let claim = Claim { id, attempt, due_at: due_at.unwrap_or(now) };
    let progress = Progress {
        state: MessageState::Unknown,
        msgid: None,
        reason: Some(Reason::AnswerLost.to_string()),
        attempts,
        due_at: None,
        first_sent_at,
        sent_at: None,
        finished_at: None,
    };
    messages::record(transaction, &claim, &progress).await.map(drop)
}

/// An attempt whose outcome was never recorded.
pub(in crate::push) fn lost_attempt(sending_at: i64) -> Attempt {
    let at = DateTime::from_timestamp_millis(sending_at).unwrap_or_default();
    Attempt::ended(at, Reason::AnswerLost.as_str())
}
