//! What a Mini Program's client hands on sealed: `encryptedData` and `iv` of `wx.getUserInfo`.
//!
//! The cipher has no seal against alteration, and its sender knows most of the plain text. So a
//! unionid counts only in a text that is whole, names our account, and names the person that WeChat
//! itself says is logged in.

use base64::Engine;
use secrecy::zeroize::Zeroizing;
use serde::Deserialize;

use super::SessionKey;
use crate::model::{AppId, OpenId, UnionId};
use crate::wechat::cipher::{BASE64, BLOCK_BYTES, open_128};
use crate::wechat::lenient::{Integer, Text};

/// What sealed data tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserData {
    /// The person across accounts; absent where the Mini Program is not bound to an Open Platform
    /// account, and where the data says nothing of whom it is about.
    pub unionid: Option<UnionId>,
    /// When WeChat sealed it, in seconds since 1970.
    pub sealed_at: i64,
}

/// Why sealed data was not taken. Repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealedDataError {
    /// Longer than 64 KiB.
    #[error("encrypted_data is longer than 64 KiB")]
    TooLong,
    /// Not base64, or of a length that the cipher does not give.
    #[error("encrypted_data or iv is not what WeChat gave")]
    Malformed,
    /// Sealed with another key: that of an earlier or a later login.
    #[error("encrypted_data was not sealed in this login")]
    OtherSession,
    /// Sealed for another Mini Program.
    #[error("encrypted_data is another Mini Program's")]
    OtherApp,
    /// About another person.
    #[error("encrypted_data is about another person")]
    OtherPerson,
}

impl SealedDataError {
    /// What the Mini Program can do.
    pub fn hint(self) -> &'static str {
        match self {
            Self::TooLong | Self::Malformed => {
                "send encryptedData and iv exactly as wx.getUserInfo gave them"
            }
            Self::OtherSession => {
                "call wx.login first and wx.getUserInfo then, and send both results together: each \
                 login may end the key of the one before"
            }
            Self::OtherApp | Self::OtherPerson => {
                "send the code and the encrypted data of one and the same login"
            }
        }
    }
}

/// The longest `encryptedData` that is opened, in characters. WeChat's has about 600.
const LONGEST: usize = 64 * 1024;

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
    if encrypted_data.len() > LONGEST || iv.len() > LONGEST {
        return Err(SealedDataError::TooLong);
    }
    let mut bytes = Zeroizing::new(decode(encrypted_data)?);
    if bytes.is_empty() || bytes.len() % BLOCK_BYTES != 0 {
        return Err(SealedDataError::Malformed);
    }
    let iv = decode(iv)?.try_into().map_err(|_| SealedDataError::Malformed)?;
    let key = key.bytes().ok_or(SealedDataError::OtherSession)?;
    let plain = open_128(&key, &iv, &mut bytes).ok_or(SealedDataError::OtherSession)?;
    // One wrong key in 256 leaves something like padding; what is before it is no JSON then.
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
        let about = self.openid.0.as_deref().map(|_| self.openid.parse::<OpenId>());
        let unionid = match about {
            Some(person) if person.as_ref() != Some(openid) => {
                return Err(SealedDataError::OtherPerson);
            }
            Some(_) => self.unionid.parse(),
            // As wx.getUserProfile seals it: a portrait and a name, of nobody in particular.
            None => None,
        };
        let sealed_at = self.watermark.timestamp.0.ok_or(SealedDataError::OtherSession)?;
        Ok(UserData { unionid, sealed_at })
    }
}

#[cfg(test)]
mod tests;
