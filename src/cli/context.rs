//! Setup that most commands share: load the configuration, start logging, open the application.

use super::{Failure, Global, output};
use crate::app::App;
use crate::config::{self, Config, OfficialAccount, Sources};
use crate::model::{AccountKind, AppId};
use crate::telemetry;

/// Loads the configuration, prints its warnings and starts logging.
pub(super) fn load_config(global: &Global) -> Result<Config, Failure> {
    let loaded = config::load(&Sources::of_process(global.config.clone()))?;
    for warning in &loaded.warnings {
        output::message(format_args!("warning: {warning}"));
    }
    telemetry::init(&loaded.config.log, super::progress::Writer)?;
    Ok(loaded.config)
}

/// Opens the application, applying pending migrations.
pub(super) async fn open_app(global: &Global) -> Result<App, Failure> {
    Ok(App::open(load_config(global)?).await?)
}

/// Opens the application; with `no_migrate`, fails if migrations are pending.
pub(super) async fn open_app_with(global: &Global, no_migrate: bool) -> Result<App, Failure> {
    match no_migrate {
        true => Ok(App::open_without_migrating(load_config(global)?).await?),
        false => open_app(global).await,
    }
}

/// Returns the Official Accounts given by name or AppID, or all of them if `named` is empty.
pub(super) fn official_accounts(
    config: &Config,
    named: &[String],
) -> Result<Vec<OfficialAccount>, Failure> {
    if named.is_empty() {
        return Ok(config.official_accounts.clone());
    }
    let found = named.iter().map(|name| Ok(config.official_account(name)?.clone()));
    found.collect()
}

/// Returns the AppID of an Official Account or a Mini Program given by name or AppID.
pub(super) fn account(config: &Config, named: &str) -> Result<AppId, Failure> {
    match (config.official_account(named), config.mini_program(named)) {
        (Ok(account), _) => Ok(account.appid.clone()),
        (Err(_), Ok(program)) => Ok(program.appid.clone()),
        (Err(unknown), Err(_)) => Err(unknown.into()),
    }
}

/// Returns the AppID of the sending account given by name or AppID. Defaults to the Official Account if
/// exactly one is configured.
pub(super) fn sender(config: &Config, named: Option<&str>) -> Result<AppId, Failure> {
    let known = config.official_accounts.iter().map(|account| &account.appid);
    match named {
        Some(named) => account(config, named),
        None => Ok(AccountKind::OfficialAccount.choose(known, None, "--app")?.clone()),
    }
}

/// Returns the AppID of a Mini Program given by name or AppID. Defaults to the Mini Program if exactly one
/// is configured.
pub(super) fn program(config: &Config, named: Option<&str>) -> Result<AppId, Failure> {
    let known = config.mini_programs.iter().map(|program| &program.appid);
    match named {
        Some(named) => Ok(config.mini_program(named)?.appid.clone()),
        None => Ok(AccountKind::MiniProgram.choose(known, None, "--app")?.clone()),
    }
}
