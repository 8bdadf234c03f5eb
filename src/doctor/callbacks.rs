//! Whether WeChat's callbacks are set up, and arrive.

use chrono::DateTime;
use secrecy::SecretString;

use super::check::{either, within};
use super::database::failed;
use super::{Check, Context, DATABASE_LIMIT, Name};
use crate::model::AppId;
use crate::store::{Store, callbacks};

/// An account's part of the console's server configuration.
struct CallbackSetup<'a> {
    appid: &'a AppId,
    token: Option<&'a SecretString>,
    key: Option<&'a SecretString>,
    /// What goes unnoticed without callbacks, or is noticed late.
    without: &'static str,
}

pub(super) async fn examine(context: &Context<'_>) -> Vec<Check> {
    let official = context.config.official_accounts.iter().map(|account| CallbackSetup {
        appid: &account.appid,
        token: account.callback_token.as_ref(),
        key: account.encoding_aes_key.as_ref(),
        without: "who follows and who leaves is noticed by the nightly sync",
    });
    let programs = context.config.mini_programs.iter().map(|program| CallbackSetup {
        appid: &program.appid,
        token: program.callback_token.as_ref(),
        key: program.encoding_aes_key.as_ref(),
        without: "who withdraws an authorisation is not noticed",
    });
    let mut checks = Vec::new();
    for mailbox in official.chain(programs) {
        let check = within(DATABASE_LIMIT, Name::Callbacks, look_into(context, &mailbox)).await;
        checks.push(either(check).about(mailbox.appid));
    }
    checks
}

async fn look_into(context: &Context<'_>, mailbox: &CallbackSetup<'_>) -> Result<Check, Check> {
    let name = Name::Callbacks;
    if mailbox.token.is_none() {
        let why = format!("callback_token is not set: {}", mailbox.without);
        return Ok(Check::skipped(name, why));
    }
    let store = context.base.ready().map_err(|why| Check::skipped(name, why))?;
    let mode = match mailbox.key {
        Some(_) => "safe or compatible mode",
        None => "plain mode: encoding_aes_key is not set",
    };
    Ok(match latest(store).await? {
        Some(at) => Check::ok(name, format!("{mode}; the latest event of all accounts came {at}")),
        None => Check::warn(
            name,
            format!("{mode}; no event has come lately"),
            how_to_enter(mailbox.appid),
        ),
    })
}

/// Events are remembered without their account, and receipts of messages not at all.
async fn latest(store: &Store) -> Result<Option<String>, Check> {
    let latest = callbacks::find_latest(store.reader()).await;
    let latest = latest.map_err(|error| failed(Name::Callbacks, &error))?;
    let instant = latest.and_then(DateTime::from_timestamp_millis);
    Ok(instant.map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string()))
}

fn how_to_enter(appid: &AppId) -> String {
    format!(
        "enter https://YOUR-HOST/v1/callbacks/{appid} as the server's URL in WeChat's console, with \
         the Token and EncodingAESKey of the configuration, and enable it there; `serve` has to run"
    )
}
