//! Writing what was found among the messages that are due, in the claim's transaction.

use chrono::DateTime;

use super::Batch;
use super::sort::{Bounds, Sorter};
use crate::model::{Attempt, Channel, MessageId, MessageState, Reason};
use crate::store::messages::{self, Claim, Message, Progress, Term};
use crate::store::{self, AccountId, Transaction, template_stops};

/// A message that leaves now.
pub(super) struct Leaving {
    pub(super) message: Message,
    /// Whether an earlier attempt may have arrived.
    pub(super) in_doubt: bool,
    /// Whether its template was stopped.
    pub(super) tests_template: bool,
}

impl Sorter<'_> {
    /// Writes what was found, and gives the messages that leave.
    pub(super) async fn write(
        self,
        transaction: &Transaction,
        account: AccountId,
    ) -> Result<(Batch, Vec<Leaving>), store::Error> {
        // Templates are locked before messages, as by whoever notes an outcome.
        for stop in self.tested.values() {
            template_stops::upsert(transaction, account, stop).await?;
        }
        let mut batch = Batch { is_person_busy: self.is_person_busy, ..Batch::default() };
        batch.passed_over = self.ids().count() - self.leaving.len();
        if batch.passed_over > 0 {
            self.pass_over(transaction, &mut batch).await?;
        }
        let leaving = self.take_up(transaction).await?;
        let in_doubt = leaving.iter().filter(|leaving| leaving.in_doubt);
        let since_now = in_doubt.filter(|leaving| leaving.message.state != MessageState::Unknown);
        batch.doubted += since_now.count() as u64;
        Ok((batch, leaving))
    }

    /// Puts off, gives up and loses what does not leave.
    async fn pass_over(
        &self,
        transaction: &Transaction,
        batch: &mut Batch,
    ) -> Result<(), store::Error> {
        let now = self.bounds().now;
        // All at once, those that leave too, so that nobody who locks several waits for us and we for them.
        let ids: Vec<MessageId> = self.ids().cloned().collect();
        messages::lock_ids(transaction, &ids, now).await?;
        for (until, ids) in &self.waiting {
            messages::put_off(transaction, ids, *until, Reason::TemplateStopped).await?;
        }
        batch.expired = messages::give_up(transaction, &self.expired, now).await?;
        let lost = messages::lock_due(transaction, &self.lost, now).await?;
        for message in lost.into_iter().filter(is_in_doubt) {
            batch.doubted += u64::from(message.state != MessageState::Unknown);
            lose(transaction, message, now).await?;
        }
        Ok(())
    }

    /// Takes those up that leave.
    async fn take_up(&self, transaction: &Transaction) -> Result<Vec<Leaving>, store::Error> {
        let Bounds { now, until, channel, .. } = *self.bounds();
        let locked = messages::lock_due(transaction, &self.leaving, now).await?;
        let ids: Vec<MessageId> = locked.iter().map(|message| message.id.clone()).collect();
        let term = Term { now, until, departs: channel == Channel::Template };
        messages::claim(transaction, &ids, term).await?;
        let leaving = locked.into_iter().map(|message| Leaving {
            in_doubt: is_in_doubt(&message),
            tests_template: self.tested.contains_key(&message.id),
            message,
        });
        Ok(leaving.collect())
    }
}

/// Whether WeChat may have the message although it did not say so.
fn is_in_doubt(message: &Message) -> bool {
    message.state == MessageState::Unknown || message.sending_at.is_some()
}

/// Only a receipt can tell now.
async fn lose(transaction: &Transaction, message: Message, now: i64) -> Result<(), store::Error> {
    let Message { id, attempt, due_at, sending_at, mut attempts, first_sent_at, .. } = message;
    attempts.extend(sending_at.map(lost_at));
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

/// An attempt of which its process told nothing.
pub(in crate::push) fn lost_at(sending_at: i64) -> Attempt {
    let at = DateTime::from_timestamp_millis(sending_at).unwrap_or_default();
    Attempt::ended(at, Reason::AnswerLost.as_str())
}
