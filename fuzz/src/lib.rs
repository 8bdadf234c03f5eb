//! WeChat's side: signs and encrypts according to WeChat's documentation, without the code under test.

use std::sync::LazyLock;

use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use aes::{Aes128, Aes256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::Encryptor;
use secrecy::SecretString;
use sha1::{Digest, Sha1};
use unionid_bridge::wechat::callback::{Query, Receiver};

/// The AppID of the account, or of the Mini Program.
pub const APPID: &str = "wx0123456789abcdef";

/// The openid of the user who is logged in.
pub const OPENID: &str = "oTESTopenid0000000000000001";

/// The account's callback_token, its EncodingAESKey, and the decoded key.
const TOKEN: &str = "bridgetoken";
const ENCODING_AES_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
const AES_KEY: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

/// The session key of a login.
pub const SESSION_KEY: &[u8; 16] = b"session key 0001";
/// The `iv` that is sent with the sealed data.
pub const SESSION_IV: &[u8; 16] = b"sessions iv 0001";

/// The account in plain mode.
pub static PLAIN: LazyLock<Receiver> = LazyLock::new(|| receiver(None));

/// The account in safe mode.
pub static SAFE: LazyLock<Receiver> = LazyLock::new(|| receiver(Some(ENCODING_AES_KEY.into())));

fn receiver(key: Option<SecretString>) -> Receiver {
    let appid = APPID.parse().expect("an AppID");
    Receiver::new(appid, TOKEN.into(), key.as_ref()).expect("settings as in WeChat's console")
}

/// Returns the signature of these texts.
pub fn sign(texts: &[&str]) -> String {
    let mut parts = [texts, &[TOKEN]].concat();
    parts.sort_unstable();
    Sha1::digest(parts.concat()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the query of a push in plain mode.
pub fn signed() -> Query {
    let (timestamp, nonce) = (Some("1700000001".to_owned()), Some("42".to_owned()));
    let signature = Some(sign(&["1700000001", "42"]));
    Query { signature, timestamp, nonce, ..Query::default() }
}

/// Returns the query of a push with this `Encrypt` value.
pub fn signed_over(encrypted: &str) -> Query {
    let msg_signature = Some(sign(&["1700000001", "42", encrypted]));
    Query { encrypt_type: Some("aes".to_owned()), msg_signature, ..signed() }
}

/// Encrypts a message as in safe mode: 16 random bytes, the length, the message, the AppID, padding to 32.
pub fn encrypt(message: &[u8]) -> String {
    let length = u32::try_from(message.len()).expect("no long message").to_be_bytes();
    let random = b"sixteen at hand.".as_slice();
    let plain = [random, length.as_slice(), message, APPID.as_bytes()].concat();
    let iv = AES_KEY.first_chunk().expect("16 bytes of 32");
    let cipher = Encryptor::<Aes256>::new(AES_KEY.into(), iv.into());
    STANDARD.encode(cipher.encrypt_padded_vec::<NoPadding>(&padded(plain, 32)))
}

/// Encrypts a plain text as the `encryptedData` of `wx.getUserInfo`.
pub fn seal(plain: &[u8]) -> String {
    let cipher = Encryptor::<Aes128>::new(SESSION_KEY.into(), SESSION_IV.into());
    STANDARD.encode(cipher.encrypt_padded_vec::<NoPadding>(&padded(plain.to_vec(), 16)))
}

fn padded(mut bytes: Vec<u8>, block: usize) -> Vec<u8> {
    let padding = block - bytes.len() % block;
    bytes.resize(bytes.len() + padding, padding as u8);
    bytes
}

/// Splits an input at the first line end. Returns the first line as text, with invalid bytes replaced, and
/// the rest.
pub fn first_line(input: &[u8]) -> (String, &[u8]) {
    let mut parts = input.splitn(2, |&byte| byte == b'\n');
    let (line, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    (String::from_utf8_lossy(line).into_owned(), rest)
}
