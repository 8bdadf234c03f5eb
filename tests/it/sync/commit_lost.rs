//! The database commits a page or the end of a run, and its answer is lost.

use std::time::Duration;

use rstest::rstest;
use serde_json::Value;
use unionid_bridge::sandbox::Call;

use crate::harness::{
    Backend, Bridge, Proxy, TestDatabase, Way, assert_run_adds_up, eventually, latest, night,
    signal, talk, until, world_of,
};

/// The sweep is done, and its commit waits for so long.
const BEFORE_COMMIT: &str = "sync.before_close=sleep(3000)";

/// The second page is written, and its commit waits for so long.
const BEFORE_COMMIT_OF_A_PAGE: &str = "sync.page_written=1*off->1*sleep(3000)->off";

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_last_commit_went_through_unheard_has_succeeded(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = world_of(3, 50).await;
    let Some(database) = TestDatabase::new(backend).await else { return };
    let proxy = Proxy::to(database.server_address().unwrap()).await;
    let bridge = Bridge::on(&world, &database.url_through(proxy.address).unwrap(), "");
    assert_eq!(bridge.run(&["sync"]).await.status.code(), Some(0));
    world.main().leave(0..5);
    world.reset_stats();
    let mut sync = bridge.command(&["sync", "--json"]);
    let sync = sync.env("FAILPOINTS", BEFORE_COMMIT).spawn().unwrap();
    until("the whole list", || world.requests(Call::UserGet) == 4).await;
    // Well into the wait, and well before its end.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    proxy.set(Way::Mute);
    tokio::time::sleep(Duration::from_secs(3)).await;
    proxy.set(Way::Cut);
    proxy.set(Way::Open);

    let output = sync.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let kept = latest(&bridge).await;
    assert_eq!((&kept["state"], &kept["unfollowed"]), (&"succeeded".into(), &5.into()), "{kept}");
    assert_eq!(told[0], kept);
    assert_run_adds_up(&kept);
    bridge.assert_mirrors(&world).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_stops_while_a_pages_commit_is_in_doubt_goes_on_after_that_page(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let world = world_of(4, 500).await;
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
    // Well into the wait, and well before its end.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    proxy.set(Way::Mute);
    eventually("the second page", async || pages().await == 2).await;
    signal(&sync, "TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    proxy.set(Way::Open);

    let output = sync.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", talk(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let kept = latest(&direct).await;
    assert_eq!((&kept["state"], &kept["pages"]), (&"paused".into(), &2.into()), "{kept}");
    assert_eq!((&told[0]["state"], &told[0]["pages"]), (&kept["state"], &kept["pages"]));
    let run = night(&direct).await;
    assert_eq!((&run["id"], &run["resumed_at_page"]), (&kept["id"], &3.into()), "{run}");
    assert_eq!(run["listed"], 2_000, "{run}");
    direct.assert_mirrors(&world).await;
}
