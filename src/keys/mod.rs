//! API keys: who may call the API, for what, and how often.
//!
//! A key is `ubk_`, a public part that names it in lists and in the audit trail, `_`, and a secret
//! that is shown once and stored as a digest. [`Keyring`] holds all keys in memory, so that telling
//! who calls costs no database call: a change made by this process counts at once, one made by
//! another (the command line, a replica) within [`TRUST`]. Where the database has been away for
//! longer than that, nobody is let in, because a key may have been revoked. A limit is for all processes
//! together: each tells the others what is asked of it, and lets its share through. Knows nothing of HTTP.

mod change;
mod limit;
mod ring;
mod secret;
mod shares;

pub use change::{NewKey, Rolled};
pub use ring::{Grant, Keyring, TRUST};

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;

use crate::model::{AppId, Scope};
use crate::store::{self, api_keys::ApiKey};

/// A key as people see it: all but its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Key {
    /// The public part.
    pub id: String,
    /// What its owner is called.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The accounts it may name; all where there is none.
    pub appids: Vec<AppId>,
    /// Requests a second, of all processes together; the configured limit where there is none.
    pub requests_per_second: Option<u32>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A key just made, with the only copy of its secret.
#[derive(Debug)]
pub struct IssuedKey {
    /// The key.
    pub key: Key,
    /// What its owner sends: `ubk_…`.
    pub text: SecretString,
}

/// Why a key is not let in. Only who has the secret is told that it was revoked or has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No key of ours looks like this: mistyped, cut off, or something else altogether.
    #[error("this is not an API key: a character is missing or wrong")]
    Malformed,
    /// It might be one of ours, and is not.
    #[error("there is no such API key")]
    Unknown,
    /// Ended by an operator.
    #[error("the API key was revoked")]
    Revoked,
    /// Ended by itself.
    #[error("the API key has expired")]
    Expired,
    /// Nobody can say, because the database has been away for too long.
    #[error("the API keys could not be read for {} s", TRUST.as_secs())]
    Unsure,
}

/// Why a key was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(&'static str),
    /// There is no key with this public part.
    #[error("there is no API key {0:?}")]
    NoSuchKey(String),
    /// It was revoked or has expired, and cannot be rolled.
    #[error("the API key {0} has ended")]
    Ended(String),
    /// The database did not do it.
    #[error("could not change the API keys")]
    Store(#[from] store::Error),
}

impl Error {
    /// An operator's next step.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(_) => None,
            Self::NoSuchKey(_) => Some("`unionid-bridge keys list` names those there are"),
            Self::Ended(_) => Some("make a new one with `unionid-bridge keys create`"),
            Self::Store(error) => Some(error.hint()),
        }
    }
}

impl From<ApiKey> for Key {
    /// Words that this version does not know, written by a later one, give nothing.
    fn from(row: ApiKey) -> Self {
        let appids = row.appids.as_deref().unwrap_or_default();
        Self {
            id: row.id,
            name: row.name,
            scopes: row.scopes.split(',').filter_map(|word| word.parse().ok()).collect(),
            appids: appids.split(',').filter_map(|appid| appid.parse().ok()).collect(),
            requests_per_second: row.requests_per_second.and_then(|limit| limit.try_into().ok()),
            created_at: instant(row.created_at),
            expires_at: row.expires_at.map(instant),
            revoked_at: row.revoked_at.map(instant),
            last_used_at: row.last_used_at.map(instant),
        }
    }
}

fn instant(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}
