//! T23: the clock of one replica is wrong by an hour or a day. This has no effect, because replicas use
//! database time to coordinate and a monotonic clock to measure durations.
//!
//! The tests run real processes under libfaketime and are skipped if it is not installed. (The timestamp of a
//! callback is covered by its signature but not compared with a clock: replays are recognized by their
//! fingerprint, see `callbacks::replays`.)

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rstest::rstest;
use serde_json::json;
use unionid_bridge::model::{MessageState, Run, RunState};
use unionid_bridge::sandbox::{Call, Event, Options, Sandbox};
use unionid_bridge::store::{Store, runs};

use crate::harness::{
    Backend, Bridge, SHORT_LEASE, ServeProcess, TestDatabase, calling_back, eventually, latest,
    new_message, new_route, queue, run_sync, signal, until, wait_for_state, world_of_pages,
};

const EACH_SECOND: &str = "[sync]\nschedule = '* * * * * *'";
const NO_SYNC: &str = "[sync]\nenabled = false";

async fn now(store: &Store) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(store.now().await.unwrap()).unwrap()
}

async fn all_runs(store: &Store) -> Vec<Run> {
    runs::list(store.reader(), None, 1_000).await.unwrap()
}

/// Asserts that `doctor` finds the clock wrong. Otherwise the test would prove nothing.
async fn assert_clock_is_wrong(bridge: &Bridge) {
    let report = bridge.json(&["doctor"]).await;
    let checks = report["checks"].as_array().unwrap();
    let clock = checks.iter().find(|check| check["name"] == "clock-database").unwrap();
    assert_eq!(clock["state"], "fail", "{clock}");
}

#[rstest]
#[case::an_hour_ahead("+1h", Backend::Postgres)]
#[case::an_hour_behind("-1h", Backend::Mysql)]
#[case::a_day_ahead("+1d", Backend::Mysql)]
#[case::a_day_behind("-1d", Backend::Postgres)]
#[tokio::test]
async fn a_replica_with_a_wrong_clock_runs_ticks_in_database_time(
    #[case] offset: &str,
    #[case] backend: Backend,
) {
    const TICKS: i64 = 6;
    let Some(database) = TestDatabase::new(backend).await else { return };
    let world = Sandbox::with_followers(200).await.unwrap();
    let right = Bridge::on(&world, &database.url, EACH_SECOND);
    let Some(wrong) = Bridge::on(&world, &database.url, EACH_SECOND).with_clock(offset) else {
        return;
    };
    run_sync(&right).await;
    assert_clock_is_wrong(&wrong).await;
    world.reset_stats();
    let store = right.store().await;
    let (one, other) = (ServeProcess::start(&right).await, ServeProcess::start(&wrong).await);
    let began = now(&store).await;
    eventually("some ticks", async || now(&store).await > began + TimeDelta::seconds(TICKS)).await;
    // Only the replica with the wrong clock remains.
    assert_eq!(one.stop().await.0, Some(0));
    let alone = now(&store).await + TimeDelta::seconds(1);
    let scheduled = async || all_runs(&store).await.into_iter().filter_map(|run| run.scheduled_at);
    eventually("ticks of its own", async || scheduled().await.filter(|at| *at > alone).count() > 1)
        .await;
    assert_eq!(other.stop().await.0, Some(0));

    let ended = now(&store).await;
    let mut ticks: Vec<_> = scheduled().await.collect();
    // The first service started before the other.
    let earliest = all_runs(&store).await.last().unwrap().started_at - TimeDelta::seconds(1);
    for tick in &ticks {
        assert!((earliest..=ended).contains(tick), "{tick} is not between {earliest} and {ended}");
    }
    let all = ticks.len();
    ticks.sort_unstable();
    ticks.dedup();
    assert_eq!(ticks.len(), all, "a tick was run twice");
    assert_eq!(world.requests(Call::StableToken), 0, "the token was valid all the time");
    right.assert_mirrors(&world).await;
}

