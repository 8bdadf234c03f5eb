//! Verifies and decrypts the callback requests of one account.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::aes_key::AesKey;
use super::fields::Fields;
use super::signature::{check_message, check_query, timestamp_and_nonce};
use super::{Error, Forgery, Notification, Query, body};
use crate::model::AppId;

/// Verifies and decrypts the callback requests of one account.
#[derive(Clone)]
pub struct Receiver {
    appid: AppId,
    token: SecretString,
    key: Option<AesKey>,
}

/// Why the settings for callback requests are invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// WeChat's console does not accept such a token. An empty one would let anybody sign.
    #[error("callback_token must be 3 to 32 letters and digits")]
    Token,
    /// WeChat's console never shows such an EncodingAESKey.
    #[error("encoding_aes_key must be 43 letters and digits, as WeChat's console shows it")]
    EncodingAesKey,
}

impl Receiver {
    /// Creates a receiver with the token and the EncodingAESKey from WeChat's console. Without a key, it
    /// accepts unencrypted ("plain mode") requests.
    pub fn new(
        appid: AppId,
        token: SecretString,
        encoding_aes_key: Option<&SecretString>,
    ) -> Result<Self, SetupError> {
        let text = token.expose_secret();
        let is_alphanumeric = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !(3..=32).contains(&text.len()) || !is_alphanumeric {
            return Err(SetupError::Token);
        }
        let key = encoding_aes_key.map(|key| AesKey::read(key).ok_or(SetupError::EncodingAesKey));
        Ok(Self { appid, key: key.transpose()?, token })
    }

    /// The AppID of the account.
    pub fn appid(&self) -> &AppId {
        &self.appid
    }

    /// Returns the exact answer to WeChat's check of the callback URL.
    pub fn echo(&self, query: &Query) -> Result<String, Error> {
        check_query(query, &self.token)?;
        Ok(query.echostr.clone().ok_or(Forgery::Unsigned)?)
    }

    /// Validates the query of a request before its body is read. [`Receiver::open`] calls this too.
    ///
    /// The signature of an encrypted request covers the body, so this only checks that its parts are present.
    pub fn admit(&self, query: &Query) -> Result<(), Error> {
        if self.key.is_none() {
            return Ok(check_query(query, &self.token)?);
        }
        timestamp_and_nonce(query)?;
        if query.signature.is_some() {
            check_query(query, &self.token)?;
        }
        match (query.is_encrypted(), &query.msg_signature) {
            (true, Some(_)) => Ok(()),
            (true, None) => Err(Forgery::Unsigned.into()),
            (false, _) => Err(Forgery::Plain.into()),
        }
    }

    /// Verifies, decrypts and parses a request.
    pub fn open(&self, query: &Query, body: &[u8]) -> Result<Notification, Error> {
        self.admit(query)?;
        let outer = body::read(body)?;
        let Some(key) = &self.key else {
            return self.open_plain(&outer);
        };
        let encrypted = outer.text("Encrypt")?.ok_or(Forgery::Plain)?;
        check_message(query, &self.token, encrypted)?;
        let message = key.open(encrypted, &self.appid)?;
        Ok(Notification::read(&body::read(&message)?)?)
    }

    /// In compatible mode the body has plain fields next to the encrypted ones. They are used if no key is
    /// configured.
    fn open_plain(&self, outer: &Fields) -> Result<Notification, Error> {
        if outer.has("Encrypt") && !outer.has("FromUserName") {
            return Err(Forgery::Encrypted.into());
        }
        Ok(Notification::read(outer)?)
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Receiver");
        shown.field("appid", &self.appid).field("encrypted", &self.key.is_some());
        shown.finish_non_exhaustive()
    }
}
