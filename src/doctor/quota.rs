//! Checks whether an account's daily quotas are sufficient for the next sync.

use super::account::refused;
use super::database::failed;
use super::forecast::{Known, Need, Sufficiency};
use super::{Check, Context, Name, State};
use crate::config::{OfficialAccount, ProfileApi};
use crate::model::RunState;
use crate::store::{self, Store, accounts, runs};
use crate::wechat::{self, Quota};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A WeChat call that the next sync makes, and how often.
struct Needed {
    path: &'static str,
    calls: u64,
}

pub(super) async fn examine(
    context: &Context<'_>,
    account: &OfficialAccount,
    calls: &wechat::Account,
    followers: Option<u64>,
) -> Result<Check, Check> {
    let known = known(context, account, followers).await;
    let known = known.map_err(|error| failed(Name::Quota, &error))?;
    let mut statuses = Vec::new();
    for needed in needed(context, Need::of(known)) {
        let quota = calls.quota(needed.path).await.map_err(|error| unknown_quota(&error))?;
        statuses.push((needed, quota));
    }
    Ok(evaluate(&statuses))
}

/// Returns a warning if WeChat does not report the quota: a sync may still work.
fn unknown_quota(error: &wechat::Error) -> Check {
    let check = refused(Name::Quota, error);
    Check { state: State::Warn, ..check }
}

/// Returns what the database knows about the account, or without one, the state before a first sync.
async fn known(
    context: &Context<'_>,
    account: &OfficialAccount,
    followers: Option<u64>,
) -> Result<Known, store::Error> {
    let refresh_days = u64::from(context.config.sync.refresh_after_days);
    let unknown = Known { followers: 0, mirrored: None, missing: 0, refresh_days, nights: 1 };
    let known = match context.database.ready() {
        Ok(store) => from_history(store, account, unknown).await?,
        Err(_) => unknown,
    };
    let followers = followers.or(known.mirrored).unwrap_or(0);
    Ok(Known { followers, ..known })
}

async fn from_history(
    store: &Store,
    account: &OfficialAccount,
    unknown: Known,
) -> Result<Known, store::Error> {
    let Some(number) = accounts::find(store.reader(), &account.appid).await? else {
        return Ok(unknown);
    };
    let complete = [RunState::Succeeded, RunState::Held];
    let latest = runs::find_latest(store.reader(), number, &complete).await?;
    let crawled_at = accounts::find_crawled_at(store.reader(), number).await?;
    let (Some(latest), Some(crawled_at)) = (latest, crawled_at) else {
        return Ok(unknown);
    };
    let counts = latest.run.counts;
    let nights = (store.now().await? - crawled_at).max(0) / DAY_MS + 1;
    Ok(Known {
        mirrored: Some(counts.listed),
        missing: counts.missing_unionid,
        nights: nights.cast_unsigned(),
        ..unknown
    })
}

fn needed(context: &Context<'_>, need: Need) -> [Needed; 2] {
    let profiles = match context.config.sync.profile_api {
        ProfileApi::Batchget => {
            Needed { path: "/cgi-bin/user/info/batchget", calls: need.batches() }
        }
        ProfileApi::Info => Needed { path: "/cgi-bin/user/info", calls: need.profiles },
    };
    [Needed { path: "/cgi-bin/user/get", calls: need.pages }, profiles]
}

fn evaluate(statuses: &[(Needed, Quota)]) -> Check {
    let name = Name::Quota;
    let parts: Vec<_> =
        statuses.iter().map(|(needed, quota)| format_need(needed, *quota)).collect();
    let detail = format!("the next sync needs {}", parts.join(", "));
    let sufficiency = |(needed, quota): &(Needed, Quota)| {
        Sufficiency::of(needed.calls, quota.remain, quota.daily_limit)
    };
    if statuses.iter().any(|status| sufficiency(status) == Sufficiency::Never) {
        let hint = "a sync will pause and resume the next day: ask WeChat for a higher quota, or \
                    raise sync.refresh_after_days";
        return Check::fail(name, detail, hint);
    }
    if statuses.iter().any(|status| sufficiency(status) == Sufficiency::AfterReset) {
        let hint = "a sync will pause until WeChat resets the quota at midnight (UTC+8); check which \
                    other programs make these calls for the account";
        return Check::warn(name, detail, hint);
    }
    Check::ok(name, detail)
}

fn format_need(needed: &Needed, quota: Quota) -> String {
    let call = needed.path.trim_start_matches("/cgi-bin/");
    let calls = needed.calls;
    match (quota.remain, quota.daily_limit) {
        (Some(remain), Some(daily)) => format!("{calls} {call} ({remain} of {daily} left today)"),
        (Some(remain), None) => format!("{calls} {call} ({remain} left today)"),
        (None, _) => format!("{calls} {call} (WeChat reports no limit)"),
    }
}
