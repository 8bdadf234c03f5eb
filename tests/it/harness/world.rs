//! Small sandboxes, special kinds of sync, and queries of the database.

use std::collections::BTreeMap;
use std::sync::Arc;

use sea_orm::EntityTrait;
use tokio_util::sync::CancellationToken;
use unionid_bridge::model::Run;
use unionid_bridge::sandbox::{Call, Options, Sandbox};
use unionid_bridge::sync::{self, Outcome};
use unionid_bridge::wechat;

use super::app::fast_retries;
use super::{TestApp, manual};

/// A sandbox that lists `page_size` openids on a page.
pub async fn paged_world(page_size: usize, followers: u64) -> Sandbox {
    let options = Options { page_size, ..Options::with_followers(followers) };
    Sandbox::start(options).await.unwrap()
}

/// Returns the person at an index of the follower list.
pub fn person_at(world: &Sandbox, index: usize) -> u64 {
    world.main().followers().nth(index).unwrap().number
}

/// Asserts that a call was made at least `ideal` times and at most `slack` times more (I5).
pub fn assert_calls(world: &Sandbox, call: Call, ideal: u64, slack: u64) {
    let made = world.requests(call);
    let allowed = ideal..=ideal + slack;
    assert!(allowed.contains(&made), "{call} was called {made} times, allowed are {allowed:?}");
}

impl TestApp {
    /// The same process, for its Official Account at this index.
    pub fn for_account(&self, index: usize) -> Self {
        let account = self.app.config.official_accounts[index].clone();
        Self { app: self.app.clone(), database: self.database.clone(), account }
    }

    /// Runs one sync that calls `observer` after every page.
    pub async fn sync_observed(&self, observer: impl Fn(&Run) + Send + Sync + 'static) -> Outcome {
        self.sync_stoppable(CancellationToken::new(), observer).await
    }

    /// Runs one sync with this concurrency limit.
    pub async fn sync_through(
        &self,
        world: &Sandbox,
        concurrency: wechat::ConcurrencyLimit,
    ) -> Outcome {
        self.sync_at(world.base_url(), concurrency).await
    }

    /// Runs one sync against another server.
    pub async fn sync_from(&self, base_url: String) -> Outcome {
        self.sync_at(base_url, wechat::ConcurrencyLimit::new(4)).await
    }

    async fn sync_at(&self, base_url: String, concurrency: wechat::ConcurrencyLimit) -> Outcome {
        let options =
            wechat::Options { base_url, retry: fast_retries(), ..wechat::Options::default() };
        let client = wechat::Client::new(options).unwrap();
        let tokens = self.app.tokens.clone();
        let account = client.account(self.account.appid.clone(), tokens, concurrency);
        let job = self.job(CancellationToken::new()).await;
        sync::run(&sync::Job { wechat: account, ..job }, manual()).await.unwrap()
    }

    /// Runs one sync that is stopped after `pages` committed pages.
    pub async fn sync_stopped_after(&self, pages: u64) -> Outcome {
        let stop = CancellationToken::new();
        let fire = stop.clone();
        let observer = move |run: &Run| {
            if run.counts.pages >= pages {
                fire.cancel();
            }
        };
        let outcome = self.sync_stoppable(stop, observer).await;
        assert!(matches!(outcome.error, Some(sync::Error::Stopped)), "{outcome:?}");
        outcome
    }

    async fn sync_stoppable(
        &self,
        stop: CancellationToken,
        observer: impl Fn(&Run) + Send + Sync + 'static,
    ) -> Outcome {
        let observer = Arc::new(move |run: &Run, _| observer(run));
        let job = self.app.sync_job(&self.account, stop, observer).await.unwrap();
        sync::run(&job, manual()).await.unwrap()
    }

    /// Returns the quarantined openids with their reasons.
    pub async fn quarantine(&self) -> BTreeMap<String, String> {
        let rows = entity::quarantine::Entity::find().all(self.app.store.reader()).await.unwrap();
        rows.into_iter().map(|row| (row.openid, row.reason)).collect()
    }

    /// Returns the unionid conflicts: openid, old and new unionid.
    pub async fn conflicts(&self) -> Vec<(String, String, String)> {
        let rows = entity::unionid_conflict::Entity::find();
        let rows = rows.all(self.app.store.reader()).await.unwrap();
        rows.into_iter().map(|row| (row.openid, row.old_unionid, row.new_unionid)).collect()
    }
}
