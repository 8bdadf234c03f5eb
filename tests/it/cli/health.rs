//! `health`: output and exit codes.

use std::net::SocketAddr;
use std::process::Output;

use rstest::rstest;
use tokio::net::TcpListener;
use unionid_bridge::sandbox::Sandbox;

use crate::harness::{Backend, Bridge, Proxy, ProxyMode, ServeProcess, TestDatabase, stderr};

/// Runs `health`. Returns the exit code and its output, which must be one line.
async fn health(bridge: &Bridge, address: SocketAddr, more: &[&str]) -> (Option<i32>, String) {
    let listen = address.to_string();
    code_and_line(&bridge.run(&[&["health", "--listen", &listen], more].concat()).await)
}

fn code_and_line(output: &Output) -> (Option<i32>, String) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(output));
    assert_eq!(text.lines().count(), 1, "{text}");
    (output.status.code(), text.trim_end().to_owned())
}

#[tokio::test]
async fn health_finds_a_healthy_serve_at_the_configured_address() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let serving = ServeProcess::start(&bridge).await;
    for more in [&[][..], &["--live"]] {
        assert_eq!(health(&bridge, serving.address, more).await, (Some(0), "ok".to_owned()));
    }
    let mut command = bridge.command(&["health"]);
    let everywhere = format!("0.0.0.0:{}", serving.address.port());
    let output = command.env("UNIONID_BRIDGE__HTTP__LISTEN", everywhere).output().await.unwrap();
    assert_eq!(code_and_line(&output), (Some(0), "ok".to_owned()));
    assert_eq!(serving.stop().await.0, Some(0));
}

#[rstest]
#[tokio::test]
async fn serve_without_its_database_is_live_but_unhealthy(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let world = Sandbox::with_followers(1).await.unwrap();
    let proxy = Proxy::to(database.server_address().unwrap()).await;
    let url = database.url_through(proxy.address).unwrap();
    let bridge = Bridge::on(&world, &url, "[sync]\nenabled = false");
    let serving = ServeProcess::start(&bridge).await;
    assert_eq!(health(&bridge, serving.address, &[]).await.0, Some(0));
    proxy.set(ProxyMode::Close);
    let away = (Some(1), "error: unhealthy: the database is unreachable".to_owned());
    assert_eq!(health(&bridge, serving.address, &[]).await, away);
    assert_eq!(health(&bridge, serving.address, &["--live"]).await.0, Some(0));
    assert_eq!(serving.stop().await.0, Some(0));
}

#[tokio::test]
async fn health_fails_without_an_answer_or_with_one_from_another_server() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let unanswered = format!("error: {address} did not answer within 3 s");
    assert_eq!(health(&bridge, address, &[]).await, (Some(1), unanswered));
    drop(silent);
    let (code, text) = health(&bridge, address, &[]).await;
    assert_eq!(code, Some(1));
    assert!(text.starts_with(&format!("error: the API at {address} does not answer")), "{text}");
    // The sandbox does not have this path.
    assert_eq!(health(&bridge, world.address(), &[]).await.0, Some(1));
}
