//! WeChat's signatures: SHA-1 over sorted texts, the account's token among them.

use secrecy::{ExposeSecret, SecretString};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use super::{Forgery, Query};

/// Whether `claimed` is the signature of these texts and the token, in a time that does not depend on
/// how much of it is right.
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
    let (timestamp, nonce) = moment(query)?;
    let claimed = query.signature.as_deref().ok_or(Forgery::Unsigned)?;
    let is_right = is_signature(claimed, token, &[timestamp, nonce]);
    is_right.then_some(()).ok_or(Forgery::Signature)
}

/// Checks `msg_signature`, which covers the encrypted text too.
pub(super) fn check_message(
    query: &Query,
    token: &SecretString,
    encrypted: &str,
) -> Result<(), Forgery> {
    let (timestamp, nonce) = moment(query)?;
    let claimed = query.msg_signature.as_deref().ok_or(Forgery::Unsigned)?;
    let is_right = is_signature(claimed, token, &[timestamp, nonce, encrypted]);
    is_right.then_some(()).ok_or(Forgery::Signature)
}

/// What each signature is made of beside the token.
pub(super) fn moment(query: &Query) -> Result<(&str, &str), Forgery> {
    let (timestamp, nonce) = (query.timestamp.as_deref(), query.nonce.as_deref());
    timestamp.zip(nonce).ok_or(Forgery::Unsigned)
}
