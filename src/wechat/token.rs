//! Access tokens: what one is, how WeChat grants one, and where calls get theirs.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::client::Link;
use super::lenient::Count;
use super::request::{Call, Request};
use super::{Class, Error, attempts};
use crate::model::AppId;

/// What calls are made with; lives two hours at most. Two are equal if they read the same.
#[derive(Clone)]
pub struct AccessToken {
    text: SecretString,
    grant: i64,
}

impl AccessToken {
    /// Takes a token as WeChat writes it.
    pub fn new(token: impl Into<String>) -> Self {
        Self { text: SecretString::from(token.into()), grant: i64::MAX }
    }

    /// The same token, with the number of the grant it came by: a later grant has a higher one,
    /// although WeChat may have granted the same token again.
    pub fn granted_by(self, grant: i64) -> Self {
        Self { grant, ..self }
    }

    /// Whether it came by a later grant than `other`; never later than one that has no number.
    pub fn is_granted_after(&self, other: &Self) -> bool {
        self.grant > other.grant
    }

    /// The token itself, to be sent or encrypted and never to be shown.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }
}

impl PartialEq for AccessToken {
    fn eq(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl Eq for AccessToken {}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken([redacted])")
    }
}

/// A token as WeChat just granted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantedToken {
    /// The token.
    pub token: AccessToken,
    /// How long from now it is good for; as a rule between 300 and 7200 seconds.
    pub expires_in: Duration,
}

/// Where calls get their token, and where they report one that WeChat refused.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// A token to call with.
    async fn token(&self, appid: &AppId) -> Result<AccessToken, TokenError>;

    /// WeChat refused `refused`: the newer token if there is one, otherwise the outcome of one
    /// refresh made for everybody.
    async fn replace(
        &self,
        appid: &AppId,
        refused: &AccessToken,
    ) -> Result<AccessToken, TokenError>;
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// WeChat did not grant one.
    #[error(transparent)]
    Wechat(#[from] Box<Error>),
    /// It was refreshed more than once lately, and WeChat still refuses it.
    #[error("the access token of {0} was refreshed and is refused all the same")]
    Contested(AppId),
    /// What keeps the tokens is away.
    #[error("the access token cannot be read: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TokenError {
    /// What the caller can do.
    pub fn class(&self) -> Class {
        match self {
            Self::Wechat(error) => error.class(),
            Self::Contested(_) => Class::Token,
            Self::Unavailable(_) => Class::Transient,
        }
    }
}

/// WeChat: <https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/getStableAccessToken.html>
const STABLE_TOKEN: Call = Call::with_secret("/cgi-bin/stable_token");

/// What WeChat documents as the longest life. An answer with more, or with nonsense, is not believed:
/// a token asked for too early costs one call, one kept too long is refused.
const LONGEST_LIFE_SECONDS: u64 = 7_200;

#[derive(Serialize)]
struct RequestBody<'a> {
    grant_type: &'static str,
    appid: &'a str,
    secret: &'a str,
    force_refresh: bool,
}

#[derive(Deserialize)]
pub(super) struct Granted {
    access_token: String,
    expires_in: Count,
}

impl Granted {
    pub(super) fn into_token(self) -> Option<GrantedToken> {
        let token = self.access_token.trim();
        let expires_in = Duration::from_secs(self.expires_in.0.min(LONGEST_LIFE_SECONDS));
        (!token.is_empty()).then(|| GrantedToken { token: AccessToken::new(token), expires_in })
    }
}

/// Asks for a token. A forced refresh is never repeated: there are twenty a day.
pub(super) async fn stable_token(
    link: &Link,
    appid: &AppId,
    secret: &SecretString,
    force_refresh: bool,
) -> Result<GrantedToken, Error> {
    let secret = secret.expose_secret();
    let wanted = RequestBody {
        grant_type: "client_credential",
        appid: appid.as_str(),
        secret,
        force_refresh,
    };
    let request = Request::post(STABLE_TOKEN, &wanted).redacting([secret]);
    let granted: Granted = match force_refresh {
        true => attempts::once(link, &request, None).await?,
        false => attempts::repeated(link, &request, None, None).await?,
    };
    granted.into_token().ok_or_else(|| Error::Undecodable {
        call: STABLE_TOKEN.name(),
        problem: "its access_token is empty".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(expires_in: &str) -> GrantedToken {
        let answer = format!(r#"{{"access_token":"TOKEN","expires_in":{expires_in}}}"#);
        serde_json::from_str::<Granted>(&answer).unwrap().into_token().unwrap()
    }

    #[test]
    fn a_life_longer_than_wechat_documents_is_not_believed() {
        assert_eq!(granted("300").expires_in.as_secs(), 300);
        for seconds in ["7200", "7201", "9223372036854775807"] {
            assert_eq!(granted(seconds).expires_in.as_secs(), 7_200);
        }
    }
}
