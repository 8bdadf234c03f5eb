//! Crashes and what is left of them, for tests that drive the real command.

use std::os::unix::process::ExitStatusExt;

use serde_json::Value;
use unionid_bridge::sandbox::{Options, Sandbox};

use super::{Bridge, talk};

/// A lease that a dead process does not keep for long.
pub const SHORT_LEASE: &str = "[sync]\nlease_seconds = 1";

/// A world whose followers make that many pages of that many.
pub async fn world_of(pages: u64, page_size: usize) -> Sandbox {
    let followers = pages * page_size as u64;
    Sandbox::start(Options { page_size, ..Options::with_followers(followers) }).await.unwrap()
}

/// Syncs until the failpoint kills the process as `kill -9` does, and gives the run that it left open.
pub async fn crash(bridge: &Bridge, failpoint: &str) -> Value {
    let output = bridge.command(&["sync"]).env("FAILPOINTS", failpoint).output().await.unwrap();
    assert_eq!(output.status.signal(), Some(9), "{failpoint}: {}", talk(&output));
    latest(bridge).await
}

/// One sync that must succeed, of the only account.
pub async fn night(bridge: &Bridge) -> Value {
    let output = bridge.run(&["sync", "--json"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", talk(&output));
    let runs: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(runs[0]["state"], "succeeded", "{runs}");
    assert_run_adds_up(&runs[0]);
    runs[0].clone()
}

/// The newest run.
pub async fn latest(bridge: &Bridge) -> Value {
    bridge.json(&["runs", "list"]).await[0].clone()
}

/// `listed = known + fetched + quarantined + vanished`.
pub fn assert_run_adds_up(run: &Value) {
    let count = |name: &str| run[name].as_u64().unwrap();
    let answered = count("known") + count("fetched") + count("quarantined") + count("vanished");
    assert_eq!(count("listed"), answered, "{run}");
}
