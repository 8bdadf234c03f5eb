//! The number of calls to WeChat stays within what the work needs plus a fixed slack (I5).

use sea_orm::EntityTrait;
use unionid_bridge::sandbox::Call;

use crate::soak::cluster::Cluster;

/// The number of pages that a run has fetched but not committed when it is killed: one in each queue between
/// stages, and one in each stage.
const PAGES_AHEAD: u64 = 6;

/// The number of profiles that are fetched one by one if the answer to a batch is inconsistent.
const BATCH_SIZE: u64 = 100;

impl Cluster {
    /// Runs after all replicas have stopped.
    pub(super) async fn check_calls(&self) {
        let runs = entity::sync_run::Entity::find().all(self.store.reader()).await.unwrap();
        let pages: i64 = runs.iter().map(|run| run.pages + 1).sum();
        let starts = self.count_lines(&["follower sync begun", "resuming the follower sync"]);
        let processes: u64 = self.replicas.iter().map(|replica| replica.starts()).sum();
        let (pages, hits) = (pages.cast_unsigned(), |call| self.hits(call));
        let listed = pages + starts * PAGES_AHEAD + hits(Call::UserGet);
        self.assert_at_most(Call::UserGet, listed);
        // With few new followers, a page needs at most one batch; a start needs a few more.
        let batches = pages + starts * (PAGES_AHEAD + 1) + hits(Call::UserInfoBatchget);
        self.assert_at_most(Call::UserInfoBatchget, batches);
        // Each process keeps a token for each account. A killed process may not have stored its new token.
        let invalidated = self.ledger.faults.lock().unwrap().get("token invalidated").copied();
        let invalidated = invalidated.unwrap_or(0);
        let tokens = 2 * (1 + invalidated + processes) + hits(Call::StableToken);
        self.assert_at_most(Call::StableToken, tokens);
        let events = self.ledger.follows.lock().unwrap().len() as u64;
        let single = 3 * events + BATCH_SIZE * hits(Call::UserInfoBatchget) + hits(Call::UserInfo);
        self.assert_at_most(Call::UserInfo, single);
        assert_eq!(self.world.requests(Call::ClearQuota), 0);
    }

    fn assert_at_most(&self, call: Call, max: u64) {
        let made = self.world.requests(call);
        println!("soak: {call} was called {made} times, at most {max} are allowed");
        assert!(made <= max, "{call} was called {made} times, at most {max} are allowed");
    }

    /// Returns the number of requests that failed because of an injected fault or a refusal.
    fn hits(&self, call: Call) -> u64 {
        let rules = self.ledger.hits.lock().unwrap().get(&call).copied().unwrap_or(0);
        let stats = self.world.stats();
        let refused = [40001, 42001, 45009].map(|errcode| stats.errors(call, errcode));
        rules + refused.iter().sum::<u64>()
    }

    pub(super) fn count_lines(&self, texts: &[&str]) -> u64 {
        let contains = |line: &&str| texts.iter().any(|text| line.contains(text));
        let count = |output: String| output.lines().filter(contains).count() as u64;
        self.replicas.iter().map(|replica| count(replica.output())).sum()
    }
}
