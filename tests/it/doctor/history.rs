//! Checks of the history: late, held or conflicting syncs, missing callbacks, and shared unionids.

use entity::sync_run::Column;
use rstest::rstest;
use sea_orm::EntityTrait;
use sea_orm::sea_query::Expr;
use unionid_bridge::model::AppId;
use unionid_bridge::sandbox::{Call, Fault, Sandbox};
use unionid_bridge::store::accounts;
use unionid_bridge::store::quarantine::{self, Conflict};

use super::{Report, TOKEN, log_in, private, receive_callback, synced};
use crate::harness::{Backend, Bridge, TestDatabase, run_sync};

/// Sets a column of every run.
async fn set_runs<V: Into<Expr>>(bridge: &Bridge, column: entity::sync_run::Column, value: V) {
    let store = bridge.store().await;
    let update = entity::sync_run::Entity::update_many().col_expr(column, value.into());
    update.exec(store.writer()).await.unwrap();
    store.close().await.unwrap();
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[tokio::test]
async fn doctor_recommends_the_first_sync() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = private(Bridge::against(&world, ""));
    bridge.run(&["migrate", "up"]).await;
    Report::of(&bridge).await.assert("last-run", "warn", &["has run yet", "unionid-bridge sync"]);
}

#[tokio::test]
async fn an_old_sync_is_reported_after_two_missed_ticks() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = synced(&world).await;
    for (days, state) in [(1, "ok"), (3, "warn")] {
        let store = bridge.store().await;
        let then = store.now().await.unwrap() - days * DAY_MS;
        set_runs(&bridge, Column::StartedAt, then).await;
        Report::of(&bridge).await.assert("last-run", state, &["run 1"]);
    }
    Report::of(&bridge).await.assert("last-run", "warn", &["two scheduled times", "serve"]);
}

#[tokio::test]
async fn a_failed_sync_is_reported_with_the_latest_successful_one() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = synced(&world).await;
    let refusal = world.fail(Call::UserInfoBatchget, 1.., Fault::Errcode(48001));
    bridge.run(&["sync", "--full"]).await;
    assert!(world.hits(refusal) > 0);
    world.clear_faults();
    let words = ["run 2", "48001", "latest successful one: run 1", "runs show 2"];
    Report::of(&bridge).await.assert("last-run", "warn", &words);
}

#[tokio::test]
async fn a_held_run_is_reported_with_the_command_that_confirms_it() {
    let world = Sandbox::with_followers(400).await.unwrap();
    let bridge = synced(&world).await;
    world.main().leave(0..100);
    bridge.run(&["sync"]).await;
    let report = Report::of(&bridge).await;
    report.assert("held-run", "warn", &["run 2", "held", "unionid-bridge runs confirm 2"]);
    report.assert("last-run", "ok", &["run 2"]);
    bridge.run(&["runs", "confirm", "2"]).await;
    Report::of(&bridge).await.assert("held-run", "ok", &[]);
}

#[rstest]
#[case::on_sqlite(Backend::Sqlite)]
#[case::on_postgres(Backend::Postgres)]
#[case::on_mysql(Backend::Mysql)]
#[tokio::test]
async fn changed_unionids_are_reported_for_a_week(#[case] backend: Backend) {
    let world = Sandbox::with_followers(30).await.unwrap();
    let Some(database) = TestDatabase::new(backend).await else { return };
    let bridge = private(Bridge::on(&world, &database.url, ""));
    run_sync(&bridge).await;
    Report::of(&bridge).await.assert("unionid-conflicts", "ok", &[]);
    world.main().rebind();
    run_sync(&bridge).await;
    Report::of(&bridge).await.assert("unionid-conflicts", "warn", &["30 unionids", "bound"]);
    let then = database.store().await.now().await.unwrap() - 8 * DAY_MS;
    set_runs(&bridge, Column::StartedAt, then).await;
    Report::of(&bridge).await.assert("unionid-conflicts", "ok", &[]);
}

#[tokio::test]
async fn a_unionid_change_found_by_a_login_is_reported() {
    let world = Sandbox::with_followers(30).await.unwrap();
    let bridge = synced(&world).await;
    let store = bridge.store().await;
    log_in(&store, &world, strangers(1)).await;
    let appid: AppId = world.mini_program().unwrap().appid().parse().unwrap();
    let account = accounts::find_or_insert(&store, &appid).await.unwrap();
    let program = world.mini_program().unwrap().person(0);
    let conflict = Conflict {
        openid: program.openid.parse().unwrap(),
        old: strangers(1).next().unwrap().parse().unwrap(),
        new: program.unionid.unwrap().parse().unwrap(),
    };
    let now = store.now().await.unwrap();
    quarantine::record_conflicts(store.writer(), account, 0, &[conflict], now).await.unwrap();
    let report = Report::of(&bridge).await;
    let checks: Vec<_> = report.all().filter(|check| check["state"] == "warn").collect();
    assert_eq!(checks.len(), 1, "{checks:?}");
    assert_eq!(checks[0]["name"], "unionid-conflicts");
    assert_eq!(checks[0]["subject"], appid.as_str());
}

#[tokio::test]
async fn missing_callbacks_are_reported_with_the_url_to_configure() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = synced(&world).await;
    Report::of(&bridge).await.assert("callbacks", "skipped", &["callback_token is not set"]);
    let bridge = bridge.with(TOKEN, "bridgetoken");
    let url = "https://YOUR-HOST/v1/callbacks/wx0a00000000000001";
    Report::of(&bridge).await.assert("callbacks", "warn", &[url, "plain mode"]);
    let store = bridge.store().await;
    receive_callback(&store).await;
    Report::of(&bridge).await.assert("callbacks", "ok", &["the latest"]);
}

/// Unionids that nobody in the sandbox has.
fn strangers(count: u64) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("oSTRANGER{number:019}"))
}

#[rstest]
#[case::on_sqlite(Backend::Sqlite)]
#[case::on_postgres(Backend::Postgres)]
#[case::on_mysql(Backend::Mysql)]
#[tokio::test]
async fn accounts_without_shared_unionids_are_reported_given_many_users(#[case] backend: Backend) {
    let world = Sandbox::with_followers(150).await.unwrap();
    let Some(database) = TestDatabase::new(backend).await else { return };
    let bridge = private(Bridge::on(&world, &database.url, ""));
    let shared = async |state: &str, words: &[&str]| {
        Report::of(&bridge).await.assert("shared-unionids", state, words);
    };
    let store = database.store().await;
    shared("skipped", &["no follower is known yet"]).await;
    run_sync(&bridge).await;
    shared("skipped", &["nobody has logged in"]).await;
    log_in(&store, &world, strangers(99)).await;
    shared("skipped", &["too few to tell"]).await;
    entity::mini_program_user::Entity::delete_many().exec(store.writer()).await.unwrap();
    log_in(&store, &world, strangers(2_500)).await;
    shared("warn", &["none of 2000 users", "none of 150 followers", "Open Platform account"]).await;
    // Only one of many users follows. The samples of both accounts find this user.
    let follower = world.main().person(3).unionid;
    entity::mini_program_user::Entity::delete_many().exec(store.writer()).await.unwrap();
    log_in(&store, &world, strangers(2_500).chain(follower)).await;
    shared("ok", &["wx0a00000000000001 + wx3b00000000000001"]).await;
}
