//! `runs`: the history, and an operator's decision on a held run.

use serde_json::Value;
use unionid_bridge::sandbox::{Call, Sandbox};

use crate::harness::{Bridge, SHORT_LEASE, crash, latest, run_sync, stderr, world_of_pages};

/// Runs two syncs, the second of which is held because too many followers left. Returns the held run.
async fn held(bridge: &Bridge, world: &Sandbox) -> Value {
    run_sync(bridge).await;
    world.main().leave(0..100);
    let output = bridge.run(&["sync", "--json"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let runs: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&runs[0]["state"], &runs[0]["unfollowed"]), (&"held".into(), &0.into()));
    runs[0].clone()
}

#[tokio::test]
async fn runs_are_listed_newest_first_as_sync_printed_them() {
    let world = Sandbox::with_followers(200).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let (first, second) = (run_sync(&bridge).await, run_sync(&bridge).await);
    let history = bridge.json(&["runs", "list"]).await;
    assert_eq!((&history[0]["id"], &history[1]["id"]), (&second["id"], &first["id"]));
    assert_eq!(bridge.json(&["runs"]).await, history);
    assert_eq!(bridge.json(&["runs", "list", "--limit", "1"]).await.as_array().unwrap().len(), 1);
    let shown = bridge.json(&["runs", "show", "1"]).await;
    let members = |run: &Value| run.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&shown), members(&first));
    for member in ["id", "state", "pages", "listed", "fetched", "upserted", "calls", "started_at"] {
        assert_eq!(shown[member], first[member], "{member}");
    }
    let table = bridge.run(&["runs"]).await.stdout;
    assert!(String::from_utf8(table).unwrap().contains("succeeded"));
}

#[tokio::test]
async fn a_held_run_names_its_confirm_command_which_marks_the_departed() {
    let world = Sandbox::with_followers(400).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let held = held(&bridge, &world).await;
    assert!(held["error"].as_str().unwrap().contains("runs confirm 2"), "{held}");
    let listed = world.requests(Call::UserGet);

    let run = bridge.json(&["runs", "confirm", "2"]).await;
    assert_eq!((&run["state"], &run["unfollowed"]), (&"succeeded".into(), &100.into()));
    assert_eq!(world.requests(Call::UserGet), listed);
    bridge.assert_mirrors(&world).await;
}

#[tokio::test]
async fn a_cancelled_run_marks_nobody_and_cannot_be_confirmed() {
    let world = Sandbox::with_followers(400).await.unwrap();
    let bridge = Bridge::against(&world, "");
    held(&bridge, &world).await;
    let run = bridge.json(&["runs", "cancel", "2"]).await;
    assert_eq!((&run["state"], &run["unfollowed"]), (&"cancelled".into(), &0.into()));
    let refused = bridge.run(&["runs", "confirm", "2"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("run 2 is cancelled, not held"), "{}", stderr(&refused));
}

#[tokio::test]
async fn an_interrupted_run_can_be_cancelled_and_the_next_starts_at_page_one() {
    let world = world_of_pages(4, 100).await;
    let bridge = Bridge::against(&world, SHORT_LEASE);
    crash(&bridge, "sync.page_committed=1*off->return").await;
    assert_eq!(bridge.json(&["runs", "cancel", "1"]).await["state"], "cancelled");
    let run = run_sync(&bridge).await;
    assert_eq!((&run["id"], &run["pages"]), (&2.into(), &4.into()));
    assert!(run["resumed_at_page"].is_null());
}

#[tokio::test]
async fn a_rejected_confirm_or_cancel_does_not_block_the_account() {
    let world = Sandbox::with_followers(100).await.unwrap();
    // A lease that is not released would last ten minutes.
    let bridge = Bridge::against(&world, "[sync]\nlease_seconds = 600");
    run_sync(&bridge).await;
    for decision in ["confirm", "cancel"] {
        assert_eq!(bridge.run(&["runs", decision, "1"]).await.status.code(), Some(1));
        run_sync(&bridge).await;
    }
}

#[tokio::test]
async fn an_unknown_run_id_fails_with_a_hint() {
    let world = Sandbox::with_followers(100).await.unwrap();
    let bridge = Bridge::against(&world, "");
    for command in ["show", "confirm", "cancel"] {
        let output = bridge.run(&["runs", command, "99"]).await;
        assert_eq!(output.status.code(), Some(1), "{command}");
        assert!(stderr(&output).contains("there is no run 99\nhint: "), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test]
async fn a_new_run_replaces_a_held_one() {
    let world = Sandbox::with_followers(400).await.unwrap();
    let bridge = Bridge::against(&world, "");
    held(&bridge, &world).await;
    world.main().rejoin(0..100);
    run_sync(&bridge).await;
    assert_eq!(latest(&bridge).await["id"], 3);
    assert_eq!(bridge.json(&["runs", "show", "2"]).await["state"], "cancelled");
    bridge.assert_mirrors(&world).await;
}
