//! Builds the resolver's accounts and the login exchange from the configuration.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::login::{Login, Parts, Program, Settings};
use crate::resolve::Accounts;
use crate::seal::Sealer;
use crate::store::Store;
use crate::wechat;

/// How long the result of a login code stays cached, counted from the latest time it can be answered.
const CODE_RESULT_TTL: Duration = Duration::from_secs(60);

/// Returns the AppIDs of the configured accounts.
pub(super) fn accounts(config: &Config) -> Arc<Accounts> {
    Arc::new(Accounts::new(
        config.official_accounts.iter().map(|account| account.appid.clone()),
        config.mini_programs.iter().map(|program| program.appid.clone()),
    ))
}

/// Builds the exchange of login codes.
pub(super) fn login(
    config: &Config,
    accounts: Arc<Accounts>,
    store: Store,
    client: wechat::Client,
) -> Login {
    let keys = super::encryption_keys(config);
    let program = |program: &crate::config::MiniProgram| Program {
        appid: program.appid.clone(),
        secret: program.secret.clone(),
        sealer: Sealer::new(&program.appid, &keys, &program.secret),
    };
    let programs = config.mini_programs.iter().map(program).collect();
    let settings = Settings {
        timeout: config.login.timeout(),
        remember: CODE_RESULT_TTL + config.login.timeout(),
        refused_codes_per_minute: config.login.refused_codes_per_minute,
        store_session_key: config.login.store_session_key,
    };
    Login::new(Parts { store, client, accounts, programs, settings })
}
