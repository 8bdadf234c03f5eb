//! Callbacks keep the mirror correct between the nightly runs.

use std::time::Duration;

use rstest::rstest;
use sea_orm::EntityTrait;
use unionid_bridge::inbox::Error;
use unionid_bridge::login::Request;
use unionid_bridge::sandbox::{Call, Event, Fault, Quirk, Sandbox, When};

use crate::harness::{Backend, TestApp, calling_back};

/// Returns the current time in seconds since 1970. The sandbox uses the system clock.
fn now() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs().cast_signed()
}

/// Adds a follower whom the mirror does not know. Returns the person and their openid.
fn stranger(world: &Sandbox) -> (u64, String) {
    let person = world.main().join(1).start;
    (person, world.main().person(person).openid)
}

#[rstest]
#[tokio::test]
async fn a_new_follower_is_stored_with_its_unionid(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    let _checks = app.run_profile_checks();
    let (person, openid) = stranger(&world);
    app.receive_event(&world.main(), Event::subscribe(person)).await;
    app.wait_for_follower(&openid, Some((world.main().person(person).unionid, true))).await;
    assert_eq!(world.requests(Call::UserInfo), 1);
    app.sync_true(&world).await;
}

#[rstest]
#[tokio::test]
async fn an_unfollow_event_marks_the_follower_and_keeps_the_unionid(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.main().leave([3]);
    app.receive_event(&world.main(), Event::unsubscribe(3)).await;
    app.assert_mirrors(&world).await;
}

#[rstest]
#[tokio::test]
async fn an_event_is_handled_once_by_all_replicas_and_after_a_restart(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let replica = app.replica(&world).await;
    let (person, openid) = stranger(&world);
    let followed = world.main().envelope(Event::subscribe(person).at(now() - 20)).unwrap();
    let main = world.main();
    for _ in 0..100 {
        let (here, there) =
            tokio::join!(app.receive(&main, &followed), replica.receive(&main, &followed));
        here.and(there).unwrap();
    }
    let _checks = app.run_profile_checks();
    app.wait_for_follower(&openid, Some((world.main().person(person).unionid, true))).await;
    app.receive_event(&world.main(), Event::unsubscribe(person).at(now() - 10)).await;
    let restarted = app.replica(&world).await;
    for _ in 0..800 {
        restarted.receive(&world.main(), &followed).await.unwrap();
    }
    app.wait_for_follower(&openid, Some((world.main().person(person).unionid, false))).await;
    assert_eq!(
        entity::callback_seen::Entity::find().all(app.app.store.reader()).await.unwrap().len(),
        2
    );
}

#[rstest]
#[tokio::test]
async fn a_late_event_does_not_replace_a_newer_one(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    world.main().leave([3]);
    app.receive_event(&world.main(), Event::unsubscribe(3).at(now())).await;
    app.receive_event(&world.main(), Event::subscribe(3).at(now() - 5)).await;
    app.assert_mirrors(&world).await;
}

#[rstest]
#[tokio::test]
async fn a_follow_and_unfollow_in_one_second_are_resolved_by_profile(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    let _checks = app.run_profile_checks();
    let second = now();
    app.receive_event(&world.main(), Event::unsubscribe(3).at(second)).await;
    app.receive_event(&world.main(), Event::subscribe(3).at(second)).await;
    let person = world.main().person(3);
    app.wait_for_follower(&person.openid, Some((person.unionid, true))).await;
}

#[rstest]
#[tokio::test]
async fn an_event_during_a_sync_takes_precedence_over_the_page(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    // The page is created before the event and arrives after it.
    world.fail(Call::UserGet, 1, Fault::Stall(Duration::from_millis(600)));
    let (person, openid) = (world.main().person(3), world.main().person(3).openid);
    let (outcome, ()) = tokio::join!(app.sync(), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        world.main().leave([3]);
        app.receive_event(&world.main(), Event::unsubscribe(3)).await;
    });
    assert_eq!(outcome.run.state.as_str(), "succeeded");
    assert_eq!(app.mirror().await.remove(&openid), Some((person.unionid, false)));
}

