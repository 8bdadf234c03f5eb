//! What WeChat says of an Official Account: its token, its followers, their unionids.

use futures::StreamExt;

use super::check::{either, told, within};
use super::tokens::{Granted, Tokens};
use super::{Check, Context, NO_CLIENT, Name, State, quota};
use crate::config::{OfficialAccount, ProfileApi};
use crate::model::{OpenId, Profile};
use crate::wechat::{self, Class, FollowerPage};

/// Followers who are asked for their unionid.
const HANDFUL: usize = 10;

const UNLISTED: &str = "the followers could not be listed";

const NAMES: [Name; 4] = [Name::AccessToken, Name::FollowerList, Name::Quota, Name::Unionids];

pub(super) async fn examine(
    context: &Context<'_>,
    tokens: Option<&Tokens<'_>>,
    account: &OfficialAccount,
) -> Vec<Check> {
    let mut checks = match tokens {
        Some(tokens) => ask(context, tokens, account).await,
        None => NAMES.map(|name| Check::skipped(name, NO_CLIENT)).into(),
    };
    for check in &mut checks {
        check.subject = Some(account.appid.to_string());
    }
    checks
}

async fn ask(context: &Context<'_>, tokens: &Tokens<'_>, account: &OfficialAccount) -> Vec<Check> {
    let limit = context.limit();
    let granted = match within(limit, Name::AccessToken, grant(tokens, account)).await {
        Ok(granted) => granted,
        Err(check) => return skip_rest([check], "there is no access token"),
    };
    let seconds = granted.expires_in.as_secs();
    let token = Check::ok(Name::AccessToken, format!("granted, good for {seconds} s"));
    let calls = granted.calls;
    let (list, page) = match within(limit, Name::FollowerList, list(&calls)).await {
        Ok(listed) => listed,
        Err(check) => return skip_rest([token, check], UNLISTED),
    };
    let followers = page.as_ref().map(|page| page.total);
    let (quota, unionids) = tokio::join!(
        within(limit, Name::Quota, quota::examine(context, account, &calls, followers)),
        within(limit, Name::Unionids, unionids(context, &calls, page.as_ref())),
    );
    vec![token, list, either(quota), either(unionids)]
}

fn skip_rest<const N: usize>(made: [Check; N], why: &str) -> Vec<Check> {
    let rest = NAMES[N..].iter().map(|name| Check::skipped(*name, why));
    made.into_iter().chain(rest).collect()
}

async fn grant(tokens: &Tokens<'_>, account: &OfficialAccount) -> Result<Granted, Check> {
    tokens.grant(account).await.map_err(|refused| {
        let hint = "try again in a minute; `unionid-bridge token show` asks for the same";
        let hint = refused.hint.unwrap_or_else(|| hint.to_owned());
        Check::fail(Name::AccessToken, refused.problem, hint)
    })
}

/// The first page. Where the day's calls are spent there is none, and the quota is still to be told.
async fn list(calls: &wechat::Account) -> Result<(Check, Option<FollowerPage>), Check> {
    match calls.list_followers(None).await {
        Ok(page) => {
            let detail = format!("{} people follow", page.total);
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

/// A call that WeChat did not answer.
pub(super) fn refused(name: Name, error: &wechat::Error) -> Check {
    let hint =
        error.hint().unwrap_or_else(|| "WeChat may be busy: try again in a minute".to_owned());
    Check::fail(name, told(error), hint)
}

async fn unionids(
    context: &Context<'_>,
    calls: &wechat::Account,
    page: Option<&FollowerPage>,
) -> Result<Check, Check> {
    let name = Name::Unionids;
    let page = page.ok_or_else(|| Check::skipped(name, UNLISTED))?;
    let handful = handful(page.openids.as_deref().unwrap_or_default());
    if handful.is_empty() {
        return Ok(Check::skipped(name, "nobody follows"));
    }
    let profiles =
        profiles(context, calls, &handful).await.map_err(|error| match error.class() {
            // Somebody among them may just have left.
            Class::Person => Check::warn(name, told(&error), "run `doctor` again"),
            Class::Quota => Check::skipped(name, told(&error)),
            Class::Config => refused(name, &error).noting(
                "the account may not be allowed this call: look at its permissions in WeChat's \
             console, or set sync.profile_api to the other one",
            ),
            _ => refused(name, &error),
        })?;
    let asked = profiles.iter().filter(|profile| profile.subscribed).count();
    let known = profiles.iter().filter(|profile| profile.subscribed && profile.unionid.is_some());
    Ok(judge(known.count(), asked))
}

fn judge(known: usize, asked: usize) -> Check {
    let name = Name::Unionids;
    let detail = format!("{known} of {asked} followers asked have one");
    match known {
        _ if asked == 0 => {
            Check::warn(name, "WeChat said nothing of those asked", "run `doctor` again")
        }
        0 => Check::fail(
            name,
            detail,
            "bind the account to the Open Platform account that the Mini Programs are bound to, at \
             open.weixin.qq.com; without it there are no unionids",
        ),
        known if known * 2 < asked => Check::warn(
            name,
            detail,
            "the nightly sync asks again for those without; if it stays so, ask WeChat's support",
        ),
        _ => Check::ok(name, detail),
    }
}

/// Some from everywhere on the page.
fn handful(openids: &[String]) -> Vec<OpenId> {
    let step = (openids.len() / HANDFUL).max(1);
    let spread = openids.iter().step_by(step).take(HANDFUL);
    spread.filter_map(|openid| openid.parse().ok()).collect()
}

/// Asks by the call that the account is synced with.
async fn profiles(
    context: &Context<'_>,
    calls: &wechat::Account,
    openids: &[OpenId],
) -> Result<Vec<Profile>, wechat::Error> {
    if context.config.sync.profile_api == ProfileApi::Batchget {
        return calls.profiles(openids).await;
    }
    let asked = futures::stream::iter(openids).then(|openid| calls.profile(openid));
    asked.collect::<Vec<_>>().await.into_iter().collect()
}
