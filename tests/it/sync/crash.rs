//! T1: `kill -9` at the worst moments of the crawl. The next start loses nothing and repeats little.
//!
//! The tests kill real processes. On PostgreSQL and MySQL, pages are smaller than on SQLite unless
//! `FULL_FAULTS=1` is set: then all have 50,000 followers.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rstest::rstest;
use unionid_bridge::model::RunState;
use unionid_bridge::sandbox::{Call, Options, Sandbox};
use unionid_bridge::store::runs;

use crate::harness::{
    Backend, Bridge, SHORT_LEASE, ServeProcess, TestDatabase, crash, eventually, full_faults,
    latest, run_sync, signal, until, world_of_pages,
};

const PAGES: u64 = 10;
const PAGE_SIZE: usize = 5_000;

/// The page size on database servers, where a page takes longer.
const SMALL_PAGE: usize = 1_500;

fn page_size_on(backend: Backend) -> usize {
    if backend == Backend::Sqlite || full_faults() { PAGE_SIZE } else { SMALL_PAGE }
}

/// The number of pages in progress when a process dies. They are fetched again.
const PAGES_IN_PROGRESS: u64 = 3;

/// Asserts that each crash costs at most the calls for the pages in progress and one probe (I5).
fn assert_calls_within_bounds(world: &Sandbox, page_size: usize, crashes: u64) {
    let batches_a_page = page_size as u64 / 100;
    let (pages, batches) = (world.requests(Call::UserGet), world.requests(Call::UserInfoBatchget));
    assert!(pages <= PAGES + 1 + crashes * PAGES_IN_PROGRESS, "{pages} calls of user/get");
    let wasted = crashes * (PAGES_IN_PROGRESS * batches_a_page + 1);
    assert!(batches <= PAGES * batches_a_page + wasted, "{batches} calls of batchget");
    assert_eq!(world.requests(Call::UserInfo), 0);
}

#[rstest]
#[case::fetched("sync.page_fetched=2*off->return", 2)]
#[case::half_written("sync.page_half_written=2*off->return", 2)]
#[case::committed("sync.page_committed=2*off->return", 3)]
#[case::all_listed("sync.listed=return", PAGES)]
#[tokio::test]
async fn a_killed_run_resumes_after_its_last_committed_page(
    #[case] failpoint: &str,
    #[case] committed: u64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let page_size = page_size_on(backend);
    let world = world_of_pages(PAGES, page_size).await;
    let bridge = Bridge::on(&world, &database.url, SHORT_LEASE);
    let open = crash(&bridge, failpoint).await;
    assert_eq!((&open["state"], &open["pages"]), (&"running".into(), &committed.into()));

    let run = run_sync(&bridge).await;
    assert_eq!(run["id"], open["id"]);
    assert_eq!(run["resumed_at_page"], committed + 1);
    assert_eq!(run["pages"], PAGES);
    assert_eq!(run["fetched"], PAGES * page_size as u64);
    assert_eq!(run["upserted"], PAGES * page_size as u64);
    bridge.assert_mirrors(&world).await;
    assert_calls_within_bounds(&world, page_size, 1);
}

#[rstest]
#[case::fetched("sync.page_fetched=2*off->return", 2)]
#[case::half_written("sync.page_half_written=2*off->return", 2)]
#[case::committed("sync.page_committed=2*off->return", 3)]
#[tokio::test]
async fn another_replica_resumes_the_run_of_a_killed_service(
    #[case] failpoint: &str,
    #[case] committed: u64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let world = world_of_pages(PAGES, 500).await;
    let each_second = format!("{SHORT_LEASE}\nschedule = '* * * * * *'");
    let doomed = Bridge::on(&world, &database.url, &each_second).with("FAILPOINTS", failpoint);
    let (status, output) = ServeProcess::start(&doomed).await.wait().await;
    assert_eq!(status.signal(), Some(9), "{}", String::from_utf8_lossy(&output));

    // The next tick is far away: this process only rescues interrupted runs.
    let bridge = Bridge::on(&world, &database.url, SHORT_LEASE);
    let open = latest(&bridge).await;
    assert_eq!((&open["state"], &open["pages"]), (&"running".into(), &committed.into()));
    let peer = ServeProcess::start(&bridge).await;
    let store = bridge.store().await;
    eventually("the peer to end the run", async || {
        let runs = runs::list(store.reader(), None, 10).await.unwrap();
        runs[0].state == RunState::Succeeded
    })
    .await;
    assert_eq!(peer.stop().await.0, Some(0));
    let run = latest(&bridge).await;
    assert_eq!((&run["id"], &run["resumed_at_page"]), (&open["id"], &(committed + 1).into()));
    bridge.assert_mirrors(&world).await;
    assert_calls_within_bounds(&world, 500, 1);
}

/// Checks the promise of the handbook with the default lease.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn another_replica_resumes_a_killed_run_within_30_seconds(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let options = Options { page_size: 10, ..Options::with_followers(4_000) };
    let options = options.latency(Call::UserGet, Duration::from_millis(200));
    let world = Sandbox::start(options).await.unwrap();
    let each_second = "[sync]\nschedule = '* * * * * *'";
    let doomed = ServeProcess::start(&Bridge::on(&world, &database.url, each_second)).await;
    let peer = ServeProcess::start(&Bridge::on(&world, &database.url, "")).await;
    let store = Bridge::on(&world, &database.url, "").store().await;
    let newest = async || runs::list(store.reader(), None, 1).await.unwrap().pop();
    let is_long = async || newest().await.is_some_and(|run| run.counts.pages >= 10);
    eventually("a run", is_long).await;

    doomed.kill().await;
    let killed = Instant::now();
    let left = newest().await.unwrap();
    assert_eq!((left.state, left.resumed_at_page), (RunState::Running, None), "{left:?}");
    let is_resumed = async || {
        let run = newest().await.unwrap();
        run.id == left.id && run.resumed_at_page.is_some() && run.counts.pages > left.counts.pages
    };
    eventually("the peer to resume the run", is_resumed).await;
    println!("the peer resumed the run {:?} after the kill", killed.elapsed());
    assert!(killed.elapsed() < Duration::from_secs(30), "{:?}", killed.elapsed());
    assert_eq!(peer.stop().await.0, Some(0));
}

#[rstest]
#[tokio::test]
async fn a_run_killed_repeatedly_at_random_times_ends_correctly(
    #[values(1, 2)] seed: u64,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    const KILLS: u64 = 5;
    let Some(database) = TestDatabase::new(backend).await else { return };
    let mut random = StdRng::seed_from_u64(seed);
    let page_size = page_size_on(backend);
    let batches = PAGES * page_size as u64 / 100;
    let world = world_of_pages(PAGES, page_size).await;
    let bridge = Bridge::on(&world, &database.url, SHORT_LEASE);
    for kill in 1..=KILLS {
        // All kills happen before the last call that the run needs.
        let calls = world.requests(Call::UserInfoBatchget);
        let calls = calls + random.random_range(1..batches / KILLS - 5);
        let mut sync = bridge.start(&["sync"]);
        until("profile calls", || world.requests(Call::UserInfoBatchget) >= calls).await;
        signal(&sync, "KILL");
        sync.wait().await.unwrap();
        let open = latest(&bridge).await;
        assert_eq!((&open["id"], &open["state"]), (&1.into(), &"running".into()), "kill {kill}");
    }
    let run = run_sync(&bridge).await;
    assert_eq!((&run["id"], &run["pages"]), (&1.into(), &PAGES.into()));
    bridge.assert_mirrors(&world).await;
    assert_calls_within_bounds(&world, page_size, KILLS);
}
