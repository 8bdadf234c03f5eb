//! Follower sync: mirrors WeChat's follower list into our database.
//!
//! ```text
//! start → list → plan → profiles → sink → sweep
//! ```
//!
//! Pages of openids become profiles, profiles become rows. The stages work at the same time: while
//! one page is written, the profiles of the next are asked for and the one after that is listed.
//! The checkpoint moves in the same transaction as the rows, so a crash repeats at most one page,
//! and every write carries the fencing number of the account's lease.
//!
//! A partial crawl is never read as "the rest left": only a list walked to a consistent end is
//! swept, and a sweep that looks wrong waits for an operator. Knows nothing of HTTP or cron.

mod active;
mod crawl;
mod dry_run;
mod erased;
mod error;
mod finish;
mod list;
mod operator;
mod plan;
mod probe;
mod profiles;
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

pub use active::{ActiveRun, begin, resume, run};
pub use dry_run::{Forecast, dry_run};
pub use error::Error;
pub use operator::{cancel, confirm};
pub use run::Outcome;
pub use start::lease_name;

/// What `user/info/batchget` takes at most.
const BATCH: usize = 100;

/// Which call tells profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileApi {
    /// `user/info/batchget`, a hundred followers a call.
    Batchget,
    /// `user/info`, one follower a call.
    Info,
}

/// How an account is synced.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Which call tells profiles.
    pub profile_api: ProfileApi,
    /// Profile calls in flight.
    pub concurrency: usize,
    /// A known profile is asked again this often, spread over the nights.
    pub refresh_after_days: u32,
    /// A larger share of departures, beyond 50, waits for [`confirm`].
    pub max_unfollow_ratio: f64,
    /// How long a replica that died blocks the account.
    pub lease_life: Duration,
}

/// What a sync of one account works with.
#[derive(Clone)]
pub struct Job {
    /// The database.
    pub store: Store,
    /// The account's number there.
    pub account: AccountId,
    /// The account at WeChat, a handle of its own: its calls are counted as the run's.
    pub wechat: wechat::Account,
    /// How.
    pub settings: Settings,
    /// Who holds the lease.
    pub holder: Holder,
    /// Fires when the process is asked to end: the run checkpoints and leaves.
    pub stop: CancellationToken,
    /// Told after every page.
    pub observer: Observer,
}

/// Told how a run stands and how many followers WeChat says there are.
pub type Observer = Arc<dyn Fn(&Run, u64) + Send + Sync>;

/// What is asked of [`run()`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What asks.
    pub trigger: Trigger,
    /// The tick it is for.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// Ask for every profile.
    pub full: bool,
    /// Give an interrupted run up and begin anew.
    pub restart: bool,
}
