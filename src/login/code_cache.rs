//! What became of each code, for a while.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use moka::policy::EvictionPolicy;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::{Answer, Error};
use crate::model::AppId;
use crate::wechat::login::{LoginCode, Session};

/// Codes remembered at most; the oldest are forgotten first.
const MOST: u64 = 100_000;

/// Every code that was asked about lately, by its digest.
pub(super) struct CodeCache(Cache<[u8; 32], Arc<Exchange>>);

/// One code.
pub(super) struct Exchange {
    /// Who asked about it first.
    pub(super) caller: Box<str>,
    /// Held by whoever works on it.
    pub(super) progress: Arc<Mutex<Progress>>,
}

/// How far a code has come.
pub(super) enum Progress {
    /// WeChat is to be asked.
    Begun,
    /// WeChat said who it is; what is left can be done again.
    Exchanged(Session),
    /// There is nothing left to do.
    Ended(Result<Answer, Error>),
}

impl CodeCache {
    pub(super) fn new(remember: Duration) -> Self {
        let cache = Cache::builder()
            .max_capacity(MOST)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(remember);
        Self(cache.build())
    }

    /// What is known of the code, which is the caller's from now on where that was nothing.
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

/// Codes themselves are not kept.
fn digest(appid: &AppId, code: &LoginCode) -> [u8; 32] {
    Sha256::new()
        .chain_update(appid.as_str())
        .chain_update([0])
        .chain_update(code.expose())
        .finalize()
        .into()
}
