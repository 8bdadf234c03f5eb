//! A token as this process holds it: how long it is good for, and when to renew it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::time::Instant;

use crate::model::AppId;
use crate::store::tokens::SealedToken;
use crate::wechat::AccessToken;

/// Renewed this long before it expires, or at half of its life if that is shorter: in its last five
/// minutes WeChat gives out the next one and accepts both.
const LONGEST_MARGIN: Duration = Duration::from_secs(300);

/// A call takes a while: a token with less than this left is not given out.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// A token in memory. Its times are this process's own, which no change of the clock moves.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) token: AccessToken,
    pub(super) obtained_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
    /// Under which lease it was fetched: a later one has a later token.
    pub(super) fence: i64,
    renew: Instant,
    expires: Instant,
}

impl Held {
    /// From a row of the database, whose clock says `now_ms`.
    pub(super) fn from_row(token: AccessToken, row: &SealedToken, now_ms: i64) -> Self {
        let life = millis(row.expires_at - row.obtained_at);
        let left = millis(row.expires_at - now_ms);
        let margin = LONGEST_MARGIN.min(life / 2);
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

    /// Good, and not yet to be renewed.
    pub(super) fn is_fresh(&self) -> bool {
        Instant::now() < self.renew
    }

    /// Accepted by WeChat, as far as its time goes.
    pub(super) fn is_good(&self) -> bool {
        Instant::now() + LAST_MOMENT < self.expires
    }

    /// Whether it will do in place of a token that WeChat refused: another one, or the same one if
    /// WeChat has granted it again since that was given out. Calls that were in flight together are
    /// refused together, and one refresh answers them all.
    pub(super) fn replaces(&self, refused: &AccessToken) -> bool {
        let is_newer = self.token != *refused || self.token.is_granted_after(refused);
        is_newer && self.is_good()
    }

    /// The same token, to be renewed no sooner than in `pause`.
    pub(super) fn postponed(&self, pause: Duration) -> Self {
        Self { renew: Instant::now() + pause, ..self.clone() }
    }

    pub(super) fn expires_in(&self) -> Duration {
        self.expires.saturating_duration_since(Instant::now())
    }
}

fn millis(count: i64) -> Duration {
    Duration::from_millis(count.max(0).cast_unsigned())
}

/// An account's token, as `token show` gives it. Holds the token itself: for the terminal of the
/// operator who asked, never for a log.
#[derive(Clone, Serialize)]
pub struct TokenStatus {
    /// The account.
    pub appid: AppId,
    /// The token.
    pub access_token: String,
    /// Seconds left.
    pub expires_in: u64,
    /// When it expires, on the database's clock.
    pub expires_at: DateTime<Utc>,
    /// When WeChat gave it.
    pub obtained_at: DateTime<Utc>,
}

impl TokenStatus {
    pub(super) fn of(appid: &AppId, held: &Held) -> Self {
        Self {
            appid: appid.clone(),
            access_token: held.token.expose().to_owned(),
            expires_in: held.expires_in().as_secs(),
            expires_at: held.expires_at,
            obtained_at: held.obtained_at,
        }
    }
}
