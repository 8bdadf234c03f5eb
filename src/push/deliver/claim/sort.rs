//! Which of the messages that are due leave now, which wait for their template, which are too old, and
//! which may have arrived long ago.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::SAFE_MS;
use crate::model::{Channel, MessageId, OpenId, TemplateId};
use crate::store::messages::Due;
use crate::store::template_stops::Stop;

/// How soon it is looked again whether a template's message that went ahead is back, in milliseconds.
const TEST_MS: i64 = 5_000;

/// Messages given up at once because nobody may send them again.
const MOST_LOST: usize = 100;

/// What is to be known to sort messages.
#[derive(Debug, Clone)]
pub(super) struct Bounds<'a> {
    /// The time.
    pub(super) now: i64,
    /// When claims end that are made now.
    pub(super) until: i64,
    /// How many messages may leave.
    pub(super) most: usize,
    /// What was accepted before this is too old to be sent.
    pub(super) expired_before: i64,
    /// By which way all of them go.
    pub(super) channel: Channel,
    /// People to whom a message is under way.
    pub(super) busy: &'a HashSet<OpenId>,
}

/// Sorts messages, longest due first.
pub(super) struct Sorter<'a> {
    bounds: Bounds<'a>,
    stops: HashMap<TemplateId, Stop>,
    taken: HashSet<OpenId>,
    /// Messages that leave, in their order.
    pub(super) leaving: Vec<MessageId>,
    /// Stopped templates of which a message leaves all the same, to see whether they are still to be.
    pub(super) tested: HashMap<MessageId, Stop>,
    /// Messages that wait, by when they are looked at again.
    pub(super) waiting: BTreeMap<i64, Vec<MessageId>>,
    /// Messages that were not sent in time.
    pub(super) expired: Vec<MessageId>,
    /// Messages that may have arrived, and are not sent again.
    pub(super) lost: Vec<MessageId>,
    /// Whether some wait only for another message to the same person.
    pub(super) is_person_busy: bool,
}

impl<'a> Sorter<'a> {
    pub(super) fn new(stops: Vec<Stop>, bounds: Bounds<'a>) -> Self {
        let stops = stops.into_iter().map(|stop| (stop.template_id.clone(), stop)).collect();
        let (taken, leaving, tested, waiting) = Default::default();
        let (expired, lost, is_person_busy) = Default::default();
        Self { bounds, stops, taken, leaving, tested, waiting, expired, lost, is_person_busy }
    }

    pub(super) fn bounds(&self) -> &Bounds<'a> {
        &self.bounds
    }

    /// Every message that is to be changed.
    pub(super) fn ids(&self) -> impl Iterator<Item = &MessageId> {
        let waiting = self.waiting.values().flatten();
        self.leaving.iter().chain(waiting).chain(&self.expired).chain(&self.lost)
    }

    pub(super) fn sort(&mut self, due: Due) {
        let Bounds { now, expired_before, channel, .. } = self.bounds;
        if due.in_doubt && !may_be_repeated(&due, channel, now) {
            if self.lost.len() < MOST_LOST {
                self.lost.push(due.id);
            }
            return;
        }
        if due.in_doubt {
            // It has no time to wait for its template.
            return self.leave(due, None);
        }
        if due.accepted_at < expired_before {
            return self.expired.push(due.id);
        }
        let stop = self.stops.get(&due.template_id).cloned();
        match stop.as_ref().and_then(|stop| waits_until(stop, now)) {
            Some(until) => self.waiting.entry(until).or_default().push(due.id),
            None => self.leave(due, stop),
        }
    }

    fn leave(&mut self, due: Due, stop: Option<Stop>) {
        // WeChat refuses several messages to one person at once (43108).
        if self.bounds.busy.contains(&due.openid) || self.taken.contains(&due.openid) {
            self.is_person_busy = true;
            return;
        }
        if self.leaving.len() == self.bounds.most {
            return;
        }
        if let Some(mut stop) = stop {
            stop.tested_until = self.bounds.until;
            self.stops.insert(due.template_id, stop.clone());
            self.tested.insert(due.id.clone(), stop);
        }
        self.taken.insert(due.openid);
        self.leaving.push(due.id);
    }
}

/// Until when messages of a stopped template wait; `None` where one may go ahead.
fn waits_until(stop: &Stop, now: i64) -> Option<i64> {
    match stop {
        Stop { until_at, .. } if *until_at > now => Some(*until_at),
        Stop { tested_until, .. } if *tested_until > now => {
            Some((*tested_until).min(now + TEST_MS))
        }
        _ => None,
    }
}

