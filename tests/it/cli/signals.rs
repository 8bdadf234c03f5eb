//! Ctrl-C and SIGTERM: a sync saves a checkpoint, reports it, and resumes at the next start.

use std::time::Duration;

use rstest::rstest;
use unionid_bridge::sandbox::{Call, Fault, Options, Sandbox};

use crate::harness::{Bridge, eventually, latest, run_sync, signal, stderr, until};

const PAGES: u64 = 8;

/// A sandbox whose pages take a few seconds in total.
async fn slow_world() -> Sandbox {
    let options = Options { page_size: 500, ..Options::with_followers(PAGES * 500) };
    let options = options.latency(Call::UserGet, Duration::from_millis(300));
    Sandbox::start(options).await.unwrap()
}

#[rstest]
#[case::ctrl_c("INT")]
#[case::terminated("TERM")]
#[tokio::test]
async fn a_stopped_sync_exits_with_75_and_resumes_at_the_next_page(#[case] name: &str) {
    let world = slow_world().await;
    // A lease that is not released would last ten minutes.
    let bridge = Bridge::against(&world, "[sync]\nlease_seconds = 600");
    let sync = bridge.start(&["sync", "--json"]);
    until("the fourth page", || world.requests(Call::UserGet) >= 4).await;
    signal(&sync, name);
    let output = sync.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(75), "{}", stderr(&output));
    let runs: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(runs[0]["state"], "paused");
    let committed = runs[0]["pages"].as_u64().unwrap();
    assert!((1..PAGES).contains(&committed), "{runs}");
    assert_eq!(latest(&bridge).await["pages"], committed);

    let run = run_sync(&bridge).await;
    assert_eq!((&run["id"], &run["resumed_at_page"]), (&runs[0]["id"], &(committed + 1).into()));
    bridge.assert_mirrors(&world).await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_wechat() {
    let world = Sandbox::with_followers(500).await.unwrap();
    let silence = world.fail(Call::UserGet, 1.., Fault::Stall(Duration::from_secs(600)));
    let bridge = Bridge::against(&world, "");
    let mut sync = bridge.start(&["sync"]);
    until("the first page request", || world.hits(silence) == 1).await;
    signal(&sync, "INT");
    let ended = tokio::time::timeout(Duration::from_secs(5), sync.wait()).await;
    assert_eq!(ended.expect("the command waits for WeChat").unwrap().code(), Some(75));
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    let world = Sandbox::with_followers(500).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let mut sync = bridge.command(&["sync"]);
    sync.env("FAILPOINTS", "sync.listed=sleep(60000)");
    let mut sync = sync.spawn().unwrap();
    eventually("the page to be committed", async || latest(&bridge).await["pages"] == 1).await;
    signal(&sync, "INT");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(sync.try_wait().unwrap().is_none(), "the first signal ended the command");
    signal(&sync, "INT");
    let ended = tokio::time::timeout(Duration::from_secs(5), sync.wait()).await;
    assert_eq!(ended.expect("the command hangs").unwrap().code(), Some(130));
}
