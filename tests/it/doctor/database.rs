//! Databases that are unreachable, outdated, or too small.

use rstest::rstest;
use unionid_bridge::sandbox::Sandbox;

use super::{Report, private, synced};
use crate::harness::{Backend, Bridge, TestDatabase};

#[tokio::test]
async fn doctor_reports_missing_migrations_without_applying_them() {
    let world = Sandbox::with_followers(300).await.unwrap();
    let bridge = synced(&world).await;
    bridge.run(&["migrate", "down", "--yes"]).await;
    let before = bridge.json(&["migrate", "status"]).await;
    let report = Report::of(&bridge).await;
    report.assert("database-migrations", "warn", &["1 of 4", "unionid-bridge migrate up"]);
    report.assert("access-token", "ok", &[]);
    report.assert("unionids", "ok", &[]);
    report.assert("last-run", "skipped", &["lacks migrations"]);
    assert_eq!(bridge.json(&["migrate", "status"]).await, before);
}

#[rstest]
#[case::postgres("postgres://nobody:canary@127.0.0.1:1/none")]
#[case::mysql("mysql://nobody:canary@127.0.0.1:1/none")]
#[case::sqlite_in_a_missing_folder("sqlite:///nowhere/at/all/bridge.db?mode=rw")]
#[tokio::test]
async fn every_other_check_runs_without_the_database(#[case] url: &str) {
    let world = Sandbox::with_followers(300).await.unwrap();
    let report = Report::of(&private(Bridge::on(&world, url, ""))).await;
    report.assert("database", "fail", &["database.url"]);
    for name in ["wechat-answer", "access-token", "follower-list", "unionids", "login-secret"] {
        report.assert(name, "ok", &[]);
    }
    report.assert("shared-unionids", "skipped", &[]);
    assert!(!report.0.to_string().contains("canary"));
}

#[tokio::test]
async fn an_unwritable_database_file_is_reported() {
    let world = Sandbox::with_followers(300).await.unwrap();
    let url = "sqlite:///proc/bridge.db?mode=rwc";
    let report = Report::of(&private(Bridge::on(&world, url, ""))).await;
    report.assert("database-disk", "fail", &["/proc", "write permission"]);
}

#[tokio::test]
async fn a_shared_database_needs_encryption_keys_and_free_connections() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let Some(database) = TestDatabase::new(Backend::Postgres).await else { return };
    let bridge = private(Bridge::on(&world, &database.url, "max_connections = 1000"));
    let report = Report::of(&bridge).await;
    report.assert("encryption-keys", "warn", &["openssl rand -base64 32"]);
    report.assert("database-pool", "fail", &["1000 connections", "database.max_connections"]);
}
