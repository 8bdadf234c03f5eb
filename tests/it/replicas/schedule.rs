//! T5: five services on one database, and a schedule that fires each second: one run for each account
//! and tick, and the others record that they skip it.
//!
//! Twelve ticks, or with `FULL_FAULTS=1` all hundred, which takes 100 s on each database.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use rstest::rstest;
use serde_json::Value;
use unionid_bridge::model::{Run, RunState, Trigger};
use unionid_bridge::sandbox::{OfficialAccount, Options, Sandbox};
use unionid_bridge::store::runs;

use crate::harness::{Backend, Bridge, Serving, TestDatabase, full_faults};

const REPLICAS: usize = 5;

/// Few connections each, since other tests use the server too; a log that a test can read.
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

/// How many replicas said of each tick that they skip it.
fn skipped(said: &str) -> BTreeMap<Tick, usize> {
    let mut found = BTreeMap::new();
    for line in said.lines() {
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

/// How many runs each tick had. The newest of each account may have been put down by the end.
fn run(newest_first: &[Run]) -> BTreeMap<Tick, usize> {
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
async fn of_five_services_one_runs_at_each_tick_and_the_others_skip_it(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let ticks = if full_faults() { 100 } else { 12 };
    let world = two_accounts().await;
    let bridge = Bridge::on(&world, &database.url, EACH_SECOND);
    assert_eq!(bridge.run(&["migrate", "up"]).await.status.code(), Some(0));
    let replicas = join_all((0..REPLICAS).map(|_| Serving::start(&bridge))).await;
    let store = bridge.store().await;
    // The first whole second that all of them see, with one for the first beat.
    let now = DateTime::from_timestamp_millis(store.now().await.unwrap()).unwrap();
    let (begin, end) = (now + TimeDelta::seconds(2), now + TimeDelta::seconds(2 + ticks));
    tokio::time::sleep(Duration::from_secs(ticks as u64 + 4)).await;

    let mut said = String::new();
    for (code, talk) in join_all(replicas.into_iter().map(Serving::stop)).await {
        assert_eq!(code, Some(0));
        said += &String::from_utf8(talk).unwrap();
    }
    let runs = runs::list(store.reader(), None, 1_000).await.unwrap();
    let (run, skipped) = (run(&runs), skipped(&said));
    assert!(run.values().all(|runs| *runs == 1), "a tick was run twice: {run:?}");
    let within = |tick: &Tick| (begin.timestamp()..end.timestamp()).contains(&tick.1);
    let (mut had_run, mut had_skips) = (0, 0);
    for (tick, runs) in run.iter().filter(|(tick, _)| within(tick)) {
        let skips = skipped.get(tick).copied().unwrap_or_default();
        assert!(runs + skips <= REPLICAS, "{tick:?}: {runs} runs, {skips} skips");
        had_run += runs;
        had_skips += skips;
    }
    // A replica whose beat came a second late has nothing to say of the tick before; where the machine
    // is that busy, some ticks go by.
    let (most_runs, most_skips) = (2 * ticks as usize, had_run * (REPLICAS - 1));
    assert!(had_run * 4 >= most_runs * 3, "{had_run} of {most_runs} ticks were run");
    assert!(had_skips * 4 >= most_skips * 3, "{had_skips} of {most_skips} skips were recorded");
    println!("{had_run} of {most_runs} ticks were run, {had_skips} of {most_skips} skips recorded");
    bridge.assert_mirrors(&world).await;
}
