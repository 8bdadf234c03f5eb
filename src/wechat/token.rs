//! Access tokens: the type, the call that fetches one, and the source that calls take theirs from.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::client::Link;
use super::decode::lenient::Count;
use super::transport::request::{Call, Request};
use super::{Class, Error, transport::attempts};
use crate::model::AppId;

/// An access token, valid for two hours at most. Two tokens are equal if their text is equal.
#[derive(Clone)]
pub struct AccessToken {
    text: SecretString,
    grant: i64,
}

impl AccessToken {
    /// Creates a token from the text that WeChat returned.
    pub fn new(token: impl Into<String>) -> Self {
        Self { text: SecretString::from(token.into()), grant: i64::MAX }
    }

    /// The same token with the number of the grant that returned it. A later grant has a higher number, even
    /// if WeChat granted the same token again.
    pub fn granted_by(self, grant: i64) -> Self {
        Self { grant, ..self }
    }

    /// Whether this token comes from a later grant than `other`. No grant is later than a token without a
    /// number.
    pub fn is_granted_after(&self, other: &Self) -> bool {
        self.grant > other.grant
    }

    /// The token text. Only for sending or encrypting, never for display.
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

/// A token that WeChat just granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantedToken {
    /// The token.
    pub token: AccessToken,
    /// The remaining lifetime, usually between 300 and 7200 seconds.
    pub expires_in: Duration,
}

/// Provides the access tokens for calls, and replaces tokens that WeChat refused.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// Returns the current access token.
    async fn token(&self, appid: &AppId) -> Result<AccessToken, TokenError>;

    /// Replaces a token that WeChat refused. Returns a newer token if there is one, else the result of one
    /// refresh that all callers share.
    async fn replace(
        &self,
        appid: &AppId,
        refused: &AccessToken,
    ) -> Result<AccessToken, TokenError>;
}

/// Why no access token is available.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// WeChat did not grant a token.
    #[error(transparent)]
    Wechat(#[from] Box<Error>),
    /// The token was refreshed more than once recently, and WeChat still refuses it.
    #[error("WeChat still refuses the access token of {0} after a refresh")]
    Contested(AppId),
    /// The token storage is unreachable.
    #[error("cannot read the access token: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl TokenError {
    /// What the caller can do about this error.
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

/// The maximum lifetime in seconds that WeChat documents. Longer lifetimes in an answer are reduced to it:
/// renewing a token too early costs one call, but WeChat refuses a token that is kept too long.
const MAX_LIFETIME_SECONDS: u64 = 7_200;

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
        let expires_in = Duration::from_secs(self.expires_in.0.min(MAX_LIFETIME_SECONDS));
        (!token.is_empty()).then(|| GrantedToken { token: AccessToken::new(token), expires_in })
    }
}

/// Fetches a token. Never retries a forced refresh: WeChat allows 20 a day.
pub(super) async fn stable_token(
    link: &Link,
    appid: &AppId,
    secret: &SecretString,
    force_refresh: bool,
) -> Result<GrantedToken, Error> {
    let secret = secret.expose_secret();
    let body = RequestBody {
        grant_type: "client_credential",
        appid: appid.as_str(),
        secret,
        force_refresh,
    };
    let request = Request::post(STABLE_TOKEN, &body).redacting([secret]);
    let granted: Granted = match force_refresh {
        true => attempts::once(link, &request, None).await?,
        false => attempts::with_retries(link, &request, None, None).await?,
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
    fn a_token_lifetime_is_capped_at_the_documented_maximum() {
        assert_eq!(granted("300").expires_in.as_secs(), 300);
        for seconds in ["7200", "7201", "9223372036854775807"] {
            assert_eq!(granted(seconds).expires_in.as_secs(), 7_200);
        }
    }
}
