//! A run of the follower sync: its state and its counts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::AppId;
use super::string_enum::string_enum;

/// The id of a run. Later runs have larger ids.
pub type RunId = i64;

string_enum!(
    /// The state of a run.
    RunState {
        /// In progress, or interrupted and not yet resumed.
        Running = "running",
        /// Waiting with its checkpoint, for a quota reset, or for WeChat or the disk to recover.
        Paused = "paused",
        /// The crawl is complete, but the sweep looks wrong: waits for `runs confirm`.
        Held = "held",
        /// Complete, including departures.
        Succeeded = "succeeded",
        /// Ended with an error. Committed pages remain; nothing was swept.
        Failed = "failed",
        /// Ended by an operator, or replaced by a newer run.
        Cancelled = "cancelled",
    }
);

impl RunState {
    /// Whether the run can resume from its checkpoint.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

string_enum!(
    /// What started a run.
    Trigger {
        /// A person or a script, through the command line or the API.
        Manual = "manual",
        /// The schedule.
        Schedule = "schedule",
        /// The schedule, late: the service was down at the scheduled time.
        CatchUp = "catch_up",
    }
);

string_enum!(
    /// How many profiles a run fetches.
    Mode {
        /// New followers, followers without a unionid, and tonight's share of the known ones.
        Incremental = "incremental",
        /// All followers.
        Full = "full",
    }
);

/// The counts of a run. `listed = known + fetched + quarantined + vanished`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Pages of openids committed.
    pub pages: u64,
    /// Openids in those pages, without blanks and repetitions within a page.
    pub listed: u64,
    /// Listed openids that were already mirrored and not fetched again.
    pub known: u64,
    /// Listed openids whose profiles WeChat returned.
    pub fetched: u64,
    /// Listed openids whose profiles WeChat refuses to return.
    pub quarantined: u64,
    /// Listed openids that had unfollowed when their profiles were fetched.
    pub vanished: u64,
    /// Rows inserted or changed.
    pub upserted: u64,
    /// Departures recorded by the sweep.
    pub unfollowed: u64,
    /// Followers of the account without a unionid when the run ended.
    pub missing_unionid: u64,
    /// Unionids that WeChat changed and a single lookup confirmed.
    pub conflicts: u64,
}

/// A run, as `sync --json`, `runs show --json` and the API return it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// The id of the run.
    pub id: RunId,
    /// The Official Account.
    pub appid: AppId,
    /// The state.
    pub state: RunState,
    /// What started it.
    pub trigger: Trigger,
    /// How many profiles it fetches.
    pub mode: Mode,
    /// What it has counted so far.
    #[serde(flatten)]
    pub counts: Counts,
    /// The scheduled time it was started for.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// When it was first started.
    pub started_at: DateTime<Utc>,
    /// When it ended; absent while it can still resume.
    pub finished_at: Option<DateTime<Utc>>,
    /// For a paused run: the earliest time to resume.
    pub resume_at: Option<DateTime<Utc>>,
    /// The page, counted from 1, at which the latest start resumed.
    pub resumed_at_page: Option<u64>,
    /// Calls to WeChat including retries, by path below `/cgi-bin/`.
    pub calls: BTreeMap<String, u64>,
    /// Time spent working over all starts, in seconds.
    pub seconds: f64,
    /// Why it is paused or held, or why it failed.
    pub error: Option<String>,
    /// A warning for the operator that did not stop the run.
    pub warning: Option<String>,
}
