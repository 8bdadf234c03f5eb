//! What the service promised to its callers and to WeChat, and what was done to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use unionid_bridge::sandbox::{Call, PushId, RuleId};

/// An event of somebody who came or went, on its way to the service.
#[derive(Debug, Clone)]
pub struct Follow {
    pub push: PushId,
    pub person: u64,
    /// In seconds.
    pub created_at: i64,
}

/// What WeChat told of a message, on its way to the service.
#[derive(Debug, Clone)]
pub struct Told {
    pub push: PushId,
    pub order: String,
    pub is_success: bool,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Ledger {
    pub follows: Mutex<Vec<Follow>>,
    pub receipts: Mutex<Vec<Told>>,
    /// The message of each order that was accepted.
    pub accepted: Mutex<BTreeMap<String, String>>,
    /// Who each order is for, accepted or not.
    pub ordered: Mutex<BTreeMap<String, u64>>,
    /// What must be found nowhere.
    pub secrets: Mutex<BTreeSet<String>>,
    /// What happened, and how often.
    pub troubles: Mutex<BTreeMap<String, u64>>,
    /// What callers were answered, and how often; 0 is no answer.
    pub answers: Mutex<BTreeMap<(&'static str, u16), u64>>,
    /// Rules of faults, with the call each strikes.
    pub rules: Mutex<Vec<(Call, RuleId)>>,
    /// How many requests of each call they struck, once they are forgotten.
    pub struck: Mutex<BTreeMap<Call, u64>>,
}

/// As many are looked for as this, the first of them; every search takes its time.
const MOST_SECRETS: usize = 200;

impl Ledger {
    pub fn happened(&self, kind: String) {
        *self.troubles.lock().unwrap().entry(kind).or_default() += 1;
    }

    pub fn answered(&self, caller: &'static str, status: u16) {
        *self.answers.lock().unwrap().entry((caller, status)).or_default() += 1;
    }

    /// One that has to be looked for, however many there are.
    pub fn keep_secret_always(&self, secret: String) {
        self.secrets.lock().unwrap().insert(secret);
    }

    pub fn keep_secret(&self, secret: String) {
        let mut secrets = self.secrets.lock().unwrap();
        if secrets.len() < MOST_SECRETS {
            secrets.insert(secret);
        }
    }
}
