//! The consequences of WeChat's answers, for each state of a message.

use std::time::Duration;

use super::*;
use crate::clock::DatabaseClock;
use crate::model::Content;
use crate::store::messages::{Claim, Message};
use crate::wechat::{Class, Error, RetryPolicy, TransportError, Upstream};

/// When the message was first claimed, in ms.
const FIRST: i64 = 1_700_000_000_000;

fn settings() -> Settings {
    Settings {
        rate_per_second: 100,
        concurrency: 32,
        expire_after: Duration::from_secs(86_400),
        keep: Duration::from_secs(86_400),
        timeout: Duration::from_secs(10),
        retry: RetryPolicy::default(),
    }
}

/// A message claimed after that many attempts, one of which may have arrived or none.
fn claimed(attempt: i32, may_have_arrived: bool) -> Claimed {
    let route = Route {
        channel: Channel::Template,
        account: 1,
        openid: "o1".parse().unwrap(),
        template_id: "t1".parse().unwrap(),
        content: Content::default(),
    };
    let message = Message {
        id: "0123".parse().unwrap(),
        state: if may_have_arrived { MessageState::Unknown } else { MessageState::Queued },
        route,
        fallback: None,
        unionid: None,
        msgid: None,
        reason: None,
        attempt,
        attempts: Vec::new(),
        due_at: Some(FIRST),
        sending_at: None,
        first_sent_at: may_have_arrived.then_some(FIRST),
        accepted_at: FIRST,
        sent_at: None,
        finished_at: None,
    };
    Claimed {
        claim: Claim { id: message.id.clone(), attempt: attempt + 1, due_at: FIRST + 60_000 },
        message,
        may_have_arrived,
        first_sent_at: FIRST,
        tests_account: false,
        tests_template: false,
        passed_at: 0,
        sends_at: FIRST,
        send_by: FIRST + 5_000,
        clock: DatabaseClock::from_reading(FIRST),
    }
}

/// The message after the answer, which came `after` ms after the first claim.
fn progress_after(claimed: &Claimed, answer: &Answer, after: i64) -> Progress {
    let case =
        Case { claimed, settings: &settings(), now: FIRST + after, random: 1.0, lost_in_a_row: 1 };
    match case.settle(answer).next {
        Next::Update(progress) => progress,
        other @ Next::Reroute(..) => panic!("{other:?}"),
    }
}

fn refused(errcode: i64) -> Answer {
    let upstream = Upstream { errcode, errmsg: "no".to_owned(), rid: None };
    let class = Class::of_template_send(errcode);
    Answer::Failed(Error::Refused { call: "message/template/send", class, upstream })
}

fn lost() -> Answer {
    let call = "message/template/send";
    Answer::Failed(Error::Transport { call, fault: TransportError::Timeout, source: None })
}

#[test]
fn retry_delays_double_up_to_a_cap_while_wechat_is_busy() {
    let mut waits = Vec::new();
    for attempt in [0, 1, 2, 3, 10, 11, 400] {
        let progress = progress_after(&claimed(attempt, false), &refused(-1), 0);
        assert_eq!((progress.state, progress.first_sent_at), (MessageState::Queued, None));
        waits.push(progress.due_at.unwrap() - FIRST);
    }
    assert_eq!(waits, [200, 400, 800, 1_600, 204_800, 300_000, 300_000]);
}

#[test]
fn a_message_with_a_lost_answer_is_retried_for_nine_minutes() {
    for (after, is_tried_again) in [(0, true), (539_799, true), (539_800, false)] {
        let progress = progress_after(&claimed(0, false), &lost(), after);
        assert_eq!((progress.state, progress.first_sent_at), (MessageState::Unknown, Some(FIRST)));
        assert_eq!(progress.due_at.is_some(), is_tried_again, "{after}");
        assert_eq!(progress.reason.as_deref(), Some("answer_lost"));
    }
}

#[test]
fn a_subscribe_message_with_a_lost_answer_is_not_retried() {
    let mut claimed = claimed(0, false);
    claimed.message.route.channel = Channel::Subscribe;
    let progress = progress_after(&claimed, &Answer::TimedOut, 0);
    assert_eq!((progress.state, progress.due_at), (MessageState::Unknown, None));
}

#[test]
fn an_unknown_outcome_ends_only_when_wechat_evaluates_the_content() {
    let claimed = claimed(1, true);
    for answer in [refused(-1), refused(45009), refused(48001), lost()] {
        let progress = progress_after(&claimed, &answer, 1_000);
        assert_eq!((progress.state, progress.first_sent_at), (MessageState::Unknown, Some(FIRST)));
    }
    // A refusal of the user, the template or the account says nothing about the first copy. A
    // refusal of the content does: WeChat would have refused every copy.
    for errcode in [43004, 43019, 43101, 43107, 40037, 45168, 45109] {
        let mut claimed = claimed.clone();
        claimed.message.attempts = vec![attempt_with(errcode)];
        let progress = progress_after(&claimed, &refused(errcode), 1_000);
        assert_eq!((progress.state, progress.due_at), (MessageState::Unknown, None), "{errcode}");
        assert_eq!(progress.reason.as_deref(), Some("answer_lost"));
        assert_eq!(progress.attempts[1].errcode, Some(errcode));
    }
    for (errcode, state) in [
        (40241, MessageState::Sent),
        (47003, MessageState::Failed),
        (47001, MessageState::Failed),
        (40165, MessageState::Failed),
    ] {
        assert_eq!(progress_after(&claimed, &refused(errcode), 1_000).state, state, "{errcode}");
    }
}

