//! Pushes, as a receiver sees them.

use std::time::Duration;

use chrono::DateTime;
use serde_json::json;

use super::receiver::{Reaction, Receiver};
use super::*;
use crate::clock::Clock;
use crate::sandbox::{
    Callback, CallbackFormat, CallbackMode, Event, InvalidCallback, PushState, Undelivered,
};

const TOKEN: &str = "bridgetoken";

/// Starts a sandbox that pushes to the receiver in plain mode. Its clock stands at 1,700,000,000 s, and
/// pushes time out after 200 ms.
pub(super) async fn plain_world(receiver: &Receiver) -> Sandbox {
    world_of(Callback::plain(&receiver.url, TOKEN)).await
}

async fn safe_world(receiver: &Receiver) -> Sandbox {
    world_of(Callback::made(&receiver.url, 1, "any")).await
}

pub(super) async fn world_of(callback: Callback) -> Sandbox {
    let options = Options {
        clock: Clock::manual(DateTime::from_timestamp_secs(1_700_000_000).unwrap()),
        push_timeout: Duration::from_millis(200),
        ..Options::with_followers(10)
    };
    Sandbox::start(options.callback(callback)).await.unwrap()
}

#[tokio::test]
async fn the_url_check_accepts_only_the_echostr() {
    for (reaction, passes) in [
        (Reaction::Echo(""), true),
        (Reaction::Echo("\n"), false),
        (Reaction::Answer(200, "success"), false),
        (Reaction::Answer(403, ""), false),
    ] {
        let receiver = Receiver::answering(&[reaction]).await;
        let world = plain_world(&receiver).await;
        assert_eq!(world.main().check_callback().await.unwrap(), passes);
        let request = receiver.only();
        let path = format!("GET /callbacks/{}?signature=", world.main().appid());
        assert!(request.line.starts_with(&path), "{}", request.line);
        assert_eq!(request.query["timestamp"], "1700000000");
        let query = world.main().check_query("echo").unwrap();
        assert!(query.ends_with("&echostr=echo"));
    }
}

#[tokio::test]
async fn a_plain_push_is_in_wechats_xml_format() {
    let receiver = Receiver::accepting().await;
    let world = plain_world(&receiver).await;
    let main = world.main();
    let push = main.deliver(Event::subscribe_by(3, "shop7")).await.unwrap();
    assert_eq!(push.state, PushState::Accepted);
    let (received, openid) = (receiver.only(), main.person(3).openid);
    let (to, appid) = (main.original_id(), main.appid());
    assert!(to.len() == 15 && to.starts_with("gh_"));
    let beginning = format!(
        "<xml><ToUserName><![CDATA[{to}]]></ToUserName>\
         <FromUserName><![CDATA[{openid}]]></FromUserName><CreateTime>1700000000</CreateTime>\
         <MsgType><![CDATA[event]]></MsgType><Event><![CDATA[subscribe]]></Event>\
         <EventKey><![CDATA[qrscene_shop7]]></EventKey><Ticket>"
    );
    assert!(received.body.starts_with(&beginning), "{}", received.body);
    assert!(received.line.starts_with(&format!("POST /callbacks/{appid}?signature=")));
    assert_eq!(received.query["openid"], openid);
    assert!(received.head.contains("content-type: text/xml"));
    assert!(!received.query.contains_key("msg_signature"));
}

#[tokio::test]
async fn safe_mode_encrypts_everything_but_the_receiver() {
    let receiver = Receiver::accepting().await;
    let world = safe_world(&receiver).await;
    let main = world.main();
    main.deliver(Event::unsubscribe(3).at(1_600_000_000)).await.unwrap();
    let received = receiver.only();
    let rest = received.body.split_once("<Encrypt><![CDATA[").unwrap();
    let to = format!("<xml><ToUserName><![CDATA[{}]]></ToUserName>", main.original_id());
    assert_eq!(rest.0, to);
    let encrypted = rest.1.strip_suffix("]]></Encrypt></xml>").unwrap();
    let message = received.decrypt(&main.callback().unwrap(), main.appid(), encrypted);
    assert!(message.contains("<Event><![CDATA[unsubscribe]]></Event>"), "{message}");
    assert!(message.contains("<CreateTime>1600000000</CreateTime>"), "{message}");
}

