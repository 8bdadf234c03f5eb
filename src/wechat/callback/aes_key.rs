//! The cipher of WeChat's safe mode.
//!
//! Plain text: 16 random bytes, the message's length in 4 bytes, the message, the AppID; padded to 32.

use base64::Engine;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::Forgery;
use crate::model::AppId;
use crate::wechat::cipher::{BASE64, BLOCK_BYTES, open_256};

/// An account's EncodingAESKey, decoded. Overwritten in memory when it is dropped.
#[derive(Clone)]
pub(super) struct AesKey(Zeroizing<[u8; 32]>);

/// What WeChat's console gives: 43 characters of base64, whose last one has two bits to spare.
const KEY_CHARACTERS: usize = 43;

impl AesKey {
    /// Reads the key as the console shows it; `None` where it is none.
    pub(super) fn read(text: &SecretString) -> Option<Self> {
        let text = text.expose_secret();
        if text.len() != KEY_CHARACTERS {
            return None;
        }
        let bytes = Zeroizing::new(BASE64.decode(text).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// The message in an `Encrypt` field.
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

/// The message and the AppID it is for.
fn split(plain: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_random, rest) = plain.split_at_checked(BLOCK_BYTES)?;
    let (length, rest) = rest.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}
