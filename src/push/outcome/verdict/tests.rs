//! The verdict for every errcode that a send can return.

use super::*;
use crate::wechat::{TokenError, TransportError, Upstream};

fn refused(errcode: i64, class: Class) -> Error {
    let upstream = Upstream { errcode, errmsg: "no".to_owned(), rid: None };
    Error::Refused { call: "message/template/send", class, upstream }
}

/// The history of a message without earlier attempts.
fn first(channel: Channel) -> History<'static> {
    History { channel, attempts: &[], tests_template: false, passed_at: 0 }
}

fn on_template(errcode: i64) -> Verdict {
    classify(&refused(errcode, Class::of_template_send(errcode)), first(Channel::Template))
}

fn on_subscribe(errcode: i64) -> Verdict {
    classify(&refused(errcode, Class::of_subscribe_send(errcode)), first(Channel::Subscribe))
}

/// An attempt `at` ms after 1970.
fn before(at: i64, outcome: &str, errcode: Option<i64>) -> Attempt {
    let at = chrono::DateTime::from_timestamp_millis(at).unwrap();
    Attempt { errcode, ..Attempt::ended(at, outcome) }
}

fn no(reason: Reason) -> Verdict {
    Verdict::Refused(reason, Finding::None)
}

#[test]
fn each_template_send_errcode_has_its_verdict() {
    let once_more = Verdict::Retry(Reason::Unconfirmed, Delay::Minute);
    let banned = Verdict::Refused(Reason::TemplateBanned, Finding::TemplateStopped);
    let misconfigured = Verdict::Held(Reason::AccountRefused, Hold::TenMinutes);
    for (errcode, verdict) in [
        (-1, Verdict::Retry(Reason::Busy, Delay::BackOff)),
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
        (40249, Verdict::Refused(Reason::ContentRefused, Finding::TemplateStopped)),
        (41030, no(Reason::JumpInvalid)),
        (43004, Verdict::Refused(Reason::Unfollowed, Finding::Unfollowed)),
        (43019, no(Reason::UserBlocked)),
        (43101, Verdict::Refused(Reason::RefusedByUser, Finding::Declined)),
        (43106, banned),
        (43107, banned),
        (43108, Verdict::Retry(Reason::Busy, Delay::BackOff)),
        (43116, banned),
        (43117, Verdict::Retry(Reason::TooFrequent, Delay::UserLimit)),
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
        (50005, Verdict::Refused(Reason::Unfollowed, Finding::Unfollowed)),
        (1_119_003, once_more),
    ] {
        assert_eq!(on_template(errcode), verdict, "{errcode}");
    }
}

#[test]
fn subscribe_send_errcodes_differ_from_template_send() {
    assert_eq!(on_subscribe(43004), no(Reason::Refused));
    assert_eq!(on_subscribe(40038), Verdict::Retry(Reason::TooFrequent, Delay::Day));
    assert_eq!(on_subscribe(43101), Verdict::Refused(Reason::RefusedByUser, Finding::Declined));
    assert_eq!(on_subscribe(40013), Verdict::Held(Reason::AccountRefused, Hold::TenMinutes));
}

#[test]
fn an_errcode_that_may_be_accidental_is_final_the_second_time() {
    let template = Verdict::Refused(Reason::TemplateUnknown, Finding::TemplateStopped);
    for (errcode, verdict) in [
        (40003, no(Reason::OpenidUnknown)),
        (40036, template),
        (40037, template),
        (1_119_003, no(Reason::Refused)),
    ] {
        let error = refused(errcode, Class::of_template_send(errcode));
        let classified = |attempts: &[Attempt]| {
            classify(&error, History { attempts, ..first(Channel::Template) })
        };
        let attempt = |errcode| before(0, "tried_once_more", Some(errcode));
        assert_eq!(classified(&[attempt(errcode)]), verdict, "{errcode}");
        let once_more = Verdict::Retry(Reason::Unconfirmed, Delay::Minute);
        assert_eq!(classified(&[attempt(-1)]), once_more, "{errcode}");
        // An attempt on another channel, with another openid and template.
        let elsewhere = Attempt { channel: Some(Channel::Template), ..attempt(errcode) };
        assert_eq!(classified(&[elsewhere]), once_more, "{errcode}");
    }
}

