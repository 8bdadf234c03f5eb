//! All keys in memory, reloaded periodically, and the record of their use.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hex::FromHex;
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::limit::Limit;
use super::{Key, Refusal, secret};
use crate::lease::Holder;
use crate::model::{AppId, Scope};
use crate::store::api_keys::{self, ApiKey};
use crate::store::{self, Store};

/// How long loaded keys are valid. A key revoked by another process is refused here after this time at
/// the latest.
pub const MAX_AGE: Duration = Duration::from_secs(5);

/// How often keys are reloaded. One attempt may fail without exceeding [`MAX_AGE`].
const RELOAD_INTERVAL: Duration = Duration::from_secs(2);

/// The delay after a failed reload. Short, because callers are refused until the reload succeeds.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// The minimum interval between two records of a key's use.
const RECORD_INTERVAL: Duration = Duration::from_secs(60);

/// An authenticated key: what it may do, and its limit.
#[derive(Debug)]
pub struct Grant {
    key: Key,
    row: ApiKey,
    digest: [u8; 32],
    limit: Option<Arc<Limit>>,
    used: Arc<AtomicBool>,
}

impl Grant {
    /// Returns the key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Returns the id of the key's owner, which a key shares with its successors.
    pub fn owner(&self) -> &str {
        &self.row.owner
    }

    /// Whether the key grants the scope.
    pub fn allows(&self, scope: Scope) -> bool {
        self.key.scopes.contains(&scope)
    }

    /// Whether the key may access the account.
    pub fn allows_app(&self, appid: &AppId) -> bool {
        // Checks the row for `None`: a list without a readable AppID must not allow all accounts.
        self.row.appids.is_none() || self.key.appids.contains(appid)
    }

    /// Returns the accounts that the key may access; `None` for all.
    pub fn restricted_to(&self) -> Option<&[AppId]> {
        self.row.appids.as_ref().map(|_| self.key.appids.as_slice())
    }

    /// Counts one request.
    ///
    /// # Errors
    /// Returns how long to wait if the request exceeds the limit.
    pub fn count(&self) -> Result<(), Duration> {
        self.limit.as_ref().map_or(Ok(()), |limit| limit.count())
    }
}

/// All API keys, as loaded by this process.
#[derive(Debug)]
pub struct Keyring {
    pub(super) store: Store,
    /// The identity under which this process publishes its request counts.
    pub(super) holder: Holder,
    default_limit: Option<NonZeroU32>,
    loaded: RwLock<Loaded>,
    /// Held during a load, so that an older load never replaces a newer one.
    loading: tokio::sync::Mutex<()>,
}

/// The loaded keys and the time of the load.
#[derive(Debug, Default)]
struct Loaded {
    grants: HashMap<String, Arc<Grant>>,
    /// The start of the load, as an instant and in database time (ms since 1970).
    loaded_at: Option<(Instant, i64)>,
}

impl Keyring {
    /// Creates an empty ring, which refuses all keys before [`Keyring::load`]. Keys without their own
    /// limit get `requests_per_second`; 0 means no limit.
    pub fn new(store: Store, holder: Holder, requests_per_second: u32) -> Self {
        Self {
            store,
            holder,
            default_limit: NonZeroU32::new(requests_per_second),
            loaded: RwLock::default(),
            loading: tokio::sync::Mutex::default(),
        }
    }

    /// Authenticates a key from memory.
    pub fn authenticate(&self, text: &str) -> Result<Arc<Grant>, Refusal> {
        let (id, secret) = secret::split(text).ok_or(Refusal::Malformed)?;
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let (loaded_at, loaded_at_ms) = loaded.loaded_at.ok_or(Refusal::Unverifiable)?;
        let age = loaded_at.elapsed();
        if age > MAX_AGE {
            return Err(Refusal::Unverifiable);
        }
        let found = loaded.grants.get(id).filter(|grant| matches(&grant.digest, secret));
        let Some(grant) = found else {
            return Err(match secret::has_valid_checksum(id, secret) {
                true => Refusal::Unknown,
                false => Refusal::Malformed,
            });
        };
        let now = loaded_at_ms + age.as_millis() as i64;
        if grant.row.revoked_at.is_some() {
            return Err(Refusal::Revoked);
        }
        if grant.row.expires_at.is_some_and(|end| end <= now) {
            return Err(Refusal::Expired);
        }
        // Writes only if needed: a cache line that is only read stays shared between processors.
        if !grant.used.load(Ordering::Relaxed) {
            grant.used.store(true, Ordering::Relaxed);
        }
        Ok(grant.clone())
    }

