//! A run of the follower sync: what it is doing and what it has counted.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::AppId;
use super::word::word;

/// The number of a run, rising with time.
pub type RunId = i64;

word!(
    /// Where a run stands.
    RunState {
        /// Under way, or interrupted and not yet resumed.
        Running = "running",
        /// Waiting, with its checkpoint: for a quota's reset, or for WeChat or the disk to return.
        Paused = "paused",
        /// Crawled to the end, and the sweep looks wrong: waits for `runs confirm`.
        Held = "held",
        /// Done, departures included.
        Succeeded = "succeeded",
        /// Ended with an error; what was committed stays, nothing was swept.
        Failed = "failed",
        /// Ended by an operator, or replaced by a newer run.
        Cancelled = "cancelled",
    }
);

impl RunState {
    /// Whether the run can go on from its checkpoint.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

word!(
    /// What started a run.
    Trigger {
        /// A person or a script, by the command line or the API.
        Manual = "manual",
        /// The schedule.
        Schedule = "schedule",
        /// The schedule, late: the service was down at the tick.
        CatchUp = "catch_up",
    }
);

word!(
    /// How many profiles a run asks for.
    Mode {
        /// New followers, those without a unionid, and tonight's share of the known ones.
        Incremental = "incremental",
        /// Everybody.
        Full = "full",
    }
);

/// What a run has counted. `listed = known + fetched + quarantined + vanished`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Pages of openids committed.
    pub pages: u64,
    /// Openids in those pages, blanks and repetitions within a page left out.
    pub listed: u64,
    /// Listed, already mirrored, and not asked again.
    pub known: u64,
    /// Listed and asked, and WeChat answered with a follower.
    pub fetched: u64,
    /// Listed, and WeChat refuses to answer for them.
    pub quarantined: u64,
    /// Listed, and gone when they were asked.
    pub vanished: u64,
    /// Rows inserted or changed.
    pub upserted: u64,
    /// Departures swept.
    pub unfollowed: u64,
    /// Followers of the account without a unionid when the run ended.
    pub missing_unionid: u64,
    /// Unionids that WeChat changed and a single look-up confirmed.
    pub conflicts: u64,
}

/// A run, as `sync --json`, `runs show --json` and the API give it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// The number of the run.
    pub id: RunId,
    /// The Official Account.
    pub appid: AppId,
    /// Where it stands.
    pub state: RunState,
    /// What started it.
    pub trigger: Trigger,
    /// How much it asks for.
    pub mode: Mode,
    /// What it has counted.
    #[serde(flatten)]
    pub counts: Counts,
    /// The tick of the schedule it was started for.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// When it was started first.
    pub started_at: DateTime<Utc>,
    /// When it ended; absent while it can still go on.
    pub finished_at: Option<DateTime<Utc>>,
    /// For a paused run: not before this instant.
    pub resume_at: Option<DateTime<Utc>>,
    /// The page, counted from 1, at which the latest start of this run went on.
    pub resumed_at_page: Option<u64>,
    /// Calls sent to WeChat, repetitions included, by the path below `/cgi-bin/`.
    pub calls: BTreeMap<String, u64>,
    /// Time spent working, in seconds, over all starts.
    pub seconds: f64,
    /// Why it paused, is held or failed.
    pub error: Option<String>,
    /// What an operator should know although the run went on.
    pub warning: Option<String>,
}
