//! A refresh: one for everybody, under a lease, and never backwards.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::Error;
use super::held::Held;
use super::keeper::{Keeper, Slot};
use crate::lease::Lease;
use crate::model::AppId;
use crate::store::tokens::{self, SealedToken};
use crate::wechat::AccessToken;

/// What a token is sealed for.
const PURPOSE: &str = "access_token";

/// How long a refresh may take, and how long one that died blocks the others.
const LEASE_LIFE: Duration = Duration::from_secs(20);

/// How often others look whether the refresh is done.
const POLL: Duration = Duration::from_millis(100);

/// Refreshes that may follow refusals within [`REFUSALS_WITHIN_MS`]. More means that refreshing
/// does not help: somebody else replaces the token.
const MOST_REFUSALS: i32 = 2;

const REFUSALS_WITHIN_MS: i64 = 10 * 60 * 1000;

/// Why a refresh is made.
#[derive(Clone, Copy)]
pub(super) enum Reason<'a> {
    /// The token at hand is old, or there is none.
    Due,
    /// WeChat refused this one.
    Refused(&'a AccessToken),
    /// An operator asked; `force` replaces a token that WeChat thinks is good.
    Asked { force: bool },
}

impl Keeper {
    /// Refreshes under the lease, or takes what the process that has the lease brings.
    pub(super) async fn refresh_for_everybody(
        &self,
        appid: &AppId,
        slot: &Slot,
        reason: Reason<'_>,
    ) -> Result<Held, Error> {
        let name = format!("token:{appid}");
        let deadline = Instant::now() + LEASE_LIFE;
        loop {
            let lease = Lease::try_acquire(&self.store, &name, &self.holder, LEASE_LIFE).await?;
            let stored = self.stored(appid, slot).await?;
            let at_hand =
                stored.as_ref().map(|(_, held)| held).filter(|held| reason.is_met_by(held));
            if let Some(held) = at_hand {
                slot.hold(held.clone());
                if let Some(lease) = lease {
                    lease.release().await;
                }
                return Ok(held.clone());
            }
            if let Some(lease) = lease {
                let row = stored.map(|(row, _)| row);
                let asked = self.ask(appid, slot, reason, row, lease.fence()).await;
                lease.release().await;
                return asked;
            }
            if Instant::now() > deadline {
                return Err(Error::Stuck(appid.clone()));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Asks WeChat, and stores what it gives unless something newer came in between.
    async fn ask(
        &self,
        appid: &AppId,
        slot: &Slot,
        reason: Reason<'_>,
        row: Option<SealedToken>,
        fence: i64,
    ) -> Result<Held, Error> {
        let now_ms = self.store.now().await?;
        let (refusals, refused_since_at) = reason.refusals(row.as_ref(), now_ms);
        if refusals > MOST_REFUSALS {
            return Err(Error::Contested(appid.clone()));
        }
        let force = matches!(reason, Reason::Asked { force: true });
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
        let mut held = Held::from_row(granted.token, &row, now_ms);
        // A later refresh overtook this answer: its token is the one that stands.
        if !tokens::record(&self.store, &row).await?
            && let Some((_, newer)) = self.stored(appid, slot).await?
        {
            held = newer;
        }
        slot.hold(held.clone());
        Ok(held)
    }

    /// The database's token, if it opens. One sealed with keys that are gone is as good as none.
    pub(super) async fn stored(
        &self,
        appid: &AppId,
        slot: &Slot,
    ) -> Result<Option<(SealedToken, Held)>, Error> {
        let Some(row) = tokens::find(self.store.reader(), appid).await? else { return Ok(None) };
        let held = self.opened(appid, slot, &row).await?;
        Ok(held.map(|held| (row, held)))
    }

    /// The token of a row, if it opens.
    pub(super) async fn opened(
        &self,
        appid: &AppId,
        slot: &Slot,
        row: &SealedToken,
    ) -> Result<Option<Held>, Error> {
        let now_ms = self.store.now().await?;
        match slot.credentials.sealer.open(PURPOSE, &row.sealed) {
            Ok(plain) => {
                Ok(Some(Held::from_row(AccessToken::new(plain.expose_secret()), row, now_ms)))
            }
            Err(error) => {
                tracing::warn!(app.id = %appid, %error, "the stored access token does not open");
                Ok(None)
            }
        }
    }
}

impl Reason<'_> {
    /// Whether a token that is there already will do.
    fn is_met_by(self, held: &Held) -> bool {
        match self {
            Self::Due => held.is_fresh(),
            Self::Refused(refused) => held.replaces(refused),
            Self::Asked { .. } => false,
        }
    }

    /// How many refreshes followed refusals lately, this one included, and since when.
    fn refusals(self, row: Option<&SealedToken>, now_ms: i64) -> (i32, i64) {
        let lately = row.filter(|row| now_ms - row.refused_since_at < REFUSALS_WITHIN_MS);
        let (before, since) =
            lately.map_or((0, now_ms), |row| (row.refusals, row.refused_since_at));
        match self {
            Self::Refused(_) => (before + 1, since),
            Self::Due => (before, since),
            // An operator has looked into it: the count begins anew.
            Self::Asked { .. } => (0, 0),
        }
    }
}
