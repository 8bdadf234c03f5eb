//! A Mini Program's login: the code that `wx.login` gave becomes a person and a session key.
//!
//! A code serves once. What is sent is sent a second time only where WeChat itself said that it was
//! busy, or where no connection was made and nothing had left. Knows nothing of who is logged in
//! already, or of where a session key is kept.

mod code;
mod refusal;
mod sealed;
mod session_key;

pub use code::{InvalidLoginCode, LoginCode};
pub use refusal::LoginRefusal;
pub use sealed::{SealedDataError, UserData};
pub use session_key::SessionKey;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::client::Link;
use super::lenient::Text;
use super::request::{Call, Request};
use super::{Client, Error, attempts};
use crate::model::{AppId, OpenId, UnionId};

/// WeChat: <https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/code2Session.html>
const CODE_TO_SESSION: Call = Call::with_secret("/sns/jscode2session");

/// Who logged in, and the key that this login's data is sealed with.
#[derive(Debug, Clone)]
pub struct Session {
    /// The person in the Mini Program.
    pub openid: OpenId,
    /// The person across accounts; absent where the Mini Program is not bound to an Open Platform
    /// account.
    pub unionid: Option<UnionId>,
    /// What the Mini Program's data about the person is sealed with. Never for a client.
    pub session_key: SessionKey,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer<'a> {
    #[serde(borrow)]
    openid: Text<'a>,
    #[serde(borrow)]
    unionid: Text<'a>,
    #[serde(borrow)]
    session_key: Text<'a>,
}

/// The answer once read, so that it need not outlive the bytes.
#[derive(Deserialize)]
#[serde(from = "Answer<'_>")]
pub(super) struct Granted {
    openid: Option<OpenId>,
    unionid: Option<UnionId>,
    session_key: Option<SessionKey>,
}

impl From<Answer<'_>> for Granted {
    fn from(answer: Answer<'_>) -> Self {
        Self {
            openid: answer.openid.parse(),
            unionid: answer.unionid.parse(),
            session_key: answer.session_key.into_printable().map(SessionKey::from),
        }
    }
}

impl Granted {
    pub(super) fn into_session(self) -> Result<Session, Error> {
        let lacks = |field: &str| Error::Undecodable {
            call: CODE_TO_SESSION.name(),
            problem: format!("it has no usable {field}"),
        };
        Ok(Session {
            openid: self.openid.ok_or_else(|| lacks("openid"))?,
            unionid: self.unionid,
            session_key: self.session_key.ok_or_else(|| lacks("session_key"))?,
        })
    }
}

impl Client {
    /// Exchanges a login code for who logged in.
    ///
    /// What WeChat holds against the code or the person is in [`Error::login_refusal`]. After an error
    /// that is none of these, timeouts included, WeChat may have used the code up.
    pub async fn code_to_session(
        &self,
        appid: &AppId,
        secret: &SecretString,
        code: &LoginCode,
    ) -> Result<Session, Error> {
        let request = Request::get(CODE_TO_SESSION)
            .with("appid", appid.as_str())
            .with("secret", secret.expose_secret())
            .with("js_code", code.expose())
            .with("grant_type", "authorization_code");
        exchange(self.link(), &request).await?.into_session()
    }
}

async fn exchange(link: &Link, request: &Request<'_>) -> Result<Granted, Error> {
    attempts::repeated_once(link, request, leaves_the_code_unused).await
}

/// Whether the code may be sent again: WeChat said that it was busy, or never heard of it.
fn leaves_the_code_unused(error: &Error) -> bool {
    match error {
        Error::Refused { upstream, .. } => upstream.errcode == -1,
        Error::Transport { .. } => !error.may_have_arrived(),
        _ => false,
    }
}

impl Error {
    /// Whether a login code that led to this error can be sent again: no byte of it had left, or WeChat
    /// was too busy to look at it.
    pub fn leaves_login_code_unused(&self) -> bool {
        leaves_the_code_unused(self)
    }

    /// What WeChat holds against a login code or against who logs in; `None` for every other error.
    pub fn login_refusal(&self) -> Option<LoginRefusal> {
        match self {
            Self::Refused { call, upstream, .. } if *call == CODE_TO_SESSION.name() => {
                LoginRefusal::of(upstream.errcode)
            }
            _ => None,
        }
    }
}
