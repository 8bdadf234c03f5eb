//! The database commits a page or the end of a run, but its answer is lost.

use std::time::Duration;

use rstest::rstest;
use serde_json::Value;
use unionid_bridge::sandbox::Call;

use crate::harness::{
    Backend, Bridge, Proxy, ProxyMode, TestDatabase, assert_run_adds_up, eventually, latest,
    run_sync, signal, stderr, until, world_of_pages,
};

/// Waits 3 s between the sweep and its commit.
const BEFORE_COMMIT: &str = "sync.before_close=sleep(3000)";

/// Waits 3 s between writing the second page and its commit.
const BEFORE_COMMIT_OF_A_PAGE: &str = "sync.page_written=1*off->1*sleep(3000)->off";

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_succeeds_if_the_response_to_its_last_commit_is_lost(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = world_of_pages(3, 50).await;
    let Some(database) = TestDatabase::new(backend).await else { return };
    let proxy = Proxy::to(database.server_address().unwrap()).await;
    let bridge = Bridge::on(&world, &database.url_through(proxy.address).unwrap(), "");
    assert_eq!(bridge.run(&["sync"]).await.status.code(), Some(0));
    world.main().leave(0..5);
    world.reset_stats();
    let mut sync = bridge.command(&["sync", "--json"]);
    let sync = sync.env("FAILPOINTS", BEFORE_COMMIT).spawn().unwrap();
    until("the whole list", || world.requests(Call::UserGet) == 4).await;
    // In the middle of the wait.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    proxy.set(ProxyMode::DropAnswers);
    tokio::time::sleep(Duration::from_secs(3)).await;
    proxy.set(ProxyMode::Close);
    proxy.set(ProxyMode::Forward);

    let output = sync.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let stored = latest(&bridge).await;
    assert_eq!(
        (&stored["state"], &stored["unfollowed"]),
        (&"succeeded".into(), &5.into()),
        "{stored}"
    );
    assert_eq!(printed[0], stored);
    assert_run_adds_up(&stored);
    bridge.assert_mirrors(&world).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_stopped_during_an_unconfirmed_commit_resumes_after_that_page(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = world_of_pages(4, 500).await;
    let Some(database) = TestDatabase::new(backend).await else { return };
    let direct = Bridge::on(&world, &database.url, "");
    assert_eq!(direct.run(&["migrate", "up"]).await.status.code(), Some(0));
    let proxy = Proxy::to(database.server_address().unwrap()).await;
    let bridge = Bridge::on(&world, &database.url_through(proxy.address).unwrap(), "");
    let mut sync = bridge.command(&["sync", "--json"]);
    let sync = sync.env("FAILPOINTS", BEFORE_COMMIT_OF_A_PAGE).spawn().unwrap();
    let store = direct.store().await;
    let pages = async || {
        let runs = unionid_bridge::store::runs::list(store.reader(), None, 1).await.unwrap();
        runs.first().map_or(0, |run| run.counts.pages)
    };
    eventually("the first page", async || pages().await == 1).await;
    // In the middle of the wait.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    proxy.set(ProxyMode::DropAnswers);
    eventually("the second page", async || pages().await == 2).await;
    signal(&sync, "TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    proxy.set(ProxyMode::Forward);

    let output = sync.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", stderr(&output));
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let stored = latest(&direct).await;
    assert_eq!((&stored["state"], &stored["pages"]), (&"paused".into(), &2.into()), "{stored}");
    assert_eq!((&printed[0]["state"], &printed[0]["pages"]), (&stored["state"], &stored["pages"]));
    let run = run_sync(&direct).await;
    assert_eq!((&run["id"], &run["resumed_at_page"]), (&stored["id"], &3.into()), "{run}");
    assert_eq!(run["listed"], 2_000, "{run}");
    direct.assert_mirrors(&world).await;
}
