//! Messages that were accepted.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use serde::Serialize;

use crate::sandbox::call::Call;
use crate::sandbox::locks::lock;

/// As many sent messages are kept as this; the oldest go first.
const KEPT: usize = 20_000;

/// A message with the `client_msg_id` of another to the same person within this is a duplicate.
const DUPLICATE_MILLIS: i64 = 600_000;

/// Message ids start beyond what a double can hold, as the vendor's do.
const FIRST_MSGID: i64 = 3_600_000_000_000_000_001;

/// A message that the vendor accepted.
#[derive(Debug, Clone, Serialize)]
pub struct SentMessage {
    /// The vendor's number for it, greater than 2^53.
    pub msgid: i64,
    /// By which call it was sent.
    pub call: Call,
    /// The account that it is from.
    pub appid: String,
    /// To whom, in that account.
    pub openid: String,
    /// To whom, by number.
    pub person: u64,
    /// Which template.
    pub template_id: String,
    /// The sender's own number for it, if given.
    pub client_msg_id: Option<String>,
    /// The whole request.
    pub body: serde_json::Value,
}

/// All sent messages of the world.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    book: Mutex<MessageStore>,
}

#[derive(Debug, Default)]
struct MessageStore {
    sent: VecDeque<SentMessage>,
    accepted: i64,
    client_ids: HashMap<(u64, String), i64>,
}

impl Messages {
    /// Accepts a message and numbers it; `None` where it repeats an earlier one.
    pub(crate) fn accept(&self, mut message: SentMessage, now: i64) -> Option<i64> {
        let mut book = lock(&self.book);
        if let Some(id) = &message.client_msg_id {
            let key = (message.person, format!("{} {id}", message.appid));
            let repeats = book.client_ids.get(&key).is_some_and(|at| now - at < DUPLICATE_MILLIS);
            if repeats {
                return None;
            }
            if book.client_ids.len() >= KEPT {
                book.client_ids.retain(|_, at| now - *at < DUPLICATE_MILLIS);
            }
            book.client_ids.insert(key, now);
        }
        book.accepted += 1;
        message.msgid = FIRST_MSGID + 2 * book.accepted;
        let msgid = message.msgid;
        if book.sent.len() >= KEPT {
            book.sent.pop_front();
        }
        book.sent.push_back(message);
        Some(msgid)
    }

    pub(crate) fn sent(&self) -> Vec<SentMessage> {
        lock(&self.book).sent.iter().cloned().collect()
    }
}