#[rstest]
#[case::ahead("+0", "+1d")]
#[case::back("+1d", "+0")]
#[tokio::test]
async fn the_schedule_continues_when_the_clock_is_set(#[case] first: &str, #[case] then: &str) {
    let Some(database) = TestDatabase::new(Backend::Postgres).await else { return };
    let world = Sandbox::with_followers(200).await.unwrap();
    let bridge = Bridge::on(&world, &database.url, EACH_SECOND);
    let file = bridge.folder().join("clock");
    std::fs::write(&file, first).unwrap();
    let Some(bridge) = bridge.with_clock_offset_file(&file) else { return };
    let serving = ServeProcess::start(&bridge).await;
    let store = bridge.store().await;
    eventually("the first ticks", async || all_runs(&store).await.len() > 1).await;
    std::fs::write(&file, then).unwrap();
    let set = now(&store).await;
    let before = all_runs(&store).await.len();
    eventually("more ticks", async || all_runs(&store).await.len() > before + 2).await;
    let waited = now(&store).await - set;
    assert!(waited < TimeDelta::seconds(10), "{waited}");
    assert_eq!(serving.stop().await.0, Some(0));
    for run in all_runs(&store).await {
        let early = run.started_at - run.scheduled_at.unwrap();
        assert!((TimeDelta::zero()..TimeDelta::seconds(3)).contains(&early), "{run:?}");
    }
}

#[rstest]
#[case::a_day_ahead("+1d")]
#[case::a_day_behind("-1d")]
#[tokio::test]
async fn a_wrong_clock_neither_takes_leases_early_nor_delays_paused_runs(
    #[case] offset: &str,
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    const PAGES: u64 = 8;
    let Some(database) = TestDatabase::new(backend).await else { return };
    let options = Options { page_size: 500, ..Options::with_followers(PAGES * 500) };
    let options = options.latency(Call::UserGet, Duration::from_millis(700));
    let world = Sandbox::start(options).await.unwrap();
    let right = Bridge::on(&world, &database.url, SHORT_LEASE);
    let Some(wrong) = Bridge::on(&world, &database.url, SHORT_LEASE).with_clock(offset) else {
        return;
    };
    let store = right.store().await;
    let peer = ServeProcess::start(&wrong).await;

    let sync = right.start(&["sync"]);
    // Longer than three leases, while the peer searches for abandoned runs.
    until("half of the pages", || world.requests(Call::UserGet) > 6).await;
    let run = all_runs(&store).await.remove(0);
    assert_eq!((run.state, run.resumed_at_page), (RunState::Running, None));
    signal(&sync, "TERM");
    assert_eq!(sync.wait_with_output().await.unwrap().status.code(), Some(75));
    let stopped_at = now(&store).await;
    eventually("the peer", async || all_runs(&store).await[0].resumed_at_page.is_some()).await;
    let waited = now(&store).await - stopped_at;
    assert!(waited < TimeDelta::seconds(5), "{waited}");
    eventually("the end", async || all_runs(&store).await[0].state == RunState::Succeeded).await;
    let runs = all_runs(&store).await;
    assert_eq!((runs.len(), runs[0].id), (1, run.id));
    assert_eq!(peer.stop().await.0, Some(0));
    assert_eq!(world.requests(Call::StableToken), 1);
    right.assert_mirrors(&world).await;
}

#[rstest]
#[tokio::test]
async fn a_replica_with_a_fast_clock_does_not_resume_a_quota_pause_early(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let world = world_of_pages(4, 500).await;
    world.main().set_quota(Call::UserInfoBatchget, Some(12));
    let right = Bridge::on(&world, &database.url, SHORT_LEASE);
    let Some(wrong) = Bridge::on(&world, &database.url, SHORT_LEASE).with_clock("+2d") else {
        return;
    };
    assert_eq!(right.run(&["sync"]).await.status.code(), Some(75));
    let paused = latest(&right).await;
    assert_eq!(paused["state"], "paused");
    world.reset_stats();
    let peer = ServeProcess::start(&wrong).await;
    // It searches for runs every three seconds.
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(peer.stop().await.0, Some(0));
    assert_eq!(world.requests(Call::UserInfoBatchget), 0);
    assert_eq!(world.requests(Call::UserGet), 0);
    let runs = right.json(&["runs", "list"]).await;
    assert_eq!((&runs[0], runs.as_array().unwrap().len()), (&paused, 1));
}

