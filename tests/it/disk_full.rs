//! T21: the disk is full. Needs a file system that can be filled: where mounting one is not
//! permitted, the test says so and has nothing to do.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use unionid_bridge::sandbox::Sandbox;

use crate::harness::{Bridge, latest, night, talk, world_of};

/// A file system of a few megabytes, gone when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=12m", "none"]).arg(folder.path());
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        // Past the test harness's capture, so that it is seen.
        let _ = writeln!(std::io::stderr(), "disk_full is left out: no file system may be mounted");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills it but for so many bytes.
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
async fn a_full_disk_pauses_the_run_and_space_lets_it_go_on() {
    let Some(disk) = SmallDisk::mount() else { return };
    let world = world_of(10, 1_000).await;
    let bridge = disk.bridge(&world);
    assert_eq!(bridge.run(&["migrate", "up"]).await.status.code(), Some(0));
    disk.fill_but(1_500_000);
    let output = bridge.run(&["sync"]).await;
    assert_eq!(output.status.code(), Some(75), "{}", talk(&output));
    assert!(talk(&output).contains("disk is full"), "{}", talk(&output));

    disk.clear();
    let open = latest(&bridge).await;
    let pages = open["pages"].as_u64().unwrap();
    assert!((1..10).contains(&pages), "{open}");
    let run = night(&bridge).await;
    assert_eq!((&run["id"], &run["resumed_at_page"]), (&open["id"], &(pages + 1).into()));
    bridge.assert_mirrors(&world).await;
}

#[tokio::test]
async fn a_disk_that_is_full_from_the_start_loses_nothing_that_was_mirrored() {
    let Some(disk) = SmallDisk::mount() else { return };
    let world = world_of(4, 1_000).await;
    let bridge = disk.bridge(&world);
    night(&bridge).await;
    world.main().join(1_000);
    disk.fill_but(0);
    let output = bridge.run(&["sync"]).await;
    // There is not even room to open it: no run begins, so none is paused.
    assert_eq!(output.status.code(), Some(1), "{}", talk(&output));
    let said = talk(&output);
    assert!(said.contains("disk is full") && said.contains("hint: make room"), "{said}");

    disk.clear();
    let run = night(&bridge).await;
    assert_eq!((&run["known"], &run["fetched"]), (&4_000.into(), &1_000.into()));
    bridge.assert_mirrors(&world).await;
}
