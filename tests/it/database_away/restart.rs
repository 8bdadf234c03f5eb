//! T3 with a server that is really ended and started again, with a run under way.

#![expect(clippy::print_stdout, reason = "tells how soon the run went on")]

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::Value;
use unionid_bridge::sandbox::{Call, Callback, Options, Sandbox};

use super::load::{Load, STRANGERS};
use crate::harness::{Backend, Bridge, Ending, Server, Serving, assert_mirrors, until};

/// A run that is under way for a while, and its lease.
const SETTINGS: &str = "[sync]\nschedule = '* * * * * *'\nlease_seconds = 3";

const PAGES: u64 = 40;

const AWAY: Duration = Duration::from_secs(3);

/// How soon after the database's return all is well.
const SOON: Duration = Duration::from_secs(5);

async fn slowly_listed() -> Sandbox {
    let options = Options { page_size: 50, ..Options::with_followers(PAGES * 50) };
    let options = options.latency(Call::UserGet, Duration::from_millis(100));
    let url = "http://127.0.0.1:9/v1/callbacks/{appid}";
    let options = options.callbacks(|appid, _| Some(Callback::made(url, 1, appid)));
    Sandbox::start(options).await.unwrap()
}

/// What the API gives of the newest run.
async fn newest(serving: &Serving, key: &str) -> Value {
    let answer = serving.call("GET", "/v1/sync-runs?limit=1").key(key).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["data"][0].clone()
}

/// What the API gives of a run, soon: keys are believed for a while without the database, so that all may
/// look well until they have to be read again.
async fn run(serving: &Serving, key: &str, id: &Value) -> Value {
    let (path, asked) = (format!("/v1/sync-runs/{id}"), Instant::now());
    loop {
        let answer = serving.call("GET", &path).key(key).send().await;
        if answer.status == 200 {
            return answer.json();
        }
        assert!(answer.status == 503 && asked.elapsed() < SOON, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_started_again_is_taken_up_by_callers_and_by_the_run_under_way(
    #[values(Ending::Killed, Ending::Stopped)] ending: Ending,
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(mut server) = Server::start(backend).await else {
        println!("skipped: no programs of {backend:?} are found here");
        return;
    };
    let world = slowly_listed().await;
    let bridge = Bridge::on(&world, &server.url, SETTINGS);
    assert_eq!(bridge.run(&["sync"]).await.status.code(), Some(0));
    let key = bridge.key("login,resolve,sync").await;
    let listed = world.requests(Call::UserGet);
    let serving = Serving::start(&bridge).await;
    let load = Load::new(&world, &serving, key.clone());
    let story = async {
        until("all to be well", || load.latest().all(200)).await;
        until("a run", || world.requests(Call::UserGet) >= listed + 10).await;
        let under_way = newest(&serving, &key).await;
        assert_eq!(under_way["state"], "running", "{under_way}");

        server.end(ending).await;
        let gone = Instant::now();
        until("all to be refused", || load.latest().all(503)).await;
        assert!(gone.elapsed() < Duration::from_secs(3), "{:?}", gone.elapsed());
        assert_eq!((load.status("/readyz").await, load.status("/livez").await), (503, 200));
        tokio::time::sleep(AWAY.saturating_sub(gone.elapsed())).await;
        assert!(load.latest().all(503), "{:?}", load.latest());

        server.restart().await;
        let back = Instant::now();
        until("all to be well again", || load.latest().all(200)).await;
        assert_eq!(load.status("/readyz").await, 200);
        assert!(back.elapsed() < SOON, "{:?}", back.elapsed());
        load.stop.cancel();
        (run(&serving, &key, &under_way["id"]).await, back)
    };
    let (_, (returned, back)) = tokio::join!(load.go_on(), story);
    drop(load);
    assert_goes_on(&serving, &key, &returned, back).await;
    let left: Vec<u64> = (STRANGERS..STRANGERS + 10_000).collect();
    let store = bridge.store().await;
    assert_mirrors(&store, &world, &world.main().appid().parse().unwrap(), &left).await;
    store.close().await.unwrap();
    assert_eq!(serving.stop().await.0, Some(0));
}

/// The run goes on by itself from where it was, soon, and comes to its end.
async fn assert_goes_on(serving: &Serving, key: &str, returned: &Value, back: Instant) {
    let (mut later, mut went_on) = (returned.clone(), None);
    while later["state"] != "succeeded" {
        assert!(back.elapsed() < Duration::from_secs(60), "{later}, {went_on:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        later = run(serving, key, &returned["id"]).await;
        let goes_on = later["pages"].as_u64() > returned["pages"].as_u64();
        if goes_on && went_on.is_none() {
            went_on = Some(back.elapsed());
        }
    }
    println!("the run went on {went_on:?} after the database was back");
    let soon = went_on.is_none_or(|after| after < SOON);
    assert!(soon, "{went_on:?}");
    assert_eq!(later["listed"], PAGES * 50, "{later}");
}
