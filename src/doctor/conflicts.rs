//! Unionids that changed lately, in whichever way that was noticed.

use super::check::{either, within};
use super::database::failed;
use super::{Check, Context, DATABASE_LIMIT, Name};
use crate::model::AppId;
use crate::store::{self, Store, accounts, coverage};

/// For how long a change is news.
const NEWS_DAYS: i64 = 7;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Records that are looked at, of all accounts.
const MOST: u64 = 100_000;

pub(super) async fn examine(context: &Context<'_>, appid: &AppId) -> Check {
    let step = look(context, appid);
    let check = within(DATABASE_LIMIT, Name::UnionidConflicts, step).await;
    either(check).about(appid)
}

async fn look(context: &Context<'_>, appid: &AppId) -> Result<Check, Check> {
    let name = Name::UnionidConflicts;
    let store = context.base.ready().map_err(|why| Check::skipped(name, why))?;
    let changed = count(store, appid).await.map_err(|error| failed(name, &error))?;
    Ok(match changed {
        0 => Check::ok(name, format!("no unionid changed in {NEWS_DAYS} days")),
        many => Check::warn(
            name,
            format!("{many} unionids changed in {NEWS_DAYS} days"),
            "expected where the account was bound to another Open Platform account: then the other \
             accounts have to follow it; otherwise ask who changed the binding",
        ),
    })
}

async fn count(store: &Store, appid: &AppId) -> Result<u64, store::Error> {
    let Some(account) = accounts::find(store.reader(), appid).await? else { return Ok(0) };
    let since = store.now().await? - NEWS_DAYS * DAY_MS;
    let recorded = coverage::count_conflicts_since(store.reader(), account, since, MOST).await?;
    // A run that finds everybody's changed counts them, and records none.
    let counted = coverage::count_conflicts_in_runs(store.reader(), account, since).await?;
    Ok(recorded.max(counted))
}
