//! `POST /v1/messages`: recipients, channels, and reasons for refusals.

use rstest::rstest;
use serde_json::{Value, json};
use unionid_bridge::model::MessageState;
use unionid_bridge::sandbox::{Call, MiniProgram, OfficialAccount, Options, Quirk};

use crate::harness::{
    Backend, FOLLOWER, LEFT, READER, STRANGER, Sender, UNLINKED, by_openid, status_and_code, until,
};

const SECOND: &str = "wx0a00000000000002";
const SECOND_PROGRAM: &str = "wx3b00000000000002";

/// Two Official Accounts and two Mini Programs.
fn two_of_each() -> Options {
    let mut options = Options::with_followers(30);
    let secret = "5a5d0b0c0a11ce0000000000000000a2";
    options.official_accounts.push(OfficialAccount::new("news", SECOND, secret, 30));
    options.mini_programs.push(MiniProgram::new("games", SECOND_PROGRAM, secret));
    options
}

#[rstest]
#[tokio::test]
async fn a_recipient_can_be_named_by_openid_or_unionid(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let main = sender.world.main();
    let _worker = sender.app.worker();
    let mut whole = sender.message(sender.user(FOLLOWER));
    whole["url"] = json!("https://example.com/orders?id=1");
    whole["miniprogram"] = json!({ "appid": sender.program().appid(), "pagepath": "pages/a?id=1" });
    whole["official_account"] = json!(main.appid());
    whole["data"]["thing2"] = json!({ "value": "伞", "color": "#173177" });
    let ids = [
        sender.send_accepted(whole.clone()).await,
        sender.send_accepted(sender.message(sender.unionid(READER))).await,
        sender.send_accepted(sender.message(by_openid(&main, READER + 1))).await,
    ];
    until("the messages", || sender.world.sent_messages().len() == 3).await;
    let sent = sender.world.sent_messages();
    for (id, person) in ids.iter().zip([FOLLOWER, READER, READER + 1]) {
        let sent = sent.iter().find(|sent| sent.client_msg_id.as_ref() == Some(id)).unwrap();
        assert_eq!((sent.person, &sent.openid), (person, &main.person(person).openid));
    }
    let sent = sent.iter().find(|sent| sent.person == FOLLOWER).unwrap();
    for member in ["url", "miniprogram"] {
        assert_eq!(sent.body[member], whole[member]);
    }
    assert_eq!(sent.body["data"]["thing2"], whole["data"]["thing2"]);
    assert_eq!(sent.body["data"]["time3"], json!({ "value": "2026-01-01 12:00" }));

    sender.app.wait_for_state(&ids[0].parse().unwrap(), MessageState::Sent).await;
    let shown = sender.get_message(&ids[0]).await;
    let attempt = &shown["attempts"][0];
    assert_eq!((&attempt["outcome"], attempt.as_object().unwrap().len()), (&json!("accepted"), 2));
    assert!(sent.msgid > 1 << 53);
    assert_eq!(
        shown,
        json!({
            "id": ids[0],
            "state": "sent",
            "channel": "template",
            "appid": main.appid(),
            "openid": main.person(FOLLOWER).openid,
            "unionid": main.person(FOLLOWER).unionid,
            "template_id": main.template_ids()[0],
            "msgid": sent.msgid,
            "msgid_text": sent.msgid.to_string(),
            "reason": null,
            "attempts": [attempt],
            "accepted_at": shown["accepted_at"],
            "sent_at": shown["sent_at"],
            "finished_at": null,
            "next_attempt_at": null,
        })
    );
    for instant in [&shown["accepted_at"], &shown["sent_at"], &attempt["at"]] {
        assert!(instant.as_str().unwrap().ends_with('Z'), "{shown}");
    }
}

