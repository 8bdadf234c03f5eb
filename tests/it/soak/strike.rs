//! Troubles as they happen: each by itself, and over when its time is.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use sea_orm::ConnectionTrait;
use tokio::sync::Mutex;
use unionid_bridge::sandbox::Call;

use super::plan::Trouble;
use super::town::Town;
use crate::harness::Way;

/// What happens to the town.
pub struct Fate {
    town: Arc<Town>,
    /// Held while nobody, or somebody, is without the database.
    database: Mutex<()>,
}

impl Fate {
    pub fn of(town: Arc<Town>) -> Self {
        Self { town, database: Mutex::default() }
    }

    /// Has it happen, and waits until it is over.
    pub async fn strike(&self, trouble: Trouble) {
        let town = &self.town;
        town.ledger.happened(trouble.kind());
        match trouble {
            Trouble::Kill { replica, time } => town.replicas[replica].kill(time).await,
            Trouble::Terminate { replica, time } => town.replicas[replica].terminate(time).await,
            Trouble::Freeze { replica, time } => town.replicas[replica].freeze(time).await,
            Trouble::DatabaseAway { how, time } => {
                self.away(0..town.replicas.len(), how, time).await
            }
            Trouble::CutOff { replica, how, time } => {
                self.away(replica..replica + 1, how, time).await;
            }
            Trouble::DatabaseLocked { time } => self.lock_database(time).await,
            Trouble::Calls { call, fault, count } => {
                let rule = town.world.fail(call, 1..=count, fault);
                town.ledger.rules.lock().unwrap().push((call, rule));
            }
            Trouble::TokenDead { of_program } => {
                let account = if of_program { town.program() } else { town.main() };
                town.forget_refusals().await;
                account.invalidate_tokens();
            }
            Trouble::QuotaSpent { call, time } => {
                town.main().set_quota(call, Some(0));
                tokio::time::sleep(time).await;
                town.main().set_quota(call, None);
                if call == Call::TemplateSend {
                    town.midnight().await;
                }
            }
        }
    }

    async fn away(&self, replicas: std::ops::Range<usize>, how: Way, time: Duration) {
        let _alone = self.database.lock().await;
        let proxies = self.town.replicas[replicas].iter().filter_map(|place| place.proxy.as_ref());
        let proxies: Vec<_> = proxies.collect();
        proxies.iter().for_each(|proxy| proxy.set(how));
        tokio::time::sleep(time).await;
        proxies.iter().for_each(|proxy| proxy.set(Way::Open));
    }

    /// As a backup or another program does.
    async fn lock_database(&self, time: Duration) {
        let _alone = self.database.lock().await;
        let transaction = self.town.store.begin().await.unwrap();
        tokio::time::sleep(time).await;
        drop(transaction);
    }
}

impl Town {
    /// Tokens that were refused in the last ten minutes were refused long ago: of three, somebody else
    /// would be thought to hold the account.
    async fn forget_refusals(&self) {
        let forgotten = "UPDATE access_token SET refusals = 0, refused_since_at = 0";
        self.store.writer().execute_unprepared(forgotten).await.unwrap();
    }

    /// What waits for a day, or for an operator's ten minutes, waits no longer.
    pub async fn midnight(&self) {
        self.world.reset_quotas();
        self.forget_refusals().await;
        let goes_on = "UPDATE push_pace SET held_until = 1 WHERE held_until > 1";
        self.store.writer().execute_unprepared(goes_on).await.unwrap();
    }

    /// Nothing goes wrong any more, and every replica is up.
    pub async fn dawn(&self) {
        for call in Call::ALL {
            self.main().set_quota(*call, None);
        }
        self.midnight().await;
        let ready = self.replicas.iter().map(|replica| async {
            let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
            while !replica.is_ready().await {
                assert!(tokio::time::Instant::now() < deadline, "a replica does not get ready");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        join_all(ready).await;
    }
}
