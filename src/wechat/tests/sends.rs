//! A message is sent once: whoever asked decides about the next attempt, and has to know enough for it.

use super::super::{Class, Error, Gate};
use super::messages::{SENDS, SENT, Send, body, send, sent};
use super::server::{Reply, Server, json, ok, status};
use super::{Tokens, account, account_of, client};

const STALE: &str = r#"{"errcode":42001,"errmsg":"access_token expired"}"#;

#[tokio::test]
async fn a_message_is_sent_once_whatever_becomes_of_it() {
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
async fn a_refused_token_is_replaced_once_and_the_message_sent_once_more() {
    for (kind, call) in SENDS {
        let server = Server::answering([json(STALE), json(SENT)]).await;
        let account =
            account_of(client(&server.base_url), Tokens::starting_with("a"), Gate::new(1));
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
async fn a_busy_wechat_gets_fewer_messages_at_once() {
    let server = Server::answering([status("503 Busy")]).await;
    let gate = Gate::new(16);
    let tokens = Tokens::starting_with("token");
    let account = account_of(client(&server.base_url), tokens, gate.clone());
    send(Send::Template, &account).await.unwrap_err();
    assert_eq!(gate.limit(), 8);
}

#[tokio::test]
async fn a_message_that_never_left_cannot_have_arrived() {
    for base_url in ["http://127.0.0.1:1", "https://wechat.invalid"] {
        let error = send(Send::Template, &account(base_url)).await.unwrap_err();
        assert!(!error.may_have_arrived(), "{error:?}");
    }
}
