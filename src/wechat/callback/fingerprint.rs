//! What tells a push from all others. WeChat sends one up to three times, each time encrypted anew.

use sha2::{Digest, Sha256};

use super::event::all_rows;
use super::fields::Fields;

/// What a push is told by: who, when, what, and which of several within one second.
const TELLING: [&str; 11] = [
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

/// What the rows of a subscription event are told by.
const TELLING_ROWS: [&str; 3] = ["TemplateId", "MsgID", "SubscribeStatusString"];

/// SHA-256 over what tells the push from all others, as hexadecimal digits.
pub(super) fn of(fields: &Fields) -> String {
    let mut hash = Sha256::new();
    add(&mut hash, fields, &TELLING);
    for row in all_rows(fields) {
        add(&mut hash, row, &TELLING_ROWS);
    }
    hex::encode(hash.finalize())
}

/// Its length before each text keeps two of them from running into each other. What is no text in an
/// event that we do not know counts as absent.
fn add(hash: &mut Sha256, fields: &Fields, names: &[&'static str]) {
    for name in names {
        let text = fields.text(name).ok().flatten().unwrap_or_default();
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
}