#[tokio::test]
async fn an_unsubscribed_profile_right_after_a_follow_is_checked_again() {
    let world = calling_back(10).await;
    let app = TestApp::against(&world).await;
    let _checks = app.run_profile_checks();
    let (person, openid) = stranger(&world);
    world.main().leave([person]);
    app.receive_event(&world.main(), Event::subscribe(person)).await;
    while world.requests(Call::UserInfo) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    app.wait_for_follower(&openid, Some((None, true))).await;
    let again = entity::profile_check::Entity::find().one(app.app.store.reader()).await.unwrap();
    let again = again.unwrap();
    let wait = again.due_at - app.app.store.now().await.unwrap();
    assert_eq!((again.attempt, (50_000..=60_000).contains(&wait)), (1, true), "{wait} ms");
}

#[tokio::test]
async fn a_missing_unionid_is_fetched_again_later() {
    let world = calling_back(10).await;
    let app = TestApp::against(&world).await;
    let (person, openid) = stranger(&world);
    world.main().quirk([person], Quirk::NoUnionid);
    let checks = app.run_profile_checks();
    app.receive_event(&world.main(), Event::subscribe(person)).await;
    while world.requests(Call::UserInfo) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    app.wait_for_follower(&openid, Some((None, true))).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(checks);
    world.main().clear_quirks([person]);
    make_due(&app).await;
    let _checks = app.run_profile_checks();
    app.wait_for_follower(&openid, Some((world.main().person(person).unionid, true))).await;
}

/// Makes the only check due.
async fn make_due(app: &TestApp) {
    use entity::profile_check::{Column, Entity};
    use sea_orm::sea_query::Expr;
    let due = Entity::update_many().col_expr(Column::DueAt, Expr::value(1_i64));
    assert_eq!(due.exec(app.app.store.writer()).await.unwrap().rows_affected, 1);
}

#[tokio::test]
async fn a_profile_check_is_retried_while_wechat_is_busy() {
    let world = calling_back(10).await;
    let app = TestApp::against(&world).await;
    let (person, openid) = stranger(&world);
    let busy = world.fail(Call::UserInfo, When::Always, Fault::HttpStatus(502));
    let checks = app.run_profile_checks();
    app.receive_event(&world.main(), Event::subscribe(person)).await;
    while world.hits(busy) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(checks);
    world.clear_faults();
    make_due(&app).await;
    let _checks = app.run_profile_checks();
    app.wait_for_follower(&openid, Some((world.main().person(person).unionid, true))).await;
}

#[rstest]
#[tokio::test]
async fn a_withdrawal_erases_the_user_in_all_accounts_despite_syncs(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
    #[values(true, false)] cancels: bool,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    let event = match cancels {
        true => Event::user_authorization_cancellation(3),
        false => Event::user_authorization_revoke(3, "1"),
    };
    app.receive_event(&world.mini_program().unwrap(), event).await;
    let openid = world.main().person(3).openid;
    app.wait_for_follower(&openid, None).await;
    let line = entity::audit::Entity::find().one(app.app.store.reader()).await.unwrap().unwrap();
    assert_eq!((line.actor.as_str(), line.action.as_str()), ("wechat", "person.erased"));
    let outcome = app.sync().await;
    assert_eq!(outcome.run.state.as_str(), "succeeded");
    app.wait_for_follower(&openid, None).await;

    let _checks = app.run_profile_checks();
    app.receive_event(&world.main(), Event::subscribe(3).at(now() + 1)).await;
    app.wait_for_follower(&openid, Some((world.main().person(3).unionid, true))).await;
}

/// A cancellation event of the Mini Program for data of the account `appid`.
fn cancelled(openid: &str, unionid: &str, appid: &str) -> Event {
    Event::raw(format!(
        "<xml><ToUserName>gh_0</ToUserName><FromUserName>o1</FromUserName>\
         <CreateTime>{}</CreateTime><MsgType>event</MsgType>\
         <Event>user_authorization_cancellation</Event><OpenID>{openid}</OpenID>\
         <UnionID>{unionid}</UnionID><AppID>{appid}</AppID></xml>",
        now()
    ))
}

