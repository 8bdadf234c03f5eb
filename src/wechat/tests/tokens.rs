//! Access tokens: granted, refused, replaced, and refused again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::join_all;
use secrecy::SecretString;

use super::super::{Class, ConcurrencyLimit, Error};
use super::server::{Reply, Server, json};
use super::{APPID, Tokens, account_of, client};

const STALE: &str =
    r#"{"errcode":42001,"errmsg":"access_token expired rid: 64f0a1b2-0c3d4e5f-11223344"}"#;
const EMPTY: &str = r#"{"total":0,"count":0,"next_openid":""}"#;

async fn stable_token(
    reply: Reply,
    force: bool,
) -> (Result<super::super::GrantedToken, Error>, Vec<String>) {
    let server = Server::answering([reply]).await;
    let secret = SecretString::from("0123456789abcdef0123456789abcdef");
    let appid = APPID.parse().unwrap();
    let outcome = client(&server.base_url).stable_token(&appid, &secret, force).await;
    (outcome, server.requests())
}

#[tokio::test]
async fn a_token_request_sends_the_secret_in_the_body() {
    let reply = json(r#"{"access_token":"70_aBc-dEf","expires_in":7200}"#);
    let (outcome, requests) = stable_token(reply, false).await;
    let granted = outcome.unwrap();
    assert_eq!(granted.token.expose(), "70_aBc-dEf");
    assert_eq!(granted.expires_in, Duration::from_secs(7200));
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /cgi-bin/stable_token HTTP/1.1\r\n"), "{head}");
    assert_eq!(
        body,
        r#"{"grant_type":"client_credential","appid":"wx0a00000000000001","secret":"0123456789abcdef0123456789abcdef","force_refresh":false}"#
    );
}

#[tokio::test]
async fn a_token_response_without_a_valid_token_is_rejected() {
    for body in [
        "{}",
        r#"{"access_token":" ","expires_in":7200}"#,
        r#"{"access_token":"a","expires_in":-1}"#,
    ] {
        let (outcome, _) = stable_token(json(body), false).await;
        assert_eq!(outcome.unwrap_err().class(), Class::Undecodable, "{body}");
    }
}

#[tokio::test]
async fn a_wrong_secret_is_not_retried_and_hints_at_a_reset() {
    for errcode in [40001, 40125] {
        let reply = json(format!(r#"{{"errcode":{errcode},"errmsg":"invalid appsecret"}}"#));
        let (outcome, requests) = stable_token(reply, false).await;
        let error = outcome.unwrap_err();
        assert_eq!((error.class(), requests.len()), (Class::Config, 1));
        assert!(error.hint().unwrap().contains("reset the AppSecret"));
    }
}

#[tokio::test]
async fn a_blocked_ip_address_is_named_in_the_hint() {
    let reply = json(
        r#"{"errcode":40164,"errmsg":"invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist rid: 64f0a1b2-0c3d4e5f-11223344"}"#,
    );
    let (outcome, _) = stable_token(reply, false).await;
    let error = outcome.unwrap_err();
    assert!(error.hint().unwrap().starts_with("add 203.0.113.9 to the account's IP whitelist"));
    assert_eq!(error.upstream().unwrap().rid.as_deref(), Some("64f0a1b2-0c3d4e5f-11223344"));
}

#[tokio::test]
async fn a_forced_refresh_is_never_retried() {
    let busy = json(r#"{"errcode":-1,"errmsg":"system error"}"#);
    let (outcome, requests) = stable_token(busy.clone(), true).await;
    assert_eq!((outcome.unwrap_err().class(), requests.len()), (Class::Transient, 1));
    let (_, requests) = stable_token(busy, false).await;
    assert_eq!(requests.len(), 6);
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_call_retried() {
    let server = Server::answering([json(STALE), json(EMPTY)]).await;
    let tokens = Tokens::starting_with("a");
    let account = account_of(client(&server.base_url), tokens, ConcurrencyLimit::new(1));
    account.list_followers(None).await.unwrap();
    let requests = server.requests();
    assert!(requests[0].contains("access_token=a "), "{requests:?}");
    assert!(requests[1].contains("access_token=a-newer "), "{requests:?}");
    assert_eq!(account.calls()["user/get"], 2);
}

#[tokio::test]
async fn calls_refused_together_share_one_refresh() {
    let stale = std::iter::repeat_n(json(STALE), 16);
    let server = Server::answering(stale.chain([json(EMPTY)])).await;
    let tokens = Tokens::starting_with("a");
    let account = account_of(client(&server.base_url), tokens.clone(), ConcurrencyLimit::new(16));
    for outcome in join_all((0..16).map(|_| account.list_followers(None))).await {
        outcome.unwrap();
    }
    assert_eq!(tokens.refreshes.load(Ordering::Relaxed), 1);
    assert_eq!(server.requests().len(), 32);
}

#[tokio::test]
async fn a_token_that_is_always_refused_is_replaced_only_once() {
    let server = Server::answering([json(STALE)]).await;
    let tokens = Tokens::starting_with("a");
    let account = account_of(client(&server.base_url), tokens, ConcurrencyLimit::new(1));
    let error = account.list_followers(None).await.unwrap_err();
    assert!(matches!(error, Error::TokenRefused { .. }), "{error:?}");
    assert_eq!((error.class(), server.requests().len()), (Class::Token, 2));
    assert!(error.hint().unwrap().contains("another system may be refreshing"));
    assert_eq!(error.upstream().unwrap().errcode, 42001);
}
