//! An account's callback: the URL, signature and encryption of pushes, as configured in WeChat's console.

use hyper::Uri;
use serde::{Deserialize, Serialize};

use crate::sandbox::cipher::{AesKey, aes_key};
use crate::sandbox::random::{derive, mix};
use crate::sandbox::world::Kind;

/// The placeholder for the account's AppID in a callback's URL.
const APPID: &str = "{appid}";

const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// How much of a push is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallbackMode {
    /// Nothing is encrypted, and the signature does not cover the body.
    #[default]
    Plain,
    /// The body contains the message both in plain text and encrypted.
    Compatible,
    /// The body contains only the encrypted message.
    Safe,
}

/// The format of a push. Official Accounts always use XML.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallbackFormat {
    /// XML.
    #[default]
    Xml,
    /// JSON, for Mini Programs only.
    Json,
}

/// An account's server configuration, as its operator enters it in WeChat's console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Callback {
    /// The URL that events are pushed to: `http://HOST[:PORT]/PATH`, in which `{appid}` is replaced by the
    /// account's AppID. If it is empty, nothing is pushed.
    pub url: String,
    /// The token that signs pushes: 3 to 32 letters and digits.
    pub token: String,
    /// The key that encrypts pushes: 43 letters and digits. Not needed in plain mode.
    pub encoding_aes_key: Option<String>,
    /// How much is encrypted.
    pub mode: CallbackMode,
    /// XML or JSON.
    pub format: CallbackFormat,
}

/// Why a callback is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCallback {
    /// The URL is not an HTTP URL. The sandbox supports only HTTP.
    #[error("invalid callback URL {0:?}: expected http://HOST[:PORT]/PATH")]
    Url(String),
    /// WeChat's console would reject the token.
    #[error("a callback's token must be 3 to 32 letters and digits")]
    Token,
    /// WeChat's console would reject the key.
    #[error("an EncodingAESKey must be 43 letters and digits")]
    AesKey,
    /// Compatible and safe mode need a key.
    #[error("a callback in compatible or safe mode needs an EncodingAESKey")]
    NoAesKey,
}

impl Callback {
    /// Creates a callback in plain mode, in XML.
    pub fn plain(url: &str, token: &str) -> Self {
        Self {
            url: url.to_owned(),
            token: token.to_owned(),
            encoding_aes_key: None,
            mode: CallbackMode::Plain,
            format: CallbackFormat::Xml,
        }
    }

    /// Creates a callback in safe mode, in XML.
    pub fn safe(url: &str, token: &str, encoding_aes_key: &str) -> Self {
        let encoding_aes_key = Some(encoding_aes_key.to_owned());
        Self { encoding_aes_key, mode: CallbackMode::Safe, ..Self::plain(url, token) }
    }

    /// Creates a callback in safe mode, with a token and key derived from the seed and the AppID.
    pub fn made(url: &str, seed: u64, appid: &str) -> Self {
        let token = alphanumeric(derive(seed ^ 0x70, appid), 32);
        let mut key = alphanumeric(derive(seed ^ 0x71, appid), 42);
        // Its two unused bits are not zero, as in many real keys.
        key.push('Z');
        Self::safe(url, &token, &key)
    }

    /// Validates the callback and adapts it to an account: replaces `{appid}` in the URL, and sets the format
    /// to XML for an Official Account.
    pub(crate) fn for_account(&self, kind: Kind, appid: &str) -> Result<Self, InvalidCallback> {
        let url = self.url.replace(APPID, appid);
        let token = &self.token;
        let is_alphanumeric = token.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !url.is_empty() && !is_http(&url) {
            return Err(InvalidCallback::Url(url));
        }
        if !is_alphanumeric || !(3..=32).contains(&token.len()) {
            return Err(InvalidCallback::Token);
        }
        self.key()?;
        let format = match kind {
            Kind::Official => CallbackFormat::Xml,
            Kind::MiniProgram => self.format,
        };
        Ok(Self { url, format, ..self.clone() })
    }

    /// Returns the decoded key; `None` in plain mode.
    pub(super) fn key(&self) -> Result<Option<AesKey>, InvalidCallback> {
        let key = self.encoding_aes_key.as_deref();
        let key = key.map(|key| aes_key(key).ok_or(InvalidCallback::AesKey)).transpose()?;
        match self.mode {
            CallbackMode::Plain => Ok(None),
            CallbackMode::Compatible | CallbackMode::Safe => {
                key.map(Some).ok_or(InvalidCallback::NoAesKey)
            }
        }
    }
}

fn is_http(url: &str) -> bool {
    let uri = url.parse::<Uri>();
    uri.is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some())
}

fn alphanumeric(key: u64, count: u64) -> String {
    let character = |index| char::from(ALPHANUMERIC[(mix(key ^ index) % 62) as usize]);
    (0..count).map(character).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPID: &str = "wx0a00000000000001";

    fn refused(callback: Callback) -> InvalidCallback {
        callback.for_account(Kind::Official, APPID).unwrap_err()
    }

    #[test]
    fn a_generated_callback_is_valid() {
        let made = Callback::made("http://127.0.0.1:8080/v1/callbacks/{appid}", 1, APPID);
        let callback = made.for_account(Kind::Official, APPID).unwrap();
        assert_eq!(callback.url, format!("http://127.0.0.1:8080/v1/callbacks/{APPID}"));
        assert!(callback.key().unwrap().is_some());
        assert_eq!(callback.encoding_aes_key.unwrap().len(), 43);
        assert_ne!(made.token, Callback::made("", 1, "wx3b00000000000001").token);
        assert_ne!(made.token, Callback::made("", 2, APPID).token);
    }

    #[test]
    fn an_invalid_callback_is_rejected() {
        let key = "x".repeat(43);
        for url in ["https://x/", "127.0.0.1:8080", "http:///x", "nonsense"] {
            let expected = InvalidCallback::Url(url.to_owned());
            assert_eq!(refused(Callback::plain(url, "token")), expected);
        }
        assert_eq!(refused(Callback::plain("", "no")), InvalidCallback::Token);
        assert_eq!(refused(Callback::plain("", "with blank")), InvalidCallback::Token);
        assert_eq!(refused(Callback::safe("", "token", "short")), InvalidCallback::AesKey);
        let keyless = Callback { encoding_aes_key: None, ..Callback::safe("", "token", &key) };
        assert_eq!(refused(keyless), InvalidCallback::NoAesKey);
        assert!(Callback::safe("", "token", &key).for_account(Kind::Official, APPID).is_ok());
    }
}
