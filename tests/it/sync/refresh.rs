//! Nightly refresh of known profiles, and dry runs.

use rstest::rstest;
use sea_orm::EntityTrait;
use sea_orm::sea_query::Expr;
use tokio_util::sync::CancellationToken;
use unionid_bridge::sandbox::{Call, Quirk, Sandbox};
use unionid_bridge::store::runs;
use unionid_bridge::sync::{self, Forecast};

use crate::harness::{Backend, TestApp, assert_calls, full, manual, paged_world};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Moves the time of the latest crawl back by `days`.
async fn let_days_pass(app: &TestApp, days: i64) {
    use entity::account::{Column, Entity};
    let now = app.app.store.now().await.unwrap();
    Entity::update_many()
        .col_expr(Column::CrawledAt, Expr::value(now - days * DAY_MS))
        .exec(app.app.store.writer())
        .await
        .unwrap();
}

#[rstest]
#[tokio::test]
async fn due_profiles_are_refreshed_and_unchanged_ones_not_written(
    #[values((1, 20), (3, 60), (40, 600))] (days, share): (i64, u64),
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 600).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    app.sync_true(&world).await;
    let_days_pass(&app, days).await;
    world.reset_stats();
    let run = app.sync_true(&world).await;
    assert_eq!((run.counts.fetched, run.counts.upserted), (share, 0));
    assert_calls(&world, Call::UserInfoBatchget, share.div_ceil(100) + 1, 0);
    assert_calls(&world, Call::UserInfo, 0, 0);
    // Tonight's share is done.
    assert_eq!(app.sync_true(&world).await.counts.fetched, 0);
}

#[tokio::test]
async fn a_changed_profile_is_written_when_its_refresh_is_due() {
    let world = paged_world(500, 600).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    world.main().quirk(0..5, Quirk::NumericStrings);
    // They left and came back between two runs. Only the time of the follow shows that.
    world.main().leave(0..5);
    world.main().rejoin(0..5);
    assert_eq!(app.sync_true(&world).await.counts.upserted, 0);
    let_days_pass(&app, 30).await;
    let run = app.sync_true(&world).await;
    assert_eq!((run.counts.fetched, run.counts.upserted), (600, 5));
}

async fn dry_run(app: &TestApp, world: &Sandbox, whole: bool) -> Forecast {
    let mirrored = app.mirror().await;
    let before = runs::list(app.app.store.reader(), None, 100).await.unwrap();
    let profiles = world.requests(Call::UserInfoBatchget) + world.requests(Call::UserInfo);
    let job = app.job(CancellationToken::new()).await;
    let forecast = sync::dry_run(&job, whole).await.unwrap();
    assert_eq!(app.mirror().await, mirrored);
    assert_eq!(runs::list(app.app.store.reader(), None, 100).await.unwrap(), before);
    let after = world.requests(Call::UserInfoBatchget) + world.requests(Call::UserInfo);
    assert_eq!(after, profiles, "a dry run fetched profiles");
    forecast
}

#[rstest]
#[case::of_a_first_sync(0, 0, false)]
#[case::of_a_night_without_refreshes(1, 0, false)]
#[case::of_a_night_after_three_days(1, 3, false)]
#[case::of_a_full_run(1, 0, true)]
#[tokio::test]
async fn a_dry_run_predicts_calls_and_changes_and_writes_nothing(
    #[case] syncs: usize,
    #[case] days: i64,
    #[case] whole: bool,
    #[values("batchget", "info")] api: &str,
) {
    let world = paged_world(100, 600).await;
    let toml = format!("[sync]\nprofile_api = '{api}'");
    let app = TestApp::configured(&world, Backend::Sqlite, &toml).await.unwrap();
    world.main().quirk([7], Quirk::Poison);
    for _ in 0..syncs {
        app.sync().await;
        let_days_pass(&app, days).await;
        world.main().leave(10..30);
        world.main().join(45);
    }
    if syncs == 0 {
        world.main().clear_quirks([7]);
    }
    let forecast = dry_run(&app, &world, whole).await;
    assert!(forecast.dry_run);
    let request = if whole { full() } else { manual() };
    let run = app.try_sync(request).await.unwrap().run;
    assert_eq!(run.state.as_str(), "succeeded", "{run:?}");
    let counts = &run.counts;
    assert_eq!(forecast.calls, run.calls);
    assert_eq!((forecast.pages, forecast.listed), (counts.pages, counts.listed));
    assert_eq!(forecast.known, counts.known);
    assert_eq!(forecast.new + forecast.refreshed, counts.fetched + counts.quarantined);
    assert_eq!(forecast.departures, counts.unfollowed);
}
