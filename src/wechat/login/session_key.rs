//! The session key of one login, which encrypts the Mini Program's data about the user.

use std::fmt;

use base64::Engine;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::sealed;
use super::{SealedDataError, UserData};
use crate::model::{AppId, OpenId};
use crate::wechat::cipher::{BASE64, BLOCK_BYTES};

/// A session key, as base64 text. A later login of the same user may invalidate it. `Debug` does not show the
/// key, and dropping it overwrites its memory.
#[derive(Clone)]
pub struct SessionKey(SecretString);

impl SessionKey {
    /// The key text. Only for encrypted storage: never for display, and never for a client.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Decrypts the `encryptedData` and `iv` that `wx.getUserInfo` returned to the Mini Program.
    ///
    /// Refuses data for another account or another user.
    pub fn open(
        &self,
        appid: &AppId,
        openid: &OpenId,
        encrypted_data: &str,
        iv: &str,
    ) -> Result<UserData, SealedDataError> {
        sealed::open(self, appid, openid, encrypted_data, iv)
    }

    /// The key's bytes; `None` if it is not a valid AES-128 key.
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
