//! What is written down of tokens: which were minted, and which are handed out now.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::sandbox::chance::mix;
use crate::sandbox::errcode::Refusal;
use crate::sandbox::world::{DAY_MILLIS, china_day};

/// Forced refreshes of one account in a day.
const FORCED_A_DAY: u32 = 20;

/// An earlier forced refresh is answered with the current token.
const BETWEEN_FORCED_MILLIS: i64 = 30_000;

/// Past this many tokens, those that ended a day ago are forgotten.
const REMEMBERED: usize = 4_096;

/// What the world remembers of a token.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) account: usize,
    pub(super) expires_at: i64,
    /// Another has taken its place: once over it is invalid, not expired.
    pub(super) displaced: bool,
    /// Invalid from now on.
    pub(super) dead: bool,
}

/// The tokens of one account that are handed out now.
#[derive(Debug, Default, Clone)]
pub(super) struct Desk {
    pub(super) classic: Option<String>,
    pub(super) stable: Option<String>,
    forced_at: Option<i64>,
    forced_today: (i64, u32),
}

/// All tokens, and per account the desk that hands them out.
#[derive(Debug)]
pub(super) struct TokenStore {
    pub(super) grants: HashMap<String, Grant>,
    pub(super) desks: Vec<Desk>,
    salt: u64,
    minted: u64,
}

impl Desk {
    /// Whether a forced refresh is allowed now, and if so, counts it.
    pub(super) fn may_force(&mut self, now: i64) -> Result<bool, Refusal> {
        if self.forced_at.is_some_and(|at| now - at < BETWEEN_FORCED_MILLIS) {
            return Ok(false);
        }
        let today = china_day(now);
        if self.forced_today.0 != today {
            self.forced_today = (today, 0);
        }
        if self.forced_today.1 >= FORCED_A_DAY {
            return Err(Refusal::of(45009));
        }
        self.forced_today.1 += 1;
        self.forced_at = Some(now);
        Ok(true)
    }
}

impl TokenStore {
    pub(super) fn new(accounts: usize, salt: u64) -> Self {
        let desks = vec![Desk::default(); accounts];
        Self { grants: HashMap::new(), desks, salt, minted: 0 }
    }

    pub(super) fn mint(&mut self, account: usize, expires_at: i64, now: i64) -> String {
        if self.grants.len() > REMEMBERED {
            self.grants.retain(|_, grant| now - grant.expires_at < DAY_MILLIS);
        }
        self.minted += 1;
        let seed = mix(self.salt ^ mix(self.minted));
        let bytes: Vec<u8> = (0..13).flat_map(|n| mix(seed ^ n).to_le_bytes()).collect();
        let token = format!("72_{}", URL_SAFE_NO_PAD.encode(bytes));
        let grant = Grant { account, expires_at, displaced: false, dead: false };
        self.grants.insert(token.clone(), grant);
        token
    }

    pub(super) fn end_all(&mut self, account: usize) {
        let theirs = self.grants.values_mut().filter(|grant| grant.account == account);
        theirs.for_each(|grant| grant.dead = true);
    }
}

/// `72_` and some 140 characters.
pub(super) fn looks_like_a_token(text: &str) -> bool {
    let parts = text.split_once('_');
    parts.is_some_and(|(generation, rest)| {
        rest.len() > 100 && !generation.is_empty() && generation.bytes().all(|b| b.is_ascii_digit())
    })
}
