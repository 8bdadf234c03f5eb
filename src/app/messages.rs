//! What sending messages needs of the configuration.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::model::{AppId, Channel};
use crate::push::Settings;
use crate::token::Keeper;
use crate::wechat::{self, ConcurrencyLimit, RetryPolicy};

/// An hour and a day in seconds.
const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// The calls of every account that sends, each kind with a concurrency limit of its own: a crawl does not wait for
/// messages, nor they for it.
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

/// The section `[push]`.
pub(super) fn settings(config: &Config, retry: RetryPolicy) -> Settings {
    let push = &config.push;
    Settings {
        rate_per_second: push.rate_per_second,
        concurrency: push.concurrency,
        expire_after: Duration::from_secs(u64::from(push.expire_after_hours) * HOUR),
        keep: Duration::from_secs(u64::from(push.keep_days) * DAY),
        timeout: config.wechat.timeout(),
        retry,
    }
}
