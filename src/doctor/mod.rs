//! The doctor: looks at everything a sync or a login needs, and says of each what to do.
//!
//! Checks are named, none keeps another from being made, and each ends within its own time. Asks WeChat
//! for little, never for a token by force, and changes nothing: it applies no migration and makes no
//! database. Says no secret, no token and no openid. Knows nothing of the command line.
//!
//! - [`Name`], [`Check`], [`Report`]: what is told
//! - `settings`: the configuration and its files; `database`: the server, its schema, its disk
//! - `clocks`; `reach`: the way to WeChat; `tokens`: where the calls below take theirs from
//! - `account`: what WeChat says of an Official Account; `quota`, `tonight`: what the next sync needs
//! - `history`: its runs; `program`: Mini Programs
//! - `conflicts`: unionids that changed; `people`: unionids in common; `callbacks`

mod account;
mod callbacks;
mod check;
mod clocks;
mod conflicts;
mod database;
mod forecast;
mod history;
mod names;
mod people;
mod program;
mod quota;
mod reach;
mod settings;
mod tokens;

use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;

use crate::app;
use crate::clock::Clock;
use crate::config::{self, Config, Loaded};
use crate::wechat::{Client, RetryPolicy};

use check::told;
use database::Base;

pub use check::{Check, State};
pub use names::Name;

/// Why a check that asks WeChat is not made.
const NO_CLIENT: &str = "calls to WeChat cannot be prepared";

/// How long a check of the database may take.
const DATABASE_LIMIT: Duration = Duration::from_secs(15);

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The worst of all checks.
    pub overall: State,
    /// In the order of [`Name::ALL`], and of the configuration.
    pub checks: Vec<Check>,
}

impl Report {
    fn of(mut checks: Vec<Check>) -> Self {
        checks.sort_by_key(|check| check.name);
        let overall = checks.iter().map(|check| check.state).max().unwrap_or(State::Ok);
        Self { overall, checks }
    }

    /// How many checks came out like that.
    pub fn count(&self, state: State) -> usize {
        self.checks.iter().filter(|check| check.state == state).count()
    }
}

/// What the checks of one process work with.
struct Context<'a> {
    config: &'a Config,
    clock: &'a Clock,
    base: Base,
    /// `None` where calls cannot be prepared.
    client: Option<Client>,
}

impl Context<'_> {
    /// How long a check that asks WeChat may take: two attempts, and some for the database.
    fn limit(&self) -> Duration {
        self.config.wechat.timeout() * 2 + Duration::from_secs(5)
    }
}

/// Makes every check. What the configuration's mistakes make impossible is told as skipped.
pub async fn examine(loaded: &Result<Loaded, config::Error>, clock: &Clock) -> Report {
    let mut checks = settings::examine(loaded);
    let why = match loaded {
        Ok(Loaded { config, .. }) => {
            checks.extend(examine_world(config, clock).await);
            nothing_configured
        }
        Err(_) => |_| "the configuration has mistakes",
    };
    let missing = |name: &&Name| checks.iter().all(|check| check.name != **name);
    let missing: Vec<_> = Name::ALL.iter().filter(missing).copied().collect();
    checks.extend(missing.into_iter().map(|name| Check::skipped(name, why(name))));
    Report::of(checks)
}

/// Why there is nothing to say under a name although the configuration is fine.
fn nothing_configured(name: Name) -> &'static str {
    match name {
        Name::LoginSecret => "no Mini Program is configured",
        Name::SharedUnionids => "it takes an Official Account and a Mini Program",
        Name::Callbacks | Name::UnionidConflicts => "no account is configured",
        _ => "no Official Account is configured",
    }
}

async fn examine_world(config: &Config, clock: &Clock) -> Vec<Check> {
    let (unprepared, client) = prepare(config);
    let (base_checks, base) = database::examine(config, clock).await;
    let context = Context { config, clock, base, client };
    let (reached, found) = tokio::join!(reach::examine(&context), examine_accounts(&context));
    context.base.close().await;
    unprepared.into_iter().chain(base_checks).chain(reached).chain(found).collect()
}

fn prepare(config: &Config) -> (Option<Check>, Option<Client>) {
    // One repetition tells a hiccup from an outage; a minute's limit is not waited out.
    let retry = RetryPolicy { transient: 1, rate_limited: 0, ..RetryPolicy::default() };
    match app::client(config, retry) {
        Ok(client) => (None, Some(client)),
        Err(error) => {
            let hint =
                error.hint().unwrap_or_else(|| "look at [wechat] of the configuration".into());
            let check = Check::fail(Name::Configuration, told(&error), hint).about("wechat");
            (Some(check), None)
        }
    }
}

/// What is to be said of each account, all of them at once.
async fn examine_accounts(context: &Context<'_>) -> Vec<Check> {
    let (official, programs) = (&context.config.official_accounts, &context.config.mini_programs);
    let tokens = tokens::Tokens::of(context);
    let appids = official.iter().map(|found| &found.appid);
    let appids = appids.chain(programs.iter().map(|found| &found.appid));
    let (asked, histories, logins, conflicts, callbacks, people) = tokio::join!(
        join_all(official.iter().map(|found| account::examine(context, tokens.as_ref(), found))),
        join_all(official.iter().map(|found| history::examine(context, found))),
        join_all(programs.iter().map(|found| program::examine(context, found))),
        join_all(appids.map(|appid| conflicts::examine(context, appid))),
        callbacks::examine(context),
        people::examine(context),
    );
    let of_accounts = asked.into_iter().chain(histories).flatten();
    of_accounts.chain(logins).chain(conflicts).chain(callbacks).chain(people).collect()
}
