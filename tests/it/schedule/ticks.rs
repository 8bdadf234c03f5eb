//! T7, T8: one run per tick, one catch-up after downtime, and no second run during the first.

use std::time::Duration;

use rstest::rstest;
use unionid_bridge::model::{RunState, Trigger};
use unionid_bridge::sandbox::{Call, Options, Sandbox};
use unionid_bridge::store::{Connection, leases};
use unionid_bridge::sync;

use crate::harness::{Backend, Telemetry, TestApp, beat, move_to, next_tick, stopped_clock};

const DAY: chrono::Duration = chrono::Duration::days(1);

#[rstest]
#[tokio::test]
async fn a_new_account_waits_for_its_first_tick_and_then_runs_once(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let (world, clock, telemetry) =
        (Sandbox::with_followers(200).await.unwrap(), stopped_clock(), Telemetry::capture());
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let app = app.timed(&clock);
    let mut schedule = app.schedule();
    beat(&mut schedule).await;
    assert_eq!(app.runs().await, []);

    let tick = next_tick(&clock);
    move_to(&clock, tick);
    beat(&mut schedule).await;
    beat(&mut schedule).await;
    let runs = app.runs().await;
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].trigger, runs[0].scheduled_at), (Trigger::Schedule, Some(tick)));
    assert_eq!(runs[0].state, RunState::Succeeded);
    assert_eq!(telemetry.counter("schedule_missed_total"), 0);
    app.assert_mirrors(&world).await;
}

#[rstest]
#[case(1)]
#[case(5)]
#[tokio::test]
async fn one_run_catches_up_on_any_number_of_missed_ticks(
    #[case] missed: u64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let (world, clock, telemetry) =
        (Sandbox::with_followers(200).await.unwrap(), stopped_clock(), Telemetry::capture());
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let app = app.timed(&clock);
    app.sync_true(&world).await;

    let last_tick = next_tick(&clock) + DAY * (missed as i32 - 1);
    move_to(&clock, last_tick + DAY / 2);
    let mut schedule = app.schedule();
    beat(&mut schedule).await;
    beat(&mut schedule).await;
    let runs = app.runs().await;
    assert_eq!(runs.len(), 2);
    assert_eq!((runs[0].trigger, runs[0].scheduled_at), (Trigger::CatchUp, Some(last_tick)));
    assert_eq!(runs[0].state, RunState::Succeeded);
    assert_eq!(telemetry.counter("schedule_missed_total"), missed);
    assert!(telemetry.logged("catching up"));
}

#[rstest]
#[tokio::test]
async fn a_tick_is_skipped_and_logged_while_the_previous_run_continues(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let options = Options::with_followers(200).latency(Call::UserGet, Duration::from_millis(400));
    let (world, clock, telemetry) =
        (Sandbox::start(options).await.unwrap(), stopped_clock(), Telemetry::capture());
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let app = app.timed(&clock);
    let mut schedule = app.schedule();
    schedule.beat().await.unwrap();
    for _ in 0..2 {
        move_to(&clock, next_tick(&clock));
        schedule.beat().await.unwrap();
        // Lets the run begin but not end.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    schedule.drain().await;
    assert_eq!(app.runs().await.len(), 1);
    assert_eq!(telemetry.counter("schedule_skipped_total"), 1);
    assert!(telemetry.logged("tick skipped") && telemetry.logged("the previous run has not ended"));
}

#[rstest]
#[tokio::test]
async fn a_tick_missed_by_a_database_error_runs_at_the_next_beat(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let (world, clock) = (Sandbox::with_followers(200).await.unwrap(), stopped_clock());
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let app = app.timed(&clock);
    let mut schedule = app.schedule();
    beat(&mut schedule).await;
    let tick = next_tick(&clock);
    move_to(&clock, tick);
    let database = app.app.store.writer();
    database.execute_unprepared("ALTER TABLE sync_run RENAME TO away").await.unwrap();
    let unread = schedule.beat().await.unwrap_err();
    assert_eq!((unread.len(), unread[0].tick), (1, Some(tick)));
    assert_eq!(unread[0].appid, app.account.appid);

    database.execute_unprepared("ALTER TABLE away RENAME TO sync_run").await.unwrap();
    beat(&mut schedule).await;
    let runs = app.runs().await;
    assert_eq!((runs.len(), runs[0].scheduled_at), (1, Some(tick)));
    assert_eq!(runs[0].state, RunState::Succeeded);
}

#[rstest]
#[tokio::test]
async fn one_of_two_replicas_runs_each_tick(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    const TICKS: usize = 3;
    let world = Sandbox::with_followers(200).await.unwrap();
    let (clock, telemetry) = (stopped_clock(), Telemetry::capture());
    let Some(one) = TestApp::on(&world, backend).await else { return };
    let other = one.replica(&world).await.timed(&clock);
    let one = one.timed(&clock);
    let (mut first, mut second) = (one.schedule(), other.schedule());
    tokio::join!(beat(&mut first), beat(&mut second));
    for _ in 0..TICKS {
        move_to(&clock, next_tick(&clock));
        tokio::join!(beat(&mut first), beat(&mut second));
        // The second replica has not kept the lease.
        let name = sync::lease_name(&one.account.appid);
        assert!(!leases::is_held(one.app.store.reader(), &name).await.unwrap());
    }
    assert_eq!(one.runs().await.len(), TICKS);
    assert_eq!(telemetry.counter("schedule_skipped_total"), TICKS as u64);
}