#[rstest]
#[tokio::test]
async fn an_unreachable_recipient_is_rejected_by_code_and_nothing_is_stored(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let (main, subscribe) = (sender.world.main(), sender.subscribe());
    for (person, code) in [
        (2_000, "user_unknown"),
        (UNLINKED, "no_unionid"),
        (STRANGER, "not_a_follower"),
        (LEFT, "unfollowed"),
    ] {
        let answer = sender.send(sender.message(sender.user(person))).await;
        assert_eq!(status_and_code(&answer), (404, code.into()));
        assert!(answer.json()["hint"].is_string(), "{answer:?}");
        assert!(!answer.text.contains(&sender.program().person(person).openid));
    }
    let left = sender.send(sender.message(by_openid(&main, LEFT))).await;
    assert_eq!(status_and_code(&left), (404, "unfollowed".into()));
    let answer = sender.send(json!({ "to": sender.unionid(READER), "subscribe": subscribe })).await;
    assert_eq!(status_and_code(&answer), (404, "not_a_user".into()));
    let unseen = json!({ "to": by_openid(&main, 2_000), "subscribe": subscribe });
    let answer = sender.send(unseen).await;
    assert_eq!(status_and_code(&answer), (404, "user_unknown".into()));
    let follower = by_openid(&main, FOLLOWER);
    for (member, value, expected) in [
        ("template_id", json!("none-such"), (404, "template_unknown")),
        ("official_account", json!("wx0000000000000000"), (404, "official_account_unknown")),
        ("official_account", json!(sender.program().appid()), (404, "official_account_unknown")),
        ("to", json!({ "appid": "wx0", "openid": "oA" }), (404, "account_unknown")),
    ] {
        let mut message = sender.message(follower.clone());
        message[member] = value;
        let answer = sender.send(message).await;
        assert_eq!(status_and_code(&answer), (expected.0, expected.1.into()));
        assert!(answer.json()["hint"].is_string(), "{answer:?}");
    }
    let mut elsewhere = subscribe;
    elsewhere["appid"] = json!(main.appid());
    let answer = sender.send(json!({ "to": follower, "subscribe": elsewhere })).await;
    assert_eq!(status_and_code(&answer), (404, "mini_program_unknown".into()));
    assert_eq!(sender.ids("").await, [""; 0]);
}

#[rstest]
#[tokio::test]
async fn data_that_wechat_would_reject_is_reported_field_by_field(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let mut message = sender.message(sender.user(FOLLOWER));
    message["data"] = json!({ "character_string1": "中文", "thnig2": "x", "time3": " " });
    message["url"] = json!("ftp://example.com");
    let mut fallback = sender.subscribe();
    let answer = sender.send(message.clone()).await;
    assert_eq!(status_and_code(&answer), (400, "data_invalid".into()));
    let problem = answer.json();
    let errors = problem["errors"].as_array().unwrap();
    let fields: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
    let expected = ["data.thing2", "data.thnig2", "data.character_string1", "data.time3", "url"];
    assert_eq!(fields, expected);
    assert!(errors.iter().all(|error| !error["problem"].as_str().unwrap().is_empty()));
    assert!(!answer.text.contains("中文"), "{answer:?}");

    let mut message = sender.message(sender.user(FOLLOWER));
    message["data"] = Value::Null;
    assert_eq!(sender.send(message.clone()).await.json()["errors"].as_array().unwrap().len(), 3);
    fallback["data"]["amount3"] = json!("free");
    let mut message = sender.message(sender.user(FOLLOWER));
    message["fallback"] = json!({ "subscribe": fallback });
    let answer = sender.send(message).await;
    assert_eq!(status_and_code(&answer), (400, "data_invalid".into()));
    assert_eq!(answer.json()["errors"][0]["field"], "fallback.subscribe.data.amount3");
    let mut subscribe = sender.subscribe();
    subscribe["data"].as_object_mut().unwrap().remove("amount3");
    let answer = sender.send(json!({ "to": sender.user(FOLLOWER), "subscribe": subscribe })).await;
    assert_eq!(status_and_code(&answer), (400, "data_invalid".into()));
    assert_eq!(answer.json()["errors"][0]["field"], "subscribe.data.amount3");
    assert_eq!(sender.ids("").await, [""; 0]);
}

#[rstest]
#[tokio::test]
async fn a_user_who_refused_a_template_is_not_sent_it_again(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let _worker = sender.app.worker();
    let main = sender.world.main();
    main.quirk([FOLLOWER], Quirk::RefusesTemplates);
    let message = sender.message(sender.user(FOLLOWER));
    let answer = sender.post("/v1/messages?wait=true", message.clone()).await;
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("failed")));
    assert_eq!(answer.json()["reason"], "refused_by_user");
    let answer = sender.send(message).await;
    assert_eq!(status_and_code(&answer), (403, "refused_by_user".into()));
    assert_eq!(sender.world.requests(Call::TemplateSend), 1);
    let query = format!("appid={}&openid={}", main.appid(), main.person(FOLLOWER).openid);
    let consents = sender.get(&format!("/v1/consents?{query}")).await;
    assert_eq!(consents.status, 200, "{consents:?}");
    let consents = consents.json();
    let expected = json!([{
        "template_id": main.template_ids()[0],
        "status": "refused",
        "changed_at": consents["data"][0]["changed_at"],
    }]);
    assert_eq!(consents, json!({ "data": expected, "next_cursor": null }));
    let query = format!("appid={}&openid={}", main.appid(), main.person(READER).openid);
    let nothing = sender.get(&format!("/v1/consents?{query}")).await;
    assert_eq!(nothing.json(), json!({ "data": [], "next_cursor": null }));
}

