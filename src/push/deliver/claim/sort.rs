//! Sorts due messages into those to send now, those that wait for their template, those that are
//! too old, and those that may have arrived long ago.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::RESEND_WINDOW_MS;
use crate::model::{Channel, MessageId, OpenId, TemplateId};
use crate::store::messages::Due;
use crate::store::template_stops::Stop;

/// How soon, in ms, the test of a stopped template is checked again.
const TEST_POLL_MS: i64 = 5_000;

/// How many messages to one busy user may stay due. More would fill the window that a claim reads, and
/// hold up all other users.
const MAX_DUE_PER_USER: i64 = 256;

/// The messages beyond that are due again in groups of this many, this far apart in ms.
const BUSY_USER_GROUP: i64 = 40;
const BUSY_USER_INTERVAL_MS: i64 = 10_000;

/// Messages abandoned per claim because they must not be sent again.
const MAX_ABANDONED: usize = 100;

/// Input of the sort.
#[derive(Debug, Clone)]
pub(super) struct Bounds<'a> {
    /// The current time, in ms.
    pub(super) now: i64,
    /// When claims made now end, in ms.
    pub(super) claim_until: i64,
    /// How many messages may be sent.
    pub(super) max_count: usize,
    /// Messages accepted before this time, in ms, are too old to be sent.
    pub(super) expired_before: i64,
    /// The channel of all messages.
    pub(super) channel: Channel,
    /// Users that a message is being sent to.
    pub(super) busy_openids: &'a HashSet<OpenId>,
}

/// Sorts messages, given in order of their due times.
pub(super) struct Sorter<'a> {
    bounds: Bounds<'a>,
    stops: HashMap<TemplateId, Stop>,
    claimed_openids: HashSet<OpenId>,
    /// Messages to send, in order.
    pub(super) to_send: Vec<MessageId>,
    /// Messages of stopped templates that are sent nevertheless, to test whether WeChat accepts
    /// them again.
    pub(super) tested: HashMap<MessageId, Stop>,
    /// Messages that wait, by the time in ms at which they are due again.
    pub(super) waiting: BTreeMap<i64, Vec<MessageId>>,
    /// Messages to users with many others, by the time in ms at which they are due again.
    pub(super) crowded: BTreeMap<i64, Vec<MessageId>>,
    /// How many messages to each busy user were passed over.
    passed_over: HashMap<OpenId, i64>,
    /// Messages that were not sent in time.
    pub(super) expired: Vec<MessageId>,
    /// Messages that may have arrived and must not be sent again.
    pub(super) abandoned: Vec<MessageId>,
    /// Whether some messages wait only for another message to the same user.
    pub(super) is_user_busy: bool,
}

impl<'a> Sorter<'a> {
    pub(super) fn new(stops: Vec<Stop>, bounds: Bounds<'a>) -> Self {
        let stops = stops.into_iter().map(|stop| (stop.template_id.clone(), stop)).collect();
        let (claimed_openids, to_send, tested, waiting) = Default::default();
        let (crowded, passed_over, expired, abandoned, is_user_busy) = Default::default();
        Self {
            bounds,
            stops,
            claimed_openids,
            to_send,
            tested,
            waiting,
            crowded,
            passed_over,
            expired,
            abandoned,
            is_user_busy,
        }
    }

