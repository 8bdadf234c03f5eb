//! `sync` on the command line: JSON, accounts, options, and progress on stderr.

use serde_json::Value;
use unionid_bridge::sandbox::{Call, OfficialAccount, Options, Sandbox};

use crate::harness::{Bridge, assert_run_adds_up, crash, latest, run_sync, stderr, world_of_pages};

/// The documented members of a run.
const MEMBERS: &[&str] = &[
    "id",
    "appid",
    "state",
    "trigger",
    "mode",
    "pages",
    "listed",
    "known",
    "fetched",
    "quarantined",
    "vanished",
    "upserted",
    "scheduled_at",
    "unfollowed",
    "missing_unionid",
    "resumed_at_page",
    "calls",
    "seconds",
    "error",
];

const OTHER: &str = "wx0a00000000000002";

/// A sandbox with two Official Accounts of 300 and 200 followers.
async fn two_accounts() -> Sandbox {
    let mut options = Options::with_followers(300);
    let secret = "5a5d0b0c0a11ce0000000000000000a2";
    options.official_accounts.push(OfficialAccount::new("other", OTHER, secret, 200));
    Sandbox::start(options).await.unwrap()
}

fn appids(runs: &Value) -> Vec<&str> {
    runs.as_array().unwrap().iter().map(|run| run["appid"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn sync_json_is_an_array_of_runs_with_every_documented_member() {
    let world = world_of_pages(3, 200).await;
    let bridge = Bridge::against(&world, "");
    let run = run_sync(&bridge).await;
    for member in MEMBERS {
        assert!(run.get(member).is_some(), "{member} is missing: {run}");
    }
    assert_eq!((&run["id"], &run["appid"]), (&1.into(), &world.main().appid().into()));
    assert_eq!((&run["trigger"], &run["mode"]), (&"manual".into(), &"incremental".into()));
    assert_eq!(
        (&run["pages"], &run["listed"], &run["upserted"]),
        (&3.into(), &600.into(), &600.into())
    );
    assert_eq!(run["calls"]["user/get"], world.requests(Call::UserGet));
    assert_eq!(run["calls"]["user/info/batchget"], world.requests(Call::UserInfoBatchget));
    assert!(run["seconds"].as_f64().unwrap() > 0.0);
    for absent in ["scheduled_at", "resumed_at_page", "error"] {
        assert!(run[absent].is_null(), "{absent}: {run}");
    }
}

#[tokio::test]
async fn sync_prints_json_on_stdout_and_one_line_per_page_on_stderr() {
    let world = world_of_pages(3, 200).await;
    let bridge = Bridge::against(&world, "[log]\nfilter = 'trace'");
    let output = bridge.run(&["sync", "--json"]).await;
    assert!(serde_json::from_slice::<Value>(&output.stdout).unwrap().is_array());
    let progress = stderr(&output);
    for page in 1..=3 {
        let line = format!("main: page {page}, {} of 600 followers listed", page * 200);
        assert_eq!(progress.matches(&line).count(), 1, "{progress}");
    }
    assert!(bridge.run(&["sync"]).await.stdout.is_empty());
}

#[tokio::test]
async fn accounts_are_selected_by_name_or_appid_and_default_to_all() {
    let world = two_accounts().await;
    let bridge = Bridge::against(&world, "");
    let main = world.main().appid().to_owned();
    assert_eq!(appids(&bridge.json(&["sync", "other"]).await), [OTHER]);
    assert_eq!(appids(&bridge.json(&["sync", &main]).await), [main.as_str()]);
    assert_eq!(appids(&bridge.json(&["sync", "main", OTHER]).await), [main.as_str(), OTHER]);
    assert_eq!(appids(&bridge.json(&["sync"]).await), [main.as_str(), OTHER]);
}

#[tokio::test]
async fn a_dry_run_reports_what_would_change_and_writes_nothing() {
    let world = Sandbox::with_followers(1_000).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let before = bridge.json(&["sync", "--dry-run"]).await;
    assert_eq!((&before[0]["dry_run"], &before[0]["new"]), (&true.into(), &1_000.into()));
    assert_eq!(before[0]["calls"]["user/info/batchget"], 10);
    assert_eq!(bridge.json(&["runs", "list"]).await, Value::Array(Vec::new()));

    run_sync(&bridge).await;
    world.main().leave(0..7);
    world.main().join(5);
    world.reset_stats();
    let after = bridge.json(&["sync", "--dry-run"]).await;
    assert_eq!((&after[0]["new"], &after[0]["departures"]), (&5.into(), &7.into()));
    assert_eq!((&after[0]["known"], &after[0]["listed"]), (&993.into(), &998.into()));
    assert_eq!(world.requests(Call::UserInfoBatchget) + world.requests(Call::UserInfo), 0);
    let run = run_sync(&bridge).await;
    assert_eq!(
        (&run["id"], &run["fetched"], &run["unfollowed"]),
        (&2.into(), &5.into(), &7.into())
    );
}

#[tokio::test]
async fn a_full_sync_fetches_every_profile_and_writes_only_changes() {
    let world = Sandbox::with_followers(500).await.unwrap();
    let bridge = Bridge::against(&world, "");
    run_sync(&bridge).await;
    let runs = bridge.json(&["sync", "--full"]).await;
    assert_run_adds_up(&runs[0]);
    assert_eq!((&runs[0]["mode"], &runs[0]["fetched"]), (&"full".into(), &500.into()));
    assert_eq!((&runs[0]["known"], &runs[0]["upserted"]), (&0.into(), &0.into()));
}

#[tokio::test]
async fn restart_cancels_an_interrupted_run_and_starts_a_new_one() {
    let world = world_of_pages(4, 100).await;
    let bridge = Bridge::against(&world, "[sync]\nlease_seconds = 1");
    let open = crash(&bridge, "sync.page_committed=1*off->return").await;
    let runs = bridge.json(&["sync", "--restart"]).await;
    assert_eq!((&runs[0]["state"], &runs[0]["pages"]), (&"succeeded".into(), &4.into()));
    assert!(runs[0]["resumed_at_page"].is_null());
    assert_ne!(runs[0]["id"], open["id"]);
    let id = open["id"].to_string();
    assert_eq!(bridge.json(&["runs", "show", &id]).await["state"], "cancelled");
    bridge.assert_mirrors(&world).await;
}

#[tokio::test]
async fn a_failing_account_does_not_stop_the_sync_of_the_others() {
    let world = two_accounts().await;
    world.main().set_unauthorized(true);
    let bridge = Bridge::against(&world, "");
    let output = bridge.run(&["sync", "--json"]).await;
    assert_eq!(output.status.code(), Some(78));
    let runs: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&runs[0]["state"], &runs[1]["state"]), (&"failed".into(), &"succeeded".into()));
    assert_eq!(latest(&bridge).await["appid"], OTHER);
}