#[rstest]
#[case::an_hour_ahead("+1h", Backend::Postgres)]
#[case::an_hour_behind("-1h", Backend::Mysql)]
#[case::a_day_ahead("+1d", Backend::Mysql)]
#[case::a_day_behind("-1d", Backend::Postgres)]
#[tokio::test]
async fn logins_look_ups_callbacks_and_messages_work_with_a_wrong_clock(
    #[case] offset: &str,
    #[case] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let world = calling_back(50).await;
    let right = Bridge::on(&world, &database.url, NO_SYNC);
    let Some(wrong) = Bridge::on(&world, &database.url, NO_SYNC).with_clock(offset) else { return };
    run_sync(&right).await;
    let key = right.key("login,resolve").await;
    let (serving, peer) = (ServeProcess::start(&wrong).await, ServeProcess::start(&right).await);
    let (main, program) = (world.main(), world.mini_program().unwrap());
    let unionid = main.person(7).unionid.unwrap();

    let login = serving.call("POST", "/v1/login").key(&key);
    let login = login.json(json!({ "code": program.mint_code(7) })).send().await;
    assert_eq!((login.status, &login.json()["unionid"]), (200, &unionid.clone().into()));
    let path = format!("/v1/resolve-openid?unionid={unionid}");
    let found = serving.call("GET", &path).key(&key).send().await;
    assert_eq!((found.status, &found.json()["openid"]), (200, &main.person(7).openid.into()));
    // A callback is sent to one replica and then to the other, which recognizes the replay.
    let envelope = main.envelope(Event::unsubscribe(7)).unwrap();
    let path = format!("/v1/callbacks/{}?{}", main.appid(), envelope.query);
    for service in [&serving, &peer] {
        let call = service.call("POST", &path).header("content-type", "text/xml");
        let answer = call.body(envelope.body.clone()).send().await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "success"));
        let path = format!("/v1/resolve-openid?unionid={unionid}");
        let found = service.call("GET", &path).key(&key).send().await;
        assert_eq!((found.status, found.code().as_str()), (404, "unfollowed"));
    }
    assert_eq!(peer.stop().await.0, Some(0));

    let store = right.store().await;
    let message = new_message(new_route(&store, &main, 8).await, None);
    let id = queue(&store, &[message]).await.remove(0);
    let sent = wait_for_state(&store, &id, MessageState::Sent).await;
    assert_eq!(sent.attempt, 1);
    assert_eq!(world.sent_messages().len(), 1);
    assert_eq!(world.requests(Call::StableToken), 1, "the token was valid all the time");
    assert_eq!(serving.stop().await.0, Some(0));
}

#[rstest]
#[tokio::test]
async fn a_wrong_clock_does_not_change_how_often_a_token_is_renewed(
    #[values("+1d", "-1d")] offset: &str,
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    /// Tokens are renewed after half of this time.
    const LIFETIME: Duration = Duration::from_secs(8);
    let Some(database) = TestDatabase::new(backend).await else { return };
    let options = Options { token_lifetime: LIFETIME, ..Options::with_followers(200) };
    let world = Sandbox::start(options).await.unwrap();
    let right = Bridge::on(&world, &database.url, NO_SYNC);
    let Some(wrong) = Bridge::on(&world, &database.url, NO_SYNC).with_clock(offset) else { return };
    let serving = ServeProcess::start(&wrong).await;
    let store = right.store().await;
    let began = now(&store).await;
    let (mut person, mut elapsed) = (0, TimeDelta::zero());
    while elapsed < TimeDelta::seconds(18) {
        let message = new_message(new_route(&store, &world.main(), person).await, None);
        let id = queue(&store, &[message]).await.remove(0);
        wait_for_state(&store, &id, MessageState::Sent).await;
        (person, elapsed) = ((person + 1) % 200, now(&store).await - began);
    }
    let refused = world.stats().errors(Call::TemplateSend, 42001);
    assert_eq!(refused, 0, "the token was used after it expired");
    // One at the start and one per half lifetime. If called early, WeChat returns the same token again.
    let refreshes = world.requests(Call::StableToken) as i64;
    let halves = elapsed.num_seconds() / 4 + 1;
    assert!((halves / 2..=2 * halves).contains(&refreshes), "{refreshes} in {elapsed}");
    assert_eq!(serving.stop().await.0, Some(0));
}
