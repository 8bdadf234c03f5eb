//! Accounts are spread over the replicas: at a tick, and when a replica stops.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use rstest::rstest;
use sea_orm::EntityTrait;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use unionid_bridge::clock::Clock;
use unionid_bridge::model::{Run, RunState};
use unionid_bridge::sandbox::{Call, Fault, OfficialAccount, Options, Sandbox, When};
use unionid_bridge::scheduler::Schedule;

use crate::harness::{Backend, TestApp, move_to, next_tick, stopped_clock};

const ACCOUNTS: usize = 4;

/// A sandbox with several Official Accounts.
async fn world() -> Sandbox {
    let mut options = Options::with_followers(100);
    for number in 2..=ACCOUNTS {
        let (name, appid) = (format!("account-{number}"), format!("wx0a0000000000000{number}"));
        let secret = format!("5a5d0b0c0a11ce0000000000000000a{number}");
        options.official_accounts.push(OfficialAccount::new(&name, &appid, &secret, 100));
    }
    Sandbox::start(options).await.unwrap()
}

/// Makes syncs last long enough to be observed.
fn slow_down(world: &Sandbox) {
    world.fail(Call::UserGet, When::Always, Fault::Stall(Duration::from_secs(6)));
}

/// The scheduler of a process, which beats every second until it is stopped.
struct Scheduler {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Scheduler {
    fn start(app: &TestApp, first: Duration) -> Self {
        let stop = CancellationToken::new();
        let mut schedule = Schedule::new(app.app.clone(), stop.clone());
        let token = stop.clone();
        let task = tokio::spawn(async move {
            let mut pause = first;
            while token.run_until_cancelled(sleep(pause)).await.is_some() {
                schedule.beat().await.unwrap();
                pause = Duration::from_secs(1);
            }
            schedule.drain().await;
        });
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

fn tick(clock: &Clock) {
    move_to(clock, next_tick(clock));
}

/// Returns the number of accounts that each process is syncing.
async fn shares(app: &TestApp) -> Vec<usize> {
    let leases = entity::lease::Entity::find().all(app.app.store.reader()).await.unwrap();
    let held = leases.iter().filter(|lease| lease.name.starts_with("sync:"));
    let mut shares = BTreeMap::new();
    for lease in held.filter(|lease| !lease.holder.is_empty()) {
        *shares.entry(lease.holder.clone()).or_default() += 1;
    }
    shares.into_values().collect()
}

/// Waits until every account is being synced. Returns the number of accounts of each process.
async fn all_syncing(app: &TestApp) -> Vec<usize> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let shares = shares(app).await;
        if shares.iter().sum::<usize>() == ACCOUNTS {
            return shares;
        }
        assert!(Instant::now() < deadline, "accounts being synced by process: {shares:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until every account has exactly one run, which succeeded.
async fn all_done(app: &TestApp, world: &Sandbox) -> Vec<Run> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let runs = loop {
        let runs = app.runs().await;
        if runs.iter().filter(|run| run.state == RunState::Succeeded).count() == ACCOUNTS {
            break runs;
        }
        assert!(Instant::now() < deadline, "{runs:?}");
        sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(runs.len(), ACCOUNTS, "{runs:?}");
    for number in 0..ACCOUNTS {
        app.for_account(number).assert_mirrors(world).await;
    }
    runs
}

#[rstest]
#[tokio::test]
async fn two_replicas_each_sync_half_of_the_accounts_at_a_tick(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let (world, clock) = (world().await, stopped_clock());
    let Some(one) = TestApp::on(&world, backend).await else { return };
    let other = one.replica(&world).await.timed(&clock);
    let one = one.timed(&clock);
    slow_down(&world);
    let schedulers = [
        Scheduler::start(&one, Duration::ZERO),
        Scheduler::start(&other, Duration::from_millis(400)),
    ];
    tick(&clock);
    assert_eq!(all_syncing(&one).await, [2, 2]);
    world.clear_faults();
    all_done(&one, &world).await;
    for scheduler in schedulers {
        scheduler.stop().await;
    }
}

#[rstest]
#[tokio::test]
async fn a_single_process_starts_all_accounts_one_by_one_within_seconds(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let (world, clock) = (world().await, stopped_clock());
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let app = app.timed(&clock);
    let scheduler = Scheduler::start(&app, Duration::ZERO);
    tick(&clock);
    let mut runs = all_done(&app, &world).await;
    scheduler.stop().await;
    runs.sort_by_key(|run| run.started_at);
    for pair in runs.windows(2) {
        // More than one beat.
        assert!(pair[1].started_at - pair[0].started_at > TimeDelta::seconds(1), "{runs:?}");
    }
    let took = runs[ACCOUNTS - 1].started_at - runs[0].started_at;
    assert!(took < TimeDelta::seconds(8), "{took}");
}

#[rstest]
#[tokio::test]
async fn a_stopping_process_leaves_its_accounts_to_the_others(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let (world, clock) = (world().await, stopped_clock());
    let Some(one) = TestApp::on(&world, backend).await else { return };
    let others = [one.replica(&world).await, one.replica(&world).await];
    let others = others.map(|other| other.timed(&clock));
    let one = one.timed(&clock);
    slow_down(&world);
    let ending = Scheduler::start(&one, Duration::ZERO);
    tick(&clock);
    assert_eq!(all_syncing(&one).await, [ACCOUNTS]);
    ending.stop().await;
    assert!(shares(&one).await.is_empty());
    assert!(one.runs().await.iter().all(|run| run.state == RunState::Paused));

    let schedulers = others.each_ref().map(|other| Scheduler::start(other, Duration::ZERO));
    assert_eq!(all_syncing(&one).await, [2, 2]);
    world.clear_faults();
    all_done(&one, &world).await;
    for scheduler in schedulers {
        scheduler.stop().await;
    }
}
