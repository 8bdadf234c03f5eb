//! T5: five services on one database with a schedule that ticks every second. Each account has one run per
//! tick, and the other services log that they skip it.
//!
//! Runs twelve ticks, or a hundred with `FULL_FAULTS=1`, which takes 100 s on each database.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use rstest::rstest;
use serde_json::Value;
use unionid_bridge::model::{Run, RunState, Trigger};
use unionid_bridge::sandbox::{OfficialAccount, Options, Sandbox};
use unionid_bridge::store::runs;

use crate::harness::{Backend, Bridge, ServeProcess, TestDatabase, full_faults};

const REPLICAS: usize = 5;

/// Few connections, because other tests use the server too, and a log in JSON.
const EACH_SECOND: &str =
    "max_connections = 5\n[sync]\nschedule = '* * * * * *'\n[log]\nformat = 'json'";

/// An account and a tick of its schedule, in seconds since 1970.
type Tick = (String, i64);

async fn two_accounts() -> Sandbox {
    let mut options = Options::with_followers(200);
    let secret = "5a5d0b0c0a11ce0000000000000000a2";
    let other = OfficialAccount::new("other", "wx0a00000000000002", secret, 200);
    options.official_accounts.push(other);
    Sandbox::start(options).await.unwrap()
}

/// Returns the number of replicas that skipped each tick, according to the log.
fn skipped(log: &str) -> BTreeMap<Tick, usize> {
    let mut found = BTreeMap::new();
    for line in log.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        if line["message"] == "tick skipped" {
            assert!(line["reason"].is_string(), "no reason: {line}");
            let tick: DateTime<Utc> = line["schedule.tick"].as_str().unwrap().parse().unwrap();
            let app = line["app.id"].as_str().unwrap().to_owned();
            *found.entry((app, tick.timestamp())).or_default() += 1;
        }
    }
    found
}

/// Returns the number of runs of each tick. The newest run of each account may have been interrupted by the
/// shutdown.
fn runs_by_tick(newest_first: &[Run]) -> BTreeMap<Tick, usize> {
    let (mut found, mut accounts) = (BTreeMap::new(), BTreeSet::new());
    for run in newest_first {
        assert_eq!(run.trigger, Trigger::Schedule, "{run:?}");
        assert!(accounts.insert(&run.appid) || run.state == RunState::Succeeded, "{run:?}");
        let tick = run.scheduled_at.unwrap().timestamp();
        *found.entry((run.appid.to_string(), tick)).or_default() += 1;
    }
    found
}

#[rstest]
#[tokio::test]
async fn one_of_five_services_runs_each_tick_and_the_others_skip_it(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let ticks = if full_faults() { 100 } else { 12 };
    let world = two_accounts().await;
    let bridge = Bridge::on(&world, &database.url, EACH_SECOND);
    assert_eq!(bridge.run(&["migrate", "up"]).await.status.code(), Some(0));
    let replicas = join_all((0..REPLICAS).map(|_| ServeProcess::start(&bridge))).await;
    let store = bridge.store().await;
    // Starts with the first whole second that all replicas see, after their first beat.
    let now = DateTime::from_timestamp_millis(store.now().await.unwrap()).unwrap();
    let (begin, end) = (now + TimeDelta::seconds(2), now + TimeDelta::seconds(2 + ticks));
    tokio::time::sleep(Duration::from_secs(ticks as u64 + 4)).await;

    let mut log = String::new();
    for (code, output) in join_all(replicas.into_iter().map(ServeProcess::stop)).await {
        assert_eq!(code, Some(0));
        log += &String::from_utf8(output).unwrap();
    }
    let runs = runs::list(store.reader(), None, 1_000).await.unwrap();
    let (run, skipped) = (runs_by_tick(&runs), skipped(&log));
    assert!(run.values().all(|runs| *runs == 1), "a tick was run twice: {run:?}");
    let within = |tick: &Tick| (begin.timestamp()..end.timestamp()).contains(&tick.1);
    let (mut run_count, mut skip_count) = (0, 0);
    for (tick, runs) in run.iter().filter(|(tick, _)| within(tick)) {
        let skips = skipped.get(tick).copied().unwrap_or_default();
        assert!(runs + skips <= REPLICAS, "{tick:?}: {runs} runs, {skips} skips");
        run_count += runs;
        skip_count += skips;
    }
    // A replica whose beat is a second late does not log the tick before. On a busy machine, some ticks are
    // missed.
    let (max_runs, max_skips) = (2 * ticks as usize, run_count * (REPLICAS - 1));
    assert!(run_count * 4 >= max_runs * 3, "{run_count} of {max_runs} ticks were run");
    assert!(skip_count * 4 >= max_skips * 3, "{skip_count} of {max_skips} skips were recorded");
    println!(
        "{run_count} of {max_runs} ticks were run, {skip_count} of {max_skips} skips recorded"
    );
    bridge.assert_mirrors(&world).await;
}
