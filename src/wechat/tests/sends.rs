//! A message is sent once: the caller decides about the next attempt, based on the error.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::super::template::TemplateMessage;
use super::super::{
    AccessToken, BeforeSend, Class, ConcurrencyLimit, Error, TokenError, TokenSource,
};
use super::messages::{SENDS, SENT, Send, body, send, sent};
use super::server::{Reply, Server, json, ok, status};
use super::{Tokens, account, account_of, client};
use crate::model::AppId;

const STALE: &str = r#"{"errcode":42001,"errmsg":"access_token expired"}"#;

#[tokio::test]
async fn a_failed_send_is_never_repeated() {
    let half = ok("text/plain", SENT.as_bytes())[..120].to_vec();
    for (reply, may_have_arrived) in [
        (json(r#"{"errcode":-1,"errmsg":"system error"}"#), false),
        (json(r#"{"errcode":45011,"errmsg":"api minute-quota reach limit"}"#), false),
        (json(r#"{"errcode":43108,"errmsg":"concurrent send"}"#), false),
        (json(r#"{"errcode":999999,"errmsg":"new"}"#), false),
        (status("412 Precondition Failed"), false),
        (status("502 Bad Gateway"), true),
        (Reply::Bytes(half.clone()), true),
        (Reply::Reset(Vec::new()), true),
        (Reply::Reset(half), true),
        (Reply::Silence, true),
        (json("<html>busy</html>"), true),
    ] {
        for (kind, call) in SENDS {
            let server = Server::answering([reply.clone(), json(SENT)]).await;
            let account = account(&server.base_url);
            let error = send(kind, &account).await.unwrap_err();
            assert_eq!(error.may_have_arrived(), may_have_arrived, "{error:?}");
            assert_eq!((server.requests().len(), account.calls()[call]), (1, 1), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_the_message_resent() {
    for (kind, call) in SENDS {
        let server = Server::answering([json(STALE), json(SENT)]).await;
        let account = account_of(
            client(&server.base_url),
            Tokens::starting_with("a"),
            ConcurrencyLimit::new(1),
        );
        send(kind, &account).await.unwrap();
        let requests = server.requests();
        assert!(requests[1].contains("?access_token=a-newer "), "{requests:?}");
        assert_eq!(body(&requests[0]), body(&requests[1]));
        assert_eq!(account.calls()[call], 2);

        let (outcome, requests) = sent(kind, [json(STALE)]).await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::TokenRefused { .. }), "{error:?}");
        assert_eq!((error.may_have_arrived(), requests.len()), (false, 2));

        let busy = json(r#"{"errcode":-1,"errmsg":"system error"}"#);
        let (outcome, requests) = sent(kind, [json(STALE), busy]).await;
        assert_eq!((outcome.unwrap_err().class(), requests.len()), (Class::Transient, 2));
    }
}

#[tokio::test]
async fn a_busy_response_reduces_concurrency() {
    let server = Server::answering([status("503 Busy")]).await;
    let concurrency = ConcurrencyLimit::new(16);
    let tokens = Tokens::starting_with("token");
    let account = account_of(client(&server.base_url), tokens, concurrency.clone());
    send(Send::Template, &account).await.unwrap_err();
    assert_eq!(concurrency.limit(), 8);
}

#[tokio::test]
async fn a_concurrent_send_error_does_not_reduce_concurrency() {
    let refused = json(r#"{"errcode":43108,"errmsg":"concurrent send"}"#);
    let server = Server::answering([refused]).await;
    let concurrency = ConcurrencyLimit::new(16);
    let account =
        account_of(client(&server.base_url), Tokens::starting_with("a"), concurrency.clone());
    send(Send::Template, &account).await.unwrap_err();
    assert_eq!(concurrency.limit(), 16);
}

/// A hook with a deadline of 200 ms, which then lets the request leave or not.
struct ShortDeadline(bool);

#[async_trait]
impl BeforeSend for ShortDeadline {
    fn deadline(&self) -> Instant {
        Instant::now() + Duration::from_millis(200)
    }

    async fn begin(&self) -> bool {
        self.0
    }
}

/// A token source whose replacement token never arrives.
struct NoReplacement;

#[async_trait]
impl TokenSource for NoReplacement {
    async fn token(&self, _: &AppId) -> Result<AccessToken, TokenError> {
        Ok(AccessToken::new("stale"))
    }

    async fn replace(&self, _: &AppId, _: &AccessToken) -> Result<AccessToken, TokenError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_message_that_misses_its_deadline_is_reported_as_not_sent() {
    let (touser, template_id) = ("oA".parse().unwrap(), "T1".parse().unwrap());
    let data = BTreeMap::new();
    let (url, miniprogram, client_msg_id) = (None, None, None);
    let message = TemplateMessage {
        touser: &touser,
        template_id: &template_id,
        data: &data,
        url,
        miniprogram,
        client_msg_id,
    };
    let server = Server::answering([json(STALE)]).await;
    let appid = || "wx0a00000000000001".parse().unwrap();
    let concurrency = ConcurrencyLimit::new(1);
    // WeChat refuses the token, and no replacement arrives.
    let tokens = Arc::new(NoReplacement);
    let account = client(&server.base_url).account(appid(), tokens, concurrency.clone());
    let sent = account.send_template(&message, &ShortDeadline(true)).await;
    let error = sent.unwrap_err();
    assert!(matches!(error, Error::NotSent { .. }) && !error.may_have_arrived(), "{error:?}");
    assert_eq!(server.requests().len(), 1);
    // No permit becomes available.
    let tokens = Tokens::starting_with("a");
    let account = client(&server.base_url).account(appid(), tokens, concurrency.clone());
    let permit = concurrency.acquire().await;
    let sent = account.send_template(&message, &ShortDeadline(true)).await;
    assert!(matches!(sent, Err(Error::NotSent { .. })), "{sent:?}");
    drop(permit);
    // The hook does not let it leave.
    let sent = account.send_template(&message, &ShortDeadline(false)).await;
    assert!(matches!(sent, Err(Error::NotSent { .. })), "{sent:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_message_without_a_connection_cannot_have_arrived() {
    for base_url in ["http://127.0.0.1:1", "https://wechat.invalid"] {
        let error = send(Send::Template, &account(base_url)).await.unwrap_err();
        assert!(!error.may_have_arrived(), "{error:?}");
    }
}
