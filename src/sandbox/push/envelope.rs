//! A message in its envelope: encrypted as the callback's mode has it, and signed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Callback, CallbackFormat, CallbackMode, Context, InvalidCallback};
use crate::sandbox::cipher::{encrypt_push, signature};

/// A push that was signed and not sent, for those who want to alter or repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What follows the `?` of the URL: signature, timestamp, nonce, and what the mode adds.
    pub query: String,
    /// The body.
    pub body: Vec<u8>,
    /// Its type.
    pub content_type: String,
}

/// What makes one envelope unlike the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seal {
    pub(super) timestamp: i64,
    pub(super) draws: [u64; 3],
}

impl Seal {
    fn nonce(self) -> String {
        (self.draws[0] >> 32).to_string()
    }

    /// 16 letters, as the vendor puts before a message.
    fn random(self) -> [u8; 16] {
        let bytes = [self.draws[1].to_le_bytes(), self.draws[2].to_le_bytes()].concat();
        let text = URL_SAFE_NO_PAD.encode(bytes);
        std::array::from_fn(|place| text.as_bytes()[place])
    }
}

/// Seals a message; `openid` is who it is of.
pub(super) fn seal(
    callback: &Callback,
    context: &Context,
    message: Vec<u8>,
    seal: Seal,
) -> Result<Envelope, InvalidCallback> {
    let (timestamp, nonce) = (seal.timestamp.to_string(), seal.nonce());
    let mut query = signed_query(&callback.token, &timestamp, &nonce);
    if !context.openid.is_empty() {
        query += &format!("&openid={}", context.openid);
    }
    let mut body = message;
    if let Some(key) = callback.key()? {
        let encrypted = encrypt_push(&key, seal.random(), &body, &context.appid);
        let signed = signature([&callback.token, &timestamp, &nonce, &encrypted]);
        query += &format!("&encrypt_type=aes&msg_signature={signed}");
        let in_the_clear = callback.mode == CallbackMode::Compatible;
        let spliced = in_the_clear.then(|| splice(&body, &encrypted, callback.format)).flatten();
        body = spliced.unwrap_or_else(|| envelope(context, &encrypted, callback.format));
    }
    let content_type = match callback.format {
        CallbackFormat::Xml => "text/xml",
        CallbackFormat::Json => "application/json",
    };
    Ok(Envelope { query, body, content_type: content_type.to_owned() })
}

/// The part of the query that every push and the URL check have.
pub(super) fn signed_query(token: &str, timestamp: &str, nonce: &str) -> String {
    let signed = signature([token, timestamp, nonce]);
    format!("signature={signed}&timestamp={timestamp}&nonce={nonce}")
}

/// Safe mode's body: whose it is, and the rest encrypted.
fn envelope(context: &Context, encrypted: &str, format: CallbackFormat) -> Vec<u8> {
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

/// Compatible mode's body: the message with its own encryption inside; `None` where it has no end
/// to put it before.
fn splice(message: &[u8], encrypted: &str, format: CallbackFormat) -> Option<Vec<u8>> {
    let (end, addition) = match format {
        CallbackFormat::Xml => ("</xml>", format!("<Encrypt><![CDATA[{encrypted}]]></Encrypt>")),
        CallbackFormat::Json => ("}", format!(",\"Encrypt\":\"{encrypted}\"")),
    };
    let message = message.strip_suffix(end.as_bytes())?;
    Some([message, addition.as_bytes(), end.as_bytes()].concat())
}
