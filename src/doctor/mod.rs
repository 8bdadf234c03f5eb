//! The doctor: checks everything that a sync or a login needs, and says how to fix what fails.
//!
//! Each check has a name and a time limit, and runs whatever the results of the others. The doctor makes
//! few calls to WeChat and changes nothing: it applies no migration, creates no database and never forces
//! a new access token. Its report contains no secret, no token and no openid. It knows nothing of the
//! command line.
//!
//! - [`Name`], [`Check`], [`Report`]: the report
//! - `settings`: the configuration and its files; `database`: server, schema, disk and connections
//! - `clocks`: compares clocks; `reach`: the connection to WeChat; `tokens`: access tokens for the checks
//! - `account`: an Official Account at WeChat; `quota` and `forecast`: the calls that the next sync needs
//! - `history`: past runs; `program`: a Mini Program's AppID and AppSecret; `callbacks`: their setup
//! - `conflicts`: unionids that changed; `people`: whether accounts share unionids

mod account;
mod callbacks;
mod check;
mod clocks;
mod conflicts;
mod connection;
mod database;
mod forecast;
mod history;
mod mini_program;
mod names;
mod quota;
mod settings;
mod shared_unionids;
mod tokens;

use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;

use crate::app;
use crate::clock::Clock;
use crate::config::{self, Config, Loaded};
use crate::error_chain::error_chain;
use crate::wechat::{Client, RetryPolicy};

use database::Database;

pub use check::{Check, State};
pub use names::Name;

/// Why checks that call WeChat are skipped.
const NO_CLIENT: &str = "calls to WeChat cannot be prepared";

/// How long a check of the database may take.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(15);

/// The results of all checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The worst state of all checks.
    pub overall: State,
    /// The checks, in the order of [`Name::ALL`] and then of the configuration.
    pub checks: Vec<Check>,
}

impl Report {
    fn of(mut checks: Vec<Check>) -> Self {
        checks.sort_by_key(|check| check.name);
        let overall = checks.iter().map(|check| check.state).max().unwrap_or(State::Ok);
        Self { overall, checks }
    }

    /// Returns the number of checks with this state.
    pub fn count(&self, state: State) -> usize {
        self.checks.iter().filter(|check| check.state == state).count()
    }
}

/// What the checks work with.
struct Context<'a> {
    config: &'a Config,
    clock: &'a Clock,
    database: Database,
    /// `None` if the client cannot be built.
    client: Option<Client>,
}

impl Context<'_> {
    /// How long a check that calls WeChat may take: two attempts, and some time for the database.
    fn limit(&self) -> Duration {
        self.config.wechat.timeout() * 2 + Duration::from_secs(5)
    }
}

/// Runs all checks. Checks that the configuration does not allow are reported as skipped.
pub async fn examine(loaded: &Result<Loaded, config::Error>, clock: &Clock) -> Report {
    let mut checks = settings::examine(loaded);
    let why = match loaded {
        Ok(Loaded { config, .. }) => {
            checks.extend(examine_services(config, clock).await);
            nothing_configured
        }
        Err(_) => |_| "the configuration has mistakes",
    };
    let missing = |name: &&Name| checks.iter().all(|check| check.name != **name);
    let missing: Vec<_> = Name::ALL.iter().filter(missing).copied().collect();
    checks.extend(missing.into_iter().map(|name| Check::skipped(name, why(name))));
    Report::of(checks)
}

/// Why a check does not apply, although the configuration is valid.
fn nothing_configured(name: Name) -> &'static str {
    match name {
        Name::LoginSecret => "no Mini Program is configured",
        Name::SharedUnionids => "needs an Official Account and a Mini Program",
        Name::Callbacks | Name::UnionidConflicts => "no account is configured",
        _ => "no Official Account is configured",
    }
}

async fn examine_services(config: &Config, clock: &Clock) -> Vec<Check> {
    let (client_check, client) = prepare_client(config);
    let (database_checks, database) = database::examine(config, clock).await;
    let context = Context { config, clock, database, client };
    let (reach, accounts) = tokio::join!(connection::examine(&context), examine_accounts(&context));
    context.database.close().await;
    client_check.into_iter().chain(database_checks).chain(reach).chain(accounts).collect()
}

/// Returns the WeChat client, or a failed check if it cannot be built.
fn prepare_client(config: &Config) -> (Option<Check>, Option<Client>) {
    // One retry distinguishes a glitch from an outage. Waiting out a rate limit would take a minute.
    let retry = RetryPolicy { transient: 1, rate_limited: 0, ..RetryPolicy::default() };
    match app::client(config, retry) {
        Ok(client) => (None, Some(client)),
        Err(error) => {
            let hint = error
                .hint()
                .unwrap_or_else(|| "check the section [wechat] of the configuration".into());
            let check = Check::fail(Name::Configuration, error_chain(&error), hint).about("wechat");
            (Some(check), None)
        }
    }
}

/// Runs the checks of all accounts concurrently.
async fn examine_accounts(context: &Context<'_>) -> Vec<Check> {
    let (official, programs) = (&context.config.official_accounts, &context.config.mini_programs);
    let tokens = tokens::Tokens::of(context);
    let appids = official.iter().map(|found| &found.appid);
    let appids = appids.chain(programs.iter().map(|found| &found.appid));
    let (at_wechat, histories, logins, conflicts, callbacks, people) = tokio::join!(
        join_all(official.iter().map(|found| account::examine(context, tokens.as_ref(), found))),
        join_all(official.iter().map(|found| history::examine(context, found))),
        join_all(programs.iter().map(|found| mini_program::examine(context, found))),
        join_all(appids.map(|appid| conflicts::examine(context, appid))),
        callbacks::examine(context),
        shared_unionids::examine(context),
    );
    let of_accounts = at_wechat.into_iter().chain(histories).flatten();
    of_accounts.chain(logins).chain(conflicts).chain(callbacks).chain(people).collect()
}
