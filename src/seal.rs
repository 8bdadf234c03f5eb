//! Encryption at rest: the database stores tokens and session keys only as ciphertext.
//!
//! The cipher is AES-256-GCM with a random nonce, bound to the purpose and the account. The first key
//! encrypts and all keys decrypt, so a new key takes effect when it is put first. Without configured
//! keys, a key is derived from the account's AppSecret: anybody who has the AppSecret can get a token
//! from WeChat anyway.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::{Digest, Sha256};

use crate::model::AppId;

/// Why a text could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No configured key sealed the text, or the text was altered.
    #[error("none of the configured encryption keys can decrypt it")]
    NoKey,
    /// The text does not have the format of a sealed text.
    #[error("it is not in the format of encrypted values")]
    Malformed,
}

/// Seals and opens the secrets of one account.
pub struct Sealer {
    appid: AppId,
    keys: Vec<Key>,
}

struct Key {
    id: String,
    bytes: SecretSlice<u8>,
}

const NONCE_BYTES: usize = 12;

impl Sealer {
    /// Creates a sealer with the configured keys of 32 bytes, or with a key derived from the AppSecret
    /// if there are none.
    pub fn new(appid: &AppId, keys: &[SecretSlice<u8>], app_secret: &SecretString) -> Self {
        let keys = if keys.is_empty() {
            vec![Key::derived(appid, app_secret)]
        } else {
            keys.iter().map(Key::configured).collect()
        };
        Self { appid: appid.clone(), keys }
    }

    /// Encrypts `plain` for one purpose, such as `access_token`.
    pub fn seal(&self, purpose: &str, plain: &SecretString) -> Result<String, Error> {
        let key = self.keys.first().ok_or(Error::NoKey)?;
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let aad = self.associated_data(purpose);
        let payload = Payload { msg: plain.expose_secret().as_bytes(), aad: aad.as_bytes() };
        let sealed =
            key.cipher()?.encrypt(&Nonce::from(nonce), payload).map_err(|_| Error::NoKey)?;
        Ok(format!("{}.{}", key.id, BASE64.encode([nonce.as_slice(), &sealed].concat())))
    }

    /// Decrypts a text that [`Sealer::seal`] returned for the same purpose and account.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<SecretString, Error> {
        let (id, text) = sealed.split_once('.').ok_or(Error::Malformed)?;
        let bytes = BASE64.decode(text).map_err(|_| Error::Malformed)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES).ok_or(Error::Malformed)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| Error::Malformed)?;
        let key = self.keys.iter().find(|key| key.id == id).ok_or(Error::NoKey)?;
        let aad = self.associated_data(purpose);
        let payload = Payload { msg: sealed, aad: aad.as_bytes() };
        let plain =
            key.cipher()?.decrypt(&Nonce::from(nonce), payload).map_err(|_| Error::NoKey)?;
        String::from_utf8(plain).map(SecretString::from).map_err(|_| Error::Malformed)
    }

    fn associated_data(&self, purpose: &str) -> String {
        format!("unionid-bridge/{purpose}/{}", self.appid)
    }
}

impl Key {
    fn configured(bytes: &SecretSlice<u8>) -> Self {
        let digest = Sha256::digest(bytes.expose_secret());
        let id = hex::encode(&digest[..4]);
        Self { id, bytes: bytes.clone() }
    }

    fn derived(appid: &AppId, app_secret: &SecretString) -> Self {
        let salt = appid.as_str().as_bytes();
        let source = Hkdf::<Sha256>::new(Some(salt), app_secret.expose_secret().as_bytes());
        let mut bytes = vec![0; 32];
        // HKDF fails only for far more than 32 bytes.
        let _ = source.expand(b"unionid-bridge encryption at rest", &mut bytes);
        Self::configured(&SecretSlice::from(bytes))
    }

    fn cipher(&self) -> Result<Aes256Gcm, Error> {
        Aes256Gcm::new_from_slice(self.bytes.expose_secret()).map_err(|_| Error::NoKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(appid: &str, keys: &[u8]) -> Sealer {
        let keys: Vec<_> = keys.iter().map(|byte| SecretSlice::from(vec![*byte; 32])).collect();
        Sealer::new(&appid.parse().unwrap(), &keys, &"secret of the account".into())
    }

    #[test]
    fn sealing_round_trips_and_never_repeats_its_output() {
        let sealer = sealer("wx01", &[1]);
        let first = sealer.seal("access_token", &"plain".into()).unwrap();
        assert_ne!(first, sealer.seal("access_token", &"plain".into()).unwrap());
        assert!(!first.contains("plain"));
        assert_eq!(sealer.open("access_token", &first).unwrap().expose_secret(), "plain");
    }

    #[test]
    fn the_newest_key_seals_and_older_keys_still_open() {
        let old = sealer("wx01", &[1]).seal("access_token", &"plain".into()).unwrap();
        let both = sealer("wx01", &[2, 1]);
        assert!(both.open("access_token", &old).is_ok());
        let new = both.seal("access_token", &"plain".into()).unwrap();
        assert_eq!(sealer("wx01", &[1]).open("access_token", &new).unwrap_err(), Error::NoKey);
    }

    #[test]
    fn text_sealed_for_another_account_or_purpose_does_not_open() {
        let sealed = sealer("wx01", &[1]).seal("access_token", &"plain".into()).unwrap();
        assert!(sealer("wx02", &[1]).open("access_token", &sealed).is_err());
        assert!(sealer("wx01", &[1]).open("session_key", &sealed).is_err());
    }

    #[test]
    fn the_key_is_derived_from_the_appsecret_if_none_is_configured() {
        let sealed = sealer("wx01", &[]).seal("access_token", &"plain".into()).unwrap();
        assert!(sealer("wx01", &[]).open("access_token", &sealed).is_ok());
    }
}
