//! T1: the process dies at the worst moments of the crawl, and the next start loses nothing and
//! repeats little.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rstest::rstest;
use unionid_bridge::sandbox::{Call, Sandbox};

use crate::harness::{
    Backend, Bridge, SHORT_LEASE, TestDatabase, crash, latest, night, signal, until, world_of,
};

const PAGES: u64 = 10;
const PAGE_SIZE: usize = 5_000;

/// On servers, where a page takes longer.
const SMALL_PAGE: usize = 1_500;

/// Pages at work when a process dies: they are asked for again.
const PAGES_AT_WORK: u64 = 3;

/// I5: beyond the ideal, a crash costs the calls for the pages at work and one to probe.
fn assert_calls_within_bounds(world: &Sandbox, page_size: usize, crashes: u64) {
    let batches_a_page = page_size as u64 / 100;
    let (pages, batches) = (world.requests(Call::UserGet), world.requests(Call::UserInfoBatchget));
    assert!(pages <= PAGES + 1 + crashes * PAGES_AT_WORK, "{pages} calls of user/get");
    let wasted = crashes * (PAGES_AT_WORK * batches_a_page + 1);
    assert!(batches <= PAGES * batches_a_page + wasted, "{batches} calls of batchget");
    assert_eq!(world.requests(Call::UserInfo), 0);
}

async fn crashes_and_goes_on(backend: Backend, failpoint: &str, committed: u64) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let page_size = if backend == Backend::Sqlite { PAGE_SIZE } else { SMALL_PAGE };
    let world = world_of(PAGES, page_size).await;
    let bridge = Bridge::on(&world, &database.url, SHORT_LEASE);
    let open = crash(&bridge, failpoint).await;
    assert_eq!((&open["state"], &open["pages"]), (&"running".into(), &committed.into()));

    let run = night(&bridge).await;
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
#[case::all_listed("sync.listed=return", PAGES)]
#[tokio::test]
async fn a_crashed_run_goes_on_after_its_last_committed_page(
    #[case] failpoint: &str,
    #[case] committed: u64,
) {
    crashes_and_goes_on(Backend::Sqlite, failpoint, committed).await;
}

#[rstest]
#[case::half_written("sync.page_half_written=2*off->return", 2)]
#[case::committed("sync.page_committed=2*off->return", 3)]
#[tokio::test]
async fn a_crashed_run_goes_on_after_its_last_committed_page_on_a_server(
    #[case] failpoint: &str,
    #[case] committed: u64,
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    crashes_and_goes_on(backend, failpoint, committed).await;
}

#[rstest]
#[tokio::test]
async fn killed_again_and_again_at_random_moments_a_run_still_ends_true(#[values(1, 2)] seed: u64) {
    const KILLS: u64 = 5;
    let mut random = StdRng::seed_from_u64(seed);
    let world = world_of(PAGES, PAGE_SIZE).await;
    let database = TestDatabase::new(Backend::Sqlite).await.unwrap();
    let bridge = Bridge::on(&world, &database.url, SHORT_LEASE);
    for kill in 1..=KILLS {
        // All kills together come before the last call that the run needs.
        let calls = world.requests(Call::UserInfoBatchget) + random.random_range(1..95);
        let mut sync = bridge.start(&["sync"]);
        until("profile calls", || world.requests(Call::UserInfoBatchget) >= calls).await;
        signal(&sync, "KILL");
        sync.wait().await.unwrap();
        let open = latest(&bridge).await;
        assert_eq!((&open["id"], &open["state"]), (&1.into(), &"running".into()), "kill {kill}");
    }
    let run = night(&bridge).await;
    assert_eq!((&run["id"], &run["pages"]), (&1.into(), &PAGES.into()));
    bridge.assert_mirrors(&world).await;
    assert_calls_within_bounds(&world, PAGE_SIZE, KILLS);
}
