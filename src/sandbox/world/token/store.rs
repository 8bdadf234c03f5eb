//! Stores which tokens were issued, and which are current.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::sandbox::errcode::Refusal;
use crate::sandbox::random::mix;
use crate::sandbox::world::{DAY_MILLIS, china_day};

/// The maximum number of forced refreshes per account and day.
const MAX_FORCED_PER_DAY: u32 = 20;

/// The minimum interval between forced refreshes, in ms. An earlier one returns the current token.
const FORCE_INTERVAL_MS: i64 = 30_000;

/// The number of tokens above which those that expired more than a day ago are removed.
const CLEANUP_THRESHOLD: usize = 4_096;

/// An issued token.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) account: usize,
    /// Unix time in ms.
    pub(super) expires_at: i64,
    /// A newer token replaced this one: after its expiry it is reported as invalid, not as expired.
    pub(super) displaced: bool,
    /// The token was invalidated.
    pub(super) dead: bool,
}

/// The current tokens of one account.
#[derive(Debug, Default, Clone)]
pub(super) struct CurrentTokens {
    pub(super) classic: Option<String>,
    pub(super) stable: Option<String>,
    /// Unix time in ms.
    forced_at: Option<i64>,
    /// The day, and the number of forced refreshes on it.
    forced_today: (i64, u32),
}

/// All issued tokens, and the current ones of each account.
#[derive(Debug)]
pub(super) struct TokenStore {
    pub(super) grants: HashMap<String, Grant>,
    pub(super) current: Vec<CurrentTokens>,
    salt: u64,
    minted: u64,
}

impl CurrentTokens {
    /// Returns whether a forced refresh is allowed now, and counts it if so. Refuses with 45009 if the daily
    /// limit is reached.
    pub(super) fn may_force(&mut self, now: i64) -> Result<bool, Refusal> {
        if self.forced_at.is_some_and(|at| now - at < FORCE_INTERVAL_MS) {
            return Ok(false);
        }
        let today = china_day(now);
        if self.forced_today.0 != today {
            self.forced_today = (today, 0);
        }
        if self.forced_today.1 >= MAX_FORCED_PER_DAY {
            return Err(Refusal::of(45009));
        }
        self.forced_today.1 += 1;
        self.forced_at = Some(now);
        Ok(true)
    }
}

impl TokenStore {
    pub(super) fn new(accounts: usize, salt: u64) -> Self {
        let current = vec![CurrentTokens::default(); accounts];
        Self { grants: HashMap::new(), current, salt, minted: 0 }
    }

    pub(super) fn mint(&mut self, account: usize, expires_at: i64, now: i64) -> String {
        if self.grants.len() > CLEANUP_THRESHOLD {
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

    pub(super) fn invalidate_all(&mut self, account: usize) {
        let grants = self.grants.values_mut().filter(|grant| grant.account == account);
        grants.for_each(|grant| grant.dead = true);
    }
}

/// Whether the text has the format of a token: digits, `_` and more than 100 characters.
pub(super) fn looks_like_a_token(text: &str) -> bool {
    let parts = text.split_once('_');
    parts.is_some_and(|(generation, rest)| {
        rest.len() > 100 && !generation.is_empty() && generation.bytes().all(|b| b.is_ascii_digit())
    })
}
