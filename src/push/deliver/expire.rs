//! Giving up what was not sent in time, and telling how much waits.
//!
//! A claim gives up what is too old among the messages that are due; what waits for later is found here. So
//! nothing too old leaves, whatever becomes of this.

use std::time::Duration;

use metrics::gauge;

use crate::model::{AppId, Reason};
use crate::push::Push;
use crate::push::outcome::count_failed;
use crate::store::{self, AccountId, messages};

/// How often messages are looked for that were not sent in time.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);

/// How soon it is gone on with more than [`MOST_PARTS`].
const EXPIRE_ON: Duration = Duration::from_secs(1);

/// Messages given up by one statement, and statements in a row.
const PART: usize = 1_000;
const MOST_PARTS: usize = 10;

impl Push {
    /// Gives up what was not sent in time. Returns how soon it is looked again.
    pub(super) async fn expire(&self, appid: &AppId, account: AccountId) -> Duration {
        let is_done = match self.expire_old(appid, account).await {
            Ok(is_done) => is_done,
            Err(error) => {
                tracing::warn!(app.id = %appid, %error, "old messages wait to be given up");
                true
            }
        };
        if let Err(error) = self.measure(appid, account).await {
            tracing::warn!(app.id = %appid, %error, "could not count the messages that wait");
        }
        if is_done { EXPIRE_EVERY } else { EXPIRE_ON }
    }

    /// Whether all that is too old was given up.
    async fn expire_old(&self, appid: &AppId, account: AccountId) -> Result<bool, store::Error> {
        let now = self.store.now().await?;
        let before = now - self.settings.expire_after.as_millis() as i64;
        for _ in 0..MOST_PARTS {
            let writer = self.store.writer();
            let expired = messages::expire(writer, account, before, now, PART).await?;
            if expired > 0 {
                count_failed(appid, Reason::Expired.as_str(), expired);
            }
            if expired < PART as u64 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn measure(&self, appid: &AppId, account: AccountId) -> Result<(), store::Error> {
        let reader = self.store.reader();
        let waiting = messages::count_waiting(reader, account).await?;
        let outlook = messages::outlook(reader, account).await?;
        let late = outlook.due_at.map_or(0, |due_at| (outlook.now - due_at).max(0));
        gauge!("push_waiting", "app_id" => appid.to_string()).set(waiting as f64);
        gauge!("push_late_seconds", "app_id" => appid.to_string()).set(late as f64 / 1_000.0);
        Ok(())
    }
}
