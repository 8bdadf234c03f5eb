//! T22: shutdown under load, with clients that keep their connections open.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::future::join_all;
use rstest::rstest;
use serde_json::Value;
use tokio::net::TcpStream;
use unionid_bridge::model::RunState;
use unionid_bridge::sandbox::{Call, Options, Sandbox};
use unionid_bridge::store::runs;

use crate::harness::{
    Backend, Bridge, ServeProcess, TestDatabase, eventually, exchange, latest, read_to_end,
    send_partial, signal, until,
};

/// The number of bad clients of each kind.
const HOSTILE: usize = 50;

/// The number of logins in flight.
const LOGINS: usize = 20;

async fn world() -> Sandbox {
    let options = Options { page_size: 500, ..Options::with_followers(10_000) };
    let options = options.latency(Call::UserGet, Duration::from_millis(200));
    Sandbox::start(options.latency(Call::Jscode2session, Duration::from_millis(1_500)))
        .await
        .unwrap()
}

fn login(key: &str, body: &str, length: usize) -> String {
    format!(
        "POST /v1/login HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Opens connections of clients that send half a head and of clients that send half a body.
async fn attach(address: SocketAddr, key: &str) -> Vec<TcpStream> {
    let heads = (0..HOSTILE)
        .map(|_| send_partial(address, "GET /livez HTTP/1.1\r\nHost: here\r\nX-Slow: "));
    let half = login(key, "{\"code\": ", 100);
    let bodies = (0..HOSTILE).map(|_| send_partial(address, &half));
    let mut attached = join_all(heads).await;
    attached.extend(join_all(bodies).await);
    attached
}

/// A run each second, with a lease that lasts ten minutes unless the process releases it.
const EACH_SECOND: &str = "[sync]\nschedule = '* * * * * *'\nlease_seconds = 600";

/// Stops a service with a run, bad clients and logins in flight. Checks that it answers the logins and exits
/// in time. Returns the time of the SIGTERM.
async fn stop_under_load(world: &Sandbox, key: &str, serving: ServeProcess) -> Instant {
    let ServeProcess { mut child, address, .. } = serving;
    let attached = attach(address, key).await;
    let codes = (0..LOGINS).map(|person| world.mini_program().unwrap().mint_code(person as u64));
    let bodies: Vec<_> = codes.map(|code| format!("{{\"code\": \"{code}\"}}")).collect();
    let requests: Vec<_> = bodies.iter().map(|body| login(key, body, body.len())).collect();
    let logins = join_all(requests.iter().map(|request| send_partial(address, request))).await;
    until("the logins", || world.requests(Call::Jscode2session) == LOGINS as u64).await;

    signal(&child, "TERM");
    let stopped_at = Instant::now();
    // Readiness fails while connections are still accepted.
    let ready = || exchange(address, b"GET /readyz HTTP/1.1\r\nHost: here\r\n\r\n");
    let announced = async {
        while !ready().await.starts_with("HTTP/1.1 503 ") {
            assert!(stopped_at.elapsed() < Duration::from_secs(1), "not announced");
        }
    };
    announced.await;
    for answer in join_all(logins.into_iter().map(read_to_end)).await {
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"openid\""), "{answer}");
    }
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    assert!(stopped_at.elapsed() < Duration::from_secs(25), "{:?}", stopped_at.elapsed());
    drop(attached);
    stopped_at
}

#[tokio::test]
async fn sigterm_under_load_is_announced_answers_logins_and_pauses_the_run() {
    let world = world().await;
    let bridge = Bridge::against(&world, EACH_SECOND);
    let key = bridge.key("login").await;
    let serving = ServeProcess::start(&bridge).await;
    until("the run of a tick", || world.requests(Call::UserGet) >= 4).await;
    stop_under_load(&world, &key, serving).await;
    let run = latest(&bridge).await;
    assert_eq!(run["state"], "paused", "{run}");
    assert_resumed(&bridge, &world, &run).await;
}

#[rstest]
#[tokio::test]
async fn sigterm_under_load_lets_another_replica_resume_within_five_seconds(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let world = world().await;
    let bridge = Bridge::on(&world, &database.url, EACH_SECOND);
    let key = bridge.key("login").await;
    let serving = ServeProcess::start(&bridge).await;
    until("the run of a tick", || world.requests(Call::UserGet) >= 4).await;
    // Its own ticks are far away: it only rescues interrupted runs.
    let nightly = Bridge::on(&world, &database.url, "[sync]\nlease_seconds = 600");
    let peer = ServeProcess::start(&nightly).await;
    let store = bridge.store().await;
    let latest = async || runs::list(store.reader(), None, 1).await.unwrap().remove(0);
    let open = latest().await;
    assert_eq!((open.state, open.resumed_at_page), (RunState::Running, None));

    let resumed = async {
        // The bad clients delay the process; the run must not wait for them.
        eventually("the peer", async || latest().await.resumed_at_page.is_some()).await;
        Instant::now()
    };
    let (stopped_at, resumed) = tokio::join!(stop_under_load(&world, &key, serving), resumed);
    let waited = resumed.duration_since(stopped_at);
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    eventually("the end of the run", async || latest().await.state == RunState::Succeeded).await;
    assert_eq!(latest().await.id, open.id);
    assert_eq!(peer.stop().await.0, Some(0));
    bridge.assert_mirrors(&world).await;
}

/// Asserts that another process resumes the run within 5 s, although its lease would last ten minutes.
async fn assert_resumed(bridge: &Bridge, world: &Sandbox, run: &Value) {
    let (began, listed) = (Instant::now(), world.requests(Call::UserGet));
    let peer = bridge.start(&["sync", "--json"]);
    until("the peer", || world.requests(Call::UserGet) > listed).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let output = peer.wait_with_output().await.unwrap();
    let runs: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&runs[0]["id"], &runs[0]["state"]), (&run["id"], &"succeeded".into()));
    assert!(runs[0]["resumed_at_page"].as_u64().unwrap() > 1, "{runs}");
    bridge.assert_mirrors(world).await;
}
