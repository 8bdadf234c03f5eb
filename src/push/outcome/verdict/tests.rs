//! Every errcode that a send may meet, and what comes of it.

use super::*;
use crate::wechat::{Fault, TokenError, Upstream};

fn refused(errcode: i64, class: Class) -> Error {
    let upstream = Upstream { errcode, errmsg: "no".to_owned(), rid: None };
    Error::Refused { call: "message/template/send", class, upstream }
}

fn on_template(errcode: i64) -> Verdict {
    judge(&refused(errcode, Class::of_template_send(errcode)), Channel::Template, &[])
}

fn on_subscribe(errcode: i64) -> Verdict {
    judge(&refused(errcode, Class::of_subscribe_send(errcode)), Channel::Subscribe, &[])
}

fn no(reason: Reason) -> Verdict {
    Verdict::Refused(reason, News::None)
}

#[test]
fn each_errcode_of_a_template_message_has_its_consequence() {
    let once_more = Verdict::Again(Reason::Doubted, Pause::Minute);
    let banned = Verdict::Refused(Reason::TemplateBanned, News::TemplateStopped);
    let misconfigured = Verdict::Held(Reason::AccountRefused, Hold::TenMinutes);
    for (errcode, verdict) in [
        (-1, Verdict::Again(Reason::Busy, Pause::BackOff)),
        (40001, misconfigured),
        (40003, once_more),
        (40013, no(Reason::JumpInvalid)),
        (40036, once_more),
        (40037, once_more),
        (40039, no(Reason::JumpInvalid)),
        (40066, no(Reason::JumpInvalid)),
        (40125, misconfigured),
        (40164, misconfigured),
        (40165, no(Reason::JumpInvalid)),
        (40166, no(Reason::JumpInvalid)),
        (40241, Verdict::Accepted),
        (40249, Verdict::Refused(Reason::ContentRefused, News::TemplateStopped)),
        (41030, no(Reason::JumpInvalid)),
        (43004, Verdict::Refused(Reason::Unfollowed, News::Unfollowed)),
        (43019, no(Reason::UserBlocked)),
        (43101, Verdict::Refused(Reason::RefusedByUser, News::Declined)),
        (43106, banned),
        (43107, banned),
        (43108, Verdict::Again(Reason::Busy, Pause::BackOff)),
        (43116, banned),
        (43117, Verdict::Again(Reason::TooFrequent, Pause::Person)),
        (45009, Verdict::Held(Reason::QuotaSpent, Hold::Day)),
        (45011, Verdict::Held(Reason::RateLimited, Hold::Minute)),
        (45013, no(Reason::ContentRefused)),
        (45103, no(Reason::Retired)),
        (45109, no(Reason::Retired)),
        (45168, no(Reason::ContentRefused)),
        (46004, no(Reason::OpenidUnknown)),
        (46101, no(Reason::Retired)),
        (47001, no(Reason::RequestInvalid)),
        (47003, no(Reason::DataInvalid)),
        (48001, misconfigured),
        (48002, no(Reason::RefusedByUser)),
        (48004, misconfigured),
        (48011, banned),
        (49003, no(Reason::OpenidUnknown)),
        (50002, misconfigured),
        (50005, Verdict::Refused(Reason::Unfollowed, News::Unfollowed)),
        (1_119_003, once_more),
    ] {
        assert_eq!(on_template(errcode), verdict, "{errcode}");
    }
}

#[test]
fn a_subscribe_message_knows_no_followers_and_a_limit_per_person() {
    assert_eq!(on_subscribe(43004), no(Reason::Refused));
    assert_eq!(on_subscribe(40038), Verdict::Again(Reason::TooFrequent, Pause::Day));
    assert_eq!(on_subscribe(43101), Verdict::Refused(Reason::RefusedByUser, News::Declined));
    assert_eq!(on_subscribe(40013), Verdict::Held(Reason::AccountRefused, Hold::TenMinutes));
}

#[test]
fn what_may_be_chance_is_believed_the_second_time() {
    let before = |errcode| Attempt {
        at: chrono::DateTime::UNIX_EPOCH,
        outcome: String::new(),
        errcode: Some(errcode),
        rid: None,
    };
    for (errcode, reason) in [
        (40003, Reason::OpenidUnknown),
        (40037, Reason::TemplateUnknown),
        (1_119_003, Reason::Refused),
    ] {
        let error = refused(errcode, Class::of_template_send(errcode));
        let judged = |before: &[Attempt]| judge(&error, Channel::Template, before);
        assert_eq!(judged(&[before(errcode)]), no(reason), "{errcode}");
        assert_ne!(judged(&[before(-1)]), no(reason), "{errcode}");
    }
}

#[test]
fn a_message_is_in_doubt_only_where_it_may_have_left() {
    let call = "message/template/send";
    let transport = |fault| Error::Transport { call, fault, source: None };
    let lost = |error: &Error| judge(error, Channel::Template, &[]) == Verdict::InDoubt;
    assert!(lost(&transport(Fault::Timeout)));
    assert!(lost(&transport(Fault::Broken)));
    assert!(lost(&Error::Status { call, status: 502 }));
    assert!(lost(&Error::Undecodable { call, problem: String::new() }));
    assert!(!lost(&transport(Fault::ConnectionRefused)));
    assert!(!lost(&transport(Fault::ConnectTimeout)));
    let answer = Box::new(Error::Undecodable { call: "stable_token", problem: String::new() });
    let no_token = Error::Token(TokenError::Wechat(answer));
    assert_eq!(
        judge(&no_token, Channel::Template, &[]),
        Verdict::Again(Reason::Busy, Pause::BackOff)
    );
}

#[test]
fn a_reason_begins_with_its_word() {
    let error = refused(43107, Class::Template);
    assert_eq!(in_words(Reason::TemplateBanned, &error), "template_banned: 43107 no");
    let upstream = Upstream {
        errcode: 47003,
        errmsg: "argument invalid! data.thing2.value invalid".to_owned(),
        rid: None,
    };
    let error = Error::Refused { call: "message/template/send", class: Class::Caller, upstream };
    assert_eq!(in_words(Reason::DataInvalid, &error), "data_invalid: thing2");
}

#[test]
fn what_says_nothing_of_the_message_does_not_end_it() {
    let call = "message/template/send";
    for errcode in [41_002, 43_002, 40_003, 47_001, 45_109, 1_119_003] {
        let refused = refused(errcode, Class::of_secret_endpoint(errcode));
        let no_token = Error::Token(TokenError::Wechat(Box::new(refused)));
        for channel in [Channel::Template, Channel::Subscribe] {
            let verdict = judge(&no_token, channel, &[]);
            assert_eq!(verdict, Verdict::Held(Reason::AccountRefused, Hold::TenMinutes));
        }
    }
    for status in [400, 405, 412, 413, 418] {
        let verdict = judge(&Error::Status { call, status }, Channel::Template, &[]);
        assert_eq!(verdict, Verdict::Again(Reason::Busy, Pause::BackOff), "{status}");
    }
}
