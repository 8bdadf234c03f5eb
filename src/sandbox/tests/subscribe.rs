//! Subscribe messages to a Mini Program's users.

use chrono::DateTime;
use serde_json::json;

use super::pushes::plain_world;
use super::receiver::Receiver;
use super::*;
use crate::clock::Clock;
use crate::sandbox::{Call, Fault, Outcome, Permission, Quirk, Receipt};

fn message(sandbox: &Sandbox, person: u64) -> Value {
    let program = sandbox.mini_program().unwrap();
    json!({
        "touser": program.person(person).openid,
        "template_id": program.template_ids()[0],
        "page": "pages/order/order?id=7",
        "miniprogram_state": "formal",
        "lang": "zh_CN",
        "data": {
            "character_string1": {"value": "A-1"},
            "thing2": {"value": "雨伞"},
            "amount3": {"value": "¥12.50"},
            "time4": {"value": "2026-01-01 12:00"},
        },
    })
}

async fn send_message(sandbox: &Sandbox, message: &Value) -> Value {
    let token = stable_token(sandbox, &sandbox.mini_program().unwrap()).await;
    post(sandbox, &format!("/cgi-bin/message/subscribe/send?access_token={token}"), message).await
}

#[tokio::test]
async fn each_consent_allows_one_message() {
    let (sandbox, _) = small_world(10).await;
    let program = sandbox.mini_program().unwrap();
    let template = &program.template_ids()[0];
    let refused = send_message(&sandbox, &message(&sandbox, 3)).await;
    assert_eq!(refused["errcode"], 43101);
    program.grant(3, template, 2);
    for _ in 0..2 {
        let answer = send_message(&sandbox, &message(&sandbox, 3)).await;
        assert_eq!(answer["errcode"], 0);
        assert!(answer["msgid"].as_i64().unwrap() > 1 << 53);
    }
    assert_eq!(program.permission(3, template), Permission::Times(0));
    assert_eq!(send_message(&sandbox, &message(&sandbox, 3)).await["errcode"], 43101);
    program.grant(3, template, Permission::Always);
    assert_eq!(send_message(&sandbox, &message(&sandbox, 3)).await["errcode"], 0);
    assert_eq!(send_message(&sandbox, &message(&sandbox, 4)).await["errcode"], 43101);
    let sent = sandbox.sent_messages();
    assert_eq!((sent.len(), sent[0].call, sent[0].person), (3, Call::SubscribeSend, 3));
    let shown = get(&sandbox, "/sandbox/messages").await;
    assert_eq!(shown["messages"][0]["call"], "subscribe/send");
    assert_eq!(shown["messages"][0]["body"], message(&sandbox, 3));
}

#[tokio::test]
async fn a_refused_message_does_not_consume_a_consent() {
    let (sandbox, token) = small_world(10).await;
    let program = sandbox.mini_program().unwrap();
    let template = &program.template_ids()[0];
    program.grant(3, template, 1);
    let changed = |key: &str, value: Value| {
        let mut message = message(&sandbox, 3);
        message[key] = value;
        message
    };
    let mut mistyped = message(&sandbox, 3);
    mistyped["data"]["amount3"]["value"] = "twelve".into();
    for (message, expected) in [
        (changed("touser", sandbox.main().person(3).openid.into()), 40003),
        (changed("template_id", sandbox.main().template_ids()[0].clone().into()), 40037),
        (changed("page", "missing/page".into()), 41030),
        (changed("miniprogram_state", "release".into()), 40097),
        (changed("lang", "fr_FR".into()), 40097),
        (changed("data", json!({})), 47003),
        (mistyped, 47003),
        (changed("data", json!("text")), 47003),
        (changed("touser", json!(7)), 47001),
    ] {
        assert_eq!(send_message(&sandbox, &message).await["errcode"], expected, "{message}");
    }
    program.ban_template(template, 43107);
    assert_eq!(send_message(&sandbox, &message(&sandbox, 3)).await["errcode"], 43107);
    program.lift_ban(template);
    sandbox.fail(Call::SubscribeSend, 1, Fault::Errcode(43108));
    assert_eq!(send_message(&sandbox, &message(&sandbox, 3)).await["errcode"], 43108);
    let path = format!("/cgi-bin/message/subscribe/send?access_token={token}");
    assert_eq!(post(&sandbox, &path, &message(&sandbox, 3)).await["errcode"], 48001);
    assert_eq!(program.permission(3, template), Permission::Times(1));
    assert!(sandbox.sent_messages().is_empty());
    assert_eq!(send_message(&sandbox, &message(&sandbox, 3)).await["errcode"], 0);
}

