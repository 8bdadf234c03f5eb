//! Shutdown: announced in advance, and not delayed by slow clients.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use unionid_bridge::sandbox::Sandbox;

use crate::harness::{Service, TestApp, read_to_end, send_partial};

async fn app() -> TestApp {
    let world = Sandbox::with_followers(1).await.unwrap();
    TestApp::against(&world).await
}

#[tokio::test]
async fn readiness_fails_before_new_connections_are_refused() {
    let service = Service::with_grace(app().await.app, Duration::from_millis(500)).await;
    let idle = send_partial(service.address, "").await;
    service.request_stop();
    let answer = service.get("/readyz").send().await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "not_ready"));
    assert_eq!(answer.json()["detail"], "the process is shutting down");
    assert_eq!(answer.header("connection"), "close");
    assert_eq!(service.get("/livez").send().await.status, 200);
    drop(idle);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(TcpStream::connect(service.address).await.is_err());
}

#[tokio::test]
async fn a_client_with_an_endless_head_does_not_delay_shutdown() {
    let service = Service::start(&app().await).await;
    let slow = send_partial(service.address, "GET /livez HTTP/1.1\r\nHost: here\r\nX-Slow: ").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let began = Instant::now();
    service.stop().await;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    read_to_end(slow).await;
}

#[tokio::test]
async fn an_oversized_head_is_rejected() {
    let service = Service::start(&app().await).await;
    let mut stream =
        send_partial(service.address, "GET /livez HTTP/1.1\r\nHost: here\r\nX-Long: ").await;
    let _ = stream.write_all(&vec![b'x'; 128 * 1024]).await;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 431");
}
