//! What most commands begin with: the configuration, the logs, the application.

use super::{Failure, Global, output};
use crate::app::App;
use crate::config::{self, Config, OfficialAccount, Sources};
use crate::model::{AccountKind, AppId};
use crate::telemetry;

/// Reads the configuration, says what looks odd in it, and starts the logs.
pub(super) fn configured(global: &Global) -> Result<Config, Failure> {
    let loaded = config::load(&Sources::of_process(global.config.clone()))?;
    for warning in &loaded.warnings {
        output::talk(format_args!("warning: {warning}"));
    }
    telemetry::init(&loaded.config.log, super::progress::Writer)?;
    Ok(loaded.config)
}

/// The application on the configured database, its schema up to date.
pub(super) async fn opened(global: &Global) -> Result<App, Failure> {
    Ok(App::open(configured(global)?).await?)
}

/// The application, and what to do about a schema that is not up to date.
pub(super) async fn opened_as_told(global: &Global, no_migrate: bool) -> Result<App, Failure> {
    match no_migrate {
        true => Ok(App::open_without_migrating(configured(global)?).await?),
        false => opened(global).await,
    }
}

/// The Official Accounts named, by name or AppID; all where none is.
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

/// An Official Account or a Mini Program, by name or AppID.
pub(super) fn account(config: &Config, named: &str) -> Result<AppId, Failure> {
    match (config.official_account(named), config.mini_program(named)) {
        (Ok(account), _) => Ok(account.appid.clone()),
        (Err(_), Ok(program)) => Ok(program.appid.clone()),
        (Err(unknown), Err(_)) => Err(unknown.into()),
    }
}

/// The account that sends, by name or AppID; the only Official Account where none is named.
pub(super) fn sender(config: &Config, named: Option<&str>) -> Result<AppId, Failure> {
    let known = config.official_accounts.iter().map(|account| &account.appid);
    match named {
        Some(named) => account(config, named),
        None => Ok(AccountKind::OfficialAccount.choose(known, None, "--app")?.clone()),
    }
}

/// A Mini Program, by name or AppID; the only one where none is named.
pub(super) fn program(config: &Config, named: Option<&str>) -> Result<AppId, Failure> {
    let known = config.mini_programs.iter().map(|program| &program.appid);
    match named {
        Some(named) => Ok(config.mini_program(named)?.appid.clone()),
        None => Ok(AccountKind::MiniProgram.choose(known, None, "--app")?.clone()),
    }
}
