//! Recovery: waits until all work has finished, by itself or after an operator's action.

use std::time::Duration;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::cluster::Cluster;

/// Timeout of each step. Covers the claim of a killed process, the run of a stopped replica, and a slow
/// machine.
const TIMEOUT: Duration = Duration::from_secs(60);

const POLL_INTERVAL: Duration = Duration::from_millis(250);

impl Cluster {
    /// Waits after the last fault until all messages and callbacks are done and a whole crawl succeeded.
    /// `receipts` is the task that sends receipts until messages are stopped.
    pub async fn heal(&self, receipts: JoinHandle<()>) {
        for (call, rule) in self.ledger.rules.lock().unwrap().drain(..) {
            let mut hits = self.ledger.hits.lock().unwrap();
            *hits.entry(call).or_default() += self.world.hits(rule);
        }
        self.world.clear_faults();
        self.restore().await;
        self.stop_callers.cancel();
        self.until("callers to stop", async || self.is_idle()).await;
        self.until("messages to be sent", async || self.push_on().await == 0).await;
        self.stop_messages.cancel();
        receipts.await.unwrap();
        self.until("receipts to be delivered", async || self.is_idle()).await;
        self.world.settled().await;
        let since = self.store.now().await.unwrap();
        self.until("a whole crawl", async || self.crawled(since).await).await;
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while !holds().await {
            assert!(Instant::now() < deadline, "timed out waiting for {what}");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Makes messages due that wait for minutes or hours, except claimed ones. Returns the number of messages
    /// that are not finished.
    async fn push_on(&self) -> u64 {
        use entity::message::{Column, Entity};
        self.start_new_day().await;
        let due = "UPDATE message SET due_at = 1 WHERE due_at > 1 AND sending_at IS NULL";
        self.store.writer().execute_unprepared(due).await.unwrap();
        let waiting = Entity::find().filter(Column::DueAt.is_not_null());
        waiting.count(self.store.reader()).await.unwrap()
    }

    /// Whether a run that began after `since` succeeded. Otherwise requests a run, or confirms a held one, as
    /// an operator does who knows that all is well.
    async fn crawled(&self, since: i64) -> bool {
        use entity::sync_run::{Column, Entity};
        let since = Entity::find().filter(Column::StartedAt.gte(since));
        let runs = since.order_by_desc(Column::Id).all(self.store.reader()).await.unwrap();
        if runs.iter().any(|run| run.state == "succeeded") {
            return true;
        }
        let held = runs.first().filter(|run| run.state == "held");
        let confirm = held.map(|run| format!("/v1/sync-runs/{}/confirm", run.id));
        let path = confirm.as_deref().unwrap_or("/v1/sync-runs");
        let body = confirm.is_none().then(|| json!({}));
        self.request("sync", ("POST", path), (None, body)).await;
        false
    }
}