fn attempt_with(errcode: i64) -> Attempt {
    let at = DateTime::UNIX_EPOCH;
    Attempt { errcode: Some(errcode), ..Attempt::ended(at, "tried_once_more") }
}

#[test]
fn a_held_message_keeps_its_due_time_unless_it_may_be_the_cause() {
    let until = |errcode, tests_account| {
        let claimed = Claimed { tests_account, ..claimed(0, false) };
        let case = Case {
            claimed: &claimed,
            settings: &settings(),
            now: FIRST + 5_000,
            random: 1.0,
            lost_in_a_row: 1,
        };
        let settlement = case.settle(&refused(errcode));
        let Next::Update(progress) = settlement.next else { panic!("{settlement:?}") };
        assert_eq!(progress.state, MessageState::Queued);
        (progress.due_at.unwrap(), settlement.hold.unwrap().0)
    };
    for errcode in [45009, 45011] {
        assert_eq!(until(errcode, false).0, FIRST);
    }
    for (errcode, tests_account) in [(45009, true), (45011, true), (48001, false), (48001, true)] {
        let (due_at, held_until) = until(errcode, tests_account);
        assert_eq!(due_at, held_until, "{errcode}");
    }
}

#[test]
fn an_outage_holds_the_account_so_that_few_messages_become_unknown() {
    let hold = |lost_in_a_row| {
        let (claimed, settings) = (claimed(0, false), settings());
        let case =
            Case { claimed: &claimed, settings: &settings, now: FIRST, random: 1.0, lost_in_a_row };
        case.settle(&Answer::TimedOut).hold
    };
    assert_eq!(hold(LOST_BEFORE_HOLD - 1), None);
    assert_eq!(hold(LOST_BEFORE_HOLD), Some((FIRST + OUTAGE_HOLD_MS, "answer_lost".to_owned())));
}

#[test]
fn too_many_messages_to_a_user_make_the_others_to_that_user_wait() {
    let (claimed, settings) = (claimed(0, false), settings());
    let case =
        Case { claimed: &claimed, settings: &settings, now: FIRST, random: 1.0, lost_in_a_row: 0 };
    let settlement = case.settle(&refused(43117));
    let Next::Update(progress) = settlement.next else { panic!() };
    assert!(progress.due_at.is_some());
    assert_eq!(settlement.user_waits_until, progress.due_at);
    assert_eq!(case.settle(&refused(43108)).user_waits_until, None);
}

#[test]
fn the_reason_is_a_code_and_the_attempt_keeps_wechats_errmsg() {
    let failed = progress_after(&claimed(0, false), &refused(43019), 0);
    assert_eq!(failed.reason.as_deref(), Some("user_blocked"));
    let attempt = &failed.attempts[0];
    assert_eq!((attempt.outcome.as_str(), attempt.errcode), ("user_blocked", Some(43019)));
    assert_eq!(attempt.errmsg.as_deref(), Some("no"));
    let sent = progress_after(&claimed(0, false), &refused(40241), 0);
    assert_eq!((sent.state, sent.reason), (MessageState::Sent, None));
    let attempt = &sent.attempts[0];
    assert_eq!((attempt.outcome.as_str(), attempt.errcode), ("accepted", Some(40241)));
}

#[test]
fn a_rerouted_messages_attempts_record_their_channel() {
    let mut claimed = claimed(1, false);
    claimed.message.attempts = vec![attempt_with(-1)];
    let route = Route { channel: Channel::Subscribe, ..claimed.message.route.clone() };
    claimed.message.fallback = Some(route.clone());
    let case = Case {
        claimed: &claimed,
        settings: &settings(),
        now: FIRST,
        random: 1.0,
        lost_in_a_row: 1,
    };
    let Next::Reroute(to, attempts) = case.settle(&refused(43101)).next else { panic!() };
    assert_eq!(to, route);
    assert!(attempts.iter().all(|attempt| attempt.channel == Some(Channel::Template)));
    assert_eq!(attempts.len(), 2);
}

#[test]
fn only_the_latest_attempts_are_kept() {
    let mut claimed = claimed(0, false);
    for _ in 0..200 {
        claimed.message.attempts = progress_after(&claimed, &refused(-1), 0).attempts;
    }
    claimed.message.attempts = progress_after(&claimed, &refused(47003), 0).attempts;
    let attempts = &claimed.message.attempts;
    assert_eq!((attempts.len(), attempts[99].errcode), (MAX_ATTEMPTS_KEPT, Some(47003)));
}
