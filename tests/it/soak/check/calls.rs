//! I5: calls to WeChat stay within what the work needs and a stated slack.

use sea_orm::EntityTrait;
use unionid_bridge::sandbox::Call;

use crate::soak::town::Town;

/// Pages that a run has asked for and not committed when it is killed: one in each queue between the
/// stages, and one in each stage.
const PAGES_AHEAD: u64 = 6;

/// Rows of a batch that are asked for one by one, at most, where its answer is not to be believed.
const BATCH: u64 = 100;

impl Town {
    /// Once nothing is called any more.
    pub(super) async fn check_calls(&self) {
        let runs = entity::sync_run::Entity::find().all(self.store.reader()).await.unwrap();
        let pages: i64 = runs.iter().map(|run| run.pages + 1).sum();
        let starts = self.count_lines(&["follower sync begun", "resuming the follower sync"]);
        let processes: u64 = self.replicas.iter().map(|replica| replica.starts()).sum();
        let (pages, struck) = (pages.cast_unsigned(), |call| self.struck(call));
        let listed = pages + starts * PAGES_AHEAD + struck(Call::UserGet);
        self.assert_at_most(Call::UserGet, listed);
        // A page asks for a batch at most where hardly anybody is new; a start asks for a handful.
        let asked = pages + starts * (PAGES_AHEAD + 1) + struck(Call::UserInfoBatchget);
        self.assert_at_most(Call::UserInfoBatchget, asked);
        // Each process keeps a token for each account; who is killed with a new one has not told.
        let dead = self.ledger.troubles.lock().unwrap().get("token dead").copied().unwrap_or(0);
        let tokens = 2 * (1 + dead + processes) + struck(Call::StableToken);
        self.assert_at_most(Call::StableToken, tokens);
        let events = self.ledger.follows.lock().unwrap().len() as u64;
        let alone = 3 * events + BATCH * struck(Call::UserInfoBatchget) + struck(Call::UserInfo);
        self.assert_at_most(Call::UserInfo, alone);
        assert_eq!(self.world.requests(Call::ClearQuota), 0);
    }

    fn assert_at_most(&self, call: Call, most: u64) {
        let made = self.world.requests(call);
        println!("soak: {call} was called {made} times, at most {most} are allowed");
        assert!(made <= most, "{call} was called {made} times, not {most}");
    }

    /// Requests that came to nothing, and for no fault of ours.
    fn struck(&self, call: Call) -> u64 {
        let rules = self.ledger.struck.lock().unwrap().get(&call).copied().unwrap_or(0);
        let stats = self.world.stats();
        let refused = [40001, 42001, 45009].map(|errcode| stats.errors(call, errcode));
        rules + refused.iter().sum::<u64>()
    }

    pub(super) fn count_lines(&self, texts: &[&str]) -> u64 {
        let said = self.replicas.iter().map(|replica| replica.said());
        let count = |said: String| {
            said.lines().filter(|line| texts.iter().any(|text| line.contains(text))).count() as u64
        };
        said.map(count).sum()
    }
}
