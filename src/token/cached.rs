//! A token in this process's memory, with its expiry and renewal times.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::time::Instant;

use crate::model::AppId;
use crate::store::tokens::SealedToken;
use crate::wechat::AccessToken;

/// A token is renewed this long before it expires, or after half of its lifetime if that leaves less
/// time. In a token's last five minutes WeChat returns the next one and accepts both.
const MAX_RENEWAL_MARGIN: Duration = Duration::from_secs(300);

/// A token that expires sooner than this is not handed out, because a call takes some time.
const MIN_REMAINING: Duration = Duration::from_secs(2);

/// A token in memory. Its deadlines use the monotonic clock, so that clock changes do not affect them.
#[derive(Debug, Clone)]
pub(super) struct CachedToken {
    pub(super) token: AccessToken,
    pub(super) obtained_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
    /// The fencing number of the lease under which the token was fetched. A higher number means a newer
    /// token.
    pub(super) fence: i64,
    renew: Instant,
    expires: Instant,
}

impl CachedToken {
    /// Creates the token from its database row. `now_ms` is the database time (ms since 1970).
    pub(super) fn from_row(token: AccessToken, row: &SealedToken, now_ms: i64) -> Self {
        let life = millis(row.expires_at - row.obtained_at);
        let left = millis(row.expires_at - now_ms);
        let margin = MAX_RENEWAL_MARGIN.min(life / 2);
        let expires = Instant::now() + left;
        Self {
            token: token.granted_by(row.fence),
            obtained_at: DateTime::from_timestamp_millis(row.obtained_at).unwrap_or_default(),
            expires_at: DateTime::from_timestamp_millis(row.expires_at).unwrap_or_default(),
            fence: row.fence,
            renew: Instant::now() + left.saturating_sub(margin),
            expires,
        }
    }

    /// Whether the token is not yet due for renewal.
    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.renew
    }

    /// Whether the token does not expire within [`MIN_REMAINING`].
    pub(super) fn is_usable(&self) -> bool {
        Instant::now() + MIN_REMAINING < self.expires
    }

    /// Whether this token can replace one that WeChat refused: it is another token, or WeChat granted
    /// the same token again after the refused one was handed out. Concurrent calls are refused together,
    /// and one refresh serves them all.
    pub(super) fn replaces(&self, refused: &AccessToken) -> bool {
        let is_newer = self.token != *refused || self.token.is_granted_after(refused);
        is_newer && self.is_usable()
    }

    /// Returns the token with its renewal postponed until after `delay`.
    pub(super) fn renewed_after(&self, delay: Duration) -> Self {
        Self { renew: Instant::now() + delay, ..self.clone() }
    }

    pub(super) fn expires_in(&self) -> Duration {
        self.expires.saturating_duration_since(Instant::now())
    }
}

fn millis(count: i64) -> Duration {
    Duration::from_millis(count.max(0).cast_unsigned())
}

/// An account's token as shown to an operator or an authorised program. Contains the token itself and
/// must never be logged.
#[derive(Clone, Serialize)]
pub struct TokenStatus {
    /// The account.
    pub appid: AppId,
    /// The token.
    pub access_token: String,
    /// The remaining lifetime in seconds.
    pub expires_in: u64,
    /// When the token expires, in database time.
    pub expires_at: DateTime<Utc>,
    /// When WeChat granted the token, in database time.
    pub obtained_at: DateTime<Utc>,
}

impl TokenStatus {
    pub(super) fn of(appid: &AppId, cached: &CachedToken) -> Self {
        Self {
            appid: appid.clone(),
            access_token: cached.token.expose().to_owned(),
            expires_in: cached.expires_in().as_secs(),
            expires_at: cached.expires_at,
            obtained_at: cached.obtained_at,
        }
    }
}
