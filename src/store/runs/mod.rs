//! Runs of the follower sync and their checkpoints.
//!
//! Writes to a run require the fencing number of the lease under which it was started or taken over. So a
//! process that lost the lease writes nothing, not even by a statement that it sent before.

mod history;
mod list;
mod pages;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use entity::{account, sync_run};
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::{AccountId, Connection, Error, Transaction};
use crate::model::{AppId, Counts, Mode, Run, RunId, RunState, Trigger};

pub use history::{any_open, exists_for_ticks, exists_newer, find_latest_start};
pub use list::{Filter, list, list_page};
pub use pages::{Page, delete_pages, insert_page, list_pages};

/// A run with its checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The run as shown to users.
    pub run: Run,
    /// The number of the account.
    pub account: AccountId,
    /// The fencing number of the lease under which the run may be written.
    pub fence: i64,
    /// The cursor of the next page; empty for the first page.
    pub next_openid: String,
    /// Whether the last page of the list was committed.
    pub listed_all: bool,
    /// `total` on the first page.
    pub total_first: u64,
    /// `total` on the latest page.
    pub total_last: u64,
}

/// The initial values of a new run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// The number of the account.
    pub account: AccountId,
    /// What started the run.
    pub trigger: Trigger,
    /// Which profiles the run fetches.
    pub mode: Mode,
    /// The tick of the schedule; each account has at most one run per tick.
    pub scheduled_at: Option<DateTime<Utc>>,
    /// The start of the run, in ms, in database time.
    pub started_at: i64,
    /// The fencing number of the lease under which the run starts.
    pub fence: i64,
}

/// Inserts a new run. Returns [`Error::Duplicate`] if the tick already has a run.
pub async fn insert(connection: &impl Connection, new: &NewRun) -> Result<RunId, Error> {
    let row = sync_run::ActiveModel {
        account_id: ActiveValue::set(new.account),
        state: ActiveValue::set(RunState::Running.to_string()),
        started_by: ActiveValue::set(new.trigger.to_string()),
        mode: ActiveValue::set(new.mode.to_string()),
        scheduled_at: ActiveValue::set(new.scheduled_at.map(|at| at.timestamp_millis())),
        started_at: ActiveValue::set(new.started_at),
        fence: ActiveValue::set(new.fence),
        next_openid: ActiveValue::set(String::new()),
        listed_all: ActiveValue::set(false),
        calls: ActiveValue::set("{}".to_owned()),
        ..Default::default()
    };
    Ok(row.insert(connection).await?.id)
}

/// Finds a run by its id.
pub async fn find(connection: &impl Connection, id: RunId) -> Result<Option<Record>, Error> {
    let run = sync_run::Entity::find_by_id(id).one(connection).await?;
    match run {
        Some(run) => Ok(Some(with_account(connection, run).await?)),
        None => Ok(None),
    }
}

/// Finds a run and locks it until the transaction ends. Waits for other transactions that changed it, and
/// returns the latest committed version.
pub async fn lock(transaction: &Transaction, id: RunId) -> Result<Option<Record>, Error> {
    let run = sync_run::Entity::find_by_id(id).lock_exclusive().one(transaction).await?;
    match run {
        Some(run) => Ok(Some(with_account(transaction, run).await?)),
        None => Ok(None),
    }
}

/// Finds the account's newest run in one of `states`.
pub async fn find_latest(
    connection: &impl Connection,
    account: AccountId,
    states: &[RunState],
) -> Result<Option<Record>, Error> {
    let run = sync_run::Entity::find()
        .filter(sync_run::Column::AccountId.eq(account))
        .filter(sync_run::Column::State.is_in(states.iter().map(|state| state.as_str())))
        .order_by_desc(sync_run::Column::Id)
        .one(connection)
        .await?;
    match run {
        Some(run) => Ok(Some(with_account(connection, run).await?)),
        None => Ok(None),
    }
}

/// Takes over a run under a newer lease. Returns `false` if a still newer lease already took it over.
pub async fn take_over(connection: &impl Connection, id: RunId, fence: i64) -> Result<bool, Error> {
    let taken = sync_run::Entity::update_many()
        .col_expr(sync_run::Column::Fence, fence.into())
        .filter(sync_run::Column::Id.eq(id))
        .filter(sync_run::Column::Fence.lte(fence))
        .exec(connection)
        .await?;
    Ok(taken.rows_affected == 1)
}

/// Saves all mutable columns of a run. Returns `false` if another process took over the run.
pub async fn save(connection: &impl Connection, record: &Record) -> Result<bool, Error> {
    let saved = sync_run::Entity::update_many()
        .set(mutable_columns(record)?)
        .filter(sync_run::Column::Id.eq(record.run.id))
        .filter(sync_run::Column::Fence.eq(record.fence))
        .exec(connection)
        .await?;
    Ok(saved.rows_affected == 1)
}

