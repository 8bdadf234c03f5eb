//! Compares the cached token with the database, because another process may have replaced it.
//!
//! When WeChat refuses a token, the process that noticed replaces it for all processes. This comparison
//! keeps the other processes from handing out the refused token for more than a few seconds.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::cached::CachedToken;
use super::keeper::{Keeper, Slot};
use crate::model::AppId;
use crate::store::tokens;

/// How often the cached token is compared with the database.
const COMPARE_INTERVAL: Duration = Duration::from_secs(3);

/// The timeout for reading the database.
const COMPARE_TIMEOUT: Duration = Duration::from_millis(300);

impl Keeper {
    /// Loads a newer token from the database, if another process has stored one. Reads the database at
    /// most once per [`COMPARE_INTERVAL`] for all callers. If the database is unreachable, the cached
    /// token stays in use.
    pub(super) async fn compare(&self, appid: &AppId, slot: &Slot) {
        let mut compared = slot.compared.lock().await;
        if compared.is_some_and(|at| at.elapsed() < COMPARE_INTERVAL) {
            return;
        }
        let Some(cached) = slot.cached() else { return };
        let newer = async {
            let row = tokens::find(self.store.reader(), appid).await?;
            match row.filter(|row| row.fence > cached.fence) {
                Some(row) => self.open(appid, slot, &row).await,
                None => Ok(None),
            }
        };
        match timeout(COMPARE_TIMEOUT, newer).await {
            Ok(Ok(Some(newer))) => slot.set_if_newer(newer),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::debug!(
                app.id = %appid, %error,
                "could not compare the cached access token with the database"
            ),
            Err(_) => tracing::debug!(
                app.id = %appid,
                "timed out comparing the cached access token with the database"
            ),
        }
        *compared = Some(Instant::now());
    }
}

impl Slot {
    /// Caches the token unless a newer one is already cached.
    fn set_if_newer(&self, newer: CachedToken) {
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        if cached.as_ref().is_none_or(|cached| cached.fence < newer.fence) {
            *cached = Some(newer);
        }
    }
}
