//! Template, subscribe and form_id messages: the requests, and how the answers are parsed.

use std::collections::BTreeMap;

use super::super::form_template::LegacyMessage;
use super::super::subscribe::SubscribeMessage;
use super::super::template::TemplateMessage;
use super::super::{Account, Class, Error};
use super::server::{Reply, Server, json};
use super::{Anytime, account};
use crate::model::{Jump, Text};
use crate::model::{OpenId, TemplateId};

pub(super) const SENT: &str = r#"{"errcode":0,"errmsg":"ok","msgid":3600000000000000123}"#;

#[derive(Clone, Copy, Debug)]
pub(super) enum Send {
    Template,
    Subscribe,
    Legacy,
}

pub(super) const SENDS: [(Send, &str); 3] = [
    (Send::Template, "message/template/send"),
    (Send::Subscribe, "message/subscribe/send"),
    (Send::Legacy, "message/wxopen/template/send"),
];

fn value(text: &str, color: Option<&str>) -> Text {
    Text { value: text.to_owned(), color: color.map(str::to_owned) }
}

fn data() -> BTreeMap<String, Text> {
    let values =
        [("thing1", value("巧克力 \"甜\"", None)), ("first", value("您好", Some("#173177")))];
    values.map(|(key, value)| (key.to_owned(), value)).into()
}

fn touser() -> OpenId {
    "oTESTopenid01".parse().unwrap()
}

fn template_id() -> TemplateId {
    "ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY".parse().unwrap()
}

/// Sends a message with only the required fields.
pub(super) async fn send(kind: Send, account: &Account) -> Result<Option<i64>, Error> {
    let (touser, template_id, data) = (&touser(), &template_id(), &data());
    match kind {
        Send::Template => {
            let (url, miniprogram, client_msg_id) = (None, None, None);
            let message =
                TemplateMessage { touser, template_id, data, url, miniprogram, client_msg_id };
            account.send_template(&message, &Anytime).await
        }
        Send::Subscribe => {
            let (page, miniprogram_state, lang) = (None, None, None);
            let message =
                SubscribeMessage { touser, template_id, data, page, miniprogram_state, lang };
            account.send_subscribe(&message, &Anytime).await
        }
        Send::Legacy => {
            let (page, form_id, emphasis_keyword) = (None, "FORMID", None);
            let message =
                LegacyMessage { touser, template_id, data, page, form_id, emphasis_keyword };
            account.send_legacy(&message).await.map(|()| None)
        }
    }
}

/// Sends to a server that gives these replies. Returns the outcome and the requests that the server got.
pub(super) async fn sent(
    kind: Send,
    replies: impl IntoIterator<Item = Reply>,
) -> (Result<Option<i64>, Error>, Vec<String>) {
    let server = Server::answering(replies).await;
    let outcome = send(kind, &account(&server.base_url)).await;
    (outcome, server.requests())
}

