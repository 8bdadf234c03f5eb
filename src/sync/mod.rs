//! Follower sync: mirrors WeChat's follower list into our database.
//!
//! ```text
//! start → probe → list → plan → profiles → reconcile → write_page → recheck → sweep
//! ```
//!
//! Pages of openids become profiles, profiles become rows. The stages run concurrently: while one
//! page is written, the next page's profiles are fetched and the page after that is listed. The
//! checkpoint moves in the same transaction as the rows, so a crash repeats only the pages in flight, and
//! every write carries the fencing number of the account's lease.
//!
//! A partial crawl never marks the unlisted followers as departed: a sweep requires a list that was
//! walked to a consistent end, and a suspicious sweep waits for an operator. This module knows
//! nothing of HTTP or cron.

mod crawl;
mod decisions;
mod dry_run;
mod entry;
mod erased;
mod error;
mod finish;
mod list;
mod plan;
mod probe;
mod profiles;

mod recheck;
mod reconcile;
mod refresh;
mod retry;
mod run;
mod start;
mod sweep;
mod write_page;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::lease::Holder;
use crate::model::{Run, Trigger};
use crate::store::{AccountId, Store};
use crate::wechat;

pub use decisions::{cancel, confirm};
pub use dry_run::{Forecast, dry_run};
pub use entry::{ActiveRun, begin, resume, run};
pub use error::Error;
pub use run::Outcome;
pub use start::lease_name;

/// The maximum number of openids per `user/info/batchget` call.
const BATCH: usize = 100;

/// The WeChat call that returns profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileApi {
    /// `user/info/batchget`: up to 100 followers per call.
    Batchget,
    /// `user/info`: one follower per call.
    Info,
}

/// How an account is synced.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The call that returns profiles.
    pub profile_api: ProfileApi,
    /// The maximum number of concurrent profile calls.
    pub concurrency: usize,
    /// Each known profile is fetched again once in this many days, spread evenly over the nights.
    pub refresh_after_days: u32,
    /// If a larger share of the followers (and more than 50) would be marked as departed, the sweep
    /// waits for [`confirm`].
    pub max_unfollow_ratio: f64,
    /// The lifetime of the account's lease: how long a replica that died blocks the account.
    pub lease_duration: Duration,
}

/// The dependencies and settings of one account's sync.
#[derive(Clone)]
pub struct Job {
    /// The database.
    pub store: Store,
    /// The account's id in the database.
    pub account: AccountId,
    /// The account's WeChat client. The handle is not shared, because its call counts become the
    /// run's.
    pub wechat: wechat::Account,
    /// How the account is synced.
    pub settings: Settings,
    /// The identity under which this process holds the lease.
    pub holder: Holder,
    /// Fires on shutdown: the run saves a checkpoint and stops.
    pub stop: CancellationToken,
    /// Called after every page.
    pub observer: Observer,
}

/// A progress callback. It receives the run and the follower total that WeChat reports.
pub type Observer = Arc<dyn Fn(&Run, u64) + Send + Sync>;

/// The parameters of [`run()`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What requested the run.
    pub trigger: Trigger,
    /// The schedule tick that the run is for; `None` for a manual run.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// Whether to fetch every profile.
    pub full: bool,
    /// Whether to cancel an interrupted run and start a new one instead of resuming it.
    pub restart: bool,
}
