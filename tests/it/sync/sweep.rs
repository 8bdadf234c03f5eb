//! The sweep: known followers who are no longer listed have left. If too many are missing, the run is held
//! for an operator.

use rstest::rstest;
use unionid_bridge::model::{Run, RunState};
use unionid_bridge::sandbox::{Call, Fault, Sandbox};
use unionid_bridge::sync;

use crate::harness::{Backend, TestApp, manual, paged_world};

async fn mirrored(world: &Sandbox, backend: Backend) -> Option<TestApp> {
    let app = TestApp::on(world, backend).await?;
    app.sync_true(world).await;
    Some(app)
}

/// Runs a sync that must be held without changing the mirror.
async fn held(app: &TestApp, subscribed: usize) -> Run {
    let run = app.sync().await.run;
    assert_eq!(run.state, RunState::Held, "{run:?}");
    assert_eq!((run.counts.unfollowed, run.finished_at), (0, None));
    let mirror = app.mirror().await;
    assert_eq!(mirror.values().filter(|person| person.1).count(), subscribed);
    run
}

async fn confirm(app: &TestApp, run: &Run) -> Run {
    let job = app.job(tokio_util::sync::CancellationToken::new()).await;
    sync::confirm(&job, run.id).await.unwrap().run
}

#[rstest]
#[tokio::test]
async fn more_than_five_percent_leaving_waits_for_an_operator(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 3_000).await;
    let Some(app) = mirrored(&world, backend).await else { return };
    world.main().leave(0..180);
    let run = held(&app, 3_000).await;
    let error = run.error.clone().unwrap();
    assert!(error.contains("180 of 3000") && error.contains("runs confirm"), "{error}");

    world.reset_stats();
    let confirmed = confirm(&app, &run).await;
    assert_eq!((confirmed.id, confirmed.state), (run.id, RunState::Succeeded));
    assert_eq!((confirmed.counts.unfollowed, confirmed.error), (180, None));
    app.assert_mirrors(&world).await;
    // The departures are checked by their profiles.
    assert_eq!((world.stats().calls.len(), world.requests(Call::UserInfoBatchget)), (1, 2));
    let again = sync::confirm(&app.job(Default::default()).await, run.id).await;
    assert!(matches!(again, Err(sync::Error::NotInState { .. })), "{again:?}");
}

#[rstest]
#[case::five_percent(3_000, 150)]
#[case::half_of_a_small_account(100, 50)]
#[tokio::test]
async fn departures_up_to_the_limit_are_swept_without_confirmation(
    #[case] followers: u64,
    #[case] left: u64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, followers).await;
    let Some(app) = mirrored(&world, backend).await else { return };
    world.main().leave(0..left);
    assert_eq!(app.sync_true(&world).await.counts.unfollowed, left);
}

#[rstest]
#[case::five_percent_plus_one(3_000, 151)]
#[case::more_than_half_of_a_small_account(100, 51)]
#[case::all_of_a_small_account(60, 60)]
#[case::forty_percent(3_000, 1_200)]
#[tokio::test]
async fn departures_above_the_limit_are_held(
    #[case] followers: u64,
    #[case] left: u64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, followers).await;
    let Some(app) = mirrored(&world, backend).await else { return };
    world.main().leave(0..left);
    let run = held(&app, followers as usize).await;
    confirm(&app, &run).await;
    app.assert_mirrors(&world).await;
}

#[rstest]
#[tokio::test]
async fn a_held_run_is_replaced_by_the_next_run(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 3_000).await;
    let Some(app) = mirrored(&world, backend).await else { return };
    world.main().leave(0..180);
    let run = held(&app, 3_000).await;
    world.main().rejoin(0..170);
    assert_eq!(app.sync_true(&world).await.counts.unfollowed, 10);
    let confirmed = sync::confirm(&app.job(Default::default()).await, run.id).await;
    assert!(matches!(confirmed, Err(sync::Error::NotInState { .. })), "{confirmed:?}");
}

#[rstest]
#[tokio::test]
async fn the_unfollow_limit_is_configurable(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 1_000).await;
    let toml = "[sync]\nmax_unfollow_ratio = 0.2";
    let Some(app) = TestApp::configured(&world, backend, toml).await else { return };
    app.sync_true(&world).await;
    world.main().leave(0..200);
    assert_eq!(app.sync_true(&world).await.counts.unfollowed, 200);
    world.main().leave(200..361);
    held(&app, 800).await;
}

#[rstest]
#[case::slightly_more_than_drift_explains(3_100, RunState::Held)]
#[case::far_more(5_000, RunState::Held)]
#[case::less_than_half_listed(6_100, RunState::Failed)]
#[case::total_forty_percent_lower(1_800, RunState::Succeeded)]
#[tokio::test]
async fn a_list_shorter_than_wechats_total_is_not_swept(
    #[case] total: u64,
    #[case] state: RunState,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 3_000).await;
    let Some(app) = mirrored(&world, backend).await else { return };
    world.main().leave(0..10);
    world.main().misreport_total(Some(total));
    let run = app.sync().await.run;
    assert_eq!(run.state, state, "{run:?}");
    let left = world.main().person(0).openid;
    let is_swept = !app.mirror().await[&left].1;
    assert_eq!(is_swept, state == RunState::Succeeded);
    assert_eq!(run.error.is_some(), state != RunState::Succeeded);
    world.main().misreport_total(None);
    app.sync_true(&world).await;
}

#[rstest]
#[tokio::test]
async fn a_total_that_changes_during_the_sync_raises_the_tolerance(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 3_000).await;
    let Some(app) = mirrored(&world, backend).await else { return };
    // The total grows from 3,000 to 3,100: a hundred may have joined on pages that were listed before.
    world.fail(Call::UserGet, 4.., Fault::Total(3_100));
    app.sync_true(&world).await;
}

#[rstest]
#[tokio::test]
async fn a_run_that_is_not_held_cannot_be_confirmed(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(500, 100).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let run = app.try_sync(manual()).await.unwrap().run;
    let confirmed = sync::confirm(&app.job(Default::default()).await, run.id).await;
    assert!(matches!(confirmed, Err(sync::Error::NotInState { .. })), "{confirmed:?}");
}

#[rstest]
#[tokio::test]
async fn a_departed_follower_is_not_counted_as_missing_a_unionid(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    use entity::follower::{Column, Entity};
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
    let world = paged_world(500, 100).await;
    let Some(app) = mirrored(&world, backend).await else { return };
    let openids = (0..8).map(|person| world.main().person(person).openid);
    let missing = Expr::value(None::<String>);
    let update = Entity::update_many().col_expr(Column::Unionid, missing);
    let update = update.filter(Column::Openid.is_in(openids));
    update.exec(app.app.store.writer()).await.unwrap();
    world.main().leave(0..8);
    let run = app.sync().await.run;
    let counts = (run.counts.unfollowed, run.counts.missing_unionid);
    assert_eq!((run.state, counts, &run.warning), (RunState::Succeeded, (8, 0), &None), "{run:?}");
    app.assert_mirrors_all_but(&world, &[0, 1, 2, 3, 4, 5, 6, 7]).await;
}
