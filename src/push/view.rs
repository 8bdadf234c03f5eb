//! Messages as people and programs are shown them, and waiting for their fate.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::Push;
use super::deliver::lost_at;
use super::error::Error;
use crate::model::{
    AppId, Attempt, Channel, Consent, MessageId, MessageState, OpenId, Reason, TemplateId, UnionId,
};
use crate::store::messages::{self, Count, Filter, Message};
use crate::store::{self, AccountId, consents};

/// How soon a message is looked at again while somebody waits for it: later each time.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long counting may take: a day of an account at WeChat's limit takes a quarter of a second.
const COUNTING: Duration = Duration::from_secs(5);
const COUNTING_EACH_DAY: Duration = Duration::from_millis(500);

/// How long a list may take for which many messages may have to be passed over.
const NARROWED: Duration = Duration::from_secs(5);

/// A message, without what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageView {
    /// Its id.
    pub id: MessageId,
    /// How far it has come.
    pub state: MessageState,
    /// By which way it goes.
    pub channel: Channel,
    /// The account that sends it.
    pub appid: AppId,
    /// The person in that account.
    pub openid: OpenId,
    /// The person across accounts, where known.
    pub unionid: Option<UnionId>,
    /// The template.
    pub template_id: TemplateId,
    /// WeChat's number for it, once known; beyond what a double can hold.
    pub msgid: Option<i64>,
    /// Why it failed or waits: a word of [`Reason`](crate::model::Reason), or a receipt's `failed:…`.
    pub reason: Option<String>,
    /// What came of each attempt, the first first.
    pub attempts: Vec<Attempt>,
    /// When it was accepted here.
    pub accepted_at: DateTime<Utc>,
    /// When WeChat took it.
    pub sent_at: Option<DateTime<Utc>>,
    /// When its fate was known.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it is tried next, or its answer is due.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// How many messages of one template, accepted on one day, have come how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayCount {
    /// The day, at UTC+8 as WeChat counts.
    pub day: NaiveDate,
    /// The account that sends.
    pub appid: AppId,
    /// The template.
    pub template_id: TemplateId,
    /// How far they have come.
    pub state: MessageState,
    /// How many.
    pub messages: u64,
}

/// What a person said to a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentView {
    /// The template.
    pub template_id: TemplateId,
    /// What was said.
    pub status: Consent,
    /// When.
    pub changed_at: DateTime<Utc>,
}

/// Which messages are listed.
#[derive(Debug, Clone, Default)]
pub struct MessageFilter {
    /// In this state.
    pub state: Option<MessageState>,
    /// By this template.
    pub template_id: Option<TemplateId>,
    /// To this person, in the account that sent.
    pub openid: Option<OpenId>,
    /// To this person, across accounts.
    pub unionid: Option<UnionId>,
}

impl Push {
    /// A message.
    pub async fn find(&self, id: &MessageId) -> Result<Option<MessageView>, Error> {
        let find = async {
            let found = messages::find(self.store.reader(), id).await?;
            let appids = self.accounts.by_number(&self.store).await?;
            let owed_before = match &found {
                Some(message) if message.sending_at.is_some() => self.owed_before().await?,
                _ => 0,
            };
            Ok(found.and_then(|message| shown(&appids, message, owed_before)))
        };
        Ok(store::in_time(find).await?)
    }

    /// A message, as soon as no other attempt at it is to come, or after `patience` as it stands then.
    pub async fn wait(
        &self,
        id: &MessageId,
        patience: Duration,
    ) -> Result<Option<MessageView>, Error> {
        let deadline = tokio::time::Instant::now() + patience;
        let mut pause = LOOK_AGAIN;
        loop {
            let found = self.find(id).await?;
            let is_open = found.as_ref().is_some_and(MessageView::is_open);
            if !is_open || tokio::time::Instant::now() >= deadline {
                return Ok(found);
            }
            tokio::time::sleep(pause).await;
            pause = LOOK_EVERY.min(pause * 2);
        }
    }

