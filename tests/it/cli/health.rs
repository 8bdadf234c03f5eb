//! `health`: what a health check is told, and by which exit code.

use std::net::SocketAddr;
use std::process::Output;

use rstest::rstest;
use tokio::net::TcpListener;
use unionid_bridge::sandbox::Sandbox;

use crate::harness::{Backend, Bridge, Proxy, Serving, TestDatabase, Way, talk};

/// With everything that it printed, which has to be one line.
async fn health(bridge: &Bridge, address: SocketAddr, more: &[&str]) -> (Option<i32>, String) {
    let listen = address.to_string();
    said(&bridge.run(&[&["health", "--listen", &listen], more].concat()).await)
}

fn said(output: &Output) -> (Option<i32>, String) {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), talk(output));
    assert_eq!(said.lines().count(), 1, "{said}");
    (output.status.code(), said.trim_end().to_owned())
}

#[tokio::test]
async fn a_serve_that_is_well_is_found_where_the_configuration_says_that_it_listens() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let serving = Serving::start(&bridge).await;
    for more in [&[][..], &["--live"]] {
        assert_eq!(health(&bridge, serving.address, more).await, (Some(0), "ok".to_owned()));
    }
    let mut asked = bridge.command(&["health"]);
    let everywhere = format!("0.0.0.0:{}", serving.address.port());
    let output = asked.env("UNIONID_BRIDGE__HTTP__LISTEN", everywhere).output().await.unwrap();
    assert_eq!(said(&output), (Some(0), "ok".to_owned()));
    assert_eq!(serving.stop().await.0, Some(0));
}

#[rstest]
#[tokio::test]
async fn without_its_database_a_serve_lives_and_is_not_well(
    #[values(Backend::Postgres, Backend::Mysql)] backend: Backend,
) {
    let Some(database) = TestDatabase::new(backend).await else { return };
    let world = Sandbox::with_followers(1).await.unwrap();
    let proxy = Proxy::to(database.server_address().unwrap()).await;
    let url = database.url_through(proxy.address).unwrap();
    let bridge = Bridge::on(&world, &url, "[sync]\nenabled = false");
    let serving = Serving::start(&bridge).await;
    assert_eq!(health(&bridge, serving.address, &[]).await.0, Some(0));
    proxy.set(Way::Cut);
    let away = (Some(1), "error: not well: the database does not answer".to_owned());
    assert_eq!(health(&bridge, serving.address, &[]).await, away);
    assert_eq!(health(&bridge, serving.address, &["--live"]).await.0, Some(0));
    assert_eq!(serving.stop().await.0, Some(0));
}

#[tokio::test]
async fn where_nobody_answers_or_somebody_else_does_it_fails() {
    let world = Sandbox::with_followers(1).await.unwrap();
    let bridge = Bridge::against(&world, "");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let unanswered = format!("error: {address} did not answer within 3 s");
    assert_eq!(health(&bridge, address, &[]).await, (Some(1), unanswered));
    drop(silent);
    let (code, said) = health(&bridge, address, &[]).await;
    assert_eq!(code, Some(1));
    assert!(said.starts_with(&format!("error: the API at {address} does not answer")), "{said}");
    // The sandbox knows no such path, and answers in other words.
    assert_eq!(health(&bridge, world.address(), &[]).await.0, Some(1));
}
