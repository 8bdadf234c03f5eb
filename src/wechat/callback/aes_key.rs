//! The cipher of WeChat's encrypted ("safe") mode.
//!
//! The plain text is 16 random bytes, the length of the message in 4 bytes, the message and the AppID, padded
//! to a multiple of 32 bytes.

use base64::Engine;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::Forgery;
use crate::model::AppId;
use crate::wechat::cipher::{BASE64, BLOCK_BYTES, open_256};

/// An account's EncodingAESKey, decoded. Dropping it overwrites its memory.
#[derive(Clone)]
pub(super) struct AesKey(Zeroizing<[u8; 32]>);

/// The length of the key in WeChat's console: 43 characters of base64. The last one has two unused bits.
const KEY_CHARACTERS: usize = 43;

impl AesKey {
    /// Parses the key as the console shows it; `None` if it is not valid.
    pub(super) fn read(text: &SecretString) -> Option<Self> {
        let text = text.expose_secret();
        if text.len() != KEY_CHARACTERS {
            return None;
        }
        let bytes = Zeroizing::new(BASE64.decode(text).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// Decrypts the message in an `Encrypt` field, and checks that it is for this AppID.
    pub(super) fn open(&self, encrypted: &str, appid: &AppId) -> Result<Vec<u8>, Forgery> {
        let mut bytes = BASE64.decode(encrypted).map_err(|_| Forgery::Sealed)?;
        let mut iv = [0; BLOCK_BYTES];
        iv.copy_from_slice(&self.0[..BLOCK_BYTES]);
        let plain = open_256(&self.0, &iv, &mut bytes).ok_or(Forgery::Sealed)?;
        let (message, recipient) = split(plain).ok_or(Forgery::Sealed)?;
        if recipient != appid.as_str().as_bytes() {
            return Err(Forgery::OtherAccount);
        }
        Ok(message.to_vec())
    }
}

/// Splits the plain text into the message and the AppID of its recipient.
fn split(plain: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_random, rest) = plain.split_at_checked(BLOCK_BYTES)?;
    let (length, rest) = rest.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}
