//! Signs a message, and encrypts it if the callback's mode requires it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Callback, CallbackFormat, CallbackMode, Context, InvalidCallback};
use crate::sandbox::cipher::{encrypt_push, signature};

/// A signed push that was not sent, so that a test can alter or repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The query of the URL, without the `?`: signature, timestamp, nonce, and parameters of the mode.
    pub query: String,
    /// The body.
    pub body: Vec<u8>,
    /// The content type of the body.
    pub content_type: String,
}

/// What differs between two envelopes of the same message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variation {
    /// Unix time in s.
    pub(super) timestamp: i64,
    pub(super) random: [u64; 3],
}

impl Variation {
    fn nonce(self) -> String {
        (self.random[0] >> 32).to_string()
    }

    /// Returns the 16 random characters that WeChat puts before an encrypted message.
    fn random_prefix(self) -> [u8; 16] {
        let bytes = [self.random[1].to_le_bytes(), self.random[2].to_le_bytes()].concat();
        let text = URL_SAFE_NO_PAD.encode(bytes);
        std::array::from_fn(|index| text.as_bytes()[index])
    }
}

/// Signs a message, and encrypts it if the callback's mode requires it.
pub(super) fn seal(
    callback: &Callback,
    context: &Context,
    message: Vec<u8>,
    variation: Variation,
) -> Result<Envelope, InvalidCallback> {
    let (timestamp, nonce) = (variation.timestamp.to_string(), variation.nonce());
    let mut query = signed_query(&callback.token, &timestamp, &nonce);
    if !context.openid.is_empty() {
        query += &format!("&openid={}", context.openid);
    }
    let mut body = message;
    if let Some(key) = callback.key()? {
        let encrypted = encrypt_push(&key, variation.random_prefix(), &body, &context.appid);
        let signed = signature([&callback.token, &timestamp, &nonce, &encrypted]);
        query += &format!("&encrypt_type=aes&msg_signature={signed}");
        let compatible = callback.mode == CallbackMode::Compatible;
        let both =
            compatible.then(|| compatible_body(&body, &encrypted, callback.format)).flatten();
        body = both.unwrap_or_else(|| safe_body(context, &encrypted, callback.format));
    }
    let content_type = match callback.format {
        CallbackFormat::Xml => "text/xml",
        CallbackFormat::Json => "application/json",
    };
    Ok(Envelope { query, body, content_type: content_type.to_owned() })
}

/// Returns the part of the query that every push and URL check has.
pub(super) fn signed_query(token: &str, timestamp: &str, nonce: &str) -> String {
    let signed = signature([token, timestamp, nonce]);
    format!("signature={signed}&timestamp={timestamp}&nonce={nonce}")
}

/// Returns the body in safe mode: the receiving account, and the encrypted message.
fn safe_body(context: &Context, encrypted: &str, format: CallbackFormat) -> Vec<u8> {
    let to = &context.original_id;
    match format {
        CallbackFormat::Xml => format!(
            "<xml><ToUserName><![CDATA[{to}]]></ToUserName>\
             <Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
        ),
        CallbackFormat::Json => {
            serde_json::json!({"ToUserName": to, "Encrypt": encrypted}).to_string()
        }
    }
    .into_bytes()
}

/// Returns the body in compatible mode: the message with the encrypted message inserted at its end. Returns
/// `None` if the message has no end tag or brace.
fn compatible_body(message: &[u8], encrypted: &str, format: CallbackFormat) -> Option<Vec<u8>> {
    let (end, addition) = match format {
        CallbackFormat::Xml => ("</xml>", format!("<Encrypt><![CDATA[{encrypted}]]></Encrypt>")),
        CallbackFormat::Json => ("}", format!(",\"Encrypt\":\"{encrypted}\"")),
    };
    let message = message.strip_suffix(end.as_bytes())?;
    Some([message, addition.as_bytes(), end.as_bytes()].concat())
}
