//! A Mini Program's login: exchanges the code from `wx.login` for the user's ids and a session key.
//!
//! A code works once. The request is sent a second time only if WeChat answered that it was busy, or if no
//! connection was made and therefore nothing was sent. This module does not know who is logged in, or where
//! session keys are stored.

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
use super::decode::lenient::Text;
use super::transport::request::{Call, Request};
use super::{Client, Error, transport::attempts};
use crate::model::{AppId, OpenId, UnionId};

/// WeChat: <https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/user-login/code2Session.html>
const CODE_TO_SESSION: Call = Call::with_secret("/sns/jscode2session");

/// The user who logged in, and the session key of this login.
#[derive(Debug, Clone)]
pub struct Session {
    /// The user's openid in the Mini Program.
    pub openid: OpenId,
    /// The user's unionid; `None` if the Mini Program is not bound to an Open Platform account.
    pub unionid: Option<UnionId>,
    /// The key that encrypts the Mini Program's data about the user. Must never reach a client.
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

/// The owned form of the answer, which does not borrow from its bytes.
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
        let missing = |field: &str| Error::Undecodable {
            call: CODE_TO_SESSION.name(),
            problem: format!("it has no valid {field}"),
        };
        Ok(Session {
            openid: self.openid.ok_or_else(|| missing("openid"))?,
            unionid: self.unionid,
            session_key: self.session_key.ok_or_else(|| missing("session_key"))?,
        })
    }
}

impl Client {
    /// Exchanges a login code for the user's ids and a session key.
    ///
    /// If WeChat refused the code or the user, [`Error::login_refusal`] returns the reason. After any other
    /// error, including timeouts, the code may be used up.
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
    attempts::with_one_retry(link, request, leaves_the_code_unused).await
}

/// Whether the code can be sent again: WeChat answered that it was busy, or the request never left.
fn leaves_the_code_unused(error: &Error) -> bool {
    match error {
        Error::Refused { upstream, .. } => upstream.errcode == -1,
        Error::Transport { .. } => !error.may_have_arrived(),
        _ => false,
    }
}

impl Error {
    /// Whether the login code can be sent again after this error: the request never left, or WeChat was too
    /// busy to check the code.
    pub fn leaves_login_code_unused(&self) -> bool {
        leaves_the_code_unused(self)
    }

    /// Why WeChat refused the login code or the user; `None` for every other error.
    pub fn login_refusal(&self) -> Option<LoginRefusal> {
        match self {
            Self::Refused { call, upstream, .. } if *call == CODE_TO_SESSION.name() => {
                LoginRefusal::of(upstream.errcode)
            }
            _ => None,
        }
    }
}