    /// Loads all keys from the database.
    pub async fn load(&self) -> Result<(), store::Error> {
        let _guard = self.loading.lock().await;
        let started_at = Instant::now();
        let (rows, now_ms) = store::in_time(async {
            let now_ms = self.store.now().await?;
            Ok((api_keys::list(self.store.reader()).await?, now_ms))
        })
        .await?;
        let mut loaded = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        let grants = rows.into_iter().map(|row| {
            let before = loaded.grants.get(&row.id);
            (row.id.clone(), self.grant(row, before))
        });
        let grants = grants.collect();
        *loaded = Loaded { grants, loaded_at: Some((started_at, now_ms)) };
        Ok(())
    }

    /// Creates the grant of a row. Keeps the state of the key's previous grant: its limit and whether it
    /// was used.
    fn grant(&self, row: ApiKey, before: Option<&Arc<Grant>>) -> Arc<Grant> {
        if let Some(before) = before.filter(|before| before.row == row) {
            return before.clone();
        }
        let key = Key::from(row.clone());
        let limit = key.requests_per_second.and_then(NonZeroU32::new).or(self.default_limit);
        let unchanged =
            before.filter(|grant| grant.row.requests_per_second == row.requests_per_second);
        let limit = match unchanged {
            Some(grant) => grant.limit.clone(),
            None => limit.map(|limit| Arc::new(Limit::new(limit))),
        };
        let used = before.map(|grant| grant.used.clone()).unwrap_or_default();
        // An unreadable digest becomes all zeros, which match no secret.
        let digest = <[u8; 32]>::from_hex(&row.secret_hash).unwrap_or_default();
        Arc::new(Grant { key, row, digest, limit, used })
    }

    /// Reloads the keys, updates this process's share of each limit, and records the use of keys, until
    /// `stop` fires.
    pub async fn watch(&self, stop: CancellationToken) {
        let (mut recorded, mut published_at) = (HashMap::new(), Instant::now());
        let mut delay = RELOAD_INTERVAL;
        while stop.run_until_cancelled(tokio::time::sleep(delay)).await.is_some() {
            if let Err(error) = self.load().await {
                tracing::warn!(%error, "could not read the API keys");
                delay = RETRY_DELAY;
                continue;
            }
            delay = RELOAD_INTERVAL;
            self.share_limits(&mut published_at).await;
            self.record_uses(&mut recorded, RECORD_INTERVAL).await;
        }
        self.leave_limits().await;
        self.record_uses(&mut recorded, Duration::ZERO).await;
    }

    /// Records the keys that were used, except those recorded less than `interval` ago.
    async fn record_uses(&self, recorded: &mut HashMap<String, Instant>, interval: Duration) {
        let is_due = |id: &str| recorded.get(id).is_none_or(|last| last.elapsed() >= interval);
        let used = self.take_used(is_due);
        let ids: Vec<_> = used.iter().map(|grant| grant.key.id.as_str()).collect();
        let written = store::in_time(api_keys::record_use(self.store.writer(), &ids)).await;
        if let Err(error) = written {
            // The next use of the keys is recorded instead.
            tracing::debug!(%error, "could not record the use of API keys");
            return;
        }
        recorded.extend(ids.into_iter().map(|id| (id.to_owned(), Instant::now())));
    }

    /// Returns each limit with the public part of its key.
    pub(super) fn limits(&self) -> Vec<(String, Arc<Limit>)> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let limits = loaded.grants.iter();
        limits.filter_map(|(id, grant)| Some((id.clone(), grant.limit.clone()?))).collect()
    }

    /// Returns the due keys that were used, and marks them as unused.
    fn take_used(&self, is_due: impl Fn(&str) -> bool) -> Vec<Arc<Grant>> {
        let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
        let due = loaded.grants.values().filter(|grant| is_due(&grant.key.id));
        due.filter(|grant| grant.used.swap(false, Ordering::Relaxed)).cloned().collect()
    }
}

fn matches(digest: &[u8; 32], secret: &str) -> bool {
    digest.ct_eq(&secret::digest(secret)).into()
}
