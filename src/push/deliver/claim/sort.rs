//! Which of the messages that are due leave now, which wait for their template, and which may have
//! arrived long ago.

use std::collections::{BTreeMap, HashMap};

use chrono::DateTime;

use super::SAFE_MS;
use crate::model::{Attempt, Channel, MessageId, MessageState, Reason, TemplateId};
use crate::store::messages::{self, Claim, Message, Progress};
use crate::store::template_stops::{self, Stop};
use crate::store::{self, AccountId, Transaction};

/// Messages looked at where some may be of a template that is stopped.
const LOOKED_AT: usize = 500;

/// How soon it is looked again whether the message that went ahead is back, in milliseconds.
const TEST_MS: i64 = 1_000;

/// Sorts messages, longest due first.
pub(super) struct Sorter {
    now: i64,
    until: i64,
    most: usize,
    stops: HashMap<TemplateId, Stop>,
    leaving: Vec<Leaving>,
    waiting: BTreeMap<i64, Vec<MessageId>>,
    lost: Vec<Message>,
}

/// A message that leaves now.
pub(super) struct Leaving {
    pub(super) message: Message,
    /// Whether an earlier attempt may have arrived.
    pub(super) in_doubt: bool,
    /// Whether its template was stopped.
    pub(super) tests_template: bool,
}

impl Sorter {
    /// At `now`, has at most `most` leave, with a claim until `until`.
    pub(super) fn new(stops: Vec<Stop>, most: usize, now: i64, until: i64) -> Self {
        let stops = stops.into_iter().map(|stop| (stop.template_id.clone(), stop)).collect();
        let (leaving, waiting, lost) = Default::default();
        Self { now, until, most, stops, leaving, waiting, lost }
    }

    /// How many messages there is use for.
    pub(super) fn looks_at(&self) -> usize {
        if self.stops.is_empty() { self.most } else { self.most.max(LOOKED_AT) }
    }

    pub(super) fn sort(&mut self, message: Message) {
        let in_doubt = is_in_doubt(&message);
        if in_doubt && !may_be_repeated(&message, self.now) {
            return self.lost.push(message);
        }
        // What is in doubt has no time to wait.
        let stop = if in_doubt { None } else { self.stops.get_mut(&message.route.template_id) };
        if let Some(until) = stop.as_ref().and_then(|stop| waits_until(stop, self.now)) {
            return self.waiting.entry(until).or_default().push(message.id);
        }
        if self.leaving.len() == self.most {
            return;
        }
        let tests_template = stop.is_some();
        if let Some(stop) = stop {
            stop.tested_until = self.until;
        }
        self.leaving.push(Leaving { message, in_doubt, tests_template });
    }

    /// Writes what was found, and gives the messages that leave.
    pub(super) async fn write(
        self,
        transaction: &Transaction,
        account: AccountId,
    ) -> Result<Vec<Leaving>, store::Error> {
        let Self { now, until, stops, leaving, waiting, lost, .. } = self;
        for leaving in leaving.iter().filter(|leaving| leaving.tests_template) {
            if let Some(stop) = stops.get(&leaving.message.route.template_id) {
                template_stops::upsert(transaction, account, stop).await?;
            }
        }
        for (until, ids) in waiting {
            messages::put_off(transaction, &ids, until, Reason::TemplateStopped).await?;
        }
        for message in lost {
            give_up(transaction, message, now).await?;
        }
        let ids: Vec<MessageId> =
            leaving.iter().map(|leaving| leaving.message.id.clone()).collect();
        messages::claim(transaction, &ids, now, until).await?;
        Ok(leaving)
    }
}

/// Until when messages of a stopped template wait; `None` where one may go ahead.
fn waits_until(stop: &Stop, now: i64) -> Option<i64> {
    match stop {
        Stop { until_at, .. } if *until_at > now => Some(*until_at),
        Stop { tested_until, .. } if *tested_until > now => Some(now + TEST_MS),
        _ => None,
    }
}

/// Whether WeChat may have the message although it did not say so.
fn is_in_doubt(message: &Message) -> bool {
    message.state == MessageState::Unknown || message.sending_at.is_some()
}

/// Whether WeChat would suppress the message if it has it. Subscribe messages carry no name of ours.
fn may_be_repeated(message: &Message, now: i64) -> bool {
    let first_sent_at = message.first_sent_at.unwrap_or(now);
    message.route.channel == Channel::Template && now < first_sent_at + SAFE_MS
}

/// Only a receipt can tell now.
async fn give_up(
    transaction: &Transaction,
    message: Message,
    now: i64,
) -> Result<(), store::Error> {
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
    Attempt { at, outcome: Reason::AnswerLost.to_string(), errcode: None, rid: None }
}
