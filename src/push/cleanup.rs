//! Hourly cleanup: old messages, requests and template stops, and messages of accounts that are no
//! longer configured.

use std::convert::Infallible;
use std::time::Duration;

use super::Push;
use crate::store::{self, accounts, message_requests, messages, template_stops};

/// How often old rows are deleted.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(3_600);

/// Rows deleted per statement.
const DELETE_BATCH: u64 = 1_000;

/// How long a repeated Idempotency-Key gets the first answer, in ms.
const REQUEST_RETENTION_MS: i64 = 24 * 3_600 * 1_000;

/// How long the stop of a template is kept that no message has ended, in ms.
const STOP_RETENTION_MS: i64 = 24 * 3_600 * 1_000;

impl Push {
    /// Deletes old rows every hour. All processes do this; the first one leaves nothing to the others.
    pub(super) async fn cleanup_loop(&self) -> Infallible {
        loop {
            if let Err(error) = self.cleanup().await {
                tracing::warn!(%error, "could not delete old messages, trying again in an hour");
            }
            tokio::time::sleep(CLEANUP_INTERVAL).await;
        }
    }

    async fn cleanup(&self) -> Result<(), store::Error> {
        // Messages are no longer sent after `expire_after`, so they may be deleted then.
        let retention = self.settings.keep.max(self.settings.expire_after);
        let now = self.store.now().await?;
        let (before, writer) = (now - retention.as_millis() as i64, self.store.writer());
        while messages::delete_before(writer, before, DELETE_BATCH).await? > 0 {}
        self.expire_abandoned(now).await?;
        let before = now - REQUEST_RETENTION_MS;
        while message_requests::delete_before(writer, before, DELETE_BATCH).await? > 0 {}
        template_stops::delete_before(writer, now - STOP_RETENTION_MS).await?;
        Ok(())
    }

    /// Expires the messages of accounts that are no longer configured: no worker runs for them.
    async fn expire_abandoned(&self, now: i64) -> Result<(), store::Error> {
        let configured = self.accounts.by_account_id(&self.store).await?;
        let before = now - self.settings.expire_after.as_millis() as i64;
        for account in accounts::list_numbers(self.store.reader()).await? {
            let limit = DELETE_BATCH as usize;
            let expire = || messages::expire(self.store.writer(), account, before, now, limit);
            while !configured.contains_key(&account) && expire().await? > 0 {}
        }
        Ok(())
    }
}
