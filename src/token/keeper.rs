//! Getting a token, renewing it ahead of time, and replacing a refused one.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::Error;
use super::held::{Held, TokenStatus};
use super::refresh::Reason;
use crate::lease::Holder;
use crate::model::AppId;
use crate::seal::Sealer;
use crate::store::Store;
use crate::wechat::{self, AccessToken, TokenError, TokenSource};

/// After a failed renewal the token at hand is used for this long before the next attempt.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Who comes so soon after WeChat gave a refused token again gets it too: many were refused together,
/// and come one by one.
const CONFIRMED_FOR: Duration = Duration::from_secs(2);

/// What an account's tokens are asked for with.
pub struct Credentials {
    /// The AppSecret.
    pub secret: SecretString,
    /// Seals them.
    pub sealer: Sealer,
}

/// Keeps the tokens of all configured accounts.
pub struct Keeper {
    pub(super) store: Store,
    pub(super) client: wechat::Client,
    pub(super) holder: Holder,
    slots: HashMap<AppId, Slot>,
    /// For renewals that nobody waits for.
    own: Weak<Self>,
}

/// What is kept for one account.
pub(super) struct Slot {
    pub(super) credentials: Credentials,
    pub(super) held: RwLock<Option<Held>>,
    /// One caller at a time leaves memory. Holds when WeChat last gave a token again that somebody
    /// had seen it refuse.
    busy: Arc<Mutex<Option<Instant>>>,
    /// When it was last compared with the database.
    pub(super) compared: Mutex<Option<Instant>>,
}

impl Keeper {
    /// A keeper for these accounts.
    pub fn new(
        store: Store,
        client: wechat::Client,
        holder: Holder,
        accounts: impl IntoIterator<Item = (AppId, Credentials)>,
    ) -> Arc<Self> {
        let slot = |credentials| Slot {
            credentials,
            held: RwLock::default(),
            busy: Arc::default(),
            compared: Mutex::default(),
        };
        let slots = accounts.into_iter().map(|(appid, credentials)| (appid, slot(credentials)));
        let slots = slots.collect();
        Arc::new_cyclic(|own| Self { store, client, holder, slots, own: own.clone() })
    }

    /// The account's token, fetched if need be.
    pub async fn show(&self, appid: &AppId) -> Result<TokenStatus, Error> {
        let held = self.good(appid).await?;
        Ok(TokenStatus::of(appid, &held))
    }

    /// Asks WeChat again for an operator. `force` has WeChat make a new token and kill the present
    /// one at once: for a leaked one. It allows that 20 times a day.
    pub async fn refresh(&self, appid: &AppId, force: bool) -> Result<TokenStatus, Error> {
        let slot = self.slot(appid)?;
        let _busy = slot.busy.lock().await;
        let held = self.refresh_for_everybody(appid, slot, Reason::Asked { force }).await?;
        Ok(TokenStatus::of(appid, &held))
    }

    /// A token in place of `stale`, which one of the company's programs saw WeChat refuse: the one at
    /// hand if that is another, otherwise the outcome of one refresh made for everybody.
    pub async fn replace_stale(&self, appid: &AppId, stale: &str) -> Result<TokenStatus, Error> {
        let slot = self.slot(appid)?;
        let stale = AccessToken::new(stale);
        let mut busy = slot.busy.lock().await;
        // Not from memory: another process may have refreshed since.
        let stored = self.stored(appid, slot).await?.map(|(_, held)| held).filter(Held::is_good);
        let was_confirmed = busy.is_some_and(|at| at.elapsed() < CONFIRMED_FOR);
        let held = match stored {
            Some(held) if held.replaces(&stale) || was_confirmed => {
                slot.hold(held.clone());
                held
            }
            Some(_) => self.refresh_for_everybody(appid, slot, Reason::Refused(&stale)).await?,
            None => self.refresh_for_everybody(appid, slot, Reason::Due).await?,
        };
        *busy = (held.token == stale).then(Instant::now);
        Ok(TokenStatus::of(appid, &held))
    }

    fn slot(&self, appid: &AppId) -> Result<&Slot, Error> {
        self.slots.get(appid).ok_or_else(|| Error::Unknown(appid.clone()))
    }

    async fn good(&self, appid: &AppId) -> Result<Held, Error> {
        let slot = self.slot(appid)?;
        self.compare(appid, slot).await;
        if let Some(held) = slot.held().filter(Held::is_good) {
            if !held.is_fresh() {
                self.renew_meanwhile(appid, slot);
            }
            return Ok(held);
        }
        let busy = slot.busy.clone().lock_owned().await;
        if let Some(held) = slot.held().filter(Held::is_fresh) {
            return Ok(held);
        }
        self.apart(appid, busy, None).await
    }

    /// Renews the token, or replaces the one that was refused, in a task of its own: a caller who does not
    /// stay for its end leaves the outcome to those who come next.
    async fn apart(
        &self,
        appid: &AppId,
        busy: OwnedMutexGuard<Option<Instant>>,
        refused: Option<AccessToken>,
    ) -> Result<Held, Error> {
        let keeper = self.own.upgrade().ok_or_else(|| Error::Unknown(appid.clone()))?;
        let (appid, own) = (appid.clone(), appid.clone());
        let work = async move {
            let (_busy, slot) = (busy, keeper.slot(&own)?);
            match &refused {
                None => keeper.renew_if_due(&own, slot).await,
                Some(refused) => {
                    let reason = Reason::Refused(refused);
                    keeper.refresh_for_everybody(&own, slot, reason).await
                }
            }
        };
        match tokio::spawn(work).await {
            Ok(outcome) => outcome,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            // The process is ending.
            Err(_) => Err(Error::Stuck(appid)),
        }
    }

    /// Renews the token ahead of time while everybody goes on with the old one, which WeChat accepts
    /// for as long as it is good.
    fn renew_meanwhile(&self, appid: &AppId, slot: &Slot) {
        let Ok(busy) = slot.busy.clone().try_lock_owned() else { return };
        let Some(keeper) = self.own.upgrade() else { return };
        let appid = appid.clone();
        tokio::spawn(async move {
            let _busy = busy;
            if let Ok(slot) = keeper.slot(&appid) {
                // One that fails has said so.
                let _ = keeper.renew_if_due(&appid, slot).await;
            }
        });
    }

    async fn renew_if_due(&self, appid: &AppId, slot: &Slot) -> Result<Held, Error> {
        if let Some(held) = slot.held().filter(Held::is_fresh) {
            return Ok(held);
        }
        match self.renew(appid, slot).await {
            Ok(held) => Ok(held),
            Err(error) => match slot.held().filter(Held::is_good) {
                // A failed renewal never throws a token away that still works.
                Some(held) => {
                    tracing::warn!(
                        app.id = %appid, %error,
                        "could not renew the access token; the one before is used on"
                    );
                    slot.hold(held.postponed(PAUSE_AFTER_FAILURE));
                    Ok(held)
                }
                None => Err(error),
            },
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
        let busy = slot.busy.clone().lock_owned().await;
        if let Some(held) = slot.held().filter(|held| held.replaces(refused)) {
            return Ok(held);
        }
        self.apart(appid, busy, Some(refused.clone())).await
    }
}

impl Slot {
    pub(super) fn held(&self) -> Option<Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn hold(&self, held: Held) {
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
