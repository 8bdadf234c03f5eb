//! `serve`: health, rescue of interrupted runs, and shutdown.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use unionid_bridge::sandbox::{Call, Options, Sandbox};

use crate::harness::{
    Bridge, SHORT_LEASE, ServeProcess, crash, latest, run_sync, signal, until, world_of_pages,
};

/// Sends a GET request and returns the status line of the answer.
async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn serve_answers_health_checks_and_exits_with_0_on_sigterm() {
    let world = Sandbox::with_followers(100).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let ServeProcess { mut child, address, .. } = ServeProcess::start(&bridge).await;
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(get(address, path).await, "HTTP/1.1 200 OK", "{path}");
    }
    // A WeChat outage does not affect readiness.
    world.stop().await;
    assert_eq!(get(address, "/readyz").await, "HTTP/1.1 200 OK");
    assert_eq!(get(address, "/nothing").await, "HTTP/1.1 404 Not Found");
    signal(&child, "TERM");
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn serve_resumes_an_interrupted_run_by_itself() {
    let world = world_of_pages(4, 500).await;
    let bridge = Bridge::against(&world, SHORT_LEASE);
    let open = crash(&bridge, "sync.page_committed=1*off->return").await;
    let ServeProcess { mut child, .. } = ServeProcess::start(&bridge).await;
    let ended = async {
        while latest(&bridge).await["state"] != "succeeded" {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("the run was not resumed");
    let run = latest(&bridge).await;
    assert_eq!((&run["id"], &run["resumed_at_page"]), (&open["id"], &3.into()));
    bridge.assert_mirrors(&world).await;
    signal(&child, "TERM");
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn sigterm_during_a_run_with_a_slow_client_pauses_the_run_in_time() {
    let options = Options { page_size: 500, ..Options::with_followers(10_000) };
    let options = options.latency(Call::UserGet, Duration::from_millis(200));
    let world = Sandbox::start(options).await.unwrap();
    let bridge = Bridge::against(&world, "[sync]\nschedule = '* * * * * *'\nlease_seconds = 600");
    let ServeProcess { mut child, address, .. } = ServeProcess::start(&bridge).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\nHost: here\r\nX-Slow: ").await.unwrap();
    until("the run of a tick", || world.requests(Call::UserGet) >= 6).await;

    let stopped_at = Instant::now();
    signal(&child, "TERM");
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    assert!(stopped_at.elapsed() < Duration::from_secs(25), "{:?}", stopped_at.elapsed());
    let run = latest(&bridge).await;
    assert_eq!((&run["state"], &run["trigger"]), (&"paused".into(), &"schedule".into()));
    // The lease was released: the next start resumes at once.
    assert_eq!(run_sync(&bridge).await["id"], run["id"]);
    bridge.assert_mirrors(&world).await;
}

#[tokio::test]
async fn an_address_in_use_fails_with_a_hint() {
    let world = Sandbox::with_followers(10).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let taken = world.address().to_string();
    let output = bridge.run(&["serve", "--listen", &taken]).await;
    assert_eq!(output.status.code(), Some(1));
    let text = crate::harness::stderr(&output);
    assert!(
        text.contains(&format!("cannot listen on {taken}")) && text.contains("hint:"),
        "{text}"
    );
}