pub(super) fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn a_message_is_sent_byte_for_byte_without_absent_fields() {
    const DATA: &str = r##""data":{"first":{"value":"您好","color":"#173177"},"thing1":{"value":"巧克力 \"甜\""}}"##;
    const BARE: &str = r#""data":{"first":{"value":"您好"},"thing1":{"value":"巧克力 \"甜\""}}"#;
    const TO: &str =
        r#""touser":"oTESTopenid01","template_id":"ngqIpbwh8bUfcSsECmogfXcV14J0tQlEpBO27izEYtY""#;
    for (kind, call) in SENDS {
        let (_, requests) = sent(kind, [json(SENT)]).await;
        let line = format!("POST /cgi-bin/{call}?access_token=token HTTP/1.1\r\n");
        assert!(requests[0].starts_with(&line), "{requests:?}");
        let expected = match kind {
            Send::Template => format!("{{{TO},{DATA}}}"),
            Send::Subscribe => format!("{{{TO},{BARE}}}"),
            Send::Legacy => format!(r#"{{{TO},"form_id":"FORMID",{DATA}}}"#),
        };
        assert_eq!(body(&requests[0]), expected, "{kind:?}");
    }
}

#[tokio::test]
async fn link_page_and_mini_program_fields_are_sent() {
    let server = Server::answering([json(SENT)]).await;
    let account = account(&server.base_url);
    let (touser, template_id, data) = (&touser(), &template_id(), &BTreeMap::new());
    let jump = |pagepath: Option<&str>| Jump {
        appid: "wx3b00000000000001".parse().unwrap(),
        pagepath: pagepath.map(str::to_owned),
    };
    for jump in [jump(Some("pages/a?b=c")), jump(None)] {
        let (url, client_msg_id) = (Some("https://example.com/?a=b&c=d"), Some("m1"));
        let miniprogram = Some(&jump);
        let message =
            TemplateMessage { touser, template_id, data, url, miniprogram, client_msg_id };
        account.send_template(&message, &Anytime).await.unwrap();
    }
    let (page, miniprogram_state, lang) = (Some("pages/a?b=c"), Some("trial"), Some("zh_CN"));
    let message = SubscribeMessage { touser, template_id, data, page, miniprogram_state, lang };
    account.send_subscribe(&message, &Anytime).await.unwrap();
    let (form_id, emphasis_keyword) = ("FORMID", Some("keyword1.DATA"));
    let message = LegacyMessage { touser, template_id, data, page, form_id, emphasis_keyword };
    account.send_legacy(&message).await.unwrap();
    let requests = server.requests();
    for (request, end) in requests.iter().zip([
        r#""data":{},"url":"https://example.com/?a=b&c=d","miniprogram":{"appid":"wx3b00000000000001","pagepath":"pages/a?b=c"},"client_msg_id":"m1"}"#,
        r#""miniprogram":{"appid":"wx3b00000000000001"},"client_msg_id":"m1"}"#,
        r#""data":{},"page":"pages/a?b=c","miniprogram_state":"trial","lang":"zh_CN"}"#,
        r#""page":"pages/a?b=c","form_id":"FORMID","data":{},"emphasis_keyword":"keyword1.DATA"}"#,
    ]) {
        assert!(body(request).ends_with(end), "{request}");
    }
}

#[tokio::test]
async fn a_msgid_is_read_without_losing_digits() {
    for (kind, number, msgid) in [
        (Send::Template, r#","msgid":3600000000000000123"#, Some(3_600_000_000_000_000_123)),
        (Send::Template, r#","msgid":"3600000000000000123""#, Some(3_600_000_000_000_000_123)),
        (Send::Subscribe, r#","msgid":3600000000000000123"#, Some(3_600_000_000_000_000_123)),
        (Send::Subscribe, r#","msgId":"3600000000000000123""#, Some(3_600_000_000_000_000_123)),
        (Send::Template, "", None),
        (Send::Template, r#","msgid":0"#, None),
        (Send::Template, r#","msgid":3.6e18"#, None),
        (Send::Subscribe, r#","msgid":0"#, None),
        (Send::Subscribe, "", None),
        (Send::Legacy, "", None),
    ] {
        let reply = json(format!(r#"{{"errcode":0,"errmsg":"ok"{number}}}"#));
        assert_eq!(sent(kind, [reply]).await.0.unwrap(), msgid, "{kind:?} {number}");
    }
}

#[tokio::test]
async fn a_send_response_without_confirmation_is_undecodable() {
    for (kind, answer) in [
        (Send::Template, "{}"),
        (Send::Subscribe, "{}"),
        (Send::Subscribe, r#"{"msgid":1}"#),
        (Send::Legacy, "{}"),
        (Send::Legacy, "[]"),
    ] {
        let (outcome, requests) = sent(kind, [json(answer)]).await;
        let error = outcome.unwrap_err();
        assert_eq!((error.class(), requests.len()), (Class::Undecodable, 1), "{kind:?} {answer}");
        assert!(error.may_have_arrived());
    }
}

#[tokio::test]
async fn a_refusal_names_the_invalid_field_whatever_the_values_are() {
    let errmsg = "argument invalid! data.thing1.value invalid rid: 64f0a1b2-0c3d4e5f-11223344";
    let (touser, template_id) = (&touser(), &template_id());
    for text in ["thing1", "value", "data", "1", "i", "thing1.value", "argument", "id: 6", ""] {
        let server =
            Server::answering([json(format!(r#"{{"errcode":47003,"errmsg":"{errmsg}"}}"#))]).await;
        let data = &BTreeMap::from([("thing1".to_owned(), value(text, None))]);
        let (page, miniprogram_state, lang) = (None, None, None);
        let message = SubscribeMessage { touser, template_id, data, page, miniprogram_state, lang };
        let error = account(&server.base_url).send_subscribe(&message, &Anytime).await.unwrap_err();
        assert_eq!(error.class(), Class::Caller, "{text}");
        assert!(error.to_string().contains("data.thing1.value"), "{error}");
        assert!(error.hint().unwrap().starts_with("the value of `thing1`"));
    }
}

#[tokio::test]
async fn an_errcodes_class_depends_on_the_message_kind() {
    for (kind, errcode, class) in [
        (Send::Template, 40013, Class::Caller),
        (Send::Subscribe, 40013, Class::Config),
        (Send::Template, 43101, Class::Person),
        (Send::Subscribe, 40038, Class::Person),
        (Send::Subscribe, 43101, Class::Person),
        (Send::Legacy, 45103, Class::Retired),
    ] {
        let refusal = json(format!(r#"{{"errcode":{errcode},"errmsg":"no"}}"#));
        let error = sent(kind, [refusal]).await.0.unwrap_err();
        assert_eq!(error.class(), class, "{kind:?} {errcode}");
        assert!(error.hint().is_some(), "{kind:?} {errcode}");
    }
}
