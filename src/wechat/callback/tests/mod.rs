//! Tests of a receiver with callback requests of all kinds, genuine and forged.

mod bodies;
mod events;
mod fingerprints;
mod properties;
mod signatures;
mod vectors;

use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::Encryptor;
use secrecy::SecretString;
use sha1::{Digest, Sha1};

use super::*;

const APPID: &str = "wx0123456789abcdef";
const TOKEN: &str = "bridgetoken";
const AES_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";
const KEY_BYTES: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

const UNSUBSCRIBE: &str = "<xml><ToUserName>gh_0123456789ab</ToUserName>\
    <FromUserName>oTESTopenid0000000000000001</FromUserName><CreateTime>1700000000</CreateTime>\
    <MsgType>event</MsgType><Event>unsubscribe</Event></xml>";

/// The receiver of an account in plain mode.
fn plain() -> Receiver {
    Receiver::new(APPID.parse().unwrap(), TOKEN.into(), None).unwrap()
}

/// The receiver of an account in safe mode.
fn safe() -> Receiver {
    let key = SecretString::from(AES_KEY);
    Receiver::new(APPID.parse().unwrap(), TOKEN.into(), Some(&key)).unwrap()
}

fn signature(texts: &[&str]) -> String {
    let mut parts = [texts, &[TOKEN]].concat();
    parts.sort_unstable();
    hex::encode(Sha1::digest(parts.concat()))
}

/// The query of a request in plain mode.
fn signed() -> Query {
    let text =
        format!("signature={}&timestamp=1700000001&nonce=42", signature(&["1700000001", "42"]));
    text.parse().unwrap()
}

/// The query of a request with this `Encrypt` field.
fn signed_over(encrypted: &str) -> Query {
    let msg_signature = signature(&["1700000001", "42", encrypted]);
    Query { encrypt_type: Some("aes".to_owned()), msg_signature: Some(msg_signature), ..signed() }
}

/// Encrypts as WeChat does. Written from WeChat's description, independently of the code under test.
fn encrypt(message: &[u8], random: [u8; 16]) -> String {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let mut plain = [&random, length.as_slice(), message, APPID.as_bytes()].concat();
    let padding = 32 - plain.len() % 32;
    plain.resize(plain.len() + padding, padding as u8);
    let iv: &[u8; 16] = KEY_BYTES.first_chunk().unwrap();
    let cipher = Encryptor::<Aes256>::new(KEY_BYTES.into(), iv.into());
    STANDARD.encode(cipher.encrypt_padded_vec::<NoPadding>(&plain))
}

fn in_xml(encrypted: &str) -> String {
    format!("<xml><ToUserName>gh_1</ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>")
}

/// Opens a body in plain mode.
fn read(body: impl AsRef<[u8]>) -> Result<Notification, Error> {
    plain().open(&signed(), body.as_ref())
}

/// A body with the common fields and these.
fn xml(fields: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oA]]></FromUserName>\
         <CreateTime>1700000000</CreateTime><MsgType><![CDATA[event]]></MsgType>{fields}</xml>"
    )
}

/// A body with the common fields and these.
fn json(fields: &str) -> String {
    format!(
        r#"{{"ToUserName":"gh_1","FromUserName":"oA","CreateTime":1700000000,"MsgType":"event",{fields}}}"#
    )
}
