//! The peak memory of a first sync, in a separate process.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use unionid_bridge::sandbox::Options;

use crate::base::Base;
use crate::bench::{followers, sandbox};

/// Runs the real command for two sizes. The peak should be the same.
pub async fn peak_memory(kind: &'static str) {
    for count in [followers(1_000_000), 5 * followers(1_000_000)] {
        let world = sandbox(Options::with_followers(count)).await;
        let Some(base) = Base::new(kind).await else { return };
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let file = folder.path().join("unionid-bridge.toml");
        std::fs::write(&file, world.config_toml() + &base.config_toml()).unwrap();
        let began = Instant::now();
        let peak = tokio::task::spawn_blocking(move || measure(&file)).await.unwrap();
        println!(
            "peak memory of a first sync of {count} into {kind}: {} MiB (target 128), {:.1} s",
            peak / 1024,
            began.elapsed().as_secs_f64()
        );
        base.drop().await;
    }
}

/// Runs a sync and returns its peak resident memory in KiB. Linux only.
fn measure(config: &std::path::Path) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_unionid-bridge"))
        .args(["sync", "--config"])
        .arg(config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = 0;
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        let mark = status.ok().and_then(|status| {
            let line = status.lines().find(|line| line.starts_with("VmHWM:"))?.to_owned();
            line.split_whitespace().nth(1)?.parse().ok()
        });
        peak = mark.unwrap_or(peak).max(peak);
        if let Some(ended) = child.try_wait().unwrap() {
            assert!(ended.success(), "the sync failed");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
