//! Caches the result of each code for a while.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use moka::policy::EvictionPolicy;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::{Answer, Error};
use crate::model::AppId;
use crate::wechat::login::{LoginCode, Session};

/// Maximum number of cached codes; the oldest are dropped first.
const MAX_CODES: u64 = 100_000;

/// All codes that were sent recently, by their digests.
pub(super) struct CodeCache(Cache<[u8; 32], Arc<Exchange>>);

/// The exchange of one code.
pub(super) struct Exchange {
    /// The caller that sent the code first.
    pub(super) caller: Box<str>,
    /// Locked while a task works on the exchange.
    pub(super) progress: Arc<Mutex<Progress>>,
}

/// The progress of an exchange.
pub(super) enum Progress {
    /// WeChat has not been called yet.
    Begun,
    /// WeChat returned the session; storing it can be repeated.
    Exchanged(Session),
    /// The exchange is complete.
    Ended(Result<Answer, Error>),
}

impl CodeCache {
    pub(super) fn new(ttl: Duration) -> Self {
        let cache = Cache::builder()
            .max_capacity(MAX_CODES)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(ttl);
        Self(cache.build())
    }

    /// Returns the exchange of the code. Begins a new one for the caller if there is none.
    pub(super) async fn find_or_begin(
        &self,
        appid: &AppId,
        code: &LoginCode,
        caller: &str,
    ) -> Arc<Exchange> {
        let begun = async {
            let progress = Arc::new(Mutex::new(Progress::Begun));
            Arc::new(Exchange { caller: caller.into(), progress })
        };
        self.0.get_with(digest(appid, code), begun).await
    }
}

/// The code itself is not kept.
fn digest(appid: &AppId, code: &LoginCode) -> [u8; 32] {
    Sha256::new()
        .chain_update(appid.as_str())
        .chain_update([0])
        .chain_update(code.expose())
        .finalize()
        .into()
}
