//! Background work of the inbox: profile checks, matching early receipts to messages, and cleanup
//! of old fingerprints and receipts.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use super::receipts::match_loop;
use super::{CallbackAccount, Inbox};
use crate::store::{self, callbacks, profile_checks, receipts};

/// How often the queue of checks is polled: other processes receive events too.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// How often old fingerprints and receipts are deleted.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(3_600);

/// How long fingerprints are kept, in ms. Longer than the maximum age of an event that has an
/// effect.
const FINGERPRINT_RETENTION_MS: i64 = 72 * 3_600 * 1_000;

/// How long unmatched receipts are kept, in ms. Their messages were sent by another system.
const RECEIPT_RETENTION_MS: i64 = 72 * 3_600 * 1_000;

/// Rows deleted per statement.
const DELETE_BATCH: u64 = 5_000;

/// Checks claimed at a time.
const CLAIM_BATCH: u64 = 100;

/// Concurrent checks per account. The client's own limit bounds the calls to WeChat.
const CONCURRENCY: usize = 8;

/// Claim duration in ms. After it, another process may claim the checks of a process that died.
const CLAIM_MS: i64 = 60_000;

impl Inbox {
    /// Works until `stop` fires. Other processes take over the claimed checks that are not done
    /// then.
    pub async fn work(self: Arc<Self>, stop: CancellationToken) {
        // Accounts are independent: one of them may wait for WeChat for a long time.
        let checks = join_all(self.accounts.values().map(|account| self.check_loop(account)));
        let matching = match_loop(&self.store);
        let work = async { tokio::join!(checks, matching, self.cleanup_loop()) };
        stop.run_until_cancelled(work).await;
    }

    async fn check_loop(&self, account: &CallbackAccount) -> Infallible {
        loop {
            if let Err(error) = self.run_due_checks(account).await {
                tracing::warn!(app.id = %account.appid, %error, "could not claim profile checks, trying again");
            }
            // Continue when woken or after the interval.
            let _ = tokio::time::timeout(POLL_INTERVAL, account.wake.notified()).await;
        }
    }

    async fn cleanup_loop(&self) -> Infallible {
        loop {
            if let Err(error) = self.cleanup().await {
                tracing::warn!(%error, "could not delete old callbacks, trying again in an hour");
            }
            tokio::time::sleep(CLEANUP_INTERVAL).await;
        }
    }

    async fn cleanup(&self) -> Result<(), store::Error> {
        let (now, writer) = (self.store.now().await?, self.store.writer());
        let before = now - FINGERPRINT_RETENTION_MS;
        while callbacks::delete_before(writer, before, DELETE_BATCH).await? > 0 {}
        let before = now - RECEIPT_RETENTION_MS;
        while receipts::delete_before(writer, before, DELETE_BATCH).await? > 0 {}
        Ok(())
    }

    /// Runs the due checks of one account.
    async fn run_due_checks(&self, account: &CallbackAccount) -> Result<(), store::Error> {
        let Some(followers) = &account.followers else { return Ok(()) };
        let account_id = account.account_id(&self.store).await?;
        while !account.is_refused() {
            let now = self.store.now().await?;
            let checks =
                profile_checks::claim_due(&self.store, account_id, now, CLAIM_MS, CLAIM_BATCH)
                    .await?;
            if checks.is_empty() {
                return Ok(());
            }
            stream::iter(checks)
                .for_each_concurrent(CONCURRENCY, |check| async move {
                    if let Err(error) = self.check(account, followers, &check).await {
                        tracing::warn!(app.id = %account.appid, %error, "could not record a profile check");
                    }
                })
                .await;
        }
        Ok(())
    }
}
