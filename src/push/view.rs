//! Read access to messages, counts and consents, and waiting for a message's final state.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::Push;
use super::deliver::lost_attempt;
use super::error::Error;
use crate::model::{
    AppId, Attempt, Channel, Consent, MessageId, MessageState, OpenId, Reason, TemplateId, UnionId,
};
use crate::store::messages::{self, Count, Filter, Message};
use crate::store::{self, AccountId, consents};

/// How soon a message is read again while a caller waits for it. The delay doubles each time.
const FIRST_POLL_DELAY: Duration = Duration::from_millis(25);
const MAX_POLL_DELAY: Duration = Duration::from_millis(250);

/// Timeout for counting. Measured: a day of an account at WeChat's daily limit takes 250 ms.
const COUNT_TIMEOUT: Duration = Duration::from_secs(5);
const COUNT_TIMEOUT_PER_DAY: Duration = Duration::from_millis(500);

/// Timeout for lists with a filter, which may have to skip many messages.
const FILTERED_TIMEOUT: Duration = Duration::from_secs(5);

/// A message without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageView {
    /// The message id.
    pub id: MessageId,
    /// The state of delivery.
    pub state: MessageState,
    /// The channel it is sent by.
    pub channel: Channel,
    /// The sending account.
    pub appid: AppId,
    /// The user in that account.
    pub openid: OpenId,
    /// The user across accounts, if known.
    pub unionid: Option<UnionId>,
    /// The template.
    pub template_id: TemplateId,
    /// WeChat's number of the message, once known. May exceed 2^53, so a double cannot hold it.
    pub msgid: Option<i64>,
    /// Why it failed or waits: a [`Reason`](crate::model::Reason), or `failed:…` from a receipt.
    pub reason: Option<String>,
    /// The outcome of each attempt, oldest first.
    pub attempts: Vec<Attempt>,
    /// When the service accepted it.
    pub accepted_at: DateTime<Utc>,
    /// When WeChat accepted it.
    pub sent_at: Option<DateTime<Utc>>,
    /// When it reached its final state.
    pub finished_at: Option<DateTime<Utc>>,
    /// When the next attempt is made, or when the answer to the current one is due.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// The number of messages of one template, accepted on one day, in one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayCount {
    /// The day in UTC+8, as WeChat counts.
    pub day: NaiveDate,
    /// The sending account.
    pub appid: AppId,
    /// The template.
    pub template_id: TemplateId,
    /// The state of delivery.
    pub state: MessageState,
    /// The number of messages.
    pub messages: u64,
}

/// A user's consent to a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentView {
    /// The template.
    pub template_id: TemplateId,
    /// Whether the user accepts messages.
    pub status: Consent,
    /// When the user decided.
    pub changed_at: DateTime<Utc>,
}

/// Selects the messages to list. Empty fields match everything.
#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    /// Messages in this state.
    pub state: Option<MessageState>,
    /// Messages of this template.
    pub template_id: Option<TemplateId>,
    /// Messages to this user of the sending account.
    pub openid: Option<OpenId>,
    /// Messages to this user, across accounts.
    pub unionid: Option<UnionId>,
}

impl Push {
    /// Finds a message.
    pub async fn find(&self, id: &MessageId) -> Result<Option<MessageView>, Error> {
        let find = async {
            let found = messages::find(self.store.reader(), id).await?;
            let appids = self.accounts.by_account_id(&self.store).await?;
            let pending_before = match &found {
                Some(message) if message.sending_at.is_some() => self.pending_before().await?,
                _ => 0,
            };
            Ok(found.and_then(|message| view(&appids, message, pending_before)))
        };
        Ok(store::in_time(find).await?)
    }

    /// Waits until no further attempt will be made, at most for `timeout`, and returns the message
    /// as it is then.
    pub async fn wait(
        &self,
        id: &MessageId,
        timeout: Duration,
    ) -> Result<Option<MessageView>, Error> {
        let deadline = tokio::time::Instant::now() + timeout;
        let mut delay = FIRST_POLL_DELAY;
        loop {
            let found = self.find(id).await?;
            let is_open = found.as_ref().is_some_and(MessageView::is_open);
            if !is_open || tokio::time::Instant::now() >= deadline {
                return Ok(found);
            }
            tokio::time::sleep(delay).await;
            delay = MAX_POLL_DELAY.min(delay * 2);
        }
    }

    /// Lists messages sent by these accounts, newest first, starting below the id `before`.
    pub async fn list(
        &self,
        appids: &[&AppId],
        filter: MessageFilter,
        before: Option<&MessageId>,
        limit: u64,
    ) -> Result<Vec<MessageView>, Error> {
        let is_filtered = filter.state.is_some() || filter.template_id.is_some();
        let timeout = if is_filtered { FILTERED_TIMEOUT } else { store::DEADLINE };
        let list = async {
            let appids_by_id = self.accounts.by_account_id(&self.store).await?;
            let MessageFilter { state, template_id, openid, unionid } = filter;
            let (accounts, pending_before) =
                (account_ids(&appids_by_id, appids), self.pending_before().await?);
            let filter = Filter { accounts, state, pending_before, template_id, openid, unionid };
            let found = messages::list(self.store.reader(), &filter, before, limit).await?;
            let found = found.into_iter();
            Ok(found.filter_map(|message| view(&appids_by_id, message, pending_before)).collect())
        };
        Ok(store::within(timeout, list).await?)
    }