#[rstest]
#[tokio::test]
async fn a_withdrawal_applies_to_the_account_named_in_the_event(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    let (main, program) = (world.main(), world.mini_program().unwrap());
    let openid = main.person(3).openid;
    app.receive_event(&program, cancelled(&openid, "", "wx0000000000000000")).await;
    app.assert_mirrors(&world).await;
    app.receive_event(&program, cancelled(&openid, "", main.appid())).await;
    app.wait_for_follower(&openid, None).await;
}

#[rstest]
#[tokio::test]
async fn activity_readmits_an_erased_user_under_openid_and_unionid(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (main, program) = (world.main(), world.mini_program().unwrap());
    let person = main.person(3);
    let unionid = person.unionid.unwrap();
    app.receive_event(&main, cancelled(&person.openid, &unionid, main.appid())).await;
    app.sync().await;
    app.wait_for_follower(&person.openid, None).await;
    let request = Request { code: program.mint_code(3), ..Request::default() };
    app.app.login.exchange("test", request).await.unwrap();
    app.sync_true(&world).await;
}

#[tokio::test]
async fn an_event_older_than_the_erasure_does_not_readmit_the_user() {
    let world = calling_back(10).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    app.receive_event(&world.main(), Event::user_authorization_cancellation(3)).await;
    let openid = world.main().person(3).openid;
    for event in [Event::subscribe(3), Event::unsubscribe(3), Event::text(3, "hello")] {
        app.receive_event(&world.main(), event.at(now() - 10)).await;
    }
    app.wait_for_follower(&openid, None).await;
}

#[rstest]
#[tokio::test]
async fn many_concurrent_events_of_one_user_are_all_handled(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = calling_back(10).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let (replica, main) = (app.replica(&world).await, world.main());
    app.sync_true(&world).await;
    let began = now() - 1_000;
    for round in 0..10 {
        let envelopes: Vec<_> = (0..12)
            .map(|event| {
                let followed = event % 2 == 1;
                let event = match followed {
                    true => Event::subscribe(3).at(began + 20 * round + event),
                    false => Event::unsubscribe(3).at(began + 20 * round + event),
                };
                main.envelope(event).unwrap()
            })
            .collect();
        let taken = envelopes.iter().enumerate().map(|(index, envelope)| match index % 2 {
            0 => app.receive(&main, envelope),
            _ => replica.receive(&main, envelope),
        });
        for outcome in futures::future::join_all(taken).await {
            outcome.unwrap();
        }
    }
    app.assert_mirrors(&world).await;
}

#[tokio::test]
async fn an_event_without_a_valid_time_is_rejected() {
    let world = calling_back(10).await;
    let app = TestApp::against(&world).await;
    let envelope = world.main().envelope(Event::unsubscribe(3).at(i64::MAX)).unwrap();
    let refused = app.receive(&world.main(), &envelope).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(_)), "{refused:?}");
}

#[tokio::test]
async fn a_message_from_an_unknown_user_triggers_a_profile_check() {
    let world = calling_back(10).await;
    let app = TestApp::against(&world).await;
    let _checks = app.run_profile_checks();
    let person = world.main().person(3);
    app.receive_event(&world.main(), Event::text(3, "hello")).await;
    app.wait_for_follower(&person.openid, Some((person.unionid, true))).await;
}

#[tokio::test]
async fn an_unknown_event_or_receipt_is_acknowledged() {
    let world = calling_back(10).await;
    let app = TestApp::against(&world).await;
    app.receive_event(&world.main(), Event::named(3, "brand_new_event")).await;
    app.receive_event(&world.main(), Event::template_sent(3, 5, "success")).await;
    assert!(app.mirror().await.is_empty());
}

#[tokio::test]
async fn an_altered_push_or_one_for_another_account_is_rejected() {
    let world = calling_back(10).await;
    let app = TestApp::against(&world).await;
    let envelope = world.main().envelope(Event::unsubscribe(3)).unwrap();
    let refused = app.receive(&world.mini_program().unwrap(), &envelope).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(error) if error.is_forgery()), "{refused:?}");
    let mut altered = envelope.clone();
    let middle = altered.body.len() / 2;
    altered.body[middle] ^= 1;
    let refused = app.receive(&world.main(), &altered).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(_)), "{refused:?}");
}