#[tokio::test]
async fn the_result_of_a_message_is_pushed_to_the_mini_program() {
    let receiver = Receiver::accepting().await;
    let world = plain_world(&receiver).await;
    let program = world.mini_program().unwrap();
    let template = &program.template_ids()[0];
    program.grant(3, template, 2);
    program.quirk([3], Quirk::Receipt(Receipt::of(Outcome::UserBlock).early()));
    world.fail(Call::SubscribeSend, 1, Fault::Receipt(Receipt::default().early()));
    world.settled().await;
    for (nth, code, status) in [(2, 0, "success"), (3, 1, "failed:user block")] {
        let answer = send_message(&world, &message(&world, 3)).await;
        let body = &receiver.received()[nth].body;
        let item = format!(
            "<TemplateId><![CDATA[{template}]]></TemplateId><MsgID><![CDATA[{}]]></MsgID>\
             <ErrorCode><![CDATA[{code}]]></ErrorCode>\
             <ErrorStatus><![CDATA[{status}]]></ErrorStatus>",
            answer["msgid"]
        );
        assert!(body.contains(&item), "{body}");
        assert!(body.contains("<Event><![CDATA[subscribe_msg_sent_event]]></Event>"), "{body}");
    }
}

#[tokio::test]
async fn each_prompt_answer_is_pushed_with_its_own_timestamp() {
    let receiver = Receiver::accepting().await;
    let world = plain_world(&receiver).await;
    let program = world.mini_program().unwrap();
    let template = &program.template_ids()[0];
    program.grant(3, template, 2);
    world.settled().await;
    program.revoke(3, template);
    world.settled().await;
    assert_eq!(program.permission(3, template), Permission::Times(0));
    let mut bodies: Vec<_> =
        receiver.received().into_iter().map(|received| received.body).collect();
    bodies[..2].sort();
    for (body, time, event, answer) in [
        (&bodies[0], 1_699_999_999, "subscribe_msg_popup_event", "accept"),
        (&bodies[1], 1_700_000_000, "subscribe_msg_popup_event", "accept"),
        (&bodies[2], 1_700_000_000, "subscribe_msg_change_event", "reject"),
    ] {
        assert!(body.contains(&format!("<CreateTime>{time}</CreateTime>")), "{body}");
        assert!(body.contains(&format!("<Event><![CDATA[{event}]]></Event>")), "{body}");
        assert!(body.contains(&format!("<SubscribeStatusString><![CDATA[{answer}]]>")), "{body}");
    }
}

#[tokio::test]
async fn a_control_route_grants_consents() {
    let options =
        Options { clock: Clock::manual(DateTime::UNIX_EPOCH), ..Options::with_followers(10) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let templates = sandbox.mini_program().unwrap().template_ids();
    let grant = async |body| post(&sandbox, "/sandbox/grants", &body).await;
    let granted = grant(json!({"person": 3})).await;
    assert_eq!(granted, json!({"template_id": templates[0], "left": {"times": 1}}));
    let granted = grant(json!({"person": 3, "times": 2})).await;
    assert_eq!(granted["left"], json!({"times": 3}));
    let granted = grant(json!({"person": 3, "template_id": templates[1], "always": true})).await;
    assert_eq!(granted, json!({"template_id": templates[1], "left": "always"}));
    assert_eq!(grant(json!({"person": 3, "times": 0})).await["left"], json!({"times": 0}));
    assert_eq!(send_message(&sandbox, &message(&sandbox, 3)).await["errcode"], 43101);
}
