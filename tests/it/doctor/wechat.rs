//! Calls that WeChat refuses, and quotas that are used up.

use rstest::rstest;
use unionid_bridge::sandbox::{Call, Fault, Sandbox};

use super::{Report, synced};

const SECRET: &str = "UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__0__SECRET";
const OTHER_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Breaks the sandbox. Returns the check that must fail, and parts of its text.
fn broken(world: &Sandbox, how: &str) -> (&'static str, &'static [&'static str]) {
    let refuse = |call, errcode| _ = world.fail(call, 1.., Fault::Errcode(errcode));
    match how {
        "address" => {
            world.main().refuse_address(true);
            ("access-token", &["40164", "add 127.0.0.1 to the account's IP whitelist"])
        }
        "appid" => {
            refuse(Call::StableToken, 40013);
            ("access-token", &["40013", "case-sensitive"])
        }
        "secret" => {
            refuse(Call::StableToken, 40125);
            ("access-token", &["40125", "reset the AppSecret"])
        }
        "frozen secret" => {
            refuse(Call::StableToken, 40243);
            ("access-token", &["40243", "unfreeze"])
        }
        "permission" => {
            world.main().set_unauthorized(true);
            ("follower-list", &["48001", "verified"])
        }
        "batches" => {
            refuse(Call::UserInfoBatchget, 48001);
            ("unionids", &["48001", "sync.profile_api"])
        }
        "binding" => {
            world.main().unbind();
            ("unionids", &["0 of 10", "Open Platform account"])
        }
        "quota" => {
            world.main().set_quota(Call::UserGet, Some(1));
            world.main().reset_quotas();
            ("quota", &["0 of 1 left today", "higher quota"])
        }
        "program's secret" => {
            refuse(Call::Jscode2session, 40125);
            ("login-secret", &["40125", "reset the AppSecret"])
        }
        "program's appid" => {
            refuse(Call::Jscode2session, 40013);
            ("login-secret", &["40013", "case-sensitive"])
        }
        "outage" => {
            for call in Call::ALL {
                world.fail(*call, 1.., Fault::HttpStatus(502));
            }
            ("wechat-answer", &["502", "wechat.base_url"])
        }
        other => panic!("unknown case {other}"),
    }
}

#[rstest]
#[tokio::test]
async fn a_wechat_error_fails_its_check_with_a_hint(
    #[values(
        "address",
        "appid",
        "secret",
        "frozen secret",
        "permission",
        "batches",
        "binding",
        "quota",
        "program's secret",
        "program's appid",
        "outage"
    )]
    how: &str,
) {
    let world = Sandbox::with_followers(300).await.unwrap();
    let bridge = synced(&world).await;
    let (name, words) = broken(&world, how);
    let report = Report::of(&bridge).await;
    report.assert(name, "fail", words);
    for name in ["database", "last-run", "held-run"] {
        report.assert(name, "ok", &[]);
    }
}

#[tokio::test]
async fn a_changed_secret_is_noticed_although_the_token_still_works() {
    let world = Sandbox::with_followers(300).await.unwrap();
    let bridge = synced(&world).await.with(SECRET, OTHER_SECRET);
    let report = Report::of(&bridge).await;
    report.assert("access-token", "fail", &["40125"]);
    report.assert("follower-list", "skipped", &["no access token"]);
}

#[tokio::test]
async fn doctor_does_not_force_a_token_refresh() {
    let world = Sandbox::with_followers(300).await.unwrap();
    let bridge = synced(&world).await;
    let before = bridge.json(&["token", "show", "main"]).await;
    for _ in 0..2 {
        Report::of(&bridge).await.assert("access-token", "ok", &[]);
    }
    let after = bridge.json(&["token", "show", "main"]).await;
    assert_eq!(after["access_token"], before["access_token"]);
}

#[tokio::test]
async fn an_exhausted_quota_is_a_warning_and_not_a_failure() {
    let world = Sandbox::with_followers(300).await.unwrap();
    let bridge = synced(&world).await;
    // The sync made three calls; the next sync needs one.
    world.main().set_quota(Call::UserInfoBatchget, Some(3));
    let report = Report::of(&bridge).await;
    report.assert("quota", "warn", &["0 of 3 left today", "midnight"]);
    report.assert("unionids", "skipped", &["45009"]);

    world.main().set_quota(Call::UserGet, Some(2));
    let report = Report::of(&bridge).await;
    report.assert("follower-list", "warn", &["45009", "midnight"]);
    report.assert("quota", "warn", &["0 of 2 left today"]);
}
