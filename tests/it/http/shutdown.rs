//! T22: the end of a process under load, with clients attached that will not let go.

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
    Backend, Bridge, Serving, TestDatabase, begun, eventually, exchanged, latest, rest, signal,
    until,
};

/// Clients of each bad kind.
const HOSTILE: usize = 50;

/// Logins in flight.
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

/// Clients that send half a head, and clients that send half a body.
async fn attach(address: SocketAddr, key: &str) -> Vec<TcpStream> {
    let heads =
        (0..HOSTILE).map(|_| begun(address, "GET /livez HTTP/1.1\r\nHost: here\r\nX-Slow: "));
    let half = login(key, "{\"code\": ", 100);
    let bodies = (0..HOSTILE).map(|_| begun(address, &half));
    let mut attached = join_all(heads).await;
    attached.extend(join_all(bodies).await);
    attached
}

/// A run each second, under a lease that a process which does not give it up keeps for ten minutes.
const EACH_SECOND: &str = "[sync]\nschedule = '* * * * * *'\nlease_seconds = 600";

/// Has a service with a run under way, bad clients and logins in flight be asked to end, and checks that
/// it does so well and in time; gives when it was asked.
async fn ends_under_load(world: &Sandbox, key: &str, serving: Serving) -> Instant {
    let Serving { mut child, address, .. } = serving;
    let attached = attach(address, key).await;
    let codes = (0..LOGINS).map(|person| world.mini_program().unwrap().mint_code(person as u64));
    let bodies: Vec<_> = codes.map(|code| format!("{{\"code\": \"{code}\"}}")).collect();
    let requests: Vec<_> = bodies.iter().map(|body| login(key, body, body.len())).collect();
    let logins = join_all(requests.iter().map(|request| begun(address, request))).await;
    until("the logins", || world.requests(Call::Jscode2session) == LOGINS as u64).await;

    signal(&child, "TERM");
    let asked = Instant::now();
    // Announced while connections are still taken.
    let ready = || exchanged(address, b"GET /readyz HTTP/1.1\r\nHost: here\r\n\r\n");
    let announced = async {
        while !ready().await.starts_with("HTTP/1.1 503 ") {
            assert!(asked.elapsed() < Duration::from_secs(1), "not announced");
        }
    };
    announced.await;
    for answer in join_all(logins.into_iter().map(rest)).await {
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"openid\""), "{answer}");
    }
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(25), "{:?}", asked.elapsed());
    drop(attached);
    asked
}

#[tokio::test]
async fn sigterm_under_load_is_announced_answers_logins_and_puts_the_run_down() {
    let world = world().await;
    let bridge = Bridge::against(&world, EACH_SECOND);
    let key = bridge.key("login").await;
    let serving = Serving::start(&bridge).await;
    until("the run of a tick", || world.requests(Call::UserGet) >= 4).await;
    ends_under_load(&world, &key, serving).await;
    let run = latest(&bridge).await;
    assert_eq!(run["state"], "paused", "{run}");
    assert_goes_on(&bridge, &world, &run).await;
}

#[rstest]
#[tokio::test]
async fn sigterm_under_load_hands_the_run_to_a_peer_within_five_seconds(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let world = world().await;
    let bridge = Bridge::on(&world, &database.url, EACH_SECOND);
    let key = bridge.key("login").await;
    let serving = Serving::start(&bridge).await;
    until("the run of a tick", || world.requests(Call::UserGet) >= 4).await;
    // Its own ticks are far away: it looks for what was left lying.
    let nightly = Bridge::on(&world, &database.url, "[sync]\nlease_seconds = 600");
    let peer = Serving::start(&nightly).await;
    let store = bridge.store().await;
    let latest = async || runs::list(store.reader(), None, 1).await.unwrap().remove(0);
    let open = latest().await;
    assert_eq!((open.state, open.resumed_at_page), (RunState::Running, None));

    let resumed = async {
        // The bad clients keep the process; the run must not wait for them.
        eventually("the peer", async || latest().await.resumed_at_page.is_some()).await;
        Instant::now()
    };
    let (asked, resumed) = tokio::join!(ends_under_load(&world, &key, serving), resumed);
    let waited = resumed.duration_since(asked);
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    eventually("the end of the run", async || latest().await.state == RunState::Succeeded).await;
    assert_eq!(latest().await.id, open.id);
    assert_eq!(peer.stop().await.0, Some(0));
    bridge.assert_mirrors(&world).await;
}

/// A peer takes the run up within 5 s, although its lease was good for ten minutes.
async fn assert_goes_on(bridge: &Bridge, world: &Sandbox, run: &Value) {
    let (asked, listed) = (Instant::now(), world.requests(Call::UserGet));
    let peer = bridge.start(&["sync", "--json"]);
    until("the peer", || world.requests(Call::UserGet) > listed).await;
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    let output = peer.wait_with_output().await.unwrap();
    let runs: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&runs[0]["id"], &runs[0]["state"]), (&run["id"], &"succeeded".into()));
    assert!(runs[0]["resumed_at_page"].as_u64().unwrap() > 1, "{runs}");
    bridge.assert_mirrors(world).await;
}
