//! Checks WeChat's signatures: SHA-1 over the sorted and joined texts, including the account's token.

use secrecy::{ExposeSecret, SecretString};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use super::{Forgery, Query};

/// Whether `claimed` is the signature of these texts and the token. Compares in constant time.
fn is_signature(claimed: &str, token: &SecretString, texts: &[&str]) -> bool {
    let mut parts = [texts, &[token.expose_secret()]].concat();
    parts.sort_unstable();
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    let expected = hex::encode(hash.finalize());
    expected.as_bytes().ct_eq(claimed.as_bytes()).into()
}

/// Checks `signature`, which covers the query alone.
pub(super) fn check_query(query: &Query, token: &SecretString) -> Result<(), Forgery> {
    let (timestamp, nonce) = timestamp_and_nonce(query)?;
    let claimed = query.signature.as_deref().ok_or(Forgery::Unsigned)?;
    let is_valid = is_signature(claimed, token, &[timestamp, nonce]);
    is_valid.then_some(()).ok_or(Forgery::Signature)
}

/// Checks `msg_signature`, which covers the encrypted text too.
pub(super) fn check_message(
    query: &Query,
    token: &SecretString,
    encrypted: &str,
) -> Result<(), Forgery> {
    let (timestamp, nonce) = timestamp_and_nonce(query)?;
    let claimed = query.msg_signature.as_deref().ok_or(Forgery::Unsigned)?;
    let is_valid = is_signature(claimed, token, &[timestamp, nonce, encrypted]);
    is_valid.then_some(()).ok_or(Forgery::Signature)
}

/// The timestamp and the nonce, which every signature covers in addition to the token.
pub(super) fn timestamp_and_nonce(query: &Query) -> Result<(&str, &str), Forgery> {
    let (timestamp, nonce) = (query.timestamp.as_deref(), query.nonce.as_deref());
    timestamp.zip(nonce).ok_or(Forgery::Unsigned)
}
