//! Exit codes and hints of failures, and that nothing is lost.

use rstest::rstest;
use serde_json::Value;
use unionid_bridge::sandbox::{Call, Sandbox};

use crate::harness::{Bridge, eventually, run_sync, stderr, world_of_pages};

/// Runs a command that must exit with `code`. Returns its stderr.
async fn stderr_of(bridge: &Bridge, arguments: &[&str], code: i32) -> String {
    let output = bridge.run(arguments).await;
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
    stderr(&output)
}

fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[tokio::test]
async fn an_exhausted_quota_exits_with_75_and_the_run_resumes_after_the_reset() {
    let world = world_of_pages(4, 500).await;
    world.main().set_quota(Call::UserInfoBatchget, Some(12));
    let bridge = Bridge::against(&world, "");
    let output = bridge.run(&["sync", "--json"]).await;
    assert_eq!(output.status.code(), Some(75), "{}", stderr(&output));
    assert_contains(&stderr(&output), &["45009", "may resume from"]);
    let paused: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Which of the calls in flight were within the quota is random.
    let pages = paused[0]["pages"].as_u64().unwrap();
    assert_eq!((&paused[0]["state"], pages <= 2), (&"paused".into(), true));
    assert!(paused[0]["error"].as_str().unwrap().contains("45009"), "{paused}");
    assert_eq!(world.requests(Call::ClearQuota), 0);

    // Pages that were not committed are fetched again.
    world.main().set_quota(Call::UserInfoBatchget, None);
    let run = run_sync(&bridge).await;
    assert_eq!((&run["id"], &run["resumed_at_page"]), (&paused[0]["id"], &(pages + 1).into()));
    bridge.assert_mirrors(&world).await;
}

#[tokio::test]
async fn sync_exits_with_75_while_another_process_syncs_the_account() {
    let world = world_of_pages(4, 500).await;
    let bridge = Bridge::against(&world, "[sync]\nlease_seconds = 1");
    let mut first = bridge.command(&["sync"]);
    first.env("FAILPOINTS", "sync.listed=sleep(2500)");
    let mut first = first.spawn().unwrap();
    eventually("four pages", async || bridge.json(&["runs", "list"]).await[0]["pages"] == 4).await;
    let text = stderr_of(&bridge, &["sync"], 75).await;
    assert_contains(&text, &["another process is syncing wx0a00000000000001", "hint:"]);
    assert_eq!(first.wait().await.unwrap().code(), Some(0));
    assert_eq!(bridge.json(&["runs", "list"]).await.as_array().unwrap().len(), 1);
    bridge.assert_mirrors(&world).await;
}

#[tokio::test]
async fn a_wrong_secret_exits_with_78_and_a_hint() {
    let world = Sandbox::with_followers(100).await.unwrap();
    let bridge = Bridge::against(&world, "")
        .with("UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__0__SECRET", "0123456789abcdef0123456789abcdef");
    for arguments in [&["sync"][..], &["token", "show", "main"]] {
        assert_contains(&stderr_of(&bridge, arguments, 78).await, &["40125", "hint:"]);
    }
}

#[tokio::test]
async fn a_rejected_ip_address_is_printed_for_the_whitelist() {
    let world = Sandbox::with_followers(100).await.unwrap();
    world.main().refuse_address(true);
    let bridge = Bridge::against(&world, "");
    let text = stderr_of(&bridge, &["sync"], 78).await;
    assert_contains(&text, &["40164", "hint: add 127.0.0.1 to the account's IP whitelist"]);
}

#[tokio::test]
async fn a_missing_permission_fails_the_run_and_keeps_the_mirror() {
    let world = Sandbox::with_followers(300).await.unwrap();
    let bridge = Bridge::against(&world, "");
    run_sync(&bridge).await;
    world.main().set_unauthorized(true);
    assert_contains(&stderr_of(&bridge, &["sync"], 78).await, &["48001", "hint:"]);
    world.main().set_unauthorized(false);
    bridge.assert_mirrors(&world).await;
    let run = run_sync(&bridge).await;
    assert_eq!((&run["known"], &run["unfollowed"]), (&300.into(), &0.into()));
}

#[tokio::test]
async fn an_unknown_account_name_gets_a_suggestion() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = Bridge::against(&world, "");
    for arguments in [&["sync", "mian"][..], &["token", "show", "mian"]] {
        assert_contains(&stderr_of(&bridge, arguments, 78).await, &["mian", "main"]);
    }
    assert_eq!(world.requests(Call::UserGet), 0);
}

#[tokio::test]
async fn all_configuration_errors_are_reported_at_once() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = Bridge::against(&world, "[sync]\nschedule = 'at night'\nconcurency = 4")
        .with("UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__0__APPID", "gh_notanappid");
    for arguments in [&["config", "check"][..], &["sync"], &["serve"], &["migrate", "up"]] {
        let text = stderr_of(&bridge, arguments, 78).await;
        let wrong =
            ["official_accounts.0.appid", "sync.schedule", "sync.concurency", "concurrency"];
        assert_contains(&text, &wrong);
    }
    let mistakes = bridge.json(&["config", "check"]).await;
    assert_eq!(mistakes.as_array().unwrap().len(), 3, "{mistakes}");
    assert!(!bridge.database().exists());
}

#[rstest]
#[case::sqlite("sqlite:///nowhere/at/all/bridge.db?mode=rwc")]
#[case::postgres("postgres://nobody:canary@127.0.0.1:1/none")]
#[case::mysql("mysql://nobody:canary@127.0.0.1:1/none")]
#[tokio::test]
async fn an_unreachable_database_fails_with_a_hint(#[case] url: &str) {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = Bridge::on(&world, url, "");
    for arguments in [&["sync"][..], &["migrate", "up"], &["runs"]] {
        let text = stderr_of(&bridge, arguments, 1).await;
        assert_contains(&text, &["error: ", "hint: check database.url"]);
        assert!(!text.contains("canary"), "{text}");
    }
}

#[tokio::test]
async fn wrong_usage_exits_with_2() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = Bridge::against(&world, "");
    for arguments in [
        &["sync", "--faster"][..],
        &["sink"],
        &["runs", "show", "first"],
        &["sync", "--dry-run", "--restart"],
        &[],
    ] {
        stderr_of(&bridge, arguments, 2).await;
    }
}
