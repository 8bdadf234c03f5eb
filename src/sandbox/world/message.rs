//! Accepted messages.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use serde::Serialize;

use crate::sandbox::call::Call;
use crate::sandbox::locks::lock;

/// The maximum number of stored messages. The oldest are dropped first.
const MAX_STORED: usize = 20_000;

/// The period in ms during which a second message with the same `client_msg_id` to the same person is a
/// duplicate.
const DUPLICATE_MS: i64 = 600_000;

/// Message ids exceed what a double represents exactly, as WeChat's do.
const FIRST_MSGID: i64 = 3_600_000_000_000_000_001;

/// A message that the sandbox accepted.
#[derive(Debug, Clone, Serialize)]
pub struct SentMessage {
    /// WeChat's id of the message, greater than 2^53.
    pub msgid: i64,
    /// The call that sent the message.
    pub call: Call,
    /// The AppID of the sending account.
    pub appid: String,
    /// The receiver's openid in that account.
    pub openid: String,
    /// The receiver's number.
    pub person: u64,
    /// The id of the template.
    pub template_id: String,
    /// The sender's own id of the message.
    pub client_msg_id: Option<String>,
    /// The body of the request.
    pub body: serde_json::Value,
}

/// All accepted messages of the world.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    store: Mutex<MessageStore>,
}

#[derive(Debug, Default)]
struct MessageStore {
    sent: VecDeque<SentMessage>,
    accepted: i64,
    /// Person, AppID and `client_msg_id` → when the message was accepted, as Unix time in ms.
    client_ids: HashMap<(u64, String), i64>,
}

impl Messages {
    /// Stores a message and returns its new `msgid`. Returns `None` if it duplicates an earlier message.
    pub(crate) fn accept(&self, mut message: SentMessage, now: i64) -> Option<i64> {
        let mut store = lock(&self.store);
        if let Some(id) = &message.client_msg_id {
            let key = (message.person, format!("{} {id}", message.appid));
            let duplicate = store.client_ids.get(&key).is_some_and(|at| now - at < DUPLICATE_MS);
            if duplicate {
                return None;
            }
            if store.client_ids.len() >= MAX_STORED {
                store.client_ids.retain(|_, at| now - *at < DUPLICATE_MS);
            }
            store.client_ids.insert(key, now);
        }
        store.accepted += 1;
        message.msgid = FIRST_MSGID + 2 * store.accepted;
        let msgid = message.msgid;
        if store.sent.len() >= MAX_STORED {
            store.sent.pop_front();
        }
        store.sent.push_back(message);
        Some(msgid)
    }

    pub(crate) fn sent(&self) -> Vec<SentMessage> {
        lock(&self.store).sent.iter().cloned().collect()
    }
}
