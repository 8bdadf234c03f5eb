//! Databases that are unreachable, outdated, or too small.

use rstest::rstest;
use unionid_bridge::sandbox::Sandbox;

use super::{Report, private, synced};
use crate::harness::{Backend, Bridge, TestDatabase};

#[tokio::test]
async fn a_schema_that_is_behind_is_left_as_it_is() {
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
#[case::another_database("postgres://nobody:canary@127.0.0.1:1/none")]
#[case::another_kind("mysql://nobody:canary@127.0.0.1:1/none")]
#[case::a_folder_that_is_not_there("sqlite:///nowhere/at/all/bridge.db?mode=rw")]
#[tokio::test]
async fn without_its_database_all_the_rest_is_examined(#[case] url: &str) {
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
async fn a_file_that_takes_no_more_is_told() {
    let world = Sandbox::with_followers(300).await.unwrap();
    let url = "sqlite:///proc/bridge.db?mode=rwc";
    let report = Report::of(&private(Bridge::on(&world, url, ""))).await;
    report.assert("database-disk", "fail", &["/proc", "write permission"]);
}

#[tokio::test]
async fn shared_databases_want_keys_and_room() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let Some(database) = TestDatabase::new(Backend::Postgres).await else { return };
    let bridge = private(Bridge::on(&world, &database.url, "max_connections = 1000"));
    let report = Report::of(&bridge).await;
    report.assert("encryption-keys", "warn", &["openssl rand -base64 32"]);
    report.assert("database-pool", "fail", &["1000 connections", "database.max_connections"]);
}
