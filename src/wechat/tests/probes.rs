//! Probes: whether a server is reachable, and whether it is WeChat's.

use super::super::{Class, Error};
use super::client;
use super::server::{Reply, Server, json, ok, status};

const REFUSAL: &str = r#"{"errcode":41001,"errmsg":"access_token missing rid: 1-2-3"}"#;

fn dated(date: &str, body: &str) -> Reply {
    let answer = String::from_utf8(ok("application/json", body.as_bytes())).unwrap();
    Reply::Bytes(answer.replacen("\r\n", &format!("\r\ndate: {date}\r\n"), 1).into_bytes())
}

#[tokio::test]
async fn a_server_that_refuses_a_missing_token_is_recognized_as_wechat() {
    let server = Server::answering([json(REFUSAL)]).await;
    let probe = client(&server.base_url).probe().await;
    assert!(probe.answer.is_ok(), "{probe:?}");
    assert_eq!(probe.server_time, None);
    assert!(server.requests()[0].starts_with("GET /cgi-bin/user/get HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_server_with_any_other_response_is_not_wechat() {
    for (reply, class) in [
        (json("<html>Sign in to the hotel's network</html>"), Class::Undecodable),
        (status("404 Not Found"), Class::Config),
        (status("502 Bad Gateway"), Class::Transient),
        (Reply::Reset(b"HTTP/1.1 2".to_vec()), Class::Transient),
    ] {
        let server = Server::answering([reply]).await;
        let probe = client(&server.base_url).probe().await;
        assert_eq!(probe.answer.unwrap_err().class(), class);
    }
}

#[tokio::test]
async fn the_server_time_is_read_from_any_response() {
    let date = "Sun, 22 Nov 2026 03:13:58 GMT";
    for reply in [dated(date, REFUSAL), dated(date, "no JSON")] {
        let server = Server::answering([reply]).await;
        let time = client(&server.base_url).probe().await.server_time.unwrap();
        assert_eq!(time.to_rfc3339(), "2026-11-22T03:13:58+00:00");
    }
    let server = Server::answering([dated("yesterday", REFUSAL)]).await;
    assert_eq!(client(&server.base_url).probe().await.server_time, None);
}

#[tokio::test]
async fn only_a_host_name_is_resolved_to_addresses() {
    let resolved = client("http://localhost:9").resolve().await.unwrap();
    assert_eq!(resolved.name, "localhost");
    assert!(resolved.addresses.unwrap().iter().all(|address| address.is_loopback()));
    assert!(client("http://127.0.0.1:9").resolve().await.is_none());
    assert!(client("http://[::1]:9").resolve().await.is_none());
}

#[tokio::test]
async fn a_refused_connection_is_reported_by_the_probe() {
    let probe = client("http://127.0.0.1:1").probe().await;
    let Err(Error::Transport { fault, .. }) = probe.answer else { panic!("{probe:?}") };
    assert_eq!(fault.to_string(), "the connection was refused");
}
