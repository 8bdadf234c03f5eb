//! Broken connections and invalid answers, and their error texts.

use std::time::Duration;

use super::super::{Class, ConcurrencyLimit, Error, TransportError};
use super::server::{Reply, Server, json, ok, status};
use super::{Tokens, account, account_of, client};

const PAGE: &str =
    r#"{"total":1,"count":1,"data":{"openid":["oTESTopenid01"]},"next_openid":"oTESTopenid01"}"#;

/// Lists followers from a server that gives these replies. Returns the outcome and the number of requests.
async fn list(replies: impl IntoIterator<Item = Reply>) -> (Result<u64, Error>, usize) {
    let server = Server::answering(replies).await;
    let account = account(&server.base_url);
    let outcome = account.list_followers(None).await.map(|page| page.total);
    let requests = server.requests().len();
    assert_eq!(account.calls()["user/get"], requests as u64);
    (outcome, requests)
}

#[tokio::test]
async fn a_connection_that_breaks_during_a_response_is_retried() {
    let half = ok("application/json", PAGE.as_bytes())[..150].to_vec();
    for broken in [Reply::Bytes(half.clone()), Reply::Reset(half), Reply::Reset(Vec::new())] {
        let (outcome, requests) = list([broken, json(PAGE)]).await;
        assert_eq!((outcome.unwrap(), requests), (1, 2));
    }
}

#[tokio::test]
async fn a_response_sent_byte_by_byte_is_read() {
    let (outcome, requests) = list([Reply::Slowly(ok("application/json", PAGE.as_bytes()))]).await;
    assert_eq!((outcome.unwrap(), requests), (1, 1));
}

#[tokio::test]
async fn a_compressed_response_is_read() {
    // {"total":0,"count":0,"next_openid":""}
    let body = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 42, 201, 47, 73, 204, 81, 178, 50, 208, 81, 74,
        206, 47, 205, 43, 1, 179, 242, 82, 43, 74, 226, 243, 11, 82, 243, 50, 83, 148, 172, 148,
        148, 106, 1, 135, 77, 20, 22, 38, 0, 0, 0,
    ];
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    let (outcome, _) = list([Reply::Bytes([head.as_bytes(), &body].concat())]).await;
    assert_eq!(outcome.unwrap(), 0);
}

#[tokio::test]
async fn a_response_that_is_not_json_is_retried_once() {
    for body in [&PAGE[..40], "<html>busy</html>", ""] {
        let (outcome, requests) = list([json(body)]).await;
        let error = outcome.unwrap_err();
        assert_eq!((error.class(), requests), (Class::Undecodable, 2), "{body}");
        assert!(error.hint().is_some());
        let (outcome, _) = list([json(body), json(PAGE)]).await;
        assert_eq!(outcome.unwrap(), 1, "{body}");
    }
}

#[tokio::test]
async fn an_oversized_response_is_not_read_to_its_end() {
    let (outcome, _) = list([json(vec![b' '; 9 * 1024 * 1024])]).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::Transport { fault: TransportError::TooLong, .. }), "{error:?}");
}

#[tokio::test]
async fn temporary_gateway_failures_are_retried() {
    let bad = || status("502 Bad Gateway");
    let (outcome, requests) = list([bad(), bad(), bad(), json(PAGE)]).await;
    assert_eq!((outcome.unwrap(), requests), (1, 4));
}

#[tokio::test]
async fn a_busy_response_is_retried_five_times_and_reduces_concurrency() {
    for busy in [json(r#"{"errcode":-1,"errmsg":"system error"}"#), status("503 Busy")] {
        let server = Server::answering([busy]).await;
        let concurrency = ConcurrencyLimit::new(16);
        let tokens = Tokens::starting_with("token");
        let account = account_of(client(&server.base_url), tokens, concurrency.clone());
        let error = account.list_followers(None).await.unwrap_err();
        assert_eq!((error.class(), server.requests().len()), (Class::Transient, 6));
        assert_eq!(concurrency.limit(), 1);
    }
}

#[tokio::test]
async fn a_minute_rate_limit_is_retried() {
    let limited = json(r#"{"errcode":45011,"errmsg":"api minute-quota reach limit"}"#);
    let (outcome, requests) = list([limited.clone(), json(PAGE)]).await;
    assert_eq!((outcome.unwrap(), requests), (1, 2));
    let (outcome, requests) = list([limited]).await;
    assert_eq!((outcome.unwrap_err().class(), requests), (Class::RateLimited, 4));
}

#[tokio::test]
async fn permanent_errors_are_not_retried() {
    for (reply, class) in [
        (json(r#"{"errcode":45009,"errmsg":"reach max api daily quota limit"}"#), Class::Quota),
        (json(r#"{"errcode":48001,"errmsg":"api unauthorized rid: 1a-2b-3c"}"#), Class::Config),
        (json(r#"{"errcode":40003,"errmsg":"invalid openid"}"#), Class::Person),
        (status("412 Precondition Failed"), Class::Caller),
        (status("302 Found\r\nlocation: http://127.0.0.1:1/"), Class::Config),
    ] {
        let (outcome, requests) = list([reply]).await;
        assert_eq!((outcome.unwrap_err().class(), requests), (class, 1));
    }
}

#[tokio::test]
async fn a_missing_response_times_out() {
    let server = Server::answering([Reply::Silence]).await;
    let mut options = super::options(&server.base_url);
    options.timeout = Duration::from_millis(50);
    options.retry = super::RetryPolicy::never();
    let client = super::Client::new(options).unwrap();
    let account = account_of(client, Tokens::starting_with("token"), ConcurrencyLimit::new(1));
    let error = account.list_followers(None).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.to_string(), "user/get failed: the answer did not arrive in time");
}

#[tokio::test]
async fn a_connection_failure_is_described_with_a_hint() {
    for (base_url, reason) in [
        ("http://127.0.0.1:1", "the connection was refused"),
        ("https://wechat.invalid", "the server's name could not be resolved"),
    ] {
        let error = account(base_url).list_followers(None).await.unwrap_err();
        assert_eq!(error.to_string(), format!("user/get failed: {reason}"));
        assert!(error.hint().is_some());
    }
}

#[tokio::test]
async fn a_request_body_is_sent_with_its_content_length() {
    let server = Server::answering([json(r#"{"user_info_list":[]}"#)]).await;
    let base_url = format!("{}/gateway/", server.base_url);
    let openid = "oTESTopenid01".parse().unwrap();
    account(&base_url).profiles(&[openid]).await.unwrap();
    let request = &server.requests()[0];
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with(
            "POST /gateway/cgi-bin/user/info/batchget?access_token=token HTTP/1.1\r\n"
        )
    );
    let head = head.to_lowercase();
    assert!(head.contains("content-type: application/json"), "{head}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    assert!(!head.contains("transfer-encoding"), "{head}");
    assert_eq!(body, r#"{"user_list":[{"openid":"oTESTopenid01"}]}"#);
}
