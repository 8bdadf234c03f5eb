//! Fingerprints, which identify repetitions. WeChat sends a callback request up to three times, and encrypts
//! each repetition differently.

use sha2::{Digest, Sha256};

use super::event::all_rows;
use super::fields::Fields;

/// The fields that identify a request: who, when, what, and which of several within one second.
const IDENTIFYING_FIELDS: [&str; 11] = [
    "ToUserName",
    "FromUserName",
    "CreateTime",
    "MsgType",
    "Event",
    "MsgId",
    "EventKey",
    "TemplateId",
    "OpenID",
    "UnionID",
    "AppID",
];

/// The fields that identify a row of a subscription event.
const IDENTIFYING_ROW_FIELDS: [&str; 3] = ["TemplateId", "MsgID", "SubscribeStatusString"];

/// The SHA-256 of the identifying fields, in hexadecimal.
pub(super) fn of(fields: &Fields) -> String {
    let mut hash = Sha256::new();
    add(&mut hash, fields, &IDENTIFYING_FIELDS);
    for row in all_rows(fields) {
        add(&mut hash, row, &IDENTIFYING_ROW_FIELDS);
    }
    hex::encode(hash.finalize())
}

/// Hashes each field with its length first, so that the boundary between two texts is unambiguous. Fields of
/// unknown events that are not texts count as absent.
fn add(hash: &mut Sha256, fields: &Fields, names: &[&'static str]) {
    for name in names {
        let text = fields.text(name).ok().flatten().unwrap_or_default();
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
}
