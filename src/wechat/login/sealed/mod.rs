//! Decrypts the data that a Mini Program's client forwards: `encryptedData` and `iv` of `wx.getUserInfo`.
//!
//! The cipher does not authenticate its text, and the sender knows most of the plain text. Therefore a
//! unionid is accepted only from a complete text that contains our AppID and the openid of the user who,
//! according to WeChat, is logged in.

use base64::Engine;
use secrecy::zeroize::Zeroizing;
use serde::Deserialize;

use super::SessionKey;
use crate::model::{AppId, OpenId, UnionId};
use crate::wechat::cipher::{BASE64, BLOCK_BYTES, open_128};
use crate::wechat::decode::lenient::{Integer, Text};

/// The contents of encrypted user data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserData {
    /// The user's unionid; `None` if the Mini Program is not bound to an Open Platform account, or if the
    /// data does not identify its user.
    pub unionid: Option<UnionId>,
    /// When WeChat encrypted the data, in seconds since 1970.
    pub sealed_at: i64,
}

/// Why encrypted user data was refused. Contains none of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealedDataError {
    /// The data is longer than 64 KiB.
    #[error("encrypted_data is longer than 64 KiB")]
    TooLong,
    /// The data is not base64, or its length is impossible for the cipher.
    #[error("encrypted_data or iv is not valid: it is not what WeChat returned")]
    Malformed,
    /// The data was encrypted with another key, from an earlier or a later login.
    #[error("encrypted_data does not belong to this login")]
    OtherSession,
    /// The data is for another Mini Program.
    #[error("encrypted_data belongs to another Mini Program")]
    OtherApp,
    /// The data is about another user.
    #[error("encrypted_data is about another user")]
    OtherPerson,
}

impl SealedDataError {
    /// What the Mini Program can do.
    pub fn hint(self) -> &'static str {
        match self {
            Self::TooLong | Self::Malformed => {
                "send encryptedData and iv exactly as wx.getUserInfo returned them"
            }
            Self::OtherSession => {
                "call wx.login first, then wx.getUserInfo, and send both results together: each \
                 login may invalidate the key of the previous one"
            }
            Self::OtherApp | Self::OtherPerson => {
                "send the code and the encrypted data of the same login"
            }
        }
    }
}

/// The maximum length of `encryptedData`, in characters. WeChat's has about 600.
const MAX_CHARS: usize = 64 * 1024;

#[derive(Deserialize)]
struct Plain<'a> {
    #[serde(rename = "openId", default, borrow)]
    openid: Text<'a>,
    #[serde(rename = "unionId", default, borrow)]
    unionid: Text<'a>,
    #[serde(borrow)]
    watermark: Watermark<'a>,
}

#[derive(Deserialize)]
struct Watermark<'a> {
    #[serde(borrow)]
    appid: Text<'a>,
    timestamp: Integer,
}

pub(super) fn open(
    key: &SessionKey,
    appid: &AppId,
    openid: &OpenId,
    encrypted_data: &str,
    iv: &str,
) -> Result<UserData, SealedDataError> {
    if encrypted_data.len() > MAX_CHARS || iv.len() > MAX_CHARS {
        return Err(SealedDataError::TooLong);
    }
    let mut bytes = Zeroizing::new(decode(encrypted_data)?);
    if bytes.is_empty() || bytes.len() % BLOCK_BYTES != 0 {
        return Err(SealedDataError::Malformed);
    }
    let iv = decode(iv)?.try_into().map_err(|_| SealedDataError::Malformed)?;
    let key = key.bytes().ok_or(SealedDataError::OtherSession)?;
    let plain = open_128(&key, &iv, &mut bytes).ok_or(SealedDataError::OtherSession)?;
    // One wrong key in 256 results in valid padding. The text before the padding is not JSON then.
    let plain: Plain<'_> =
        serde_json::from_slice(plain).map_err(|_| SealedDataError::OtherSession)?;
    plain.checked(appid, openid)
}

fn decode(text: &str) -> Result<Vec<u8>, SealedDataError> {
    BASE64.decode(text.trim()).map_err(|_| SealedDataError::Malformed)
}

impl Plain<'_> {
    fn checked(self, appid: &AppId, openid: &OpenId) -> Result<UserData, SealedDataError> {
        if self.watermark.appid.parse::<AppId>().as_ref() != Some(appid) {
            return Err(SealedDataError::OtherApp);
        }
        let subject = self.openid.0.as_deref().map(|_| self.openid.parse::<OpenId>());
        let unionid = match subject {
            Some(subject) if subject.as_ref() != Some(openid) => {
                return Err(SealedDataError::OtherPerson);
            }
            Some(_) => self.unionid.parse(),
            // wx.getUserProfile returns only an avatar and a name, without an openid.
            None => None,
        };
        let sealed_at = self.watermark.timestamp.0.ok_or(SealedDataError::OtherSession)?;
        Ok(UserData { unionid, sealed_at })
    }
}

#[cfg(test)]
mod tests;
