//! T3 with a database server that is really stopped and restarted during a run.

#![expect(clippy::print_stdout, reason = "prints how soon the run resumed")]

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::Value;
use unionid_bridge::sandbox::{Call, Callback, Options, Sandbox};

use super::load::{Load, STRANGERS};
use crate::harness::{Backend, Bridge, Ending, ServeProcess, Server, assert_mirrors, until};

/// Settings for a long run with a short lease.
const SETTINGS: &str = "[sync]\nschedule = '* * * * * *'\nlease_seconds = 3";

const PAGES: u64 = 40;

const OUTAGE: Duration = Duration::from_secs(3);

/// The allowed recovery time after the database is back.
const SOON: Duration = Duration::from_secs(5);

async fn slow_world() -> Sandbox {
    let options = Options { page_size: 50, ..Options::with_followers(PAGES * 50) };
    let options = options.latency(Call::UserGet, Duration::from_millis(100));
    let url = "http://127.0.0.1:9/v1/callbacks/{appid}";
    let options = options.callbacks(|appid, _| Some(Callback::made(url, 1, appid)));
    Sandbox::start(options).await.unwrap()
}

/// Returns the newest run from the API.
async fn newest(serving: &ServeProcess, key: &str) -> Value {
    let answer = serving.call("GET", "/v1/sync-runs?limit=1").key(key).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["data"][0].clone()
}

/// Returns a run from the API, and retries 503 for a while: cached keys may expire after everything else has
/// recovered, and then have to be read again.
async fn run(serving: &ServeProcess, key: &str, id: &Value) -> Value {
    let (path, began) = (format!("/v1/sync-runs/{id}"), Instant::now());
    loop {
        let answer = serving.call("GET", &path).key(key).send().await;
        if answer.status == 200 {
            return answer.json();
        }
        assert!(answer.status == 503 && began.elapsed() < SOON, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn requests_and_the_current_run_recover_when_the_server_restarts(
    #[values(Ending::Killed, Ending::Stopped)] ending: Ending,
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(mut server) = Server::start(backend).await else {
        println!("skipped: no {backend:?} server program was found");
        return;
    };
    let world = slow_world().await;
    let bridge = Bridge::on(&world, &server.url, SETTINGS);
    assert_eq!(bridge.run(&["sync"]).await.status.code(), Some(0));
    let key = bridge.key("login,resolve,sync").await;
    let listed = world.requests(Call::UserGet);
    let serving = ServeProcess::start(&bridge).await;
    let load = Load::new(&world, &serving, key.clone());
    let scenario = async {
        until("all to succeed", || load.latest().all(200)).await;
        until("a run", || world.requests(Call::UserGet) >= listed + 10).await;
        let running = newest(&serving, &key).await;
        assert_eq!(running["state"], "running", "{running}");

        server.end(ending).await;
        let stopped_at = Instant::now();
        until("all to fail", || load.latest().all(503)).await;
        assert!(stopped_at.elapsed() < Duration::from_secs(3), "{:?}", stopped_at.elapsed());
        assert_eq!((load.status("/readyz").await, load.status("/livez").await), (503, 200));
        tokio::time::sleep(OUTAGE.saturating_sub(stopped_at.elapsed())).await;
        assert!(load.latest().all(503), "{:?}", load.latest());

        server.restart().await;
        let restored_at = Instant::now();
        until("all to succeed again", || load.latest().all(200)).await;
        assert_eq!(load.status("/readyz").await, 200);
        assert!(restored_at.elapsed() < SOON, "{:?}", restored_at.elapsed());
        load.stop.cancel();
        (run(&serving, &key, &running["id"]).await, restored_at)
    };
    let (_, (run_after, restored_at)) = tokio::join!(load.run(), scenario);
    drop(load);
    assert_resumes(&serving, &key, &run_after, restored_at).await;
    let left: Vec<u64> = (STRANGERS..STRANGERS + 10_000).collect();
    let store = bridge.store().await;
    assert_mirrors(&store, &world, &world.main().appid().parse().unwrap(), &left).await;
    store.close().await.unwrap();
    assert_eq!(serving.stop().await.0, Some(0));
}

/// Asserts that the run resumes by itself within [`SOON`] and succeeds.
async fn assert_resumes(
    serving: &ServeProcess,
    key: &str,
    run_after: &Value,
    restored_at: Instant,
) {
    let (mut later, mut resumed_after) = (run_after.clone(), None);
    while later["state"] != "succeeded" {
        assert!(restored_at.elapsed() < Duration::from_secs(60), "{later}, {resumed_after:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        later = run(serving, key, &run_after["id"]).await;
        let has_progress = later["pages"].as_u64() > run_after["pages"].as_u64();
        if has_progress && resumed_after.is_none() {
            resumed_after = Some(restored_at.elapsed());
        }
    }
    println!("the run resumed {resumed_after:?} after the database was back");
    let soon = resumed_after.is_none_or(|after| after < SOON);
    assert!(soon, "{resumed_after:?}");
    assert_eq!(later["listed"], PAGES * 50, "{later}");
}
