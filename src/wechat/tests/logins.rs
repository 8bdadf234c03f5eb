//! Login codes: exchanged once, and sent a second time only if the first attempt did not use them up.

use secrecy::SecretString;

use super::super::login::{LoginCode, LoginRefusal, Session};
use super::super::{Class, Client, Error, TransportError};
use super::server::{Reply, Server, json, ok, status};
use super::{APPID, client};

const GRANTED: &str =
    r#"{"session_key":"MDEyMzQ1Njc4OWFiY2RlZg==","openid":"oTESTopenid01","unionid":" uTEST01"}"#;

async fn log_in_by(client: &Client) -> Result<Session, Error> {
    let secret = SecretString::from("0123456789abcdef0123456789abcdef");
    let code: LoginCode = "0a1+b/c=".parse().unwrap();
    client.code_to_session(&APPID.parse().unwrap(), &secret, &code).await
}

async fn log_in(replies: impl IntoIterator<Item = Reply>) -> (Result<Session, Error>, Vec<String>) {
    let server = Server::answering(replies).await;
    let outcome = log_in_by(&client(&server.base_url)).await;
    (outcome, server.requests())
}

fn refusal(errcode: i64) -> Reply {
    json(format!(r#"{{"errcode":{errcode},"errmsg":"no rid: 64f0a1b2-0c3d4e5f-11223344"}}"#))
}

#[tokio::test]
async fn a_code_is_exchanged_for_an_openid_and_session_key() {
    let (outcome, requests) = log_in([json(GRANTED)]).await;
    let session = outcome.unwrap();
    assert_eq!(session.openid.as_str(), "oTESTopenid01");
    assert_eq!(session.unionid.unwrap().as_str(), "uTEST01");
    assert_eq!(session.session_key.expose(), "MDEyMzQ1Njc4OWFiY2RlZg==");
    assert!(
        requests[0].starts_with(
            "GET /sns/jscode2session?appid=wx0a00000000000001\
             &secret=0123456789abcdef0123456789abcdef&js_code=0a1%2Bb%2Fc%3D\
             &grant_type=authorization_code HTTP/1.1\r\n"
        ),
        "{requests:?}"
    );
}

#[tokio::test]
async fn an_unbound_mini_program_returns_no_unionid() {
    for unionid in ["", r#","unionid":"""#, r#","unionid":null"#] {
        let body = format!(r#"{{"errcode":0,"openid":"o1","session_key":"k"{unionid}}}"#);
        let (outcome, _) = log_in([json(body)]).await;
        assert_eq!(outcome.unwrap().unionid, None);
    }
}

#[tokio::test]
async fn a_login_response_without_openid_or_key_is_rejected() {
    for body in
        [r#"{"session_key":"k"}"#, r#"{"openid":"o 1","session_key":"k"}"#, r#"{"openid":"o1"}"#]
    {
        let (outcome, requests) = log_in([json(body)]).await;
        assert_eq!(
            (outcome.unwrap_err().class(), requests.len()),
            (Class::Undecodable, 1),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_busy_response_is_retried_once_with_the_same_code() {
    let (outcome, requests) = log_in([refusal(-1), json(GRANTED)]).await;
    assert!(outcome.is_ok());
    assert_eq!(requests[0], requests[1]);
    let (outcome, requests) = log_in([refusal(-1)]).await;
    assert_eq!((outcome.unwrap_err().class(), requests.len()), (Class::Transient, 2));
    let (outcome, _) = log_in([refusal(-1), refusal(40163)]).await;
    assert_eq!(outcome.unwrap_err().login_refusal(), Some(LoginRefusal::UsedCode));
}

#[tokio::test]
async fn a_code_that_may_have_arrived_is_never_resent() {
    let half = ok("text/plain", GRANTED.as_bytes())[..120].to_vec();
    for reply in [
        Reply::Bytes(Vec::new()),
        Reply::Bytes(half.clone()),
        Reply::Reset(Vec::new()),
        Reply::Reset(half),
        Reply::Silence,
        status("502 Bad Gateway"),
        status("429 Too Many Requests"),
        json("<html>busy</html>"),
        refusal(45011),
        refusal(999_999),
    ] {
        let (outcome, requests) = log_in([reply, json(GRANTED)]).await;
        assert!(outcome.is_err());
        assert_eq!(requests.len(), 1, "{requests:?}");
    }
}

#[tokio::test]
async fn a_code_that_was_not_sent_is_retried() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut options = super::options(&format!("http://{address}"));
    options.retry.base = std::time::Duration::from_secs(3600);
    options.retry.cap = options.retry.base;
    let pausing_client = Client::new(options.clone()).unwrap();
    // The pause of an hour before the second attempt proves that there would be one.
    let deadline = std::time::Duration::from_millis(300);
    assert!(tokio::time::timeout(deadline, log_in_by(&pausing_client)).await.is_err());

    options.retry = super::RetryPolicy::never();
    let error = log_in_by(&Client::new(options).unwrap()).await.unwrap_err();
    assert!(
        matches!(error, Error::Transport { fault: TransportError::ConnectionRefused, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn each_login_refusal_is_distinguished_and_has_a_hint() {
    for (errcode, refused) in [
        (40029, LoginRefusal::InvalidCode),
        (40163, LoginRefusal::UsedCode),
        (40226, LoginRefusal::Blocked),
        (45011, LoginRefusal::TooOften),
    ] {
        let (outcome, requests) = log_in([refusal(errcode)]).await;
        let error = outcome.unwrap_err();
        assert_eq!((error.login_refusal(), requests.len()), (Some(refused), 1));
        assert_eq!(error.hint().as_deref(), Some(refused.hint()));
        let upstream = error.upstream().unwrap();
        assert_eq!(upstream.rid.as_deref(), Some("64f0a1b2-0c3d4e5f-11223344"));
    }
}

#[tokio::test]
async fn a_wrong_secret_is_a_configuration_error() {
    for errcode in [40001, 40013, 40125] {
        let (outcome, requests) = log_in([refusal(errcode)]).await;
        let error = outcome.unwrap_err();
        assert_eq!((error.class(), requests.len()), (Class::Config, 1));
        assert_eq!(error.login_refusal(), None);
        assert!(error.hint().is_some());
    }
}
