//! `privacy.forget_unfollowed_after_days`: followers who left long ago are deleted.

use rstest::rstest;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tokio_util::sync::CancellationToken;

use crate::harness::{Backend, TestApp, beat, paged_world};

const DAY_MS: i64 = 24 * 3_600 * 1_000;

const AFTER_30_DAYS: &str = "[privacy]\nforget_unfollowed_after_days = 30";

/// Makes these people have left `days` days ago.
async fn set_left_days_ago(app: &TestApp, openids: Vec<String>, days: i64) {
    use entity::follower::{Column, Entity};
    let left_at = app.app.store.now().await.unwrap() - days * DAY_MS;
    Entity::update_many()
        .col_expr(Column::UnfollowedAt, Expr::value(left_at))
        .filter(Column::Openid.is_in(openids))
        .exec(app.app.store.writer())
        .await
        .unwrap();
}

#[rstest]
#[tokio::test]
async fn departed_followers_are_erased_daily_and_mirrored_if_they_return(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 300).await;
    let Some(app) = TestApp::configured(&world, backend, AFTER_30_DAYS).await else { return };
    app.sync_true(&world).await;
    world.main().leave(0..20);
    app.sync_true(&world).await;
    let openid = |person| world.main().person(person).openid;
    set_left_days_ago(&app, (0..10).map(openid).collect(), 31).await;
    set_left_days_ago(&app, (10..20).map(openid).collect(), 29).await;

    let stop = CancellationToken::new();
    assert_eq!(app.app.erase_departed(&stop).await.unwrap(), Some(10));
    let mirror = app.mirror().await;
    assert!((0..10).all(|person| !mirror.contains_key(&openid(person))));
    assert!((10..20).all(|person| mirror.contains_key(&openid(person))));
    assert_eq!(mirror.len(), 290);
    // The deletion runs once a day, in one process.
    assert_eq!(app.app.erase_departed(&stop).await.unwrap(), None);
    assert_eq!(app.replica(&world).await.app.erase_departed(&stop).await.unwrap(), None);

    world.main().rejoin(0..20);
    app.sync_true(&world).await;
}

#[rstest]
#[tokio::test]
async fn messages_and_consents_of_departed_followers_are_erased_too(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 300).await;
    let Some(app) = TestApp::configured(&world, backend, AFTER_30_DAYS).await else { return };
    app.sync_true(&world).await;
    world.main().leave([3, 4]);
    app.sync_true(&world).await;
    let (main, program) = (world.main(), world.mini_program().unwrap());
    for person in [3, 4, 5] {
        app.trace(&main, person).await;
        app.trace(&program, person).await;
    }
    set_left_days_ago(&app, vec![main.person(3).openid], 31).await;
    set_left_days_ago(&app, vec![main.person(4).openid], 29).await;
    assert_eq!(app.app.erase_departed(&CancellationToken::new()).await.unwrap(), Some(1));
    assert_eq!(app.traces(&main).await, [4, 5]);
    assert_eq!(app.traces(&program).await, [3, 4, 5]);
}

#[tokio::test]
async fn the_scheduler_erases_departed_followers_only_if_configured() {
    let world = paged_world(100, 300).await;
    for (toml, left) in [(AFTER_30_DAYS, 290), ("", 300)] {
        let app = TestApp::configured(&world, Backend::Sqlite, toml).await.unwrap();
        app.sync_true(&world).await;
        world.main().leave(0..10);
        app.sync_true(&world).await;
        let openids = (0..10).map(|person| world.main().person(person).openid);
        set_left_days_ago(&app, openids.collect(), 31).await;
        beat(&mut app.schedule()).await;
        assert_eq!(app.mirror().await.len(), left);
        world.main().rejoin(0..10);
    }
}

#[tokio::test]
async fn erasing_many_departed_followers_can_be_stopped() {
    let world = paged_world(5_000, 5_000).await;
    let app = TestApp::configured(
        &world,
        Backend::Sqlite,
        &format!("{AFTER_30_DAYS}\n[sync]\nmax_unfollow_ratio = 1.0"),
    )
    .await
    .unwrap();
    app.sync_true(&world).await;
    world.main().leave(0..2_400);
    app.sync_true(&world).await;
    let openids = (0..2_400).map(|person| world.main().person(person).openid);
    set_left_days_ago(&app, openids.collect(), 31).await;
    let stopped = CancellationToken::new();
    stopped.cancel();
    assert_eq!(app.app.erase_departed(&stopped).await.unwrap(), Some(0));
    assert_eq!(app.app.erase_departed(&CancellationToken::new()).await.unwrap(), Some(2_400));
    assert_eq!(app.mirror().await.len(), 2_600);
    app.assert_mirrors(&world).await;
}
