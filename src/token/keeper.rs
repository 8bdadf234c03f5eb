//! Getting a token, replacing a refused one, and refreshing once for everybody.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Error;
use super::held::{Held, Standing};
use crate::lease::{Holder, Lease};
use crate::model::AppId;
use crate::seal::Sealer;
use crate::store::Store;
use crate::store::tokens::{self, SealedToken};
use crate::wechat::{self, AccessToken, TokenError, TokenSource};

/// What a token is sealed for.
const PURPOSE: &str = "access_token";

/// How long a refresh may take, and how long one that died blocks the others.
const LEASE_LIFE: Duration = Duration::from_secs(20);

/// How often others look whether the refresh is done.
const POLL: Duration = Duration::from_millis(100);

/// After a failed renewal the token at hand is used for this long before the next attempt.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Refreshes that may follow refusals within [`REFUSALS_WITHIN_MS`]. More means that refreshing
/// does not help: somebody else replaces the token.
const MOST_REFUSALS: i32 = 2;

const REFUSALS_WITHIN_MS: i64 = 10 * 60 * 1000;

/// What an account's tokens are asked for with.
pub struct Credentials {
    /// The AppSecret.
    pub secret: SecretString,
    /// Seals them.
    pub sealer: Sealer,
}

/// Keeps the tokens of all configured accounts.
pub struct Keeper {
    store: Store,
    client: wechat::Client,
    holder: Holder,
    slots: HashMap<AppId, Slot>,
}

struct Slot {
    credentials: Credentials,
    held: RwLock<Option<Held>>,
    /// One caller at a time leaves memory.
    busy: Mutex<()>,
}

/// Why a refresh is made.
#[derive(Clone, Copy)]
enum Reason<'a> {
    /// The token at hand is old, or there is none.
    Due,
    /// WeChat refused this one.
    Refused(&'a AccessToken),
    /// An operator asked; `force` replaces a token that WeChat thinks is good.
    Asked { force: bool },
}

impl Keeper {
    /// A keeper for these accounts.
    pub fn new(
        store: Store,
        client: wechat::Client,
        holder: Holder,
        accounts: impl IntoIterator<Item = (AppId, Credentials)>,
    ) -> Arc<Self> {
        let slot =
            |credentials| Slot { credentials, held: RwLock::default(), busy: Mutex::default() };
        let slots = accounts.into_iter().map(|(appid, credentials)| (appid, slot(credentials)));
        Arc::new(Self { store, client, holder, slots: slots.collect() })
    }

    /// The account's token, fetched if need be.
    pub async fn show(&self, appid: &AppId) -> Result<Standing, Error> {
        let held = self.good(appid).await?;
        Ok(Standing::of(appid, &held))
    }

    /// Asks WeChat again for an operator. `force` has WeChat make a new token and kill the present
    /// one at once: for a leaked one. It allows that 20 times a day.
    pub async fn refresh(&self, appid: &AppId, force: bool) -> Result<Standing, Error> {
        let slot = self.slot(appid)?;
        let _busy = slot.busy.lock().await;
        let held = self.refresh_for_everybody(appid, slot, Reason::Asked { force }).await?;
        Ok(Standing::of(appid, &held))
    }

    fn slot(&self, appid: &AppId) -> Result<&Slot, Error> {
        self.slots.get(appid).ok_or_else(|| Error::Unknown(appid.clone()))
    }

    async fn good(&self, appid: &AppId) -> Result<Held, Error> {
        let slot = self.slot(appid)?;
        let at_hand = slot.held();
        if let Some(held) = at_hand.as_ref().filter(|held| held.is_fresh()) {
            return Ok(held.clone());
        }
        // While one caller renews it ahead of time, the others go on with the old one.
        let _busy = match (slot.busy.try_lock(), at_hand.filter(Held::is_good)) {
            (Ok(busy), _) => busy,
            (Err(_), Some(held)) => return Ok(held),
            (Err(_), None) => slot.busy.lock().await,
        };
        if let Some(held) = slot.held().filter(Held::is_fresh) {
            return Ok(held);
        }
        match self.renew(appid, slot).await {
            Ok(held) => Ok(held),
            Err(error) => slot.held().filter(Held::is_good).map_or(Err(error), |held| {
                // A failed renewal never throws a token away that still works.
                slot.hold(held.postponed(PAUSE_AFTER_FAILURE));
                Ok(held)
            }),
        }
    }

    async fn renew(&self, appid: &AppId, slot: &Slot) -> Result<Held, Error> {
        if let Some((_, held)) = self.stored(appid, slot).await? {
            slot.hold(held.clone());
            if held.is_fresh() {
                return Ok(held);
            }
        }
        self.refresh_for_everybody(appid, slot, Reason::Due).await
    }

    async fn replaced(&self, appid: &AppId, refused: &AccessToken) -> Result<Held, Error> {
        let slot = self.slot(appid)?;
        let _busy = slot.busy.lock().await;
        if let Some(held) = slot.held().filter(|held| held.replaces(refused)) {
            return Ok(held);
        }
        self.refresh_for_everybody(appid, slot, Reason::Refused(refused)).await
    }

    /// Refreshes under the lease, or takes what the process that has the lease brings.
    async fn refresh_for_everybody(
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
    async fn stored(
        &self,
        appid: &AppId,
        slot: &Slot,
    ) -> Result<Option<(SealedToken, Held)>, Error> {
        let Some(row) = tokens::find(self.store.reader(), appid).await? else { return Ok(None) };
        let now_ms = self.store.now().await?;
        match slot.credentials.sealer.open(PURPOSE, &row.sealed) {
            Ok(plain) => {
                let held = Held::from_row(AccessToken::new(plain.expose_secret()), &row, now_ms);
                Ok(Some((row, held)))
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

impl Slot {
    fn held(&self) -> Option<Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self, held: Held) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }
}

#[async_trait]
impl TokenSource for Keeper {
    async fn token(&self, appid: &AppId) -> Result<AccessToken, TokenError> {
        Ok(self.good(appid).await?.token)
    }

    async fn replace(
        &self,
        appid: &AppId,
        refused: &AccessToken,
    ) -> Result<AccessToken, TokenError> {
        Ok(self.replaced(appid, refused).await?.token)
    }
}
