//! Template messages: the templates of each account, and what was sent.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use serde::Serialize;

use crate::sandbox::chance::{derive, mix};
use crate::sandbox::locks::lock;

/// As many sent messages are kept as this; the oldest go first.
const KEPT: usize = 20_000;

/// A message with the `client_msg_id` of another to the same person within this is a duplicate.
const DUPLICATE_MILLIS: i64 = 600_000;

/// Message ids start beyond what a double can hold, as the vendor's do.
const FIRST_MSGID: i64 = 3_600_000_000_000_000_001;

/// A template of an account.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Template {
    pub(crate) template_id: String,
    pub(crate) title: String,
    pub(crate) primary_industry: String,
    pub(crate) deputy_industry: String,
    pub(crate) content: String,
    pub(crate) example: String,
}

impl Template {
    /// The keys in `{{key.DATA}}`.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let pieces = self.content.split("{{").skip(1);
        pieces.filter_map(|piece| piece.split_once(".DATA}}").map(|(key, _)| key))
    }
}

/// A template message that the vendor accepted.
#[derive(Debug, Clone, Serialize)]
pub struct SentMessage {
    /// The vendor's number for it, greater than 2^53.
    pub msgid: i64,
    /// The Official Account.
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

/// All templates and sent messages of the world.
#[derive(Debug)]
pub(crate) struct Messages {
    seed: u64,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    templates: Vec<Vec<Template>>,
    industries: Vec<[String; 2]>,
    sent: VecDeque<SentMessage>,
    accepted: i64,
    added: u64,
    client_ids: HashMap<(u64, String), i64>,
}

impl Messages {
    pub(crate) fn new(accounts: usize, seed: u64) -> Self {
        let templates = (0..accounts as u64).map(|account| first_templates(seed ^ account));
        let book = Book {
            templates: templates.collect(),
            industries: vec![["1".to_owned(), "4".to_owned()]; accounts],
            sent: VecDeque::new(),
            accepted: 0,
            added: 0,
            client_ids: HashMap::new(),
        };
        Self { seed, book: Mutex::new(book) }
    }

    pub(crate) fn templates(&self, account: usize) -> Vec<Template> {
        lock(&self.book).templates[account].clone()
    }

    pub(crate) fn template(&self, account: usize, id: &str) -> Option<Template> {
        let book = lock(&self.book);
        book.templates[account].iter().find(|template| template.template_id == id).cloned()
    }

    /// Adds a template with those keys and gives its id.
    pub(crate) fn add_template(&self, account: usize, title: &str, keywords: &[String]) -> String {
        let mut book = lock(&self.book);
        book.added += 1;
        let id = template_id(derive(self.seed ^ book.added, title));
        let template = template(id.clone(), title, keywords);
        book.templates[account].push(template);
        id
    }

    /// Whether there was such a template.
    pub(crate) fn delete_template(&self, account: usize, id: &str) -> bool {
        let templates = &mut lock(&self.book).templates[account];
        let before = templates.len();
        templates.retain(|template| template.template_id != id);
        templates.len() < before
    }

    pub(crate) fn industries(&self, account: usize) -> [String; 2] {
        lock(&self.book).industries[account].clone()
    }

    pub(crate) fn set_industries(&self, account: usize, industries: [String; 2]) {
        lock(&self.book).industries[account] = industries;
    }

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

/// The two that every account starts with: an order that was sent, an appointment.
fn first_templates(seed: u64) -> Vec<Template> {
    let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let order = keys(&["character_string1", "thing2", "time3"]);
    let appointment = keys(&["thing1", "time2", "phrase3"]);
    vec![
        template(template_id(derive(seed, "order")), "订单发货通知", &order),
        template(template_id(derive(seed, "appointment")), "预约成功提醒", &appointment),
    ]
}

fn template(template_id: String, title: &str, keywords: &[String]) -> Template {
    let line = |key: &String| format!("{key}:{{{{{key}.DATA}}}}\n");
    let example = |key: &String| format!("{key}:示例\n");
    Template {
        template_id,
        title: title.to_owned(),
        primary_industry: String::new(),
        deputy_industry: String::new(),
        content: keywords.iter().map(line).collect(),
        example: keywords.iter().map(example).collect(),
    }
}

/// 43 characters.
fn template_id(key: u64) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let bytes: Vec<u8> = (0..4).flat_map(|n| mix(key ^ n).to_le_bytes()).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_names_its_keys() {
        let template = first_templates(1).remove(0);
        let keys: Vec<_> = template.keys().collect();
        assert_eq!(keys, ["character_string1", "thing2", "time3"]);
        assert_eq!(template.template_id.len(), 43);
    }
}
