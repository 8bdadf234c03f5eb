//! Repeated nightly runs keep the mirror correct, and fetch only what changed.

use rstest::rstest;
use unionid_bridge::sandbox::{Call, Sandbox};

use crate::harness::{Backend, TestApp};

#[rstest]
#[tokio::test]
async fn the_first_sync_fetches_everyone_and_the_next_only_changes(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = Sandbox::with_followers(25_000).await.unwrap();
    let Some(app) = TestApp::on(&world, backend).await else { return };
    let first = app.sync_true(&world).await;
    assert_eq!(first.counts.pages, 3);
    assert_eq!(first.counts.fetched, 25_000);
    assert_eq!(first.calls["user/info/batchget"], 250);

    world.main().leave(0..20);
    world.main().join(30);
    world.reset_stats();
    let second = app.sync_true(&world).await;
    assert_eq!(second.counts.fetched, 30);
    assert_eq!(second.counts.unfollowed, 20);
    assert_eq!(second.counts.upserted, 30);
    // One batch each for the new followers of all pages, the nightly probe, and the departures.
    assert_eq!(world.requests(Call::UserInfoBatchget), 3);
    assert_eq!(world.requests(Call::UserInfo), 0);
}

#[tokio::test]
async fn a_returning_follower_is_mirrored_with_the_same_unionid() {
    let world = Sandbox::with_followers(300).await.unwrap();
    let app = TestApp::against(&world).await;
    app.sync_true(&world).await;
    world.main().leave([7]);
    app.sync_true(&world).await;
    world.main().rejoin([7]);
    let run = app.sync_true(&world).await;
    assert_eq!((run.counts.fetched, run.counts.upserted), (1, 1));
}