    /// Messages that these accounts sent, the newest first, from below `before` on.
    pub async fn list(
        &self,
        appids: &[&AppId],
        wanted: MessageFilter,
        before: Option<&MessageId>,
        limit: u64,
    ) -> Result<Vec<MessageView>, Error> {
        let is_narrowed = wanted.state.is_some() || wanted.template_id.is_some();
        let patience = if is_narrowed { NARROWED } else { store::DEADLINE };
        let list = async {
            let named = self.accounts.by_number(&self.store).await?;
            let MessageFilter { state, template_id, openid, unionid } = wanted;
            let (accounts, owed_before) = (numbers(&named, appids), self.owed_before().await?);
            let filter = Filter { accounts, state, owed_before, template_id, openid, unionid };
            let found = messages::list(self.store.reader(), &filter, before, limit).await?;
            let found = found.into_iter();
            Ok(found.filter_map(|message| shown(&named, message, owed_before)).collect())
        };
        Ok(store::within(patience, list).await?)
    }

    /// Who has owed an answer since before this will not give it any more.
    async fn owed_before(&self) -> Result<i64, store::Error> {
        Ok(self.store.now().await? - self.settings.answered_within_ms())
    }

    /// Counts what these accounts sent, by day, template and state, from day to day, both included; the
    /// latest day first.
    pub async fn count(
        &self,
        appids: &[&AppId],
        first: NaiveDate,
        last: NaiveDate,
    ) -> Result<Vec<DayCount>, Error> {
        let count = async {
            let named = self.accounts.by_number(&self.store).await?;
            let accounts = numbers(&named, appids);
            let mut counts = Vec::new();
            for day in (number_of(first)..=number_of(last)).rev() {
                let of_day = messages::count(self.store.reader(), &accounts, day).await?;
                counts.extend(of_day.into_iter().filter_map(|count| counted(&named, count)));
            }
            Ok(counts)
        };
        let days = u32::try_from(number_of(last) - number_of(first) + 1).unwrap_or(1);
        Ok(store::within(COUNTING + COUNTING_EACH_DAY * days, count).await?)
    }

    /// What a person said to the templates of an account.
    pub async fn consents(
        &self,
        appid: &AppId,
        openid: &OpenId,
    ) -> Result<Vec<ConsentView>, Error> {
        let list = async {
            let number = self.accounts.number(&self.store, appid).await?;
            consents::list(self.store.reader(), number, openid).await
        };
        let said = |word: consents::ConsentRecord| ConsentView {
            template_id: word.template_id,
            status: word.consent,
            changed_at: instant(word.changed_at),
        };
        Ok(store::in_time(list).await?.into_iter().map(said).collect())
    }
}

fn numbers(named: &HashMap<AccountId, &AppId>, appids: &[&AppId]) -> Vec<AccountId> {
    let wanted = named.iter().filter(|(_, appid)| appids.contains(appid));
    wanted.map(|(number, _)| *number).collect()
}

impl MessageView {
    /// Whether it is still to be sent, or sent again.
    pub fn is_open(&self) -> bool {
        self.next_attempt_at.is_some()
    }
}

/// `None` where the account is no longer configured.
fn shown(
    appids: &HashMap<AccountId, &AppId>,
    message: Message,
    owed_before: i64,
) -> Option<MessageView> {
    let message = told(message, owed_before);
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

/// A message as it is known to stand: where its process has owed an answer for longer than any takes,
/// WeChat may have it, although nobody has taken it up since to note that.
fn told(mut message: Message, owed_before: i64) -> Message {
    let owed = message.sending_at.filter(|sending_at| *sending_at < owed_before);
    if let (MessageState::Queued, Some(sending_at)) = (message.state, owed) {
        message.state = MessageState::Unknown;
        message.reason = Some(Reason::AnswerLost.to_string());
        message.attempts.push(lost_at(sending_at));
    }
    message
}

fn counted(appids: &HashMap<AccountId, &AppId>, count: Count) -> Option<DayCount> {
    Some(DayCount {
        day: NaiveDate::default() + TimeDelta::days(count.day),
        appid: (*appids.get(&count.account)?).clone(),
        template_id: count.template_id,
        state: count.state,
        messages: count.messages,
    })
}

/// Days since 1970-01-01.
fn number_of(day: NaiveDate) -> i64 {
    (day - NaiveDate::default()).num_days()
}

/// An instant of the database's; one that is out of range is none of ours.
fn instant(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}
