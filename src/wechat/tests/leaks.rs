//! Canaries: values that must not appear in any error or log line.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::io;
use std::sync::{Arc, Mutex};

use secrecy::SecretString;
use tracing_subscriber::fmt::MakeWriter;

use super::super::form_template::LegacyMessage;
use super::super::login::{LoginCode, SessionKey};
use super::super::subscribe::SubscribeMessage;
use super::super::template::TemplateMessage;
use super::super::{Account, ConcurrencyLimit, Error};
use super::server::{Reply, Server, json, ok, status};
use super::{APPID, Anytime, Tokens, account_of, client};
use crate::model::{Jump, Text};

const TOKEN: &str = "70_canary0token1_aBcDeFgHiJkLmNoP";
const SECRET: &str = "0canary1a2b3c4d5e6f7a8b9c0d1e2f3";
const OPENID: &str = "oCanary-canary0openid1234567";
const CODE: &str = "0bcanary1code234567890aBcDeFgHi";
const TEXT: &str = "canary某人";
const PAGE: &str = "pages/canary?order=5";
const FORM_ID: &str = "canaryform";
const SESSION_KEY: &str = "canary0key1234567890aA==";

fn all_texts(error: &Error) -> String {
    let mut texts = format!("{error} {error:?} {error:#?} {:?}", error.hint());
    let mut source = error.source();
    while let Some(cause) = source {
        texts += &format!(" {cause} {cause:?}");
        source = cause.source();
    }
    texts
}

fn assert_no_canary(text: &str) {
    for canary in ["canary", "cgi-bin/", "js_code", "http://"] {
        assert!(!text.contains(canary), "{canary} in {text}");
    }
}

fn failures() -> Vec<Reply> {
    let echo = format!(
        "{TOKEN} {SECRET} {CODE} [{OPENID}] {SESSION_KEY} http://127.0.0.1/cgi-bin/user/get"
    );
    let half = ok("text/plain", echo.as_bytes())[..110].to_vec();
    vec![
        json(format!(r#"{{"errcode":40003,"errmsg":"invalid {echo} hint: [{OPENID}]"}}"#)),
        json(format!(r#"{{"errcode":40001,"errmsg":"invalid {echo}"}}"#)),
        json(format!(r#"{{"total":"{echo}","access_token":["{echo}"]}}"#)),
        json(format!(
            r#"{{"openid":"{OPENID} ","unionid":"{OPENID}","session_key":"{SESSION_KEY}""#
        )),
        json(echo),
        Reply::Bytes(half.clone()),
        Reply::Reset(half),
        Reply::Silence,
        status("502 Bad Gateway"),
        status(&format!("302 Found\r\nlocation: /cgi-bin/x?access_token={TOKEN}")),
    ]
}

async fn errors_of(base_url: &str) -> Vec<Error> {
    let mut options = super::options(base_url);
    options.timeout = std::time::Duration::from_millis(40);
    options.retry.transient = 1;
    let client = super::Client::new(options).unwrap();
    let account =
        account_of(client.clone(), Tokens::starting_with(TOKEN), ConcurrencyLimit::new(4));
    let openid = OPENID.parse().unwrap();
    let secret = SecretString::from(SECRET);
    let (appid, code) = (APPID.parse().unwrap(), CODE.parse().unwrap());
    let mut errors = errors_of_messages(&account).await;
    errors.extend([
        account.list_followers(Some(OPENID)).await.unwrap_err(),
        account.profile(&openid).await.unwrap_err(),
        account.profiles(&[openid]).await.unwrap_err(),
        client.stable_token(&appid, &secret, false).await.unwrap_err(),
        client.code_to_session(&appid, &secret, &code).await.unwrap_err(),
    ]);
    errors
}

async fn errors_of_messages(account: &Account) -> Vec<Error> {
    let (touser, template_id) = (&OPENID.parse().unwrap(), &"canary_template".parse().unwrap());
    let value = Text { value: TEXT.to_owned(), color: None };
    let (data, page) = (&BTreeMap::from([("thing2".to_owned(), value)]), Some(PAGE));
    let jump = Jump { appid: APPID.parse().unwrap(), pagepath: page.map(str::to_owned) };
    let (url, miniprogram, client_msg_id) = (Some("example.com/canary"), Some(&jump), None);
    let (miniprogram_state, lang, form_id, emphasis_keyword) = (None, None, FORM_ID, None);
    let template = TemplateMessage { touser, template_id, data, url, miniprogram, client_msg_id };
    let subscribe = SubscribeMessage { touser, template_id, data, page, miniprogram_state, lang };
    let legacy = LegacyMessage { touser, template_id, page, form_id, data, emphasis_keyword };
    vec![
        account.send_template(&template, &Anytime).await.unwrap_err(),
        account.send_subscribe(&subscribe, &Anytime).await.unwrap_err(),
        account.send_legacy(&legacy).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn no_error_contains_a_secret() {
    for reply in failures() {
        let server = Server::answering([reply]).await;
        for error in errors_of(&server.base_url).await {
            assert_no_canary(&all_texts(&error));
        }
    }
    for error in errors_of("http://127.0.0.1:1").await {
        assert_no_canary(&all_texts(&error));
    }
}

#[tokio::test]
async fn no_error_contains_message_values() {
    let echo = format!("{TEXT} {OPENID} {TEXT}{TEXT}");
    for errmsg in [
        format!("argument invalid! {echo} data.thing2.value invalid"),
        format!("argument invalid! hint: [x] {echo} data.thing2.value is empty"),
        format!("argument invalid! {TEXT}.data.thing2.value{TEXT} invalid"),
    ] {
        let reply = json(format!(r#"{{"errcode":47003,"errmsg":"{errmsg}"}}"#));
        let server = Server::answering([reply]).await;
        let account = account_of(
            client(&server.base_url),
            Tokens::starting_with("t"),
            ConcurrencyLimit::new(1),
        );
        for error in errors_of_messages(&account).await {
            assert_no_canary(&all_texts(&error));
            assert!(error.to_string().contains("data.thing2.value"), "{error}");
        }
    }
    let value = Text { value: TEXT.to_owned(), color: Some(TEXT.to_owned()) };
    assert_no_canary(&format!("{value:?}"));
}

#[tokio::test]
async fn debug_output_of_secret_types_hides_the_secret() {
    let token = super::AccessToken::new(TOKEN);
    let granted =
        super::super::GrantedToken { token: token.clone(), expires_in: Default::default() };
    let account = account_of(
        client("http://127.0.0.1:1"),
        Tokens::starting_with(TOKEN),
        ConcurrencyLimit::new(1),
    );
    let code: LoginCode = CODE.parse().unwrap();
    let key = SessionKey::from(SESSION_KEY);
    let shown = format!("{token:?} {granted:?} {account:?} {code:?} {key:?}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_log_line_contains_a_secret_even_at_trace_level() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // tracing caches a call site as disabled if another test reaches it first without a subscriber. The first
    // round registers all call sites, and the rebuild before the second round enables them.
    for _ in 0..2 {
        tracing::callsite::rebuild_interest_cache();
        for reply in failures() {
            let server = Server::answering([reply]).await;
            errors_of(&server.base_url).await;
        }
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("a call to WeChat failed"), "{log}");
    let canary = log.lines().find(|line| line.contains("canary"));
    assert_eq!(canary, None);
}