#[tokio::test]
async fn compatible_mode_sends_the_message_in_plain_and_encrypted() {
    let receiver = Receiver::accepting().await;
    let mut callback = Callback::made(&receiver.url, 1, "any");
    callback.mode = CallbackMode::Compatible;
    let world = world_of(callback).await;
    let main = world.main();
    main.deliver(Event::scan(3, "shop7")).await.unwrap();
    let received = receiver.only();
    let (clear, rest) = received.body.split_once("<Encrypt><![CDATA[").unwrap();
    let encrypted = rest.strip_suffix("]]></Encrypt></xml>").unwrap();
    let message = received.decrypt(&main.callback().unwrap(), main.appid(), encrypted);
    assert_eq!(message, format!("{clear}</xml>"));
    main.deliver(Event::raw("no XML at all")).await.unwrap();
    assert!(receiver.received()[1].body.starts_with("<xml><ToUserName>"));
}

#[tokio::test]
async fn a_mini_program_can_receive_json() {
    let receiver = Receiver::accepting().await;
    let mut callback = Callback::made(&receiver.url, 1, "any");
    callback.format = CallbackFormat::Json;
    let world = world_of(callback).await;
    let program = world.mini_program().unwrap();
    program.deliver(Event::user_authorization_revoke(3, "6,8")).await.unwrap();
    let received = receiver.only();
    let body: Value = serde_json::from_str(&received.body).unwrap();
    assert_eq!(body["ToUserName"], program.original_id());
    let encrypted = body["Encrypt"].as_str().unwrap();
    let message = received.decrypt(&program.callback().unwrap(), program.appid(), encrypted);
    let message: Value = serde_json::from_str(&message).unwrap();
    assert_eq!(message[" OpenID"], program.person(3).openid);
    assert_ne!(message["FromUserName"], program.person(3).openid);
    assert_eq!(message["RevokeInfo"], "6,8");
    assert_eq!(message["CreateTime"], 1_700_000_000);
    world.main().deliver(Event::text(3, "hello")).await.unwrap();
    assert!(receiver.received()[1].body.starts_with("<xml>"), "Official Accounts always use XML");
}

#[tokio::test]
async fn every_event_has_the_fields_of_wechats_event() {
    let receiver = Receiver::accepting().await;
    let world = plain_world(&receiver).await;
    let main = world.main();
    let person = main.person(3);
    let subject = format!(
        "<OpenID><![CDATA[{}]]></OpenID><UnionID><![CDATA[{}]]></UnionID><AppID><![CDATA[{}]]>",
        person.openid,
        person.unionid.unwrap(),
        main.appid(),
    );
    let choices = [("tpl1", "accept"), ("tpl2", "reject")];
    for (event, expected) in [
        (Event::subscribe(3), "<EventKey><![CDATA[]]></EventKey></xml>"),
        (Event::scan(3, "7"), "<EventKey><![CDATA[7]]></EventKey><Ticket>"),
        (
            Event::template_sent(3, 3_600_000_000_000_000_003, "failed: system failed"),
            "<MsgID>3600000000000000003</MsgID><Status><![CDATA[failed: system failed]]></Status>",
        ),
        (Event::user_info_modified(3, "101"), &subject),
        (Event::user_authorization_cancellation(3), &subject),
        (
            Event::subscribe_msg_popup(3, &choices),
            "<SubscribeMsgPopupEvent><List><TemplateId><![CDATA[tpl1]]></TemplateId>\
             <SubscribeStatusString><![CDATA[accept]]></SubscribeStatusString>",
        ),
        (
            Event::subscribe_msg_change(3, &choices[1..]),
            "<SubscribeMsgChangeEvent><List><TemplateId><![CDATA[tpl2]]></TemplateId>",
        ),
        (
            Event::subscribe_msg_sent(3, "tpl1", 7, (0, "success")),
            "<SubscribeMsgSentEvent><List><TemplateId><![CDATA[tpl1]]></TemplateId>\
             <MsgID><![CDATA[7]]></MsgID><ErrorCode><![CDATA[0]]></ErrorCode>",
        ),
        (Event::text(3, "你好]]>"), "<Content><![CDATA[你好]]]]><![CDATA[>]]></Content><MsgId>"),
        (Event::named(3, "VIEW_LATER"), "<Event><![CDATA[VIEW_LATER]]></Event></xml>"),
        (Event::raw("<xml>raw</xml>"), "<xml>raw</xml>"),
    ] {
        let name = event.name().to_owned();
        main.deliver(event).await.unwrap();
        let body = &receiver.received().last().unwrap().body.clone();
        assert!(body.contains(expected), "{name}: {body}");
    }
}

