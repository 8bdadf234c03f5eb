//! The database commits the end of a run, and its answer is lost.

use std::time::Duration;

use rstest::rstest;
use serde_json::Value;
use unionid_bridge::sandbox::Call;

use crate::harness::{
    Backend, Bridge, Proxy, TestDatabase, Way, assert_run_adds_up, latest, talk, until, world_of,
};

/// The sweep is done, and its commit waits for so long.
const BEFORE_COMMIT: &str = "sync.before_close=sleep(3000)";

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
