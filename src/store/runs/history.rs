//! Queries about earlier runs, such as whether a tick had a run and when the latest run started.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use entity::sync_run;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};

use super::instant;
use crate::model::{RunId, RunState};
use crate::store::{AccountId, Connection, Error};

/// Whether the account has a run for any tick in this range, in ms since 1970.
pub async fn exists_for_ticks(
    connection: &impl Connection,
    account: AccountId,
    ticks: RangeInclusive<i64>,
) -> Result<bool, Error> {
    let run = sync_run::Entity::find()
        .filter(sync_run::Column::AccountId.eq(account))
        .filter(sync_run::Column::ScheduledAt.between(*ticks.start(), *ticks.end()));
    Ok(run.one(connection).await?.is_some())
}

/// Whether the account has a run that began after `than`.
pub async fn exists_newer(
    connection: &impl Connection,
    account: AccountId,
    than: RunId,
) -> Result<bool, Error> {
    let newer = sync_run::Entity::find()
        .filter(sync_run::Column::AccountId.eq(account))
        .filter(sync_run::Column::Id.gt(than));
    Ok(newer.count(connection).await? > 0)
}

/// Whether any account has a running or paused run.
pub async fn any_open(connection: &impl Connection) -> Result<bool, Error> {
    let open = [RunState::Running, RunState::Paused].map(RunState::as_str);
    let runs = sync_run::Entity::find().filter(sync_run::Column::State.is_in(open));
    Ok(runs.count(connection).await? > 0)
}

/// The later of the start and the tick of the account's newest run.
pub async fn find_latest_start(
    connection: &impl Connection,
    account: AccountId,
) -> Result<Option<DateTime<Utc>>, Error> {
    let run = sync_run::Entity::find()
        .filter(sync_run::Column::AccountId.eq(account))
        .order_by_desc(sync_run::Column::Id)
        .one(connection)
        .await?;
    let latest = run.map(|run| run.started_at.max(run.scheduled_at.unwrap_or(0)));
    latest.map(instant).transpose()
}
