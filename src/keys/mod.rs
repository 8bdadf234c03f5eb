//! API keys: who may call the API, for what, and how often.
//!
//! A key consists of `ubk_`, a public part that identifies it in lists and in the audit trail, `_`, and
//! a secret that is shown once and stored as a digest. [`Keyring`] holds all keys in memory, so that
//! authentication needs no database call. Changes made by this process take effect at once, changes
//! made elsewhere (by the command line or a replica) within [`MAX_AGE`]. If the database is unreachable
//! for longer than that, all keys are refused, because any key may have been revoked. A rate limit
//! applies to all processes together: each process publishes how many requests it receives and accepts
//! its share. This module knows nothing of HTTP.

mod change;
mod limit;
mod ring;
mod secret;
mod shares;

pub use change::{NewKey, Rolled};
pub use ring::{Grant, Keyring, MAX_AGE};

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;

use crate::model::{AppId, Scope};
use crate::store::{self, api_keys::ApiKey};

/// A key without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Key {
    /// The public part.
    pub id: String,
    /// The owner's name.
    pub name: String,
    /// The scopes that the key grants.
    pub scopes: Vec<Scope>,
    /// The accounts that the key may access; empty for all.
    pub appids: Vec<AppId>,
    /// The limit in requests per second, for all processes together; `None` for the configured limit.
    pub requests_per_second: Option<u32>,
    /// When the key was created.
    pub created_at: DateTime<Utc>,
    /// When the key expires, if ever.
    pub expires_at: Option<DateTime<Utc>>,
    /// When the key was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When the key was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A newly created key, with the only copy of its secret.
#[derive(Debug)]
pub struct IssuedKey {
    /// The key.
    pub key: Key,
    /// The text that the owner sends: `ubk_…`.
    pub text: SecretString,
}

/// Why a key is refused. `Revoked` and `Expired` are only returned to callers that have the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The text does not have the format or the checksum of a key: it is mistyped, truncated, or
    /// something else.
    #[error("this is not an API key: a character is missing or wrong")]
    Malformed,
    /// The text has the format of a key, but there is no such key.
    #[error("there is no such API key")]
    Unknown,
    /// An operator revoked the key.
    #[error("the API key was revoked")]
    Revoked,
    /// The key has expired.
    #[error("the API key has expired")]
    Expired,
    /// The keys in memory are too old, because the database has been unreachable for too long.
    #[error("the API keys could not be read from the database for {} s", MAX_AGE.as_secs())]
    Unverifiable,
}

/// Why a key could not be created or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A parameter is invalid.
    #[error("{0}")]
    Invalid(&'static str),
    /// There is no key with this public part.
    #[error("there is no API key {0:?}")]
    NoSuchKey(String),
    /// The key was revoked or has expired, and cannot be rolled.
    #[error("the API key {0} was revoked or has expired")]
    Ended(String),
    /// A database operation failed.
    #[error("could not read or change the API keys")]
    Store(#[from] store::Error),
}

impl Error {
    /// Returns the operator's next step, if there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(_) => None,
            Self::NoSuchKey(_) => Some("`unionid-bridge keys list` shows the existing keys"),
            Self::Ended(_) => Some("create a new key with `unionid-bridge keys create`"),
            Self::Store(error) => Some(error.hint()),
        }
    }
}

impl From<ApiKey> for Key {
    /// Skips scopes that this version does not know, because a later version may have written them.
    fn from(row: ApiKey) -> Self {
        let appids = row.appids.as_deref().unwrap_or_default();
        Self {
            id: row.id,
            name: row.name,
            scopes: row.scopes.split(',').filter_map(|scope| scope.parse().ok()).collect(),
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