async fn with_account(connection: &impl Connection, run: sync_run::Model) -> Result<Record, Error> {
    let account = account::Entity::find_by_id(run.account_id).one(connection).await?;
    Ok(Record {
        run: shown(account.as_ref().map(|account| &*account.appid), &run)?,
        account: run.account_id,
        fence: run.fence,
        next_openid: run.next_openid,
        listed_all: run.listed_all,
        total_first: run.total_first.cast_unsigned(),
        total_last: run.total_last.cast_unsigned(),
    })
}

fn shown(appid: Option<&str>, run: &sync_run::Model) -> Result<Run, Error> {
    let unexpected = || Error::unexpected("a sync run in the database is malformed");
    let appid: AppId = appid.ok_or_else(unexpected)?.parse().map_err(|_| unexpected())?;
    let calls: BTreeMap<String, u64> =
        serde_json::from_str(&run.calls).map_err(|_| unexpected())?;
    Ok(Run {
        id: run.id,
        appid,
        state: RunState::from_code(&run.state).ok_or_else(unexpected)?,
        trigger: Trigger::from_code(&run.started_by).ok_or_else(unexpected)?,
        mode: Mode::from_code(&run.mode).ok_or_else(unexpected)?,
        counts: counts(run),
        scheduled_at: run.scheduled_at.map(instant).transpose()?,
        started_at: instant(run.started_at)?,
        finished_at: run.finished_at.map(instant).transpose()?,
        resume_at: run.resume_at.map(instant).transpose()?,
        resumed_at_page: run.resumed_at_page.map(i64::cast_unsigned),
        calls,
        seconds: run.worked_ms as f64 / 1000.0,
        error: run.error.clone(),
        warning: run.warning.clone(),
    })
}

fn counts(run: &sync_run::Model) -> Counts {
    Counts {
        pages: run.pages.cast_unsigned(),
        listed: run.listed.cast_unsigned(),
        known: run.known.cast_unsigned(),
        fetched: run.fetched.cast_unsigned(),
        quarantined: run.quarantined.cast_unsigned(),
        vanished: run.vanished.cast_unsigned(),
        upserted: run.upserted.cast_unsigned(),
        unfollowed: run.unfollowed.cast_unsigned(),
        missing_unionid: run.missing_unionid.cast_unsigned(),
        conflicts: run.conflicts.cast_unsigned(),
    }
}

fn mutable_columns(record: &Record) -> Result<sync_run::ActiveModel, Error> {
    let Run { counts, .. } = &record.run;
    let calls = serde_json::to_string(&record.run.calls)
        .map_err(|_| Error::unexpected("the counts of calls cannot be serialised"))?;
    let number = |count: u64| ActiveValue::set(count.cast_signed());
    let millis = |at: Option<DateTime<Utc>>| ActiveValue::set(at.map(|at| at.timestamp_millis()));
    // The cursor is the openid of a follower. It is cleared when the run ends, so that a later erasure of
    // that follower need not search the runs.
    let cursor = if record.run.state.is_open() { &*record.next_openid } else { "" };
    Ok(sync_run::ActiveModel {
        state: ActiveValue::set(record.run.state.to_string()),
        mode: ActiveValue::set(record.run.mode.to_string()),
        scheduled_at: millis(record.run.scheduled_at),
        finished_at: millis(record.run.finished_at),
        resume_at: millis(record.run.resume_at),
        next_openid: ActiveValue::set(cursor.to_owned()),
        listed_all: ActiveValue::set(record.listed_all),
        total_first: number(record.total_first),
        total_last: number(record.total_last),
        pages: number(counts.pages),
        listed: number(counts.listed),
        known: number(counts.known),
        fetched: number(counts.fetched),
        quarantined: number(counts.quarantined),
        vanished: number(counts.vanished),
        upserted: number(counts.upserted),
        unfollowed: number(counts.unfollowed),
        missing_unionid: number(counts.missing_unionid),
        conflicts: number(counts.conflicts),
        resumed_at_page: ActiveValue::set(record.run.resumed_at_page.map(u64::cast_signed)),
        calls: ActiveValue::set(calls),
        worked_ms: ActiveValue::set((record.run.seconds * 1000.0) as i64),
        error: ActiveValue::set(record.run.error.clone()),
        warning: ActiveValue::set(record.run.warning.clone()),
        ..Default::default()
    })
}

fn instant(millis: i64) -> Result<DateTime<Utc>, Error> {
    DateTime::from_timestamp_millis(millis)
        .ok_or_else(|| Error::unexpected("a time in the database is out of range"))
}
