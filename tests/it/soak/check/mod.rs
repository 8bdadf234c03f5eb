//! What must be true after the cluster has recovered.

mod callbacks;
mod calls;
mod messages;
mod runs;
mod secrets;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::cluster::Cluster;
use crate::harness::mirror;

/// Timeout of the message check. Early receipts are matched to their messages every few seconds.
const TIMEOUT: Duration = Duration::from_secs(60);

impl Cluster {
    /// Runs all checks and stops the replicas.
    pub async fn check(&self) {
        self.check_mirror().await;
        self.check_callbacks().await;
        let began = Instant::now();
        loop {
            let wrong = self.wrong_messages().await;
            if wrong.is_empty() {
                break;
            }
            assert!(
                began.elapsed() < TIMEOUT,
                "{} wrong messages: {:#?}",
                wrong.len(),
                &wrong[..3.min(wrong.len())]
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        println!("soak: all messages were correct after {:?}", began.elapsed());
        self.keep_tokens().await;
        for replica in &self.replicas {
            replica.stop().await;
        }
        self.check_runs().await;
        self.check_calls().await;
        self.check_secrets();
    }

    /// Asserts that exactly the sandbox's followers are mirrored as subscribed, each with the right unionid
    /// (I1, I2, I3). The unionid of a user who left may be missing.
    async fn check_mirror(&self) {
        let main = self.main();
        let mut mirror = mirror(&self.store, &main.appid().parse().unwrap()).await;
        let mut wrong = BTreeMap::new();
        for person in main.followers() {
            let (expected, found) = (Some((person.unionid, true)), mirror.remove(&person.openid));
            if found != expected {
                wrong.insert(person.number, found);
            }
        }
        for (openid, (unionid, subscribed)) in mirror {
            let person = main.find(&openid).unwrap();
            if subscribed || (unionid.is_some() && unionid != person.unionid) {
                wrong.insert(person.number, Some((unionid, subscribed)));
            }
        }
        assert!(wrong.is_empty(), "the mirror differs in {wrong:?}");
    }
}
