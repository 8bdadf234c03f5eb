//! All keys in memory, read again every so often, and who was seen using them.

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

/// How long what was read is believed. A key revoked elsewhere is refused here after this at the
/// latest.
pub const TRUST: Duration = Duration::from_secs(5);

/// How often keys are read: an attempt may fail, and the next is still in time.
const READ_EVERY: Duration = Duration::from_secs(2);

/// How soon after an attempt that failed: when the database is back, callers wait for nothing else.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// How often the use of a key is written down at the most.
const RECORD_EVERY: Duration = Duration::from_secs(60);

/// What a key gives to who holds it.
#[derive(Debug)]
pub struct Grant {
    key: Key,
    row: ApiKey,
    digest: [u8; 32],
    limit: Option<Arc<Limit>>,
    used: Arc<AtomicBool>,
}

impl Grant {
    /// The key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Whose it is: the same for a key and for those that it was rolled into.
    pub fn owner(&self) -> &str {
        &self.row.owner
    }

    /// Whether it may do this.
    pub fn allows(&self, scope: Scope) -> bool {
        self.key.scopes.contains(&scope)
    }

    /// Whether it may name this account.
    pub fn allows_app(&self, appid: &AppId) -> bool {
        // Asked of the row: a list of which nothing could be read must not allow all.
        self.row.appids.is_none() || self.key.appids.contains(appid)
    }

    /// The accounts it may name; `None` for all.
    pub fn only_for(&self) -> Option<&[AppId]> {
        self.row.appids.as_ref().map(|_| self.key.appids.as_slice())
    }

    /// Counts one request.
    ///
    /// # Errors
    /// How long to wait, where that was one too many.
    pub fn count(&self) -> Result<(), Duration> {
        self.limit.as_ref().map_or(Ok(()), |limit| limit.count())
    }
}

/// The keys of this service as this process knows them.
#[derive(Debug)]
pub struct Keyring {
    pub(super) store: Store,
    /// Who this process is for the others.
    pub(super) holder: Holder,
    default_limit: Option<NonZeroU32>,
    known: RwLock<Known>,
    /// Held while reading, so that an older reading never replaces a newer one.
    reading: tokio::sync::Mutex<()>,
}

/// What was read, and when.
#[derive(Debug, Default)]
struct Known {
    grants: HashMap<String, Arc<Grant>>,
    /// When reading began, and the database's clock then.
    read: Option<(Instant, i64)>,
}

impl Keyring {
    /// An empty ring: nobody is let in before [`Keyring::load`]. Keys without a limit of their own
    /// have `requests_per_second`; 0 is no limit.
    pub fn new(store: Store, holder: Holder, requests_per_second: u32) -> Self {
        Self {
            store,
            holder,
            default_limit: NonZeroU32::new(requests_per_second),
            known: RwLock::default(),
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// What the key gives, from memory.
    pub fn authenticate(&self, text: &str) -> Result<Arc<Grant>, Refusal> {
        let (id, secret) = secret::split(text).ok_or(Refusal::Malformed)?;
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (read_at, clock) = known.read.ok_or(Refusal::Unsure)?;
        let age = read_at.elapsed();
        if age > TRUST {
            return Err(Refusal::Unsure);
        }
        let found = known.grants.get(id).filter(|grant| matches(&grant.digest, secret));
        let Some(grant) = found else {
            return Err(match secret::adds_up(id, secret) {
                true => Refusal::Unknown,
                false => Refusal::Malformed,
            });
        };
        let now = clock + age.as_millis() as i64;
        if grant.row.revoked_at.is_some() {
            return Err(Refusal::Revoked);
        }
        if grant.row.expires_at.is_some_and(|end| end <= now) {
            return Err(Refusal::Expired);
        }
        // Read before written: processors share what only is read.
        if !grant.used.load(Ordering::Relaxed) {
            grant.used.store(true, Ordering::Relaxed);
        }
        Ok(grant.clone())
    }

    /// Reads all keys now.
    pub async fn load(&self) -> Result<(), store::Error> {
        let _turn = self.reading.lock().await;
        let began = Instant::now();
        let (rows, clock) = store::in_time(async {
            let clock = self.store.now().await?;
            Ok((api_keys::list(self.store.reader()).await?, clock))
        })
        .await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let grants = rows.into_iter().map(|row| {
            let before = known.grants.get(&row.id);
            (row.id.clone(), self.grant(row, before))
        });
        let grants = grants.collect();
        *known = Known { grants, read: Some((began, clock)) };
        Ok(())
    }

    /// Keeps what the key counted so far: its requests and whether it was used.
    fn grant(&self, row: ApiKey, before: Option<&Arc<Grant>>) -> Arc<Grant> {
        if let Some(before) = before.filter(|before| before.row == row) {
            return before.clone();
        }
        let key = Key::from(row.clone());
        let limit = key.requests_per_second.and_then(NonZeroU32::new).or(self.default_limit);
        let same = before.filter(|grant| grant.row.requests_per_second == row.requests_per_second);
        let limit = match same {
            Some(grant) => grant.limit.clone(),
            None => limit.map(|limit| Arc::new(Limit::new(limit))),
        };
        let used = before.map(|grant| grant.used.clone()).unwrap_or_default();
        // A digest that is none matches no secret.
        let digest = <[u8; 32]>::from_hex(&row.secret_hash).unwrap_or_default();
        Arc::new(Grant { key, row, digest, limit, used })
    }

    /// Keeps the ring and everybody's share of a limit true, and writes uses down, until `stop` fires.
    pub async fn watch(&self, stop: CancellationToken) {
        let (mut recorded, mut told) = (HashMap::new(), Instant::now());
        let mut pause = READ_EVERY;
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            if let Err(error) = self.load().await {
                tracing::warn!(%error, "could not read the API keys");
                pause = READ_AGAIN;
                continue;
            }
            pause = READ_EVERY;
            self.share_limits(&mut told).await;
            self.record_uses(&mut recorded, RECORD_EVERY).await;
        }
        self.leave_limits().await;
        self.record_uses(&mut recorded, Duration::ZERO).await;
    }

    /// Writes down who was seen, except whose line was written less than `pause` ago.
    async fn record_uses(&self, recorded: &mut HashMap<String, Instant>, pause: Duration) {
        let seen = self.seen(|id| recorded.get(id).is_none_or(|last| last.elapsed() >= pause));
        let ids: Vec<_> = seen.iter().map(|grant| grant.key.id.as_str()).collect();
        let written = store::in_time(api_keys::record_use(self.store.writer(), &ids)).await;
        if let Err(error) = written {
            // The next use counts again.
            tracing::debug!(%error, "could not record the use of API keys");
            return;
        }
        recorded.extend(ids.into_iter().map(|id| (id.to_owned(), Instant::now())));
    }

    /// Each limit, and the public part of its key.
    pub(super) fn limits(&self) -> Vec<(String, Arc<Limit>)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let limits = known.grants.iter();
        limits.filter_map(|(id, grant)| Some((id.clone(), grant.limit.clone()?))).collect()
    }

    /// Those used since they were last taken, among the ones asked for.
    fn seen(&self, due: impl Fn(&str) -> bool) -> Vec<Arc<Grant>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let seen = known.grants.values().filter(|grant| due(&grant.key.id));
        seen.filter(|grant| grant.used.swap(false, Ordering::Relaxed)).cloned().collect()
    }
}

fn matches(digest: &[u8; 32], secret: &str) -> bool {
    digest.ct_eq(&secret::digest(secret)).into()
}
