//! Interrupted and paused runs resume automatically, in one replica only.

use std::time::Duration;

use chrono::TimeDelta;
use rstest::rstest;
use unionid_bridge::model::{RunState, Trigger};
use unionid_bridge::sandbox::Call;

use crate::harness::{
    Backend, Bridge, Telemetry, TestApp, TestDatabase, beat, crash, move_to, next_tick,
    stopped_clock, world_of_pages,
};

#[rstest]
#[tokio::test]
async fn a_run_paused_by_its_quota_resumes_once_after_the_reset(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let (world, clock, telemetry) =
        (world_of_pages(4, 500).await, stopped_clock(), Telemetry::capture());
    world.main().set_quota(Call::UserInfoBatchget, Some(12));
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let app = app.timed(&clock);
    let paused = app.sync().await.run;
    assert_eq!(paused.state, RunState::Paused);
    let resume_at = paused.resume_at.unwrap();
    assert!(resume_at > clock.now());

    // Nothing resumes it before its time, not even a tick.
    let mut schedule = app.schedule();
    beat(&mut schedule).await;
    let tick = next_tick(&clock);
    if tick < resume_at {
        move_to(&clock, tick);
        beat(&mut schedule).await;
        assert!(telemetry.logged("the previous run is paused and will be resumed"));
    }
    let runs = app.runs().await;
    assert_eq!((runs.len(), runs[0].state), (1, RunState::Paused));

    // Enough for the whole run: profiles that were fetched when the quota ran out may be fetched again.
    world.main().set_quota(Call::UserInfoBatchget, Some(30));
    world.reset_quotas();
    move_to(&clock, resume_at + TimeDelta::seconds(1));
    beat(&mut schedule).await;
    let runs = app.runs().await;
    let resumed = (runs.len(), runs[0].id, runs[0].state);
    assert_eq!(resumed, (1, paused.id, RunState::Succeeded), "{runs:?}");
    assert_eq!(runs[0].resumed_at_page, Some(paused.counts.pages + 1));
    app.assert_mirrors(&world).await;
}

#[rstest]
#[tokio::test]
async fn a_run_of_a_dead_process_is_resumed_after_its_lease_expires(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = world_of_pages(4, 500).await;
    let Some(database) = TestDatabase::new(backend).await else { return };
    let bridge = Bridge::on(&world, &database.url, "[sync]\nlease_seconds = 2");
    let open = crash(&bridge, "sync.page_committed=1*off->return").await;

    let store = database.connect().await;
    let app = TestApp::process(&world, database, store, "").await;
    let mut schedule = app.schedule();
    beat(&mut schedule).await;
    assert_eq!(app.runs().await[0].resumed_at_page, None, "resumed before the lease expired");
    tokio::time::sleep(Duration::from_secs(2)).await;
    beat(&mut schedule).await;
    let runs = app.runs().await;
    assert_eq!((runs.len(), runs[0].state), (1, RunState::Succeeded));
    assert_eq!(runs[0].id, open["id"].as_i64().unwrap());
    assert_eq!(runs[0].resumed_at_page, Some(3));
    app.assert_mirrors(&world).await;
}

#[rstest]
#[tokio::test]
async fn two_replicas_resume_an_interrupted_run_only_once(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = world_of_pages(4, 500).await;
    let Some(database) = TestDatabase::new(backend).await else { return };
    let bridge = Bridge::on(&world, &database.url, "[sync]\nlease_seconds = 1");
    crash(&bridge, "sync.page_committed=1*off->return").await;
    tokio::time::sleep(Duration::from_secs(1)).await;

    let store = database.connect().await;
    let one = TestApp::process(&world, database, store, "").await;
    let other = one.replica(&world).await;
    let (mut first, mut second) = (one.schedule(), other.schedule());
    tokio::join!(beat(&mut first), beat(&mut second));
    let runs = one.runs().await;
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!((runs[0].state, runs[0].trigger), (RunState::Succeeded, Trigger::Manual));
}