#[rstest]
#[tokio::test]
async fn a_fallback_is_sent_only_to_users_who_do_not_follow(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(sender) = Sender::on(backend).await else { return };
    let _worker = sender.app.worker();
    let program = sender.program();
    for person in [FOLLOWER, LEFT, STRANGER] {
        sender.grant_consent(person);
    }
    let mut subscribe = sender.subscribe();
    subscribe["page"] = json!("pages/order?id=1");
    subscribe["miniprogram_state"] = json!("trial");
    subscribe["lang"] = json!("en_US");
    for (person, channel) in [(FOLLOWER, "template"), (LEFT, "subscribe"), (STRANGER, "subscribe")]
    {
        let mut message = sender.message(sender.user(person));
        message["fallback"] = json!({ "subscribe": subscribe });
        let answer = sender.post("/v1/messages?wait=true", message).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let shown = answer.json();
        assert_eq!((&shown["channel"], &shown["state"]), (&json!(channel), &json!("sent")));
    }
    // A subscribe message on its own.
    let alone = json!({ "to": sender.unionid(STRANGER), "subscribe": subscribe });
    let answer = sender.post("/v1/messages?wait=true", alone).await;
    assert_eq!((answer.status, &answer.json()["appid"]), (200, &json!(program.appid())));
    let sent = sender.world.sent_messages();
    let of_program: Vec<_> = sent.iter().filter(|sent| sent.appid == program.appid()).collect();
    let people: Vec<_> = of_program.iter().map(|sent| sent.person).collect();
    assert_eq!((sent.len(), people), (4, vec![LEFT, STRANGER, STRANGER]));
    for member in ["page", "miniprogram_state", "lang"] {
        assert_eq!(of_program[0].body[member], subscribe[member]);
    }
    // For somebody who does not use the Mini Program either, the error is that of the message itself.
    let mut message = sender.message(sender.unionid(2_000));
    message["fallback"] = json!({ "subscribe": subscribe });
    assert_eq!(status_and_code(&sender.send(message).await), (404, "user_unknown".into()));
}

