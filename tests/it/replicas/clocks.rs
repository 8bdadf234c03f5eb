//! T23: the clock of one replica is wrong by an hour or a day. What replicas have to agree on goes by the
//! database's clock, and how long something lasts by a steady one, so that nothing comes of it.
//!
//! Real processes under libfaketime; where that is not installed, these tests say so and are left out.
//! (The signature of a callback covers its timestamp, which is compared with nobody's clock: what is
//! sent again is known by its key, see `callback_replays`.)

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rstest::rstest;
use serde_json::json;
use unionid_bridge::model::{MessageState, Run, RunState};
use unionid_bridge::sandbox::{Call, Event, Options, Sandbox};
use unionid_bridge::store::{Store, runs};

use crate::harness::{
    Backend, Bridge, SHORT_LEASE, Serving, TestDatabase, calling_back, ends, eventually, latest,
    new, night, queue, route, signal, until, world_of,
};

const EACH_SECOND: &str = "[sync]\nschedule = '* * * * * *'";
const NO_SYNC: &str = "[sync]\nenabled = false";

async fn now(store: &Store) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(store.now().await.unwrap()).unwrap()
}

async fn all_runs(store: &Store) -> Vec<Run> {
    runs::list(store.reader(), None, 1_000).await.unwrap()
}

