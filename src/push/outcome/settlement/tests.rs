//! What answers come to, in all the ways that a message can stand.

use std::time::Duration;

use super::*;
use crate::clock::DatabaseClock;
use crate::model::Content;
use crate::store::messages::{Claim, Message};
use crate::wechat::{Class, Error, Fault, RetryPolicy};

/// When the message was first taken up.
const FIRST: i64 = 1_700_000_000_000;

fn settings() -> Settings {
    Settings {
        rate_per_second: 100,
        concurrency: 32,
        expire_after: Duration::from_secs(86_400),
        keep: Duration::from_secs(86_400),
        hold: Duration::from_secs(60),
        retry: RetryPolicy::default(),
    }
}

/// Taken up after so many attempts, one of which may have arrived or none.
fn claimed(attempt: i32, in_doubt: bool) -> Claimed {
    let route = Route {
        channel: Channel::Template,
        account: 1,
        openid: "o1".parse().unwrap(),
        template_id: "t1".parse().unwrap(),
        content: Content::default(),
    };
    let message = Message {
        id: "0123".parse().unwrap(),
        state: if in_doubt { MessageState::Unknown } else { MessageState::Queued },
        route,
        fallback: None,
        unionid: None,
        msgid: None,
        reason: None,
        attempt,
        attempts: Vec::new(),
        due_at: Some(FIRST),
        sending_at: None,
        first_sent_at: in_doubt.then_some(FIRST),
        accepted_at: FIRST,
        sent_at: None,
        finished_at: None,
    };
    Claimed {
        claim: Claim { id: message.id.clone(), attempt: attempt + 1, due_at: FIRST + 60_000 },
        message,
        in_doubt,
        first_sent_at: FIRST,
        tests_account: false,
        tests_template: false,
        sends_at: FIRST,
        clock: DatabaseClock::saying(FIRST),
    }
}

/// How the message stands after that answer, so long after it was first taken up.
fn stands(claimed: &Claimed, answer: &Answer, after: i64) -> Progress {
    let case = Case { claimed, settings: &settings(), now: FIRST + after, random: 1.0 };
    match case.settle(answer).next {
        Next::Stands(progress) => progress,
        other @ Next::Goes(..) => panic!("{other:?}"),
    }
}

fn refused(errcode: i64) -> Answer {
    let upstream = Upstream { errcode, errmsg: "no".to_owned(), rid: None };
    let class = Class::of_template_send(errcode);
    Answer::Failed(Error::Refused { call: "message/template/send", class, upstream })
}

fn lost() -> Answer {
    let call = "message/template/send";
    Answer::Failed(Error::Transport { call, fault: Fault::Timeout, source: None })
}

#[test]
fn the_longer_wechat_is_busy_the_longer_a_message_waits() {
    let mut waits = Vec::new();
    for attempt in [0, 1, 2, 3, 10, 11, 400] {
        let stands = stands(&claimed(attempt, false), &refused(-1), 0);
        assert_eq!((stands.state, stands.first_sent_at), (MessageState::Queued, None));
        waits.push(stands.due_at.unwrap() - FIRST);
    }
    assert_eq!(waits, [200, 400, 800, 1_600, 204_800, 300_000, 300_000]);
}

#[test]
fn a_lost_answer_is_followed_by_attempts_for_nine_minutes_and_by_none_later() {
    for (after, is_tried_again) in [(0, true), (539_799, true), (539_800, false)] {
        let stands = stands(&claimed(0, false), &lost(), after);
        assert_eq!((stands.state, stands.first_sent_at), (MessageState::Unknown, Some(FIRST)));
        assert_eq!(stands.due_at.is_some(), is_tried_again, "{after}");
        assert_eq!(stands.reason.as_deref(), Some("answer_lost"));
    }
}

#[test]
fn a_subscribe_message_is_not_tried_again_after_a_lost_answer() {
    let mut claimed = claimed(0, false);
    claimed.message.route.channel = Channel::Subscribe;
    let stands = stands(&claimed, &Answer::Nothing, 0);
    assert_eq!((stands.state, stands.due_at), (MessageState::Unknown, None));
}

#[test]
fn what_is_in_doubt_stays_so_until_wechat_judges_the_message() {
    let claimed = claimed(1, true);
    for answer in [refused(-1), refused(45009), refused(48001), lost()] {
        let stands = stands(&claimed, &answer, 1_000);
        assert_eq!((stands.state, stands.first_sent_at), (MessageState::Unknown, Some(FIRST)));
    }
    for (errcode, state) in [(40241, MessageState::Sent), (47003, MessageState::Failed)] {
        assert_eq!(stands(&claimed, &refused(errcode), 1_000).state, state);
    }
}

#[test]
fn a_message_of_an_account_that_waits_keeps_its_place() {
    let stands = stands(&claimed(0, false), &refused(45009), 5_000);
    assert_eq!((stands.state, stands.due_at), (MessageState::Queued, Some(FIRST)));
}

#[test]
fn of_many_attempts_the_latest_are_kept() {
    let mut claimed = claimed(0, false);
    for _ in 0..200 {
        claimed.message.attempts = stands(&claimed, &refused(-1), 0).attempts;
    }
    claimed.message.attempts = stands(&claimed, &refused(47003), 0).attempts;
    let attempts = &claimed.message.attempts;
    assert_eq!((attempts.len(), attempts[99].errcode), (ATTEMPTS_KEPT, Some(47003)));
}