    pub(super) fn bounds(&self) -> &Bounds<'a> {
        &self.bounds
    }

    /// All messages to update.
    pub(super) fn ids(&self) -> impl Iterator<Item = &MessageId> {
        let waiting = self.waiting.values().chain(self.crowded.values()).flatten();
        self.to_send.iter().chain(waiting).chain(&self.expired).chain(&self.abandoned)
    }

    pub(super) fn sort(&mut self, due: Due) {
        let Bounds { now, expired_before, channel, .. } = self.bounds;
        if due.outcome_unknown && !may_be_repeated(&due, channel, now) {
            if self.abandoned.len() < MAX_ABANDONED {
                self.abandoned.push(due.id);
            }
            return;
        }
        if due.outcome_unknown {
            // The window for sending it again may end before its template is allowed again.
            return self.send(due, None);
        }
        if due.accepted_at < expired_before {
            return self.expired.push(due.id);
        }
        let stop = self.stops.get(&due.template_id).cloned();
        match stop.as_ref().and_then(|stop| waits_until(stop, now)) {
            Some(until) => self.waiting.entry(until).or_default().push(due.id),
            None => self.send(due, stop),
        }
    }

    fn send(&mut self, due: Due, stop: Option<Stop>) {
        // WeChat refuses concurrent messages to the same user (43108).
        let openid = &due.openid;
        if self.bounds.busy_openids.contains(openid) || self.claimed_openids.contains(openid) {
            self.is_user_busy = true;
            return self.pass_over(due);
        }
        if self.to_send.len() == self.bounds.max_count {
            return;
        }
        if let Some(mut stop) = stop {
            stop.tested_until = self.bounds.claim_until;
            self.stops.insert(due.template_id, stop.clone());
            self.tested.insert(due.id.clone(), stop);
        }
        self.claimed_openids.insert(due.openid);
        self.to_send.push(due.id);
    }
}

impl Sorter<'_> {
    fn pass_over(&mut self, due: Due) {
        let count = self.passed_over.entry(due.openid).or_default();
        *count += 1;
        if *count > MAX_DUE_PER_USER && !due.outcome_unknown {
            let group = *count / BUSY_USER_GROUP;
            let until = self.bounds.now + group * BUSY_USER_INTERVAL_MS;
            self.crowded.entry(until).or_default().push(due.id);
        }
    }
}

/// Until when, in ms, messages of a stopped template wait. `None` if one may be sent as a test.
fn waits_until(stop: &Stop, now: i64) -> Option<i64> {
    match stop {
        Stop { until_at, .. } if *until_at > now => Some(*until_at),
        Stop { tested_until, .. } if *tested_until > now => {
            Some((*tested_until).min(now + TEST_POLL_MS))
        }
        _ => None,
    }
}

