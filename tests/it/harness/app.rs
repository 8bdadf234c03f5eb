//! The application in process, against a sandbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use unionid_bridge::app::App;
use unionid_bridge::clock::Clock;
use unionid_bridge::config::{self, OfficialAccount, Sources};
use unionid_bridge::model::{Run, Trigger};
use unionid_bridge::sandbox::Sandbox;
use unionid_bridge::store::Store;
use unionid_bridge::sync::{self, Outcome, Request};
use unionid_bridge::wechat::RetryPolicy;

use super::mirror::{self, Mirrored};
use super::{Backend, TestDatabase};

/// The application on its own database, with short retry delays.
pub struct TestApp {
    pub app: Arc<App>,
    pub database: TestDatabase,
    pub account: OfficialAccount,
}

impl TestApp {
    /// Starts on SQLite.
    pub async fn against(world: &Sandbox) -> Self {
        Self::configured(world, Backend::Sqlite, "").await.unwrap()
    }

    /// Starts on this backend. Returns `None` if no test server is configured for it.
    pub async fn on(world: &Sandbox, backend: Backend) -> Option<Self> {
        Self::configured(world, backend, "").await
    }

    /// Like [`Self::on`], with additional configuration in TOML.
    pub async fn configured(world: &Sandbox, backend: Backend, toml: &str) -> Option<Self> {
        let database = TestDatabase::new(backend).await?;
        let store = database.store().await;
        Some(Self::process(world, database, store, toml).await)
    }

    /// Like [`Self::configured`], with a pool of `connections` database connections.
    pub async fn pooled(
        world: &Sandbox,
        backend: Backend,
        connections: u32,
        toml: &str,
    ) -> Option<Self> {
        let database = TestDatabase::new(backend).await?;
        database.store().await.close().await.unwrap();
        let store = database.connect_with(connections).await;
        Some(Self::process(world, database, store, toml).await)
    }

    /// Starts on an existing database: a second replica, or a restart.
    pub async fn process(
        world: &Sandbox,
        database: TestDatabase,
        store: Store,
        toml: &str,
    ) -> Self {
        let url = &database.url;
        let text = format!("{}\n[database]\nurl = '{url}'\n{toml}\n", world.config_toml());
        let sources = Sources::defaults().with_text("test.toml", &text);
        let config = config::load(&sources).unwrap().config;
        let account = config.official_accounts[0].clone();
        let app = App::on(config, store, Clock::system(), fast_retries()).await.unwrap();
        Self { app: Arc::new(app), database, account }
    }

    /// Starts another replica on the same database.
    pub async fn replica(&self, world: &Sandbox) -> Self {
        let store = self.database.connect().await;
        Self::process(world, self.database.clone(), store, "").await
    }

    /// Runs one sync and panics if it returns an error instead of an outcome.
    pub async fn sync(&self) -> Outcome {
        self.try_sync(manual()).await.unwrap()
    }

    /// Runs one sync that must succeed. Checks that the mirror is correct and the counts add up.
    pub async fn sync_true(&self, world: &Sandbox) -> Run {
        let outcome = self.sync().await;
        assert_eq!(outcome.run.state.as_str(), "succeeded", "{outcome:?}");
        self.assert_mirrors(world).await;
        outcome.run
    }

    pub async fn try_sync(&self, request: Request) -> Result<Outcome, sync::Error> {
        let job = self.job(CancellationToken::new()).await;
        let outcome = sync::run(&job, request).await?;
        assert_adds_up(&outcome.run);
        Ok(outcome)
    }

    pub async fn job(&self, stop: CancellationToken) -> sync::Job {
        self.app.sync_job(&self.account, stop, Arc::new(|_, _| {})).await.unwrap()
    }

    /// Returns all mirrored followers by openid.
    pub async fn mirror(&self) -> BTreeMap<String, Mirrored> {
        mirror::mirror(&self.app.store, &self.account.appid).await
    }

    /// Asserts that the mirror matches the sandbox (I1, I2, I3).
    pub async fn assert_mirrors(&self, world: &Sandbox) {
        self.assert_mirrors_all_but(world, &[]).await;
    }

    /// Like [`Self::assert_mirrors`], but ignores these people.
    pub async fn assert_mirrors_all_but(&self, world: &Sandbox, people: &[u64]) {
        mirror::assert_mirrors(&self.app.store, world, &self.account.appid, people).await;
    }
}

/// Asserts that the row counts of a finished run add up. Other runs may have rows left for a later batch.
pub fn assert_adds_up(run: &Run) {
    let counts = &run.counts;
    let answered = counts.known + counts.fetched + counts.quarantined + counts.vanished;
    if run.state.as_str() == "succeeded" || run.state.as_str() == "held" {
        assert_eq!(counts.listed, answered, "{run:?}");
    }
}

/// A manual sync request.
pub fn manual() -> Request {
    Request { trigger: Trigger::Manual, scheduled_at: None, full: false, restart: false }
}

/// A manual sync request that fetches every profile.
pub fn full() -> Request {
    Request { full: true, ..manual() }
}

/// The default number of retries with delays of a few milliseconds.
pub(super) fn fast_retries() -> RetryPolicy {
    RetryPolicy {
        base: Duration::from_millis(2),
        cap: Duration::from_millis(20),
        minute: Duration::from_millis(50),
        ..RetryPolicy::default()
    }
}