/// Whether WeChat would suppress the message if it has it. Subscribe messages carry no name of ours.
fn may_be_repeated(due: &Due, channel: Channel, now: i64) -> bool {
    channel == Channel::Template && now < due.first_sent_at.unwrap_or(now) + SAFE_MS
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
            in_doubt: false,
            first_sent_at: None,
        }
    }

    fn stop(template_id: &str, until_at: i64, tested_until: i64) -> Stop {
        let (template_id, reason) = (template_id.parse().unwrap(), String::new());
        Stop { template_id, until_at, tested_until, errcode: 43107, reason }
    }

    /// Places of messages: those that leave, that wait and until when, that are too old, that are lost.
    type Places = (Vec<usize>, Vec<(i64, usize)>, Vec<usize>, Vec<usize>);

    /// What becomes of these messages, by their place.
    fn sorted(
        stops: Vec<Stop>,
        most: usize,
        channel: Channel,
        busy: &[&str],
        dues: Vec<Due>,
    ) -> Places {
        let busy = busy.iter().map(|openid| openid.parse().unwrap()).collect();
        let (until, expired_before) = (NOW + 20_000, NOW - 1_000);
        let bounds = Bounds { now: NOW, until, most, expired_before, channel, busy: &busy };
        let mut sorter = Sorter::new(stops, bounds);
        for due in &dues {
            sorter.sort(due.clone());
        }
        let place = |id: &MessageId| dues.iter().position(|due| due.id == *id).unwrap();
        let places = |ids: &[MessageId]| ids.iter().map(place).collect::<Vec<_>>();
        let waiting = sorter.waiting.iter();
        let waiting = waiting.flat_map(|(at, ids)| ids.iter().map(|id| (*at - NOW, place(id))));
        let waiting = waiting.collect();
        let (lost, expired) = (places(&sorter.lost), places(&sorter.expired));
        (places(&sorter.leaving), waiting, expired, lost)
    }

    #[test]
    fn one_message_to_a_person_leaves_at_a_time() {
        let dues = ["a", "a", "b", "c", "b", "d"]
            .iter()
            .zip(0..)
            .map(|(openid, number)| due(number, openid, "t"));
        let (leaving, ..) = sorted(vec![], 2, Channel::Template, &["c"], dues.clone().collect());
        assert_eq!(leaving, [0, 2]);
        let (leaving, ..) = sorted(vec![], 9, Channel::Template, &["c"], dues.collect());
        assert_eq!(leaving, [0, 2, 5]);
    }

    #[test]
    fn a_stopped_template_waits_and_others_pass_it_by() {
        let stops =
            vec![stop("t1", NOW + 600_000, 0), stop("t2", NOW - 1, 0), stop("t3", 0, NOW + 9)];
        let dues = ["t1", "t1", "t2", "t2", "t3", "t4"];
        let dues = dues.iter().zip(0..);
        let dues =
            dues.map(|(template_id, number)| due(number, &format!("o{number}"), template_id));
        let (leaving, waiting, ..) = sorted(stops, 9, Channel::Template, &[], dues.collect());
        assert_eq!(leaving, [2, 5]);
        assert_eq!(waiting, [(9, 4), (5_000, 3), (600_000, 0), (600_000, 1)]);
    }

    #[test]
    fn what_is_in_doubt_leaves_where_wechat_would_suppress_a_copy_and_what_is_old_does_not() {
        let doubted = |number, ago: i64| {
            let (in_doubt, first_sent_at) = (true, Some(NOW - ago));
            Due {
                in_doubt,
                first_sent_at,
                accepted_at: 0,
                ..due(number, &format!("o{number}"), "t1")
            }
        };
        let old = Due { accepted_at: NOW - 1_001, ..due(3, "o3", "t1") };
        let dues = vec![doubted(0, 1_000), doubted(1, SAFE_MS), old, due(4, "o4", "t2")];
        let stops = || vec![stop("t1", NOW + 600_000, 0)];
        let found = sorted(stops(), 9, Channel::Template, &[], dues.clone());
        assert_eq!(found, (vec![0, 3], vec![], vec![2], vec![1]));
        let found = sorted(stops(), 9, Channel::Subscribe, &[], dues);
        assert_eq!(found, (vec![3], vec![], vec![2], vec![0, 1]));
    }
}
