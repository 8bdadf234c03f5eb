//! Shared by the sync benchmarks: a sandbox, an application on a new database, and the rows to write.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use unionid_bridge::app::App;
use unionid_bridge::config::{self, Sources};
use unionid_bridge::model::{Profile, Run, Trigger};
use unionid_bridge::sandbox::{Account, Options, Sandbox};
use unionid_bridge::store::accounts;
use unionid_bridge::store::followers::Row;
use unionid_bridge::sync::{self, Request};

use crate::base::Base;
use crate::figures::number;

/// An application on a database.
pub struct Bench {
    pub app: App,
}

impl Bench {
    pub async fn of(world: &Sandbox, base: &Base) -> Self {
        let text = world.config_toml() + &base.config_toml();
        let config = config::load(&Sources::defaults().with_text("bench.toml", &text)).unwrap();
        Self { app: App::open(config.config).await.unwrap() }
    }

    pub async fn account_number(&self) -> i32 {
        let appid = &self.app.config.official_accounts[0].appid;
        accounts::find_or_insert(&self.app.store, appid).await.unwrap()
    }

    /// Runs one sync of the first account, which must succeed.
    pub async fn sync(&self) -> Run {
        self.sync_account(0).await
    }

    /// Runs one sync of the account at this index of the configuration.
    pub async fn sync_account(&self, index: usize) -> Run {
        let account = &self.app.config.official_accounts[index];
        let observer = Arc::new(|_: &Run, _| {});
        let job = self.app.sync_job(account, CancellationToken::new(), observer).await.unwrap();
        let request =
            Request { trigger: Trigger::Manual, scheduled_at: None, full: false, restart: false };
        let outcome = sync::run(&job, request).await.unwrap();
        assert_eq!(outcome.run.state.as_str(), "succeeded", "{outcome:?}");
        outcome.run
    }
}

pub async fn sandbox(options: Options) -> Sandbox {
    Sandbox::start(options).await.unwrap()
}

/// Returns every follower as the row that a sync writes.
pub fn rows(account: &Account) -> impl Iterator<Item = Row> {
    account.followers().map(|person| Row {
        profile: Profile {
            openid: person.openid.parse().unwrap(),
            unionid: person.unionid.and_then(|unionid| unionid.parse().ok()),
            subscribed: true,
            subscribed_at: Some(1_600_000_000 + person.number.cast_signed()),
            subscribe_scene: Some("ADD_SCENE_QR_CODE".to_owned()),
            language: Some("zh_CN".to_owned()),
            remark: None,
            tag_ids: Vec::new(),
            qr_scene: None,
            qr_scene_text: None,
        },
        unionid_absent: false,
    })
}

/// Returns `BENCH_FOLLOWERS`, or the default.
pub fn followers(default: u64) -> u64 {
    number("BENCH_FOLLOWERS", default)
}

/// Returns the processor time of this process in seconds, including the sandbox. On a busy machine it is more
/// meaningful than elapsed time. Linux only.
pub fn processor_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |field: usize| {
        after_name.split_whitespace().nth(field).and_then(|ticks| ticks.parse::<f64>().ok())
    };
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / TICKS_PER_SECOND
}
