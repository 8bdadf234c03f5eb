//! Profile checks after events while WeChat is slow, refuses calls, or returns invalid answers.

use std::time::Duration;

use entity::profile_check::{Column, Entity};
use rstest::rstest;
use sea_orm::EntityTrait;
use sea_orm::sea_query::Expr;
use unionid_bridge::sandbox::{
    Call, Callback, Event, Fault, OfficialAccount, Options, Quirk, Sandbox, When,
};

use crate::harness::{Backend, TestApp, calling_back, until};

impl TestApp {
    /// Returns the number of pending checks.
    async fn pending_checks(&self) -> usize {
        Entity::find().all(self.app.store.reader()).await.unwrap().len()
    }

    /// Makes all checks due.
    async fn make_checks_due(&self) {
        let due = Entity::update_many().col_expr(Column::DueAt, Expr::value(1_i64));
        due.exec(self.app.store.writer()).await.unwrap();
    }
}

#[tokio::test]
async fn a_profile_that_stays_undecodable_is_left_to_the_nightly_sync() {
    let world = calling_back(10).await;
    let app = TestApp::against(&world).await;
    let person = world.main().join(1).start;
    let fault = world.fail(Call::UserInfo, When::Always, Fault::Html);
    app.receive_event(&world.main(), Event::subscribe(person)).await;
    for attempt in 1..=3 {
        assert_eq!(app.pending_checks().await, 1, "before attempt {attempt}");
        app.make_checks_due().await;
        let (hits, checks) = (world.hits(fault), app.run_profile_checks());
        until("the profile", || world.hits(fault) > hits).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(checks);
    }
    assert_eq!(app.pending_checks().await, 0);
}

#[tokio::test]
async fn profile_checks_stop_while_the_quota_is_exhausted() {
    let world = calling_back(10).await;
    let app = TestApp::against(&world).await;
    let quota = world.fail(Call::UserInfo, When::Always, Fault::Errcode(45009));
    for person in world.main().join(40) {
        app.receive_event(&world.main(), Event::subscribe(person)).await;
    }
    let _checks = app.run_profile_checks();
    until("a refusal", || world.hits(quota) > 0).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(world.hits(quota) <= 8, "{} calls", world.hits(quota));
    assert_eq!(app.pending_checks().await, 40);
}

#[tokio::test]
async fn a_slow_profile_check_does_not_block_other_accounts() {
    let second = "wx0a00000000000002";
    let mut options = Options::with_followers(10);
    let secret = "5a5d0b0c0a11ce0000000000000000a2";
    options.official_accounts.push(OfficialAccount::new("news", second, secret, 10));
    let url = "http://127.0.0.1:9/v1/callbacks/{appid}";
    let options = options.callbacks(|appid, _| Some(Callback::made(url, 1, appid)));
    let world = Sandbox::start(options).await.unwrap();
    let app = TestApp::against(&world).await;
    world.fail(Call::UserInfo, 1, Fault::Stall(Duration::from_secs(8)));
    for account in [world.main(), world.account(second).unwrap()] {
        let person = account.join(1).start;
        app.receive_event(&account, Event::subscribe(person)).await;
    }
    let _checks = app.run_profile_checks();
    tokio::time::timeout(Duration::from_secs(5), async {
        while app.pending_checks().await == 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}

#[rstest]
#[tokio::test]
async fn repeated_messages_from_one_user_cause_one_profile_check(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    world.main().quirk([3], Quirk::NoUnionid);
    let _checks = app.run_profile_checks();
    app.receive_event(&world.main(), Event::text(3, "0")).await;
    app.wait_for_follower(&world.main().person(3).openid, Some((None, true))).await;
    for text in ["1", "2", "3"] {
        app.receive_event(&world.main(), Event::text(3, text)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(world.requests(Call::UserInfo), 1);
}
