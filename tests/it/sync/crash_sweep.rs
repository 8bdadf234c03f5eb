//! T1, T2: `kill -9` around the sweep. Readers see all departures or none.

use std::collections::BTreeSet;
use std::time::Duration;

use entity::follower::{Column, Entity};
use rstest::rstest;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use unionid_bridge::sandbox::{Call, Sandbox};
use unionid_bridge::store::Store;

use crate::harness::{Backend, Bridge, SHORT_LEASE, TestDatabase, crash, run_sync, world_of_pages};

const PAGES: u64 = 4;
const FOLLOWERS: u64 = 4_000;
const LEAVE: u64 = 45;
const JOIN: u64 = 10;

/// A mirror after the first run, and a sandbox that has changed since.
async fn before_second_run(database: &TestDatabase) -> (Sandbox, Bridge) {
    let world = world_of_pages(PAGES, (FOLLOWERS / PAGES) as usize).await;
    let bridge = Bridge::on(&world, &database.url, SHORT_LEASE);
    run_sync(&bridge).await;
    world.main().leave(100..100 + LEAVE);
    world.main().join(JOIN);
    world.reset_stats();
    (world, bridge)
}

async fn followers(store: &Store) -> u64 {
    let followers = Entity::find().filter(Column::Subscribed.eq(true));
    followers.count(store.reader()).await.unwrap()
}

#[rstest]
#[case::after_the_list("sync.listed=return")]
#[case::before_the_sweep("sync.before_sweep=return")]
#[case::during_the_sweep("sync.half_swept=return")]
#[case::before_the_run_is_closed("sync.before_close=return")]
#[tokio::test]
async fn a_kill_around_the_sweep_leaves_it_uncommitted_for_the_next_start(
    #[case] failpoint: &str,
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let (world, bridge) = before_second_run(&database).await;
    let open = crash(&bridge, failpoint).await;
    assert_eq!((&open["state"], &open["unfollowed"]), (&"running".into(), &0.into()));
    let store = bridge.store().await;
    assert_eq!(followers(&store).await, FOLLOWERS + JOIN, "half a sweep was committed");

    let run = run_sync(&bridge).await;
    assert_eq!(run["id"], open["id"]);
    assert_eq!((&run["unfollowed"], &run["fetched"]), (&LEAVE.into(), &JOIN.into()));
    bridge.assert_mirrors(&world).await;
    // The list was fetched before the crash and is not fetched again.
    assert_eq!(world.requests(Call::UserGet), PAGES + 1);
}

#[rstest]
#[tokio::test]
async fn the_sweep_becomes_visible_atomically(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let (world, bridge) = before_second_run(&database).await;
    let store = bridge.store().await;
    let mut sync = bridge.command(&["sync"]);
    sync.env("FAILPOINTS", "sync.half_swept=sleep(400);sync.before_close=sleep(400)");
    let mut sync = sync.spawn().unwrap();
    let mut seen = BTreeSet::new();
    while sync.try_wait().unwrap().is_none() {
        seen.insert(followers(&store).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(sync.wait().await.unwrap().success());
    seen.insert(followers(&store).await);
    let after = FOLLOWERS + JOIN - LEAVE;
    // New followers are written with their page, before the sweep.
    let allowed = (FOLLOWERS..=FOLLOWERS + JOIN).chain([after]).collect();
    assert!(seen.is_subset(&allowed), "{seen:?}");
    assert!(seen.contains(&after) && seen.contains(&(FOLLOWERS + JOIN)), "{seen:?}");
    bridge.assert_mirrors(&world).await;
}
