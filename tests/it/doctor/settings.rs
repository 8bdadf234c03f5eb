//! Invalid configurations, and files with too open permissions.

use std::os::unix::fs::PermissionsExt;

use unionid_bridge::doctor::Name;
use unionid_bridge::sandbox::{Call, Sandbox};

use super::{Report, private};
use crate::harness::Bridge;

#[tokio::test]
async fn configuration_errors_are_reported_and_all_other_checks_skipped() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = Bridge::against(&world, "[sync]\nschedule = 'at night'\nconcurency = 4")
        .with("UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__0__ENCODING_AES_KEY", &"x".repeat(43));
    let report = Report::of(&bridge).await;
    assert_eq!(report.names("fail"), ["configuration"; 3]);
    let text = report.0.to_string();
    for word in ["sync.schedule", "did you mean `concurrency`?", "callback_token", "needs it"] {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
    assert_eq!(report.names("skipped").len(), Name::ALL.len() - 1);
    assert_eq!(world.requests(Call::StableToken), 0);
}

#[tokio::test]
async fn a_minimal_configuration_is_checked() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let base_url = world.base_url();
    let text = format!("[wechat]\nbase_url = '{base_url}'\n[http]\nlisten = '0.0.0.0:8080'");
    std::fs::write(bridge.folder().join("unionid-bridge.toml"), text).unwrap();
    let report = Report::of(&bridge).await;
    assert_eq!(report.0["overall"], "warn");
    report.assert("configuration", "warn", &["official_accounts"]);
    report.assert("file-permissions", "ok", &["no secret"]);
    report.assert("http-listen", "ok", &["every network", "TLS"]);
    report.assert("access-token", "skipped", &["no Official Account is configured"]);
    report.assert("login-secret", "skipped", &["no Mini Program is configured"]);
}

#[tokio::test]
async fn secret_files_readable_by_others_are_reported() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = private(Bridge::against(&world, ""));
    let secret = bridge.folder().join("main-secret");
    std::fs::write(&secret, world.main().secret()).unwrap();
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o640)).unwrap();
    let file = bridge.folder().join("unionid-bridge.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let in_place = format!("secret = \"{}\"", world.main().secret());
    std::fs::write(&file, text.replace(&in_place, "secret_file = 'main-secret'")).unwrap();
    let report = Report::of(&bridge).await;
    report.assert("file-permissions", "warn", &["(mode 640)", "chmod 600 main-secret"]);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(Report::of(&bridge).await.names("warn").len(), 3);
}
