//! Checks of an Official Account at WeChat: access token, follower list, quota, unionids.

use futures::StreamExt;

use super::check::{merge, within};
use super::tokens::{Granted, Tokens};
use super::{Check, Context, NO_CLIENT, Name, State, quota};
use crate::config::{OfficialAccount, ProfileApi};
use crate::error_chain::error_chain;
use crate::model::{OpenId, Profile};
use crate::wechat::{self, Class, FollowerPage};

/// Number of followers whose unionid is checked.
const SAMPLE: usize = 10;

const NOT_LISTED: &str = "the followers could not be listed";

const NAMES: [Name; 4] = [Name::AccessToken, Name::FollowerList, Name::Quota, Name::Unionids];

pub(super) async fn examine(
    context: &Context<'_>,
    tokens: Option<&Tokens<'_>>,
    account: &OfficialAccount,
) -> Vec<Check> {
    let mut checks = match tokens {
        Some(tokens) => run_checks(context, tokens, account).await,
        None => NAMES.map(|name| Check::skipped(name, NO_CLIENT)).into(),
    };
    for check in &mut checks {
        check.subject = Some(account.appid.to_string());
    }
    checks
}

async fn run_checks(
    context: &Context<'_>,
    tokens: &Tokens<'_>,
    account: &OfficialAccount,
) -> Vec<Check> {
    let limit = context.limit();
    let granted = match within(limit, Name::AccessToken, grant(tokens, account)).await {
        Ok(granted) => granted,
        Err(check) => return skip_rest([check], "there is no access token"),
    };
    let seconds = granted.expires_in.as_secs();
    let token = Check::ok(Name::AccessToken, format!("granted, valid for {seconds} s"));
    let calls = granted.calls;
    let (list, page) = match within(limit, Name::FollowerList, list(&calls)).await {
        Ok(listed) => listed,
        Err(check) => return skip_rest([token, check], NOT_LISTED),
    };
    let followers = page.as_ref().map(|page| page.total);
    let (quota, unionids) = tokio::join!(
        within(limit, Name::Quota, quota::examine(context, account, &calls, followers)),
        within(limit, Name::Unionids, unionids(context, &calls, page.as_ref())),
    );
    vec![token, list, merge(quota), merge(unionids)]
}

/// Adds the checks after the first `N` of [`NAMES`] as skipped.
fn skip_rest<const N: usize>(done: [Check; N], why: &str) -> Vec<Check> {
    let rest = NAMES[N..].iter().map(|name| Check::skipped(*name, why));
    done.into_iter().chain(rest).collect()
}

async fn grant(tokens: &Tokens<'_>, account: &OfficialAccount) -> Result<Granted, Check> {
    tokens.grant(account).await.map_err(|refused| {
        let hint = "try again in a minute; `unionid-bridge token show` makes the same request";
        let hint = refused.hint.unwrap_or_else(|| hint.to_owned());
        Check::fail(Name::AccessToken, refused.problem, hint)
    })
}

/// Fetches the first page. If the daily quota is used up, returns a warning without a page, so that the
/// quota check still runs.
async fn list(calls: &wechat::Account) -> Result<(Check, Option<FollowerPage>), Check> {
    match calls.list_followers(None).await {
        Ok(page) => {
            let detail = format!("{} followers", page.total);
            Ok((Check::ok(Name::FollowerList, detail), Some(page)))
        }
        Err(error) => {
            let check = refused(Name::FollowerList, &error);
            match error.class() {
                Class::Quota => Ok((Check { state: State::Warn, ..check }, None)),
                _ => Err(check),
            }
        }
    }
}

/// Returns a failed check for a call that WeChat did not answer or rejected.
pub(super) fn refused(name: Name, error: &wechat::Error) -> Check {
    let hint =
        error.hint().unwrap_or_else(|| "WeChat may be busy: try again in a minute".to_owned());
    Check::fail(name, error_chain(error), hint)
}

async fn unionids(
    context: &Context<'_>,
    calls: &wechat::Account,
    page: Option<&FollowerPage>,
) -> Result<Check, Check> {
    let name = Name::Unionids;
    let page = page.ok_or_else(|| Check::skipped(name, NOT_LISTED))?;
    let sample = sample(page.openids.as_deref().unwrap_or_default());
    if sample.is_empty() {
        return Ok(Check::skipped(name, "the account has no followers"));
    }
    let profiles =
        profiles(context, calls, &sample).await.map_err(|error| match error.class() {
            // A follower in the sample may just have left.
            Class::Person => Check::warn(name, error_chain(&error), "run `doctor` again"),
            Class::Quota => Check::skipped(name, error_chain(&error)),
            Class::Config => refused(name, &error).with_hint(
                "the account may lack permission for this call: check its permissions in WeChat's \
             console, or set sync.profile_api to the other value",
            ),
            _ => refused(name, &error),
        })?;
    let checked = profiles.iter().filter(|profile| profile.subscribed).count();
    let with_unionid =
        profiles.iter().filter(|profile| profile.subscribed && profile.unionid.is_some());
    Ok(evaluate(with_unionid.count(), checked))
}

fn evaluate(with_unionid: usize, checked: usize) -> Check {
    let name = Name::Unionids;
    let detail = format!("{with_unionid} of {checked} sampled followers have a unionid");
    match with_unionid {
        _ if checked == 0 => {
            Check::warn(name, "WeChat returned no profile of the sample", "run `doctor` again")
        }
        0 => Check::fail(
            name,
            detail,
            "bind the account to the Open Platform account that the Mini Programs are bound to, at \
             open.weixin.qq.com; without it there are no unionids",
        ),
        few if few * 2 < checked => Check::warn(
            name,
            detail,
            "the nightly sync fetches missing unionids again; if this persists, contact WeChat's support",
        ),
        _ => Check::ok(name, detail),
    }
}

/// Returns a sample spread evenly over the page.
fn sample(openids: &[String]) -> Vec<OpenId> {
    let step = (openids.len() / SAMPLE).max(1);
    let sample = openids.iter().step_by(step).take(SAMPLE);
    sample.filter_map(|openid| openid.parse().ok()).collect()
}

/// Fetches profiles with the call that syncs use.
async fn profiles(
    context: &Context<'_>,
    calls: &wechat::Account,
    openids: &[OpenId],
) -> Result<Vec<Profile>, wechat::Error> {
    if context.config.sync.profile_api == ProfileApi::Batchget {
        return calls.profiles(openids).await;
    }
    let profiles = futures::stream::iter(openids).then(|openid| calls.profile(openid));
    profiles.collect::<Vec<_>>().await.into_iter().collect()
}
