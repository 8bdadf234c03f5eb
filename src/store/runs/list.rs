//! Lists runs in pages.

use entity::{account, sync_run};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::shown;
use crate::model::{Run, RunId, RunState};
use crate::store::{AccountId, Connection, Error};

/// Which runs to list; `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Runs of these accounts.
    pub accounts: Option<Vec<AccountId>>,
    /// Runs in this state.
    pub state: Option<RunState>,
}

/// Returns at most `limit` runs of all accounts with ids below `before`, newest first.
pub async fn list(
    connection: &impl Connection,
    before: Option<RunId>,
    limit: u64,
) -> Result<Vec<Run>, Error> {
    list_page(connection, &Filter::default(), before, limit).await
}

/// Like [`list`], for the runs that match the filter.
pub async fn list_page(
    connection: &impl Connection,
    filter: &Filter,
    before: Option<RunId>,
    limit: u64,
) -> Result<Vec<Run>, Error> {
    let mut query = sync_run::Entity::find().order_by_desc(sync_run::Column::Id).limit(limit);
    if let Some(accounts) = &filter.accounts {
        query = query.filter(sync_run::Column::AccountId.is_in(accounts.iter().copied()));
    }
    if let Some(state) = filter.state {
        query = query.filter(sync_run::Column::State.eq(state.as_str()));
    }
    if let Some(before) = before {
        query = query.filter(sync_run::Column::Id.lt(before));
    }
    // The accounts come second: the account of a run exists before the run.
    let runs = query.all(connection).await?;
    let accounts = account::Entity::find().all(connection).await?;
    let appid = |id| accounts.iter().find(|account| account.id == id).map(|found| &*found.appid);
    runs.into_iter().map(|run| shown(appid(run.account_id), &run)).collect()
}
