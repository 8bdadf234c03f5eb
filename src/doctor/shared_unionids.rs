//! Checks whether an Official Account and a Mini Program have unionids in common. If there are many on
//! both sides but none in common, the accounts are bound to different Open Platform accounts, and no user
//! can be resolved.
//!
//! Takes a sample from each side and looks it up on the other.

use super::check::{merge, within};
use super::database::failed;
use super::{Check, Context, DATABASE_TIMEOUT, Name};
use crate::config::{MiniProgram, OfficialAccount};
use crate::store::coverage::{self, Side};
use crate::store::{self, AccountId, Store, accounts};

/// Sample size on each side.
const SAMPLE_SIZE: u64 = 2_000;

/// With fewer unionids on a side, having none in common proves nothing.
const MIN_UNIONIDS: usize = 100;

pub(super) async fn examine(context: &Context<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for account in &context.config.official_accounts {
        for program in &context.config.mini_programs {
            let step = compare(context, account, program);
            let check = merge(within(DATABASE_TIMEOUT, Name::SharedUnionids, step).await);
            checks.push(check.about(format!("{} + {}", account.appid, program.appid)));
        }
    }
    checks
}

async fn compare(
    context: &Context<'_>,
    account: &OfficialAccount,
    program: &MiniProgram,
) -> Result<Check, Check> {
    let name = Name::SharedUnionids;
    let store = context.database.ready().map_err(|why| Check::skipped(name, why))?;
    let failed = |error: store::Error| failed(name, &error);
    let reader = store.reader();
    let account = accounts::find(reader, &account.appid).await.map_err(failed)?;
    let program = accounts::find(reader, &program.appid).await.map_err(failed)?;
    let account = account.ok_or_else(|| Check::skipped(name, "no follower is known yet"))?;
    let program = program.ok_or_else(|| Check::skipped(name, "nobody has logged in yet"))?;
    // Until the first sync is complete, SQLite may lack the index by unionid.
    if accounts::find_crawled_at(reader, account).await.map_err(failed)?.is_none() {
        return Ok(Check::skipped(name, "the first sync is not complete yet"));
    }
    evaluate(store, account, program).await.map_err(failed)
}

async fn evaluate(
    store: &Store,
    account: AccountId,
    program: AccountId,
) -> Result<Check, store::Error> {
    let (name, reader) = (Name::SharedUnionids, store.reader());
    let users = coverage::sample_unionids(reader, Side::Users, program, SAMPLE_SIZE).await?;
    let followers =
        coverage::sample_unionids(reader, Side::Followers, account, SAMPLE_SIZE).await?;
    if users.is_empty() || followers.is_empty() {
        let side = if users.is_empty() { "user" } else { "follower" };
        return Ok(Check::skipped(name, format!("no {side} with a unionid is known")));
    }
    // One sample alone could miss the common unionids if one side is much smaller than the other.
    if coverage::has_any(reader, Side::Followers, account, &users).await?
        || coverage::has_any(reader, Side::Users, program, &followers).await?
    {
        return Ok(Check::ok(name, "users of the Mini Program follow the Official Account"));
    }
    let detail = format!(
        "none of {} users with a unionid follows, and none of {} followers has logged in",
        users.len(),
        followers.len()
    );
    if users.len() < MIN_UNIONIDS || followers.len() < MIN_UNIONIDS {
        return Ok(Check::skipped(name, format!("{detail}: too few to tell")));
    }
    let hint = "bind both to the same Open Platform account at open.weixin.qq.com; otherwise each \
                user has a different unionid in each";
    Ok(Check::warn(name, detail, hint))
}
