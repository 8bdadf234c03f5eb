//! What the service promised to its callers and to WeChat, and which faults were injected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use unionid_bridge::sandbox::{Call, PushId, RuleId};

/// A pushed subscribe or unsubscribe event.
#[derive(Debug, Clone)]
pub struct Follow {
    pub push: PushId,
    pub person: u64,
    /// In seconds.
    pub created_at: i64,
}

/// A pushed receipt of a message.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub push: PushId,
    pub order: String,
    pub is_success: bool,
}

#[derive(Debug, Default)]
pub struct Ledger {
    pub follows: Mutex<Vec<Follow>>,
    pub receipts: Mutex<Vec<Receipt>>,
    /// The message id of each accepted order.
    pub accepted: Mutex<BTreeMap<String, String>>,
    /// The recipient of each order, accepted or not.
    pub ordered: Mutex<BTreeMap<String, u64>>,
    /// Texts that must not appear in any log.
    pub secrets: Mutex<BTreeSet<String>>,
    /// The number of injected faults of each kind.
    pub faults: Mutex<BTreeMap<String, u64>>,
    /// The number of answers by caller and status; 0 stands for no answer.
    pub answers: Mutex<BTreeMap<(&'static str, u16), u64>>,
    /// Active fault rules of the sandbox, with the call that each affects.
    pub rules: Mutex<Vec<(Call, RuleId)>>,
    /// The number of requests that cleared rules affected, for each call.
    pub hits: Mutex<BTreeMap<Call, u64>>,
}

/// The number of secrets to search for, because every search takes time. The first ones are kept.
const MAX_SECRETS: usize = 200;

impl Ledger {
    pub fn record_fault(&self, kind: String) {
        *self.faults.lock().unwrap().entry(kind).or_default() += 1;
    }

    pub fn record_answer(&self, caller: &'static str, status: u16) {
        *self.answers.lock().unwrap().entry((caller, status)).or_default() += 1;
    }

    /// Adds a secret regardless of [`MAX_SECRETS`].
    pub fn keep_secret_always(&self, secret: String) {
        self.secrets.lock().unwrap().insert(secret);
    }

    pub fn keep_secret(&self, secret: String) {
        let mut secrets = self.secrets.lock().unwrap();
        if secrets.len() < MAX_SECRETS {
            secrets.insert(secret);
        }
    }
}
