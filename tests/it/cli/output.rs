//! The output of `demo`, `token`, `config` and `completions`.

use serde_json::Value;
use unionid_bridge::sandbox::{Call, Sandbox};

use crate::harness::{Bridge, run_sync, stderr};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn the_demo_needs_no_configuration_and_shows_openids_with_unionids() {
    let world = Sandbox::with_followers(10).await.unwrap();
    // The demo ignores the operator's configuration, even an invalid one.
    let bridge = Bridge::against(&world, "").with("UNIONID_BRIDGE__SYNC__SCHEDULE", "never");
    let output = bridge.run(&["demo", "--once", "--followers", "2000"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown = text(&output.stdout);
    let people: Vec<Vec<&str>> = shown
        .lines()
        .skip_while(|line| !line.starts_with("OPENID"))
        .skip(1)
        .take(3)
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(people.len(), 3, "{shown}");
    for person in people {
        assert!(person.len() == 2 && person.iter().all(|id| id.len() == 28 && id.starts_with('o')));
    }
    assert!(shown.contains("2000 listed") && shown.contains("20 calls of user/info/batchget"));
    assert_eq!(world.requests(Call::StableToken), 0, "the demo called the configured WeChat");
    assert!(!bridge.database().exists());

    let answers = answers(&shown);
    let [login, resolved, sent, receipt, left] = answers.as_slice() else { panic!("{shown}") };
    let account = &login["official_accounts"][0];
    assert_eq!((&login["new_user"], &account["subscribed"]), (&true.into(), &true.into()));
    assert_eq!((&resolved["status"], &resolved["subscribed"]), (&"resolved".into(), &true.into()));
    assert_eq!(resolved["unionid"], login["unionid"]);
    assert_eq!(resolved["openid"], account["openid"]);
    assert_ne!(resolved["openid"], login["openid"]);
    assert!(["sent", "delivered"].contains(&sent["state"].as_str().unwrap()), "{sent}");
    assert_eq!((&receipt["id"], &receipt["state"]), (&sent["id"], &"delivered".into()));
    assert_eq!((&receipt["openid"], &receipt["msgid"]), (&resolved["openid"], &sent["msgid"]));
    assert_eq!((&left["code"], &left["status"]), (&"unfollowed".into(), &404.into()));
    let commands: Vec<_> = shown.lines().filter(|line| line.starts_with("curl ")).collect();
    assert!(commands.len() == 4 && commands[0].contains(r#""code": ""#), "{commands:?}");
    assert!(commands[1].contains(login["openid"].as_str().unwrap()), "{commands:?}");
}

/// Returns the JSON objects in the output.
fn answers(shown: &str) -> Vec<Value> {
    let mut objects = Vec::new();
    let mut rest = shown;
    while let Some(begin) = rest.find("\n{") {
        let mut stream = serde_json::Deserializer::from_str(&rest[begin..]).into_iter();
        objects.push(stream.next().unwrap().unwrap());
        rest = &rest[begin + stream.byte_offset()..];
    }
    objects
}

#[tokio::test]
async fn the_token_is_shown_from_the_database_and_refreshed_on_request() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let shown = bridge.json(&["token", "show", "main"]).await;
    assert_eq!(shown["appid"], world.main().appid());
    let members: Vec<_> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["access_token", "appid", "expires_at", "expires_in", "obtained_at"]);
    let seconds = shown["expires_in"].as_u64().unwrap();
    assert!((7_100..=7_200).contains(&seconds), "{seconds}");

    let again = bridge.json(&["token", "show", world.main().appid()]).await;
    assert_eq!(again["access_token"], shown["access_token"]);
    assert_eq!(world.requests(Call::StableToken), 1);
    // In normal mode WeChat returns the current token; forced, a new one.
    let refreshed = bridge.json(&["token", "refresh", "main"]).await;
    assert_eq!(refreshed["access_token"], shown["access_token"]);
    let forced = bridge.json(&["token", "refresh", "main", "--force"]).await;
    assert_ne!(forced["access_token"], shown["access_token"]);
    assert_eq!(world.requests(Call::StableToken), 3);
    let plain = bridge.run(&["token", "show", "main"]).await;
    assert_eq!(text(&plain.stdout).trim(), forced["access_token"].as_str().unwrap());
    run_sync(&bridge).await;
}

#[tokio::test]
async fn a_mini_program_has_a_token_too() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let shown = bridge.json(&["token", "show", "shop"]).await;
    assert_eq!(shown["appid"], world.mini_program().unwrap().appid());
}

#[tokio::test]
async fn a_failed_refresh_keeps_the_current_token() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let shown = bridge.json(&["token", "show", "main"]).await;
    world.main().refuse_address(true);
    let failed = bridge.run(&["token", "refresh", "main"]).await;
    assert_eq!(failed.status.code(), Some(78), "{}", stderr(&failed));
    assert!(stderr(&failed).contains("hint: "), "{}", stderr(&failed));
    assert_eq!(
        bridge.json(&["token", "show", "main"]).await["access_token"],
        shown["access_token"]
    );
    run_sync(&bridge).await;
}

#[tokio::test]
async fn the_configuration_is_shown_with_origins_and_without_secrets() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = Bridge::against(&world, "").with("UNIONID_BRIDGE__SYNC__CONCURRENCY", "7");
    let shown = bridge.json(&["config", "show"]).await;
    let setting = |key: &str| -> &Value {
        let all = shown.as_array().unwrap();
        all.iter().find(|setting| setting["key"] == key).unwrap()
    };
    assert_eq!(setting("sync.concurrency")["value"], 7);
    let variable = "environment variable UNIONID_BRIDGE__SYNC__CONCURRENCY";
    assert_eq!(setting("sync.concurrency")["origin"], variable);
    assert_eq!(setting("sync.timezone")["origin"], "default");
    let origin = setting("wechat.base_url")["origin"].as_str().unwrap();
    assert!(origin.starts_with("unionid-bridge.toml"), "{origin}");
    assert!(!shown.to_string().contains(world.main().secret()));

    let checked = bridge.run(&["config", "check"]).await;
    assert_eq!(checked.status.code(), Some(0));
    assert!(stderr(&checked).contains("the configuration is fine"));
}

#[tokio::test]
async fn the_default_configuration_passes_config_check() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let defaults = bridge.run(&["config", "default"]).await;
    std::fs::write(bridge.folder().join("own.toml"), &defaults.stdout).unwrap();
    let checked = bridge.run(&["config", "check", "--config", "own.toml"]).await;
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    let missing = bridge.run(&["config", "check", "--config", "none.toml"]).await;
    assert_eq!(missing.status.code(), Some(78), "{}", stderr(&missing));
}

#[tokio::test]
async fn completions_name_the_commands() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = Bridge::against(&world, "");
    for shell in ["bash", "zsh", "fish"] {
        let output = bridge.run(&["completions", shell]).await;
        assert_eq!(output.status.code(), Some(0));
        let script = text(&output.stdout);
        assert!(script.contains("unionid-bridge") && script.contains("dry-run"), "{shell}");
    }
}
