//! `doctor`: each check reports its state, failures have a hint, and no secret is printed.

mod database;
mod history;
mod network;
mod settings;
mod wechat;

use std::os::unix::fs::PermissionsExt;

use rstest::rstest;
use sea_orm::{ActiveValue, EntityTrait};
use serde_json::Value;
use unionid_bridge::doctor::Name;
use unionid_bridge::sandbox::{Call, Sandbox};
use unionid_bridge::store::{Store, accounts};

use crate::harness::{Backend, Bridge, TestDatabase, run_sync, stderr};

const TOKEN: &str = "UNIONID_BRIDGE__OFFICIAL_ACCOUNTS__0__CALLBACK_TOKEN";
const BASE_URL: &str = "UNIONID_BRIDGE__WECHAT__BASE_URL";

/// The report of `doctor --json`. Its exit code was checked.
pub(super) struct Report(pub(super) Value);

impl Report {
    pub(super) async fn of(bridge: &Bridge) -> Self {
        let output = bridge.run(&["doctor", "--json"]).await;
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let code = i32::from(report["overall"] == "fail");
        assert_eq!(output.status.code(), Some(code), "{report}, {}", stderr(&output));
        for check in report["checks"].as_array().unwrap() {
            let has_hint = check["hint"].as_str().is_some_and(|hint| !hint.is_empty());
            let needs_hint = check["state"] == "warn" || check["state"] == "fail";
            assert!(has_hint || !needs_hint, "{check}");
        }
        Self(report)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Value> {
        self.0["checks"].as_array().unwrap().iter()
    }

    /// Returns the names of the checks with this state.
    pub(super) fn names(&self, state: &str) -> Vec<&str> {
        let found = self.all().filter(|check| check["state"] == state);
        found.map(|check| check["name"].as_str().unwrap()).collect()
    }

    pub(super) fn check(&self, name: &str) -> &Value {
        self.all().find(|check| check["name"] == name).unwrap()
    }

    pub(super) fn assert(&self, name: &str, state: &str, parts: &[&str]) {
        let check = self.check(name);
        assert_eq!(check["state"], state, "{check}");
        for part in parts {
            assert!(check.to_string().contains(part), "{part:?} is not in {check}");
        }
    }
}

/// Configures the command with private file permissions, and runs one sync.
pub(super) async fn synced(world: &Sandbox) -> Bridge {
    let bridge = private(Bridge::against(world, ""));
    run_sync(&bridge).await;
    bridge
}

pub(super) fn private(bridge: Bridge) -> Bridge {
    let file = bridge.folder().join("unionid-bridge.toml");
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
    bridge
}

/// Inserts users of the Mini Program with these unionids.
pub(super) async fn log_in(
    store: &Store,
    world: &Sandbox,
    unionids: impl IntoIterator<Item = String>,
) {
    let program = world.mini_program().unwrap();
    let appid = program.appid().parse().unwrap();
    let account = accounts::find_or_insert(store, &appid).await.unwrap();
    let user = |(number, unionid)| entity::mini_program_user::ActiveModel {
        account_id: ActiveValue::set(account),
        openid: ActiveValue::set(program.person(number).openid),
        unionid: ActiveValue::set(Some(unionid)),
        created_at: ActiveValue::set(1),
        login_at: ActiveValue::set(1),
        ..Default::default()
    };
    let users = (0..).zip(unionids).map(user);
    entity::mini_program_user::Entity::insert_many(users).exec(store.writer()).await.unwrap();
}

pub(super) async fn receive_callback(store: &Store) {
    let now = store.now().await.unwrap();
    let seen = entity::callback_seen::ActiveModel {
        event: ActiveValue::set("some event".to_owned()),
        received_at: ActiveValue::set(now),
    };
    entity::callback_seen::Entity::insert(seen).exec(store.writer()).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_healthy_setup_is_reported_as_ok(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(300).await.unwrap();
    let Some(database) = TestDatabase::new(backend).await else { return };
    let bridge = private(Bridge::on(&world, &database.url, ""))
        .with(TOKEN, "bridgetoken")
        .with("UNIONID_BRIDGE__MINI_PROGRAMS__0__CALLBACK_TOKEN", "shoptoken")
        .with(BASE_URL, &format!("http://localhost:{}", world.address().port()))
        .with(
            "UNIONID_BRIDGE__SECURITY__ENCRYPTION_KEYS",
            "['MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=']",
        );
    run_sync(&bridge).await;
    let store = bridge.store().await;
    log_in(&store, &world, world.main().person(7).unionid).await;
    receive_callback(&store).await;
    store.close().await.unwrap();

    let report = Report::of(&bridge).await;
    assert_eq!(report.0["overall"], "ok", "{:#}", report.0);
    let skipped: &[&str] = match backend {
        Backend::Sqlite => &["wechat-tls"],
        _ => &["database-disk", "wechat-tls"],
    };
    assert_eq!(report.names("skipped"), skipped);
    for name in Name::ALL {
        report.check(name.as_str());
    }
    report.assert("follower-list", "ok", &["300 followers", "wx0a00000000000001"]);
    let version = ["SQLite 3", "PostgreSQL ", "MariaDB 1"][backend as usize];
    report.assert("database", "ok", &[version]);
    assert_eq!(world.requests(Call::ClearQuota), 0);
}

#[tokio::test]
async fn a_new_installation_is_checked_without_creating_a_database() {
    let world = Sandbox::with_followers(300).await.unwrap();
    let bridge = private(Bridge::against(&world, ""));
    let report = Report::of(&bridge).await;
    assert_eq!(report.0["overall"], "warn", "{:#}", report.0);
    report.assert("database", "warn", &["bridge.db", "migrate up"]);
    report.assert("access-token", "ok", &[]);
    report.assert("quota", "ok", &["2 user/get", "3 user/info/batchget"]);
    report.assert("last-run", "skipped", &[]);
    assert!(!bridge.database().exists());
}
