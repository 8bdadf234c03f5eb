//! The history of runs, by the page.

use entity::{account, sync_run};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use super::shown;
use crate::model::{Run, RunId};
use crate::store::{AccountId, Connection, Error};

/// The newest runs first, of all accounts, from below `before` on.
pub async fn list(
    connection: &impl Connection,
    before: Option<RunId>,
    limit: u64,
) -> Result<Vec<Run>, Error> {
    list_by(connection, sync_run::Entity::find(), before, limit).await
}

/// The same, of these accounts only.
pub async fn list_of(
    connection: &impl Connection,
    accounts: &[AccountId],
    before: Option<RunId>,
    limit: u64,
) -> Result<Vec<Run>, Error> {
    let query = sync_run::Entity::find();
    let query = query.filter(sync_run::Column::AccountId.is_in(accounts.iter().copied()));
    list_by(connection, query, before, limit).await
}

async fn list_by(
    connection: &impl Connection,
    query: Select<sync_run::Entity>,
    before: Option<RunId>,
    limit: u64,
) -> Result<Vec<Run>, Error> {
    let mut query = query.order_by_desc(sync_run::Column::Id).limit(limit);
    if let Some(before) = before {
        query = query.filter(sync_run::Column::Id.lt(before));
    }
    let accounts = account::Entity::find().all(connection).await?;
    let appid = |id| accounts.iter().find(|account| account.id == id).map(|found| &*found.appid);
    let runs = query.all(connection).await?;
    runs.into_iter().map(|run| shown(appid(run.account_id), &run)).collect()
}