#[tokio::test]
async fn a_failed_push_is_attempted_three_times() {
    let receiver = Receiver::answering(&[Reaction::Answer(500, "broken")]).await;
    let world = safe_world(&receiver).await;
    let push = world.main().deliver(Event::subscribe(3)).await.unwrap();
    assert_eq!(push.state, PushState::GivenUp);
    let answers: Vec<_> = push.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!(answers, [Some(500); 3]);
    assert_eq!(push.attempts[0].body.as_deref(), Some("broken"));
    let nonces: std::collections::HashSet<_> =
        receiver.received().into_iter().map(|received| received.query["nonce"].clone()).collect();
    assert_eq!(nonces.len(), 3, "each attempt is signed and encrypted again");
}

#[tokio::test]
async fn a_push_ends_with_the_first_success() {
    let reactions = [Reaction::Stall, Reaction::Answer(503, ""), Reaction::Answer(200, "")];
    let receiver = Receiver::answering(&reactions).await;
    let world = plain_world(&receiver).await;
    let id = world.main().push(Event::subscribe(3)).unwrap();
    assert_eq!(world.find_push(id).unwrap().state, PushState::UnderWay);
    world.settled().await;
    let push = world.find_push(id).unwrap();
    assert_eq!(push.state, PushState::Accepted);
    assert_eq!(push.attempts[0].error.as_deref(), Some("no response within 200ms"));
    assert!(push.attempts[0].milliseconds >= 200);
    assert_eq!((push.attempts[1].status, push.attempts[2].status), (Some(503), Some(200)));
    assert_eq!(world.pushes(), [push]);
}

#[tokio::test]
async fn a_push_with_an_unexpected_response_body_is_not_retried() {
    let receiver = Receiver::answering(&[Reaction::Answer(200, "ok")]).await;
    let world = plain_world(&receiver).await;
    let push = world.main().deliver(Event::subscribe(3)).await.unwrap();
    assert_eq!(push.state, PushState::Misunderstood);
    assert_eq!(push.attempts.len(), 1);
}

#[tokio::test]
async fn a_refused_connection_is_attempted_three_times() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let world = world_of(Callback::plain(&url, TOKEN)).await;
    let push = world.main().deliver(Event::subscribe(3)).await.unwrap();
    assert_eq!((push.state, push.attempts.len()), (PushState::GivenUp, 3));
    assert!(push.attempts[2].error.as_deref().unwrap().starts_with("cannot connect"));
}

#[tokio::test]
async fn an_envelope_can_be_sent_twice_or_altered() {
    let receiver = Receiver::answering(&[Reaction::Answer(418, "teapot")]).await;
    let world = safe_world(&receiver).await;
    let main = world.main();
    let mut envelope = main.envelope(Event::subscribe(3)).unwrap();
    for _ in 0..2 {
        let answer = main.post(&envelope).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (418, &b"teapot"[..]));
    }
    envelope.query = envelope.query.replace("timestamp=17", "timestamp=16");
    main.post(&envelope).await.unwrap();
    let lines: Vec<_> = receiver.received().into_iter().map(|request| request.line).collect();
    assert!(lines[0] == lines[1] && lines[1] != lines[2]);
    assert!(world.pushes().is_empty());
}

#[tokio::test]
async fn joins_and_departures_are_pushed_if_enabled() {
    let receiver = Receiver::accepting().await;
    let world = plain_world(&receiver).await;
    let main = world.main();
    main.leave([1]);
    world.settled().await;
    assert!(world.pushes().is_empty());
    world.push_follows(true);
    assert_eq!((main.leave([1, 2, 99]), main.rejoin([1, 5]), main.leave_any(1)), (1, 1, 1));
    let joined = main.join(2);
    world.settled().await;
    let pushes = world.pushes();
    let event = |nth: usize| (pushes[nth].event.as_str(), pushes[nth].person);
    assert_eq!([event(0), event(1)], [("unsubscribe", Some(2)), ("subscribe", Some(1))]);
    assert_eq!(event(2).0, "unsubscribe");
    assert!(!main.is_follower(&main.person(pushes[2].person.unwrap()).openid));
    assert_eq!([event(3).1, event(4).1], [Some(joined.start), Some(joined.start + 1)]);
    assert_eq!((pushes.len(), receiver.received().len()), (5, 5));
    assert!(pushes.iter().all(|push| push.state == PushState::Accepted));
}