    /// Attempts that began before this time, in ms, can no longer get an answer.
    async fn pending_before(&self) -> Result<i64, store::Error> {
        Ok(self.store.now().await? - self.settings.answered_within_ms())
    }

    /// Counts the messages of these accounts by day, template and state, from `first` to `last`
    /// inclusive, latest day first.
    pub async fn count(
        &self,
        appids: &[&AppId],
        first: NaiveDate,
        last: NaiveDate,
    ) -> Result<Vec<DayCount>, Error> {
        let count = async {
            let appids_by_id = self.accounts.by_account_id(&self.store).await?;
            let accounts = account_ids(&appids_by_id, appids);
            let mut counts = Vec::new();
            for day in (days_since_epoch(first)..=days_since_epoch(last)).rev() {
                let of_day = messages::count(self.store.reader(), &accounts, day).await?;
                counts
                    .extend(of_day.into_iter().filter_map(|count| day_count(&appids_by_id, count)));
            }
            Ok(counts)
        };
        let days = u32::try_from(days_since_epoch(last) - days_since_epoch(first) + 1).unwrap_or(1);
        Ok(store::within(COUNT_TIMEOUT + COUNT_TIMEOUT_PER_DAY * days, count).await?)
    }

    /// Lists a user's consents to the templates of an account.
    pub async fn consents(
        &self,
        appid: &AppId,
        openid: &OpenId,
    ) -> Result<Vec<ConsentView>, Error> {
        let list = async {
            let account = self.accounts.account_id(&self.store, appid).await?;
            consents::list(self.store.reader(), account, openid).await
        };
        let view = |record: consents::ConsentRecord| ConsentView {
            template_id: record.template_id,
            status: record.consent,
            changed_at: instant(record.changed_at),
        };
        Ok(store::in_time(list).await?.into_iter().map(view).collect())
    }
}

fn account_ids(appids_by_id: &HashMap<AccountId, &AppId>, appids: &[&AppId]) -> Vec<AccountId> {
    let selected = appids_by_id.iter().filter(|(_, appid)| appids.contains(appid));
    selected.map(|(account, _)| *account).collect()
}

impl MessageView {
    /// Whether another attempt will be made.
    pub fn is_open(&self) -> bool {
        self.next_attempt_at.is_some()
    }
}

/// Returns `None` if the account is no longer configured.
fn view(
    appids: &HashMap<AccountId, &AppId>,
    message: Message,
    pending_before: i64,
) -> Option<MessageView> {
    let message = with_lost_answer(message, pending_before);
    Some(MessageView {
        id: message.id,
        state: message.state,
        channel: message.route.channel,
        appid: (*appids.get(&message.route.account)?).clone(),
        openid: message.route.openid,
        unionid: message.unionid,
        template_id: message.route.template_id,
        msgid: message.msgid,
        reason: message.reason,
        attempts: message.attempts,
        accepted_at: instant(message.accepted_at),
        sent_at: message.sent_at.map(instant),
        finished_at: message.finished_at.map(instant),
        next_attempt_at: message.due_at.map(instant),
    })
}

/// Adds the attempt whose answer was lost, where the row does not show it yet: no process has claimed the
/// message since the attempt can no longer get an answer, or one has and has not recorded its outcome.
fn with_lost_answer(mut message: Message, pending_before: i64) -> Message {
    let overdue = message.sending_at.filter(|sending_at| *sending_at < pending_before);
    let lost_at = match message.state {
        MessageState::Queued => overdue,
        MessageState::Unknown => {
            let lost = Reason::AnswerLost.as_str();
            let is_shown = message.attempts.iter().any(|attempt| attempt.outcome == lost);
            message.first_sent_at.filter(|_| !is_shown)
        }
        _ => None,
    };
    if let Some(lost_at) = lost_at {
        message.state = MessageState::Unknown;
        message.reason = Some(Reason::AnswerLost.to_string());
        message.attempts.push(lost_attempt(lost_at));
    }
    message
}

fn day_count(appids: &HashMap<AccountId, &AppId>, count: Count) -> Option<DayCount> {
    Some(DayCount {
        day: NaiveDate::default() + TimeDelta::days(count.day),
        appid: (*appids.get(&count.account)?).clone(),
        template_id: count.template_id,
        state: count.state,
        messages: count.messages,
    })
}

/// Days since 1970-01-01.
fn days_since_epoch(day: NaiveDate) -> i64 {
    (day - NaiveDate::default()).num_days()
}

/// Converts a database time in ms. Out-of-range values, which the service never writes, become
/// 1970.
fn instant(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}
