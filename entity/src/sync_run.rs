//! Runs of the follower sync.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_run")]
pub struct Model {
    /// Rises with time.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The Official Account.
    pub account_id: i32,
    /// `model::RunState` as a word.
    pub state: String,
    /// `model::Trigger` as a word.
    pub started_by: String,
    /// `model::Mode` as a word.
    pub mode: String,
    /// The tick of the schedule; one run per account and tick.
    pub scheduled_at: Option<i64>,
    /// When it was started first, on the database's clock.
    pub started_at: i64,
    /// When it ended.
    pub finished_at: Option<i64>,
    /// For a paused run: not before.
    pub resume_at: Option<i64>,
    /// The fencing number of the lease under which the run may be written.
    pub fence: i64,
    /// The cursor of the next page; empty at the first.
    pub next_openid: String,
    /// Whether the last page was reached.
    pub listed_all: bool,
    /// `total` on the first page.
    pub total_first: i64,
    /// `total` on the latest page.
    pub total_last: i64,
    /// Pages committed; this and the next nine are `model::Counts`.
    pub pages: i64,
    /// Openids listed.
    pub listed: i64,
    /// Known and not asked.
    pub known: i64,
    /// Asked and answered.
    pub fetched: i64,
    /// Refused by WeChat.
    pub quarantined: i64,
    /// Gone when asked.
    pub vanished: i64,
    /// Rows inserted or changed.
    pub upserted: i64,
    /// Departures swept.
    pub unfollowed: i64,
    /// Followers without a unionid.
    pub missing_unionid: i64,
    /// Changed unionids.
    pub conflicts: i64,
    /// The page, counted from 1, at which the latest start went on.
    pub resumed_at_page: Option<i64>,
    /// Calls to WeChat by name, a JSON object.
    pub calls: String,
    /// Time spent working, in milliseconds, over all starts.
    pub worked_ms: i64,
    /// Why it paused, is held or failed.
    pub error: Option<String>,
    /// What an operator should know although the run went on.
    pub warning: Option<String>,
}

/// None: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
