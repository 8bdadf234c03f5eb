//! Template messages to followers, and the control routes.

use serde_json::json;

use super::logins::login_path;
use super::*;
use crate::sandbox::{Call, Quirk};

pub(super) fn message(sandbox: &Sandbox, person: u64) -> Value {
    json!({
        "touser": sandbox.main().person(person).openid,
        "template_id": sandbox.main().template_ids()[0],
        "client_msg_id": format!("order-{person}"),
        "data": {
            "character_string1": {"value": "A-1"},
            "thing2": {"value": "雨伞"},
            "time3": {"value": "2026-01-01 12:00"},
        },
    })
}

#[tokio::test]
async fn a_duplicate_message_to_a_follower_is_refused() {
    let (sandbox, token) = small_world(10).await;
    let path = format!("/cgi-bin/message/template/send?access_token={token}");
    let answer = post(&sandbox, &path, &message(&sandbox, 3)).await;
    assert_eq!(answer["errcode"], 0);
    assert!(answer["msgid"].as_i64().unwrap() > 1 << 53);
    assert_eq!(post(&sandbox, &path, &message(&sandbox, 3)).await["errcode"], 40241);
    let sent = sandbox.sent_messages();
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].person, Some(sent[0].msgid)), (3, answer["msgid"].as_i64()));
    assert_eq!((sent[0].call, &sent[0].body), (Call::TemplateSend, &message(&sandbox, 3)));
}

#[tokio::test]
async fn an_invalid_message_returns_its_errcode() {
    let (sandbox, token) = small_world(10).await;
    let path = format!("/cgi-bin/message/template/send?access_token={token}");
    let main = sandbox.main();
    main.quirk([4], Quirk::RefusesTemplates);
    main.quirk([5], Quirk::SendErrcode(43117));
    let program = sandbox.mini_program().unwrap().appid().to_owned();
    let foreign = sandbox.mini_program().unwrap().person(3).openid;
    let changed = |key: &str, value: Value| {
        let mut message = message(&sandbox, 3);
        message[key] = value;
        message
    };
    let mut long = message(&sandbox, 3);
    long["data"]["thing2"]["value"] = "一".repeat(21).into();
    for (message, expected) in [
        (message(&sandbox, 10), 43004),
        (message(&sandbox, 4), 43101),
        (changed("touser", foreign.into()), 40003),
        (changed("template_id", "unknown".into()), 40037),
        (changed("data", json!({})), 47003),
        (long, 47003),
        (changed("miniprogram", json!({"appid": "wx00"})), 40013),
        (changed("miniprogram", json!({"appid": program, "pagepath": "missing/page"})), 40165),
        (changed("template_id", "".into()), 40036),
        (message(&sandbox, 5), 43117),
        (changed("touser", json!(7)), 47001),
    ] {
        assert_eq!(post(&sandbox, &path, &message).await["errcode"], expected, "{message}");
    }
    assert!(sandbox.sent_messages().is_empty());
    let mut page = message(&sandbox, 3);
    page["miniprogram"] = json!({"appid": program, "pagepath": "pages/order?id=7"});
    assert_eq!(post(&sandbox, &path, &page).await["errcode"], 0);
}

#[tokio::test]
async fn a_ban_and_an_exhausted_quota_apply_until_they_are_lifted() {
    let (sandbox, token) = small_world(10).await;
    let path = format!("/cgi-bin/message/template/send?access_token={token}");
    let errcode = async || post(&sandbox, &path, &message(&sandbox, 3)).await["errcode"].clone();
    let main = sandbox.main();
    for banned in [43107, 43116] {
        main.ban_template(&main.template_ids()[0], banned);
        assert_eq!(errcode().await, banned);
    }
    main.lift_ban(&main.template_ids()[0]);
    main.set_quota(Call::TemplateSend, Some(0));
    assert_eq!(errcode().await, 45009);
    main.set_quota(Call::TemplateSend, None);
    assert_eq!(errcode().await, 0);
}

#[tokio::test]
async fn control_routes_change_the_sandbox() {
    let (sandbox, token) = small_world(10).await;
    let moved = post(&sandbox, "/sandbox/followers", &json!({"leave": [1, 2], "join": 5})).await;
    assert_eq!((&moved["left"], &moved["followers"]), (&json!(2), &json!(13)));
    let moved = post(&sandbox, "/sandbox/followers", &json!({"leave": 13})).await;
    assert_eq!(moved["followers"], 0);
    let code = post(&sandbox, "/sandbox/login-codes", &json!({"person": 7})).await;
    let program = sandbox.mini_program().unwrap();
    let login = get(&sandbox, &login_path(&program, code["code"].as_str().unwrap())).await;
    assert_eq!(login["openid"], program.person(7).openid);
    let people = get(&sandbox, "/sandbox/people?from=7&limit=1").await;
    assert_eq!(people["people"][0]["openids"][program.appid()], login["openid"]);
    let head = "POST /sandbox/faults HTTP/1.1\r\nhost: x";
    let rules = "user/get:1:errcode=45011\n\nperson:1:poison\n";
    assert_eq!(send(&sandbox, head, rules).await.unwrap().json()["added"], 2);
    assert_eq!(page(&sandbox, &token, "").await["errcode"], 45011);
    assert_eq!(send(&sandbox, head, "nonsense").await.unwrap().status, 400);
    let stats = get(&sandbox, "/sandbox/stats").await;
    assert_eq!(stats["calls"]["user/get"]["errors"]["45011"], 1);
    assert_eq!(sandbox.main().stats().requests(Call::UserGet), 1);
}
