//! Whether an interrupted run resumes, waits until its time, or is replaced by a new run.

use std::sync::Arc;

use chrono::TimeDelta;
use rstest::rstest;
use tokio_util::sync::CancellationToken;
use unionid_bridge::model::{Mode, Run, RunState, Trigger};
use unionid_bridge::sandbox::{Call, Fault, When};
use unionid_bridge::store::runs;
use unionid_bridge::sync::{self, Request};

use crate::harness::{Backend, TestApp, full, manual, paged_world};

#[tokio::test]
async fn a_full_run_replaces_an_interrupted_run() {
    let world = paged_world(100, 600).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    let stopped = app.sync_stopped_after(3).await.run;
    let run = app.try_sync(full()).await.unwrap().run;
    assert_ne!(run.id, stopped.id);
    assert_eq!((run.mode, run.state), (Mode::Full, RunState::Succeeded));
    assert_eq!((run.counts.listed, run.counts.fetched), (600, 600), "{run:?}");
    let old = runs::find(app.app.store.reader(), stopped.id).await.unwrap().unwrap().run;
    assert_eq!(old.state, RunState::Cancelled);
    app.assert_mirrors(&world).await;
}

#[tokio::test]
async fn a_resumed_run_fetches_all_profiles_if_the_binding_changed() {
    let world = paged_world(100, 600).await;
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    app.sync_stopped_after(3).await;
    world.main().rebind();
    let run = app.sync_true(&world).await;
    assert_eq!((run.mode, run.counts.fetched), (Mode::Full, 600), "{run:?}");
}

#[rstest]
#[case::the_same_tick(0)]
#[case::a_tick_before_its_resume_time(1)]
#[tokio::test]
async fn a_paused_run_waits_for_its_resume_time_or_an_operator(
    #[case] minutes_later: i64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 600).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    world.fail(Call::UserGet, When::from(3..), Fault::Errcode(45009));
    let tick = app.app.clock.now();
    let request = Request { trigger: Trigger::Schedule, scheduled_at: Some(tick), ..manual() };
    let paused = app.try_sync(request).await.unwrap().run;
    assert_eq!(paused.state, RunState::Paused);
    assert!(paused.resume_at.is_some());

    world.clear_faults();
    world.reset_stats();
    let other = app.replica(&world).await;
    let later = tick + chrono::Duration::minutes(minutes_later);
    let job = other.job(CancellationToken::new()).await;
    let again = sync::run(&job, Request { scheduled_at: Some(later), ..request }).await;
    assert_eq!(world.requests(Call::UserGet), 0, "{again:?}");
    let rows = other.runs().await;
    assert_eq!((rows.len(), rows[0].state), (1, RunState::Paused), "{again:?}");
    assert_eq!(rows[0].resume_at, paused.resume_at);

    let run = other.sync_true(&world).await;
    assert_eq!((run.id, run.resumed_at_page), (paused.id, Some(3)));
}

#[rstest]
#[tokio::test]
async fn a_run_resumed_at_a_later_tick_also_covers_its_first_tick(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = paged_world(100, 600).await;
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let for_tick = |at| Request { trigger: Trigger::Schedule, scheduled_at: Some(at), ..manual() };
    let first = app.app.clock.now() - TimeDelta::seconds(2);
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let observer = move |run: &Run, _| {
        if run.counts.pages == 2 {
            stopped.cancel();
        }
    };
    let job = sync::Job { observer: Arc::new(observer), ..app.job(stop).await };
    let paused = sync::run(&job, for_tick(first)).await.unwrap().run;
    assert_eq!(paused.state, RunState::Paused);
    let later = paused.resume_at.unwrap();
    let resumed = app.try_sync(for_tick(later)).await.unwrap().run;
    assert_eq!((resumed.id, resumed.state), (paused.id, RunState::Succeeded));
    assert_eq!(resumed.scheduled_at, Some(later));

    // Another replica waited for the lease meanwhile, for the first tick.
    let late = app.try_sync(for_tick(first)).await;
    assert!(matches!(late, Err(sync::Error::TickTaken(_))), "{late:?}");
    assert_eq!(app.runs().await.len(), 1);
}