#[test]
fn one_failed_test_message_keeps_an_unknown_template_stopped() {
    let error = refused(40037, Class::Template);
    let history = History { tests_template: true, ..first(Channel::Template) };
    let stopped = Verdict::Refused(Reason::TemplateUnknown, Finding::TemplateStopped);
    assert_eq!(classify(&error, history), stopped);
}

#[test]
fn a_message_alone_refused_as_misconfigured_fails_the_third_time() {
    let error = refused(48001, Class::Config);
    let held = Verdict::Held(Reason::AccountRefused, Hold::TenMinutes);
    let refused_at = |at, errcode| before(at, "account_refused", Some(errcode));
    let classified = |error: &Error, attempts: &[Attempt], passed_at| {
        classify(error, History { attempts, passed_at, ..first(Channel::Template) })
    };
    let twice = [refused_at(1, 48001), refused_at(3, 48001)];
    assert_eq!(classified(&error, &twice, 4), no(Reason::Refused));
    // Refused once; refused twice with no acceptance since; refused twice for different reasons.
    assert_eq!(classified(&error, &twice[1..], 4), held);
    assert_eq!(classified(&error, &twice, 2), held);
    assert_eq!(classified(&error, &[refused_at(1, 48001), refused_at(3, 50002)], 4), held);
    // Without a token, the message was not refused.
    let no_token = Error::Token(TokenError::Wechat(Box::new(refused(48001, Class::Config))));
    assert_eq!(classified(&no_token, &twice, 4), held);
    let barred = Error::Status { call: "message/template/send", status: 403 };
    let twice = [1, 3].map(|at| before(at, "account_refused", None));
    assert_eq!(classified(&barred, &twice, 4), no(Reason::Refused));
}

#[test]
fn an_outcome_is_unknown_only_if_the_request_may_have_arrived() {
    let call = "message/template/send";
    let transport = |fault| Error::Transport { call, fault, source: None };
    let lost = |error: &Error| classify(error, first(Channel::Template)) == Verdict::OutcomeUnknown;
    assert!(lost(&transport(TransportError::Timeout)));
    assert!(lost(&transport(TransportError::Broken)));
    assert!(lost(&Error::Status { call, status: 502 }));
    assert!(lost(&Error::Undecodable { call, problem: String::new() }));
    assert!(!lost(&transport(TransportError::ConnectionRefused)));
    assert!(!lost(&transport(TransportError::ConnectTimeout)));
    let answer = Box::new(Error::Undecodable { call: "stable_token", problem: String::new() });
    let no_token = Error::Token(TokenError::Wechat(answer));
    assert_eq!(
        classify(&no_token, first(Channel::Template)),
        Verdict::Retry(Reason::Busy, Delay::BackOff)
    );
}

#[test]
fn the_error_text_is_wechats_errmsg_with_a_hint() {
    assert_eq!(error_text(&refused(43107, Class::Template)), "no");
    let retired = error_text(&refused(45109, Class::Retired));
    assert!(retired.starts_with("no: ") && retired.len() > 20, "{retired}");
    let call = "message/template/send";
    let lost = Error::Transport { call, fault: TransportError::Timeout, source: None };
    assert!(error_text(&lost).starts_with("message/template/send failed: "));
}

#[test]
fn an_error_unrelated_to_the_message_does_not_end_it() {
    let call = "message/template/send";
    for errcode in [41_002, 43_002, 40_003, 47_001, 45_109, 1_119_003] {
        let refused = refused(errcode, Class::of_secret_endpoint(errcode));
        let no_token = Error::Token(TokenError::Wechat(Box::new(refused)));
        for channel in [Channel::Template, Channel::Subscribe] {
            let verdict = classify(&no_token, first(channel));
            assert_eq!(verdict, Verdict::Held(Reason::AccountRefused, Hold::TenMinutes));
        }
    }
    for status in [400, 405, 412, 413, 418] {
        let verdict = classify(&Error::Status { call, status }, first(Channel::Template));
        assert_eq!(verdict, Verdict::Retry(Reason::Busy, Delay::BackOff), "{status}");
    }
}
