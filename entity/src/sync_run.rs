//! Runs of the follower sync.

use sea_orm::entity::prelude::*;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sync_run")]
pub struct Model {
    /// Assigned by the database, in increasing order.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The Official Account.
    pub account_id: i32,
    /// The name of a `model::RunState`.
    pub state: String,
    /// The name of a `model::Trigger`.
    pub started_by: String,
    /// The name of a `model::Mode`.
    pub mode: String,
    /// The tick of the schedule, in ms; each account has at most one run per tick.
    pub scheduled_at: Option<i64>,
    /// When the run first started, in ms, in database time.
    pub started_at: i64,
    /// When the run ended, in ms.
    pub finished_at: Option<i64>,
    /// The earliest time at which a paused run may resume, in ms.
    pub resume_at: Option<i64>,
    /// The fencing number of the lease under which the run may be written.
    pub fence: i64,
    /// The cursor of the next page; empty for the first page and after the end of the run.
    pub next_openid: String,
    /// Whether the last page of the list was committed.
    pub listed_all: bool,
    /// `total` on the first page.
    pub total_first: i64,
    /// `total` on the latest page.
    pub total_last: i64,
    /// Pages committed. This and the next nine columns are `model::Counts`.
    pub pages: i64,
    /// Openids listed.
    pub listed: i64,
    /// Listed followers that were known and whose profiles were not fetched.
    pub known: i64,
    /// Profiles fetched.
    pub fetched: i64,
    /// Openids for which WeChat returned no profile.
    pub quarantined: i64,
    /// Listed followers who had unfollowed when their profiles were fetched.
    pub vanished: i64,
    /// Rows inserted or changed.
    pub upserted: i64,
    /// Followers that the run found to have unfollowed.
    pub unfollowed: i64,
    /// Followers without a unionid.
    pub missing_unionid: i64,
    /// Changed unionids.
    pub conflicts: i64,
    /// The page, counted from 1, at which the run last resumed.
    pub resumed_at_page: Option<i64>,
    /// The number of calls to WeChat by name, a JSON object.
    pub calls: String,
    /// The working time of the run in ms, without pauses.
    pub worked_ms: i64,
    /// Why the run paused, is held or failed.
    pub error: Option<String>,
    /// A problem that did not stop the run but that an operator should know.
    pub warning: Option<String>,
}

/// No relations: queries write their joins explicitly.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
