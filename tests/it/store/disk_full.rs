//! T21: the disk is full. Needs permission to mount a small file system; otherwise the tests are skipped.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;
use unionid_bridge::sandbox::Sandbox;

use crate::harness::{
    Bridge, Need, ServeProcess, eventually, latest, run_sync, stderr, world_of_pages,
};

/// A file system of 12 MB, unmounted when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=12m", "none"]).arg(folder.path());
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        Need::Disks.is_missing("mounting a file system is not permitted: no test on a full disk");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills the disk except for `free` bytes.
    fn fill_but(&self, free: u64) {
        let mut ballast = std::fs::File::create(self.path().join("ballast")).unwrap();
        let chunk = [0; 4096];
        while ballast.write_all(&chunk).is_ok() {}
        let filled = ballast.metadata().unwrap().len();
        ballast.set_len(filled - free).unwrap();
    }

    fn clear(&self) {
        std::fs::remove_file(self.path().join("ballast")).unwrap();
    }

    fn bridge(&self, world: &Sandbox) -> Bridge {
        let file = self.path().join("bridge.db");
        Bridge::on(world, &format!("sqlite://{}?mode=rwc", file.display()), "")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

#[tokio::test]
async fn a_full_disk_pauses_the_run_and_free_space_lets_it_resume() {
    let Some(disk) = SmallDisk::mount() else { return };
    let world = world_of_pages(10, 1_000).await;
    let bridge = disk.bridge(&world);
    assert_eq!(bridge.run(&["migrate", "up"]).await.status.code(), Some(0));
    disk.fill_but(1_500_000);
    let output = bridge.run(&["sync"]).await;
    assert_eq!(output.status.code(), Some(75), "{}", stderr(&output));
    assert!(stderr(&output).contains("disk is full"), "{}", stderr(&output));

    disk.clear();
    let open = latest(&bridge).await;
    let pages = open["pages"].as_u64().unwrap();
    assert!((1..10).contains(&pages), "{open}");
    let run = run_sync(&bridge).await;
    assert_eq!((&run["id"], &run["resumed_at_page"]), (&open["id"], &(pages + 1).into()));
    bridge.assert_mirrors(&world).await;
}

#[tokio::test]
async fn a_disk_that_is_full_at_the_start_does_not_lose_mirrored_followers() {
    let Some(disk) = SmallDisk::mount() else { return };
    let world = world_of_pages(4, 1_000).await;
    let bridge = disk.bridge(&world);
    run_sync(&bridge).await;
    world.main().join(1_000);
    disk.fill_but(0);
    let output = bridge.run(&["sync"]).await;
    // The disk has no space to open the database: no run begins, so none is paused.
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let text = stderr(&output);
    assert!(text.contains("disk is full") && text.contains("hint: free space"), "{text}");

    disk.clear();
    let run = run_sync(&bridge).await;
    assert_eq!((&run["known"], &run["fetched"]), (&4_000.into(), &1_000.into()));
    bridge.assert_mirrors(&world).await;
}

#[tokio::test]
async fn a_service_on_a_full_disk_rejects_writes_and_recovers_by_itself() {
    let Some(disk) = SmallDisk::mount() else { return };
    let world = world_of_pages(10, 1_000).await;
    let (bridge, program) = (disk.bridge(&world), world.mini_program().unwrap());
    let key = bridge.key("login,resolve,sync").await;
    let serving = ServeProcess::start(&bridge).await;
    let call = async |method: &str, path: &str, body| {
        serving.call(method, path).json(body).key(&key).send().await
    };
    let log_in = async |code: &str| call("POST", "/v1/login", json!({ "code": code })).await;
    assert_eq!(log_in(&program.mint_code(0)).await.status, 200);

    disk.fill_but(1_000_000);
    let run = call("POST", "/v1/sync-runs", json!({})).await;
    assert_eq!(run.status, 202, "{run:?}");
    let output = || String::from_utf8_lossy(&serving.output()).into_owned();
    eventually("the run to stop", async || output().contains("follower sync stopped")).await;
    assert!(output().contains("disk is full"), "{}", output());

    disk.fill_but(0);
    let mut refused = None;
    // SQLite's write-ahead log may have space for a few.
    for person in 1..200 {
        let code = program.mint_code(person);
        let answer = log_in(&code).await;
        if answer.status != 200 {
            refused = Some((code, answer));
            break;
        }
    }
    let (code, answer) = refused.expect("every login was stored on a full disk");
    assert_eq!((answer.status, answer.code()), (503, "database_unavailable".into()), "{answer:?}");
    assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
    assert_eq!(serving.call("GET", "/livez").send().await.status, 200);

    disk.clear();
    // WeChat's answer to the code was kept in memory.
    assert_eq!(log_in(&code).await.status, 200);
    // The lease could not be released on the full disk, so at first it may still be held.
    eventually("the run is resumed", async || {
        let again = call("POST", "/v1/sync-runs", json!({})).await;
        assert!([202, 409].contains(&again.status), "{again:?}");
        again.status == 202
    })
    .await;
    let path = format!("/v1/sync-runs/{}", run.json()["id"]);
    eventually("the run to succeed", async || {
        serving.call("GET", &path).key(&key).send().await.json()["state"] == "succeeded"
    })
    .await;
    bridge.assert_mirrors(&world).await;
    let (code, _) = serving.stop().await;
    assert_eq!(code, Some(0));
}
