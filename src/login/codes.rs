//! Which codes were seen within the last minute, and what became of them.
//!
//! A code serves once, so asking WeChat again would give an error for what has succeeded: a caller
//! whose connection broke gets the same answer instead, and nobody else does. Each process remembers
//! for itself; a code that reaches two processes is refused by WeChat to the later one.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, Shared};
use moka::future::Cache;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::Answer;
use crate::model::AppId;
use crate::wechat;
use crate::wechat::login::{LoginCode, Session};

/// For how long a code is remembered.
const REMEMBERED: Duration = Duration::from_secs(60);

/// Codes remembered at most: more than a process can exchange in that time.
const MOST: u64 = 200_000;

/// What WeChat said to a code, for everybody who waits for it.
pub(super) type Told = Result<Arc<Session>, Arc<wechat::Error>>;

/// One code: the call that exchanges it, and the answer once there is one.
pub(super) struct Seen {
    owner: String,
    told: Shared<BoxFuture<'static, Told>>,
    /// Held while the answer is made, so that it is made once.
    pub(super) answer: Mutex<Option<Answer>>,
}

/// The codes seen lately, by their digests.
pub(super) struct Codes(Cache<[u8; 32], Arc<Seen>>);

impl Default for Codes {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_live(REMEMBERED).build())
    }
}

impl Codes {
    /// What is known of the code. The first who asks has `exchange` run, to its end even if nobody
    /// waits for it any more. `None` where the code is another caller's.
    pub(super) async fn see(
        &self,
        caller: &str,
        appid: &AppId,
        code: &LoginCode,
        exchange: impl Future<Output = Told> + Send + 'static,
    ) -> Option<Arc<Seen>> {
        let seen = self.0.entry(digest(appid, code)).or_insert_with(async {
            Arc::new(Seen {
                owner: caller.to_owned(),
                told: to_its_end(exchange).shared(),
                answer: Mutex::default(),
            })
        });
        let seen = seen.await.into_value();
        (seen.owner == caller).then_some(seen)
    }

    /// Forgets a code that WeChat has not used up, so that it can be tried again.
    pub(super) async fn forget(&self, appid: &AppId, code: &LoginCode) {
        self.0.invalidate(&digest(appid, code)).await;
    }
}

impl Seen {
    /// What WeChat said.
    pub(super) async fn told(&self) -> Told {
        self.told.clone().await
    }
}

/// Runs in a task of its own: whoever hangs up must not cut off the others.
fn to_its_end(exchange: impl Future<Output = Told> + Send + 'static) -> BoxFuture<'static, Told> {
    let task = tokio::spawn(exchange);
    async move {
        match task.await {
            Ok(told) => told,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            // The runtime is going down, and with it whoever waits.
            Err(_) => std::future::pending().await,
        }
    }
    .boxed()
}

fn digest(appid: &AppId, code: &LoginCode) -> [u8; 32] {
    Sha256::new()
        .chain_update(appid.as_str())
        .chain_update([0])
        .chain_update(code.expose())
        .finalize()
        .into()
}
