//! Checks for unionids that changed recently, whether a sync, a login or a callback noticed.

use super::check::{merge, within};
use super::database::failed;
use super::{Check, Context, DATABASE_TIMEOUT, Name};
use crate::model::AppId;
use crate::store::{self, Store, accounts, coverage};

/// For how many days a change is reported.
const REPORT_DAYS: i64 = 7;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Maximum number of records to scan, of all accounts.
const MAX_RECORDS: u64 = 100_000;

pub(super) async fn examine(context: &Context<'_>, appid: &AppId) -> Check {
    let step = check(context, appid);
    let check = within(DATABASE_TIMEOUT, Name::UnionidConflicts, step).await;
    merge(check).about(appid)
}

async fn check(context: &Context<'_>, appid: &AppId) -> Result<Check, Check> {
    let name = Name::UnionidConflicts;
    let store = context.database.ready().map_err(|why| Check::skipped(name, why))?;
    let changed = count(store, appid).await.map_err(|error| failed(name, &error))?;
    Ok(match changed {
        0 => Check::ok(name, format!("no unionid changed in the last {REPORT_DAYS} days")),
        many => Check::warn(
            name,
            format!("{many} unionids changed in the last {REPORT_DAYS} days"),
            "expected if the account was bound to another Open Platform account; then bind the other \
             accounts to it too. Otherwise find out who changed the binding",
        ),
    })
}

async fn count(store: &Store, appid: &AppId) -> Result<u64, store::Error> {
    let Some(account) = accounts::find(store.reader(), appid).await? else { return Ok(0) };
    let since = store.now().await? - REPORT_DAYS * DAY_MS;
    let recorded =
        coverage::count_conflicts_since(store.reader(), account, since, MAX_RECORDS).await?;
    // A run in which every unionid changed only counts them and records none.
    let counted = coverage::count_conflicts_in_runs(store.reader(), account, since).await?;
    Ok(recorded.max(counted))
}
