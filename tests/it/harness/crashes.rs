//! Crashes and recovery, for tests that run the real command.

use std::os::unix::process::ExitStatusExt;

use serde_json::Value;
use unionid_bridge::sandbox::{Options, Sandbox};

use super::{Bridge, stderr};

/// A lease that expires soon after the process dies.
pub const SHORT_LEASE: &str = "[sync]\nlease_seconds = 1";

/// A sandbox whose follower list has `pages` full pages of `page_size`.
pub async fn world_of_pages(pages: u64, page_size: usize) -> Sandbox {
    let followers = pages * page_size as u64;
    Sandbox::start(Options { page_size, ..Options::with_followers(followers) }).await.unwrap()
}

/// Runs a sync until the failpoint kills the process with SIGKILL. Returns the run that it left open.
pub async fn crash(bridge: &Bridge, failpoint: &str) -> Value {
    let output = bridge.command(&["sync"]).env("FAILPOINTS", failpoint).output().await.unwrap();
    assert_eq!(output.status.signal(), Some(9), "{failpoint}: {}", stderr(&output));
    latest(bridge).await
}

/// Runs one sync of the only account, which must succeed. Returns the run.
pub async fn run_sync(bridge: &Bridge) -> Value {
    let output = bridge.run(&["sync", "--json"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let runs: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(runs[0]["state"], "succeeded", "{runs}");
    assert_run_adds_up(&runs[0]);
    runs[0].clone()
}

/// Returns the newest run.
pub async fn latest(bridge: &Bridge) -> Value {
    bridge.json(&["runs", "list"]).await[0].clone()
}

/// Asserts `listed = known + fetched + quarantined + vanished`.
pub fn assert_run_adds_up(run: &Value) {
    let count = |name: &str| run[name].as_u64().unwrap();
    let answered = count("known") + count("fetched") + count("quarantined") + count("vanished");
    assert_eq!(count("listed"), answered, "{run}");
}
