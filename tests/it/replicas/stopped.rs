//! T6: the holder of an account's lease is stopped (SIGSTOP) until after the lease expired, and another
//! process takes over. When the first one continues (SIGCONT), it writes nothing and reports the loss.

use rstest::rstest;
use tokio::process::Child;
use unionid_bridge::model::{Run, RunState};
use unionid_bridge::sandbox::{Call, Sandbox};
use unionid_bridge::store::{Store, runs};

use crate::harness::{
    Backend, Bridge, SHORT_LEASE, ServeProcess, TestDatabase, eventually, latest, run_sync, signal,
    stderr, until_stopped, world_of_pages,
};

const PAGES: u64 = 4;
const PAGE_SIZE: usize = 500;
const LEAVE: u64 = 45;
const JOIN: u64 = 10;

/// A mirror after the first run, and a sandbox that has changed since.
async fn before_second_run(url: &str) -> (Sandbox, Bridge) {
    let world = world_of_pages(PAGES, PAGE_SIZE).await;
    let bridge = Bridge::on(&world, url, SHORT_LEASE);
    run_sync(&bridge).await;
    world.main().leave(100..100 + LEAVE);
    world.main().join(JOIN);
    world.reset_stats();
    (world, bridge)
}

/// Starts a sync and waits until it is stopped at a failpoint.
async fn stopped_at(bridge: &Bridge, failpoint: &str) -> Child {
    let mut sync = bridge.command(&["sync"]);
    let stopped = sync.env("FAILPOINTS", failpoint).spawn().unwrap();
    until_stopped(&stopped).await;
    stopped
}

async fn all_runs(store: &Store) -> Vec<Run> {
    runs::list(store.reader(), None, 100).await.unwrap()
}

async fn assert_writes_nothing_after_lease(backend: Backend, failpoint: &str) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let (world, bridge) = before_second_run(&database.url).await;
    let stopped = stopped_at(&bridge, failpoint).await;
    let open = latest(&bridge).await;
    assert_eq!(open["state"], "running");

    // Another process waits until the lease expires, takes over the run, and finishes it.
    let run = run_sync(&bridge).await;
    assert_eq!((&run["id"], &run["unfollowed"]), (&open["id"], &LEAVE.into()));
    bridge.assert_mirrors(&world).await;
    // A sweep with the first process's outdated data would mark these as having left.
    assert_eq!(world.main().rejoin(100..100 + LEAVE), LEAVE);
    run_sync(&bridge).await;
    bridge.assert_mirrors(&world).await;
    let store = bridge.store().await;
    let (before, calls) = (all_runs(&store).await, world.requests(Call::UserGet));

    signal(&stopped, "CONT");
    let output = stopped.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", stderr(&output));
    let message = format!("another process took over the sync of {}", world.main().appid());
    assert!(stderr(&output).contains(&message), "{}", stderr(&output));
    assert_eq!(all_runs(&store).await, before);
    bridge.assert_mirrors(&world).await;
    // At most the page that it was fetching when it was stopped, and the pages in flight after it.
    assert!(world.requests(Call::UserGet) <= calls + 3);
}

#[rstest]
#[case::fetched("sync.page_fetched=1*off->1*return(stop)")]
#[case::committed("sync.page_committed=1*off->1*return(stop)")]
#[case::listed("sync.listed=1*return(stop)")]
#[case::before_the_sweep("sync.before_sweep=1*return(stop)")]
#[tokio::test]
async fn a_process_resumed_after_its_lease_expired_writes_nothing(
    #[case] failpoint: &str,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    assert_writes_nothing_after_lease(backend, failpoint).await;
}

/// The database server ends the idle transaction, whose locks would block the other process. (SQLite has no
/// server: there, a process that is stopped inside a transaction blocks all other writers.)
#[rstest]
#[case::in_a_page("sync.page_half_written=1*off->1*return(stop)")]
#[case::in_the_sweep("sync.half_swept=1*return(stop)")]
#[case::at_the_end_of_the_sweep("sync.before_close=1*return(stop)")]
#[tokio::test]
async fn a_process_stopped_in_a_transaction_does_not_block_a_takeover(
    #[case] failpoint: &str,
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    assert_writes_nothing_after_lease(backend, failpoint).await;
}

#[rstest]
#[tokio::test]
async fn a_service_resumed_after_its_lease_expired_logs_it_and_continues(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let (world, bridge) = before_second_run(&database.url).await;
    let each_second = "[sync]\nlease_seconds = 1\nschedule = '* * * * * *'";
    let failpoint = "sync.page_fetched=1*off->1*return(stop)";
    let sleepy = Bridge::on(&world, &database.url, each_second).with("FAILPOINTS", failpoint);
    let sleepy = ServeProcess::start(&sleepy).await;
    until_stopped(&sleepy.child).await;
    let store = bridge.store().await;
    let open = all_runs(&store).await.remove(0);
    assert_eq!(open.state, RunState::Running);

    let peer = Bridge::on(&world, &database.url, each_second);
    let awake = ServeProcess::start(&peer).await;
    eventually("the other process to finish the run and to start its own", async || {
        let runs = all_runs(&store).await;
        runs.len() > 3 && runs.iter().skip(1).all(|run| run.state == RunState::Succeeded)
    })
    .await;
    let taken = all_runs(&store).await.into_iter().find(|run| run.id == open.id).unwrap();
    assert_eq!(taken.counts.unfollowed, LEAVE);

    signal(&sleepy.child, "CONT");
    let message = format!("another process took over the sync of {}", world.main().appid());
    let is_logged = async || String::from_utf8_lossy(&sleepy.output()).contains(&message);
    eventually("the first process to report the loss", is_logged).await;
    assert_eq!(sleepy.call("GET", "/readyz").send().await.status, 200);
    assert_eq!(awake.stop().await.0, Some(0));
    // The first process runs syncs again.
    let before = all_runs(&store).await.len();
    eventually("runs of its own", async || all_runs(&store).await.len() > before + 1).await;
    assert_eq!(sleepy.stop().await.0, Some(0));

    let runs = all_runs(&store).await;
    let mut ticks: Vec<_> = runs.iter().filter_map(|run| run.scheduled_at).collect();
    let all = ticks.len();
    ticks.sort_unstable();
    ticks.dedup();
    assert_eq!(ticks.len(), all, "a tick was run twice: {runs:?}");
    let unfollowed: u64 = runs.iter().map(|run| run.counts.unfollowed).sum();
    assert_eq!(unfollowed, LEAVE, "swept twice");
    bridge.assert_mirrors(&world).await;
}
