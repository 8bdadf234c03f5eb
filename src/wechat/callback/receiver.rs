//! Who judges and opens what is pushed to one account.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::aes_key::AesKey;
use super::fields::Fields;
use super::signature::{check_message, check_query, moment};
use super::{Error, Forgery, Notification, Query, body};
use crate::model::AppId;

/// Judges and opens what is pushed to one account.
#[derive(Clone)]
pub struct Receiver {
    appid: AppId,
    token: SecretString,
    key: Option<AesKey>,
}

/// Why pushes cannot be received with these settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The token is none that WeChat's console takes. An empty one would let everybody sign.
    #[error("callback_token must be 3 to 32 letters and digits")]
    Token,
    /// The EncodingAESKey is not what WeChat's console gives.
    #[error("encoding_aes_key must be 43 letters and digits, as WeChat's console shows it")]
    EncodingAesKey,
}

impl Receiver {
    /// With the token, and the EncodingAESKey unless pushes come in plain mode, that stand in WeChat's
    /// console.
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

    /// The account.
    pub fn appid(&self) -> &AppId {
        &self.appid
    }

    /// What to answer to WeChat's check of our address: these bytes and no others.
    pub fn echo(&self, query: &Query) -> Result<String, Error> {
        check_query(query, &self.token)?;
        Ok(query.echostr.clone().ok_or(Forgery::Unsigned)?)
    }

    /// Judges a push by its query, before its body is read. [`Receiver::open`] does it too.
    ///
    /// What is encrypted is signed with its body: of that, here only the parts are asked for.
    pub fn admit(&self, query: &Query) -> Result<(), Error> {
        if self.key.is_none() {
            return Ok(check_query(query, &self.token)?);
        }
        moment(query)?;
        if query.signature.is_some() {
            check_query(query, &self.token)?;
        }
        match (query.is_encrypted(), &query.msg_signature) {
            (true, Some(_)) => Ok(()),
            (true, None) => Err(Forgery::Unsigned.into()),
            (false, _) => Err(Forgery::Plain.into()),
        }
    }

    /// Verifies, decrypts and reads a push.
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

    /// In compatible mode the plain fields stand beside the encrypted ones, and count where no key is
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
