//! Which accounts a request is about, Official Accounts and Mini Programs alike.

use crate::http::Context;
use crate::http::auth::Caller;
use crate::http::error::Problem;
use crate::model::AppId;

/// The accounts that are meant: the one named, or all that the key is for.
pub(super) fn meant<'c, S>(
    context: &'c Context,
    caller: &Caller<S>,
    asked: Option<&AppId>,
) -> Result<Vec<&'c AppId>, Problem> {
    let Some(asked) = asked else {
        return Ok(configured(context).filter(|appid| caller.allows(appid)).collect());
    };
    caller.may_name(asked)?;
    match configured(context).find(|appid| *appid == asked) {
        Some(appid) => Ok(vec![appid]),
        None => {
            let detail = format!("{asked} is none of the accounts configured here");
            let problem = Problem::not_found("account_unknown", detail);
            Err(problem.hint(caller.configured(configured(context))))
        }
    }
}

fn configured(context: &Context) -> impl Iterator<Item = &AppId> {
    let config = &context.app.config;
    let official = config.official_accounts.iter().map(|account| &account.appid);
    official.chain(config.mini_programs.iter().map(|program| &program.appid))
}
