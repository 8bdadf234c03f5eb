//! Forgetting: messages and requests that were kept long enough, and stops of templates that nobody sends any
//! more.

use std::convert::Infallible;
use std::time::Duration;

use super::Push;
use crate::store::{self, accounts, message_requests, messages, template_stops};

/// How often it is looked for what was kept long enough.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);

/// Rows deleted by one statement.
const FORGOTTEN_AT_ONCE: u64 = 1_000;

/// For how long a request with an Idempotency-Key is answered the same.
const REQUESTS_KEPT_MS: i64 = 24 * 3_600 * 1_000;

/// For how long a template's stop is kept that no message has ended.
const STOPS_KEPT_MS: i64 = 24 * 3_600 * 1_000;

impl Push {
    /// Forgets every hour. Whichever process does it, the others find nothing.
    pub(super) async fn forget_for_ever(&self) -> Infallible {
        loop {
            if let Err(error) = self.forget().await {
                tracing::warn!(%error, "old messages are kept a while longer");
            }
            tokio::time::sleep(FORGET_EVERY).await;
        }
    }

    async fn forget(&self) -> Result<(), store::Error> {
        // Nothing is to be sent any more after `expire_after`.
        let kept = self.settings.keep.max(self.settings.expire_after);
        let now = self.store.now().await?;
        let (before, writer) = (now - kept.as_millis() as i64, self.store.writer());
        while messages::delete_before(writer, before, FORGOTTEN_AT_ONCE).await? > 0 {}
        self.expire_abandoned(now).await?;
        let before = now - REQUESTS_KEPT_MS;
        while message_requests::forget_before(writer, before, FORGOTTEN_AT_ONCE).await? > 0 {}
        template_stops::forget_before(writer, now - STOPS_KEPT_MS).await?;
        Ok(())
    }

    /// Gives up what waits for accounts that are no longer configured: nobody works on their queues.
    async fn expire_abandoned(&self, now: i64) -> Result<(), store::Error> {
        let configured = self.accounts.by_number(&self.store).await?;
        let before = now - self.settings.expire_after.as_millis() as i64;
        for account in accounts::list_numbers(self.store.reader()).await? {
            let limit = FORGOTTEN_AT_ONCE as usize;
            let expire = || messages::expire(self.store.writer(), account, before, now, limit);
            while !configured.contains_key(&account) && expire().await? > 0 {}
        }
        Ok(())
    }
}
