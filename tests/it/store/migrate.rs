//! T24: several processes migrate one database at once, or die meanwhile.

use std::time::Duration;

use rstest::rstest;
use unionid_bridge::sandbox::Sandbox;
use unionid_bridge::store::schema;

use crate::harness::{Backend, Bridge, TestDatabase, run_sync, signal, stderr};

/// Returns the number of migrations that the command reports as applied.
fn applied(stderr: &str) -> usize {
    stderr
        .lines()
        .find_map(|line| line.strip_prefix("applied migrations: "))
        .unwrap()
        .parse()
        .unwrap()
}

#[rstest]
#[tokio::test]
async fn one_of_three_concurrent_migrations_applies_the_steps_and_none_fails(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let world = Sandbox::with_followers(100).await.unwrap();
    let bridge = Bridge::on(&world, &database.url, "");
    let up = || bridge.run(&["migrate", "up"]);
    let (one, two, three) = tokio::join!(up(), up(), up());
    let mut steps = Vec::new();
    for output in [one, two, three] {
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        steps.push(applied(&stderr(&output)));
    }
    steps.sort_unstable();
    let all = schema::status(&database.connect().await).await.unwrap().len();
    assert_eq!(steps, [0, 0, all]);
    assert_eq!(applied(&stderr(&up().await)), 0);
    run_sync(&bridge).await;
    bridge.assert_mirrors(&world).await;
}

#[rstest]
#[tokio::test]
async fn a_migration_succeeds_after_the_previous_one_was_killed(
    #[values(Backend::Sqlite, Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    // Kill times from before the first statement until after the last, on a machine of any speed.
    let mut after = Duration::ZERO;
    loop {
        let Some(database) = TestDatabase::new(backend).await else { return };
        let world = Sandbox::with_followers(10).await.unwrap();
        let bridge = Bridge::on(&world, &database.url, "");
        let mut up = bridge.start(&["migrate", "up"]);
        let ended = tokio::time::timeout(after, up.wait()).await;
        if ended.is_err() {
            signal(&up, "KILL");
            up.wait().await.unwrap();
        }
        let output = bridge.run(&["migrate", "up", "--json"]).await;
        assert_eq!(output.status.code(), Some(0), "killed after {after:?}: {}", stderr(&output));
        let steps: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let steps = steps.as_array().unwrap();
        assert!(!steps.is_empty() && steps.iter().all(|step| step["applied"] == true));
        run_sync(&bridge).await;
        if ended.is_ok() {
            return;
        }
        after += after / 4 + Duration::from_millis(10);
    }
}

#[tokio::test]
async fn migrate_down_requires_yes_and_reverts_every_step() {
    let world = Sandbox::with_followers(100).await.unwrap();
    let bridge = Bridge::against(&world, "");
    run_sync(&bridge).await;
    let refused = bridge.run(&["migrate", "down"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("hint: add --yes"), "{}", stderr(&refused));
    bridge.assert_mirrors(&world).await;

    let all = bridge.json(&["migrate", "status"]).await.as_array().unwrap().len();
    let steps = all.to_string();
    let down = bridge.json(&["migrate", "down", "--yes", "--steps", &steps]).await;
    assert!(down.as_array().unwrap().iter().all(|step| step["applied"] == false));
    assert_eq!(run_sync(&bridge).await["id"], 1);
}

#[tokio::test]
async fn serve_and_sync_with_no_migrate_name_the_migrate_command() {
    let world = Sandbox::with_followers(100).await.unwrap();
    let bridge = Bridge::against(&world, "");
    for command in ["sync", "serve"] {
        let refused = bridge.run(&[command, "--no-migrate"]).await;
        assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
        let text = stderr(&refused);
        assert!(text.contains("hint: run `unionid-bridge migrate up`"), "{text}");
    }
    let steps = bridge.json(&["migrate", "status"]).await;
    assert!(steps.as_array().unwrap().iter().all(|step| step["applied"] == false), "{steps}");

    bridge.run(&["migrate", "up"]).await;
    let synced = bridge.run(&["sync", "--no-migrate"]).await;
    assert_eq!(synced.status.code(), Some(0), "{}", stderr(&synced));
    bridge.assert_mirrors(&world).await;
}
