//! The keeper: returns tokens, renews them ahead of time, and replaces refused ones.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::Instant;

use super::Error;
use super::cached::{CachedToken, TokenStatus};
use super::refresh::Reason;
use crate::lease::Holder;
use crate::model::AppId;
use crate::seal::Sealer;
use crate::store::Store;
use crate::wechat::{self, AccessToken, TokenError, TokenSource};

/// The delay before another attempt after a failed renewal. Meanwhile the current token stays in use.
const RETRY_DELAY: Duration = Duration::from_secs(30);

/// If WeChat granted a refused token again, other callers with the same token get it without another
/// refresh for this long, because many calls are refused together and arrive one by one.
const CONFIRMATION_TTL: Duration = Duration::from_secs(2);

/// The secrets of one account's tokens.
pub struct Credentials {
    /// The AppSecret.
    pub secret: SecretString,
    /// Encrypts the tokens for the database.
    pub sealer: Sealer,
}

/// Manages the tokens of all configured accounts.
pub struct Keeper {
    pub(super) store: Store,
    pub(super) client: wechat::Client,
    pub(super) holder: Holder,
    slots: HashMap<AppId, Slot>,
    /// A reference to this keeper for tasks that outlive the call.
    this: Weak<Self>,
}

/// The state of one account.
pub(super) struct Slot {
    pub(super) credentials: Credentials,
    pub(super) cached: RwLock<Option<CachedToken>>,
    /// Held by the one caller that uses the database or WeChat. Contains the time at which WeChat last
    /// granted a token again that a caller had reported as refused.
    refresh_lock: Arc<Mutex<Option<Instant>>>,
    /// When the cached token was last compared with the database.
    pub(super) compared: Mutex<Option<Instant>>,
}

impl Keeper {
    /// Creates a keeper for these accounts.
    pub fn new(
        store: Store,
        client: wechat::Client,
        holder: Holder,
        accounts: impl IntoIterator<Item = (AppId, Credentials)>,
    ) -> Arc<Self> {
        let slot = |credentials| Slot {
            credentials,
            cached: RwLock::default(),
            refresh_lock: Arc::default(),
            compared: Mutex::default(),
        };
        let slots = accounts.into_iter().map(|(appid, credentials)| (appid, slot(credentials)));
        let slots = slots.collect();
        Arc::new_cyclic(|this| Self { store, client, holder, slots, this: this.clone() })
    }

    /// Returns the account's token and fetches it if necessary.
    pub async fn show(&self, appid: &AppId) -> Result<TokenStatus, Error> {
        let token = self.usable(appid).await?;
        Ok(TokenStatus::of(appid, &token))
    }

    /// Refreshes the token for an operator. `force` makes WeChat grant a new token and invalidate the
    /// current one at once, which is meant for leaked tokens. WeChat allows this 20 times a day.
    pub async fn refresh(&self, appid: &AppId, force: bool) -> Result<TokenStatus, Error> {
        let slot = self.slot(appid)?;
        let _lock = slot.refresh_lock.lock().await;
        let token = self.refresh_shared(appid, slot, Reason::Requested { force }).await?;
        Ok(TokenStatus::of(appid, &token))
    }

    /// Replaces `stale`, which another program reported as refused by WeChat. Returns the stored token
    /// if it is a different one, otherwise refreshes once for all callers.
    pub async fn replace_stale(&self, appid: &AppId, stale: &str) -> Result<TokenStatus, Error> {
        let slot = self.slot(appid)?;
        let stale = AccessToken::new(stale);
        let mut confirmed_at = slot.refresh_lock.lock().await;
        // Reads the database and not memory, because another process may have refreshed the token.
        let stored = self.stored(appid, slot).await?;
        let stored = stored.map(|(_, token)| token).filter(CachedToken::is_usable);
        let was_confirmed = confirmed_at.is_some_and(|at| at.elapsed() < CONFIRMATION_TTL);
        let token = match stored {
            Some(token) if token.replaces(&stale) || was_confirmed => {
                slot.set(token.clone());
                token
            }
            Some(_) => self.refresh_shared(appid, slot, Reason::Refused(&stale)).await?,
            None => self.refresh_shared(appid, slot, Reason::Due).await?,
        };
        *confirmed_at = (token.token == stale).then(Instant::now);
        Ok(TokenStatus::of(appid, &token))
    }

