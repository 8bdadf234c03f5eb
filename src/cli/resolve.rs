//! `resolve`: finds a user's openid in an Official Account, with the same result as the API.

use clap::{ArgGroup, Args};
use serde::Serialize;

use super::{Exit, Failure, Global, context, output};
use crate::http::responses::ResolveResponse;
use crate::model::{InvalidId, OpenId, UnionId};
use crate::resolve::{self, Resolution, User};

/// Find a user's openid in an Official Account
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("user").required(true))]
pub(super) struct Resolve {
    /// The Mini Program or Official Account that the openid belongs to, by name or AppID
    #[arg(long, value_name = "ACCOUNT", requires = "openid")]
    from: Option<String>,
    /// The user's openid in that account
    #[arg(long, group = "user", requires = "from", value_parser = parsed::<OpenId>)]
    openid: Option<OpenId>,
    /// The user's unionid
    #[arg(long, group = "user", value_parser = parsed::<UnionId>)]
    unionid: Option<UnionId>,
    /// The Official Account to find the openid in, by name or AppID; optional if only one is configured
    #[arg(long, value_name = "ACCOUNT")]
    to: Option<String>,
}

impl Resolve {
    pub(super) async fn run(self, global: &Global) -> Result<Exit, Failure> {
        let app = context::open_app(global).await?;
        let to = match &self.to {
            Some(to) => Some(app.config.official_account(to)?.appid.clone()),
            None => None,
        };
        let user = match (self.from, self.openid, self.unionid) {
            (Some(from), Some(openid), _) => {
                User::OpenId { appid: context::account(&app.config, &from)?, openid }
            }
            (_, _, Some(unionid)) => User::Unionid(unionid),
            // clap requires one of the two.
            _ => return Ok(Exit::Failed),
        };
        let resolution = app.resolver.resolve(user, to.as_ref()).await?;
        Ok(print(resolution, global.json))
    }
}

fn parsed<T: std::str::FromStr<Err = InvalidId>>(text: &str) -> Result<T, InvalidId> {
    text.parse()
}

/// The JSON for a user who cannot be resolved; `code` is the same as in the API's problem.
#[derive(Serialize)]
struct Unresolved {
    status: &'static str,
    code: &'static str,
    detail: &'static str,
    hint: Option<&'static str>,
}

fn print(resolution: Resolution, json: bool) -> Exit {
    let (status, problem, hint) = (resolution.status(), resolution.problem(), resolution.hint());
    match (resolution, problem) {
        (_, Some(detail)) if json => {
            output::json(&Unresolved { status, code: status, detail, hint });
        }
        (resolved, None) if json => output::json(&ResolveResponse::of(resolved)),
        (Resolution::Resolved { openid, verified_at, .. }, _) => {
            output::data(openid);
            let at = verified_at.format("%Y-%m-%d %H:%M:%S UTC");
            output::message(format_args!(
                "follows the account; WeChat last confirmed this at {at}"
            ));
        }
        _ => {}
    }
    let Some(problem) = problem else { return Exit::Done };
    output::message(format_args!("{status}: {problem}"));
    if let Some(hint) = hint {
        output::message(format_args!("hint: {hint}"));
    }
    Exit::Failed
}

impl From<resolve::Error> for Failure {
    fn from(error: resolve::Error) -> Self {
        let exit = match &error {
            resolve::Error::Store(_) => Exit::Failed,
            _ => Exit::Configuration,
        };
        let hint = Some(error.hint());
        Self::new(exit, error, hint)
    }
}
