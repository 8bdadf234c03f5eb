//! Where an account's pushes go, and how they are signed: the console's server configuration.

use hyper::Uri;
use serde::{Deserialize, Serialize};

use crate::sandbox::chance::{derive, mix};
use crate::sandbox::cipher::{AesKey, aes_key};
use crate::sandbox::world::Kind;

/// What stands for the account's AppID in a callback's URL.
const APPID: &str = "{appid}";

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// How much of a push is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallbackMode {
    /// Nothing: the signature does not cover the body.
    #[default]
    Plain,
    /// The message stands there in the clear and encrypted.
    Compatible,
    /// The message is encrypted.
    Safe,
}

/// How a push is written. An Official Account's is always XML.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallbackFormat {
    /// As XML.
    #[default]
    Xml,
    /// As JSON, which only a Mini Program can have.
    Json,
}

/// An account's server configuration, as its operator enters it in the vendor's console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Callback {
    /// Where the vendor pushes to: `http://HOST[:PORT]/PATH`, in which `{appid}` stands for the
    /// account's AppID. Empty where it is not known yet: nothing is pushed then.
    pub url: String,
    /// 3 to 32 letters and digits, which sign.
    pub token: String,
    /// 43 letters and digits, which encrypt; plain mode needs none.
    pub encoding_aes_key: Option<String>,
    /// How much is encrypted.
    pub mode: CallbackMode,
    /// XML or JSON.
    pub format: CallbackFormat,
}

/// Why a callback cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCallback {
    /// The sandbox speaks HTTP alone.
    #[error("{0:?} is no callback URL: http://HOST[:PORT]/PATH is one")]
    Url(String),
    /// The vendor's console would not take it.
    #[error("a callback's token is 3 to 32 letters and digits")]
    Token,
    /// The vendor's console would not take it.
    #[error("an EncodingAESKey is 43 letters and digits")]
    AesKey,
    /// Compatible and safe mode encrypt.
    #[error("a callback that is not in plain mode needs an EncodingAESKey")]
    NoAesKey,
}

impl Callback {
    /// A callback in plain mode, in XML.
    pub fn plain(url: &str, token: &str) -> Self {
        Self {
            url: url.to_owned(),
            token: token.to_owned(),
            encoding_aes_key: None,
            mode: CallbackMode::Plain,
            format: CallbackFormat::Xml,
        }
    }

    /// A callback in safe mode, in XML.
    pub fn safe(url: &str, token: &str, encoding_aes_key: &str) -> Self {
        let encoding_aes_key = Some(encoding_aes_key.to_owned());
        Self { encoding_aes_key, mode: CallbackMode::Safe, ..Self::plain(url, token) }
    }

    /// A callback in safe mode whose token and key are made from a world's seed, for each account
    /// others.
    pub fn made(url: &str, seed: u64, appid: &str) -> Self {
        let token = envelopes(derive(seed ^ 0x70, appid), 32);
        let mut key = envelopes(derive(seed ^ 0x71, appid), 42);
        // Bits that stand for nothing and are not zero, as many of the vendor's keys have them.
        key.push('Z');
        Self::safe(url, &token, &key)
    }

    /// The same as that account has it: its AppID in the URL, and XML alone for an Official
    /// Account. Refused where it cannot be.
    pub(crate) fn for_account(&self, kind: Kind, appid: &str) -> Result<Self, InvalidCallback> {
        let url = self.url.replace(APPID, appid);
        let token = &self.token;
        let alphanumeric = token.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !url.is_empty() && !is_http(&url) {
            return Err(InvalidCallback::Url(url));
        }
        if !alphanumeric || !(3..=32).contains(&token.len()) {
            return Err(InvalidCallback::Token);
        }
        self.key()?;
        let format = match kind {
            Kind::Official => CallbackFormat::Xml,
            Kind::MiniProgram => self.format,
        };
        Ok(Self { url, format, ..self.clone() })
    }

    /// What encrypts; `None` in plain mode.
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

fn envelopes(key: u64, count: u64) -> String {
    let envelope = |place| char::from(LETTERS[(mix(key ^ place) % 62) as usize]);
    (0..count).map(envelope).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPID: &str = "wx0a00000000000001";

    fn refused(callback: Callback) -> InvalidCallback {
        callback.for_account(Kind::Official, APPID).unwrap_err()
    }

    #[test]
    fn a_made_callback_is_one_that_the_console_takes() {
        let made = Callback::made("http://127.0.0.1:8080/v1/callbacks/{appid}", 1, APPID);
        let callback = made.for_account(Kind::Official, APPID).unwrap();
        assert_eq!(callback.url, format!("http://127.0.0.1:8080/v1/callbacks/{APPID}"));
        assert!(callback.key().unwrap().is_some());
        assert_eq!(callback.encoding_aes_key.unwrap().len(), 43);
        assert_ne!(made.token, Callback::made("", 1, "wx3b00000000000001").token);
        assert_ne!(made.token, Callback::made("", 2, APPID).token);
    }

    #[test]
    fn what_the_console_would_refuse_is_refused() {
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
