//! Healing: everything that was begun comes to its end, by itself or by what an operator does.

use std::time::Duration;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::town::Town;

/// For how long a claim may last whose process was killed, a run whose replica was stopped, and what a
/// slow machine adds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A moment at which something is still not as it should be.
const LOOK_EVERY: Duration = Duration::from_millis(250);

impl Town {
    /// After the last trouble: until all is done and the mirror is as good as it gets. `teller` tells of
    /// messages until the night.
    pub async fn heal(&self, teller: JoinHandle<()>) {
        for (call, rule) in self.ledger.rules.lock().unwrap().drain(..) {
            let mut struck = self.ledger.struck.lock().unwrap();
            *struck.entry(call).or_default() += self.world.struck(rule);
        }
        self.world.clear_faults();
        self.dawn().await;
        self.dusk.cancel();
        self.until("callers to leave", async || self.is_quiet()).await;
        self.until("messages to be sent", async || self.push_on().await == 0).await;
        self.night.cancel();
        teller.await.unwrap();
        self.until("receipts to be told", async || self.is_quiet()).await;
        self.world.settled().await;
        let since = self.store.now().await.unwrap();
        self.until("a whole crawl", async || self.crawled(since).await).await;
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds().await {
            assert!(Instant::now() < deadline, "waited for {what} in vain");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What waits for minutes or hours does not; what a process has taken up is left to it. How many
    /// messages have something left to do.
    async fn push_on(&self) -> u64 {
        use entity::message::{Column, Entity};
        self.midnight().await;
        let due = "UPDATE message SET due_at = 1 WHERE due_at > 1 AND sending_at IS NULL";
        self.store.writer().execute_unprepared(due).await.unwrap();
        let waiting = Entity::find().filter(Column::DueAt.is_not_null());
        waiting.count(self.store.reader()).await.unwrap()
    }

    /// Whether a run that began after that has succeeded; asks for one otherwise. An operator confirms
    /// what the guard holds, when everything is known to be well.
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
        self.ask("sync", ("POST", path), (None, body)).await;
        false
    }
}
