//! Access tokens, and calls without a valid one.

use std::time::Duration;

use chrono::DateTime;

use super::*;
use crate::clock::Clock;
use crate::sandbox::{Call, Fault};

async fn errcode(sandbox: &Sandbox, path: &str) -> Value {
    get(sandbox, path).await["errcode"].clone()
}

#[tokio::test]
async fn a_token_expires_according_to_the_sandboxs_clock() {
    let clock = Clock::manual(DateTime::UNIX_EPOCH);
    let options = Options { clock: clock.clone(), ..Options::with_followers(10) };
    let sandbox = Sandbox::start(options).await.unwrap();
    let token = stable_token(&sandbox, &sandbox.main()).await;
    assert_eq!(page(&sandbox, &token, "").await["count"], 10);
    clock.advance(Duration::from_secs(7_200));
    assert_eq!(page(&sandbox, &token, "").await["errcode"], 42001);
}

#[tokio::test]
async fn an_invalid_credential_returns_its_errcode() {
    let (sandbox, token) = small_world(10).await;
    let token_url = "/cgi-bin/token?grant_type=client_credential";
    let main = sandbox.main();
    let (appid, secret) = (main.appid(), main.secret());
    for (path, expected) in [
        ("/cgi-bin/token".to_owned(), 40002),
        (token_url.to_owned(), 41002),
        (format!("{token_url}&appid={appid}"), 41004),
        (format!("{token_url}&appid=wx00&secret={secret}"), 40013),
        (format!("{token_url}&appid={appid}&secret=bad"), 40125),
        ("/cgi-bin/user/get".to_owned(), 41001),
        ("/cgi-bin/user/get?access_token=garbage".to_owned(), 40014),
        (format!("/cgi-bin/user/info/batchget?access_token={token}"), 43002),
        (format!("/cgi-bin/user/info?access_token={token}"), 40003),
    ] {
        assert_eq!(errcode(&sandbox, &path).await, expected, "{path}");
    }
    let classic = get(&sandbox, &format!("{token_url}&appid={appid}&secret={secret}")).await;
    assert_eq!(classic["expires_in"], 7_200);
    assert!(classic.get("errcode").is_none());
}

#[tokio::test]
async fn a_blocked_ip_address_is_named_as_ipv4_and_ipv6() {
    let (sandbox, _) = small_world(10).await;
    sandbox.main().refuse_address(true);
    let body = serde_json::json!({
        "grant_type": "client_credential",
        "appid": sandbox.main().appid(),
        "secret": sandbox.main().secret(),
    });
    let refused = post(&sandbox, "/cgi-bin/stable_token", &body).await;
    assert_eq!(refused["errcode"], 40164);
    let errmsg = refused["errmsg"].as_str().unwrap();
    assert!(errmsg.starts_with("invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist"));
}

#[tokio::test]
async fn a_mini_program_may_not_list_followers() {
    let (sandbox, _) = small_world(10).await;
    let token = stable_token(&sandbox, &sandbox.mini_program().unwrap()).await;
    assert_eq!(page(&sandbox, &token, "").await["errcode"], 48001);
}

#[tokio::test]
async fn an_invalidated_token_is_replaced_by_the_next_refresh() {
    let (sandbox, token) = small_world(10).await;
    sandbox.fail(Call::UserGet, 1, Fault::TokenDead);
    for _ in 0..2 {
        assert_eq!(page(&sandbox, &token, "").await["errcode"], 40001);
    }
    let token = stable_token(&sandbox, &sandbox.main()).await;
    assert_eq!(page(&sandbox, &token, "").await["count"], 10);
}

#[tokio::test]
async fn a_chunked_body_is_refused_before_it_is_read() {
    let (sandbox, _) = small_world(10).await;
    let mut stream = TcpStream::connect(sandbox.address()).await.unwrap();
    let request = "POST /cgi-bin/stable_token HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                   transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 412 "), "{answer}");
}

#[tokio::test]
async fn a_quota_can_be_read_and_cleared() {
    let (sandbox, token) = small_world(10).await;
    sandbox.main().set_quota(Call::UserGet, Some(5));
    page(&sandbox, &token, "").await;
    let path = format!("/cgi-bin/openapi/quota/get?access_token={token}");
    let body_of = |cgi_path| serde_json::json!({ "cgi_path": cgi_path });
    let quota = post(&sandbox, &path, &body_of("/cgi-bin/user/get")).await;
    let expected = serde_json::json!({"daily_limit": 5, "used": 1, "remain": 4});
    assert_eq!(quota["quota"], expected);
    assert_eq!(post(&sandbox, &path, &body_of("/cgi-bin/nowhere")).await["errcode"], 76021);
    assert_eq!(post(&sandbox, &path, &body_of("/sns/jscode2session")).await["errcode"], 76022);
    let clear = format!("/cgi-bin/clear_quota?access_token={token}");
    let body = serde_json::json!({"appid": sandbox.main().appid()});
    assert_eq!(post(&sandbox, &clear, &body).await["errcode"], 0);
    let quota = post(&sandbox, &path, &body_of("/cgi-bin/user/get")).await;
    assert_eq!(quota["quota"]["used"], 0);
}