#[tokio::test]
async fn an_account_without_a_callback_pushes_nothing() {
    let (world, _) = small_world(10).await;
    let main = world.main();
    world.push_follows(true);
    main.leave([1]);
    assert!(matches!(main.push(Event::subscribe(3)), Err(Undelivered::NoCallback(_))));
    world.set_callback_url("http://127.0.0.1:9/").unwrap();
    assert_eq!(main.callback(), None);
    main.set_callback_url("").unwrap();
    assert!(main.envelope(Event::subscribe(3)).is_ok());
    assert!(matches!(main.check_callback().await, Err(Undelivered::NoUrl(_))));
    main.leave([2]);
    let https = main.set_callback_url("https://127.0.0.1/");
    assert_eq!(https, Err(InvalidCallback::Url("https://127.0.0.1/".to_owned())));
    world.set_callback_url("http://127.0.0.1:9/{appid}").unwrap();
    let url = main.callback().unwrap().url;
    assert_eq!(url, format!("http://127.0.0.1:9/{}", main.appid()));
    assert!(world.pushes().is_empty());
}

#[tokio::test]
async fn a_stopped_sandbox_abandons_its_pushes() {
    let receiver = Receiver::answering(&[Reaction::Stall]).await;
    let world = plain_world(&receiver).await;
    let id = world.main().push(Event::subscribe(3)).unwrap();
    world.stop().await;
    world.settled().await;
    assert_eq!(world.find_push(id).unwrap().state, PushState::GivenUp);
}

#[tokio::test]
async fn the_generated_configuration_contains_the_current_callbacks() {
    let receiver = Receiver::accepting().await;
    let world = safe_world(&receiver).await;
    let callback = world.main().callback().unwrap();
    let program = world.mini_program().unwrap();
    program.set_callback(None).unwrap();
    let config: toml::Table = world.config_toml().parse().unwrap();
    let account = &config["official_accounts"][0];
    assert_eq!(account["callback_token"].as_str(), Some(callback.token.as_str()));
    assert_eq!(account["encoding_aes_key"].as_str(), callback.encoding_aes_key.as_deref());
    assert!(config["mini_programs"][0].get("callback_token").is_none());
    let wrong = Options::default().callback(Callback::plain("", "-"));
    let refused = Sandbox::start(wrong).await.unwrap_err();
    assert_eq!(refused.to_string(), "a callback's token must be 3 to 32 letters and digits");
}

#[tokio::test]
async fn control_routes_set_callbacks_and_send_pushes() {
    let receiver = Receiver::accepting().await;
    let (world, _) = small_world(10).await;
    let body = json!({"url": receiver.url, "format": "json"});
    let set = post(&world, "/sandbox/callback", &body).await;
    let callbacks = set["callbacks"].as_array().unwrap();
    assert_eq!(callbacks.len(), 2);
    assert_eq!(callbacks[0]["check"], "failed: the answer is not the echostr");
    assert_eq!(callbacks[0]["mode"], "safe");
    assert_eq!(callbacks[0]["token"], world.main().callback().unwrap().token);
    let push = json!({"person": 3, "event": "subscribe", "scene": "7"});
    let push = post(&world, "/sandbox/push", &push).await;
    assert_eq!((&push["state"], &push["event"]), (&json!("accepted"), &json!("subscribe")));
    assert_eq!(push["attempts"][0]["status"], 200);
    post(&world, "/sandbox/followers", &json!({"leave": [4]})).await;
    world.settled().await;
    let pushes = get(&world, "/sandbox/pushes").await;
    assert_eq!(pushes["pushes"][1]["event"], "unsubscribe");
    let plain = json!({"appid": world.main().appid(), "url": receiver.url, "token": TOKEN});
    post(&world, "/sandbox/callback", &plain).await;
    let raw = json!({"event": "raw", "content": "<xml/>"});
    post(&world, "/sandbox/push", &raw).await;
    assert_eq!(receiver.received().last().unwrap().body, "<xml/>");
    let head = "POST /sandbox/push HTTP/1.1\r\nhost: x";
    assert_eq!(send(&world, head, "{}").await.unwrap().status, 400);
    world.main().set_callback(None).unwrap();
    let push = r#"{"person": 3, "event": "subscribe"}"#;
    assert_eq!(send(&world, head, push).await.unwrap().status, 409);
}
