//! Whether an Official Account and a Mini Program know people in common: if none of many, they are
//! bound to different Open Platform accounts, and nobody who logs in will be found.
//!
//! Takes samples of both sides and looks each up on the other.

use super::check::{either, within};
use super::database::failed;
use super::{Check, Context, DATABASE_LIMIT, Name};
use crate::config::{MiniProgram, OfficialAccount};
use crate::store::coverage::{self, Side};
use crate::store::{self, AccountId, Store, accounts};

/// People looked at on each side.
const SAMPLE: u64 = 2_000;

/// With fewer on a side, none in common says nothing.
const MANY: usize = 100;

pub(super) async fn examine(context: &Context<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for account in &context.config.official_accounts {
        for program in &context.config.mini_programs {
            let step = compare(context, account, program);
            let check = either(within(DATABASE_LIMIT, Name::SharedUnionids, step).await);
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
    let store = context.base.ready().map_err(|why| Check::skipped(name, why))?;
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
    judge(store, account, program).await.map_err(failed)
}

async fn judge(
    store: &Store,
    account: AccountId,
    program: AccountId,
) -> Result<Check, store::Error> {
    let (name, reader) = (Name::SharedUnionids, store.reader());
    let users = coverage::sample_unionids(reader, Side::Users, program, SAMPLE).await?;
    let followers = coverage::sample_unionids(reader, Side::Followers, account, SAMPLE).await?;
    if users.is_empty() || followers.is_empty() {
        let whom = if users.is_empty() { "user" } else { "follower" };
        return Ok(Check::skipped(name, format!("no {whom} with a unionid is known")));
    }
    // Either sample alone would miss a side that is small beside the other.
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
    if users.len() < MANY || followers.len() < MANY {
        return Ok(Check::skipped(name, format!("{detail}: too few to tell")));
    }
    let hint = "bind both to the same Open Platform account, at open.weixin.qq.com; bound to \
                different ones, a person has a unionid for each";
    Ok(Check::warn(name, detail, hint))
}