/// The doctor finds that the clock is wrong: the test would prove nothing otherwise.
async fn assert_is_off(bridge: &Bridge) {
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
async fn a_replica_whose_clock_is_wrong_runs_the_ticks_of_the_database(
    #[case] off: &str,
    #[case] backend: Backend,
) {
    const TICKS: i64 = 6;
    let Some(database) = TestDatabase::new(backend).await else { return };
    let world = Sandbox::with_followers(200).await.unwrap();
    let right = Bridge::on(&world, &database.url, EACH_SECOND);
    let Some(wrong) = Bridge::on(&world, &database.url, EACH_SECOND).with_clock(off) else {
        return;
    };
    night(&right).await;
    assert_is_off(&wrong).await;
    world.reset_stats();
    let store = right.store().await;
    let (one, other) = (Serving::start(&right).await, Serving::start(&wrong).await);
    let began = now(&store).await;
    eventually("some ticks", async || now(&store).await > began + TimeDelta::seconds(TICKS)).await;
    // Now it is alone.
    assert_eq!(one.stop().await.0, Some(0));
    let alone = now(&store).await + TimeDelta::seconds(1);
    let scheduled = async || all_runs(&store).await.into_iter().filter_map(|run| run.scheduled_at);
    eventually("ticks of its own", async || scheduled().await.filter(|at| *at > alone).count() > 1)
        .await;
    assert_eq!(other.stop().await.0, Some(0));

    let ended = now(&store).await;
    let mut ticks: Vec<_> = scheduled().await.collect();
    // The first service began before the other was there.
    let earliest = all_runs(&store).await.last().unwrap().started_at - TimeDelta::seconds(1);
    for tick in &ticks {
        assert!((earliest..=ended).contains(tick), "{tick} is no tick of {earliest} to {ended}");
    }
    let all = ticks.len();
    ticks.sort_unstable();
    ticks.dedup();
    assert_eq!(ticks.len(), all, "a tick was run twice");
    assert_eq!(world.requests(Call::StableToken), 0, "the token was good all the time");
    right.assert_mirrors(&world).await;
}

#[rstest]
#[case::ahead("+0", "+1d")]
#[case::back("+1d", "+0")]
#[tokio::test]
async fn the_schedule_goes_on_when_the_clock_is_set(#[case] before: &str, #[case] after: &str) {
    let Some(database) = TestDatabase::new(Backend::Postgres).await else { return };
    let world = Sandbox::with_followers(200).await.unwrap();
    let bridge = Bridge::on(&world, &database.url, EACH_SECOND);
    let file = bridge.folder().join("clock");
    std::fs::write(&file, before).unwrap();
    let Some(bridge) = bridge.with_clock_of(&file) else { return };
    let serving = Serving::start(&bridge).await;
    let store = bridge.store().await;
    eventually("the first ticks", async || all_runs(&store).await.len() > 1).await;
    std::fs::write(&file, after).unwrap();
    let set = now(&store).await;
    let had = all_runs(&store).await.len();
    eventually("more ticks", async || all_runs(&store).await.len() > had + 2).await;
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
async fn no_lease_is_taken_early_and_a_run_that_was_put_down_goes_on_at_once(
    #[case] off: &str,
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    const PAGES: u64 = 8;
    let Some(database) = TestDatabase::new(backend).await else { return };
    let options = Options { page_size: 500, ..Options::with_followers(PAGES * 500) };
    let options = options.latency(Call::UserGet, Duration::from_millis(700));
    let world = Sandbox::start(options).await.unwrap();
    let right = Bridge::on(&world, &database.url, SHORT_LEASE);
    let Some(wrong) = Bridge::on(&world, &database.url, SHORT_LEASE).with_clock(off) else {
        return;
    };
    let store = right.store().await;
    let peer = Serving::start(&wrong).await;

    let sync = right.start(&["sync"]);
    // Longer than three leases, with the peer looking for runs that nobody works on.
    until("half of the pages", || world.requests(Call::UserGet) > 6).await;
    let run = all_runs(&store).await.remove(0);
    assert_eq!((run.state, run.resumed_at_page), (RunState::Running, None));
    signal(&sync, "TERM");
    assert_eq!(sync.wait_with_output().await.unwrap().status.code(), Some(75));
    let put_down = now(&store).await;
    eventually("the peer", async || all_runs(&store).await[0].resumed_at_page.is_some()).await;
    let waited = now(&store).await - put_down;
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
async fn a_run_that_waits_for_its_quota_is_not_resumed_by_a_replica_that_thinks_it_is_tomorrow(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let world = world_of(4, 500).await;
    world.main().set_quota(Call::UserInfoBatchget, Some(12));
    let right = Bridge::on(&world, &database.url, SHORT_LEASE);
    let Some(wrong) = Bridge::on(&world, &database.url, SHORT_LEASE).with_clock("+2d") else {
        return;
    };
    assert_eq!(right.run(&["sync"]).await.status.code(), Some(75));
    let paused = latest(&right).await;
    assert_eq!(paused["state"], "paused");
    world.reset_stats();
    let peer = Serving::start(&wrong).await;
    // It looks for runs every three seconds.
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
async fn logins_look_ups_callbacks_and_messages_are_as_right_as_ever(
    #[case] off: &str,
    #[case] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let world = calling_back(50).await;
    let right = Bridge::on(&world, &database.url, NO_SYNC);
    let Some(wrong) = Bridge::on(&world, &database.url, NO_SYNC).with_clock(off) else { return };
    night(&right).await;
    let key = right.key("login,resolve").await;
    let (serving, peer) = (Serving::start(&wrong).await, Serving::start(&right).await);
    let (main, program) = (world.main(), world.mini_program().unwrap());
    let unionid = main.person(7).unionid.unwrap();

    let login = serving.call("POST", "/v1/login").key(&key);
    let login = login.json(json!({ "code": program.mint_code(7) })).send().await;
    assert_eq!((login.status, &login.json()["unionid"]), (200, &unionid.clone().into()));
    let path = format!("/v1/resolve-openid?unionid={unionid}");
    let found = serving.call("GET", &path).key(&key).send().await;
    assert_eq!((found.status, &found.json()["openid"]), (200, &main.person(7).openid.into()));
    // A callback that WeChat signed now, first here and then at the peer: the second is known.
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
    let message = new(route(&store, &main, 8).await, None);
    let id = queue(&store, &[message]).await.remove(0);
    let sent = ends(&store, &id, MessageState::Sent).await;
    assert_eq!(sent.attempt, 1);
    assert_eq!(world.sent_messages().len(), 1);
    assert_eq!(world.requests(Call::StableToken), 1, "the token was good all the time");
    assert_eq!(serving.stop().await.0, Some(0));
}

#[rstest]
#[tokio::test]
async fn a_token_is_renewed_before_its_end_and_no_oftener_whatever_the_clock_says(
    #[values("+1d", "-1d")] off: &str,
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    /// Renewed at half of it.
    const LIFE: Duration = Duration::from_secs(8);
    let Some(database) = TestDatabase::new(backend).await else { return };
    let options = Options { token_lifetime: LIFE, ..Options::with_followers(200) };
    let world = Sandbox::start(options).await.unwrap();
    let right = Bridge::on(&world, &database.url, NO_SYNC);
    let Some(wrong) = Bridge::on(&world, &database.url, NO_SYNC).with_clock(off) else { return };
    let serving = Serving::start(&wrong).await;
    let store = right.store().await;
    let began = now(&store).await;
    let (mut person, mut elapsed) = (0, TimeDelta::zero());
    while elapsed < TimeDelta::seconds(18) {
        let message = new(route(&store, &world.main(), person).await, None);
        let id = queue(&store, &[message]).await.remove(0);
        ends(&store, &id, MessageState::Sent).await;
        (person, elapsed) = ((person + 1) % 200, now(&store).await - began);
    }
    let refused = world.stats().errors(Call::TemplateSend, 42001);
    assert_eq!(refused, 0, "the token was used past its end");
    // One at the start, and one each half life; asked a little early, WeChat gives the same once more.
    let refreshes = world.requests(Call::StableToken) as i64;
    let halves = elapsed.num_seconds() / 4 + 1;
    assert!((halves / 2..=2 * halves).contains(&refreshes), "{refreshes} in {elapsed}");
    assert_eq!(serving.stop().await.0, Some(0));
}