/// Whether WeChat would suppress a second copy. Subscribe messages have no id to recognise one by.
fn may_be_repeated(due: &Due, channel: Channel, now: i64) -> bool {
    channel == Channel::Template && now < due.first_sent_at.unwrap_or(now) + RESEND_WINDOW_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn due(number: u8, openid: &str, template_id: &str) -> Due {
        Due {
            id: MessageId::new(NOW.unsigned_abs(), [number; 10]),
            openid: openid.parse().unwrap(),
            template_id: template_id.parse().unwrap(),
            accepted_at: NOW,
            outcome_unknown: false,
            first_sent_at: None,
        }
    }

    fn stop(template_id: &str, until_at: i64, tested_until: i64) -> Stop {
        let (template_id, reason) = (template_id.parse().unwrap(), String::new());
        Stop { template_id, until_at, tested_until, errcode: 43107, reason }
    }

    /// Indexes of messages: to send, waiting and until when, too old, abandoned.
    type Indexes = (Vec<usize>, Vec<(i64, usize)>, Vec<usize>, Vec<usize>);

    /// Sorts the messages and returns their indexes.
    fn sorted(
        stops: Vec<Stop>,
        max_count: usize,
        channel: Channel,
        busy_openids: &[&str],
        messages: Vec<Due>,
    ) -> Indexes {
        let busy_openids = busy_openids.iter().map(|openid| openid.parse().unwrap()).collect();
        let (claim_until, expired_before) = (NOW + 20_000, NOW - 1_000);
        let bounds = Bounds {
            now: NOW,
            claim_until,
            max_count,
            expired_before,
            channel,
            busy_openids: &busy_openids,
        };
        let mut sorter = Sorter::new(stops, bounds);
        for message in &messages {
            sorter.sort(message.clone());
        }
        let index = |id: &MessageId| messages.iter().position(|message| message.id == *id).unwrap();
        let indexes = |ids: &[MessageId]| ids.iter().map(index).collect::<Vec<_>>();
        let waiting = sorter.waiting.iter();
        let waiting = waiting.flat_map(|(at, ids)| ids.iter().map(|id| (*at - NOW, index(id))));
        let waiting = waiting.collect();
        let (abandoned, expired) = (indexes(&sorter.abandoned), indexes(&sorter.expired));
        (indexes(&sorter.to_send), waiting, expired, abandoned)
    }

    #[test]
    fn only_one_message_per_user_is_sent_at_a_time() {
        let messages = ["a", "a", "b", "c", "b", "d"]
            .iter()
            .zip(0..)
            .map(|(openid, number)| due(number, openid, "t"));
        let (to_send, ..) =
            sorted(vec![], 2, Channel::Template, &["c"], messages.clone().collect());
        assert_eq!(to_send, [0, 2]);
        let (to_send, ..) = sorted(vec![], 9, Channel::Template, &["c"], messages.collect());
        assert_eq!(to_send, [0, 2, 5]);
    }

    #[test]
    fn a_users_many_messages_leave_the_window_to_other_users() {
        let busy_openids = HashSet::from(["a".parse().unwrap()]);
        let (claim_until, expired_before, channel) = (NOW + 20_000, 0, Channel::Template);
        let (max_count, now) = (9, NOW);
        let busy_openids = &busy_openids;
        let bounds = Bounds { now, claim_until, max_count, expired_before, channel, busy_openids };
        let mut sorter = Sorter::new(vec![], bounds);
        (0..1_000).for_each(|_| sorter.sort(due(1, "a", "t")));
        sorter.sort(due(2, "b", "t"));
        assert_eq!(sorter.to_send.len(), 1);
        let postponed: usize = sorter.crowded.values().map(Vec::len).sum();
        assert_eq!(postponed, 1_000 - MAX_DUE_PER_USER as usize);
        assert!(*sorter.crowded.keys().next().unwrap() > NOW && sorter.crowded.len() < 30);
    }

    #[test]
    fn messages_of_a_stopped_template_wait_without_blocking_others() {
        let stops =
            vec![stop("t1", NOW + 600_000, 0), stop("t2", NOW - 1, 0), stop("t3", 0, NOW + 9)];
        let messages = ["t1", "t1", "t2", "t2", "t3", "t4"];
        let messages = messages.iter().zip(0..);
        let messages =
            messages.map(|(template_id, number)| due(number, &format!("o{number}"), template_id));
        let (to_send, waiting, ..) = sorted(stops, 9, Channel::Template, &[], messages.collect());
        assert_eq!(to_send, [2, 5]);
        assert_eq!(waiting, [(9, 4), (5_000, 3), (600_000, 0), (600_000, 1)]);
    }

    #[test]
    fn an_unknown_message_is_resent_only_within_the_resend_window() {
        let unknown = |number, ago: i64| {
            let (outcome_unknown, first_sent_at) = (true, Some(NOW - ago));
            Due {
                outcome_unknown,
                first_sent_at,
                accepted_at: 0,
                ..due(number, &format!("o{number}"), "t1")
            }
        };
        let old = Due { accepted_at: NOW - 1_001, ..due(3, "o3", "t1") };
        let messages =
            vec![unknown(0, 1_000), unknown(1, RESEND_WINDOW_MS), old, due(4, "o4", "t2")];
        let stops = || vec![stop("t1", NOW + 600_000, 0)];
        let found = sorted(stops(), 9, Channel::Template, &[], messages.clone());
        assert_eq!(found, (vec![0, 3], vec![], vec![2], vec![1]));
        let found = sorted(stops(), 9, Channel::Subscribe, &[], messages);
        assert_eq!(found, (vec![3], vec![], vec![2], vec![0, 1]));
    }
}
