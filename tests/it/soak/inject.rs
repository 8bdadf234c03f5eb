//! Injects faults. Each fault is undone when its time is over.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use sea_orm::ConnectionTrait;
use tokio::sync::Mutex;
use unionid_bridge::sandbox::Call;

use super::cluster::Cluster;
use super::plan::InjectedFault;
use crate::harness::ProxyMode;

pub struct FaultInjector {
    cluster: Arc<Cluster>,
    /// Held during a fault of the database: one at a time.
    database: Mutex<()>,
}

impl FaultInjector {
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, database: Mutex::default() }
    }

    /// Injects a fault and waits until it is over.
    pub async fn inject(&self, fault: InjectedFault) {
        let cluster = &self.cluster;
        cluster.ledger.record_fault(fault.kind());
        match fault {
            InjectedFault::Kill { replica, time } => cluster.replicas[replica].kill(time).await,
            InjectedFault::Terminate { replica, time } => {
                cluster.replicas[replica].terminate(time).await;
            }
            InjectedFault::Freeze { replica, time } => cluster.replicas[replica].freeze(time).await,
            InjectedFault::DatabaseUnreachable { how, time } => {
                self.disconnect(0..cluster.replicas.len(), how, time).await;
            }
            InjectedFault::CutOff { replica, how, time } => {
                self.disconnect(replica..replica + 1, how, time).await;
            }
            InjectedFault::DatabaseLocked { time } => self.lock_database(time).await,
            InjectedFault::Calls { call, fault, count } => {
                let rule = cluster.world.fail(call, 1..=count, fault);
                cluster.ledger.rules.lock().unwrap().push((call, rule));
            }
            InjectedFault::TokenInvalidated { of_program } => {
                let account = if of_program { cluster.program() } else { cluster.main() };
                cluster.forget_refusals().await;
                account.invalidate_tokens();
            }
            InjectedFault::QuotaSpent { call, time } => {
                cluster.main().set_quota(call, Some(0));
                tokio::time::sleep(time).await;
                cluster.main().set_quota(call, None);
                if call == Call::TemplateSend {
                    cluster.start_new_day().await;
                }
            }
        }
    }

    async fn disconnect(&self, replicas: std::ops::Range<usize>, how: ProxyMode, time: Duration) {
        let _exclusive = self.database.lock().await;
        let replicas = self.cluster.replicas[replicas].iter();
        let proxies: Vec<_> = replicas.filter_map(|replica| replica.proxy.as_ref()).collect();
        proxies.iter().for_each(|proxy| proxy.set(how));
        tokio::time::sleep(time).await;
        proxies.iter().for_each(|proxy| proxy.set(ProxyMode::Forward));
    }

    /// Holds a transaction open, as a backup or another program does.
    async fn lock_database(&self, time: Duration) {
        let _exclusive = self.database.lock().await;
        let transaction = self.cluster.store.begin().await.unwrap();
        tokio::time::sleep(time).await;
        drop(transaction);
    }
}

impl Cluster {
    /// Resets the count of recent token refusals. After three within ten minutes, the service assumes that
    /// another system refreshes the account's token.
    async fn forget_refusals(&self) {
        let forgotten = "UPDATE access_token SET refusals = 0, refused_since_at = 0";
        self.store.writer().execute_unprepared(forgotten).await.unwrap();
    }

    /// Resets quotas and token refusals, and ends the pause of queues.
    pub async fn start_new_day(&self) {
        self.world.reset_quotas();
        self.forget_refusals().await;
        let resumed = "UPDATE push_pace SET held_until = 1 WHERE held_until > 1";
        self.store.writer().execute_unprepared(resumed).await.unwrap();
    }

    /// Removes all quotas and waits until every replica is ready.
    pub async fn restore(&self) {
        for call in Call::ALL {
            self.main().set_quota(*call, None);
        }
        self.start_new_day().await;
        let ready = self.replicas.iter().map(|replica| async {
            let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
            while !replica.is_ready().await {
                assert!(tokio::time::Instant::now() < deadline, "a replica does not become ready");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        join_all(ready).await;
    }
}
