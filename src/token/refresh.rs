//! Refreshes: one for all processes at a time, under a lease. An older token never replaces a newer one.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::Error;
use super::cached::CachedToken;
use super::keeper::{Keeper, Slot};
use crate::lease::Lease;
use crate::model::AppId;
use crate::store::tokens::{self, SealedToken};
use crate::wechat::AccessToken;

/// The purpose for which tokens are encrypted.
const PURPOSE: &str = "access_token";

/// How long a refresh may take, and how long a process that died during one blocks the others.
const LEASE_LIFE: Duration = Duration::from_secs(20);

/// How often other processes check whether the refresh is done.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The maximum number of refreshes after refusals within [`REFUSAL_WINDOW_MS`]. Beyond it, refreshing
/// does not help, because another system keeps replacing the token.
const MAX_REFUSALS: i32 = 2;

const REFUSAL_WINDOW_MS: i64 = 10 * 60 * 1000;

/// Why a token is refreshed.
#[derive(Clone, Copy)]
pub(super) enum Reason<'a> {
    /// The current token is due for renewal, or there is none.
    Due,
    /// WeChat refused this token.
    Refused(&'a AccessToken),
    /// An operator requested it. `force` replaces the token even if it is still valid.
    Requested { force: bool },
}

impl Keeper {
    /// Refreshes the token under the lease, or returns the token of the process that holds the lease.
    pub(super) async fn refresh_shared(
        &self,
        appid: &AppId,
        slot: &Slot,
        reason: Reason<'_>,
    ) -> Result<CachedToken, Error> {
        let name = format!("token:{appid}");
        let deadline = Instant::now() + LEASE_LIFE;
        loop {
            let lease = Lease::try_acquire(&self.store, &name, &self.holder, LEASE_LIFE).await?;
            let stored = self.stored(appid, slot).await?;
            let sufficient =
                stored.as_ref().map(|(_, token)| token).filter(|token| reason.is_met_by(token));
            if let Some(token) = sufficient {
                slot.set(token.clone());
                if let Some(lease) = lease {
                    lease.release().await;
                }
                return Ok(token.clone());
            }
            if let Some(lease) = lease {
                let row = stored.map(|(row, _)| row);
                let result = self.fetch(appid, slot, reason, row, lease.fence()).await;
                lease.release().await;
                return result;
            }
            if Instant::now() > deadline {
                return Err(Error::Stuck(appid.clone()));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Fetches a token from WeChat and stores it, unless a newer one was stored meanwhile.
    async fn fetch(
        &self,
        appid: &AppId,
        slot: &Slot,
        reason: Reason<'_>,
        row: Option<SealedToken>,
        fence: i64,
    ) -> Result<CachedToken, Error> {
        let now_ms = self.store.now().await?;
        let (refusals, refused_since_at) = reason.refusals(row.as_ref(), now_ms);
        if refusals > MAX_REFUSALS {
            return Err(Error::Contested(appid.clone()));
        }
        let force = matches!(reason, Reason::Requested { force: true });
        let granted = self
            .client
            .stable_token(appid, &slot.credentials.secret, force)
            .await
            .map_err(|source| Error::Wechat { appid: appid.clone(), source })?;
        let plain = SecretString::from(granted.token.expose());
        let row = SealedToken {
            appid: appid.to_string(),
            sealed: slot.credentials.sealer.seal(PURPOSE, &plain)?,
            obtained_at: now_ms,
            expires_at: now_ms + granted.expires_in.as_millis() as i64,
            fence,
            refusals,
            refused_since_at,
        };
        tracing::info!(
            app.id = %appid,
            token.expires_in_seconds = granted.expires_in.as_secs(),
            "access token refreshed"
        );
        let mut token = CachedToken::from_row(granted.token, &row, now_ms);
        // If a later refresh was faster, its token is the valid one.
        if !tokens::record(&self.store, &row).await?
            && let Some((_, newer)) = self.stored(appid, slot).await?
        {
            token = newer;
        }
        slot.set(token.clone());
        Ok(token)
    }

    /// Returns the database's token. A token that no configured key can decrypt counts as none.
    pub(super) async fn stored(
        &self,
        appid: &AppId,
        slot: &Slot,
    ) -> Result<Option<(SealedToken, CachedToken)>, Error> {
        let Some(row) = tokens::find(self.store.reader(), appid).await? else { return Ok(None) };
        let token = self.open(appid, slot, &row).await?;
        Ok(token.map(|token| (row, token)))
    }

    /// Decrypts the token of a row. Returns `None` if no configured key can decrypt it.
    pub(super) async fn open(
        &self,
        appid: &AppId,
        slot: &Slot,
        row: &SealedToken,
    ) -> Result<Option<CachedToken>, Error> {
        let now_ms = self.store.now().await?;
        match slot.credentials.sealer.open(PURPOSE, &row.sealed) {
            Ok(plain) => {
                let token = AccessToken::new(plain.expose_secret());
                Ok(Some(CachedToken::from_row(token, row, now_ms)))
            }
            Err(error) => {
                tracing::warn!(app.id = %appid, %error, "could not decrypt the stored access token");
                Ok(None)
            }
        }
    }
}

impl Reason<'_> {
    /// Whether an existing token makes the refresh unnecessary.
    fn is_met_by(self, token: &CachedToken) -> bool {
        match self {
            Self::Due => token.is_fresh(),
            Self::Refused(refused) => token.replaces(refused),
            Self::Requested { .. } => false,
        }
    }

    /// Returns the number of recent refreshes after refusals, including this one, and the start of the
    /// counting window in database time (ms since 1970).
    fn refusals(self, row: Option<&SealedToken>, now_ms: i64) -> (i32, i64) {
        let recent = row.filter(|row| now_ms - row.refused_since_at < REFUSAL_WINDOW_MS);
        let (before, since) =
            recent.map_or((0, now_ms), |row| (row.refusals, row.refused_since_at));
        match self {
            Self::Refused(_) => (before + 1, since),
            Self::Due => (before, since),
            // An operator's refresh resets the count.
            Self::Requested { .. } => (0, 0),
        }
    }
}
