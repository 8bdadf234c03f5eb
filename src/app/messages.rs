//! Builds the senders and settings of [`push`](crate::push) from the configuration.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::model::{AppId, Channel};
use crate::push::Settings;
use crate::token::Keeper;
use crate::wechat::{self, ConcurrencyLimit, RetryPolicy};

const HOUR_SECONDS: u64 = 3_600;
const DAY_SECONDS: u64 = 24 * HOUR_SECONDS;

/// Returns one client per account and channel. Each has its own concurrency limit, so that syncs and
/// messages do not wait for each other.
pub(super) fn senders(
    config: &Config,
    client: &wechat::Client,
    tokens: &Arc<Keeper>,
) -> Vec<(Channel, wechat::Account)> {
    let sender = |channel, appid: &AppId| {
        let concurrency = ConcurrencyLimit::new(config.push.concurrency);
        (channel, client.account(appid.clone(), tokens.clone(), concurrency))
    };
    let official = config.official_accounts.iter();
    let programs = config.mini_programs.iter();
    official
        .map(|account| sender(Channel::Template, &account.appid))
        .chain(programs.map(|program| sender(Channel::Subscribe, &program.appid)))
        .collect()
}

/// Maps the section `[push]` to the settings of the feature.
pub(super) fn settings(config: &Config, retry: RetryPolicy) -> Settings {
    let push = &config.push;
    Settings {
        rate_per_second: push.rate_per_second,
        concurrency: push.concurrency,
        expire_after: Duration::from_secs(u64::from(push.expire_after_hours) * HOUR_SECONDS),
        keep: Duration::from_secs(u64::from(push.keep_days) * DAY_SECONDS),
        timeout: config.wechat.timeout(),
        retry,
    }
}
