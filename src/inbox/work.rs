//! What an inbox does beside receiving: checks are worked on, receipts that came early joined to their
//! messages, fingerprints forgotten.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::receipts::join_for_ever;
use super::{CallbackAccount, Inbox};
use crate::store::{self, callbacks, profile_checks, receipts};

/// How often the queue is looked at without being told to: other processes get events too.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often old fingerprints and receipts are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);

/// For how long fingerprints are kept: longer than an event may be old and have an effect.
const REMEMBERED_MS: i64 = 72 * 3_600 * 1_000;

/// For how long a receipt is kept whose message was never found: it is of another system's.
const RECEIPTS_KEPT_MS: i64 = 72 * 3_600 * 1_000;

/// Fingerprints, or receipts, forgotten by one statement.
const FORGOTTEN_AT_ONCE: u64 = 5_000;

/// Checks claimed at a time.
const CLAIMED_AT_ONCE: u64 = 100;

/// Checks of one account under way at once; the account's gate bounds the calls.
const CONCURRENCY: usize = 8;

/// For how long a claim holds; a process that dies leaves its checks to others after that.
const HOLD_MS: i64 = 60_000;

impl Inbox {
    /// Works on the queue until `stop` fires. What is claimed and not done then is left to others.
    pub async fn work(self: Arc<Self>, stop: CancellationToken) {
        // Each account for itself: one may wait for WeChat for long.
        let checks = join_all(self.accounts.values().map(|account| self.check_for_ever(account)));
        let joins = join_for_ever(&self.store);
        let work = async { tokio::join!(checks, joins, self.forget_for_ever()) };
        stop.run_until_cancelled(work).await;
    }

    async fn check_for_ever(&self, account: &CallbackAccount) -> Infallible {
        loop {
            if let Err(error) = self.check_all(account).await {
                tracing::warn!(app.id = %account.appid, %error, "profile checks wait");
            }
            // Told to look, or not: both are a reason.
            let _ = tokio::time::timeout(LOOK_EVERY, account.wanted.notified()).await;
        }
    }

    async fn forget_for_ever(&self) -> Infallible {
        loop {
            if let Err(error) = self.forget().await {
                tracing::warn!(%error, "old callbacks are kept a while longer");
            }
            tokio::time::sleep(FORGET_EVERY).await;
        }
    }

    async fn forget(&self) -> Result<(), store::Error> {
        let (now, writer) = (self.store.now().await?, self.store.writer());
        let before = now - REMEMBERED_MS;
        while callbacks::forget_before(writer, before, FORGOTTEN_AT_ONCE).await? > 0 {}
        let before = now - RECEIPTS_KEPT_MS;
        while receipts::forget_before(writer, before, FORGOTTEN_AT_ONCE).await? > 0 {}
        Ok(())
    }

    /// Works on what is due for one account.
    async fn check_all(&self, account: &CallbackAccount) -> Result<(), store::Error> {
        let Some(followers) = &account.followers else { return Ok(()) };
        let number = account.number(&self.store).await?;
        while !account.is_refused() {
            let now = self.store.now().await?;
            let checks =
                profile_checks::claim_due(&self.store, number, now, HOLD_MS, CLAIMED_AT_ONCE)
                    .await?;
            if checks.is_empty() {
                return Ok(());
            }
            stream::iter(checks)
                .for_each_concurrent(CONCURRENCY, |check| async move {
                    if let Err(error) = self.check(account, followers, &check).await {
                        tracing::warn!(app.id = %account.appid, %error, "a profile check waits");
                    }
                })
                .await;
        }
        Ok(())
    }
}
