//! The key of one login, which the Mini Program's data about the person is sealed with.

use std::fmt;

use base64::Engine;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::sealed;
use super::{SealedDataError, UserData};
use crate::model::{AppId, OpenId};
use crate::wechat::cipher::{BASE64, BLOCK_BYTES};

/// A session key, as base64 text. A later login of the same person may end it. Not shown in `Debug`,
/// and overwritten in memory when it is dropped.
#[derive(Clone)]
pub struct SessionKey(SecretString);

impl SessionKey {
    /// The key itself, to be encrypted for keeping and never to be shown or given to a client.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Opens what `wx.getUserInfo` gave the Mini Program as `encryptedData` and `iv`.
    ///
    /// Refuses what was sealed for another account or another person.
    pub fn open(
        &self,
        appid: &AppId,
        openid: &OpenId,
        encrypted_data: &str,
        iv: &str,
    ) -> Result<UserData, SealedDataError> {
        sealed::open(self, appid, openid, encrypted_data, iv)
    }

    /// The bytes of the key; `None` where it is no key for this cipher.
    pub(super) fn bytes(&self) -> Option<Zeroizing<[u8; BLOCK_BYTES]>> {
        let bytes = Zeroizing::new(BASE64.decode(self.expose()).ok()?);
        Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
    }
}

impl From<SecretString> for SessionKey {
    fn from(text: SecretString) -> Self {
        Self(text)
    }
}

impl From<String> for SessionKey {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for SessionKey {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey([redacted])")
    }
}
