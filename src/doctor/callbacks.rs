//! Checks whether callbacks are configured and arrive.

use chrono::DateTime;
use secrecy::SecretString;

use super::check::{merge, within};
use super::database::failed;
use super::{Check, Context, DATABASE_TIMEOUT, Name};
use crate::model::AppId;
use crate::store::{Store, callbacks};

/// The callback settings of an account.
struct CallbackSetup<'a> {
    appid: &'a AppId,
    token: Option<&'a SecretString>,
    key: Option<&'a SecretString>,
    /// The consequence of running without callbacks.
    consequence: &'static str,
}

pub(super) async fn examine(context: &Context<'_>) -> Vec<Check> {
    let official = context.config.official_accounts.iter().map(|account| CallbackSetup {
        appid: &account.appid,
        token: account.callback_token.as_ref(),
        key: account.encoding_aes_key.as_ref(),
        consequence: "follows and departures are noticed only by the nightly sync",
    });
    let programs = context.config.mini_programs.iter().map(|program| CallbackSetup {
        appid: &program.appid,
        token: program.callback_token.as_ref(),
        key: program.encoding_aes_key.as_ref(),
        consequence: "withdrawn authorisations go unnoticed",
    });
    let mut checks = Vec::new();
    for setup in official.chain(programs) {
        let check = within(DATABASE_TIMEOUT, Name::Callbacks, check_setup(context, &setup)).await;
        checks.push(merge(check).about(setup.appid));
    }
    checks
}

async fn check_setup(context: &Context<'_>, setup: &CallbackSetup<'_>) -> Result<Check, Check> {
    let name = Name::Callbacks;
    if setup.token.is_none() {
        let why = format!("callback_token is not set, so {}", setup.consequence);
        return Ok(Check::skipped(name, why));
    }
    let store = context.database.ready().map_err(|why| Check::skipped(name, why))?;
    let mode = match setup.key {
        Some(_) => "safe or compatible mode",
        None => "plain mode: encoding_aes_key is not set",
    };
    Ok(match latest(store).await? {
        Some(at) => {
            Check::ok(name, format!("{mode}; the latest event of any account arrived {at}"))
        }
        None => Check::warn(
            name,
            format!("{mode}; no event arrived recently"),
            console_hint(setup.appid),
        ),
    })
}

/// Returns when the latest event arrived. Events are stored without their account, and message receipts
/// are not stored as events, so this covers all accounts.
async fn latest(store: &Store) -> Result<Option<String>, Check> {
    let latest = callbacks::find_latest(store.reader()).await;
    let latest = latest.map_err(|error| failed(Name::Callbacks, &error))?;
    let instant = latest.and_then(DateTime::from_timestamp_millis);
    Ok(instant.map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string()))
}

fn console_hint(appid: &AppId) -> String {
    format!(
        "in WeChat's console, enter https://YOUR-HOST/v1/callbacks/{appid} as the server URL with the \
         Token and EncodingAESKey of this configuration, and enable it while `serve` is running"
    )
}