    fn slot(&self, appid: &AppId) -> Result<&Slot, Error> {
        self.slots.get(appid).ok_or_else(|| Error::Unknown(appid.clone()))
    }

    async fn usable(&self, appid: &AppId) -> Result<CachedToken, Error> {
        let slot = self.slot(appid)?;
        self.compare(appid, slot).await;
        if let Some(token) = slot.cached().filter(CachedToken::is_usable) {
            if !token.is_fresh() {
                self.renew_in_background(appid, slot);
            }
            return Ok(token);
        }
        let lock = slot.refresh_lock.clone().lock_owned().await;
        if let Some(token) = slot.cached().filter(CachedToken::is_fresh) {
            return Ok(token);
        }
        self.renew_in_task(appid, lock, None).await
    }

    /// Renews the token, or replaces the refused one, in a separate task. If the caller is cancelled,
    /// the task still finishes and later callers get its result.
    async fn renew_in_task(
        &self,
        appid: &AppId,
        lock: OwnedMutexGuard<Option<Instant>>,
        refused: Option<AccessToken>,
    ) -> Result<CachedToken, Error> {
        let keeper = self.this.upgrade().ok_or_else(|| Error::Unknown(appid.clone()))?;
        let (appid, task_appid) = (appid.clone(), appid.clone());
        let work = async move {
            let (_lock, slot) = (lock, keeper.slot(&task_appid)?);
            match &refused {
                None => keeper.renew_if_due(&task_appid, slot).await,
                Some(refused) => {
                    keeper.refresh_shared(&task_appid, slot, Reason::Refused(refused)).await
                }
            }
        };
        match tokio::spawn(work).await {
            Ok(outcome) => outcome,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            // The runtime is shutting down.
            Err(_) => Err(Error::Stuck(appid)),
        }
    }

    /// Renews the token ahead of time in the background. Callers keep using the old token, which WeChat
    /// accepts until it expires.
    fn renew_in_background(&self, appid: &AppId, slot: &Slot) {
        let Ok(lock) = slot.refresh_lock.clone().try_lock_owned() else { return };
        let Some(keeper) = self.this.upgrade() else { return };
        let appid = appid.clone();
        tokio::spawn(async move {
            let _lock = lock;
            if let Ok(slot) = keeper.slot(&appid) {
                // A failed renewal logs itself.
                let _ = keeper.renew_if_due(&appid, slot).await;
            }
        });
    }

    async fn renew_if_due(&self, appid: &AppId, slot: &Slot) -> Result<CachedToken, Error> {
        if let Some(token) = slot.cached().filter(CachedToken::is_fresh) {
            return Ok(token);
        }
        match self.renew(appid, slot).await {
            Ok(token) => Ok(token),
            Err(error) => match slot.cached().filter(CachedToken::is_usable) {
                // A failed renewal never discards a token that still works.
                Some(token) => {
                    tracing::warn!(
                        app.id = %appid, %error,
                        "could not renew the access token; the current one stays in use"
                    );
                    slot.set(token.renewed_after(RETRY_DELAY));
                    Ok(token)
                }
                None => Err(error),
            },
        }
    }

    async fn renew(&self, appid: &AppId, slot: &Slot) -> Result<CachedToken, Error> {
        if let Some((_, token)) = self.stored(appid, slot).await? {
            slot.set(token.clone());
            if token.is_fresh() {
                return Ok(token);
            }
        }
        self.refresh_shared(appid, slot, Reason::Due).await
    }

    async fn replace_refused(
        &self,
        appid: &AppId,
        refused: &AccessToken,
    ) -> Result<CachedToken, Error> {
        let slot = self.slot(appid)?;
        let lock = slot.refresh_lock.clone().lock_owned().await;
        if let Some(token) = slot.cached().filter(|token| token.replaces(refused)) {
            return Ok(token);
        }
        self.renew_in_task(appid, lock, Some(refused.clone())).await
    }
}

impl Slot {
    pub(super) fn cached(&self) -> Option<CachedToken> {
        self.cached.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, token: CachedToken) {
        *self.cached.write().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }
}

#[async_trait]
impl TokenSource for Keeper {
    async fn token(&self, appid: &AppId) -> Result<AccessToken, TokenError> {
        Ok(self.usable(appid).await?.token)
    }

    async fn replace(
        &self,
        appid: &AppId,
        refused: &AccessToken,
    ) -> Result<AccessToken, TokenError> {
        Ok(self.replace_refused(appid, refused).await?.token)
    }
}