#[tokio::test]
async fn an_invalid_request_is_rejected_with_the_invalid_field() {
    let sender = Sender::on(Backend::Sqlite).await.unwrap();
    let good = sender.message(sender.user(FOLLOWER));
    let with = |member: &str, value: Value| {
        let mut message = good.clone();
        message[member] = value;
        message
    };
    let jump = |pagepath: Value| json!({ "appid": "wx3b00000000000001", "pagepath": pagepath });
    let subscribe = |member: &str, value: Value| {
        let mut subscribe = sender.subscribe();
        subscribe[member] = value;
        json!({ "to": sender.user(FOLLOWER), "subscribe": subscribe })
    };
    let no_target = json!({ "template_id": "t", "data": {} });
    for (body, text) in [
        (json!({ "to": sender.user(FOLLOWER) }), "`template_id`"),
        (with("subscribe", sender.subscribe()), "`subscribe` alone"),
        (no_target, "missing field `to`"),
        (with("to", json!({ "appid": "wx1" })), "`to`"),
        (with("to", json!({ "unionid": "o\u{202e}" })), "`to.unionid`"),
        (with("templateid", json!("t")), "`templateid`"),
        (with("template_id", json!("t' OR 1=1")), "`template_id`"),
        (with("template_id", json!("t\u{0}")), "`template_id`"),
        (with("data", json!({ "thing2": 5 })), "`data.thing2`"),
        (with("data", json!({ "thing2": { "value": "x", "colour": "" } })), "`data.thing2"),
        (with("data", json!({ "thing2": "a\u{0}b" })), "`thing2` contains control characters"),
        (with("data", json!({ "thing\u{202e}2": "a" })), "is not a valid"),
        (with("data", json!({ "thing2": "x".repeat(9_000) })), "`data`"),
        (with("data", json!("thing2=x")), "`data`"),
        (with("url", json!("https://example.com/\u{0}")), "`url`"),
        (with("url", json!("https://example.com/\u{202e}")), "`url`"),
        (with("url", json!("https://example.com/".repeat(200))), "`url`"),
        (with("miniprogram", jump(json!("a\nb"))), "`miniprogram.pagepath`"),
        (with("miniprogram", json!({ "pagepath": "a" })), "`miniprogram`"),
        (with("miniprogram", json!({ "appid": "wx1", "path": "a" })), "`miniprogram.path`"),
        (with("fallback", json!({})), "`fallback`"),
        (with("fallback", json!({ "subscribe": {} })), "`fallback.subscribe`"),
        (subscribe("page", json!("a\u{7}")), "`subscribe.page`"),
        (subscribe("miniprogram_state", json!("beta")), "`subscribe.miniprogram_state`"),
        (subscribe("lang", json!("en")), "`subscribe.lang`"),
        (subscribe("url", json!("https://example.com")), "`subscribe.url`"),
    ] {
        let answer = sender.send(body.clone()).await;
        assert_eq!(status_and_code(&answer), (400, "invalid_body".into()), "{body:.200}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(text), "{text}: {detail}");
    }
    for query in ["wait=yes", "wait=", "wait", "wait=true&wait=true", "waits=true", "wait=%00"] {
        let answer = sender.post(&format!("/v1/messages?{query}"), good.clone()).await;
        assert_eq!(status_and_code(&answer), (400, "invalid_query".into()), "{query}");
    }
    let huge = with("data", json!({ "thing2": "x".repeat(20_000) }));
    assert_eq!(status_and_code(&sender.send(huge).await), (413, "body_too_large".into()));
    assert_eq!(sender.ids("").await, [""; 0]);
}

#[tokio::test]
async fn a_message_needs_a_named_account_that_the_key_allows() {
    let sender = Sender::in_world(two_of_each(), Backend::Sqlite).await.unwrap();
    let (main, program) = (sender.world.main(), sender.program());
    let follower = by_openid(&main, FOLLOWER);
    let of = |official: &str, to: &Value| {
        let mut message = sender.message(to.clone());
        message["official_account"] = json!(official);
        message
    };
    let by = |program: &str, to: &Value| {
        let mut subscribe = sender.subscribe();
        subscribe["appid"] = json!(program);
        json!({ "to": to, "subscribe": subscribe })
    };
    let answer = sender.send(sender.message(follower.clone())).await;
    assert_eq!(status_and_code(&answer), (400, "official_account_needed".into()));
    assert!(answer.json()["hint"].as_str().unwrap().contains(SECOND), "{answer:?}");
    let answer = sender.send(json!({ "to": follower, "subscribe": sender.subscribe() })).await;
    assert_eq!(status_and_code(&answer), (400, "mini_program_needed".into()));
    assert!(answer.json()["hint"].as_str().unwrap().contains(SECOND_PROGRAM), "{answer:?}");

    let some = sender.key_for(&[main.appid(), program.appid()]).await;
    let send = async |key: &str, body: Value| {
        sender.service.post("/v1/messages", body).key(key).send().await
    };
    let user = sender.user(FOLLOWER);
    let answer = send(&some, of(main.appid(), &user)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let abroad = by_openid(&sender.world.account(SECOND).unwrap(), FOLLOWER);
    let mut falls_back = of(main.appid(), &user);
    falls_back["fallback"] = json!({ "subscribe": by(SECOND_PROGRAM, &user)["subscribe"] });
    for body in
        [of(SECOND, &user), of(main.appid(), &abroad), by(SECOND_PROGRAM, &user), falls_back]
    {
        let answer = send(&some, body.clone()).await;
        assert_eq!(status_and_code(&answer), (403, "app_not_allowed".into()), "{body}");
        let batch = batch_of(body);
        let answer = sender.service.post("/v1/messages/batch", batch).key(&some).send().await;
        assert_eq!(status_and_code(&answer), (403, "app_not_allowed".into()));
    }

    // A key does not see messages of other accounts.
    let other = sender.key_for(&[SECOND]).await;
    let get = async |key: &str, path: &str| sender.service.get(path).key(key).send().await;
    let path = format!("/v1/messages/{id}");
    assert_eq!(get(&some, &path).await.status, 200);
    assert_eq!(status_and_code(&get(&other, &path).await), (404, "message_unknown".into()));
    assert_eq!(get(&other, "/v1/messages").await.json()["data"], json!([]));
    assert_eq!(get(&other, "/v1/message-counts").await.json()["data"], json!([]));
    for path in ["/v1/messages", "/v1/message-counts", "/v1/consents"] {
        let query = if path == "/v1/consents" { "&openid=oA" } else { "" };
        for (appid, expected) in [(main.appid(), (403, "app_not_allowed")), (SECOND, (200, ""))] {
            let answer = get(&other, &format!("{path}?appid={appid}{query}")).await;
            assert_eq!(status_and_code(&answer), (expected.0, expected.1.into()), "{path} {appid}");
        }
        let answer = get(&sender.key, &format!("{path}?appid=wx0{query}")).await;
        assert_eq!(status_and_code(&answer), (404, "account_unknown".into()), "{path}");
    }
}

/// The same message as a batch with one target.
fn batch_of(mut message: Value) -> Value {
    let to = message.as_object_mut().unwrap().remove("to");
    message["targets"] = json!([{ "to": to }]);
    message
}
