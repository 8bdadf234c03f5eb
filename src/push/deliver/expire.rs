//! Expires messages that were not sent in time, and reports the length of the queue.
//!
//! A claim expires old messages among those that are due; this job finds those that wait for a
//! later attempt. So an old message is never sent, even if this job fails.

use std::time::Duration;

use metrics::gauge;

use crate::model::{AppId, Reason};
use crate::push::Push;
use crate::push::outcome::count_failed;
use crate::store::{self, AccountId, messages};

/// How often messages are expired.
const EXPIRE_INTERVAL: Duration = Duration::from_secs(60);

/// Delay before the job continues after [`MAX_BATCHES`].
const CONTINUE_DELAY: Duration = Duration::from_secs(1);

/// Messages expired per statement, and statements per run.
const BATCH_SIZE: usize = 1_000;
const MAX_BATCHES: usize = 10;

impl Push {
    /// Expires messages that were not sent in time. Returns the delay until the next run.
    pub(super) async fn expire(&self, appid: &AppId, account: AccountId) -> Duration {
        let is_done = match self.expire_old(appid, account).await {
            Ok(is_done) => is_done,
            Err(error) => {
                tracing::warn!(app.id = %appid, %error, "could not expire old messages");
                true
            }
        };
        if let Err(error) = self.update_gauges(appid, account).await {
            tracing::warn!(app.id = %appid, %error, "could not count the queued messages");
        }
        if is_done { EXPIRE_INTERVAL } else { CONTINUE_DELAY }
    }

    /// Returns whether all old messages were expired.
    async fn expire_old(&self, appid: &AppId, account: AccountId) -> Result<bool, store::Error> {
        let now = self.store.now().await?;
        let before = now - self.settings.expire_after.as_millis() as i64;
        for _ in 0..MAX_BATCHES {
            let writer = self.store.writer();
            let expired = messages::expire(writer, account, before, now, BATCH_SIZE).await?;
            if expired > 0 {
                count_failed(appid, Reason::Expired.as_str(), expired);
            }
            if expired < BATCH_SIZE as u64 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn update_gauges(&self, appid: &AppId, account: AccountId) -> Result<(), store::Error> {
        let reader = self.store.reader();
        let waiting = messages::count_waiting(reader, account).await?;
        let outlook = messages::queue_status(reader, account).await?;
        let late = outlook.due_at.map_or(0, |due_at| (outlook.now - due_at).max(0));
        gauge!("push_waiting", "app_id" => appid.to_string()).set(waiting as f64);
        gauge!("push_late_seconds", "app_id" => appid.to_string()).set(late as f64 / 1_000.0);
        Ok(())
    }
}
