//! `send` on the command line.

use serde_json::json;
use unionid_bridge::sandbox::{Call, Fault, Quirk, Sandbox, When};

use crate::harness::{Bridge, stderr};

const DATA: [&str; 6] = [
    "--data",
    "character_string1=A-1",
    "--data",
    "thing2=雨伞",
    "--data",
    "time3=2026-11-22 12:00",
];

fn to_follower(world: &Sandbox, person: u64) -> Vec<String> {
    let openid = world.main().person(person).openid;
    let template = world.main().template_ids()[0].clone();
    let words = ["send", "--from", "main", "--openid", &openid, "--template", &template];
    words.iter().chain(&DATA).map(|word| (*word).to_owned()).collect()
}

fn words(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn send_sends_a_template_message_and_reports_its_msgid() {
    let world = Sandbox::with_followers(20).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let mut arguments = to_follower(&world, 3);
    arguments.extend(["--mini-program", "shop", "--page", "pages/a?id=1"].map(str::to_owned));
    let sent = bridge.json(&words(&arguments)).await;
    assert_eq!(sent["state"], "sent", "{sent}");
    let accepted = world.sent_messages();
    assert_eq!(accepted.len(), 1);
    assert_eq!((accepted[0].person, sent["msgid"].as_i64()), (3, Some(accepted[0].msgid)));
    assert_eq!(accepted[0].client_msg_id.as_deref(), sent["id"].as_str());
    // As in the API, for clients that read numbers as doubles.
    assert_eq!(sent["msgid_text"], accepted[0].msgid.to_string());
    let appid = world.mini_program().unwrap().appid().to_owned();
    let jump = json!({ "appid": appid, "pagepath": "pages/a?id=1" });
    assert_eq!(accepted[0].body["miniprogram"], jump);
    assert_eq!(accepted[0].body["data"]["thing2"], json!({ "value": "雨伞" }));
}

#[tokio::test]
async fn send_reports_invalid_data_and_unknown_users_without_sending() {
    let world = Sandbox::with_followers(20).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let mut wrong = to_follower(&world, 3);
    wrong.extend(["--data", "time3=soon", "--data", "thnig4=x"].map(str::to_owned));
    let template = world.main().template_ids()[0].clone();
    let stranger: Vec<String> =
        ["send", "--unionid", "oStranger", "--template", &template].map(str::to_owned).into();
    let stranger = [stranger, DATA.map(str::to_owned).into()].concat();
    for (arguments, expected) in [
        (&wrong, &["data_invalid", "data.time3", "data.thnig4", "hint: "][..]),
        (&stranger, &["user_unknown", "hint: "]),
    ] {
        let refused = bridge.run(&words(arguments)).await;
        assert_eq!(refused.status.code(), Some(1));
        let text = stderr(&refused);
        assert!(expected.iter().all(|part| text.contains(part)), "{text}");
    }
    assert!(world.sent_messages().is_empty());
}

#[tokio::test]
async fn the_exit_code_distinguishes_failed_and_queued_messages() {
    let world = Sandbox::with_followers(20).await.unwrap();
    let bridge = Bridge::against(&world, "");
    world.main().quirk([4], Quirk::RefusesTemplates);
    let refused = bridge.run(&words(&to_follower(&world, 4))).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("refused_by_user"), "{}", stderr(&refused));

    world.fail(Call::TemplateSend, When::Always, Fault::Errcode(45009));
    let mut arguments = to_follower(&world, 5);
    arguments.extend(["--wait", "3"].map(str::to_owned));
    let queued = bridge.run(&words(&arguments)).await;
    assert_eq!(queued.status.code(), Some(75), "{}", stderr(&queued));
    assert!(stderr(&queued).contains("stays queued"), "{}", stderr(&queued));
}

#[tokio::test]
async fn send_exits_with_75_only_if_retries_leave_the_outcome_unknown() {
    let world = Sandbox::with_followers(20).await.unwrap();
    let bridge = Bridge::against(&world, "");
    world.fail(Call::TemplateSend, 1, Fault::HttpStatus(502));
    let sent = bridge.run(&words(&to_follower(&world, 3))).await;
    assert_eq!(sent.status.code(), Some(0), "{}", stderr(&sent));

    world.fail(Call::TemplateSend, When::Always, Fault::HttpStatus(502));
    let mut arguments = to_follower(&world, 5);
    arguments.extend(["--wait", "3"].map(str::to_owned));
    let unknown = bridge.run(&words(&arguments)).await;
    assert_eq!(unknown.status.code(), Some(75), "{}", stderr(&unknown));
    let (data, text) = (String::from_utf8(unknown.stdout.clone()).unwrap(), stderr(&unknown));
    assert!(data.contains(" unknown") && text.contains("sent again"), "{data} {text}");
    assert!(text.contains("answer_lost: ") && text.contains("502"), "{text}");
}

#[tokio::test]
async fn send_rejects_options_that_the_message_would_ignore() {
    let world = Sandbox::with_followers(20).await.unwrap();
    let bridge = Bridge::against(&world, "");
    for (added, option) in [
        (vec!["--page", "pages/a"], "--mini-program"),
        (vec!["--app", "shop", "--url", "https://example.com"], "--url"),
        (vec!["--app", "shop", "--mini-program", "shop"], "--mini-program"),
    ] {
        let mut arguments = to_follower(&world, 3);
        arguments.extend(added.into_iter().map(str::to_owned));
        let refused = bridge.run(&words(&arguments)).await;
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        let text = stderr(&refused);
        assert!(text.contains(option) && text.contains("hint: "), "{text}");
    }
    assert!(world.sent_messages().is_empty());
}
